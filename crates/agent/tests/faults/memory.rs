//! What bursts leave behind.

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::servers::Server;
use crate::harness::{is_windows, now};
use crate::load::Load;
use crate::quiet;

/// Of a Linux agent; a Windows one has Wine's share in it.
const MOST_KB: u64 = 24 * 1024;
/// What may be left of a burst: the newest point of each series, and what an allocator keeps.
const LEFT_KB: u64 = 8 * 1024;

/// Waits until the agent has about as much memory as before.
fn returns(agent: &Agent, before_kb: u64) {
    let after_kb = agent.rss_kb();
    agent.wait(&format!("memory to return: {before_kb} kB before, {after_kb} kB right after"), || {
        (is_windows() || agent.rss_kb() <= before_kb + LEFT_KB).then_some(())
    });
    println!("{before_kb} kB before, {after_kb} kB right after, {} kB then", agent.rss_kb());
}

#[test]
fn two_thousand_pushes_without_a_transfer_cost_little_memory_and_no_point() {
    let server = Server::good();
    server.down();
    let agent = Agent::start(&quiet(&[&server.addr]));
    let load = Load::new("app", 100);
    let before_kb = agent.rss_kb();
    let mut most_kb = 0;
    for _ in 0..2000 {
        load.push(&agent, 1);
        most_kb = most_kb.max(agent.rss_kb());
    }
    server.up();
    load.all_arrive(&agent, &[&server]);
    most_kb = most_kb.max(agent.rss_kb());
    println!("{most_kb} kB at most");
    assert!(is_windows() || most_kb < MOST_KB, "{most_kb} kB");
    returns(&agent, before_kb);
    assert_eq!(agent.terminate().code, Some(0));
}

/// A body as large as they may be. Of few series: the newest point of each is kept for the page.
#[test]
fn memory_returns_to_the_system_after_a_burst() {
    const SERIES: i64 = 600;
    const STAMPS: i64 = 100;
    let server = Server::good();
    let agent = Agent::start(&quiet(&[&server.addr]));
    let first = now() - 60 * STAMPS;
    let item = |n: i64| {
        json!({ "endpoint": "burst", "metric": format!("m{}", n % SERIES), "value": n, "step": 60, "counterType": "GAUGE",
                "tags": "", "timestamp": first + 60 * (n / SERIES) })
    };
    let body = (0..SERIES * STAMPS).map(item).collect::<Value>().to_string();
    assert!((6 << 20..8 << 20).contains(&body.len()), "{}", body.len());
    let before_kb = agent.rss_kb();
    assert_eq!(agent.post(body.as_bytes()).text(), "success");
    let points = usize::try_from(SERIES * STAMPS).unwrap();
    agent.wait("the burst to arrive", || (server.points() >= points).then_some(()));
    returns(&agent, before_kb);
}
