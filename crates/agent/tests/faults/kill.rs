//! An agent that is killed, again and again, at moments that nobody chooses, while points come and the transfer does what
//! it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::agent::{Agent, Home};
use crate::harness::model::Random;
use crate::harness::servers::{Does, Fault, GOOD, Manner, Server};
use crate::harness::{http, is_long};
use crate::load::Load;
use crate::quiet;

/// Whoever is killed loses no more than this.
const LAST: Duration = Duration::from_secs(1);
/// What a busy machine may make of it.
const BUSY: Duration = Duration::from_millis(500);
const LONGEST_LIFE: Duration = Duration::from_millis(3500);
const SERIES: usize = 4;

fn change(server: &Server, random: &mut Random) {
    server.up();
    match random.below(8) {
        0 => server.down(),
        1 => server.does(Does::Fails(Fault::LosesReply)),
        2 => server.does(Does::Fails(Fault::Closes)),
        3 => server.does(Does::Fails(Fault::Silent)),
        4 => server.does(Does::Answers(Manner::Late(Duration::from_millis(150)))),
        _ => server.does(GOOD),
    }
}

#[test]
fn what_was_acknowledged_a_second_before_arrives_in_order() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed);
    let (server, home, load) = (Server::good(), Home::new(), Load::new("app", SERIES));
    let mut config = quiet(&[&server.addr]);
    let (mut lives, mut safe, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..if is_long() { 200 } else { 20 } {
        lives.push(server.now());
        let agent = Agent::start_in(&home, &config);
        let end = Instant::now() + random.up_to(LONGEST_LIFE);
        let (mut next_change, mut taken) = (Instant::now(), Vec::new());
        while Instant::now() < end {
            if Instant::now() >= next_change {
                change(&server, &mut random);
                next_change += random.up_to(Duration::from_millis(800));
            }
            let (n, body) = load.next();
            if http::post(agent.http, "/v1/push", &body).is_ok_and(|answer| answer.status == 200) {
                taken.push((n, Instant::now()));
            }
            sleep(Duration::from_millis(5));
        }
        let killed = Instant::now();
        logs.push((taken.iter().map(|(n, _)| *n).collect::<BTreeSet<usize>>(), agent.kill().err));
        server.settle();
        safe.extend(taken.into_iter().filter(|(_, at)| *at + LAST + BUSY < killed).map(|(n, _)| n));
    }
    server.up();
    server.turn_good();
    // Two hundred lives leave a backlog of few series that takes minutes of pauses.
    config["transfer"]["replay_pause"] = json!(0);
    lives.push(server.now());
    let agent = Agent::start_in(&home, &config);
    load.push(&agent, 1);
    safe.push(load.pushed() - 1);

    agent.wait("the last point", || {
        server.items().iter().any(|item| load.number(item) == safe.last().copied()).then_some(())
    });
    let items = server.items();
    let arrived: BTreeSet<(&str, usize)> =
        items.iter().filter_map(|item| Some((item.metric.as_str(), load.number(item)?))).collect();
    let metrics: Vec<String> = (0..SERIES).map(|series| load.item(series, 0).metric).collect();
    let missing = |n: &usize| metrics.iter().any(|metric| !arrived.contains(&(metric, *n)));
    let missing: Vec<usize> = safe.iter().copied().filter(missing).collect();
    let lost_there = |(taken, _): &&(BTreeSet<usize>, String)| missing.iter().any(|n| taken.contains(n));
    let told: String = logs.iter().filter(lost_there).map(|(_, log)| format!("one who lost points:\n{log}")).collect();
    assert!(missing.is_empty(), "{missing:?} of {} that were safe (seed {seed})\n{told}{}", safe.len(), agent.state());
    assert!(safe.len() > 100, "{} are no load", safe.len());
    in_order(&server, &load, &lives);
    agent.wait("an empty disk", || (home.queue_bytes() == 0).then_some(()));
}

/// In each life every point is newer than all that were answered before it; only a new life, or a reply that was lost, lets
/// points come again.
fn in_order(server: &Server, load: &Load, lives: &[Duration]) {
    let calls = server.calls();
    for (n, from) in lives.iter().enumerate() {
        let to = lives.get(n + 1).copied().unwrap_or(Duration::MAX);
        let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.taken && (*from..to).contains(&call.at)) {
            let mut here = answered.clone();
            for item in &call.items {
                let Some(number) = load.number(item) else { continue };
                let before = here.insert(&item.metric, number);
                assert!(before.is_none_or(|before| before < number), "life {n}: after {before:?} came {item:?}");
            }
            if call.answered {
                answered = here;
            }
        }
    }
}
