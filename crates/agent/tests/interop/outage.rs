//! Transfers and hbs that go away and come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::peer::Peer;
use crate::harness::servers::Dead;
use crate::now;

/// Three cycles.
const OUTAGE: Duration = Duration::from_secs(3);

fn push(agent: &Agent, n: usize) {
    agent.push(&json!([{ "endpoint": "app", "metric": "n", "value": n, "step": 1, "counterType": "GAUGE", "tags": "",
                         "timestamp": now() }]));
}

#[test]
fn three_cycles_without_a_server_lose_no_point() {
    let mut peer = Peer::start();
    let agent = Agent::start(&peer.config("outage"));
    peer.wait("two cycles", &agent, || (peer.cycles().len() >= 2 && !peer.reports().is_empty()).then_some(()));
    push(&agent, 0);
    peer.wait("the first push", &agent, || (!peer.items_of("app").is_empty()).then_some(()));

    let down = peer.say("down");
    let (from, start) = (now(), Instant::now());
    let mut pushed = 1;
    while start.elapsed() < OUTAGE {
        agent.assert_healthy();
        push(&agent, pushed);
        pushed += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.wait_for_lines("points wait in memory until a transfer answers", 1);
    let to = now();
    let reported = peer.reports().len();
    peer.say("up");

    peer.wait("every push", &agent, || (peer.items_of("app").len() >= pushed).then_some(()));
    peer.wait("cycles and reports after the outage", &agent, || {
        let resumed = peer.cycles().last().is_some_and(|stamp| *stamp > to) && peer.reports().len() > reported;
        resumed.then_some(())
    });
    let numbers: Vec<f64> = peer.items_of("app").iter().map(|item| item.value).collect();
    let expected: Vec<f64> = (0..u32::try_from(pushed).unwrap()).map(f64::from).collect();
    assert_eq!(numbers, expected, "each once, in order");

    let cycles = peer.cycles();
    let during = cycles.iter().filter(|stamp| (from + 1..to).contains(stamp)).count();
    assert!(during >= 1, "no cycle from {from} to {to} in {cycles:?}");
    assert_eq!(
        peer.items().iter().filter(|item| item.metric == "agent.transfer.dropped" && item.value > 0.0).count(),
        0
    );
    in_order_and_once(&peer, down);
    for (text, count) in [
        ("points wait in memory until a transfer answers", 1),
        ("points are being sent", 2),
        ("WARN hbs: ", 1),
        ("this host is reported as", 2),
    ] {
        agent.wait_for_lines(text, count);
        assert_eq!(agent.lines(text).len(), count, "{text:?}\n{}", agent.state());
    }
    let ended = agent.terminate();
    assert!(ended.code == Some(0) && ended.err.contains("every point was sent"), "{}", ended.err);
}

/// No series steps back in time, and a point comes twice only where the answer to its call was cut off.
fn in_order_and_once(peer: &Peer, down: usize) {
    let updates = peer.updates();
    let cut = updates.iter().rev().find(|update| update.at < down).map(|update| update.at);
    let mut newest: BTreeMap<String, (i64, usize)> = BTreeMap::new();
    for update in &updates {
        for item in update.items.iter().filter(|item| item.endpoint == "outage") {
            let before = newest.insert(item.series(), (item.timestamp, update.at));
            let Some((stamp, at)) = before else { continue };
            let repeated = stamp == item.timestamp && Some(at) == cut;
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
    agent.wait_for_lines("points wait in memory until a transfer answers", 1);
    agent.wait_for_lines("WARN hbs: ", 1);
    peer.wait("a cycle", &agent, || agent.get("/").text().contains("<td>agent.alive</td>").then_some(()));
    let measured = now();
    peer.say("up");
    peer.wait("the points from before", &agent, || {
        let early = peer.cycles().first().is_some_and(|stamp| *stamp <= measured);
        (early && peer.items_of("app").len() == 1 && !peer.reports().is_empty()).then_some(())
    });
}
