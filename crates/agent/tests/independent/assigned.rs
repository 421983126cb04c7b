//! What hbs assigns, beside real sockets and processes: many of them, of both families, and with names that are cut or have
//! blanks.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::COUNTS_SOCKETS;
use crate::harness::agent::Agent;
use crate::harness::servers::{Hbs, Server};

const MANY: usize = 10_000;
/// Of so many one is asked for.
const EVERY: usize = 100;

/// An agent with an hbs, and where its points go.
struct Asked {
    agent: Agent,
    hbs: Hbs,
    transfer: Server,
}

impl Asked {
    fn new() -> Asked {
        let (hbs, transfer) = (Hbs::start(), Server::good());
        let agent = Agent::start(&json!({
            "hostname": "h",
            "heartbeat": { "addr": hbs.addr(), "interval": 1 },
            "transfer": { "addrs": [transfer.addr], "interval": 1, "replay_delay": 0 },
        }));
        Asked { agent, hbs, transfer }
    }

    /// Waits for a cycle with exactly these series of a metric, which are assigned for it.
    fn says(&self, metric: &str, expected: &[(String, i64)]) {
        let checks: Vec<(&str, &str)> = expected.iter().map(|(tags, _)| (metric, tags.as_str())).collect();
        self.hbs.assigns(&checks);
        let expected: BTreeMap<&str, i64> = expected.iter().map(|(tags, value)| (tags.as_str(), *value)).collect();
        self.agent.wait(&format!("{metric}: {expected:?}"), || {
            let recent = self.transfer.now().saturating_sub(Duration::from_secs(5));
            let items: Vec<_> = self.transfer.calls_since(recent).into_iter().flat_map(|call| call.items).collect();
            let newest = items.iter().rev().find(|item| item.metric == metric)?.timestamp;
            let cycle = items.iter().filter(|item| item.metric == metric && item.timestamp == newest);
            let said: BTreeMap<&str, i64> = cycle.map(|item| (item.tags.as_str(), item.value as i64)).collect();
            (said == expected).then_some(())
        });
    }

    fn ports(&self, expected: &[(u16, i64)]) {
        let tags: Vec<_> = expected.iter().map(|(port, value)| (format!("port={port}"), *value)).collect();
        self.says("net.port.listen", &tags);
    }
}

/// As many files as this process may ever have, and a connection's two ends are two of them.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let enough = MANY as u64 + 1000;
    assert!(limit.maximum.is_none_or(|most| most >= enough), "this test needs `ulimit -Hn` of {enough}: {limit:?}");
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum.or(Some(enough)), ..limit })
        .expect("up to the maximum");
}

fn has_v6() -> bool {
    fs::exists("/proc/net/tcp6").expect("it can be asked")
}

/// Loopback of one family, and of the other for every second one.
fn loopback(n: usize) -> SocketAddr {
    if n % 2 == 1 && has_v6() { (Ipv6Addr::LOCALHOST, 0).into() } else { (Ipv4Addr::LOCALHOST, 0).into() }
}

/// At every address, without listening.
fn bound_to(port: u16) -> Option<Socket> {
    let any =
        if has_v6() { SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)) } else { (Ipv4Addr::UNSPECIFIED, port).into() };
    let socket = Socket::new(Domain::for_address(any), Type::STREAM, None).expect("a socket");
    if any.is_ipv6() {
        socket.set_only_v6(false).expect("an option");
    }
    socket.bind(&SockAddr::from(any)).ok().map(|()| socket)
}

fn sample(ports: impl Iterator<Item = u16>) -> Vec<(u16, i64)> {
    // Some of each family.
    ports.enumerate().filter(|(n, _)| n % EVERY < 2).map(|(_, port)| (port, 1)).collect()
}

#[test]
fn ports_are_told_among_ten_thousand_sockets() {
    let _alone = COUNTS_SOCKETS.lock();
    allow_many_files();
    let asked = Asked::new();
    // Nobody has the first one: it is privileged, and no service uses it.
    let closed = [(1, 0)];

    let listeners: Vec<_> = (0..MANY).map(|n| TcpListener::bind(loopback(n)).expect("a port")).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    let ports = sample(listeners.iter().map(port));
    asked.ports(&[&ports[..], &closed].concat());
    drop(listeners);
    // Other tests look for ports at the same time: one that has taken a port already may keep it, and gets none of the rest.
    let held: Vec<Socket> = ports.iter().filter_map(|(port, _)| bound_to(*port)).collect();
    assert!(held.len() > ports.len() / 2, "{} of {}", held.len(), ports.len());
    let port_of = |socket: &Socket| socket.local_addr().expect("an address").as_socket().expect("of IP").port();
    asked.ports(&held.iter().map(|socket| (port_of(socket), 0)).collect::<Vec<_>>());
    drop(held);

    // Of a connection neither end listens.
    let listeners = [0, 1].map(|n| TcpListener::bind(loopback(n)).expect("a port"));
    let pairs: Vec<(TcpStream, TcpStream)> = (0..MANY / 2)
        .map(|n| {
            let client = TcpStream::connect(listeners[n % 2].local_addr().expect("an address")).expect("connected");
            // They leave nothing in time wait.
            SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an option");
            (client, listeners[n % 2].accept().expect("accepted").0)
        })
        .collect();
    let client = pairs[0].0.local_addr().expect("an address").port();
    asked.ports(&[(port(&listeners[0]), 1), (port(&listeners[1]), 1), (client, 0), (1, 0)]);
    drop(pairs);

    let sockets: Vec<_> = (0..MANY).map(|n| UdpSocket::bind(loopback(n)).expect("a port")).collect();
    let ports = sample(sockets.iter().map(|socket| socket.local_addr().expect("an address").port()));
    asked.ports(&[&ports[..], &closed].concat());
    drop(sockets);
    assert_eq!(asked.agent.lines(" WARN C").len(), 0, "{}", asked.agent.state());
    assert_eq!(asked.agent.terminate().code, Some(0));
}

/// Whatever address a socket has, and though the other family has nothing.
#[test]
fn a_port_is_told_that_one_family_alone_serves() {
    let _alone = COUNTS_SOCKETS.lock();
    let bound = |kind: Type, address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), kind, None).expect("a socket");
        if address.is_ipv6() {
            socket.set_only_v6(true).expect("an option");
        }
        socket.bind(&SockAddr::from(address)).expect("a port");
        if kind == Type::STREAM {
            socket.listen(1).expect("a port of its own");
        }
        socket
    };
    let mut addresses: Vec<SocketAddr> = vec![(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::LOCALHOST, 0).into()];
    if has_v6() {
        addresses.extend::<[SocketAddr; 2]>([(Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
    }
    let sockets: Vec<Socket> =
        addresses.iter().flat_map(|address| [Type::STREAM, Type::DGRAM].map(|kind| bound(kind, *address))).collect();
    // Bound by TCP, and nobody listens.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    silent.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).expect("a port");
    let port = |socket: &Socket| socket.local_addr().expect("one").as_socket().expect("of IP").port();
    let mut expected: Vec<(u16, i64)> = sockets.iter().map(|socket| (port(socket), 1)).collect();
    expected.push((port(&silent), 0));
    let asked = Asked::new();
    asked.ports(&expected);
    assert_eq!(asked.agent.terminate().code, Some(0));
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_are_counted_by_what_the_kernel_keeps_of_their_names_and_by_their_arguments() {
    const NAME: &str = "waits-for-its-end-for-ever";
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join(NAME);
    fs::copy("/bin/sh", &program).expect("a shell");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an option");
    let start = |argument: &str| {
        let mut command = Command::new(&program);
        command.args(["-c", "read line", "waits", argument]).stdin(Stdio::piped());
        let child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // A child that another test starts just now has inherited the copy: until its exec.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        Running(child)
    };
    let (first, _second, _third) = (start("first one"), start("second one"), start("数据"));
    let asked = Asked::new();
    let (cut, whole) = (&NAME[..15], NAME);
    let tags = |tags: &[(&str, i64)]| -> Vec<(String, i64)> {
        let with_names = |text: &str| text.replace("CUT", cut).replace("WHOLE", whole);
        tags.iter().map(|(tags, count)| (with_names(tags), *count)).collect()
    };
    let series = |first: i64| {
        tags(&[
            ("name=CUT", 2 + first),
            ("name=WHOLE", 0),
            ("cmdline=WHOLE", 2 + first),
            // As it is written, without anything between two arguments.
            ("name=CUT,cmdline=first one", first),
            ("name=CUT,cmdline=-cread linewaitsfirst", first),
            ("name=CUT,cmdline=waits first", 0),
            ("name=CUT,cmdline=second", 1),
            ("name=CUT,cmdline=数据", 1),
        ])
    };
    asked.says("proc.num", &series(1));
    drop(first);
    asked.says("proc.num", &series(0));
    let remarked = asked.agent.lines("Linux keeps 15 bytes of a name");
    assert_eq!(remarked.len(), 1, "{}", asked.agent.state());
    assert_eq!(asked.agent.terminate().code, Some(0));
}
