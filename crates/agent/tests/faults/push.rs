//! Pushes that are edges of what is allowed, or beyond; `interop/push.rs` and `interop/hostile.rs` have the others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::agent::{Agent, Home, RSS_LIMIT_KB, free_address};
use crate::harness::servers::Server;
use crate::harness::{http, now};
use crate::quiet;

fn point(metric: &str, member: &str, value: Value) -> Value {
    let mut point = json!({ "endpoint": "app", "metric": metric, "value": 1, "step": 60, "counterType": "GAUGE", "tags": "",
                            "timestamp": 1_700_000_000 });
    point[member] = value;
    point
}

#[test]
fn values_steps_and_stamps_at_their_edges() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    let before = now();
    let huge =
        r#"{"endpoint":"app","metric":"twice","metric":"last","value":1,"value":2,"step":60,"counterType":"GAUGE"}"#;
    let items = json!([
        point("minus zero", "value", json!(-0.0)),
        point("largest", "value", json!(f64::MAX)),
        point("hex", "value", json!("0x1p4")),
        point("year 3000", "timestamp", json!(32_503_680_000_i64)),
        point("farthest", "timestamp", json!(i64::MAX)),
        point("longest step", "step", json!(i64::MAX)),
        point("no value", "value", json!("")),
        point("infinite", "value", json!("Infinity")),
        point("too large", "value", json!("1e400")),
        point("no number", "value", json!(" 1")),
        point("list", "value", json!([1])),
        point("step back", "step", json!(-1)),
        point("no type", "counterType", json!("")),
    ]);
    let text = items.to_string();
    let body = format!("{},{huge}]", text.trim_end_matches(']'));
    // The largest number that is no step at all is refused by Go with the whole body.
    let answer = agent.post(body.as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "success"));
    let items = agent.wait("the good ones", || Some(server.items()).filter(|items| items.len() >= 7));
    let find =
        |metric: &str| items.iter().find(|item| item.metric == metric).unwrap_or_else(|| panic!("{metric}: {items:?}"));
    assert_eq!(find("minus zero").value, 0.0);
    assert_eq!(find("largest").value, f64::MAX);
    assert_eq!(find("hex").value, 16.0);
    for replaced in ["year 3000", "farthest", "last"] {
        assert!((before..=now()).contains(&find(replaced).timestamp), "{:?}", find(replaced));
    }
    assert_eq!(find("longest step").step, i64::MAX);
    assert_eq!(find("last").value, 2.0, "of a member that comes twice the last one counts, as in Go");
    assert_eq!(items.len(), 7, "{items:?}");
}

/// Sends parts until the agent has had enough; answers how many bytes that took, and what it said.
fn flood(agent: &Agent, head: &str, part: &[u8]) -> (usize, String) {
    const MOST: usize = 1 << 30;
    let mut stream = http::connect(agent.http).expect("connected");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut sent = 0;
    while sent < MOST {
        match stream.write(part) {
            Ok(bytes) => sent += bytes,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
                break;
            }
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (sent, String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_body_and_a_header_without_an_end_are_cut_off() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    let part = vec![b'['; 1 << 16];
    let chunk = [b"10000\r\n", part.as_slice(), b"\r\n"].concat();
    let post = "POST /v1/push HTTP/1.1\r\nHost: localhost\r\n";
    for (head, part) in [
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n"), &chunk),
        (format!("{post}X-Long: "), &part),
        ("GET /".to_owned(), &part),
    ] {
        let (sent, answer) = flood(&agent, &head, part);
        assert!(sent < 64 << 20, "{head}: {sent} bytes were taken");
        // What it said may be lost in the reset of a connection that is still written to.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{head}: {answer}");
        agent.assert_healthy();
    }
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
}

/// Nothing is unpacked: a kilobyte stays one.
#[test]
fn a_packed_body_is_no_json() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    // The beginning of a gzip stream of zeros.
    let packed = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff, 0xed, 0xc1][..], &[0; 1024]].concat();
    let head = "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Encoding: gzip\r\n";
    let head = format!("{head}Content-Length: {}\r\n\r\n", packed.len());
    let answer = http::one(agent.http, &[head.as_bytes(), &packed].concat()).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (400, "connot decode body\n"));
}

#[test]
fn paths_that_are_none_are_not_found() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    for path in [
        "/v1/push/",
        "//v1/push",
        "/v1/./push",
        "/../../etc/passwd",
        "/%2e%2e/cfg.json",
        "/cfg.json",
        "/run",
        "/v1/Push",
    ] {
        assert_eq!(agent.get(path).status, 404, "{path}");
    }
    assert_eq!(server.items(), []);
}

/// Somebody has the port when the agent starts: it collects and sends all the same, and has the port when it is free.
#[test]
fn a_port_that_is_busy_is_taken_when_it_is_free() {
    let (server, address, home) = (Server::good(), free_address(), Home::new());
    let busy = TcpListener::bind(address).expect("it is free");
    let mut config = crate::config(&[&server.addr]);
    config["http"]["listen"] = json!(address.to_string());
    let agent = Agent::launch_in(&home, &config, |command| command);
    agent.wait("points without the port", || (server.points() > 0).then_some(()));
    drop(busy);
    let agent = agent.answering();
    assert_eq!(agent.terminate().code, Some(0));
}

/// Nobody can listen at its address beside it and get its pushes.
#[test]
fn the_port_cannot_be_taken_over() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    let port = agent.http.port();
    for address in [[127, 0, 0, 1], [0, 0, 0, 0]] {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("an option");
        socket.set_reuse_port(true).expect("an option");
        let address = SocketAddr::from((address, port));
        let taken = socket.bind(&SockAddr::from(address)).and_then(|()| socket.listen(8));
        assert!(taken.is_err(), "{address}");
    }
    agent.assert_healthy();
}
