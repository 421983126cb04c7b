//! Counts as both generations of calls tell them, and sockets of this very process.

use super::*;
use std::net::{TcpListener, TcpStream, UdpSocket};

#[test]
fn both_generations_of_tcp_counts_mean_the_same() {
    let mut old = MIB_TCPSTATS_LH {
        dwActiveOpens: 1,
        dwPassiveOpens: 2,
        dwAttemptFails: 3,
        dwEstabResets: 4,
        dwCurrEstab: 5,
        dwInSegs: u32::MAX,
        dwOutSegs: 7,
        dwRetransSegs: u32::MAX,
        dwInErrs: 9,
        dwOutRsts: 10,
        dwNumConns: 99,
        dwMaxConn: 99,
        ..Default::default()
    };
    let new = MIB_TCPSTATS2 {
        dwActiveOpens: 1,
        dwPassiveOpens: 2,
        dwAttemptFails: 3,
        dwEstabResets: 4,
        dwCurrEstab: 5,
        dw64InSegs: u32::MAX.into(),
        dw64OutSegs: 7,
        dwRetransSegs: u32::MAX,
        dwInErrs: 9,
        dwOutRsts: 10,
        dwNumConns: 99,
        dwMaxConn: 99,
        ..Default::default()
    };
    let expected = TcpCounts {
        active_opens: 1,
        passive_opens: 2,
        attempt_fails: 3,
        estab_resets: 4,
        established: 5,
        in_segs: u32::MAX.into(),
        out_segs: 7,
        retrans_segs: u32::MAX.into(),
        in_errs: 9,
        out_rsts: 10,
    };
    let mut counts = Tcp::default();
    assert_eq!((counts.add_32(&old), Tcp::default().add(&new)), (expected, expected));
    // Two of them wrap, and the level falls.
    (old.dwInSegs, old.dwRetransSegs, old.dwCurrEstab) = (1, 0, 0);
    let max = u64::from(u32::MAX);
    let wrapped = TcpCounts { in_segs: max + 2, retrans_segs: max + 1, established: 0, ..expected };
    assert_eq!(counts.add_32(&old), wrapped);
}

#[test]
fn both_generations_of_udp_counts_mean_the_same() {
    let mut old = MIB_UDPSTATS { dwInDatagrams: 1, dwNoPorts: 2, dwInErrors: 3, dwOutDatagrams: 4, dwNumAddrs: 5 };
    let new = MIB_UDPSTATS2 { dw64InDatagrams: 1, dwNoPorts: 2, dwInErrors: 3, dw64OutDatagrams: 4, dwNumAddrs: 5 };
    let expected = UdpCounts { in_datagrams: 1, no_ports: 2, in_errors: 3, out_datagrams: 4 };
    let mut counts = Udp::default();
    assert_eq!((counts.add_32(&old), Udp::default().add(&new)), (expected, expected));
    // `netsh` may reset the protocol: no spike of 2^32.
    old = MIB_UDPSTATS { dwInDatagrams: 0, dwOutDatagrams: 6, ..old };
    assert_eq!(counts.add_32(&old), UdpCounts { out_datagrams: 6, ..expected });
}

#[test]
fn a_family_that_is_not_there_is_none_and_another_error_is_one() {
    assert_eq!(if_supported(Ok(1)).unwrap(), Some(1));
    assert_eq!(if_supported(succeeded(ERROR_NOT_SUPPORTED)).unwrap(), None);
    assert_eq!(if_supported(succeeded(87)).unwrap_err().raw_os_error(), Some(87));
    let invalid = tcp(77, &mut Tcp::default()).unwrap_err();
    assert!(invalid.raw_os_error().is_some_and(|code| code != 0), "{invalid:?}");
}

/// Wine gives up with ERROR_OUTOFMEMORY where other programs open sockets faster than it lists them.
fn in_the_end<T>(mut ask: impl FnMut() -> io::Result<T>) -> T {
    for _ in 0..50 {
        match ask() {
            Err(e) if e.raw_os_error() == Some(14) => {}
            other => return other.unwrap(),
        }
    }
    panic!("never told");
}

/// The states of this host's sockets of IPv4 on one local port.
fn states_on(port: u16) -> Vec<u32> {
    let table = in_the_end(|| v4_table(&mut Buffer::default()).map(<[u8]>::to_vec));
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let rows = table[4..].chunks_exact(20).take(word(&table[..4]) as usize);
    let on_port = rows.filter(|row| row[8..10] == port.to_be_bytes());
    let mut states: Vec<_> = on_port.map(|row| word(&row[..4])).collect();
    states.sort_unstable();
    states
}

#[test]
fn sockets_of_this_process_are_counted_by_state() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(states_on(port), [2]);
    let streams: Vec<_> =
        (0..20).map(|_| (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept().unwrap())).collect();
    assert_eq!(states_on(port)[..], [&[2][..], &[5; 20]].concat());
    // Those of other programs are in it as well.
    let states = in_the_end(|| tcp_states(&mut Buffer::default()));
    assert!(states.count[2] >= 1 && states.count[5] >= 40, "{states:?}");
    assert!(states.ephemeral_used_percent.is_some_and(|percent| (0.0..=100.0).contains(&percent)), "{states:?}");
    drop(streams);
}

#[test]
fn connections_and_datagrams_of_this_process_are_counted() {
    let (mut families, mut datagrams) = (TcpFamilies::default(), UdpFamilies::default());
    let (before, sent_before) = (tcp_stats(&mut families).unwrap(), udp_stats(&mut datagrams).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
    receiver.recv(&mut [0; 8]).unwrap();
    let (now, sent) = (tcp_stats(&mut families).unwrap(), udp_stats(&mut datagrams).unwrap());
    assert!(now.v4.active_opens > before.v4.active_opens && now.v4.in_segs > before.v4.in_segs, "{before:?} {now:?}");
    assert!(sent.out_datagrams > sent_before.out_datagrams, "{sent_before:?} {sent:?}");
    assert!(sent.in_datagrams > sent_before.in_datagrams, "{sent_before:?} {sent:?}");
}

// Of Wine these tables have the sockets of the whole Linux host.
#[test]
fn ports_of_this_process_are_in_use_in_both_families() {
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let mut buffer = Buffer::default();
    let (mut tcp_ports, mut udp_ports) = (Ports::default(), Ports::default());
    tcp_listening(&mut buffer, &mut tcp_ports).unwrap();
    udp_bound(&mut buffer, &mut udp_ports).unwrap();
    assert!(tcp_ports.contains(tcp.local_addr().unwrap().port()));
    assert!(!tcp_ports.contains(connected.local_addr().unwrap().port()));
    assert!(udp_ports.contains(udp.local_addr().unwrap().port()));
    if let (Ok(tcp), Ok(udp)) = (TcpListener::bind("[::1]:0"), UdpSocket::bind("[::1]:0")) {
        let (mut tcp_ports, mut udp_ports) = (Ports::default(), Ports::default());
        tcp_listening(&mut buffer, &mut tcp_ports).unwrap();
        udp_bound(&mut buffer, &mut udp_ports).unwrap();
        assert!(tcp_ports.contains(tcp.local_addr().unwrap().port()));
        assert!(udp_ports.contains(udp.local_addr().unwrap().port()));
    }
}
