//! An hbs that is dead, or goes away and comes back, and an agent that starts meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{alive, config, says, since, still_says};
use crate::harness::agent::{Agent, Home};
use crate::harness::servers::hbs::{BUILTIN, REPORT};
use crate::harness::servers::{BlackHole, Dead, Does, Fault, Hbs, Server};

#[test]
fn an_hbs_that_is_dead_or_a_black_hole_is_passed_over() {
    let (dead, hole) = (Dead::start(), BlackHole::start());
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1")]);
    let agent = Agent::start(&config(&transfer, &[&dead.addr, &hole.addr, hbs.addr()]));
    says(&agent, &transfer, &[("net.port.listen/port=1", 0)]);
    // Passed over, not dialled anew with each call.
    let reports = hbs.calls(REPORT).len();
    agent.wait("further reports", || (hbs.calls(REPORT).len() >= reports + 3).then_some(()));
    assert_eq!(agent.lines("R004 ").len(), 0, "one of them answers\n{}", agent.state());
    assert_eq!(agent.lines("this host is reported as").len(), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

/// In each of the ways in which an hbs goes away: refused, and silent on a connection that stays open.
#[test]
fn of_two_hbs_the_other_is_asked_and_the_first_again_when_that_one_goes() {
    let transfer = Server::good();
    let both = [Hbs::start(), Hbs::start()];
    both[0].assigns(&[("net.port.listen", "port=1")]);
    both[1].assigns(&[("net.port.listen", "port=2")]);
    let series: [[(&str, i64); 1]; 2] = [[("net.port.listen/port=1", 0)], [("net.port.listen/port=2", 0)]];
    let agent = Agent::start(&config(&transfer, &both.each_ref().map(Hbs::addr)));
    let used = || both.iter().position(|hbs| !hbs.calls(BUILTIN).is_empty());
    let first = agent.wait("a call", used);
    let other = 1 - first;
    says(&agent, &transfer, &series[first]);
    both[first].server().down();
    says(&agent, &transfer, &series[other]);
    both[first].server().up();
    let before = both[first].calls(REPORT).len();
    // It answers and is not left for one that was away a moment ago.
    still_says(&agent, &transfer, &both[other], &series[other]);
    assert_eq!(both[first].calls(REPORT).len(), before);
    both[other].server().does(Does::Fails(Fault::Silent));
    says(&agent, &transfer, &series[first]);
    assert!(both[first].calls(REPORT).len() > before);
    // Both away: what was assigned stays assigned, and reports go on when one is back.
    both[first].server().down();
    agent.wait_for_lines("WARN R004 hbs: ", 1);
    says(&agent, &transfer, &series[first]);
    let before = both[first].calls(REPORT).len();
    both[first].server().up();
    agent.wait("reports", || (both[first].calls(REPORT).len() > before).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// The first address is returned to by itself, half a minute and more after it was left.
#[test]
fn the_first_hbs_is_asked_again_when_it_is_back() {
    let transfer = Server::good();
    let both = [Hbs::start(), Hbs::start()];
    let agent = Agent::start(&config(&transfer, &both.each_ref().map(Hbs::addr)));
    let first = agent.wait("a report", || both.iter().position(|hbs| !hbs.calls(REPORT).is_empty()));
    both[first].server().down();
    agent.wait("the other", || (!both[1 - first].calls(REPORT).is_empty()).then_some(()));
    both[first].server().up();
    let before = both[first].calls(REPORT).len();
    agent.wait("the first", || (both[first].calls(REPORT).len() > before + 1).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// Where the answers are kept, on Linux and on Windows.
fn notes(home: &Home) -> Option<PathBuf> {
    ["var/hbs.json", "var/run/hbs.json"].map(|name| home.path().join(name)).into_iter().find(|path| path.exists())
}

#[test]
fn what_was_assigned_is_at_work_at_a_start_without_hbs_and_not_under_another_name() {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1"), ("net.port.listen", "port=2")]);
    hbs.trusts("10.0.0.5");
    let config = config(&transfer, &[hbs.addr()]);
    let agent = Agent::start(&config);
    let both = [("net.port.listen/port=1", 0), ("net.port.listen/port=2", 0)];
    says(&agent, &transfer, &both);
    agent.wait("its notes", || {
        let kept = fs::read_to_string(notes(agent.home())?).ok()?;
        (kept.contains("port=2") && kept.contains("10.0.0.5")).then_some(())
    });
    hbs.server().down();
    let (home, ended) = agent.stop_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    let restarted = |home: &Home, config: &Value, expected: &[(&str, i64)], ips: Value| -> Home {
        let at = transfer.now();
        let agent = Agent::start_in(home, config);
        agent.wait_for_lines("R004 ", 1);
        // Its first cycles are of the time before anybody answered.
        let cycles = || -> BTreeSet<i64> { alive(&since(&transfer, at)).collect() };
        agent.wait("four cycles", || (cycles().len() >= 4).then_some(()));
        says(&agent, &transfer, expected);
        assert_eq!(agent.get("/ips").json()["data"], ips);
        agent.stop_and_keep().0
    };
    let home = restarted(&home, &config, &both, json!(["10.0.0.5"]));
    let mut renamed = config.clone();
    renamed["hostname"] = json!("renamed");
    let home = restarted(&home, &renamed, &[], Value::Null);
    // A file that somebody damaged is one without answers.
    fs::write(notes(&home).expect("kept"), "{").unwrap();
    let home = restarted(&home, &config, &[], Value::Null);
    // With an hbs again, it counts.
    hbs.server().up();
    hbs.assigns(&[("net.port.listen", "port=2")]);
    let agent = Agent::start_in(&home, &config);
    says(&agent, &transfer, &both[1..]);
    assert_eq!(agent.terminate().code, Some(0));
}
