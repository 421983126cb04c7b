//! Answers of the kernel built by hand, every cut of them, and the kernel of the machine the tests run on.

use super::*;
use crate::linux::host::fixture;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = (HEADER + payload.len()) as u32;
    let mut bytes =
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &2_u16.to_ne_bytes(), &sequence.to_ne_bytes()].concat();
    bytes.extend(77_u32.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A socket in a state of tcp_states.h, with an attribute of 5 bytes behind it.
fn socket(state: u8) -> Vec<u8> {
    let mut payload = vec![0; SOCKET];
    payload[1] = state;
    payload.extend([5, 0, 8, 0, 3]);
    message(TCPDIAG_GETSOCK, SEQUENCE, &payload)
}

fn done(code: i32) -> Vec<u8> {
    message(NLMSG_DONE, SEQUENCE, &code.to_ne_bytes())
}

fn counted(messages: &[Vec<u8>]) -> (io::Result<Dump>, [u64; 13]) {
    let mut states = TcpStates::default();
    (walk(&messages.concat(), &mut |state, _| add(state, &mut states)), states.count)
}

#[test]
fn states_of_linux_become_those_of_the_mib() {
    let all: Vec<_> = (0..=255).map(socket).collect();
    let (told, states) = counted(&all);
    assert_eq!(told.unwrap(), Dump::More);
    // Closed, listen, syn sent, syn received (two of Linux), -, fin wait 1, 2, close wait, closing, last ack, -, -.
    assert_eq!(states, [0, 1, 1, 1, 2, 0, 1, 1, 1, 1, 1, 0, 0]);
    let of = |state| counted(&[socket(state)]).1.iter().position(|&n| n == 1);
    assert_eq!((of(2), of(3), of(4), of(5)), (Some(3), Some(4), Some(6), Some(7)));
    assert_eq!((of(7), of(8), of(9), of(10), of(11)), (Some(1), Some(8), Some(10), Some(2), Some(9)));
    assert_eq!((of(1), of(6)), (None, None));
}

#[test]
fn only_the_states_that_are_counted_are_asked_for() {
    let request = request(all_states());
    assert_eq!((request.len(), &request[..4]), (76, &76_u32.to_ne_bytes()[..]));
    assert_eq!(request[4..6], 18_u16.to_ne_bytes());
    let states = u32::from_ne_bytes(request[68..72].try_into().unwrap());
    assert_eq!(states, 0b1_1111_1011_1100);
    assert!(request[16..68].iter().chain(&request[72..]).all(|&b| b == 0));
}

#[test]
fn a_dump_ends_with_done() {
    let (told, states) = counted(&[socket(10), socket(8), done(0), socket(8)]);
    assert_eq!((told.unwrap(), states[2], states[8]), (Dump::Done, 1, 1));
    assert_eq!(counted(&[message(NLMSG_DONE, SEQUENCE, &[])]).0.unwrap(), Dump::Done);
    assert_eq!(counted(&[]).0.unwrap(), Dump::More);
}

#[test]
fn what_the_kernel_refuses_is_an_error() {
    let refused = |kind, code: i32| counted(&[message(kind, SEQUENCE, &code.to_ne_bytes())]).0;
    assert_eq!(refused(NLMSG_ERROR, -libc::ENOENT).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(refused(NLMSG_DONE, -libc::EPERM).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert!(refused(NLMSG_ERROR, i32::MIN).is_err() && refused(NLMSG_OVERRUN, 0).is_err());
    assert_eq!(refused(NLMSG_ERROR, 0).unwrap(), Dump::More);
    assert!(is_without(&refused(NLMSG_ERROR, -libc::ENOENT).unwrap_err()));
    assert!(is_without(&refused(NLMSG_ERROR, -libc::EOPNOTSUPP).unwrap_err()));
    assert!(!is_without(&refused(NLMSG_ERROR, -libc::EPERM).unwrap_err()) && !is_without(&damaged("x")));
}

#[test]
fn messages_for_others_are_skipped() {
    let foreign = |kind| message(kind, SEQUENCE + 1, &(-libc::EPERM).to_ne_bytes());
    let unknown = message(999, SEQUENCE, b"anything");
    let (told, states) =
        counted(&[foreign(NLMSG_ERROR), foreign(NLMSG_DONE), foreign(TCPDIAG_GETSOCK), unknown, socket(10)]);
    assert_eq!((told.unwrap(), states[2]), (Dump::More, 1));
}

#[test]
fn every_cut_is_an_error_or_less_and_never_more() {
    let whole = [socket(10), socket(8), done(0)].concat();
    let ends = [0, socket(10).len(), socket(10).len() + socket(8).len()];
    for end in 0..whole.len() {
        let mut states = TcpStates::default();
        match walk(&whole[..end], &mut |state, _| add(state, &mut states)) {
            Ok(Dump::Done) => panic!("{end}"),
            // The padding behind a message may be missing.
            Ok(Dump::More) => assert!(ends.iter().any(|&e| e.abs_diff(end) < 4), "{end}"),
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::InvalidData, "{end}"),
        }
        assert!(states.count.iter().sum::<u64>() <= 2);
    }
}

#[test]
fn absurd_lengths_neither_hang_nor_panic() {
    for length in [0_u32, 1, 15, 17, 1 << 31, u32::MAX] {
        let mut bytes = socket(10);
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        assert!(walk(&bytes, &mut |_, _| {}).is_err(), "{length}");
    }
    // A header that is nothing but a header.
    let empty = message(TCPDIAG_GETSOCK, SEQUENCE, &[]);
    assert!(walk(&empty, &mut |_, _| {}).is_err());
    for byte in 0..=255 {
        let _ = walk(&[byte; 200], &mut |_, _| {});
    }
}

#[test]
fn the_kernel_counts_listeners_and_half_closed_connections() {
    let before = Host::new("/").tcp_states().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    far.shutdown(std::net::Shutdown::Write).unwrap();
    let more: Vec<_> = (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let more_v6: Vec<_> = (0..20).filter_map(|_| TcpListener::bind(v6).ok()).collect();
    let after = Host::new("/").tcp_states().unwrap();
    // Other tests open and close a few at the same time.
    let expected = before.count[2] + 21 + more_v6.len() as u64 - 10;
    assert!(after.count[2] >= expected, "{before:?} {after:?}");
    // The near side may take its time with the answer that ends fin wait 1.
    assert!(after.count[8] >= 1 && after.count[6] + after.count[7] >= 1, "{after:?}");
    assert_eq!((after.count[5], after.count[11], after.ephemeral_used_percent), (0, 0, None));
    drop((near, more));
}

// Netlink shows the reader's own namespace, which in a container is not the host's.
#[test]
fn below_a_prefix_the_namespace_must_be_the_hosts() {
    let (dir, mut host) = fixture::host(&[("proc/1/ns/other", "")]);
    assert_eq!(host.tcp_states().unwrap_err().kind(), io::ErrorKind::Unsupported);
    std::fs::write(dir.path().join("proc/1/ns/net"), "").unwrap();
    assert_eq!(host.tcp_states().unwrap_err().kind(), io::ErrorKind::Unsupported);
    std::fs::remove_file(dir.path().join("proc/1/ns/net")).unwrap();
    std::os::unix::fs::symlink("/proc/self/ns/net", dir.path().join("proc/1/ns/net")).unwrap();
    assert!(host.tcp_states().is_ok());
}
