//! Transfers and hbs that go away and come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::is_long;
use crate::harness::peer::Peer;
use crate::harness::servers::Dead;
use crate::now;

/// Three cycles.
const OUTAGE: Duration = Duration::from_secs(3);

fn push(agent: &Agent, n: usize) {
    agent.push(&json!([{ "endpoint": "app", "metric": "n", "value": n, "step": 1, "counterType": "GAUGE", "tags": "",
                         "timestamp": now() }]));
}

/// Once; with `cargo xtask test --long` again and again.
fn rounds() -> usize {
    if is_long() { 50 } else { 1 }
}

#[test]
fn three_cycles_without_a_server_lose_no_point() {
    let mut peer = Peer::start();
    let agent = Agent::start(&peer.config("outage"));
    let (mut pushed, mut cuts) = (0, Vec::new());
    for round in 1..=rounds() {
        push(&agent, pushed);
        pushed += 1;
        let cycles = peer.cycles().len();
        peer.wait("servers that have all and answer", &agent, || {
            let said =
                ["points are being sent", "this host is reported as"].iter().all(|t| agent.lines(t).len() == round);
            (said && peer.items_of("app").len() == pushed && peer.cycles().len() >= cycles + 2).then_some(())
        });

        cuts.push(peer.say("down"));
        let (from, start) = (now(), Instant::now());
        while start.elapsed() < OUTAGE {
            agent.assert_healthy();
            push(&agent, pushed);
            pushed += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        agent.wait_for_lines("points wait until a transfer answers", round);
        agent.wait_for_lines("WARN R004 hbs: ", round);
        let to = now();
        let reported = peer.reports().len();
        peer.say("up");
        peer.wait("everything to go on", &agent, || {
            let resumed = peer.cycles().last().is_some_and(|stamp| *stamp > to) && peer.reports().len() > reported;
            (resumed && peer.items_of("app").len() >= pushed).then_some(())
        });
        agent.wait_for_lines("the backlog is sent", round);
        let cycles = peer.cycles();
        let during = cycles.iter().filter(|stamp| (from + 1..to).contains(stamp)).count();
        assert!(during >= 1, "no cycle from {from} to {to} in {cycles:?}");
    }
    let numbers: Vec<f64> = peer.items_of("app").iter().map(|item| item.value).collect();
    let expected: Vec<f64> = (0..u32::try_from(pushed).unwrap()).map(f64::from).collect();
    assert_eq!(numbers, expected, "each once, in order");
    in_order_and_once(&peer, &cuts);
    let items = peer.items();
    let dropped: Vec<_> = items.iter().filter(|i| i.metric == "agent.transfer.dropped" && i.value > 0.0).collect();
    assert!(dropped.is_empty(), "{dropped:?}");
    for (text, count) in [
        ("points wait until a transfer answers", rounds()),
        ("points are being sent", rounds() + 1),
        ("WARN R004 hbs: ", rounds()),
        ("this host is reported as", rounds() + 1),
    ] {
        agent.wait_for_lines(text, count);
        assert_eq!(agent.lines(text).len(), count, "{text:?}\n{}", agent.state());
    }
    let ended = agent.terminate();
    assert!(ended.code == Some(0) && ended.err.contains("every point was sent"), "{}", ended.err);
}

/// No series steps back in time, and a point comes twice only where the answer to its call was cut off.
fn in_order_and_once(peer: &Peer, cuts: &[usize]) {
    let updates = peer.updates();
    let last_before = |cut: &usize| updates.iter().rev().find(|update| update.at < *cut).map(|update| update.at);
    let cut: Vec<usize> = cuts.iter().filter_map(last_before).collect();
    let mut newest: BTreeMap<String, (i64, usize)> = BTreeMap::new();
    for update in &updates {
        for item in update.items.iter().filter(|item| item.endpoint == "outage") {
            let before = newest.insert(item.series(), (item.timestamp, update.at));
            let Some((stamp, at)) = before else { continue };
            let repeated = stamp == item.timestamp && cut.contains(&at);
            assert!(stamp < item.timestamp || repeated, "after {stamp} came {item:?}");
        }
    }
}

#[test]
fn dead_addresses_are_passed_over_from_the_start() {
    let peer = Peer::start();
    let dead: Vec<Dead> = (0..4).map(|_| Dead::start()).collect();
    let mut addrs: Vec<&str> = dead.iter().map(|dead| dead.addr.as_str()).collect();
    addrs.insert(2, &peer.transfer);
    let mut config = peer.config("failover");
    config["transfer"]["addrs"] = json!(addrs);
    let agent = Agent::start(&config);
    peer.wait("three cycles", &agent, || (peer.cycles().len() >= 3).then_some(()));
    assert_eq!(agent.lines("points wait").len(), 0, "one of the addresses answers\n{}", agent.state());
    assert_eq!(agent.lines("points are being sent").len(), 1, "{}", agent.state());
    assert!(agent.lines("points are being sent")[0].contains(&peer.transfer), "{}", agent.state());
}

/// Started before its servers, as after a power cut.
#[test]
fn what_was_measured_before_the_first_transfer_answered_arrives() {
    let mut peer = Peer::start();
    peer.say("down");
    let agent = Agent::start(&peer.config("early"));
    push(&agent, 0);
    agent.wait_for_lines("points wait until a transfer answers", 1);
    agent.wait_for_lines("WARN R004 hbs: ", 1);
    peer.wait("a cycle", &agent, || agent.get("/ui/series").text().contains(",\"agent.alive\",").then_some(()));
    let measured = now();
    peer.say("up");
    peer.wait("the points from before", &agent, || {
        let early = peer.cycles().first().is_some_and(|stamp| *stamp <= measured);
        (early && peer.items_of("app").len() == 1 && !peer.reports().is_empty()).then_some(())
    });
}
