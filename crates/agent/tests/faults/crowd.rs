//! Crowds at the agent's door: whoever asks for `/health` meanwhile is answered, and collection goes on.
//!
//! The worst time that an answer took is printed; what is asserted of it is only that nobody would give up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::config;
use crate::harness::agent::{Agent, RSS_LIMIT_KB};
use crate::harness::http;
use crate::harness::is_windows;
use crate::harness::servers::Server;

/// Wine takes milliseconds to accept one, and then those that came before first; the agent holds 256 in any case.
fn connections() -> usize {
    if is_windows() { 2_000 } else { 10_000 }
}

/// The agent's own measure is a tenth of a second; the rest is for a machine that does other things too.
const TOO_LONG: Duration = Duration::from_secs(2);
const TOO_LONG_FOR_WINE: Duration = Duration::from_secs(5);

/// Asks for `/health` again and again until the work is done; answers what the work did.
fn answering<T>(name: &str, agent: &Agent, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let (done, done_at_last) = (&done, Done(&done));
    thread::scope(|scope| {
        let asking = scope.spawn(move || {
            let (mut worst, mut asked) = (Duration::ZERO, 0);
            while !done.load(SeqCst) || asked == 0 {
                let start = Instant::now();
                agent.assert_healthy();
                worst = worst.max(start.elapsed());
                asked += 1;
                thread::sleep(Duration::from_millis(5));
            }
            (worst, asked)
        });
        let result = work();
        drop(done_at_last);
        let (worst, asked) = asking.join().expect("/health is answered");
        println!("{name}: {asked} times /health, answered within {worst:?}");
        let too_long = if is_windows() { TOO_LONG_FOR_WINE } else { TOO_LONG };
        assert!(worst < too_long, "{name}: {worst:?}\n{}", agent.state());
        result
    })
}

/// Also when the work fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Two more cycles arrive, and a push.
fn goes_on(agent: &Agent, server: &Server) {
    let count = |metric: &str| server.items().iter().filter(|item| item.metric == metric).count();
    let before = count("agent.alive");
    agent.push(&json!([{ "endpoint": "app", "metric": "m", "value": 1, "step": 60, "counterType": "GAUGE" }]));
    agent.wait("two cycles", || (count("agent.alive") >= before + 2).then_some(()));
    agent.wait("the push", || (count("m") == 1).then_some(()));
}

fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("up to the hard limit");
}

/// 256 connections that idled once kept everybody else out until they were cut off, and again after that.
#[test]
fn ten_thousand_connections_that_never_ask() {
    allow_descriptors();
    let server = Server::good();
    let agent = Agent::start(&config(&[&server.addr]));
    answering("idle connections", &agent, || {
        let begins = ["", "GET /hea", "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n["];
        let mut crowd: Vec<TcpStream> = Vec::new();
        for n in 0..connections() {
            let mut stream =
                http::connect(agent.http).unwrap_or_else(|error| panic!("{n}: {error}\n{}", agent.state()));
            // One that the agent has closed for a newer one already takes no more.
            let _ = stream.write_all(begins[n % begins.len()].as_bytes());
            crowd.push(stream);
        }
        goes_on(&agent, &server);
        assert!(is_windows() || agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
    });
    assert_eq!(agent.terminate().code, Some(0));
}

/// A byte now and then, of a header or of a body: as slow as can be, and never done.
#[test]
fn headers_and_bodies_that_trickle() {
    let server = Server::good();
    let agent = Agent::start(&config(&[&server.addr]));
    let slow = answering("100 slow clients", &agent, || {
        let head = "POST /v1/push HTTP/1.1\r\nHost: localhost\r\n";
        let mut slow: Vec<TcpStream> = (0..100).map(|_| http::connect(agent.http).expect("connected")).collect();
        for (n, stream) in slow.iter_mut().enumerate() {
            let begin = if n % 2 == 0 { format!("{head}Content-Length: 5000\r\n\r\n") } else { head.to_owned() };
            stream.write_all(begin.as_bytes()).expect("sent");
        }
        for _ in 0..30 {
            for stream in &mut slow {
                let _ = stream.write_all(b"x");
            }
            thread::sleep(Duration::from_millis(100));
        }
        // One of them comes to its end.
        let mut stream = slow.swap_remove(1);
        for byte in b": 1\r\nConnection: close\r\n\r\n" {
            stream.write_all(&[*byte]).expect("sent");
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("body is blank\n"), "{answer}");
        goes_on(&agent, &server);
        slow
    });
    // Those that are still at it hold up no end either.
    assert_eq!(agent.terminate().code, Some(0));
    drop(slow);
}

/// What takes longest to read of what one body may hold, from several at once.
#[test]
fn bodies_that_are_hard_to_read() {
    let server = Server::good();
    let agent = Agent::start(&config(&[&server.addr]));
    let item = |n: usize| json!({ "endpoint": "app", "metric": format!("m{n}"), "value": n, "step": 60, "counterType": "GAUGE" });
    let bodies = [
        format!("[{}{{}}]", "{},".repeat(1_000_000)),
        "[".repeat(7 << 20),
        format!("[{}", "{\"x\":".repeat(1_000_000)),
        format!(
            "[{}]",
            item(0).to_string().replacen('{', &format!("{{\"x\":{}{},", "[".repeat(9_990), "]".repeat(9_990)), 1)
        ),
        (0..50_000).map(item).collect::<Value>().to_string(),
    ];
    answering("hard bodies", &agent, || {
        thread::scope(|scope| {
            for body in &bodies {
                let agent = &agent;
                scope.spawn(move || {
                    for _ in 0..3 {
                        let answer = agent.post(body.as_bytes());
                        assert!(matches!(answer.status, 200 | 400 | 413 | 503), "{}: {}", answer.status, answer.text());
                    }
                });
            }
        });
        goes_on(&agent, &server);
    });
    assert!(is_windows() || agent.rss_kb() < 2 * RSS_LIMIT_KB, "{} kB", agent.rss_kb());
}
