//! The process that asks: what it asks for, and that it never outlives the agent.

use std::collections::BTreeSet;
use std::fs;

use falcon_perf_fixture::kind;
use falcon_perf_fixture::product::WEB_SERVICE;
use falcon_perf_fixture::script::{Fault, Value};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::custom::asking;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::harness::process::{program, run};
use crate::harness::until;
use crate::iis::installed;
use crate::seen::{arrive, config, is};
use crate::windows::{Provider, Windows};

/// Wine asks every provider at every query, so that each can tell what queries there were.
#[test]
fn nothing_is_asked_for_but_the_objects_that_are_wanted() {
    let mut providers = [Provider::new(0, "Fixture"), Provider::new(1, "W3SVC"), Provider::new(2, "Foreign")];
    let counters: &[(&str, u32)] = &[("x", kind::RAWCOUNT)];
    let wanted = providers[0].object("Fx Wanted", counters);
    let beside = providers[0].object("Fx Beside", counters);
    let web = providers[1].object("Web Service", WEB_SERVICE);
    let foreign = providers[2].object("Fx Foreign", counters);
    let windows = Windows::new(&providers, installed);
    windows.script("Fixture", vec![wanted.one(&[("x", Value::Is(1))]), beside.one(&[("x", Value::Is(2))])]);
    windows.script("W3SVC", vec![web.many(vec![web.row("_Total", &[("Current Connections", Value::Is(6))])])]);
    windows.fail("Foreign", vec![foreign.one(&[("x", Value::Is(3))])], Fault::Crash);
    let peer = Peer::start();
    let agent = windows.start(&asking(&peer, &[json!({ "object": "Fx Wanted", "metric": "fx" })]));
    arrive(&peer, &agent, &[("fx.x GAUGE", is(1)), ("iis.connections/site=_Total GAUGE", is(6))]);
    peer.wait("cycles", &agent, || (peer.cycles().len() > 5).then_some(()));
    let asked: BTreeSet<u32> = windows.asked("Foreign").into_keys().collect();
    assert_eq!(asked, BTreeSet::from([wanted.index, web.index]), "{:?}", windows.queries("Foreign"));
    assert_eq!(agent.terminate().code, Some(0));
}

/// With a query that never comes back, however the agent goes.
#[test]
fn no_process_stays_behind_an_agent_that_is_gone() {
    let mut providers = [Provider::new(0, "Fixture")];
    let shape = providers[0].object("Fx Hangs", &[("x", kind::RAWCOUNT)]);
    let windows = Windows::new(&providers, |file| file);
    let objects = || vec![shape.one(&[("x", Value::Is(1))])];
    for signal in [Signal::KILL, Signal::INT] {
        windows.script("Fixture", objects());
        let peer = Peer::start();
        let mut config = asking(&peer, &[json!({ "object": "Fx Hangs", "metric": "fx" })]);
        config["perf"] = json!({ "timeout": 60 });
        let agent = windows.start(&config);
        arrive(&peer, &agent, &[("fx.x GAUGE", is(1))]);
        assert_eq!(windows.workers().len(), 1, "{:?}", windows.prefix.processes());
        let before = windows.queries("Fixture").len();
        windows.fail("Fixture", objects(), Fault::Hang);
        agent.wait("a query that hangs", || (windows.queries("Fixture").len() > before).then_some(()));
        let ended = agent.end_with(signal);
        assert!(signal == Signal::KILL || ended.code == Some(0), "{ended:?}");
        let left = || format!("{:?}", windows.prefix.processes());
        until("the end of the worker", left, || windows.workers().is_empty().then_some(()));
    }
}

/// Somebody ends it, between two queries or in one: the next query has a new one, as long as it does not happen again and again.
#[test]
fn a_process_that_was_killed_is_replaced() {
    let mut providers = [Provider::new(0, "Fixture")];
    let shape = providers[0].object("Fx Wanted", &[("x", kind::RAWCOUNT)]);
    let windows = Windows::new(&providers, |file| file);
    let script = |number: u32| windows.script("Fixture", vec![shape.one(&[("x", Value::Is(number.into()))])]);
    script(1);
    let peer = Peer::start();
    let agent = windows.start(&asking(&peer, &[json!({ "object": "Fx Wanted", "metric": "fx" })]));
    arrive(&peer, &agent, &[("fx.x GAUGE", is(1))]);
    let mut before = windows.workers();
    for number in 2..4 {
        assert_eq!(before.len(), 1, "{:?}", windows.prefix.processes());
        let pid = i32::try_from(before[0]).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, Signal::KILL).expect("it runs");
        script(number);
        arrive(&peer, &agent, &[("fx.x GAUGE", is(number))]);
        let after = windows.workers();
        assert_ne!(after, before);
        before = after;
    }
    assert_eq!(agent.terminate().code, Some(0));
}

/// An installer adds a provider, its names and the last index; nobody starts the agent again.
#[test]
fn what_is_installed_while_the_agent_runs_is_found() {
    let mut before = [Provider::new(0, "Early")];
    let counters: &[(&str, u32)] = &[("x", kind::RAWCOUNT)];
    let early = before[0].object("Fx Early", counters);
    let windows = Windows::new(&before, |file| file);
    windows.script("Early", vec![early.one(&[("x", Value::Is(1))])]);
    let peer = Peer::start();
    let entries =
        [json!({ "object": "Fx Early", "metric": "fx.early" }), json!({ "object": "Fx Late", "metric": "fx.late" })];
    let agent = windows.start(&asking(&peer, &entries));
    arrive(&peer, &agent, &[("fx.early.x GAUGE", is(1))]);
    agent.wait_for_lines("Fx Late", 1);
    let [early_one] = before;
    let mut late_one = Provider::new(1, "Late");
    let late = late_one.object("Fx Late", counters);
    windows.install(&[early_one, late_one], |file| file);
    windows.script("Early", vec![early.one(&[("x", Value::Is(2))])]);
    windows.script("Late", vec![late.one(&[("x", Value::Is(3))])]);
    arrive(&peer, &agent, &[("fx.early.x GAUGE", is(2)), ("fx.late.x GAUGE", is(3))]);
    assert_eq!(agent.terminate().code, Some(0));
}

/// One cycle on the screen has what an agent sends, and its process ends with it.
#[test]
fn a_single_collection_asks_for_counters_too() {
    let mut providers = [Provider::new(0, "Fixture"), Provider::new(1, "W3SVC")];
    let shape = providers[0].object("Fx Wanted", &[("x", kind::RAWCOUNT), ("y", kind::COUNTER)]);
    let web = providers[1].object("Web Service", WEB_SERVICE);
    let windows = Windows::new(&providers, installed);
    windows.script("Fixture", vec![shape.one(&[("x", Value::Is(4)), ("y", Value::Is(9))])]);
    windows.script("W3SVC", vec![web.many(vec![web.row("_Total", &[("Current Connections", Value::Is(6))])])]);
    let config = json!({
        "hostname": "h",
        "collector": { "names": ["extended"], "counters": [{ "object": "Fx Wanted", "metric": "fx" }] },
    });
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("cfg.json"), config.to_string()).expect("a file");
    let mut command = program(home.path(), &["collect", "--format", "json"]);
    windows.prefix.enter(&mut command);
    let out = run(command).success();
    let items = Item::parse_all(&serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")));
    let value = |series: &str| items.iter().find(|item| item.series() == series).map(|item| item.value);
    assert_eq!(value("fx.x GAUGE"), Some(4.0), "{out}");
    assert_eq!(value("fx.y COUNTER"), Some(9.0), "{out}");
    assert_eq!(value("iis.connections/site=_Total GAUGE"), Some(6.0), "{out}");
    let left = || format!("{:?}", windows.prefix.processes());
    until("the end of the worker", left, || windows.workers().is_empty().then_some(()));
}

/// Neither where nothing is there to be asked nor where nobody wants it is there a process.
#[test]
fn a_host_without_iis_and_sql_server_has_no_such_process() {
    let windows = Windows::new(&[], |file| file);
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    peer.wait("cycles", &agent, || (peer.cycles().len() > 3).then_some(()));
    assert!(windows.workers().is_empty(), "{:?}", windows.prefix.processes());
    assert_eq!(agent.terminate().code, Some(0));
}
