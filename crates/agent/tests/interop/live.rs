//! What the finished executable reads while somebody watches it, and while nobody does.

use std::io::Read;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::http::{self, Answer};
use crate::harness::peer::Peer;

/// One who watches.
pub struct Stream {
    stream: TcpStream,
    /// What came and was not looked at.
    text: String,
}

impl Stream {
    /// With the head of the answer, and the first that is said.
    pub fn open(agent: &Agent) -> (Stream, Answer) {
        use std::io::Write;
        let mut stream = http::connect(agent.http).expect("connected");
        stream.write_all(b"GET /ui/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut stream = Stream { stream, text: String::new() };
        let head = stream.until("\r\n\r\n");
        stream.until("\r\n");
        let said = stream.until("\n\n");
        (stream, Answer::parse((head + &said).as_bytes()).expect("an answer"))
    }

    /// Reads up to and with `mark`; `None`: the stream ended before.
    fn read(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some(at) = self.text.find(mark) {
                let rest = self.text.split_off(at + mark.len());
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let mut part = [0; 4096];
            match self.stream.read(&mut part).expect("in time") {
                0 => return None,
                n => self.text.push_str(&String::from_utf8_lossy(&part[..n])),
            }
        }
    }

    fn until(&mut self, mark: &str) -> String {
        self.read(mark).unwrap_or_else(|| panic!("ended before {mark:?}: {}", self.text))
    }

    fn event(&mut self) -> Value {
        self.until("data: ");
        let event = self.until("\n\n");
        serde_json::from_str(&event).unwrap_or_else(|error| panic!("{error}: {event}"))
    }

    /// The next event of which this is so.
    fn event_with(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.event();
            if fits(&event) {
                return event;
            }
        }
    }
}

fn readings(agent: &Agent) -> Value {
    agent.get("/ui/state").json()["live"].clone()
}

/// A page that is open costs the host a reading a second, and its agent's end nothing.
#[test]
fn nothing_is_read_while_nobody_watches_and_who_watches_hears_of_the_host_until_the_agent_ends() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("live"));
    peer.wait("two cycles", &agent, || (peer.cycles().len() >= 2).then_some(()));
    assert_eq!(readings(&agent), json!({ "watching": 0, "readings": 0 }));

    let (mut stream, answer) = Stream::open(&agent);
    assert_eq!((answer.status, answer.text().as_str()), (200, "retry: 3000\n\n"));
    let first = stream.event();
    assert!(first["mem"]["total"].as_u64().is_some_and(|total| total > 0), "{first}");
    assert!(first["cpu"].is_null() && first["net"].is_null() && first["disk"].is_null(), "{first}");
    let busy = stream.event_with(|event| event["cpu"].is_object());
    assert!(busy["cpu"]["busy"].as_f64().is_some_and(|share| (0.0..=100.0).contains(&share)), "{busy}");
    assert!(busy["t"].as_i64() > first["t"].as_i64(), "{busy}");
    // On Windows the list of processes tells it.
    stream.event_with(|event| event["queue"].is_u64());
    let top = stream.event_with(|event| event["top"].is_array());
    let processes = top["top"].as_array().unwrap();
    let named = |process: &Value| process["name"].as_str().is_some_and(|name| !name.is_empty());
    assert!((1..=8).contains(&processes.len()) && processes.iter().all(named), "{top}");
    assert_eq!(readings(&agent)["watching"], 1);

    let ended = agent.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    // Its last chunk: it was ended, and not cut off.
    stream.until("\r\n0\r\n\r\n");
    assert_eq!(stream.read("\n"), None);
}
