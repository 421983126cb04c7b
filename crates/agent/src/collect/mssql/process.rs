//! `mssql.up`, `mssql.uptime`, `mssql.process.*`: the service of an instance and its process.
//!
//! The control manager tells the pid, so each process belongs to its instance whatever the others are.

use std::time::Duration;

use falcon_sys::types::Proc;

use super::legacy;
use super::table::INSTANCE;
use crate::collect::{Cx, float};
use crate::model::{Metric, On, Sets, Tags};

const PROCESS: &str = "SYSTEM_PROCESS_INFORMATION";

const fn own(name: &'static str, unit: &'static str, source: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::EXTENDED, source).on(On::Windows).tags(INSTANCE).help(help)
}

pub(super) const UP: Metric = own(
    "mssql.up",
    "1",
    "EnumServicesStatusExW",
    "1 while the service runs, else 0; of a failover cluster 1 on the host that runs it, absent on the others",
);
pub(super) const AVAILABLE: Metric = own(
    "mssql.perf.available",
    "1",
    "performance counters",
    "whether an instance that runs has counters; absent while it does not run, and within three minutes of its start until \
     it has",
);
const UPTIME: Metric = own("mssql.uptime", "s", PROCESS, "since the engine's process began");
const CPU: Metric = own("mssql.process.cpu.percent", "%", PROCESS, "of one processor, mean over the interval");
const PRIVATE: Metric = own("mssql.process.mem.private", "B", PROCESS, "private bytes (commit)");
const WORKING_SET: Metric = own("mssql.process.mem.ws", "B", PROCESS, "working set, without locked pages");
const HANDLES: Metric = own("mssql.process.handles", "handles", PROCESS, "open handles");

pub(super) const METRICS: [Metric; 8] = [UP, AVAILABLE, UPTIME, CPU, PRIVATE, WORKING_SET, HANDLES, legacy::UPTIME];

/// An instance's process as it was last seen.
#[derive(Debug, Default)]
pub(super) struct Engine {
    before: Option<Seen>,
    /// Since then.
    gap: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    pid: u32,
    created: u64,
    cpu_us: u64,
}

impl Engine {
    /// Another cycle has begun, so long after the one before; `None`: nobody knows.
    pub(super) fn pass(&mut self, elapsed: Option<Duration>) {
        match elapsed {
            Some(elapsed) => self.gap = self.gap.saturating_add(elapsed),
            None => self.before = None,
        }
    }

    pub(super) fn emit(&mut self, cx: &mut Cx<'_>, process: &Proc, tags: &Tags, is_default: bool) {
        let now = Seen {
            pid: process.pid,
            created: process.created,
            cpu_us: process.user_us.saturating_add(process.kernel_us),
        };
        let gap_us = self.gap.as_secs_f64() * 1e6;
        let is_same = |before: &Seen| (before.pid, before.created) == (now.pid, now.created);
        if let Some(before) = self.before.filter(is_same).filter(|_| gap_us > 0.0) {
            cx.emit(&CPU, tags, float(now.cpu_us.saturating_sub(before.cpu_us)) * 100.0 / gap_us);
        }
        (self.before, self.gap) = (Some(now), Duration::ZERO);
        cx.emit(&UPTIME, tags, process.age_s);
        if is_default {
            cx.emit(&legacy::UPTIME, &Tags::NONE, process.age_s);
        }
        cx.emit(&WORKING_SET, tags, float(process.working_set_bytes));
        for (metric, value) in [(&PRIVATE, process.memory_bytes), (&HANDLES, process.handles)] {
            if let Some(value) = value {
                cx.emit(metric, tags, float(value));
            }
        }
    }
}
