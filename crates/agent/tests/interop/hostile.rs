//! Requests that nobody means well, each with an outcome that is known beforehand, and an agent that answers afterwards.
//! Many at once, and slow ones, are in `faults/crowd.rs`.

use std::io::{Read, Write};

use serde_json::json;

use crate::harness::agent::{Agent, RSS_LIMIT_KB};
use crate::harness::http;
use crate::harness::peer::Peer;

fn start(peer: &Peer) -> Agent {
    let mut config = peer.config("hostile");
    config["transfer"]["interval"] = json!(3600);
    Agent::start(&config)
}

fn item(metric: &str) -> String {
    format!(r#"{{"endpoint":"app","metric":"{metric}","value":1,"step":60,"counterType":"GAUGE","tags":""}}"#)
}

/// A push with these headers besides the necessary ones.
fn request(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn status(agent: &Agent, request: &[u8]) -> u16 {
    let answer = http::one(agent.http, request).unwrap_or_else(|error| panic!("{error}\n{}", agent.state()));
    agent.assert_healthy();
    answer.status
}

#[test]
fn bodies_that_are_too_large_or_too_deep_are_refused() {
    let peer = Peer::start();
    let agent = start(&peer);
    let gigabyte = request("Content-Length: 1073741824\r\n", b"[");
    assert_eq!(status(&agent, &gigabyte), 413);
    let beyond_u64 = request("Content-Length: 99999999999999999999999999\r\n", b"[");
    assert_eq!(status(&agent, &beyond_u64), 400);
    assert_eq!(status(&agent, &request("Content-Length: -1\r\n", b"[")), 400);

    let nested = |depth: usize| {
        let inner = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!("[{}]", item("deep").replacen('{', &format!("{{\"x\":{inner},"), 1))
    };
    // Go takes 10,000 levels: the array and the item are two of them.
    assert_eq!(agent.post(nested(9_998).as_bytes()).status, 200);
    assert_eq!(agent.post(nested(9_999).as_bytes()).status, 400);
    assert_eq!(agent.post("[".repeat(7 << 20).as_bytes()).status, 400);
    let huge_number =
        format!("[{}]", item("m").replace(r#""value":1"#, &format!(r#""value":1{}"#, "0".repeat(1 << 20))));
    assert_eq!(agent.post(huge_number.as_bytes()).status, 400);
    let nulls = |count: usize| format!("[{}null]", "null,".repeat(count - 1));
    assert_eq!(agent.post(nulls(100_000).as_bytes()).status, 200);
    assert_eq!(agent.post(nulls(100_001).as_bytes()).status, 413);
    assert_eq!(agent.post(nulls(1_000_000).as_bytes()).status, 413);
    agent.assert_healthy();
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
    peer.wait("the one good point", &agent, || (peer.items_of("app").len() == 1).then_some(()));
}

#[test]
fn bytes_that_are_no_text_arrive_as_go_reads_them() {
    let peer = Peer::start();
    let agent = start(&peer);
    let body = |tags: &[u8]| {
        let (head, tail) = (format!("[{}", item("m").replace(r#""tags":""}"#, r#""tags":""#)), br#""}]"#);
        [head.as_bytes(), tags, tail].concat()
    };
    let gbk = [0xB1, 0xB1, 0xBE, 0xA9];
    for tags in [&b"\xff\xfe"[..], &gbk, br"lone=\ud800", b"truncated=\xe4\xba"] {
        assert_eq!(agent.post(&body(tags)).text(), "success", "{tags:?}");
    }
    let items = peer.wait("four points", &agent, || Some(peer.items_of("app")).filter(|items| items.len() == 4));
    let tags: Vec<&str> = items.iter().map(|item| item.tags.as_str()).collect();
    let r = '\u{FFFD}';
    // Go's decoder makes one U+FFFD of each byte that it cannot read.
    assert_eq!(tags, [format!("{r}{r}"), format!("{r}{r}{r}{r}"), format!("lone={r}"), format!("truncated={r}{r}")]);
    for refused in [b"\xef\xbb\xbf[]".as_slice(), b"\xff\xfe[\0]\0", b"\0\0\0\0"] {
        let answer = agent.post(refused);
        assert_eq!((answer.status, answer.text().as_str()), (400, "connot decode body\n"), "{refused:?}");
    }
    agent.assert_healthy();
}

#[test]
fn unusual_http_is_answered_and_broken_http_is_refused() {
    let peer = Peer::start();
    let agent = start(&peer);
    let body = format!("[{}]", item("m"));
    let length = format!("Content-Length: {}\r\n", body.len());
    for (request, expected) in [
        (b"GET /health HTTP/1.0\r\n\r\n".to_vec(), 200),
        (b"GET http://elsewhere/health HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n".to_vec(), 200),
        (format!("PUT /v1/push HTTP/1.0\r\n{length}\r\n{body}").into_bytes(), 200),
        (request(&format!("{length}Content-Type: image/png\r\n"), body.as_bytes()), 200),
        (request("Transfer-Encoding: chunked\r\n", format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes()), 200),
        (request("Transfer-Encoding: chunked\r\n", b"zz\r\nx\r\n0\r\n\r\n"), 400),
        (request(&format!("Content-Length: 3\r\n{length}"), body.as_bytes()), 400),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(60_000)).into_bytes(), 404),
        (format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes(), 431),
        (b"GET /health HTTP/9.9\r\n\r\n".to_vec(), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400),
        (b"{\"method\":\"Transfer.Update\",\"params\":[[]],\"id\":0}\n".to_vec(), 400),
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert_eq!(status(&agent, &request), expected, "{shown}");
    }
    peer.wait("three points", &agent, || (peer.items_of("app").len() == 3).then_some(()));
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let peer = Peer::start();
    let agent = start(&peer);
    let body = format!("[{}]", item("m"));
    let push = format!("POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let bytes = http::raw(agent.http, format!("{health}{push}{push}{health}{last}").as_bytes()).expect("answers");
    let text = String::from_utf8_lossy(&bytes);
    let bodies: Vec<&str> =
        text.split("HTTP/1.1 200 OK").skip(1).filter_map(|part| part.split("\r\n\r\n").nth(1)).collect();
    assert_eq!(bodies[..4], ["ok", "success", "success", "ok"], "{text}");
    assert!(bodies[4].contains('@') && bodies.len() == 5, "{text}");
    peer.wait("both points", &agent, || (peer.items_of("app").len() == 2).then_some(()));
}

#[test]
fn a_browser_is_led_here_by_nobody_else() {
    let peer = Peer::start();
    let mut config = peer.config("hostile");
    config["transfer"]["interval"] = json!(3600);
    config["http"] = json!({ "token": "correct-horse-battery" });
    let agent = Agent::start(&config);
    let body = format!("[{}]", item("m"));
    let length = format!("Content-Length: {}\r\n", body.len());
    let bearer = format!("{length}Authorization: Bearer correct-horse-battery\r\n");
    for (headers, expected) in [
        (length, 401),
        (format!("{bearer}User-Agent: Mozilla/5.0\r\n"), 403),
        (format!("{bearer}Origin: http://evil.example\r\n"), 403),
        (bearer, 200),
    ] {
        assert_eq!(status(&agent, &request(&headers, body.as_bytes())), expected, "{headers}");
    }
    peer.wait("the one push", &agent, || (peer.items_of("app").len() == 1).then_some(()));
}

#[test]
fn a_client_that_asks_for_leave_to_send_gets_it() {
    let peer = Peer::start();
    let agent = start(&peer);
    let body = format!("[{}]", item("m"));
    let mut stream = http::connect(agent.http).expect("connected");
    let head = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len());
    stream.write_all(&request(&head, b"")).expect("sent");
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).expect("an interim answer");
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("success"), "{answer}");
}
