//! Whoever must not notice a reload, and what became of their points.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::bed::{Bed, CLIENT, STEADY};
use crate::harness::agent::Agent;
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

/// Every point that was taken has arrived, once and in order, but for those that were told to stay where a queue has been; and
/// the steady series has every stamp but those of the time when nothing was to be sent.
pub fn nothing_was_lost(bed: &Bed, agent: &Agent, client: &Client, pauses: &[(i64, i64)]) {
    let pushed = || -> Vec<i64> {
        let calls = bed.calls_since(Duration::ZERO);
        calls.iter().flatten().filter(|item| item.endpoint == CLIENT).map(|item| item.value as i64).collect()
    };
    let taken = client.taken.load(Relaxed);
    let arrived = agent.wait("as many points as were taken", || {
        Some(pushed()).filter(|arrived| i64::try_from(arrived.len()).is_ok_and(|count| count >= taken))
    });
    let mut in_order = arrived.clone();
    in_order.sort_unstable();
    assert!(in_order.into_iter().eq(0..taken), "of {taken}: {arrived:?}\n{}", agent.state());
    let is_late = |at: &usize| arrived[..*at].iter().any(|before| *before > arrived[*at]);
    let late = (0..arrived.len()).filter(is_late).count();
    assert!(late <= stayed(agent), "{arrived:?}\n{}", agent.state());
    let stamps = bed.steady();
    for pair in stamps.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let paused = pauses.iter().any(|(from, to)| before >= from - 2 * STEADY.1 && after <= to + 2 * STEADY.1);
        let is_next = after == before + STEADY.1 || paused && after > before;
        assert!(is_next, "{before} is followed by {after}: {stamps:?}\n{}", agent.state());
    }
}

/// How many points the agent has told to stay in a directory that was its queue's.
fn stayed(agent: &Agent) -> usize {
    let told = agent.lines(" points stay in ");
    told.iter().filter_map(|line| line.split_once("reload: ")?.1.split(' ').next()?.parse::<usize>().ok()).sum()
}
