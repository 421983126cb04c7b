//! Whoever must not notice a reload, and what became of their points.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::bed::{Bed, CLIENT, STEADY};
use crate::harness::agent::{Agent, Home};
use crate::harness::items::Item;
use crate::harness::{http, now};

/// Between two pushes.
const PAUSE: Duration = Duration::from_millis(20);

/// Pushes numbered points until it is told to end, each until it is taken.
pub struct Client {
    /// Address, and headers of a request.
    to: Mutex<(SocketAddr, String)>,
    taken: AtomicI64,
    ends: AtomicBool,
    from: i64,
}

/// Has it end.
pub struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Client {
    pub fn new(to: SocketAddr) -> Client {
        let to = Mutex::new((to, String::new()));
        Client { to, taken: AtomicI64::new(0), ends: AtomicBool::new(false), from: now() - 30_000 }
    }

    pub fn ends(&self) -> Ends<'_> {
        Ends(&self.ends)
    }

    /// Goes where the section `http` says.
    pub fn follows(&self, section: &Value) {
        let address = section["listen"].as_str().expect("set").parse().expect("an address");
        let token = section["token"].as_str().filter(|token| !token.is_empty());
        let headers = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        *self.to.lock().unwrap() = (address, headers);
    }

    pub fn push(&self) {
        while !self.ends.load(Relaxed) {
            let n = self.taken.load(Relaxed);
            let item = json!([{ "endpoint": CLIENT, "metric": "m", "value": n, "step": 1, "counterType": "GAUGE",
                                "tags": "", "timestamp": self.from + n }]);
            let (to, headers) = self.to.lock().unwrap().clone();
            let answer = http::post_with(to, "/v1/push", &headers, item.to_string().as_bytes());
            if answer.is_ok_and(|answer| answer.status == 200) {
                self.taken.store(n + 1, Relaxed);
            }
            sleep(PAUSE);
        }
    }
}

/// Ends the agent. Every point that was taken has arrived, once and in order, but for those that were told to stay where a queue
/// has been: they come later. The steady series has every stamp but those of the time when nothing was to be sent.
pub fn nothing_was_lost(bed: &Bed, agent: Agent, client: &Client, pauses: &[(i64, i64)]) {
    let stayed = stayed(&agent);
    let (home, ended) = agent.stop_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let dirs: BTreeSet<&str> = stayed.iter().map(|(_, dir)| dir.as_str()).chain(["var"]).collect();
    dirs.into_iter().for_each(|dir| fetch(bed, &home, dir));
    let may_be_late: usize = stayed.iter().map(|(points, _)| points).sum();

    let of = |is_meant: &dyn Fn(&Item) -> bool, number: fn(&Item) -> i64| -> Vec<i64> {
        bed.calls_since(Duration::ZERO).iter().flatten().filter(|item| is_meant(item)).map(number).collect()
    };
    let mut pushed = of(&|item| item.endpoint == CLIENT, |item| item.value as i64);
    let mut stamps = of(&|item| item.metric == STEADY.0, |item| item.timestamp);
    assert!(late(&pushed) + late(&stamps) <= may_be_late, "{pushed:?}, {stamps:?}\n{}", ended.err);
    pushed.sort_unstable();
    stamps.sort_unstable();
    let taken = client.taken.load(Relaxed);
    assert!(pushed.iter().copied().eq(0..taken), "of {taken}: {pushed:?}\n{}", ended.err);
    for pair in stamps.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let paused = pauses.iter().any(|(from, to)| before >= from - 2 * STEADY.1 && after <= to + 2 * STEADY.1);
        let is_next = after == before + STEADY.1 || paused && after > before;
        assert!(is_next, "{before} is followed by {after}: {stamps:?}\n{}", ended.err);
    }
}

/// How many come after one that is newer.
fn late(numbers: &[i64]) -> usize {
    let is_late = |at: &usize| numbers[..*at].iter().any(|before| *before > numbers[*at]);
    (0..numbers.len()).filter(is_late).count()
}

/// How many points the agent has told to stay in a state directory that it left.
fn stayed(agent: &Agent) -> Vec<(usize, String)> {
    let read = |line: &String| {
        let (points, dir) = line.split_once("reload: ")?.1.split_once(" points stay in ")?;
        Some((points.parse().ok()?, dir.split_once("/queue;")?.0.to_owned()))
    };
    agent.lines(" points stay in ").iter().filter_map(read).collect()
}

/// Has an agent send what waits in a state directory, and nothing else.
fn fetch(bed: &Bed, home: &Home, dir: &str) {
    let agent = Agent::start_in(
        home,
        &json!({ "hostname": "h", "state_dir": dir, "heartbeat": { "enabled": false },
                 "transfer": { "enabled": false, "addrs": [bed.transfers[0].addr],
                               "replay_delay": 0, "replay_speed": 0, "replay_pause": 0 } }),
    );
    agent.wait("an empty queue", || (agent.get("/queue").json()["data"]["points"] == 0).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}
