//! One question to one time server, over UDP.
//!
//! The socket has a port of the system's choice and is connected: nothing reaches it but what comes from the server's own
//! address and port, and of that nothing counts but what repeats the random number of the question.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use super::packet::{self, Reading, Reply};
use crate::clock::WallClock;

/// Addresses of one name that are asked, one after the other, until one answers.
const ADDRESSES: usize = 2;
/// Packets that are read while waiting for the right one.
const PACKETS: usize = 64;

/// Why there is no reading.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The server asked to be left alone.
    Kiss(String),
    /// It answered, and does not know the time.
    Unsynchronised(String),
    /// No answer that could be used.
    Silent(String),
}

/// Asks `server` (`host:port`) and waits `wait` for its first addresses together, which are asked in turn.
pub(super) fn ask(server: &str, wait: Duration, clock: &dyn WallClock) -> Result<Reading, Refusal> {
    let addresses = server.to_socket_addrs().map_err(|error| Refusal::Silent(error.to_string()))?;
    let addresses: Vec<SocketAddr> = addresses.take(ADDRESSES).collect();
    ask_all(server, &addresses, wait, clock)
}

pub(super) fn ask_all(
    server: &str,
    addresses: &[SocketAddr],
    wait: Duration,
    clock: &dyn WallClock,
) -> Result<Reading, Refusal> {
    // An equal share, and not what is left: what is told stays the same from cycle to cycle.
    let wait = wait / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut refusal = Refusal::Silent("the name has no address".to_owned());
    for address in addresses {
        match ask_one(*address, wait, clock) {
            Err(Refusal::Silent(why)) if is_named(*address, server) => refusal = Refusal::Silent(why),
            Err(Refusal::Silent(why)) => refusal = Refusal::Silent(format!("{address}: {why}")),
            answered => return answered,
        }
    }
    Err(refusal)
}

/// Whether that is the address which the configuration has, however it is written there.
fn is_named(address: SocketAddr, server: &str) -> bool {
    server.parse() == Ok(address)
}

fn ask_one(server: SocketAddr, wait: Duration, clock: &dyn WallClock) -> Result<Reading, Refusal> {
    let silent = |error: std::io::Error| Refusal::Silent(error.to_string());
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).map_err(silent)?;
    socket.connect(server).map_err(silent)?;
    // Keyed anew by the system for every thread that asks: nobody else can tell it beforehand.
    let nonce = RandomState::new().hash_one(server);
    let (asked_us, asked) = (clock.now_us(), Instant::now());
    socket.send(&packet::request(nonce)).map_err(silent)?;
    let mut refusal = format!("no answer in {} ms", wait.as_millis());
    let mut buffer = [0; 1024];
    for _ in 0..PACKETS {
        let left = wait.saturating_sub(asked.elapsed());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left)).map_err(silent)?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if is_timeout(&error) => break,
            Err(error) => return Err(silent(error)),
        };
        let elapsed = asked.elapsed();
        match packet::read(buffer.get(..length).unwrap_or_default(), nonce) {
            Reply::Times(times) => {
                let contradiction = || Refusal::Unsynchronised("its times contradict each other".to_owned());
                return packet::reading(asked_us, elapsed, times).ok_or_else(contradiction);
            }
            Reply::Kiss(code) => return Err(Refusal::Kiss(code)),
            Reply::Unsynchronised(why) => return Err(Refusal::Unsynchronised(why)),
            Reply::Foreign(what) => what.clone_into(&mut refusal),
        }
    }
    Err(Refusal::Silent(refusal))
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
