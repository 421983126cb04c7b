//! Pushes that are edges of what is allowed, or beyond; `interop/push.rs` and `interop/hostile.rs` have the others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::agent::{Agent, Home, RSS_LIMIT_KB, free_address};
use crate::harness::servers::Server;
use crate::harness::{http, now};
use crate::load::Load;
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

/// Nothing is unpacked: 7 MB that would become a GiB of `[` are 7 MB that are no JSON.
#[test]
fn a_packed_body_is_no_json() {
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    // The head of a gzip stream, a `[`, and eight times "258 bytes as the last one" (RFC 1951) again and again.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x8a, 0x1e];
    let again = [0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18];
    let packed = [&head[..], &again.repeat((1 << 30) / (8 * 258))].concat();
    let answer = http::post_with(agent.http, "/v1/push", "Content-Encoding: gzip\r\n", &packed).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (400, "connot decode body\n"));
    agent.assert_healthy();
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
}

/// Who is turned away is told when to come again, in a header and for those who ask for it in JSON, and nothing of the push
/// is taken.
#[test]
fn a_full_queue_and_a_fast_client_are_told_when_to_come_again() {
    let server = Server::good();
    server.down();
    let mut config = quiet(&[&server.addr]);
    // In memory alone there is room for 8 MiB.
    config["queue"] = json!({ "enabled": false });
    let (agent, load) = (Agent::start(&config), Load::new("app", 500));
    let (taken, refused, body) = loop {
        let (n, body) = load.next();
        let answer = agent.post(&body);
        if answer.status != 200 {
            break (n, answer, body);
        }
    };
    assert_eq!((refused.status, refused.text().as_str()), (503, "the queue is full; try again\n"));
    let after: u64 = refused.header("Retry-After").expect("a header").parse().expect("seconds");
    assert!((1..=600).contains(&after), "{after}");
    let refused = http::post_with(agent.http, "/v1/push", http::AS_JSON, &body).expect("an answer");
    let expected = json!({ "msg": "the queue is full; try again", "retry_after": after });
    assert_eq!((refused.status, refused.json()), (503, expected));
    let queue = || agent.health()["queue"].clone();
    assert_eq!(queue()["points"], 500 * taken, "all or nothing");
    server.up();
    // It comes again and is taken when there is room.
    agent.wait("room", || (agent.post(&body).status == 200).then_some(()));
    load.all_arrive(&agent, &[&server]);
    assert!(queue()["lost"].as_object().expect("counts").values().all(|count| count == 0), "{}", queue());

    config["http"] = json!({ "limits": { "rate": 1 } });
    let agent = Agent::start(&config);
    let refused = agent.wait("the limit", || Some(agent.post(b"[]")).filter(|answer| answer.status != 200));
    assert_eq!((refused.status, refused.header("Retry-After")), (429, Some("1")));
    let told = agent.wait("the limit", || {
        let answer = http::post_with(agent.http, "/v1/push", http::AS_JSON, b"[]").expect("an answer");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((told.status, &told.json()["retry_after"]), (429, &json!(1)));
    agent.assert_healthy();
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
        "/Run",
        "/run/",
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
