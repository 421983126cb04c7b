//! A day without a transfer, and what comes then.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::harness::agent::{Agent, RSS_LIMIT_KB};
use crate::harness::is_windows;
use crate::harness::model::Model;
use crate::harness::servers::Server;
use crate::load::Load;
use crate::quiet;

const CYCLES: usize = 1440;
const SERIES: usize = 500;
/// Points that come while the backlog goes.
const LIVE: usize = 20;

/// All of it is held by graph and judge, and so is what is measured meanwhile.
#[test]
fn a_day_of_backlog_is_held_to_the_last_point() {
    let server = Server::modelled(Model::new(24));
    server.down();
    let config = quiet(&[&server.addr]);
    let agent = Agent::start(&config);
    let load = Load::new("app", SERIES);
    let mut most_kb = 0;
    let start = Instant::now();
    for _ in 0..CYCLES {
        load.push(&agent, 1);
        most_kb = most_kb.max(agent.rss_kb());
    }
    println!("{CYCLES} cycles of {SERIES} series taken in {:.1} s", start.elapsed().as_secs_f64());
    // The agent that finds all of it at its start sends it.
    agent.wait("all of it on the disk", || (agent.health()["queue"]["memory_bytes"] == 0).then_some(()));
    let (home, ended) = agent.stop_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let agent = Agent::start_in(&home, &config);
    server.up();
    let start = Instant::now();
    for n in 1..=LIVE {
        // Spread over the whole way.
        let share = CYCLES * SERIES / (LIVE + 1) * n;
        agent.wait("some of the backlog", || (server.points() >= share).then_some(()));
        load.push(&agent, 1);
        most_kb = most_kb.max(agent.rss_kb());
    }
    let points = load.pushed() * SERIES;
    agent.wait("all of it", || {
        most_kb = most_kb.max(agent.rss_kb());
        (server.points() >= points).then_some(())
    });
    println!("replayed in {:.1} s at the servers' pause, {most_kb} kB at most", start.elapsed().as_secs_f64());
    server.model(|model| {
        model.settle();
        let expected: Vec<(i64, f64)> = (0..load.pushed()).map(|n| (load.stamp(n), n as f64)).collect();
        for series in 0..SERIES {
            let item = load.item(series, 0);
            for (backend, held) in [("graph", model.graph(&item).to_vec()), ("judge", model.judge(&item).to_vec())] {
                let numbers: BTreeSet<i64> = held.iter().map(|(at, _)| *at).collect();
                let missing = expected.iter().filter(|(at, _)| !numbers.contains(at)).map(|(_, n)| *n);
                let missing: Vec<f64> = missing.collect();
                assert!(held == expected, "{backend} lacks {missing:?} of m{series}\n{}", agent.state());
            }
        }
    });
    if !is_windows() {
        assert!(most_kb < RSS_LIMIT_KB, "{most_kb} kB");
    }
    agent.wait("an empty disk", || (agent.home().queue_bytes() == 0).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}
