//! One connection to one address: every address that its name stands for is tried, in the resolver's order.
//!
//! A dial takes at most [`CALL_DEADLINE`] with its name, and each address of it at most `timeout` and an equal share of what
//! is left, so that the first one that drops every packet does not keep the others from their turn. Keepalive finds a peer
//! that vanished without a word between two calls. TCP_USER_TIMEOUT would do so during a call: the call's own deadline is
//! shorter, and there is no such option on Windows.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::CALL_DEADLINE;
use super::names::Names;
use crate::falcon::rpc::Error;

/// Of one name; more are no help.
const MOST_ADDRESSES: usize = 8;
/// Idle time before the first probe, and between two.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// What a call goes over.
pub trait Io: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {
    /// This host's end and the other one.
    ///
    /// # Errors
    /// It has no addresses, or the system does not tell them.
    fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Io for TcpStream {
    fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.local_addr()?, self.peer_addr()?))
    }
}

/// Bytes in memory, for tests whose time is virtual.
impl Io for DuplexStream {}

pub type Stream = Box<dyn Io>;
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;
pub type Connect = Arc<dyn Fn(SocketAddr) -> Connecting + Send + Sync>;

pub struct Dialler {
    names: Names,
    connect: Connect,
    timeout: Duration,
}

impl Dialler {
    /// `timeout_ms` 0: none of its own.
    pub fn of_system(timeout_ms: u64) -> Dialler {
        Dialler::with(Names::of_system(), Arc::new(tcp), timeout_ms)
    }

    pub fn with(names: Names, connect: Connect, timeout_ms: u64) -> Dialler {
        let timeout = match timeout_ms {
            0 => CALL_DEADLINE,
            ms => Duration::from_millis(ms).min(CALL_DEADLINE),
        };
        Dialler { names, connect, timeout }
    }

    /// # Errors
    /// Of the last address, or of the name.
    pub async fn dial(&self, addr: &str) -> Result<Stream, Error> {
        let end = Instant::now() + CALL_DEADLINE;
        timeout_at(end, self.dial_until(end, addr)).await.unwrap_or(Err(Error::Timeout(CALL_DEADLINE.as_secs())))
    }

    async fn dial_until(&self, end: Instant, addr: &str) -> Result<Stream, Error> {
        let mut addresses = self.names.lookup(addr).await?;
        addresses.truncate(MOST_ADDRESSES);
        let mut last = io::Error::other("the name has no address");
        for (n, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / left;
            let patience = self.timeout.min(share);
            match timeout(patience, (self.connect)(*address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => {
                    let text = format!("no connection within {} ms", patience.as_millis());
                    last = io::Error::new(io::ErrorKind::TimedOut, text);
                }
            }
        }
        Err(Error::Io(last))
    }
}

/// A connection to a host.
pub fn tcp(address: SocketAddr) -> Connecting {
    Box::pin(async move {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE.0).with_interval(KEEPALIVE.1);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Box::new(stream) as Stream)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::Mutex;
    use tokio::net::TcpListener;

    const NAME: &str = "transfer.example:8433";

    fn hole(last: u8) -> SocketAddr {
        (Ipv4Addr::new(192, 0, 2, last), 8433).into()
    }

    /// Addresses of 192.0.2.0/24 drop every packet.
    fn dialler(addresses: Vec<SocketAddr>, timeout_ms: u64) -> (Dialler, Arc<Mutex<Vec<SocketAddr>>>) {
        let tried = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let seen = tried.clone();
        let connect = move |address: SocketAddr| -> Connecting {
            seen.lock().expect("unpoisoned").push(address);
            if address.ip().is_loopback() { tcp(address) } else { Box::pin(std::future::pending()) }
        };
        let names = Names::asking(Arc::new(move |_: &str| Ok(addresses.clone())));
        (Dialler::with(names, Arc::new(connect), timeout_ms), tried)
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried_in_its_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let alive = listener.local_addr().expect("an address");
        let (dialler, tried) = dialler(vec![hole(1), hole(2), alive, hole(3)], 10);
        assert_eq!(dialler.dial(NAME).await.expect("connected").ends().expect("two").1, alive);
        assert_eq!(*tried.lock().expect("unpoisoned"), [hole(1), hole(2), alive]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_drops_every_packet_costs_the_timeout() {
        for (timeout_ms, cost) in [(1000, Duration::from_secs(1)), (0, CALL_DEADLINE), (60_000, CALL_DEADLINE)] {
            let (dialler, _) = dialler(vec![], timeout_ms);
            let start = Instant::now();
            assert!(dialler.dial("192.0.2.9:8433").await.is_err());
            assert_eq!(start.elapsed(), cost);
        }
    }

    /// Without a timeout of its own the first address took all the time that there was.
    #[tokio::test]
    async fn an_address_that_drops_every_packet_leaves_time_for_the_others() {
        let (dialler, tried) = dialler(vec![hole(1), hole(2), hole(3)], 0);
        let end = Instant::now() + Duration::from_millis(300);
        let error = dialler.dial_until(end, NAME).await.expect_err("holes");
        assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut), "{error}");
        assert_eq!(*tried.lock().expect("unpoisoned"), [hole(1), hole(2), hole(3)]);
    }
}
