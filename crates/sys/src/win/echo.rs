//! Echo requests to one address and what comes back of them: IcmpSendEcho and Icmp6SendEcho2, which need no right.
//!
//! The calls wait for their answer, so each request has a thread, which ends at the request's timeout at the latest; the time is
//! taken there, finer than the whole milliseconds that the calls tell. Which answer belongs to which request the system knows.
//! At most [`MOST_OUT`] of these threads are out in the process, of [`STACK`] bytes of addresses each; one request more is refused.
//! With an event in place of the thread (IcmpSendEcho2) variables of a later call were overwritten under Wine 8.

use super::ffi::last_error;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, ptr, thread};
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ICMP_ECHO_REPLY, ICMPV6_ECHO_REPLY_LH, Icmp6CreateFile, Icmp6SendEcho2, IcmpCloseHandle, IcmpCreateFile,
    IcmpSendEcho,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET6, SOCKADDR_IN6};

/// What Windows's own ping sends.
const DATA: &[u8; 32] = b"abcdefghijklmnopqrstuvwabcdefghi";
/// What a call wants for an answer: its structure, the data, 8 bytes of an ICMP error, an IO_STATUS_BLOCK of 16.
const REPLY_WORDS: usize = 32;
const _: () = assert!(size_of::<ICMP_ECHO_REPLY>() + DATA.len() + 8 + 16 <= 8 * REPLY_WORDS);
const _: () = assert!(size_of::<ICMPV6_ECHO_REPLY_LH>() + DATA.len() + 8 + 16 <= 8 * REPLY_WORDS);

// What is read lies where the SDK's headers have it: behind an IPAddr, and behind an IPV6_ADDRESS_EX, packed to 26 bytes.
const _: () = assert!(offset_of!(ICMP_ECHO_REPLY, Status) == 4);
const _: () = assert!(offset_of!(ICMPV6_ECHO_REPLY_LH, Status) == 28);

/// Threads that wait for an answer: 16 hosts, each with 8 requests that nothing comes back of.
const MOST_OUT: usize = 128;
static OUT: AtomicUsize = AtomicUsize::new(0);

/// Enough for one call.
const STACK: usize = 256 * 1024;

/// IP_SUCCESS and IP_REQ_TIMED_OUT of the reference of ICMP_ECHO_REPLY.
const SUCCESS: u32 = 0;
const TIMED_OUT: i32 = 11010;

/// How one request ended; `None`: nothing came in time.
type Ended = io::Result<Option<Duration>>;

/// What sends echo requests to one address.
#[derive(Debug)]
pub struct Echo {
    to: SocketAddr,
    ended: Receiver<Ended>,
    end: Sender<Ended>,
}

impl Echo {
    /// Nothing is sent yet; the port of `to` is of no meaning.
    ///
    /// # Errors
    /// [`io::ErrorKind::NetworkUnreachable`] where there is no way to that address, or none that is allowed; the calls' own.
    pub fn open(to: SocketAddr) -> io::Result<Echo> {
        has_way(to)?;
        // Whether the system can at all: each request opens its own.
        Icmp::open(to)?;
        let (end, ended) = channel();
        Ok(Echo { to, ended, end })
    }

    /// Sends one request more. `wait`: how long its answer is of use.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where too many are out; where the system gives no handle or no thread. Then nothing was sent.
    pub fn send(&mut self, wait: Duration) -> io::Result<()> {
        let turn = Turn::take(&OUT)?;
        let (to, end, icmp) = (self.to, self.end.clone(), Icmp::open(self.to)?);
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX - 1);
        let request = move || {
            let ended = icmp.ask(to, wait_ms);
            drop((icmp, turn));
            // A send fails only when nobody waits any more: then the answer is of no use.
            let _ = end.send(ended);
        };
        thread::Builder::new().name("echo".into()).stack_size(STACK).spawn(request).map(drop)
    }

    /// Waits for the next answer, of whichever request; `None` at `until`. Tells how long it took.
    ///
    /// # Errors
    /// What a router, the host asked or this one says instead of an answer; others may still come.
    pub fn receive(&mut self, until: Instant) -> io::Result<Option<Duration>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left) {
                Ok(Ok(None)) => {}
                Ok(ended) => return ended,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// One of [`MOST_OUT`], until it is dropped.
struct Turn(&'static AtomicUsize);

impl Turn {
    fn take(out: &'static AtomicUsize) -> io::Result<Turn> {
        let turn = Turn(out);
        if out.fetch_add(1, Relaxed) < MOST_OUT {
            return Ok(turn);
        }
        let why = format!("{MOST_OUT} echo requests have not come back");
        Err(io::Error::new(io::ErrorKind::WouldBlock, why))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Closed when it is dropped.
struct Icmp(HANDLE);

// SAFETY: the handle is a number that means the same on every thread, and one at a time has it.
unsafe impl Send for Icmp {}

impl Icmp {
    fn open(to: SocketAddr) -> io::Result<Icmp> {
        // SAFETY: the calls take nothing.
        let handle = unsafe { if to.is_ipv6() { Icmp6CreateFile() } else { IcmpCreateFile() } };
        if handle == INVALID_HANDLE_VALUE || handle.is_null() { Err(last_error()) } else { Ok(Icmp(handle)) }
    }

    fn ask(&self, to: SocketAddr, wait_ms: u32) -> Ended {
        let mut reply = [0_u64; REPLY_WORDS];
        let (into, size) = (reply.as_mut_ptr(), size_of_val(&reply) as u32);
        let (data, length) = (DATA.as_ptr().cast(), DATA.len() as u16);
        let sent = Instant::now();
        let replies = match to {
            SocketAddr::V4(to) => {
                let to = u32::from_ne_bytes(to.ip().octets());
                // SAFETY: the handle is open; data and reply are of the sizes that are told, and the call ends before they do;
                // no options.
                unsafe { IcmpSendEcho(self.0, to, data, length, ptr::null(), into.cast(), size, wait_ms) }
            }
            SocketAddr::V6(to) => {
                // The system chooses from where.
                let (from, to) = (sockaddr(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0)), sockaddr(to));
                let (from, to, no_event) = (&raw const from, &raw const to, ptr::null_mut());
                // SAFETY: as above: without an event or a function the call waits. Both addresses live as long as it.
                unsafe {
                    Icmp6SendEcho2(
                        self.0,
                        no_event,
                        None,
                        ptr::null(),
                        from,
                        to,
                        data,
                        length,
                        ptr::null(),
                        into.cast(),
                        size,
                        wait_ms,
                    )
                }
            }
        };
        let took = sent.elapsed();
        if replies == 0 {
            let error = last_error();
            return if error.raw_os_error() == Some(TIMED_OUT) { Ok(None) } else { Err(told(error, to.is_ipv6())) };
        }
        // SAFETY: both structures fit the reply, which is aligned to 8 and initialised; any bits are a valid number.
        let status = unsafe {
            if to.is_ipv6() {
                (&raw const (*into.cast::<ICMPV6_ECHO_REPLY_LH>()).Status).read_unaligned()
            } else {
                (&raw const (*into.cast::<ICMP_ECHO_REPLY>()).Status).read_unaligned()
            }
        };
        match status.cast_signed() {
            TIMED_OUT => Ok(None),
            _ if status == SUCCESS => Ok(Some(took)),
            other => Err(told(io::Error::from_raw_os_error(other), to.is_ipv6())),
        }
    }
}

impl Drop for Icmp {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and nothing uses it any more.
        unsafe { IcmpCloseHandle(self.0) };
    }
}

/// Asks the table of routes: connecting a UDP socket sends nothing.
fn has_way(mut to: SocketAddr) -> io::Result<()> {
    const DISCARD: u16 = 9;
    to.set_port(DISCARD);
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { [0, 0, 0, 0].into() };
    UdpSocket::bind((any, 0))?.connect(to).map_err(no_way)
}

/// Of connecting: the table of routes has none, or one that prohibits, or no address of this host to send from.
fn no_way(error: io::Error) -> io::Error {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, PermissionDenied};
    match error.kind() {
        AddrNotAvailable | HostUnreachable | NetworkUnreachable | PermissionDenied => {
            io::Error::new(NetworkUnreachable, error)
        }
        _ => error,
    }
}

fn sockaddr(address: SocketAddrV6) -> SOCKADDR_IN6 {
    let mut raw = SOCKADDR_IN6 { sin6_family: AF_INET6, ..SOCKADDR_IN6::default() };
    raw.sin6_addr.u.Byte = address.ip().octets();
    raw.Anonymous.sin6_scope_id = address.scope_id();
    raw
}

/// In words: the numbers are IP_STATUS of the reference of ICMP_ECHO_REPLY, of which some are other things' elsewhere.
fn told(error: io::Error, v6: bool) -> io::Error {
    let what = match error.raw_os_error() {
        Some(11002) => "destination network unreachable",
        Some(11003) => "destination host unreachable",
        Some(11004) if v6 => "communication with destination prohibited",
        Some(11004) => "destination protocol unreachable",
        Some(11005) => "destination port unreachable",
        Some(11009) => "packet too big",
        Some(TIMED_OUT) => "no answer in time",
        Some(11013) => "time to live exceeded",
        Some(11018) => "bad destination",
        Some(11050) => "general failure: an interface that is down, or a firewall of this host",
        Some(status @ 11001..=11099) => return io::Error::other(format!("IP status {status}")),
        _ => return error,
    };
    io::Error::new(io::ErrorKind::HostUnreachable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each cycle began new ones, however many had not come back.
    #[test]
    fn the_threads_that_are_out_are_bounded() {
        static SOME: AtomicUsize = AtomicUsize::new(0);
        let mut taken: Vec<Turn> = (0..MOST_OUT).map(|_| Turn::take(&SOME).unwrap()).collect();
        assert_eq!(Turn::take(&SOME).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        taken.pop();
        taken.push(Turn::take(&SOME).unwrap());
        drop(taken);
        assert_eq!(SOME.load(Relaxed), 0);
    }

    #[test]
    fn a_status_is_told_in_words_by_its_family() {
        let words = |status, v6| told(io::Error::from_raw_os_error(status), v6).to_string();
        assert_eq!(words(11004, false), "destination protocol unreachable");
        assert_eq!(words(11004, true), "communication with destination prohibited");
        assert_eq!(words(11010, false), "no answer in time");
        assert_eq!(words(11018, false), "bad destination");
        assert!(words(11050, true).starts_with("general failure"));
        assert_eq!(words(11032, true), "IP status 11032");
    }

    #[test]
    fn only_a_lack_of_routes_is_no_way() {
        // WSAENETUNREACH, WSAEHOSTUNREACH, WSAEACCES, WSAEADDRNOTAVAIL.
        for code in [10051, 10065, 10013, 10049] {
            assert_eq!(no_way(io::Error::from_raw_os_error(code)).kind(), io::ErrorKind::NetworkUnreachable);
        }
        // WSAENOBUFS, WSAEINVAL.
        for code in [10055, 10022] {
            assert_eq!(no_way(io::Error::from_raw_os_error(code)).raw_os_error(), Some(code));
        }
    }
}
