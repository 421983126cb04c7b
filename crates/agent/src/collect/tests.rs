use super::*;
use crate::config::NameSet;
use crate::model::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SETS: [NameSet; 5] =
    [NameSet::Falcon, NameSet::WindowsAgent, NameSet::FreedomKk, NameSet::LeonZYang, NameSet::Extended];

/// Of a host with this configuration and nothing else: what differs is put over it.
pub(crate) fn context(config: Config) -> Context {
    Context {
        host: Host::new("/"),
        config: Arc::new(config),
        stats: Arc::default(),
        perf: Perf::none(),
        assigned: Arc::default(),
    }
}

/// What one collector's code says with these sets on this platform.
pub(crate) fn with_cx<T>(sets: Sets, platform: Platform, run: impl FnOnce(&mut Cx<'_>) -> T) -> (T, Collected) {
    let plan = plan(sets, platform);
    let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed: None }, &plan, 0);
    let result = run(&mut cx);
    (result, cx.finish())
}

/// The same with everything that is off by default switched on, so long after the cycle before.
pub(super) fn with_all<T>(
    sets: Sets,
    platform: Platform,
    elapsed: Option<Duration>,
    run: impl FnOnce(&mut Cx<'_>) -> T,
) -> (T, Collected) {
    let plan = Plan::new(ALL, sets, platform, &with_all_options());
    let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed }, &plan, 0);
    let result = run(&mut cx);
    (result, cx.finish())
}

fn plan(sets: Sets, platform: Platform) -> Plan {
    Plan::new(ALL, sets, platform, &Config::standalone())
}

/// Everything that is off by default, switched on.
fn with_all_options() -> Config {
    let mut config = Config::standalone();
    config.collector.switches = known().options.into_iter().map(|option| (option, true)).collect();
    config
}

fn every_choice_of_sets() -> impl Iterator<Item = Sets> {
    (1u32..1 << SETS.len())
        .map(|bits| SETS.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, set)| *set).collect())
}

#[test]
fn on_one_platform_a_name_has_one_type_and_one_set_of_tag_keys() {
    for platform in [Platform::Linux, Platform::Windows] {
        let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
        for metric in ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| metric.on.includes(platform)) {
            let kind = *kinds.entry(metric.name).or_insert(metric.kind);
            assert_eq!(kind, metric.kind, "{} on {platform:?}", metric.name);
        }
        for active in every_choice_of_sets() {
            let plan = Plan::new(ALL, active, platform, &with_all_options());
            let mut said = BTreeSet::new();
            for metric in ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| plan.says(metric)) {
                assert!(said.insert(metric.name), "{} is said twice on {platform:?} by {active:?}", metric.name);
            }
        }
    }
}

#[test]
fn every_set_has_the_base_metrics() {
    // Those whose metrics every agent before this one had in some form.
    const BASE: [&str; 5] = ["agent", "cpu", "mem", "netif", "df"];
    assert!(BASE.iter().all(|name| ALL.iter().any(|spec| spec.name == *name)));
    for platform in [Platform::Linux, Platform::Windows] {
        for set in SETS.into_iter().filter(|set| *set != NameSet::Extended) {
            let plan = plan(Sets::NONE.with(set), platform);
            for spec in ALL.iter().filter(|spec| BASE.contains(&spec.name)) {
                let said = spec.metrics.iter().any(|metric| plan.says(metric));
                assert!(said, "{} says nothing in set {set:?} on {platform:?}", spec.name);
            }
        }
    }
}

#[test]
fn a_shared_name_keeps_the_tag_keys_of_the_agent_that_was_there_before() {
    let both = Sets::FALCON.and(Sets::WINDOWS_AGENT);
    let plan = plan(both, Platform::Windows);
    let keys: Vec<_> = ALL
        .iter()
        .flat_map(|spec| spec.metrics)
        .filter(|metric| metric.name == "net.if.in.packets" && plan.says(metric))
        .map(|metric| metric.tags)
        .collect();
    assert_eq!(keys, [["interface"].as_slice()]);
}

#[test]
fn declarations_are_complete() {
    let mut names = BTreeSet::new();
    for spec in ALL {
        assert!(names.insert(spec.name), "two collectors are called {}", spec.name);
        for metric in spec.metrics {
            assert!(!metric.source.is_empty() && !metric.unit.is_empty(), "{} of {}", metric.name, spec.name);
            assert!(metric.sets != Sets::NONE, "{} is in no name set", metric.name);
            assert!(!metric.name.contains(|c: char| c.is_whitespace() || "'\">,=".contains(c)), "{}", metric.name);
        }
    }
}
