//! Numbered points, and what must be true of how they arrive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::items::Item;
use crate::harness::servers::{Call, Server};
use crate::harness::{now, until};

/// A minute lies between two numbers.
const STEP: i64 = 60;
/// More than any test pushes: all stamps are in the past.
const MOST: i64 = 200_000;

/// Points of some series of one endpoint: the n-th of each has the value n and the n-th minute as its stamp.
pub struct Load {
    endpoint: &'static str,
    series: usize,
    first: i64,
    next: AtomicUsize,
}

impl Load {
    pub fn new(endpoint: &'static str, series: usize) -> Load {
        let first = now().div_euclid(STEP) * STEP - STEP * MOST;
        Load { endpoint, series, first, next: AtomicUsize::new(0) }
    }

    /// The next number, and a push of it.
    pub fn next(&self) -> (usize, Vec<u8>) {
        let n = self.next.fetch_add(1, SeqCst);
        let point = |series| {
            json!({ "endpoint": self.endpoint, "metric": format!("m{series}"), "value": n, "step": STEP,
                    "counterType": "GAUGE", "tags": "", "timestamp": self.stamp(n) })
        };
        (n, (0..self.series).map(point).collect::<Value>().to_string().into_bytes())
    }

    /// Pushes so many numbers, each by itself, that must be taken: at once, or when they come again, as they may be told to
    /// where the disk is slower than they come.
    pub fn push(&self, agent: &Agent, count: usize) {
        for _ in 0..count {
            let (n, body) = self.next();
            let answer = agent.wait(&format!("room for {n}"), || Some(agent.post(&body)).filter(|a| a.status != 503));
            assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{n}: {}", agent.state());
        }
    }

    /// How many numbers there are so far.
    pub fn pushed(&self) -> usize {
        self.next.load(SeqCst)
    }

    pub fn stamp(&self, n: usize) -> i64 {
        self.first + STEP * i64::try_from(n).unwrap()
    }

    /// A point of one of its series.
    pub fn item(&self, series: usize, n: usize) -> Item {
        Item {
            endpoint: self.endpoint.to_owned(),
            metric: format!("m{series}"),
            value: n as f64,
            step: STEP,
            counter_type: "GAUGE".to_owned(),
            tags: String::new(),
            timestamp: self.stamp(n),
        }
    }

    /// Number of a point, where it is one of these.
    pub fn number(&self, item: &Item) -> Option<usize> {
        (item.endpoint == self.endpoint).then(|| {
            let n = usize::try_from((item.timestamp - self.first) / STEP).expect("a stamp that was pushed");
            assert_eq!((item.timestamp, item.value), (self.stamp(n), n as f64), "{item:?}");
            n
        })
    }

    /// Waits until every number is at these transfers, each once and in order: a call that was answered is followed by the
    /// next numbers, one that was not by the same again.
    pub fn all_arrive(&self, agent: &Agent, servers: &[&Server]) {
        self.all_arrive_or(|| agent.state(), servers);
    }

    /// The same of an agent that can be asked for its `state` in another way.
    pub fn all_arrive_or(&self, state: impl Fn() -> String, servers: &[&Server]) {
        let points = self.pushed() * self.series;
        until(&format!("{points} points of {}", self.endpoint), &state, || {
            (self.answered(servers) >= points).then_some(())
        });
        let mut next: BTreeMap<String, usize> = BTreeMap::new();
        for call in taken(servers) {
            let mut here = next.clone();
            for item in &call.items {
                let Some(n) = self.number(item) else { continue };
                let expected = here.entry(item.metric.clone()).or_default();
                assert_eq!(n, *expected, "{item:?} came out of turn\n{}", state());
                *expected += 1;
            }
            if call.answered {
                next = here;
            }
        }
        assert!(next.len() == self.series && next.values().all(|count| *count == self.pushed()), "{next:?}");
    }

    /// Numbers of one of its series that a transfer has taken, as they came.
    pub fn numbers(&self, server: &Server, series: usize) -> Vec<usize> {
        let metric = self.item(series, 0).metric;
        server.items().iter().filter(|item| item.metric == metric).filter_map(|item| self.number(item)).collect()
    }

    /// Points in calls that were answered.
    fn answered(&self, servers: &[&Server]) -> usize {
        let calls = taken(servers).into_iter().filter(|call| call.answered);
        calls.flat_map(|call| call.items).filter(|item| item.endpoint == self.endpoint).count()
    }
}

/// What the agent collects itself: no series steps back in time, and none comes again after an answer.
pub fn own_points_are_in_order(agent: &Agent, servers: &[&Server]) {
    let own = |call: &Call| call.items.iter().any(|item| item.endpoint == "faults");
    // The first cycle of a Windows agent takes seconds under Wine.
    agent.wait("points that it has collected", || taken(servers).iter().any(own).then_some(()));
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for call in taken(servers) {
        let mut here = newest.clone();
        for item in call.items.iter().filter(|item| item.endpoint == "faults") {
            let before = here.insert(item.series(), item.timestamp);
            assert!(before.is_none_or(|before| before < item.timestamp), "after {before:?} came {item:?}");
        }
        if call.answered {
            newest = here;
        }
    }
}

/// The calls that count, of all these transfers, in the order in which they came.
fn taken(servers: &[&Server]) -> Vec<Call> {
    let mut calls: Vec<Call> = servers.iter().flat_map(|server| server.calls()).filter(|call| call.taken).collect();
    calls.sort_by_key(|call| call.at);
    calls
}
