//! An agent whose configuration changes key by key, what stands around it, and what must not notice: a program that pushes
//! all the time, and a series with a step of its own that no row changes.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::losses::{Client, nothing_was_lost};
use super::row::{Row, merge};
use crate::harness::agent::{Agent, free_address};
use crate::harness::host::Host;
use crate::harness::http::{self, Answer};
use crate::harness::items::Item;
use crate::harness::now;
use crate::harness::servers::{BlackHole, Hbs, Server};

/// Of a collector that has a lane of its own here, and its step: with two seconds after its phase for a reload to pass.
pub const STEADY: (&str, i64) = ("kernel.maxproc", 5);
/// Whose points are pushed.
pub const CLIENT: &str = "app";

pub struct Bed {
    pub transfers: [Server; 2],
    pub hbs: [Hbs; 2],
    pub hole: BlackHole,
    /// For whoever sends datagrams.
    pub udp: UdpSocket,
    pub listen: [SocketAddr; 2],
    /// For files that rows name.
    pub dir: TempDir,
    host: Host,
}

impl Bed {
    pub fn new() -> Bed {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        udp.set_nonblocking(true).expect("an option");
        let hbs = [Hbs::start(), Hbs::start()];
        hbs[0].assigns(&[("net.port.listen", "port=1")]);
        hbs[1].assigns(&[("net.port.listen", "port=2")]);
        Bed {
            transfers: [Server::good(), Server::good()],
            hbs,
            hole: BlackHole::start(),
            udp,
            listen: [free_address(), free_address()],
            dir: tempfile::tempdir().expect("a directory"),
            host: Host::typical(),
        }
    }

    /// What no row changes, and what has its default of a dialect that a row may tell.
    fn config(&self) -> Value {
        json!({
            "hostname": "h",
            "heartbeat": { "addr": [self.hbs[0].addr()], "interval": 1 },
            "transfer": { "addrs": [self.transfers[0].addr], "interval": 1,
                          "replay_delay": 0, "replay_speed": 0, "replay_pause": 0 },
            "http": { "listen": self.listen[0].to_string() },
            "collector": { "names": ["falcon", "extended"], "intervals": { "kernel": STEADY.1 } },
            "service": { "alive": "running" },
        })
    }

    /// One agent and one reload for each row: from all the old values to one new one, and at the end back to the old ones.
    pub fn walk(&self, rows: &[Row]) {
        let mut base = self.config();
        rows.iter().for_each(|row| merge(&mut base, &row.old_file()));
        let agent = Agent::start_on(&self.host, &base);
        let client = Client::new(agent.http);
        let mut pauses = Vec::new();
        std::thread::scope(|scope| {
            // Also when the test fails: the thread is waited for.
            let _end = client.ends();
            scope.spawn(|| client.push());
            let start = Stage::new(self, &agent, Mark::default(), Value::Null);
            rows.iter().for_each(|row| start.wait(row, row.old()));
            for row in rows {
                let from = now();
                let mut config = base.clone();
                merge(&mut config, &row.new_file());
                let stage = self.reload(&agent, &config, &client);
                row.is_told(&stage.outcome);
                stage.wait(row, row.wanted());
                if row.is_a_pause() {
                    pauses.push((from, now()));
                }
            }
            let end = self.reload(&agent, &base, &client);
            rows.iter().for_each(|row| end.wait(row, row.old()));
            agent.wait("a steady point after all", || (self.steady().last()? > &end.since.stamp).then_some(()));
        });
        nothing_was_lost(self, agent, &client, &pauses);
    }

    fn reload<'b>(&'b self, agent: &'b Agent, config: &Value, client: &Client) -> Stage<'b> {
        let outcome = agent.reload(config);
        client.follows(&config["http"]);
        let since = Mark {
            stamp: now(),
            at: self.transfers[0].now(),
            calls: self.hbs.each_ref().map(Hbs::count),
            lines: agent.lines("").len(),
        };
        Stage::new(self, agent, since, outcome)
    }

    /// Stamps of the steady series in the order of arrival.
    pub fn steady(&self) -> Vec<i64> {
        let mut stamps = Vec::new();
        for call in self.calls_since(Duration::ZERO) {
            stamps.extend(call.iter().filter(|item| item.metric == STEADY.0).map(|item| item.timestamp));
        }
        stamps
    }

    /// What was taken, call by call in the order of arrival at both transfers.
    pub fn calls_since(&self, at: Duration) -> Vec<Vec<Item>> {
        let mut calls: Vec<_> = self.transfers.iter().flat_map(|server| server.calls_since(at)).collect();
        calls.retain(|call| call.taken);
        calls.sort_by_key(|call| call.at);
        calls.into_iter().map(|call| call.items).collect()
    }
}

/// A moment: all that is later is of the configuration that is in effect since then.
#[derive(Default)]
struct Mark {
    stamp: i64,
    at: Duration,
    calls: [usize; 2],
    lines: usize,
}

/// The time since a reload, as a row sees it.
pub struct Stage<'b> {
    pub bed: &'b Bed,
    pub agent: &'b Agent,
    pub outcome: Value,
    since: Mark,
}

impl<'b> Stage<'b> {
    fn new(bed: &'b Bed, agent: &'b Agent, since: Mark, outcome: Value) -> Stage<'b> {
        Stage { bed, agent, outcome, since }
    }

    fn wait(&self, row: &Row, value: &Value) {
        let what = format!("{}: {value} to be at work", row.key);
        self.agent.wait(&what, || row.is_at_work(self, value).then_some(()));
    }

    /// Points of this agent that were measured since, by cycle.
    pub fn cycles(&self) -> Vec<Vec<Item>> {
        let mut cycles: BTreeMap<i64, Vec<Item>> = BTreeMap::new();
        for item in self.bed.calls_since(self.since.at).into_iter().flatten() {
            if item.endpoint != CLIENT && item.timestamp > self.since.stamp {
                cycles.entry(item.timestamp).or_default().push(item);
            }
        }
        // What is not there must be missing beside something of the same lane.
        cycles.into_values().filter(|items| items.iter().any(|item| item.metric == "agent.alive")).collect()
    }

    /// Whether a transfer got a cycle.
    pub fn got_cycle(&self, server: &Server) -> bool {
        let mut items = server.calls_since(self.since.at).into_iter().flat_map(|call| call.items);
        items.any(|item| item.metric == "agent.alive" && item.timestamp > self.since.stamp)
    }

    /// For how long points that are pushed have arrived.
    pub fn pushes_arrive_for(&self) -> Duration {
        let calls = self.bed.transfers.iter().flat_map(|server| server.calls_since(self.since.at));
        let pushed = calls.filter(|call| call.items.iter().any(|item| item.endpoint == CLIENT));
        pushed.map(|call| call.at - self.since.at).max().unwrap_or_default()
    }

    /// Arguments of the calls to one of the hbs.
    pub fn hbs_calls(&self, n: usize, method: &str) -> Vec<Value> {
        self.bed.hbs[n].calls_after(self.since.calls[n], method)
    }

    /// Whole lines of the log with this text.
    pub fn lines(&self, text: &str) -> usize {
        self.agent.lines("").iter().skip(self.since.lines).filter(|line| line.contains(text)).count()
    }

    /// The answer at the address that the agent was started with.
    pub fn get(&self, path: &str) -> Option<Answer> {
        http::get(self.agent.http, path).ok()
    }
}
