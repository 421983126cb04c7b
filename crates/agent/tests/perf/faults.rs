//! Providers that hang, fall, leak, print and lie: what they cost, and whom.
//!
//! One provider of three is at fault at a time. Host metrics, those of sites and those of the third arrive throughout, with
//! the stamp of every cycle; the group of the faulty one fails, and comes back when its provider is whole again.

use std::collections::BTreeSet;

use falcon_perf_fixture::kind;
use falcon_perf_fixture::product::{Shape, WEB_SERVICE};
use falcon_perf_fixture::script::{Fault, Value};
use serde_json::{Value as Json, json};

use crate::custom::asking;
use crate::harness::agent::Agent;
use crate::harness::peer::Peer;
use crate::iis::installed;
use crate::seen::{arrive, cycles, deaths, is, last, stamps};
use crate::windows::{Provider, Windows};

/// Long enough that a query which is given up after [`TIMEOUT_S`], and a new process, have room in a cycle of a busy machine.
const STEP_S: i64 = 6;
const TIMEOUT_S: u32 = 3;

const FAULTY: &str = "fx.faulty.x GAUGE";

/// Of which no cycle may miss one: of the host, of sites, and of another provider that is configured.
const OTHERS: [&str; 4] =
    ["agent.alive GAUGE", "mem.memtotal GAUGE", "iis.connections/site=_Total GAUGE", "fx.healthy.x GAUGE"];

struct Bed {
    windows: Windows,
    /// Each in a group of its own.
    faulty: Vec<Shape>,
    peer: Peer,
    agent: Agent,
}

impl Bed {
    fn new(change: impl FnOnce(&mut Json)) -> Bed {
        Bed::with_objects(1, change)
    }

    /// With so many objects of the one that is to be at fault.
    fn with_objects(count: u32, change: impl FnOnce(&mut Json)) -> Bed {
        let mut providers = [Provider::new(0, "AFaulty"), Provider::new(1, "BHealthy"), Provider::new(2, "W3SVC")];
        let counters: &[(&str, u32)] = &[("x", kind::RAWCOUNT)];
        let name = |n: u32| if n == 1 { "Fx Faulty".to_owned() } else { format!("Fx Faulty {n}") };
        let faulty: Vec<Shape> = (1..=count).map(|n| providers[0].object(&name(n), counters)).collect();
        let healthy = providers[1].object("Fx Healthy", counters);
        let web = providers[2].object("Web Service", WEB_SERVICE);
        let windows = Windows::new(&providers, installed);
        windows.script("BHealthy", vec![healthy.one(&[("x", Value::Is(5))])]);
        windows.script("W3SVC", vec![web.many(vec![web.row("_Total", &[("Current Connections", Value::Is(6))])])]);
        let peer = Peer::start();
        let mut entries = vec![json!({ "object": "Fx Healthy", "metric": "fx.healthy" })];
        entries.extend(
            (1..=count).map(|n| json!({ "object": name(n), "metric": name(n).to_lowercase().replace(' ', ".") })),
        );
        let mut config = asking(&peer, &entries);
        config["transfer"]["interval"] = json!(STEP_S);
        config["perf"] = json!({ "timeout": TIMEOUT_S });
        change(&mut config);
        let number = |shape: &Shape| shape.one(&[("x", Value::Is(1))]);
        windows.script("AFaulty", faulty.iter().map(number).collect());
        let agent = windows.start(&config);
        let bed = Bed { windows, faulty, peer, agent };
        bed.is_whole(1);
        bed
    }

    /// Has the faulty one serve this number, and do this besides or instead.
    fn script(&self, number: u32, fault: Option<Fault>) {
        let objects = self.faulty.iter().map(|shape| shape.one(&[("x", Value::Is(number.into()))])).collect();
        match fault {
            Some(fault) => self.windows.fail("AFaulty", objects, fault),
            None => self.windows.script("AFaulty", objects),
        }
    }

    /// Waits until the faulty one's number has arrived beside all others.
    fn is_whole(&self, number: u32) -> i64 {
        let others = [(OTHERS[2], is(6)), (OTHERS[3], is(5)), (FAULTY, is(number))];
        arrive(&self.peer, &self.agent, &others)
    }

    /// How often the faulty one was asked.
    fn asked(&self) -> usize {
        let asked = self.windows.asked("AFaulty");
        self.faulty.iter().filter_map(|shape| asked.get(&shape.index)).sum()
    }

    fn deaths(&self) -> f64 {
        deaths(&self.peer, &self.agent)
    }

    /// From the first cycle in which all of them arrived to the last one there is of each, none is missing.
    fn others_have_no_gap(&self) {
        let cycles = cycles(&self.peer);
        let all =
            |cycle: &std::collections::BTreeMap<String, f64>| OTHERS.iter().all(|series| cycle.contains_key(*series));
        let first = cycles.iter().find(|(_, cycle)| all(cycle)).map(|(stamp, _)| *stamp).expect("they arrived");
        for series in OTHERS {
            let seen: BTreeSet<i64> = stamps(&self.peer, series).into_iter().filter(|stamp| *stamp >= first).collect();
            let end = seen.iter().max().copied().expect("it arrived");
            let missing: Vec<i64> =
                (first..=end).step_by(usize::try_from(STEP_S).unwrap()).filter(|stamp| !seen.contains(stamp)).collect();
            assert!(
                missing.is_empty(),
                "{series} is missing at {missing:?} of {first} to {end}\n{}",
                self.agent.state()
            );
        }
    }
}

/// What ends the worker: each time one line, one death, a new process, and nothing else.
#[test]
fn one_that_hangs_or_falls_costs_its_own_series_alone() {
    let bed = Bed::new(|_| {});
    // Of other collectors the log has lines of their own.
    let lines = || bed.agent.lines("Fx Faulty").into_iter().filter(|line| line.contains(" perf: ")).collect::<Vec<_>>();
    let falls = [(Fault::Crash, "0xC0000005"), (Fault::Hang, "within 3 s"), (Fault::Exit, "ended by itself")];
    for (n, (fault, said)) in (1..).zip(falls) {
        println!("{fault:?}");
        let (before, workers) = (lines().len(), bed.windows.workers());
        assert_eq!(workers.len(), 1, "{:?}", bed.windows.prefix.processes());
        bed.script(n * 10, Some(fault));
        let line = bed.agent.wait("the death", || lines().get(before).cloned());
        bed.script(n * 10 + 1, None);
        assert!(line.contains(said), "{line}");
        bed.is_whole(n * 10 + 1);
        let now = bed.windows.workers();
        assert!(now.len() == 1 && now != workers, "{now:?} after {workers:?}");
    }
    let told = f64::from(u32::try_from(lines().len()).expect("few"));
    bed.peer.wait("as many deaths", &bed.agent, || (bed.deaths() >= told).then_some(()));
    assert_eq!(bed.deaths(), told, "one line for each death\n{}", bed.agent.state());
    bed.others_have_no_gap();
    assert_eq!(bed.agent.terminate().code, Some(0));
}

/// What leaves the worker alive, whatever it has to read.
#[test]
fn one_that_answers_nonsense_or_none_costs_its_own_series_alone() {
    let bed = Bed::new(|config| config["perf"]["memory_mb"] = json!(512));
    let faults = [Fault::Garbage(4096), Fault::Garbage(3), Fault::Error(5), Fault::Insatiable, Fault::Garbage(1 << 20)];
    for (n, fault) in (1..).zip(faults) {
        println!("{fault:?}");
        let before = bed.asked();
        bed.script(n * 10, Some(fault));
        bed.agent.wait("a query", || (bed.asked() > before).then_some(()));
        bed.script(n * 10 + 1, None);
        bed.is_whole(n * 10 + 1);
    }
    assert!(!stamps(&bed.peer, FAULTY).is_empty());
    assert_eq!(bed.deaths(), 0.0, "{}", bed.agent.state());
    bed.others_have_no_gap();
    assert_eq!(bed.agent.terminate().code, Some(0));
}

/// What it writes goes nowhere: not into the answers, not into the agent's own output.
#[test]
fn one_that_prints_costs_nothing() {
    let bed = Bed::new(|_| {});
    bed.script(2, Some(Fault::Print));
    bed.is_whole(2);
    bed.script(3, Some(Fault::Print));
    bed.is_whole(3);
    assert_eq!(bed.deaths(), 0.0);
    bed.others_have_no_gap();
    let ended = bed.agent.terminate();
    assert_eq!(ended.code, Some(0));
    for output in [&ended.out, &ended.err] {
        assert!(!output.contains("a provider that"), "{output}");
    }
}

/// The worker is replaced before it is large, and its numbers go on: 1 MiB of each query stays in it, and there are eight
/// queries in a cycle.
#[test]
fn one_that_leaks_has_the_worker_replaced_and_misses_nothing() {
    const LIMIT_MB: u32 = 64;
    let bed = Bed::with_objects(8, |config| config["perf"]["memory_mb"] = json!(LIMIT_MB));
    bed.script(2, Some(Fault::Leak(1 << 20)));
    let recycled = || last(&bed.peer, "agent.perf.recycled COUNTER").unwrap_or(0.0);
    bed.peer.wait("a replacement", &bed.agent, || (recycled() >= 1.0).then_some(()));
    bed.script(3, None);
    bed.is_whole(3);
    assert_eq!(bed.deaths(), 0.0, "{}", bed.agent.state());
    for series in [FAULTY, "fx.faulty.8.x GAUGE"] {
        let missed = missing(&bed.peer, series);
        assert!(missed.is_empty(), "{series} at {missed:?}\n{}", bed.agent.state());
    }
    let sizes: Vec<f64> =
        bed.peer.items().iter().filter(|item| item.metric == "agent.perf.mem").map(|item| item.value).collect();
    let most = f64::from(LIMIT_MB + 8) * 1e6;
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size < most), "{sizes:?}");
    println!("{sizes:?}");
    bed.others_have_no_gap();
    assert_eq!(bed.agent.terminate().code, Some(0));
}

/// Stamps that a series does not have between its first and its last.
fn missing(peer: &Peer, series: &str) -> Vec<i64> {
    let seen: BTreeSet<i64> = stamps(peer, series).into_iter().collect();
    let (first, end) = (seen.first().copied().unwrap_or(0), seen.last().copied().unwrap_or(0));
    (first..=end).step_by(usize::try_from(STEP_S).unwrap()).filter(|stamp| !seen.contains(stamp)).collect()
}

/// After three failures in a row the group is left alone; the others are asked, and no process is started for it.
#[test]
fn one_that_fails_again_and_again_is_left_alone() {
    let bed = Bed::new(|_| {});
    bed.script(2, Some(Fault::Crash));
    bed.agent.wait_for_lines("left alone", 1);
    let before = bed.asked();
    let refused = || last(&bed.peer, "agent.perf.refused COUNTER").unwrap_or(0.0);
    bed.peer.wait("cycles without it", &bed.agent, || (refused() >= 2.0).then_some(()));
    assert_eq!(bed.asked(), before, "{}", bed.agent.state());
    assert_eq!(bed.deaths(), 3.0, "{}", bed.agent.state());
    bed.others_have_no_gap();
    assert_eq!(bed.agent.terminate().code, Some(0));
}
