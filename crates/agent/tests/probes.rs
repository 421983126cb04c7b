//! What the probes say of a network that loses, delays and refuses: the real executable in a network namespace of its own.
//!
//! The kernel there answers no echo request; what stands for the hosts 127.0.0.2 and its neighbours does, with raw sockets, as it
//! is told.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::items::Item;
use harness::namespace;
use harness::process::{program, run};
use harness::{exe, until};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

const DELAY: Duration = Duration::from_millis(50);
const DELAY_MS: f64 = 50.0;
/// Far above what an answer takes, and waited for where one is lost.
const PATIENT_MS: u32 = 5000;
/// For what never answers.
const SHORT_MS: u32 = 100;

/// See [`namespace::is_within`].
fn is_within(test: &str) -> bool {
    let within = namespace::is_within(test);
    if within {
        set("icmp_echo_ignore_all", "1");
    }
    within
}

fn set(sysctl: &str, value: &str) {
    fs::write(format!("/proc/sys/net/ipv4/{sysctl}"), value).expect(sysctl);
}

/// What one collector says of these checks, and the log.
fn collect(only: &str, checks: &Value, capable: bool) -> (Vec<Item>, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cfg.json"), json!({ "hostname": "h", "checks": checks }).to_string()).unwrap();
    let args = ["collect", "--format", "json", "--only", only];
    let agent = program(dir.path(), &args);
    let ended = run(if capable {
        agent
    } else {
        let mut without = Command::new("setpriv");
        // Ambient ones too, which are nobody's but a service manager's to give.
        without
            .args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "--ambient-caps", "-net_raw"])
            .arg(exe())
            .args(args)
            .current_dir(dir.path());
        without
    });
    let err = ended.err.clone();
    (Item::parse_all(&serde_json::from_str(&ended.success()).unwrap()), err)
}

fn value(items: &[Item], metric: &str, tags: &str) -> Option<f64> {
    let found: Vec<f64> =
        items.iter().filter(|item| item.metric == metric && item.tags == tags).map(|item| item.value).collect();
    assert!(found.len() <= 1, "{metric} {tags}: {found:?}");
    found.first().copied()
}

/// A host that gets echo requests, numbered from 0, and answers each with these messages when their time has come.
fn host(address: [u8; 4], answers: impl Fn(u32, &[u8]) -> Vec<Vec<u8>> + Send + 'static) {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((address, 0)))).unwrap();
    thread::spawn(move || {
        let mut requests = 0;
        let mut packet = [0; 1500];
        while let Ok(length) = (&socket).read(&mut packet) {
            let packet = &packet[..length];
            let from: [u8; 4] = packet[12..16].try_into().unwrap();
            if packet[20] == 8 {
                for answer in answers(requests, packet) {
                    socket.send_to(&answer, &SockAddr::from(SocketAddr::from((from, 0)))).unwrap();
                }
                requests += 1;
            }
        }
    });
}

/// The answer to an echo request, which comes behind its IP header.
fn reply(packet: &[u8]) -> Vec<u8> {
    let mut message = packet[20..].to_vec();
    message[0] = 0;
    sealed(message)
}

/// With its checksum.
fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    message[2..4].copy_from_slice(&(!u16::try_from((sum & 0xFFFF) + (sum >> 16)).unwrap()).to_be_bytes());
    message
}

/// A host 50 ms away that loses every fourth request, answers the others twice, and others' requests too.
fn lossy(address: [u8; 4]) {
    host(address, |n, packet| {
        thread::sleep(DELAY);
        if n % 4 == 1 {
            return Vec::new();
        }
        let mut foreign = reply(packet);
        *foreign.last_mut().unwrap() ^= 1;
        vec![sealed(foreign), reply(packet), reply(packet)]
    });
}

fn assert_lossy(items: &[Item], tags: &str) {
    assert_eq!(value(items, "ping.loss", tags), Some(25.0), "{items:?}");
    let [min, mean, max] = ["ping.rtt.min", "ping.rtt", "ping.rtt.max"].map(|name| value(items, name, tags).unwrap());
    assert!(DELAY_MS <= min && min <= mean && mean <= max && max < f64::from(PATIENT_MS), "{items:?}");
}

#[test]
fn loss_and_delay_are_told_and_what_is_not_there_is_lost() {
    if !is_within("loss_and_delay_are_told_and_what_is_not_there_is_lost") {
        return;
    }
    lossy([127, 0, 0, 2]);
    host([127, 0, 0, 3], |_, _| Vec::new());
    // A router on the way: destination unreachable, no such host (type 3, code 1), with the request in it.
    host([127, 0, 0, 4], |_, packet| vec![sealed([&[3, 1, 0, 0, 0, 0, 0, 0], packet].concat())]);
    let of = |host: &str, timeout: u32| json!({ "host": host, "count": 4, "timeout": timeout });
    let checks = [
        json!({ "host": "127.0.0.2", "count": 8, "timeout": PATIENT_MS }),
        of("127.0.0.3", SHORT_MS),
        // Has its error for each request, and is not waited for any longer.
        of("127.0.0.4", PATIENT_MS),
        of("10.98.0.1", SHORT_MS),
    ];
    // A host without IPv6 is a host too.
    let has_v6 = UdpSocket::bind("[::1]:0").is_ok();
    let checks: Vec<Value> = checks.into_iter().chain(has_v6.then(|| of("::1", PATIENT_MS))).collect();
    let (items, log) = collect("ping", &json!({ "ping": checks }), true);
    assert_lossy(&items, "host=127.0.0.2");
    for (host, why) in [
        ("127.0.0.3", "no answer to any request"),
        ("127.0.0.4", "No route to host"),
        ("10.98.0.1", "no way to it: Network is unreachable"),
    ] {
        let tags = format!("host={host}");
        assert_eq!(
            (value(&items, "ping.loss", &tags), value(&items, "ping.rtt", &tags)),
            (Some(100.0), None),
            "{host}"
        );
        assert!(log.lines().any(|line| line.contains(host) && line.contains(why)), "{host}: {why}:\n{log}");
    }
    assert_eq!(value(&items, "ping.loss", "host=::1"), has_v6.then_some(0.0), "{log}");
    assert_eq!(items.len(), 4 + 3 + if has_v6 { 4 } else { 0 });
}

#[test]
fn an_agent_without_capabilities_needs_the_group_that_may_ping() {
    if !is_within("an_agent_without_capabilities_needs_the_group_that_may_ping") {
        return;
    }
    lossy([127, 0, 0, 2]);
    let checks = json!({ "ping": [{ "host": "127.0.0.2", "timeout": PATIENT_MS }, "127.0.0.3"] });
    let (items, log) = collect("ping", &checks, false);
    assert_eq!(items, [], "a probe that was not made says nothing");
    let told = log.lines().filter(|line| line.contains("ping_group_range") && line.contains("CAP_NET_RAW"));
    assert_eq!(told.count(), 1, "{log}");
    set("ping_group_range", "0 0");
    let checks = json!({ "ping": [{ "host": "127.0.0.2", "timeout": PATIENT_MS }] });
    let (items, _) = collect("ping", &checks, false);
    assert_lossy(&items, "host=127.0.0.2");
}

/// A full queue of connections: Linux drops the request for one more, which is sent again after a second.
#[test]
fn a_connection_that_takes_a_second_attempt_takes_its_time() {
    if !is_within("a_connection_that_takes_a_second_attempt_takes_its_time") {
        return;
    }
    let full = || {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
        }
        (TcpListener::from(listener), address, queued)
    };
    let (busy, busy_address, _queued) = full();
    let (_deaf, deaf_address, _others) = full();
    let dropped = || {
        let text = fs::read_to_string("/proc/net/netstat").unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let place = names.split(' ').position(|name| name == "ListenDrops").unwrap();
        values.split(' ').nth(place).unwrap().parse::<u64>().unwrap()
    };
    let before = dropped();
    let takes = thread::spawn(move || {
        until("both requests to be dropped", String::new, || (dropped() >= before + 2).then_some(()));
        // Room for one more.
        busy.accept().unwrap();
        busy
    });
    let checks = [
        json!({ "address": busy_address.to_string(), "timeout": 10_000 }),
        json!({ "address": deaf_address.to_string(), "timeout": 300 }),
        json!("10.98.0.1:80"),
    ];
    let (items, log) = collect("tcp", &json!({ "tcp": checks }), true);
    drop(takes.join().unwrap());
    let tags = format!("address={busy_address}");
    assert_eq!(value(&items, "tcp.connect.up", &tags), Some(1.0), "{log}");
    let took = value(&items, "tcp.connect.time", &tags).unwrap();
    assert!((900.0..10_000.0).contains(&took), "{took}");
    for address in [deaf_address.to_string(), "10.98.0.1:80".to_owned()] {
        let tags = format!("address={address}");
        assert_eq!(value(&items, "tcp.connect.up", &tags), Some(0.0));
        assert!(log.lines().any(|line| line.contains(&address)), "{address}:\n{log}");
    }
    assert_eq!(items.len(), 4);
}

#[test]
fn a_name_server_far_away_takes_its_time_and_one_that_loses_questions_is_down() {
    if !is_within("a_name_server_far_away_takes_its_time_and_one_that_loses_questions_is_down") {
        return;
    }
    let far = UdpSocket::bind("127.0.0.5:53").unwrap();
    let _deaf = UdpSocket::bind("127.0.0.6:53").unwrap();
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = far.recv_from(&mut packet) {
            thread::sleep(DELAY);
            let mut answer = packet[..length].to_vec();
            // An answer of one record: its name a pointer, A, IN, a minute, 127.0.0.1.
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[7] = 1;
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            far.send_to(&answer, from).unwrap();
        }
    });
    let of = |server: &str, timeout: u32| json!({ "name": "shop.example", "server": server, "timeout": timeout });
    let checks = [of("127.0.0.5", PATIENT_MS), of("127.0.0.6", SHORT_MS), of("10.98.0.1", SHORT_MS)];
    let (items, log) = collect("dns", &json!({ "dns": checks }), true);
    let tags = |server: &str| format!("name=shop.example,server={server}:53,type=A");
    assert_eq!(value(&items, "dns.query.up", &tags("127.0.0.5")), Some(1.0), "{log}");
    let took = value(&items, "dns.query.time", &tags("127.0.0.5")).unwrap();
    assert!((DELAY_MS..f64::from(PATIENT_MS)).contains(&took), "{took}");
    for (server, why) in [("127.0.0.6", "no answer in time"), ("10.98.0.1", "Network is unreachable")] {
        assert_eq!(value(&items, "dns.query.up", &tags(server)), Some(0.0), "{log}");
        assert!(log.lines().any(|line| line.contains(server) && line.contains(why)), "{server}: {why}:\n{log}");
    }
    assert_eq!(items.len(), 4);
}
