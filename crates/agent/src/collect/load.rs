//! `load.*`. Linux: the kernel's load averages (`/proc/loadavg`). Windows has none: they are emulated by [`sampler`].
//! Also `sys.proc.queue`, the run queue as it is at the reading. Of the agents that ran on Windows one sent constant
//! zeros, which its name set brings back.

mod average;
mod sampler;

use falcon_sys::Host;

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::model::{Metric, On, Platform, Sets, Tags};
use average::Averages;
use sampler::Sampler;

const SOURCE: &str = "/proc/loadavg";
const EMULATED: &str = "busy processors + run queue, every 5 s; NtQuerySystemInformation";
const QUEUED: &str = "/proc/stat procs_running; threads that are ready by NtQuerySystemInformation";
const ZERO: &str = "constant 0, as that agent sent it";

const ONE: Metric = Metric::gauge("load.1min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 1 minute");
const FIVE: Metric =
    Metric::gauge("load.5min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 5 minutes");
const FIFTEEN: Metric =
    Metric::gauge("load.15min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 15 minutes");
const EMULATED_1: Metric = Metric { source: EMULATED, ..ONE.on(On::Windows) };
const EMULATED_5: Metric = Metric { source: EMULATED, ..FIVE.on(On::Windows) };
const EMULATED_15: Metric = Metric { source: EMULATED, ..FIFTEEN.on(On::Windows) };
const QUEUE: Metric = Metric::gauge("sys.proc.queue", "threads", Sets::EXTENDED, QUEUED)
    .help("threads that wait for a processor; Linux: with those that have one");
const ZERO_1: Metric = Metric::counter("load.load1", "tasks", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const ZERO_5: Metric = Metric { name: "load.load5", ..ZERO_1 };
const ZERO_15: Metric = Metric { name: "load.load15", ..ZERO_1 };

pub(super) const SPEC: Spec = Spec {
    name: "load",
    check: "loadavg",
    lane: Lane::Host,
    // Busy processors are known from the second reading on.
    rates: matches!(Platform::CURRENT, Platform::Windows),
    metrics: &[ONE, FIVE, FIFTEEN, EMULATED_1, EMULATED_5, EMULATED_15, QUEUE, ZERO_1, ZERO_5, ZERO_15],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Load { host: cx.host.clone(), sampler: None }))),
};

struct Load {
    host: Host,
    /// From the first cycle that says the emulated averages.
    sampler: Option<Sampler>,
}

impl Collector for Load {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if cx.wants(&ONE) {
            match self.host.load_avg() {
                Ok(load) => emit(cx, [&ONE, &FIVE, &FIFTEEN], [load.one, load.five, load.fifteen]),
                Err(error) => cx.problem("load averages", error),
            }
        }
        let emulates = cx.wants(&EMULATED_1);
        if emulates || cx.wants(&QUEUE) {
            match self.host.run_queue() {
                Ok(queue) => {
                    cx.emit(&QUEUE, &Tags::NONE, float(queue));
                    if emulates {
                        self.emulate(cx, queue);
                    }
                }
                Err(error) => cx.problem("run queue", error),
            }
        }
        emit(cx, [&ZERO_1, &ZERO_5, &ZERO_15], [0.0; 3]);
        Ok(())
    }
}

impl Load {
    /// A sample of its own in each cycle: the averages are as new as the cycle, also in one that has no sampler.
    fn emulate(&mut self, cx: &mut Cx<'_>, queue: u64) {
        let sampler = self.sampler.get_or_insert_with(|| Sampler::new(&self.host));
        if let Some(why) = sampler.failure() {
            cx.problem("sampler of the load", why);
        }
        match self.host.cpu_stat() {
            Ok(stat) => {
                if let Some(Averages { one, five, fifteen }) = sampler.take(&stat, queue) {
                    emit(cx, [&EMULATED_1, &EMULATED_5, &EMULATED_15], [one, five, fifteen]);
                }
            }
            Err(error) => cx.problem("processor times", error),
        }
    }
}

fn emit(cx: &mut Cx<'_>, metrics: [&'static Metric; 3], values: [f64; 3]) {
    for (metric, value) in metrics.into_iter().zip(values) {
        cx.emit(metric, &Tags::NONE, value);
    }
}

#[cfg(test)]
mod tests;
