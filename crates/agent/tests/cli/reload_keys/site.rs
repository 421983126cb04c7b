//! What the agent's own port lets in.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::bed::{Bed, Stage};
use super::row::{Row, is_shown};
use super::tls;
use crate::harness::http;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The status of a push of so many points, with blanks up to so many bytes.
fn pushed(stage: &Stage<'_>, points: usize, bytes: usize) -> Option<u16> {
    let item = json!({ "endpoint": "probe", "metric": "m", "value": 1, "step": 60, "counterType": "GAUGE", "tags": "",
                       "timestamp": crate::harness::now() });
    let body = Value::from(vec![item; points]).to_string();
    Some(http::post(stage.agent.http, "/v1/push", format!("{body:bytes$}").as_bytes()).ok()?.status)
}

/// Whether the agent ends a connection on which this much of a request came, and no more.
fn gives_up(stage: &Stage<'_>, begun: &[u8]) -> bool {
    http::raw(stage.agent.http, begun).is_ok()
}

fn answers(address: SocketAddr) -> bool {
    http::get(address, "/health").is_ok_and(|answer| answer.text() == "ok")
}

/// Limits of ten minutes: nobody waits for their end.
const LONG_MS: i64 = 600_000;

pub fn rows(bed: &Bed) -> Vec<Row> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    let file = |name: &str| files.join(name).display().to_string();
    let both = bed.dir.path().join("both.pem");
    let text = |name: &str| fs::read_to_string(files.join(name)).expect("a fixture");
    fs::write(&both, text("first.crt") + &text("first.key")).expect("writable");
    vec![
        Row::new("http.enabled", json!(true), json!(false), |stage, on| json!(answers(stage.agent.http)) == *on),
        Row::new("http.listen", json!(bed.listen[0].to_string()), json!(bed.listen[1].to_string()), |stage, listen| {
            let at = stage.bed.listen.map(|address| (json!(address.to_string()) == *listen) == answers(address));
            at == [true, true]
        }),
        // Never acted on, which is told.
        Row::new("http.backdoor", json!(false), json!(true), |stage, on| {
            let runs = stage.get("/run").is_none_or(|answer| answer.text() != "/run disabled");
            let warned = stage.outcome["warnings"].to_string().contains("http.backdoor: never supported");
            is_shown(stage, "http.backdoor", on) && !runs && *on == json!(warned)
        }),
        Row::new("http.token", json!(""), json!(TOKEN), |stage, token| {
            let with = |headers: String| {
                let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
                http::one(stage.agent.http, request.as_bytes()).map_or(0, |answer| answer.status)
            };
            let statuses = (with(String::new()), with(format!("Authorization: Bearer {TOKEN}\r\n")));
            statuses == (if *token == "" { (200, 200) } else { (401, 200) })
        }),
        Row::new("http.hosts", json!([]), json!(["agent.example"]), |stage, hosts| {
            let request =
                b"GET / HTTP/1.1\r\nHost: agent.example\r\nUser-Agent: Mozilla/5.0\r\nConnection: close\r\n\r\n";
            let status = http::one(stage.agent.http, request).map_or(0, |answer| answer.status);
            status == if hosts[0].is_null() { 403 } else { 200 }
        }),
        Row::new("http.history_kb", json!(1024), json!(0), |stage, kb| {
            let answer = stage.get("/ui/history?id=0").filter(|answer| answer.status == 200);
            answer.is_some_and(|answer| answer.json()["from"].is_i64() == (*kb == 1024))
        }),
        Row::new("http.tls.cert", json!(""), json!(both.display().to_string()), |stage, cert| match *cert == "" {
            true => answers(stage.agent.http),
            false => !answers(stage.agent.http) && tls::answers(stage.agent.http, "first.crt"),
        }),
        Row::new("http.tls.key", json!(""), json!(file("second.key")), |stage, key| match *key == "" {
            true => answers(stage.agent.http),
            false => !answers(stage.agent.http) && tls::answers(stage.agent.http, "second.crt"),
        })
        .also(json!({ "http": { "tls": { "cert": file("second.crt") } } })),
        Row::new("http.limits.body", json!(8_388_608), json!(1024), |stage, bytes| {
            pushed(stage, 1, 2000) == Some(if *bytes == 1024 { 413 } else { 200 })
        }),
        Row::new("http.limits.items", json!(100_000), json!(1), |stage, items| {
            pushed(stage, 2, 0) == Some(if *items == 1 { 413 } else { 200 })
        }),
        Row::new("http.limits.header_timeout", json!(LONG_MS), json!(200), |stage, ms| match ms.as_i64() {
            Some(LONG_MS) => is_shown(stage, "http.limits.header_timeout", ms),
            _ => gives_up(stage, b"GET / HTTP/1.1\r\n"),
        }),
        Row::new("http.limits.body_timeout", json!(LONG_MS), json!(200), |stage, ms| match ms.as_i64() {
            Some(LONG_MS) => is_shown(stage, "http.limits.body_timeout", ms),
            _ => gives_up(stage, b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n["),
        }),
        Row::new("http.limits.rate", json!(0), json!(1), |stage, rate| {
            let statuses: Vec<_> = (0..5).map(|_| pushed(stage, 1, 0)).collect();
            statuses.contains(&Some(429)) == (*rate == 1)
        }),
    ]
}
