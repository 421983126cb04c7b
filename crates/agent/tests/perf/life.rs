//! The process that asks: what it asks for, and that it never outlives the agent.

use std::collections::BTreeSet;

use falcon_perf_fixture::kind;
use falcon_perf_fixture::product::WEB_SERVICE;
use falcon_perf_fixture::script::{Fault, Value};
use rustix::process::Signal;
use serde_json::json;

use crate::custom::asking;
use crate::harness::peer::Peer;
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
        crate::harness::until("the end of the worker", left, || windows.workers().is_empty().then_some(()));
    }
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
