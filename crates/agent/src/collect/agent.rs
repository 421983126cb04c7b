//! `agent.*`: that the agent lives, what it costs, and what it could not deliver.

use std::sync::Arc;

use super::{Collector, Context, Cx, Guarded, Lane, Spec, float};
use crate::model::{Metric, On, Sets, Tags};
use crate::stats::Stats;

const OWN: &str = "counted by the agent";
const USAGE: &str = "/proc/self; GetProcessMemoryInfo, GetProcessTimes, GetProcessHandleCount";

const ALIVE: Metric = Metric::gauge("agent.alive", "1", Sets::ALL, "constant 1").help("the agent collects");
const RSS: Metric = Metric::gauge("agent.mem.rss", "B", Sets::EXTENDED, USAGE).help("memory in use by the agent");
const CPU: Metric =
    Metric::gauge("agent.cpu.percent", "%", Sets::EXTENDED, USAGE).help("of one processor, mean over the interval");
const HANDLES: Metric =
    Metric::gauge("agent.handles", "handles", Sets::EXTENDED, USAGE).help("open handles (Linux: file descriptors)");
const THREADS: Metric =
    Metric::gauge("agent.threads", "threads", Sets::EXTENDED, "/proc/self/stat").on(On::Linux).help("of the agent");
const COLLECT_MS: Metric = Metric::gauge("agent.collect.ms", "ms", Sets::EXTENDED, OWN)
    .tags(&["group"])
    .help("time that the last cycle of a group of collectors took");
const COLLECT_ERRORS: Metric =
    Metric::counter("agent.collect.errors", "errors", Sets::EXTENDED, OWN).help("sources that could not be read");
const COLLECT_HUNG: Metric = Metric::counter("agent.collect.hung", "sources", Sets::EXTENDED, OWN)
    .help("sources that missed their deadline and were given up");
const COLLECT_PANICS: Metric =
    Metric::counter("agent.collect.panics", "panics", Sets::EXTENDED, OWN).help("collectors that failed by a defect");
const SENT: Metric =
    Metric::counter("agent.transfer.sent", "points", Sets::EXTENDED, OWN).help("points acknowledged by a transfer");
const INVALID: Metric = Metric::counter("agent.transfer.invalid", "points", Sets::EXTENDED, OWN)
    .help("points that a transfer counted as Invalid or refused");
const DROPPED: Metric = Metric::counter("agent.transfer.dropped", "points", Sets::EXTENDED, OWN)
    .help("points dropped because the queue was full");
const QUEUED: Metric =
    Metric::gauge("agent.transfer.queued", "points", Sets::EXTENDED, OWN).help("points that wait for a transfer");
const PUSHED: Metric =
    Metric::counter("agent.push.accepted", "points", Sets::EXTENDED, OWN).help("points taken from /v1/push");
const PUSH_INVALID: Metric = Metric::counter("agent.push.invalid", "points", Sets::EXTENDED, OWN)
    .help("points of /v1/push that no transfer would take");

const PUSH_REFUSED: Metric = Metric::counter("agent.push.refused", "requests", Sets::EXTENDED, OWN)
    .help("requests to /v1/push that could not be decoded");
const IGNORED: Metric =
    Metric::counter("agent.points.ignored", "points", Sets::EXTENDED, OWN).help("points left out by `ignore`");
const TOO_LONG: Metric = Metric::counter("agent.points.too_long", "points", Sets::EXTENDED, OWN)
    .help("points left out because metric and tags are longer than a transfer takes");
const TAGS_CUT: Metric = Metric::counter("agent.tags.cut", "points", Sets::EXTENDED, OWN)
    .help("points whose tags were cut, with a hash of what was cut, to fit the servers' columns");
const COLLIDED: Metric = Metric::counter("agent.series.collided", "points", Sets::EXTENDED, OWN)
    .help("points left out because another thing of this host has the same name once it is cleaned");
const SERIES_DROPPED: Metric = Metric::gauge("agent.series.dropped", "things", Sets::EXTENDED, OWN)
    .tags(&["group"])
    .help("interfaces, disks, volumes, ... over `collector.limits`, left out of the last cycle");
const NOT_FINITE: Metric = Metric::counter("agent.points.not_finite", "points", Sets::EXTENDED, OWN)
    .help("collected values left out because they were no numbers");
const HTTP_REFUSED: Metric = Metric::counter("agent.http.refused", "connections", Sets::EXTENDED, OWN)
    .help("connections closed because too many were open");

pub(super) const SPEC: Spec = Spec {
    name: "agent",
    check: "agent",
    lane: Lane::Host,
    rates: true,
    metrics: &[
        ALIVE,
        RSS,
        CPU,
        HANDLES,
        THREADS,
        COLLECT_MS,
        COLLECT_ERRORS,
        COLLECT_HUNG,
        COLLECT_PANICS,
        SENT,
        INVALID,
        DROPPED,
        QUEUED,
        PUSHED,
        PUSH_INVALID,
        PUSH_REFUSED,
        IGNORED,
        TOO_LONG,
        TAGS_CUT,
        COLLIDED,
        SERIES_DROPPED,
        NOT_FINITE,
        HTTP_REFUSED,
    ],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Agent::new(cx.stats.clone())))),
};

struct Agent {
    stats: Arc<Stats>,
    cpu_us: Option<u64>,
    /// Tags of the lanes and of the guarded kinds, in their order.
    lanes: Vec<Tags>,
    kinds: Vec<Tags>,
}

impl Agent {
    fn new(stats: Arc<Stats>) -> Agent {
        let group = |name: &str| Tags::of(&[("group", name)]);
        let lanes = Lane::ALL.iter().map(|lane| group(lane.name())).collect();
        let kinds = Guarded::ALL.iter().map(|kind| group(kind.name())).collect();
        Agent { stats, cpu_us: None, lanes, kinds }
    }
}

impl Collector for Agent {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        cx.emit(&ALIVE, &Tags::NONE, 1.0);
        match falcon_sys::self_usage() {
            Ok(usage) => {
                cx.emit(&RSS, &Tags::NONE, float(usage.rss_bytes));
                if let Some(handles) = usage.handles {
                    cx.emit(&HANDLES, &Tags::NONE, float(handles));
                }
                if let Some(threads) = usage.threads {
                    cx.emit(&THREADS, &Tags::NONE, float(threads));
                }
                let before = self.cpu_us.replace(usage.cpu_us);
                if let (Some(before), Some(elapsed)) = (before, cx.tick.elapsed) {
                    let used_s = float(usage.cpu_us.saturating_sub(before)) / 1e6;
                    cx.emit(&CPU, &Tags::NONE, used_s * 100.0 / elapsed.as_secs_f64());
                }
            }
            Err(error) => cx.problem("own usage", error),
        }
        for ((lane, ms), (asked, tags)) in
            Lane::ALL.iter().zip(&self.stats.collect_ms).zip(self.stats.collect_asked.iter().zip(&self.lanes))
        {
            // Most hosts have no GPU, and need no series that says how long it took not to ask one.
            if lane.is_everywhere() || asked.get() > 0 {
                cx.emit(&COLLECT_MS, tags, float(ms.get()));
            }
        }
        for (tags, dropped) in self.kinds.iter().zip(&self.stats.series_dropped) {
            cx.emit(&SERIES_DROPPED, tags, float(dropped.get()));
        }
        cx.emit(&DROPPED, &Tags::NONE, float(self.stats.lost_in_all()));
        let counts = [
            (&COLLECT_ERRORS, &self.stats.collect_errors),
            (&COLLECT_HUNG, &self.stats.collect_hung),
            (&COLLECT_PANICS, &self.stats.collect_panics),
            (&SENT, &self.stats.sent),
            (&INVALID, &self.stats.invalid),
            (&QUEUED, &self.stats.queued),
            (&PUSHED, &self.stats.push_accepted),
            (&PUSH_INVALID, &self.stats.push_invalid),
            (&PUSH_REFUSED, &self.stats.push_refused),
            (&IGNORED, &self.stats.ignored),
            (&TOO_LONG, &self.stats.too_long),
            (&TAGS_CUT, &self.stats.tags_cut),
            (&COLLIDED, &self.stats.collided),
            (&NOT_FINITE, &self.stats.not_finite),
            (&HTTP_REFUSED, &self.stats.http_refused),
        ];
        for (metric, count) in counts {
            cx.emit(metric, &Tags::NONE, float(count.get()));
        }
        Ok(())
    }
}
