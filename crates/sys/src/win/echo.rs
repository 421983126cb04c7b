//! Echo requests to one address and what comes back of them: IcmpSendEcho2 and Icmp6SendEcho2, which need no right.
//!
//! Each request is under way by itself and sets an event when it is over, at its own timeout at the latest: so the time is
//! taken when the event is seen, finer than the whole milliseconds that the calls tell. Which answer belongs to which request
//! the system knows. The memory of a request is not freed before the event is set.

use super::ffi::{last_error, len_u32};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::time::{Duration, Instant};
use std::{fmt, io, mem, ptr};
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, HANDLE, INVALID_HANDLE_VALUE, WAIT_FAILED, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ICMP_ECHO_REPLY, ICMPV6_ECHO_REPLY_LH, Icmp6CreateFile, Icmp6ParseReplies, Icmp6SendEcho2, IcmpCloseHandle,
    IcmpCreateFile, IcmpParseReplies, IcmpSendEcho2,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET6, SOCKADDR_IN6};
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForMultipleObjects, WaitForSingleObject};

/// As many as Windows's own ping sends.
const DATA: usize = 32;
/// What a call wants for an answer: its structure, the data, 8 bytes of an ICMP error, an IO_STATUS_BLOCK of 16.
const REPLY_WORDS: usize = 32;
const _: () = assert!(size_of::<ICMP_ECHO_REPLY>() + DATA + 8 + 16 <= 8 * REPLY_WORDS);
const _: () = assert!(size_of::<ICMPV6_ECHO_REPLY_LH>() + DATA + 8 + 16 <= 8 * REPLY_WORDS);

/// MAXIMUM_WAIT_OBJECTS.
const MOST: usize = 64;
/// What a request may take beyond its timeout before its memory is given up.
const LINGER_MS: u32 = 2000;

/// IP_SUCCESS and IP_REQ_TIMED_OUT of the reference of ICMP_ECHO_REPLY.
const SUCCESS: u32 = 0;
const TIMED_OUT: u32 = 11010;

/// What sends echo requests to one address.
pub struct Echo {
    icmp: Icmp,
    to: SocketAddr,
    /// Requests that are not over, oldest first.
    under_way: Vec<Request>,
}

/// Closed when it is dropped.
struct Icmp(HANDLE);

// SAFETY: a handle may be used by any thread.
unsafe impl Send for Icmp {}

struct Request {
    over: OwnedHandle,
    memory: Box<Memory>,
    sent: Instant,
    wait_ms: u32,
}

/// What the system reads and writes while a request is under way.
struct Memory {
    reply: [u64; REPLY_WORDS],
    data: [u8; DATA],
}

impl Echo {
    /// Nothing is sent yet; the port of `to` is of no meaning.
    ///
    /// # Errors
    /// [`io::ErrorKind::NetworkUnreachable`] where there is no way to that address; the calls' own.
    pub fn open(to: SocketAddr) -> io::Result<Echo> {
        has_way(to).map_err(|error| io::Error::new(io::ErrorKind::NetworkUnreachable, error))?;
        // SAFETY: the calls take nothing.
        let handle = unsafe { if to.is_ipv6() { Icmp6CreateFile() } else { IcmpCreateFile() } };
        if handle == INVALID_HANDLE_VALUE || handle.is_null() {
            return Err(last_error());
        }
        Ok(Echo { icmp: Icmp(handle), to, under_way: Vec::new() })
    }

    /// Sends one request more. `wait`: how long its answer is of use.
    ///
    /// # Errors
    /// The call's own: then nothing was sent.
    pub fn send(&mut self, wait: Duration) -> io::Result<()> {
        if self.under_way.len() >= MOST {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "too many requests are under way"));
        }
        // SAFETY: nulls mean that nobody inherits the handle, and no name; it is reset by hand, and not set.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(last_error());
        }
        // SAFETY: the call succeeded, and the handle is ours alone.
        let over = unsafe { OwnedHandle::from_raw_handle(event) };
        let mut memory = Box::new(Memory { reply: [0; REPLY_WORDS], data: *b"abcdefghijklmnopqrstuvwabcdefghi" });
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX - LINGER_MS);
        let (data, size) = (memory.data.as_ptr().cast(), DATA as u16);
        let (reply, reply_size) = (memory.reply.as_mut_ptr().cast(), size_of_val(&memory.reply) as u32);
        let sent = Instant::now();
        let replies = match self.to {
            SocketAddr::V4(to) => {
                let to = u32::from_ne_bytes(to.ip().octets());
                // SAFETY: the handle and the event are open. `data` and `reply` are of the sizes that are told, in memory of the
                // heap that is neither moved nor freed before the event is set (`Request::is_over`); no function, no options.
                unsafe {
                    IcmpSendEcho2(
                        self.icmp.0,
                        over.as_raw_handle(),
                        None,
                        ptr::null(),
                        to,
                        data,
                        size,
                        ptr::null(),
                        reply,
                        reply_size,
                        wait_ms,
                    )
                }
            }
            SocketAddr::V6(to) => {
                // The system chooses from where.
                let from = sockaddr(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
                let to = sockaddr(to);
                // SAFETY: as above; both addresses are read during the call.
                unsafe {
                    Icmp6SendEcho2(
                        self.icmp.0,
                        over.as_raw_handle(),
                        None,
                        ptr::null(),
                        &raw const from,
                        &raw const to,
                        data,
                        size,
                        ptr::null(),
                        reply,
                        reply_size,
                        wait_ms,
                    )
                }
            }
        };
        // With an event the call answers at once: 0, and that the request is under way.
        if replies == 0 {
            let error = last_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING.cast_signed()) {
                return Err(told(error));
            }
        }
        self.under_way.push(Request { over, memory, sent, wait_ms });
        Ok(())
    }

    /// Waits for the next answer, of whichever request; `None` at `until`. Tells how long it took.
    ///
    /// # Errors
    /// What a router, the host asked or this one says instead of an answer; others may still come.
    pub fn receive(&mut self, until: Instant) -> io::Result<Option<Duration>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if self.under_way.is_empty() {
                std::thread::sleep(left);
                return Ok(None);
            }
            let events: Vec<HANDLE> = self.under_way.iter().map(|request| request.over.as_raw_handle()).collect();
            let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX - 1).max(1);
            // SAFETY: so many handles that are open, at most 64; for any of them.
            let set = unsafe { WaitForMultipleObjects(len_u32(&events), events.as_ptr(), 0, left_ms) };
            let now = Instant::now();
            match set {
                WAIT_TIMEOUT => continue,
                WAIT_FAILED => return Err(last_error()),
                _ => {}
            }
            let place = set.wrapping_sub(WAIT_OBJECT_0) as usize;
            if place >= self.under_way.len() {
                return Err(io::Error::other("the wait for an answer ended with another event"));
            }
            let mut request = self.under_way.remove(place);
            match request.status(self.to.is_ipv6()) {
                SUCCESS => return Ok(Some(now.saturating_duration_since(request.sent))),
                TIMED_OUT => {}
                status => return Err(told(io::Error::from_raw_os_error(status.cast_signed()))),
            }
        }
    }
}

impl Request {
    /// How it ended; the event is set.
    fn status(&mut self, v6: bool) -> u32 {
        let (reply, size) = (self.memory.reply.as_mut_ptr(), size_of_val(&self.memory.reply) as u32);
        // SAFETY: the request is over, so the memory, which is of that size, is ours again and has what the call wrote.
        let replies =
            unsafe { if v6 { Icmp6ParseReplies(reply.cast(), size) } else { IcmpParseReplies(reply.cast(), size) } };
        if replies == 0 {
            let error = last_error().raw_os_error();
            return error.map_or(TIMED_OUT, i32::cast_unsigned);
        }
        // SAFETY: both structures fit the memory, which is aligned to 8 and initialised; any bits are a valid number.
        unsafe {
            if v6 {
                (&raw const (*reply.cast::<ICMPV6_ECHO_REPLY_LH>()).Status).read_unaligned()
            } else {
                (&raw const (*reply.cast::<ICMP_ECHO_REPLY>()).Status).read_unaligned()
            }
        }
    }

    /// Waits for the end of one that nobody asks for any more.
    fn is_over(&self) -> bool {
        let gone = self.sent.elapsed().as_millis();
        let left = u32::try_from(u128::from(self.wait_ms + LINGER_MS).saturating_sub(gone)).unwrap_or(LINGER_MS);
        // SAFETY: the event is open.
        unsafe { WaitForSingleObject(self.over.as_raw_handle(), left) == WAIT_OBJECT_0 }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        for request in self.under_way.drain(..) {
            if !request.is_over() {
                // The system may still write there.
                mem::forget(request);
            }
        }
    }
}

impl Drop for Icmp {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and nothing uses it any more.
        unsafe { IcmpCloseHandle(self.0) };
    }
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Echo({}, {} under way)", self.to.ip(), self.under_way.len())
    }
}

/// Asks the table of routes: connecting a UDP socket sends nothing.
fn has_way(mut to: SocketAddr) -> io::Result<()> {
    const DISCARD: u16 = 9;
    to.set_port(DISCARD);
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { [0, 0, 0, 0].into() };
    UdpSocket::bind((any, 0))?.connect(to)
}

fn sockaddr(address: SocketAddrV6) -> SOCKADDR_IN6 {
    let mut raw = SOCKADDR_IN6 { sin6_family: AF_INET6, ..SOCKADDR_IN6::default() };
    raw.sin6_addr.u.Byte = address.ip().octets();
    raw.Anonymous.sin6_scope_id = address.scope_id();
    raw
}

/// In words: the numbers are IP_STATUS of the reference of ICMP_ECHO_REPLY, of which some are other things' elsewhere.
fn told(error: io::Error) -> io::Error {
    let what = match error.raw_os_error() {
        Some(11002) => "destination network unreachable",
        Some(11003) => "destination host unreachable",
        Some(11004) => "destination protocol unreachable",
        Some(11005) => "destination port unreachable",
        Some(11009) => "packet too big",
        Some(11010) => "no answer",
        Some(11013) => "time to live exceeded",
        Some(status @ 11001..=11099) => return io::Error::other(format!("IP status {status}")),
        _ => return error,
    };
    io::Error::new(io::ErrorKind::HostUnreachable, what)
}
