//! How the agent leaves.

use std::collections::BTreeSet;
use std::io::Write;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::peer::Peer;
use crate::harness::process::Ended;
use crate::harness::servers::{Dead, Does, Fault, Server};
use crate::now;

/// So many stamps of one series.
fn push(agent: &Agent, count: usize) {
    let point = |n| {
        json!({ "endpoint": "app", "metric": "m", "value": n, "step": 60, "counterType": "GAUGE", "tags": "",
                "timestamp": now() - 60 * n })
    };
    agent.push(&(0..i64::try_from(count).unwrap()).map(point).collect());
}

/// How many lines of its log have this text in them; Wine may have lines of its own there.
fn lines(ended: &Ended, text: &str) -> usize {
    ended.err.lines().filter(|line| line.contains(text)).count()
}

/// Five stamps of a series: with the pause between two of them they cannot have left when the signal comes. What a busy machine
/// has put on disk by then is sent by the next agent.
#[test]
fn a_stop_sends_what_is_left() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("stop"));
    push(&agent, 5);
    let (home, ended) = agent.stop_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let sent = lines(&ended, "stopped; every point was sent");
    assert_eq!(sent + lines(&ended, "points are on disk and are sent after the next start"), 1, "{}", ended.err);
    // The last calls were once made by a sender that knew of nothing and told the transfer's state again.
    assert!(lines(&ended, "points are being sent") <= 1, "{}", ended.err);
    if sent == 0 {
        let next = Agent::start_in(&home, &peer.config("stop"));
        next.wait("the rest", || (peer.items_of("app").len() >= 5).then_some(()));
    }
    let items = peer.items_of("app");
    let stamps: BTreeSet<i64> = items.iter().map(|item| item.timestamp).collect();
    // The call that was on its way when the signal came is not made again.
    assert!(stamps.len() == 5 && items.len() == 5, "{items:?}\n{}", ended.err);
}

#[test]
fn both_signals_end_it_in_good_order() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("stop"));
    peer.wait("a cycle", &agent, || (!peer.cycles().is_empty()).then_some(()));
    let ended = agent.end_with(Signal::INT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(lines(&ended, ": stopping"), 1, "{}", ended.err);
}

/// What cannot be sent is told; neither a transfer that is gone nor one that hangs holds the end up.
#[test]
fn a_stop_waits_for_no_transfer() {
    let (dead, silent) = (Dead::start(), Server::start(Does::Fails(Fault::Silent)));
    for addr in [&dead.addr, &silent.addr] {
        let agent = Agent::start(&json!({ "hostname": "stop", "transfer": { "addrs": [addr], "interval": 1 } }));
        push(&agent, 3);
        let ended = agent.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert_eq!(lines(&ended, "points are on disk and are sent after the next start"), 1, "{}", ended.err);
        assert!(lines(&ended, "points wait until a transfer answers") <= 1, "{}", ended.err);
    }
    assert!(silent.faulty_calls() >= 1);
}

/// A client in the middle of a request is given a moment, not for ever.
#[test]
fn a_stop_waits_for_no_client() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("stop"));
    let mut half = crate::harness::http::connect(agent.http).expect("connected");
    half.write_all(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[").expect("sent");
    let idle = crate::harness::http::connect(agent.http).expect("connected");
    let ended = agent.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    drop((half, idle));
}
