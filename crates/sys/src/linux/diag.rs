//! How many TCP sockets are in which state, asked of the kernel through NETLINK_SOCK_DIAG, as ss(8) does: the table of
//! `/proc/net/tcp` costs a line of text for every connection, of which a busy host has a hundred thousand.
//!
//! Established sockets and those in time wait are left out: there are too many of them, and [`Host::sock_stat`] knows
//! their number. The kernel walks all of its tables whatever is asked for, so both families are asked for at once, which
//! only the older of its two requests can. It answers in messages of some kilobytes, of which nothing is kept but the
//! counts. Sources: sock_diag(7), netlink(7), the kernel's include/uapi/linux/inet_diag.h and include/net/tcp_states.h.

use super::Host;
use crate::types::TcpStates;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// The kernel's messages of a dump have at most 8 KiB where a reader has not offered more; one that is longer is an error.
const RECEIVE: usize = 32 << 10;

/// Bytes of a dump that are read, about half a million sockets. Nothing is kept, so this bounds the time.
const MAX_DUMP: usize = 64 << 20;

/// struct nlmsghdr.
const HEADER: usize = 16;
/// struct inet_diag_req.
const REQUEST: usize = 60;
/// The socket id within it, all zeroes: every socket.
const ID: usize = 48;
/// struct inet_diag_msg; attributes follow.
const SOCKET: usize = 72;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const TCPDIAG_GETSOCK: u16 = 18;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
/// TCP_LISTEN of tcp_states.h.
const LISTEN: u8 = 10;
/// Nothing else is asked on a socket.
const SEQUENCE: u32 = 1;

/// The states of tcp_states.h by their number, as numbers of MIB_TCP_STATE. Those that are not asked for are `None`.
const STATES: [Option<usize>; 13] = [
    None,
    None,     // ESTABLISHED
    Some(3),  // SYN_SENT
    Some(4),  // SYN_RECV
    Some(6),  // FIN_WAIT1
    Some(7),  // FIN_WAIT2
    None,     // TIME_WAIT
    Some(1),  // CLOSE
    Some(8),  // CLOSE_WAIT
    Some(10), // LAST_ACK
    Some(2),  // LISTEN
    Some(9),  // CLOSING
    Some(4),  // NEW_SYN_RECV, which is asked for by SYN_RECV
];

impl Host {
    /// TCP sockets of both families by state, without those that are established or in time wait, which stay 0.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the kernel has no such dump, and below a root prefix unless the reader shares
    /// the network namespace of the host's process 1; [`io::ErrorKind::TimedOut`] where no answer comes in 2 s; what
    /// the kernel says.
    pub fn tcp_states(&mut self) -> io::Result<TcpStates> {
        if !self.root.is_plain() && !self.shares_network() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut states = TcpStates::default();
        match open().and_then(|socket| dump(&socket, all_states(), &mut |state, _| add(state, &mut states))) {
            Ok(()) => Ok(states),
            Err(e) if is_without(&e) => Err(io::ErrorKind::Unsupported.into()),
            Err(e) => Err(io::Error::new(e.kind(), format!("TCP sockets by state (NETLINK_SOCK_DIAG): {e}"))),
        }
    }

    /// The local ports of TCP sockets of both families that listen: of these the kernel has a table of their own.
    pub(super) fn listening(&mut self, each: &mut dyn FnMut(u16)) -> io::Result<()> {
        if !self.root.is_plain() && !self.shares_network() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut port = |state, port| {
            if state == LISTEN {
                each(port);
            }
        };
        match open().and_then(|socket| dump(&socket, 1 << LISTEN, &mut port)) {
            Err(e) if is_without(&e) => Err(io::ErrorKind::Unsupported.into()),
            Err(e) => Err(io::Error::new(e.kind(), format!("TCP sockets that listen (NETLINK_SOCK_DIAG): {e}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Whether the sockets that this process sees are those of the host below the prefix.
    fn shares_network(&self) -> bool {
        let no_flags = rustix::fs::AtFlags::empty();
        let own = rustix::fs::stat("/proc/self/ns/net");
        let hosts = self.root.dir().map(|root| rustix::fs::statat(root, "proc/1/ns/net", no_flags));
        matches!((own, hosts), (Ok(a), Ok(Ok(b))) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }
}

/// Whether that is the answer of a kernel that does not have the dump.
fn is_without(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EOPNOTSUPP))
}

fn open() -> io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    // Connected to the kernel, which is port 0, the socket takes no message of another process.
    net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// What is called with the state of each socket, as tcp_states.h numbers it, and its local port.
type Each<'a> = dyn FnMut(u8, u16) + 'a;

fn dump(socket: &OwnedFd, states: u32, each: &mut Each<'_>) -> io::Result<()> {
    retry_on_intr(|| net::send(socket, &request(states), SendFlags::empty()))?;
    let mut buffer = [0; RECEIVE];
    let mut received = 0_usize;
    loop {
        // TRUNC: the length that the message has, and not only what there is room for.
        let (_, bytes) = match retry_on_intr(|| net::recv(socket, &mut buffer, RecvFlags::TRUNC)) {
            Err(Errno::AGAIN) => return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
            other => other?,
        };
        let messages =
            buffer.get(..bytes).filter(|messages| !messages.is_empty()).ok_or_else(|| damaged("its length"))?;
        if walk(messages, each)? == Dump::Done {
            return Ok(());
        }
        received = received.saturating_add(bytes);
        if received > MAX_DUMP {
            return Err(damaged("too many sockets"));
        }
    }
}

/// The states that are counted, a bit each.
fn all_states() -> u32 {
    let asked = STATES.iter().enumerate().filter(|(_, mib)| mib.is_some());
    asked.fold(0_u32, |mask, (state, _)| mask | 1 << state)
}

/// struct nlmsghdr and struct inet_diag_req.
fn request(states: u32) -> [u8; HEADER + REQUEST] {
    let mut request = [0; HEADER + REQUEST];
    let fields: [&[u8]; 8] = [
        &((HEADER + REQUEST) as u32).to_ne_bytes(),
        &TCPDIAG_GETSOCK.to_ne_bytes(),
        &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes(),
        &SEQUENCE.to_ne_bytes(),
        &0_u32.to_ne_bytes(),
        // A family, two lengths and the attributes asked for: of these a dump looks at the last alone.
        &[0; 4],
        &[0; ID],
        &states.to_ne_bytes(),
    ];
    for (slot, byte) in request.iter_mut().zip(fields.into_iter().flatten()) {
        *slot = *byte;
    }
    request
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dump {
    More,
    Done,
}

/// Tells the sockets of one answer of the kernel, which is any number of whole messages. Messages that do not answer
/// our request are skipped.
fn walk(mut bytes: &[u8], each: &mut Each<'_>) -> io::Result<Dump> {
    while !bytes.is_empty() {
        let header = bytes.first_chunk::<HEADER>().ok_or_else(|| damaged("a cut header"))?;
        let [l0, l1, l2, l3, t0, t1, _, _, s0, s1, s2, s3, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let payload = bytes.get(HEADER..length).ok_or_else(|| damaged("a length that is not its own"))?;
        if u32::from_ne_bytes([s0, s1, s2, s3]) == SEQUENCE {
            match u16::from_ne_bytes([t0, t1]) {
                TCPDIAG_GETSOCK => tell(payload, each)?,
                NLMSG_DONE => return result(payload).map(|()| Dump::Done),
                NLMSG_ERROR => {
                    result(payload)?;
                    // An error of 0 is a receipt, which was not asked for.
                }
                NLMSG_OVERRUN => return Err(damaged("lost messages")),
                _ => {}
            }
        }
        // Messages begin at multiples of 4; the last one need not end there.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Dump::More)
}

fn tell(payload: &[u8], each: &mut Each<'_>) -> io::Result<()> {
    // The port as on the wire.
    let [_family, state, _timer, _retransmits, p0, p1, ..] =
        *payload.first_chunk::<SOCKET>().ok_or_else(|| damaged("a cut socket"))?;
    each(state, u16::from_be_bytes([p0, p1]));
    Ok(())
}

fn add(state: u8, states: &mut TcpStates) {
    let mib = STATES.get(usize::from(state)).copied().flatten();
    if let Some(count) = mib.and_then(|mib| states.count.get_mut(mib)) {
        *count = count.saturating_add(1);
    }
}

/// What NLMSG_ERROR and NLMSG_DONE carry: 0 or a negative errno. Old kernels end a dump without.
fn result(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes)) {
        0.. => Ok(()),
        negative => Err(io::Error::from_raw_os_error(negative.checked_neg().unwrap_or(i32::MAX))),
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
