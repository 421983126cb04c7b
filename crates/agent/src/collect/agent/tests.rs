use std::collections::BTreeMap;

use super::*;
use crate::collect::Collected;
use crate::collect::tests::with_cx;
use crate::config::{Config, NameSet};
use crate::model::Platform;

fn context(transfers: &[&str]) -> Context {
    let mut config = Config::standalone();
    config.transfer.addrs = transfers.iter().map(|addr| (*addr).to_owned()).collect();
    crate::collect::tests::context(config)
}

fn cycle(cx: &Context) -> BTreeMap<String, f64> {
    let mut agent = Agent::new(cx);
    let sets = [NameSet::Extended].into_iter().collect();
    let (result, Collected { samples, problems, .. }) = with_cx(sets, Platform::CURRENT, |cx| agent.collect(cx));
    result.unwrap();
    assert_eq!(problems, []);
    let name = |sample: &crate::model::Sample| format!("{} {}", sample.metric, sample.tags.as_str());
    samples.iter().map(|sample| (name(sample).trim().to_owned(), sample.value.get())).collect()
}

#[test]
fn what_only_a_queue_has_is_said_where_a_transfer_is_configured() {
    let of_a_queue = |said: &BTreeMap<String, f64>| {
        let names = said.keys().filter(|name| {
            m::ALL
                .iter()
                .any(|metric| metric.source.contains("transfer") && name.split(' ').next() == Some(metric.name))
        });
        names.count()
    };
    assert_eq!(of_a_queue(&cycle(&context(&[]))), 0);
    // The levels are not known yet.
    assert_eq!(of_a_queue(&cycle(&context(&["t:8433"]))), Lost::ALL.len() + 8);
}

#[test]
fn what_only_plugins_have_is_said_where_they_are_run() {
    let of_plugins = |cx: &Context| -> Vec<(String, f64)> {
        cycle(cx).into_iter().filter(|(name, _)| name.starts_with("agent.plugin.")).collect()
    };
    assert_eq!(of_plugins(&context(&[])), []);
    let mut config = Config::standalone();
    config.plugin.enabled = true;
    let cx = crate::collect::tests::context(config);
    cx.stats.plugin_runs.add(3);
    cx.stats.plugin_late.add(1);
    let said = of_plugins(&cx);
    let value = |name: &str| said.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
    assert_eq!((said.len(), value("agent.plugin.runs"), value("agent.plugin.late")), (9, Some(3.0), Some(1.0)));
}

#[test]
fn what_was_lost_is_said_by_reason_and_in_all() {
    let cx = context(&["t:8433"]);
    cx.stats.lose(Lost::Age, 3);
    cx.stats.lose(Lost::Stop, 4);
    let said = cycle(&cx);
    let lost = |why: Lost| said.get(&format!("agent.points.dropped reason={}", why.as_str())).copied();
    assert_eq!((lost(Lost::Age), lost(Lost::Stop), lost(Lost::Quota)), (Some(3.0), Some(4.0), Some(0.0)));
    assert_eq!(said.get("agent.transfer.dropped"), Some(&7.0));
}

#[test]
fn what_is_not_known_is_absent_and_what_is_negative_is_said() {
    let cx = context(&["t:8433"]);
    let names = ["agent.clock.skew", "agent.transfer.up", "agent.transfer.call.ms", "agent.queue.disk.ok"];
    let said = cycle(&cx);
    assert!(names.iter().all(|name| !said.contains_key(*name)), "{said:?}");
    cx.stats.clock_skew_s.set(-15);
    cx.stats.transfer_up.set(0);
    cx.stats.transfer_call_ms.set(12);
    cx.stats.queue_disk_ok.set(1);
    let said = cycle(&cx);
    assert_eq!(names.map(|name| said.get(name).copied()), [Some(-15.0), Some(0.0), Some(12.0), Some(1.0)]);
    cx.stats.transfer_call_ms.forget();
    assert!(!cycle(&cx).contains_key("agent.transfer.call.ms"));
}

#[test]
fn the_configuration_is_known_by_its_crc() {
    let crc = |cx: &Context| cycle(cx).get("agent.config.crc").copied();
    let (alone, sends) = (context(&[]), context(&["t:8433"]));
    assert_eq!(crc(&alone), Some(f64::from(Config::standalone().crc())));
    assert!(crc(&sends).is_some() && crc(&sends) != crc(&alone));
}

#[test]
fn it_sees_its_own_threads_on_every_platform() {
    assert!(cycle(&context(&[])).get("agent.threads").is_some_and(|threads| *threads >= 1.0));
}

#[test]
fn what_asking_for_counters_cost_is_said_once_somebody_has_asked() {
    let cx = context(&[]);
    let of_perf = || -> Vec<(String, f64)> {
        let mut agent = Agent::new(&cx);
        let sets = [NameSet::Extended].into_iter().collect();
        let (_, Collected { samples, .. }) = with_cx(sets, Platform::Windows, |cx| agent.collect(cx));
        let named = samples.iter().map(|sample| (sample.metric.to_string(), sample.value.get()));
        named.filter(|(name, _)| name.starts_with("agent.perf.")).collect()
    };
    assert_eq!(of_perf(), []);
    cx.stats.perf_asked.add(3);
    cx.stats.perf_deaths.add(2);
    let said = |name: &str, value: f64| (name.to_owned(), value);
    let counts = [said("agent.perf.deaths", 2.0), said("agent.perf.recycled", 0.0), said("agent.perf.refused", 0.0)];
    assert_eq!(of_perf(), counts);
    cx.stats.perf_mem.set(30_000_000);
    assert_eq!(of_perf().last(), Some(&said("agent.perf.mem", 3e7)));
    cx.stats.perf_mem.forget();
    assert_eq!(of_perf().len(), 3);
}

#[test]
fn what_only_a_module_has_is_counted_where_the_module_was_asked() {
    let cx = context(&[]);
    let has = |cx: &Context, group: &str| cycle(cx).contains_key(&format!("agent.series.dropped group={group}"));
    assert!(has(&cx, "series") && has(&cx, "disks") && !has(&cx, "sites") && !has(&cx, "databases"));
    cx.stats.collect_asked[Lane::Iis as usize].add(1);
    assert!(has(&cx, "sites") && has(&cx, "pools") && !has(&cx, "databases") && !has(&cx, "counters"));
}
