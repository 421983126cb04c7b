//! Echo requests to one address and what comes back of them (ICMP of RFC 792, ICMPv6 of RFC 4443).
//!
//! Through a ping socket (icmp(7)), which needs no right but that `net.ipv4.ping_group_range` has a group of this process, else
//! a raw one (raw(7)), which needs CAP_NET_RAW. Either is connected: what another host sends does not arrive. An answer counts
//! where it repeats the random number of these requests, and each once. A ping socket has an identifier of its own from the
//! kernel, which keeps other processes' answers away; in a raw one the random number does.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;
/// As many as Windows's own ping sends.
const DATA: usize = 32;
/// An IPv4 header has at most 60 bytes; what is longer than an answer may be is none.
const RECEIVE: usize = 60 + HEADER + DATA + 1;

const NEITHER: &str = "echo requests need a group of this process in the sysctl net.ipv4.ping_group_range (0 2147483647: everybody's), \
                       or the capability CAP_NET_RAW";

/// What sends echo requests to one address.
#[derive(Debug)]
pub struct Echo {
    socket: OwnedFd,
    form: Form,
    nonce: u64,
    sequence: u16,
    /// Requests without an answer.
    waiting: Vec<(u16, Instant)>,
}

/// How messages look on a socket.
#[derive(Clone, Copy, Debug)]
struct Form {
    v6: bool,
    /// The message comes behind an IPv4 header.
    header: bool,
}

impl Echo {
    /// Nothing is sent yet; the port of `to` is of no meaning.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`], with what would help, where this process may not send echo requests;
    /// [`io::ErrorKind::NetworkUnreachable`] where there is no way to that address, or none that is allowed; the calls' own.
    pub fn open(mut to: SocketAddr) -> io::Result<Echo> {
        to.set_port(0);
        let v6 = to.is_ipv6();
        let (family, protocol) =
            if v6 { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
        let (socket, is_raw) = socket(family, protocol)?;
        tell_errors(&socket, v6)?;
        net::connect(&socket, &to).map_err(no_way)?;
        let nonce = RandomState::new().hash_one(to);
        Ok(Echo { socket, form: Form { v6, header: is_raw && !v6 }, nonce, sequence: 0, waiting: Vec::new() })
    }

    /// Sends one request more. `_wait`: how long its answer is of use; Windows alone has to know it beforehand.
    ///
    /// # Errors
    /// The call's own: then nothing was sent.
    pub fn send(&mut self, _wait: Duration) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = request(self.form, self.sequence, self.nonce);
        let send = || retry_on_intr(|| net::send(&self.socket, &message, SendFlags::empty()));
        let sent = Instant::now();
        // What was said of an earlier request is told, and forgotten, by whichever call comes next.
        send().or_else(|_| send())?;
        self.waiting.push((self.sequence, sent));
        Ok(())
    }

    /// Waits for the next answer, of whichever request; `None` at `until`. Tells how long it took.
    ///
    /// # Errors
    /// What a router, the host asked or this one says instead of an answer; others may still come.
    pub fn receive(&mut self, until: Instant) -> io::Result<Option<Duration>> {
        let mut buffer = [0; RECEIVE];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // The kernel's clock of timeouts is no finer.
            let left = left.max(Duration::from_millis(1));
            sockopt::set_socket_timeout(&self.socket, sockopt::Timeout::Recv, Some(left))?;
            let length = match net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((length, _)) => length,
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = Instant::now();
            let sequence = answer(buffer.get(..length).unwrap_or_default(), self.form, self.nonce);
            let place = self.waiting.iter().position(|(waiting, _)| Some(*waiting) == sequence);
            if let Some(place) = place {
                let (_, sent) = self.waiting.swap_remove(place);
                return Ok(Some(now.saturating_duration_since(sent)));
            }
        }
    }
}

/// And whether it is a raw one.
fn socket(family: AddressFamily, protocol: Protocol) -> io::Result<(OwnedFd, bool)> {
    let open = |kind| net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol));
    match open(SocketType::DGRAM) {
        Ok(socket) => Ok((socket, false)),
        // No ping sockets for this process, or none in this kernel.
        Err(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT) => match open(SocketType::RAW) {
            Ok(socket) => Ok((socket, true)),
            Err(Errno::ACCESS | Errno::PERM) => Err(io::Error::new(io::ErrorKind::PermissionDenied, NEITHER)),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Of connecting: the table of routes has none, or one that prohibits, or no address of this host to send from.
fn no_way(error: Errno) -> io::Error {
    match error {
        Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ADDRNOTAVAIL | Errno::ACCESS | Errno::PERM => {
            io::Error::new(io::ErrorKind::NetworkUnreachable, io::Error::from(error))
        }
        other => other.into(),
    }
}

/// Has the calls answer what routers say of a destination (IP_RECVERR in ip(7)), which they keep to themselves otherwise.
fn tell_errors(socket: &OwnedFd, v6: bool) -> io::Result<()> {
    let on: libc::c_int = 1;
    let (level, option) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    // SAFETY: the socket is open during the call, which reads the four bytes of `on`.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size_of::<libc::c_int>() as u32)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Its identifier is a part of the random number; a ping socket puts its own there.
fn request(form: Form, sequence: u16, nonce: u64) -> [u8; HEADER + DATA] {
    let mut message = [0; HEADER + DATA];
    let [n0, n1, ..] = nonce.to_be_bytes();
    let [s0, s1] = sequence.to_be_bytes();
    let head = [if form.v6 { 128 } else { 8 }, 0, 0, 0, n0, n1, s0, s1];
    let data = nonce.to_be_bytes().into_iter().cycle().take(DATA);
    message.iter_mut().zip(head.into_iter().chain(data)).for_each(|(slot, byte)| *slot = byte);
    // Of ICMPv6 the kernel makes it, which knows the addresses that are a part of it.
    if !form.v6 {
        let sum = checksum(&message).to_be_bytes();
        message.iter_mut().skip(2).zip(sum).for_each(|(slot, byte)| *slot = byte);
    }
    message
}

/// The sequence number of an answer to these requests.
fn answer(packet: &[u8], form: Form, nonce: u64) -> Option<u16> {
    let skipped = if form.header { usize::from(packet.first()? & 0xF) * 4 } else { 0 };
    let message = packet.get(skipped..)?;
    let [kind, 0, _, _, _, _, s0, s1] = *message.first_chunk::<HEADER>()? else { return None };
    let data = message.get(HEADER..)?;
    let own = nonce.to_be_bytes();
    let is_own = data.len() == DATA && data.chunks(own.len()).all(|part| part == own);
    (kind == if form.v6 { 129 } else { 0 } && is_own).then(|| u16::from_be_bytes([s0, s1]))
}

/// The internet checksum (RFC 1071).
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let sum = words.fold(0_u32, u32::wrapping_add);
    let folded = (sum & 0xFFFF) + (sum >> 16);
    !u16::try_from((folded & 0xFFFF) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Form = Form { v6: false, header: false };
    const RAW: Form = Form { v6: false, header: true };
    const V6: Form = Form { v6: true, header: false };
    const NONCE: u64 = 0x0123_4567_89AB_CDEF;

    fn answered(form: Form, sequence: u16) -> Vec<u8> {
        let mut message = request(form, sequence, NONCE).to_vec();
        message[0] = if form.v6 { 129 } else { 0 };
        message
    }

    #[test]
    fn a_request_is_as_the_rfc_has_it() {
        let message = request(PING, 0x0102, NONCE);
        assert_eq!((message[..2].to_vec(), message[4..8].to_vec()), (vec![8, 0], vec![1, 0x23, 1, 2]));
        assert_eq!(checksum(&message), 0, "with its own checksum in it");
        assert_eq!(request(V6, 1, NONCE)[..4], [128, 0, 0, 0]);
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2, "the RFC's own example");
    }

    // A host without buffers told each of its targets as lost; a prohibited one was told as a lack of rights, for all of them.
    #[test]
    fn only_a_lack_of_routes_is_no_way() {
        for error in [Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::ACCESS, Errno::ADDRNOTAVAIL] {
            assert_eq!(no_way(error).kind(), io::ErrorKind::NetworkUnreachable);
        }
        for error in [Errno::NOBUFS, Errno::AGAIN, Errno::NOMEM, Errno::INVAL] {
            assert_eq!(no_way(error).raw_os_error(), Some(error.raw_os_error()));
        }
    }

    #[test]
    fn only_an_answer_to_these_requests_counts() {
        assert_eq!(answer(&answered(PING, 7), PING, NONCE), Some(7));
        assert_eq!(answer(&answered(V6, 0xFFFF), V6, NONCE), Some(0xFFFF));
        let raw = |length: usize| {
            let mut packet = vec![0; length];
            packet[0] = 0x40 | u8::try_from(length / 4).unwrap();
            packet.extend(answered(PING, 7));
            packet
        };
        assert_eq!(answer(&raw(20), RAW, NONCE), Some(7));
        assert_eq!(answer(&raw(60), RAW, NONCE), Some(7), "with options");
        assert_eq!(answer(&request(PING, 7, NONCE), PING, NONCE), None, "a request, as loopback shows it");
        assert_eq!(answer(&answered(PING, 7), PING, NONCE ^ 1), None, "another process's");
        assert_eq!(answer(&answered(PING, 7), V6, NONCE), None);
        let whole = answered(PING, 7);
        assert!((0..whole.len()).all(|length| answer(&whole[..length], PING, NONCE).is_none()));
        assert_eq!(answer(&[&whole[..], &[0]].concat(), PING, NONCE), None);
        let raw = raw(20);
        assert!((0..raw.len()).all(|length| answer(&raw[..length], RAW, NONCE).is_none()));
    }
}
