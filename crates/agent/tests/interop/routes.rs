//! Every route of the executable, on both platforms: what it answers is in golden files, byte for byte but for what differs from
//! moment to moment and from machine to machine, and is what `docs/openapi.json` describes.
//!
//! The Linux executable looks at a host that stands still. `FALCON_BLESS=1` rewrites the files.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::golden::compare_text;
use crate::harness::host::Host;
use crate::harness::http::{self, Answer};
use crate::harness::is_windows;
use crate::harness::openapi::Description;
use crate::harness::peer::Peer;
use crate::live::Stream;
use crate::shape::{head, shown};

const AS_JSON: &str = "Accept: application/json";

/// What is asked of an agent, and what it said.
struct Asked<'a> {
    agent: &'a Agent,
    description: Description,
    paths: BTreeSet<String>,
    text: String,
}

impl<'a> Asked<'a> {
    fn of(agent: &'a Agent) -> Asked<'a> {
        Asked { agent, description: Description::read(), paths: BTreeSet::new(), text: String::new() }
    }

    fn get(&mut self, path: &str, headers: &[&str]) {
        self.ask("GET", path, headers, b"");
    }

    /// Notes the answer, once there is what the agent has to measure first.
    fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n");
        let request = [head.as_bytes(), lines.as_bytes(), b"\r\n", body].concat();
        let answer = self.agent.wait(path, || {
            let answer = http::one(self.agent.http, &request).ok()?;
            (answer.text() != r#"{"msg":"not prepared"}"#).then_some(answer)
        });
        self.note(method, path, headers, body, &answer);
    }

    fn note(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8], answer: &Answer) {
        let (route, _) = path.split_once('?').unwrap_or((path, ""));
        self.description.assert_has(method, route, answer);
        self.paths.insert(route.to_owned());
        let body = match body.len() {
            0 => String::new(),
            1..100 => format!("  {}", String::from_utf8_lossy(body)),
            length => format!("  ({length} bytes)"),
        };
        let request = [&[method, path], headers].concat().join("  ") + &body;
        self.text += &format!("{request}\n{}\n{}\n\n", head(answer), shown(route, answer).trim_end());
    }
}

#[test]
fn an_answer_that_is_not_described_is_found() {
    let description = Description::read();
    let answer = |head: &str, body: &str| Answer::parse(format!("HTTP/1.1 {head}\r\n\r\n{body}").as_bytes()).unwrap();
    let json = |body: &str| answer("200 OK\r\ncontent-type: application/json; charset=UTF-8", body);
    let why = |path: &str, answer: &Answer| description.look_up("GET", path, answer).err().unwrap_or_default();
    let cpus = |data: &str| why("/proc/cpu/num", &json(&format!(r#"{{"msg":"success","data":{data}}}"#)));
    assert_eq!(cpus("2"), "");
    assert_eq!(why("/proc/cpu/num", &json(r#"{"msg":"not prepared"}"#)), "");
    for wrong in ["0", "-1", "2.5", "\"2\"", "null", "2,\"more\":1"] {
        assert!(cpus(wrong).starts_with("body is 0 of"), "{wrong}: {}", cpus(wrong));
    }
    let row = |cells: usize| format!(r#"{{"msg":"success","data":[[{}]]}}"#, vec!["\"1.0%\""; cells].join(","));
    assert_eq!([9, 10, 11].map(|cells| why("/page/cpu/usage", &json(&row(cells))).is_empty()), [false, true, false]);
    assert_eq!(why("/version", &json("{}")), r#"content type "application/json""#);
    assert_eq!(why("/version", &answer("500 No", "")), "status 500");
    assert_eq!(why("/index.html", &answer("301 Moved", "")), "no header Location");
    assert_eq!(why("/index.html", &answer("301 Moved\r\nlocation: /", "")), r#"Location is "/", against const "./""#);
}

/// Also when a panic unwinds: a scope waits for its threads then too.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Its processors work meanwhile: where none does, there is no share of anything.
fn with_busy_processors(host: &Host, ask: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                host.rewrite("proc/stat", busier);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        ask();
    });
}

/// The test hung for ever where it should have failed.
#[test]
fn what_fails_beside_busy_processors_ends() {
    let host = Host::typical();
    let failed =
        std::panic::catch_unwind(|| with_busy_processors(&host, || std::panic::resume_unwind(Box::new("failed"))));
    assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"failed"));
}

/// A table of `/proc/stat` with more time in its first line.
fn busier(stat: &str) -> String {
    let (first, rest) = stat.split_once('\n').expect("lines");
    let times = first.split_whitespace().skip(1).map(|time| time.parse::<u64>().expect("a number") + 10);
    let first: String = times.map(|time| format!(" {time}")).collect();
    format!("cpu {first}\n{rest}")
}

#[test]
fn every_route_answers_as_it_did() {
    let (peer, host) = (Peer::start(), Host::typical());
    let mut config = peer.config("routes");
    // The list that hbs trusts is not known.
    config["heartbeat"]["enabled"] = json!(false);
    for (file, text) in [("proc/cpuinfo", "cpu MHz\t\t: 2399.998\n"), ("proc/sys/kernel/osrelease", "6.1.0-42-amd64\n")]
    {
        fs::write(host.root().join(file), text).expect("writable");
    }
    let agent = if is_windows() { Agent::start(&config) } else { Agent::start_on(&host, &config) };
    agent.wait("a cycle that was sent", || agent.health()["transfer"]["call_ms"].is_number().then_some(()));
    let mut asked = Asked::of(&agent);
    for path in ["/", "/index.html", "/health", "/version", "/workdir", "/ips", "/run", "/config", "/config/reload"] {
        asked.get(path, &[]);
    }
    let files: Vec<String> = asked.description.paths().filter(|path| is_file(path)).cloned().collect();
    for path in &files {
        asked.get(path, &[]);
    }
    for path in ["/plugins", "/plugin/update", "/plugin/reset"] {
        asked.get(path, &[]);
    }
    asked.get("/health", &[AS_JSON]);
    asked.get("/metrics", &[]);
    asked.get("/metrics", &["Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"]);
    let facts: Vec<String> = asked.description.paths().filter(|path| is_fact(path)).cloned().collect();
    let usage = |path: &String| path.ends_with("/cpu/usage");
    for path in facts.iter().filter(|path| !usage(path)) {
        asked.get(path, &[]);
    }
    let mut ask_usage = || facts.iter().filter(|path| usage(path)).for_each(|path| asked.get(path, &[]));
    if is_windows() {
        ask_usage()
    } else {
        with_busy_processors(&host, ask_usage)
    }
    asked.get("/ui/series", &[]);
    let series = agent.get("/ui/series").json();
    // Numbers are others with each start.
    let answer = agent.get(&format!("/ui/history?id={}", series["series"][0][0]));
    asked.note("GET", "/ui/history?id=N", &[], b"", &answer);
    asked.get("/ui/history", &[]);
    let item = br#"[{"endpoint":"e","metric":"m","value":1,"step":7,"counterType":"GAUGE"},null]"#;
    for headers in [&[][..], &[AS_JSON]] {
        for body in [&item[..], b"[]", b"null", b"", b"{}", b"["] {
            asked.ask("POST", "/v1/push", headers, body);
        }
    }
    for path in ["/queue", "/queue/verify"] {
        asked.get(path, &[]);
    }
    asked.get("/ui/state", &[]);
    let (_watching, answer) = Stream::open(&agent);
    asked.note("GET", "/ui/live", &[], b"", &answer);
    purge(&mut asked);
    refusals(&mut asked);
    let left: Vec<_> = asked.description.paths().filter(|path| !asked.paths.contains(*path)).collect();
    assert!(left.is_empty(), "not asked for: {left:?}");
    asked.get("/exit", &[]);
    let text = asked.text;
    compare_text(if is_windows() { "routes/windows" } else { "routes/linux" }, &text);
    agent.wait_for_lines("/exit: stopping", 1);
}

/// Of the page.
fn is_file(path: &str) -> bool {
    path.starts_with("/ui/") && path.contains('.')
}

fn is_fact(path: &str) -> bool {
    ["/page/", "/proc/", "/system/"].iter().any(|prefix| path.starts_with(prefix))
}

fn purge(asked: &mut Asked<'_>) {
    asked.ask("POST", "/queue/purge", &[], b"");
    asked.ask("POST", "/queue/purge", &["X-Falcon-Proof: purge-0123456789abcdef"], b"");
    // A healthy agent has made no directory yet.
    let queue = asked.agent.home().queue();
    fs::create_dir_all(&queue).and_then(|()| fs::write(queue.join("purge-fedcba9876543210"), "")).expect("writable");
    asked.ask("POST", "/queue/purge", &["X-Falcon-Proof: purge-fedcba9876543210"], b"");
}

/// What a proxy or a page of another site asks for.
fn refusals(asked: &mut Asked<'_>) {
    for path in ["/exit", "/config", "/config/reload", "/plugin/update", "/plugin/reset"] {
        for line in ["Forwarded: for=127.0.0.1", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Via: 1.1 x"] {
            asked.get(path, &[line]);
        }
        asked.get(path, &["Origin: http://evil.example"]);
        asked.get(path, &["User-Agent: Mozilla/5.0", "Sec-Fetch-Site: cross-site"]);
    }
    for headers in [&["Origin: http://evil.example"][..], &["Origin: http://evil.example", AS_JSON]] {
        asked.get("/health", headers);
        asked.ask("POST", "/v1/push", headers, b"[]");
    }
}

#[test]
fn what_is_refused_is_refused_as_it_was() {
    let config = json!({
        "hostname": "routes",
        "heartbeat": { "enabled": false },
        "http": { "token": "correct-horse-battery", "limits": { "items": 1, "body": 1024, "body_timeout": 1000 } },
    });
    let agent = Agent::start(&config);
    let mut asked = Asked::of(&agent);
    let bearer = "Authorization: Bearer correct-horse-battery";
    for form in [&[][..], &[AS_JSON]] {
        for path in ["/", "/config", "/exit", "/queue", "/page/memory"] {
            asked.get(path, form);
        }
        let with = [&[bearer], form].concat();
        asked.ask("POST", "/v1/push", &with, b"[null,null]");
        asked.ask("POST", "/v1/push", &with, &[b' '; 2000]);
        let late = format!("POST /v1/push HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n{}\r\n\r\n[", with.join("\r\n"));
        let answer = http::one(agent.http, late.as_bytes()).expect("an answer");
        asked.note("POST", "/v1/push", &with, b"[", &answer);
    }
    asked.get("/health", &[AS_JSON]);
    for path in ["/queue", "/queue/verify"] {
        asked.get(path, &[bearer]);
    }
    compare_text(if is_windows() { "routes/windows-refused" } else { "routes/linux-refused" }, &asked.text);
}
