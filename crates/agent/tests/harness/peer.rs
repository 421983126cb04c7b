//! The Go transfer and hbs: started with free ports, read line by line, taken down and put up by command.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::agent::Agent;
use super::items::Item;
use super::until;

pub struct Peer {
    child: Child,
    commands: ChildStdin,
    lines: Arc<Mutex<Vec<Value>>>,
    pub transfer: String,
    pub hbs: String,
}

/// One `Transfer.Update`.
#[derive(Debug)]
pub struct Update {
    /// How many lines the peer had printed before this one.
    pub at: usize,
    pub items: Vec<Item>,
    pub invalid: i64,
}

impl Peer {
    pub fn start() -> Peer {
        let exe = std::env::var_os("FALCON_PEER").unwrap_or_else(|| {
            panic!("FALCON_PEER must name the Go peer; `cargo xtask test --only interop-linux` builds and sets it")
        });
        let mut command = Command::new(exe);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let commands = child.stdin.take().expect("a pipe was asked for");
        let out = child.stdout.take().expect("a pipe was asked for");
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "not JSON": line }));
                into.lock().unwrap().push(line);
            }
        });
        let mut peer = Peer { child, commands, lines, transfer: String::new(), hbs: String::new() };
        let first = until("the peer's addresses", String::new, || peer.lines().first().cloned());
        let address = |name: &str| first[name].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
        (peer.transfer, peer.hbs) = (address("transfer"), address("hbs"));
        peer
    }

    /// A `cfg.json` that names this peer, with steps of a second.
    pub fn config(&self, hostname: &str) -> Value {
        json!({
            "hostname": hostname,
            "heartbeat": { "enabled": true, "addr": self.hbs, "interval": 1, "timeout": 1000 },
            "transfer": { "enabled": true, "addrs": [self.transfer], "interval": 1, "timeout": 1000 },
        })
    }

    /// Everything the peer said so far.
    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    pub fn updates(&self) -> Vec<Update> {
        let update = |(at, line): (usize, &Value)| {
            let is_update = line["call"] == "Transfer.Update";
            is_update.then(|| Update {
                at,
                items: Item::parse_all(&line["items"]),
                invalid: line["invalid"].as_i64().unwrap_or_else(|| panic!("{line}")),
            })
        };
        self.lines().iter().enumerate().filter_map(update).collect()
    }

    /// Every point in the order of arrival.
    pub fn items(&self) -> Vec<Item> {
        self.updates().into_iter().flat_map(|update| update.items).collect()
    }

    /// The points of one endpoint in the order of arrival.
    pub fn items_of(&self, endpoint: &str) -> Vec<Item> {
        self.items().into_iter().filter(|item| item.endpoint == endpoint).collect()
    }

    /// The stamps of `agent.alive` in the order of arrival: one for each cycle.
    pub fn cycles(&self) -> Vec<i64> {
        self.items().into_iter().filter(|item| item.metric == "agent.alive").map(|item| item.timestamp).collect()
    }

    /// The arguments of each `Agent.ReportStatus`.
    pub fn reports(&self) -> Vec<Value> {
        self.lines()
            .into_iter()
            .filter(|line| line["call"] == "Agent.ReportStatus")
            .map(|l| l["args"].clone())
            .collect()
    }

    /// Waits for something that an agent does at this peer.
    pub fn wait<T>(&self, what: &str, agent: &Agent, ask: impl FnMut() -> Option<T>) -> T {
        let calls = || self.lines().iter().rev().take(3).map(|line| format!("\n{line}")).collect::<String>();
        until(what, || format!("{}\nlast calls:{}", agent.state(), calls()), ask)
    }

    /// What hbs says from now on: `Metrics`, `Plugins`, `Trustable`, and by how many seconds its clock is `Ahead`.
    pub fn hbs_says(&mut self, script: &Value) {
        let done = |peer: &Peer| peer.lines().iter().filter(|line| **line == json!({ "event": "hbs" })).count();
        let before = done(self);
        writeln!(self.commands, "hbs {script}").expect("the peer runs");
        until("hbs to know", || format!("{:?}", self.lines().last()), || (done(self) > before).then_some(()));
    }

    /// Takes transfer and hbs down or puts them up; answers how many lines the peer had printed when it was done.
    pub fn say(&mut self, command: &str) -> usize {
        let before = self.lines().len();
        writeln!(self.commands, "{command}").expect("the peer runs");
        let done = json!({ "event": command });
        until(
            command,
            || format!("{:?}", self.lines().last()),
            || self.lines().iter().skip(before).position(|line| *line == done).map(|place| before + place),
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
