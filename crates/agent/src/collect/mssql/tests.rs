use super::*;
use crate::collect::budget::tests::Hand;
use crate::collect::{ALL, Collected, Plan, known};
use crate::config::parse;
use crate::model::{Platform, Tick};
use crate::perf::fake::{Fake, table};
use crate::perf::rows::{Missing, Raw, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;

mod defaults;
mod instances;
mod selection;

/// LARGE_RAWCOUNT, BULK_COUNT, LARGE_RAW_FRACTION, AVERAGE_BULK.
const LARGE: u32 = 0x0001_0100;
const BULK: u32 = 0x1041_0500;
const FRACTION: u32 = 0x2002_0500;
const AVERAGE: u32 = 0x4002_0500;

/// What a test's host has.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    registered: Vec<&'static str>,
    /// Of those that are registered.
    clustered: Vec<&'static str>,
    edition: Option<&'static str>,
    registry_fails: bool,
    services: Vec<(&'static str, u32, u32)>,
    services_fail: bool,
    services_take: Option<(Hand, u64)>,
    processes: Vec<Proc>,
    /// Of processor time, while the manager of services was asked.
    used_meanwhile_s: u64,
}

impl System for Host {
    fn registered(&mut self) -> io::Result<Vec<SqlInstance>> {
        let facts = self.0.lock().unwrap();
        if facts.registry_fails {
            return Err(io::Error::other("no registry"));
        }
        let instance = |name: &&str| SqlInstance {
            name: (*name).to_owned(),
            id: format!("MSSQL15.{name}"),
            version: Some("15.0.4316.3".to_owned()),
            is_clustered: facts.clustered.contains(name),
        };
        Ok(facts.registered.iter().map(instance).collect())
    }

    fn edition(&mut self, id: &str) -> Option<String> {
        self.0.lock().unwrap().edition.map(|edition| format!("{edition} ({id})"))
    }

    fn services(&mut self) -> io::Result<Vec<Service>> {
        let mut facts = self.0.lock().unwrap();
        let used_us = facts.used_meanwhile_s * 1_000_000;
        facts.processes.iter_mut().for_each(|process| process.user_us += used_us);
        if let Some((hand, seconds)) = &facts.services_take {
            hand.pass(*seconds);
        }
        if facts.services_fail {
            return Err(io::Error::other("busy"));
        }
        let service = |(name, state, pid): &(&str, u32, u32)| Service {
            name: (*name).to_owned(),
            state: *state,
            exit_code: 0,
            pid: (*pid > 0).then_some(*pid),
            is_template: false,
            start: None,
        };
        Ok(facts.services.iter().map(service).collect())
    }

    fn processes(&mut self, into: &mut Vec<Proc>) -> io::Result<()> {
        into.clone_from(&self.0.lock().unwrap().processes);
        Ok(())
    }
}

/// A collector under a configuration, on such a host.
struct Rig {
    fake: Fake,
    hand: Hand,
    host: Host,
    config: Config,
    stats: Arc<Stats>,
    collector: Mssql,
    elapsed: Option<Duration>,
}

fn collector(config: &Config, stats: &Arc<Stats>, fake: &Fake, host: &Host, hand: &Hand) -> Mssql {
    Mssql::new(config, stats, hand.slow(fake), Box::new(host.clone()), Budget::on(config, hand.clock()))
}

impl Rig {
    fn new(file: &str, facts: Facts) -> Rig {
        let (config, warnings) = parse(file.as_bytes(), "cfg.json", &known()).unwrap();
        assert!(warnings.iter().all(|warning| warning.to_string().contains("mssql")), "{warnings:?}");
        let (fake, stats) = (Fake::default(), Arc::new(Stats::default()));
        let (host, hand) = (Host(Arc::new(Mutex::new(facts))), Hand::default());
        let collector = collector(&config, &stats, &fake, &host, &hand);
        Rig { fake, hand, host, config, stats, collector, elapsed: None }
    }

    /// As after a start of the agent.
    fn renew(&mut self) {
        self.collector = collector(&self.config, &self.stats, &self.fake, &self.host, &self.hand);
        self.elapsed = None;
    }

    /// With the default instance, which runs as process 10, and a named one that does not.
    fn typical(file: &str) -> Rig {
        let services = vec![("MSSQLSERVER", 4, 10), ("MSSQL$Prod", 1, 0), ("SQLSERVERAGENT", 4, 11)];
        Rig::new(file, Facts { registered: vec!["MSSQLSERVER", "Prod"], services, ..Facts::default() })
    }

    fn facts<T>(&self, change: impl FnOnce(&mut Facts) -> T) -> T {
        change(&mut self.host.0.lock().unwrap())
    }

    fn try_cycle(&mut self) -> (anyhow::Result<()>, Collected) {
        let sets: Sets = self.config.collector.names.iter().copied().collect();
        let plan = Plan::new(ALL, sets, Platform::Windows, &self.config);
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed: self.elapsed }, &plan, 0);
        self.elapsed = Some(Duration::from_secs(60));
        let result = self.collector.collect(&mut cx);
        (result, cx.finish())
    }

    fn cycle(&mut self) -> Collected {
        let (result, collected) = self.try_cycle();
        result.unwrap();
        collected
    }
}

/// What was said in this cycle, by `name{tags}`.
fn said(collected: &Collected) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for sample in collected.samples.iter().filter(|sample| sample.at == 0) {
        let name = match sample.tags.as_str() {
            "" => sample.metric.to_string(),
            tags => format!("{}{{{tags}}}", sample.metric),
        };
        assert_eq!(all.insert(name.clone(), sample.value.get()), None, "{name} twice");
    }
    all
}

/// Names of what was said that begin so.
fn names(collected: &Collected, prefix: &str) -> Vec<String> {
    said(collected).into_keys().filter(|name| name.starts_with(prefix)).collect()
}

/// A table of one row, and each value's base.
fn based(second: u64, columns: &[(&str, u32)], rows: &[(&str, &[(u64, u64)])]) -> Table {
    let values: Vec<Vec<u64>> =
        rows.iter().map(|(_, values)| values.iter().map(|(value, _)| *value).collect()).collect();
    let plain: Vec<(&str, &[u64])> =
        rows.iter().zip(&values).map(|((name, _), values)| (*name, values.as_slice())).collect();
    let mut all = table(second, columns, &plain);
    for (row, (_, values)) in all.rows.iter_mut().zip(rows) {
        for ((value, (_, base)), (_, kind)) in row.values.iter_mut().zip(*values).zip(columns) {
            if matches!(*kind, FRACTION | AVERAGE) {
                *value = value.map(|raw| Raw { base: Some(*base), ..raw });
            }
        }
    }
    all
}

fn databases(rows: &[(&str, &[u64])]) -> Table {
    table(0, &[("Transactions/sec", BULK), ("Data File(s) Size (KB)", LARGE), ("Percent Log Used", LARGE)], rows)
}

fn process(pid: u32, cpu_s: u64) -> Proc {
    Proc {
        pid,
        name: "sqlservr.exe".to_owned(),
        created: 7,
        age_s: 3600.0,
        user_us: cpu_s * 900_000,
        kernel_us: cpu_s * 100_000,
        memory_bytes: Some(4096),
        working_set_bytes: 2048,
        handles: Some(500),
        ..Proc::default()
    }
}
