//! A steady cycle of host metrics allocates the list of its samples and nothing else: thousands of agents run beside
//! programs that want the memory, and a heap that nobody shakes does not grow.
//!
//! Collectors that ask file systems, drives, time servers or a list of processes are not bound by this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use falcon_agent::collect::{self, Collected, Collector, Context, Cx, Lane, Plan, Spec};
use falcon_agent::config::{Config, NameSet};
use falcon_agent::hub::history::{Ring, Track};
use falcon_agent::model::{Platform, Tick};
use falcon_agent::perf::client::Perf;
use falcon_agent::stats::Stats;
use falcon_sys::Host;

/// Cycles in which tags and buffers are made.
const WARM_UP: i64 = 3;

fn specs() -> impl Iterator<Item = &'static Spec> {
    let bound = |spec: &&Spec| spec.lane == Lane::Host && spec.name != "process" && spec.exists_on(Platform::CURRENT);
    collect::ALL.iter().filter(bound)
}

fn cycle(collector: &mut dyn Collector, plan: &Plan, at: i64, expected: usize) -> Collected {
    let elapsed = (at > 0).then_some(Duration::from_secs(60));
    let mut cx = Cx::new(Tick { at: at * 60, step: 60, elapsed }, plan, expected);
    collector.collect(&mut cx).expect("it collects on this host");
    cx.finish()
}

/// Every collector on the host below a root, with the names that these sets have.
fn steady_cycles_allocate_nothing(root: &Path, sets: &[NameSet]) {
    let mut config = Config::standalone();
    config.collector.names = sets.to_vec();
    let plan = Plan::new(collect::ALL, sets.iter().copied().collect(), Platform::CURRENT, &config);
    let context = Context {
        host: Host::new(root),
        config: Arc::new(config),
        stats: Arc::new(Stats::default()),
        perf: Perf::none(),
        assigned: Arc::default(),
    };
    let mut said = 0;
    for spec in specs() {
        let Some(mut collector) = (spec.open)(&context).unwrap_or_else(|error| panic!("{}: {error}", spec.name)) else {
            continue;
        };
        let (mut expected, mut problems) = (0, Vec::new());
        for at in 0..WARM_UP {
            let collected = cycle(&mut *collector, &plan, at, expected);
            (expected, problems) = (collected.samples.len(), collected.problems);
        }
        // To tell a problem takes memory: under Wine some of what Windows serves is refused.
        if cfg!(windows) && !problems.is_empty() {
            continue;
        }
        assert_eq!(problems, [], "{} below {}", spec.name, root.display());
        // A host that grows meanwhile makes a buffer grow, but not in every cycle.
        let mut fewest = u64::MAX;
        for at in WARM_UP..WARM_UP + 5 {
            let mut samples = 0;
            let used =
                allocation_counter::measure(|| samples = cycle(&mut *collector, &plan, at, expected).samples.len());
            // As many are expected as there were the time before; a mean may need some time to begin.
            expected = samples;
            fewest = fewest.min(used.count_total);
        }
        assert!(fewest <= 1, "{} below {}: {fewest} allocations", spec.name, root.display());
        said += expected;
    }
    assert!(said > 50, "{said} samples prove little");
}

#[test]
fn on_this_host() {
    steady_cycles_allocate_nothing(Path::new("/"), &[NameSet::Falcon, NameSet::Extended]);
}

#[test]
fn on_this_host_in_the_names_of_every_agent() {
    let all = [NameSet::Falcon, NameSet::WindowsAgent, NameSet::FreedomKk, NameSet::LeonZYang, NameSet::Extended];
    steady_cycles_allocate_nothing(Path::new("/"), &all);
}

#[cfg(target_os = "linux")]
#[test]
fn on_hosts_of_four_kernels() {
    for kernel in ["3.10", "4.18", "5.15", "6.1"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kernels").join(kernel);
        steady_cycles_allocate_nothing(&root, &[NameSet::Falcon, NameSet::Extended]);
    }
}

/// The history took memory for each cycle, and gave it back a day later.
#[test]
fn a_full_history_goes_on_in_the_memory_that_it_has() {
    const CAP: usize = 64 * 1024;
    let mut ring = Ring::new(CAP);
    let mut tracks: Vec<Track> = vec![Track::default(); 100];
    let mut cycle = |ring: &mut Ring, n: i64| {
        for (id, track) in tracks.iter_mut().enumerate() {
            ring.append(id.try_into().unwrap(), track, n as f64 / 3.0, n * 60, n * 60);
        }
    };
    let taken = allocation_counter::measure(|| (0..1000).for_each(|n| cycle(&mut ring, n)));
    assert!(taken.bytes_max <= CAP as u64, "{} bytes", taken.bytes_max);
    let points = ring.facts(100).points;
    let used = allocation_counter::measure(|| (1000..2000).for_each(|n| cycle(&mut ring, n)));
    assert_eq!(used.count_total, 0);
    assert!(ring.facts(100).points < points * 2, "it was full");
}
