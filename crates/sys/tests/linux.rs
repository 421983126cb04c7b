//! What Linux alone answers, against the kernel the tests run on: relations that hold on every host and in a container.
#![cfg(unix)]

use falcon_sys::types::{Extent, NetCounters};
use falcon_sys::{Echo, Host};
use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

fn host() -> Host {
    Host::new("/")
}

#[test]
fn every_processor_that_is_online_has_its_times() {
    let mut cores = Vec::new();
    let mut host = host();
    host.cpu_cores(&mut cores).unwrap();
    assert_eq!(cores.len(), host.cpu_stat().unwrap().count as usize);
    for core in cores {
        assert!(core.idle > 0 && core.idle <= core.total && core.group == 0, "{core:?}");
    }
}

#[test]
fn a_frequency_is_told_or_refused() {
    match host().cpu_mhz() {
        Ok(mhz) => assert!(mhz > 10.0 && mhz < 100_000.0, "{mhz}"),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Unsupported),
    }
}

#[test]
fn the_kernel_tells_of_itself() {
    let mut host = host();
    // The reader itself runs.
    assert!(host.run_queue().unwrap() >= 1);
    let info = host.sys_info().unwrap();
    assert!(info.processes.is_some_and(|n| n >= 1) && info.threads.is_some_and(|n| n >= 1), "{info:?}");
    assert!(info.uptime_s.is_some_and(|s| s > 0) && info.handles.is_none(), "{info:?}");
    let limits = host.kernel_limits().unwrap();
    assert!(limits.max_files.is_some_and(|n| n > 100) && limits.max_proc.is_some_and(|n| n > 100), "{limits:?}");
    assert!(limits.files_allocated.is_some_and(|n| n > 0), "{limits:?}");
}

#[test]
fn disks_have_names_of_their_own() {
    let mut disks = Vec::new();
    assert_eq!(host().disk_stats(&mut disks).unwrap(), Extent::Whole);
    let mut names: Vec<_> = disks.iter().map(|disk| disk.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), disks.len());
    assert!(disks.iter().all(|disk| disk.read_bytes % 512 == 0 && disk.read_us % 1000 == 0), "{disks:?}");
}

#[test]
fn page_files_are_the_swap() {
    let total_bytes: u64 = falcon_sys::page_files().unwrap().iter().map(|file| file.total_bytes).sum();
    assert_eq!(total_bytes, host().swap_info().unwrap().total_bytes);
}

#[test]
fn a_connection_is_counted_and_seen() {
    let mut host = host();
    let before = host.tcp_stats().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = listener.accept().unwrap();
    let after = host.tcp_stats().unwrap();
    assert!(after.v4.active_opens > before.v4.active_opens && after.v4.passive_opens > before.v4.passive_opens);
    assert!(
        after.v4.in_segs > before.v4.in_segs
            && after.v4.established >= 2
            && after.v6.as_ref().is_ok_and(Option::is_none),
        "{after:?}"
    );
    let sockets = host.sock_stat().unwrap();
    assert!(sockets.tcp_established >= 2 && sockets.tcp_in_use >= 3 && sockets.tcp_allocated >= 3, "{sockets:?}");
    drop((far, near));
}

#[test]
fn a_datagram_is_counted() {
    let mut host = host();
    let before = host.udp_stats().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
    let after = host.udp_stats().unwrap();
    assert!(after.in_datagrams > before.in_datagrams && after.out_datagrams > before.out_datagrams, "{after:?}");
    let mut counts = Vec::new();
    host.protocol_counts(NetCounters::Snmp, "Udp", &["OutDatagrams", "NoSuch"], &mut counts).unwrap();
    assert!(counts[0] >= Some(after.out_datagrams) && counts[1].is_none(), "{counts:?}");
    host.protocol_counts(NetCounters::Netstat, "TcpExt", &["NoSuch", "ListenDrops"], &mut counts).unwrap();
    assert!(counts[0].is_none() && counts[1].is_some(), "{counts:?}");
}

#[test]
fn what_only_windows_has_is_refused() {
    let mut host = host();
    let refused = [
        host.paging().unwrap_err(),
        host.exceptions().unwrap_err(),
        host.drives().unwrap_err(),
        falcon_sys::disk_io("sda").unwrap_err(),
        falcon_sys::memory_lists().unwrap_err(),
        falcon_sys::ntp_servers().unwrap_err(),
    ];
    assert!(refused.iter().all(|e| e.kind() == ErrorKind::Unsupported), "{refused:?}");
}

#[test]
fn echo_requests_go_over_ipv6() {
    let until = Instant::now() + Duration::from_secs(60);
    let opened = Echo::open(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    // A host without IPv6 is a host too.
    if UdpSocket::bind("[::1]:0").is_err() {
        assert!(opened.is_err());
        return;
    }
    let mut echo = opened.unwrap();
    echo.send(Duration::ZERO).unwrap();
    assert!(echo.receive(until).unwrap().is_some());
}
