//! `agent.*`: that the agent lives, what it costs, and what it could not deliver.
//!
//! What only a queue has is said where a transfer is configured, and what only plugins have where they are run: without
//! that it would be thirty zeros on every host. What is not known (whether a transfer answers, before the first call) is absent.

mod metrics;

use std::sync::Arc;

use falcon_sys::Host;

use self::metrics as m;
use super::{Collector, Context, Cx, Guarded, Lane, Spec, float};
use crate::model::{Metric, Tags};
use crate::stats::{Level, Lost, Stats};

pub(super) const SPEC: Spec = Spec {
    name: "agent",
    check: "agent",
    lane: Lane::Host,
    rates: true,
    metrics: m::ALL,
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Agent::new(cx)))),
};

struct Agent {
    stats: Arc<Stats>,
    host: Host,
    cpu_us: Option<u64>,
    config_crc: u32,
    figures: Figures,
}

impl Agent {
    fn new(cx: &Context) -> Agent {
        Agent {
            stats: cx.stats.clone(),
            host: cx.host.clone(),
            cpu_us: None,
            config_crc: cx.config.crc(),
            figures: Figures::new(!cx.config.transfer.addrs.is_empty(), cx.config.plugin.enabled),
        }
    }
}

impl Collector for Agent {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        cx.emit(&m::ALIVE, &Tags::NONE, 1.0);
        cx.emit(&m::CONFIG_CRC, &Tags::NONE, self.config_crc.into());
        self.usage(cx);
        self.figures.tell(&self.stats, &mut |metric, tags, value| cx.emit(metric, tags, value));
        Ok(())
    }
}

impl Agent {
    fn usage(&mut self, cx: &mut Cx<'_>) {
        match falcon_sys::self_usage() {
            Ok(usage) => {
                cx.emit(&m::RSS, &Tags::NONE, float(usage.rss_bytes));
                if let Some(handles) = usage.handles {
                    cx.emit(&m::HANDLES, &Tags::NONE, float(handles));
                }
                let before = self.cpu_us.replace(usage.cpu_us);
                if let (Some(before), Some(elapsed)) = (before, cx.tick.elapsed) {
                    let used_s = float(usage.cpu_us.saturating_sub(before)) / 1e6;
                    cx.emit(&m::CPU, &Tags::NONE, used_s * 100.0 / elapsed.as_secs_f64());
                }
            }
            Err(error) => cx.problem("own usage", error),
        }
        // On Windows every process of the host is listed for it.
        if cx.wants(&m::THREADS) {
            match self.host.own_threads() {
                Ok(threads) => cx.emit(&m::THREADS, &Tags::NONE, float(threads)),
                Err(error) => cx.problem("own threads", error),
            }
        }
    }
}

type Say<'a> = dyn FnMut(&'static Metric, &Tags, f64) + 'a;

/// What [`Stats`] has of `agent.*`: known without asking anything.
pub(crate) struct Figures {
    /// A transfer is configured.
    has_queue: bool,
    runs_plugins: bool,
    /// Tags of the lanes, of the guarded kinds and of the reasons, in their order.
    lanes: Vec<Tags>,
    kinds: Vec<Tags>,
    reasons: Vec<Tags>,
}

impl Figures {
    pub fn new(has_queue: bool, runs_plugins: bool) -> Figures {
        let group = |name: &str| Tags::of(&[("group", name)]);
        Figures {
            has_queue,
            runs_plugins,
            lanes: Lane::ALL.iter().map(|lane| group(lane.name())).collect(),
            kinds: Guarded::ALL.iter().map(|kind| group(kind.name())).collect(),
            reasons: Lost::ALL.iter().map(|why| Tags::of(&[("reason", why.as_str())])).collect(),
        }
    }

    pub fn tell(&self, stats: &Stats, say: &mut Say<'_>) {
        self.collectors(stats, say);
        points(stats, say);
        perf(stats, say);
        if self.has_queue {
            self.queue(stats, say);
        }
        if self.runs_plugins {
            plugins(stats, say);
        }
    }

    fn collectors(&self, stats: &Stats, say: &mut Say<'_>) {
        for ((lane, ms), (asked, tags)) in
            Lane::ALL.iter().zip(&stats.collect_ms).zip(stats.collect_asked.iter().zip(&self.lanes))
        {
            // Most hosts have no GPU, and need no series that says how long it took not to ask one.
            if lane.is_everywhere() || asked.get() > 0 {
                say(&m::COLLECT_MS, tags, float(ms.get()));
            }
        }
        for ((kind, tags), dropped) in Guarded::ALL.iter().zip(&self.kinds).zip(&stats.series_dropped) {
            let asked = |lane: Lane| stats.collect_asked.get(lane as usize).is_some_and(|asked| asked.get() > 0);
            if kind.lane().is_none_or(asked) {
                say(&m::SERIES_DROPPED, tags, float(dropped.get()));
            }
        }
    }

    fn queue(&self, stats: &Stats, say: &mut Say<'_>) {
        for (tags, lost) in self.reasons.iter().zip(&stats.lost) {
            say(&m::LOST, tags, float(lost.get()));
        }
        let counts = [
            (&m::COLLECTED, &stats.collected),
            (&m::QUEUE_MEMORY, &stats.queue_memory_bytes),
            (&m::QUEUE_DISK, &stats.queue_disk_bytes),
            (&m::QUEUE_AGE, &stats.queue_age_s),
            (&m::QUEUE_WRITTEN, &stats.queue_disk_written),
            (&m::QUEUE_DAMAGED, &stats.queue_damaged),
            (&m::REPLAY_LEFT, &stats.replay_left),
            (&m::TRANSFER_SWITCHES, &stats.transfer_switches),
        ];
        for (metric, count) in counts {
            say(metric, &Tags::NONE, float(count.get()));
        }
        let levels = [
            (&m::QUEUE_DISK_OK, &stats.queue_disk_ok),
            (&m::TRANSFER_UP, &stats.transfer_up),
            (&m::TRANSFER_CALL_MS, &stats.transfer_call_ms),
        ];
        for (metric, level) in levels {
            if let Some(value) = known(level) {
                say(metric, &Tags::NONE, value);
            }
        }
    }
}

fn points(stats: &Stats, say: &mut Say<'_>) {
    say(&m::DROPPED, &Tags::NONE, float(stats.lost_in_all()));
    let counts = [
        (&m::COLLECT_ERRORS, &stats.collect_errors),
        (&m::COLLECT_HUNG, &stats.collect_hung),
        (&m::COLLECT_PANICS, &stats.collect_panics),
        (&m::SENT, &stats.sent),
        (&m::INVALID, &stats.invalid),
        (&m::QUEUED, &stats.queued),
        (&m::PUSHED, &stats.push_accepted),
        (&m::PUSH_INVALID, &stats.push_invalid),
        (&m::PUSH_FUTURE, &stats.push_future),
        (&m::PUSH_REFUSED, &stats.push_refused),
        (&m::IGNORED, &stats.ignored),
        (&m::TOO_LONG, &stats.too_long),
        (&m::TAGS_CUT, &stats.tags_cut),
        (&m::COLLIDED, &stats.collided),
        (&m::NOT_FINITE, &stats.not_finite),
        (&m::PUSH_BUSY, &stats.push_busy),
        (&m::HTTP_REFUSED, &stats.http_refused),
        (&m::HTTP_DENIED, &stats.http_denied),
        (&m::GUARD_EXCEEDED, &stats.guard_exceeded),
        (&m::GUARD_ENDS, &stats.guard_ends),
    ];
    for (metric, count) in counts {
        say(metric, &Tags::NONE, float(count.get()));
    }
    if let Some(skew) = known(&stats.clock_skew_s) {
        say(&m::CLOCK_SKEW, &Tags::NONE, skew);
    }
}

/// Most hosts have none to ask for, and need no zeros that say so.
fn perf(stats: &Stats, say: &mut Say<'_>) {
    if stats.perf_asked.get() == 0 && stats.perf_refused.get() == 0 {
        return;
    }
    let counts = [
        (&m::PERF_DEATHS, &stats.perf_deaths),
        (&m::PERF_RECYCLED, &stats.perf_recycled),
        (&m::PERF_REFUSED, &stats.perf_refused),
    ];
    for (metric, count) in counts {
        say(metric, &Tags::NONE, float(count.get()));
    }
    if let Some(bytes) = known(&stats.perf_mem) {
        say(&m::PERF_MEM, &Tags::NONE, bytes);
    }
}

fn plugins(stats: &Stats, say: &mut Say<'_>) {
    let counts = [
        (&m::PLUGIN_BOUND, &stats.plugin_bound),
        (&m::PLUGIN_LEFT, &stats.plugin_left),
        (&m::PLUGIN_RUNNING, &stats.plugin_running),
        (&m::PLUGIN_RUNS, &stats.plugin_runs),
        (&m::PLUGIN_FAILED, &stats.plugin_failed),
        (&m::PLUGIN_LATE, &stats.plugin_late),
        (&m::PLUGIN_SKIPPED, &stats.plugin_skipped),
        (&m::PLUGIN_ITEMS, &stats.plugin_items),
        (&m::PLUGIN_INVALID, &stats.plugin_invalid),
    ];
    for (metric, count) in counts {
        say(metric, &Tags::NONE, float(count.get()));
    }
}

/// Exact up to 2^53, as [`float`] is.
#[allow(clippy::cast_precision_loss)]
fn known(level: &Level) -> Option<f64> {
    level.get().map(|value| value as f64)
}

#[cfg(test)]
mod tests;
