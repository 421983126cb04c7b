//! What arrived at the transfer, compared with what was computed by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::items::Item;
use crate::harness::peer::Peer;

/// A series as [`Item::series`] writes it, and the number that it must have.
pub type Expected<'a> = (&'a str, Number);

#[derive(Clone, Copy, Debug)]
pub enum Number {
    Is(f64),
    /// What is measured over a time that nobody knows to the last tick: within a tenth.
    About(f64),
}

impl Number {
    fn is(self, value: f64) -> bool {
        match self {
            Number::Is(number) => number == value,
            Number::About(number) => (value - number).abs() <= number.abs() / 10.0,
        }
    }
}

/// `Number::Is` of a whole number.
pub fn is(value: u32) -> Number {
    Number::Is(f64::from(value))
}

/// A `cfg.json` for this peer, with steps of a second and every set of names whose numbers are computed here.
pub fn config(peer: &Peer) -> Value {
    let mut config = peer.config("perf");
    config["collector"] = json!({ "names": ["falcon", "windows-agent", "extended"] });
    config
}

/// Points by their stamps.
pub fn cycles(peer: &Peer) -> BTreeMap<i64, BTreeMap<String, f64>> {
    let mut cycles: BTreeMap<i64, BTreeMap<String, f64>> = BTreeMap::new();
    for item in peer.items() {
        cycles.entry(item.timestamp).or_default().insert(item.series(), item.value);
    }
    cycles
}

/// Waits for one cycle in which every series has its number; answers its stamp.
pub fn arrive(peer: &Peer, agent: &Agent, expected: &[Expected<'_>]) -> i64 {
    let fits = |cycle: &BTreeMap<String, f64>| {
        expected.iter().all(|(series, number)| cycle.get(*series).is_some_and(|value| number.is(*value)))
    };
    let ask = || cycles(peer).into_iter().rev().find(|(_, cycle)| fits(cycle)).map(|(stamp, _)| stamp);
    crate::harness::until("numbers of a script", || differences(peer, agent, expected), ask)
}

fn differences(peer: &Peer, agent: &Agent, expected: &[Expected<'_>]) -> String {
    let cycles = cycles(peer);
    let last = |series: &str| cycles.iter().rev().find_map(|(stamp, cycle)| Some((*stamp, *cycle.get(series)?)));
    let mut text = String::new();
    for (series, number) in expected {
        let seen = last(series);
        if !seen.is_some_and(|(_, value)| number.is(value)) {
            text += &format!("{series}: {number:?}, last seen {seen:?}\n");
        }
    }
    let known: BTreeSet<&String> = cycles.values().flat_map(BTreeMap::keys).collect();
    let ours: Vec<&&String> = known.iter().filter(|series| is_of_counters(series)).collect();
    format!("{text}all of counters: {ours:#?}\n{}", agent.state())
}

fn is_of_counters(series: &str) -> bool {
    ["iis.", "mssql.", "sqlserver.", "perf.", "fx.", "clr.", "agent.perf."].iter().any(|part| series.starts_with(part))
}

/// The series that begin so, of all cycles.
pub fn series(peer: &Peer, prefix: &str) -> BTreeSet<String> {
    peer.items().iter().map(Item::series).filter(|series| series.starts_with(prefix)).collect()
}

/// Stamps of one series, in the order of arrival.
pub fn stamps(peer: &Peer, series: &str) -> Vec<i64> {
    peer.items().iter().filter(|item| item.series() == series).map(|item| item.timestamp).collect()
}

/// The last value of a series.
pub fn last(peer: &Peer, series: &str) -> Option<f64> {
    peer.items().iter().rev().find(|item| item.series() == series).map(|item| item.value)
}

/// How many processes that asked have fallen, as the agent tells from the cycle after its first query on.
pub fn deaths(peer: &Peer, agent: &Agent) -> f64 {
    peer.wait("agent.perf.deaths", agent, || last(peer, "agent.perf.deaths COUNTER"))
}
