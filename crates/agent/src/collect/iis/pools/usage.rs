//! What the workers of a pool use together.

use std::collections::HashMap;

use falcon_sys::types::Proc;

use super::super::host_config::{Site, key};
use super::super::workers::Worker;
use super::metrics::{CPU, CPU_HOST, HANDLES, PRIVATE, SITE_CPU, SITE_PRIVATE, THREADS, WORKING_SET};
use super::tagged;
use crate::collect::process::gains::{Gain, Gains};
use crate::collect::{Class, Cx, float};
use crate::model::Metric;

/// A sum of which one process cannot be read is absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usage {
    workers: u64,
    /// Of those whose gain is known.
    timed: u64,
    cpu_us: u64,
    private_bytes: Option<u64>,
    working_set_bytes: u64,
    handles: Option<u64>,
    threads: u64,
}

impl Usage {
    const NONE: Usage = Usage {
        workers: 0,
        timed: 0,
        cpu_us: 0,
        private_bytes: Some(0),
        working_set_bytes: 0,
        handles: Some(0),
        threads: 0,
    };

    fn of(process: &Proc, gain: &Gain) -> Usage {
        Usage {
            workers: 1,
            timed: u64::from(gain.cpu.is_some()),
            cpu_us: gain.cpu.map_or(0, |cpu| cpu.total_us()),
            private_bytes: process.memory_bytes,
            working_set_bytes: process.working_set_bytes,
            handles: process.handles,
            threads: process.threads,
        }
    }

    /// Whether anybody uses it.
    pub(super) fn is_any(&self) -> bool {
        self.workers > 0
    }

    fn plus(self, other: Usage) -> Usage {
        let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        Usage {
            workers: self.workers + other.workers,
            timed: self.timed + other.timed,
            cpu_us: self.cpu_us.saturating_add(other.cpu_us),
            private_bytes: both(self.private_bytes, other.private_bytes),
            working_set_bytes: self.working_set_bytes.saturating_add(other.working_set_bytes),
            handles: both(self.handles, other.handles),
            threads: self.threads.saturating_add(other.threads),
        }
    }

    /// Of one processor. `None` in the first cycle, and where all workers are seen for the first time and not new.
    fn cpu_percent(&self, gains: Gains<'_>) -> Option<f64> {
        (self.workers == 0 || self.timed > 0).then(|| gains.percent_of_one_cpu(self.cpu_us))?
    }
}

/// What all workers use, by pool.
pub(super) struct Used<'a> {
    pools: HashMap<String, Usage>,
    pub(super) all: Usage,
    gains: Gains<'a>,
    processors: Option<u32>,
    /// There is a worker whose pool is not known, and why. Of several that is said of the oldest, which stays the same.
    pub(super) why_unknown: Option<String>,
}

impl<'a> Used<'a> {
    pub(super) fn new(table: &[Proc], found: &[Worker], gains: Gains<'a>, processors: Option<u32>) -> Used<'a> {
        let (mut pools, mut all) = (HashMap::new(), Usage::NONE);
        let mut oldest_unknown: Option<((u64, u32), &String)> = None;
        for ((process, worker), gain) in table.iter().zip(found).zip(gains.all) {
            let usage = Usage::of(process, gain);
            match worker {
                Worker::Foreign => continue,
                Worker::Unknown(why) => {
                    let age = (process.created, process.pid);
                    oldest_unknown = oldest_unknown.filter(|(before, _)| *before < age).or(Some((age, why)));
                }
                Worker::Of(pool) => {
                    let sum = pools.entry(key(pool)).or_insert(Usage::NONE);
                    *sum = sum.plus(usage);
                }
            }
            all = all.plus(usage);
        }
        let processors = processors.filter(|count| *count > 0);
        let why_unknown = oldest_unknown.map(|(_, why)| why.clone());
        Used { pools, all, gains, processors, why_unknown }
    }

    /// `None`: a worker that is not known may be its only one.
    pub(super) fn of(&self, pool: &str) -> Option<Usage> {
        match self.pools.get(pool) {
            Some(usage) => Some(*usage),
            None if self.why_unknown.is_some() => None,
            None => Some(Usage::NONE),
        }
    }
}

/// What somebody uses, by metric.
pub(super) fn values(used: &Used<'_>, usage: &Usage) -> impl Iterator<Item = (&'static Metric, f64)> {
    let percent = usage.cpu_percent(used.gains);
    let of_host = percent.and_then(|percent| Some(percent / f64::from(used.processors?)));
    let values: [(&Metric, Option<f64>); 6] = [
        (&CPU, percent),
        (&CPU_HOST, of_host),
        (&PRIVATE, usage.private_bytes.map(float)),
        (&WORKING_SET, Some(float(usage.working_set_bytes))),
        (&HANDLES, usage.handles.map(float)),
        (&THREADS, Some(float(usage.threads))),
    ];
    values.into_iter().filter_map(|(metric, value)| Some((metric, value?)))
}

/// Of sites that have their pools alone.
pub(super) fn emit_sites<'s>(cx: &mut Cx<'_>, used: &Used<'_>, sites: impl Iterator<Item = &'s Site>) {
    cx.class(Class::Sites);
    for site in sites {
        let mut pools = site.pools.iter().map(|pool| used.of(pool));
        let Some(usage) = pools.try_fold(Usage::NONE, |sum, usage| Some(sum.plus(usage?))) else { continue };
        let tags = tagged("site", &site.name);
        if let Some(percent) = usage.cpu_percent(used.gains) {
            cx.emit(&SITE_CPU, &tags, percent);
        }
        if let Some(bytes) = usage.private_bytes {
            cx.emit(&SITE_PRIVATE, &tags, float(bytes));
        }
    }
}
