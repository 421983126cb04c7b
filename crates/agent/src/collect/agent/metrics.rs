//! What `agent.*` is called. A name keeps its type for ever.

use crate::model::{Metric, On, Sets};

const OWN: &str = "counted by the agent";
const USAGE: &str = "/proc/self; GetProcessMemoryInfo, GetProcessTimes, GetProcessHandleCount";

pub(super) const ALIVE: Metric = Metric::gauge("agent.alive", "1", Sets::ALL, "constant 1").help("the agent collects");
pub(super) const RSS: Metric =
    Metric::gauge("agent.mem.rss", "B", Sets::EXTENDED, USAGE).help("memory in use by the agent");
pub(super) const CPU: Metric =
    Metric::gauge("agent.cpu.percent", "%", Sets::EXTENDED, USAGE).help("of one processor, mean over the interval");
pub(super) const HANDLES: Metric =
    Metric::gauge("agent.handles", "handles", Sets::EXTENDED, USAGE).help("open handles (Linux: file descriptors)");
pub(super) const THREADS: Metric =
    Metric::gauge("agent.threads", "threads", Sets::EXTENDED, "/proc/self/stat; SystemProcessInformation")
        .help("of the agent");
pub(super) const COLLECT_MS: Metric = Metric::gauge("agent.collect.ms", "ms", Sets::EXTENDED, OWN)
    .tags(&["group"])
    .help("time that the last cycle of a group of collectors took");
pub(super) const COLLECT_ERRORS: Metric =
    Metric::counter("agent.collect.errors", "errors", Sets::EXTENDED, OWN).help("sources that could not be read");
pub(super) const COLLECT_HUNG: Metric = Metric::counter("agent.collect.hung", "sources", Sets::EXTENDED, OWN)
    .help("sources that missed their deadline and were given up");
pub(super) const COLLECT_PANICS: Metric =
    Metric::counter("agent.collect.panics", "panics", Sets::EXTENDED, OWN).help("collectors that failed by a defect");
pub(super) const SENT: Metric =
    Metric::counter("agent.transfer.sent", "points", Sets::EXTENDED, OWN).help("points acknowledged by a transfer");
pub(super) const INVALID: Metric = Metric::counter("agent.transfer.invalid", "points", Sets::EXTENDED, OWN)
    .help("points that a transfer counted as Invalid or refused");
pub(super) const DROPPED: Metric = Metric::counter("agent.transfer.dropped", "points", Sets::EXTENDED, OWN)
    .help("points taken in that never reached a transfer, for whatever reason");
pub(super) const QUEUED: Metric =
    Metric::gauge("agent.transfer.queued", "points", Sets::EXTENDED, OWN).help("points that wait for a transfer");
pub(super) const PUSHED: Metric =
    Metric::counter("agent.push.accepted", "points", Sets::EXTENDED, OWN).help("points taken from /v1/push");
pub(super) const PUSH_INVALID: Metric = Metric::counter("agent.push.invalid", "points", Sets::EXTENDED, OWN)
    .help("points of /v1/push that no transfer would take");
pub(super) const PUSH_FUTURE: Metric = Metric::counter("agent.push.future", "points", Sets::EXTENDED, OWN)
    .help("points of /v1/push whose timestamp lay in the future");
pub(super) const PUSH_REFUSED: Metric = Metric::counter("agent.push.refused", "requests", Sets::EXTENDED, OWN)
    .help("requests to /v1/push that could not be decoded");
pub(super) const IGNORED: Metric =
    Metric::counter("agent.points.ignored", "points", Sets::EXTENDED, OWN).help("points left out by `ignore`");
pub(super) const TOO_LONG: Metric = Metric::counter("agent.points.too_long", "points", Sets::EXTENDED, OWN)
    .help("points left out because metric and tags are longer than a transfer takes");
pub(super) const TAGS_CUT: Metric = Metric::counter("agent.tags.cut", "points", Sets::EXTENDED, OWN)
    .help("points whose tags were cut, with a hash of what was cut, to fit the servers' columns");
pub(super) const COLLIDED: Metric = Metric::counter("agent.series.collided", "points", Sets::EXTENDED, OWN)
    .help("points left out because another thing of this host has the same name once it is cleaned");
pub(super) const SERIES_DROPPED: Metric = Metric::gauge("agent.series.dropped", "things", Sets::EXTENDED, OWN)
    .tags(&["group"])
    .help("interfaces, disks, sites, ... and series of all collectors over `collector.limits`, left out of the last cycle");
pub(super) const NOT_FINITE: Metric = Metric::counter("agent.points.not_finite", "points", Sets::EXTENDED, OWN)
    .help("collected values left out because they were no numbers");
pub(super) const PUSH_BUSY: Metric = Metric::counter("agent.push.busy", "requests", Sets::EXTENDED, OWN)
    .help("requests to /v1/push that found no room or came too fast: answered with 503 or 429");
pub(super) const HTTP_REFUSED: Metric = Metric::counter("agent.http.refused", "connections", Sets::EXTENDED, OWN)
    .help("connections closed in favour of new ones, or turned away, because too many were open");
pub(super) const HTTP_DENIED: Metric = Metric::counter("agent.http.denied", "requests", Sets::EXTENDED, OWN)
    .help("connections and requests refused by http.allow, for want of the token, or for a browser's foreign origin");
pub(super) const CLOCK_SKEW: Metric = Metric::gauge("agent.clock.skew", "s", Sets::EXTENDED, OWN)
    .help("how far the agent's clock is ahead of hbs's; negative: behind");
pub(super) const CONFIG_CRC: Metric = Metric::gauge("agent.config.crc", "1", Sets::EXTENDED, OWN)
    .help("CRC-32 of the effective configuration: hosts with the same value are configured alike, but for secrets");
pub(super) const GUARD_EXCEEDED: Metric = Metric::counter("agent.guard.exceeded", "times", Sets::EXTENDED, OWN)
    .help("times that the agent came over a limit of `guard`");
pub(super) const GUARD_ENDS: Metric = Metric::gauge("agent.guard.ends", "times", Sets::EXTENDED, OWN)
    .help("times that the guard ended the agent within the last hour");

// What follows is said once a collector has asked for performance counters.
const PERF: &str = "counted by the agent; once performance counters of others were asked for";
pub(super) const PERF_DEATHS: Metric = Metric::counter("agent.perf.deaths", "processes", Sets::EXTENDED, PERF)
    .on(On::Windows)
    .help("processes that asked for performance counters and fell, or were ended because they did not answer");
pub(super) const PERF_RECYCLED: Metric = Metric::counter("agent.perf.recycled", "processes", Sets::EXTENDED, PERF)
    .on(On::Windows)
    .help("such processes that were replaced because they came over `perf.memory_mb`");
pub(super) const PERF_REFUSED: Metric = Metric::counter("agent.perf.refused", "queries", Sets::EXTENDED, PERF)
    .on(On::Windows)
    .help("queries that were not made: their group is left alone after failures, or no process can be started");
pub(super) const PERF_MEM: Metric = Metric::gauge("agent.perf.mem", "B", Sets::EXTENDED, "GetProcessMemoryInfo")
    .on(On::Windows)
    .help("memory in use by the process that asks for performance counters; absent while there is none");

// What follows is said where a transfer is configured.
const QUEUE: &str = "counted by the agent; only with a transfer";
pub(super) const COLLECTED: Metric = Metric::counter("agent.points.collected", "points", Sets::EXTENDED, QUEUE)
    .help("points that collectors gave to the queue");
pub(super) const LOST: Metric =
    Metric::counter("agent.points.dropped", "points", Sets::EXTENDED, QUEUE).tags(&["reason"]).help(
        "the same as agent.transfer.dropped, apart: age (longer than `queue.max_age`), quota (`queue.max_mb`), memory \
         (full, and no disk), damaged (on disk), clock (no stamp left, or one that lies in the future), purged (by hand), \
         stop (no disk when it ended), nameless (no host name)",
    );
pub(super) const QUEUE_MEMORY: Metric =
    Metric::gauge("agent.queue.memory.bytes", "B", Sets::EXTENDED, QUEUE).help("points that wait in memory");
pub(super) const QUEUE_DISK: Metric =
    Metric::gauge("agent.queue.disk.bytes", "B", Sets::EXTENDED, QUEUE).help("points that wait on disk");
pub(super) const QUEUE_AGE: Metric =
    Metric::gauge("agent.queue.age", "s", Sets::EXTENDED, QUEUE).help("how long the oldest point has waited");
pub(super) const QUEUE_WRITTEN: Metric =
    Metric::counter("agent.queue.disk.written", "B", Sets::EXTENDED, QUEUE).help("written to disk for the queue");
pub(super) const QUEUE_DAMAGED: Metric = Metric::counter("agent.queue.damaged", "records", Sets::EXTENDED, QUEUE)
    .help("records on disk that could not be read and were passed over");
pub(super) const QUEUE_DISK_OK: Metric = Metric::gauge("agent.queue.disk.ok", "1", Sets::EXTENDED, QUEUE)
    .help("1: the queue can use its directory; 0: it is in memory alone");
pub(super) const REPLAY_LEFT: Metric = Metric::gauge("agent.replay.left", "points", Sets::EXTENDED, QUEUE)
    .help("points that wait while a backlog is sent, with those that came meanwhile");
pub(super) const TRANSFER_UP: Metric = Metric::gauge("agent.transfer.up", "1", Sets::EXTENDED, QUEUE)
    .help("1: a transfer answers; 0: none does; absent before the first call");
pub(super) const TRANSFER_SWITCHES: Metric = Metric::counter("agent.transfer.switches", "times", Sets::EXTENDED, QUEUE)
    .help("changes from one transfer to another");
pub(super) const TRANSFER_CALL_MS: Metric = Metric::gauge("agent.transfer.call.ms", "ms", Sets::EXTENDED, QUEUE)
    .help("time that the last call with an answer took");

// What follows is said where plugins are run.
const PLUGINS: &str = "counted by the agent; with plugin.enabled";
pub(super) const PLUGIN_BOUND: Metric =
    Metric::gauge("agent.plugin.bound", "plugins", Sets::EXTENDED, PLUGINS).help("plugins that run in their periods");
pub(super) const PLUGIN_LEFT: Metric = Metric::gauge("agent.plugin.left", "files", Sets::EXTENDED, PLUGINS)
    .help("bindings, and files of bound directories, that do not run; /plugins tells why");
pub(super) const PLUGIN_RUNNING: Metric = Metric::gauge("agent.plugin.running", "runs", Sets::EXTENDED, PLUGINS)
    .help("runs in progress; not those whose points wait for the queue");
pub(super) const PLUGIN_RUNS: Metric = Metric::counter("agent.plugin.runs", "runs", Sets::EXTENDED, PLUGINS)
    .help("runs that have ended; not those that were ended because hbs took them back");
pub(super) const PLUGIN_FAILED: Metric = Metric::counter("agent.plugin.failed", "runs", Sets::EXTENDED, PLUGINS)
    .help("runs with an exit code other than 0, or of which nothing could be used");
pub(super) const PLUGIN_LATE: Metric = Metric::counter("agent.plugin.late", "runs", Sets::EXTENDED, PLUGINS)
    .help("runs that were ended half a second before their cycle was over");
pub(super) const PLUGIN_SKIPPED: Metric = Metric::counter("agent.plugin.skipped", "runs", Sets::EXTENDED, PLUGINS)
    .help("runs that were due while the one before waited, ran or had points to deliver");
pub(super) const PLUGIN_ITEMS: Metric =
    Metric::counter("agent.plugin.items", "points", Sets::EXTENDED, PLUGINS).help("points taken from plugins");
pub(super) const PLUGIN_INVALID: Metric = Metric::counter("agent.plugin.invalid", "points", Sets::EXTENDED, PLUGINS)
    .help("points of plugins that no transfer would take");

pub(super) const ALL: &[Metric] = &[
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
    PUSH_FUTURE,
    PUSH_REFUSED,
    IGNORED,
    TOO_LONG,
    TAGS_CUT,
    COLLIDED,
    SERIES_DROPPED,
    NOT_FINITE,
    PUSH_BUSY,
    HTTP_REFUSED,
    HTTP_DENIED,
    CLOCK_SKEW,
    CONFIG_CRC,
    GUARD_EXCEEDED,
    GUARD_ENDS,
    PERF_DEATHS,
    PERF_RECYCLED,
    PERF_REFUSED,
    PERF_MEM,
    COLLECTED,
    LOST,
    QUEUE_MEMORY,
    QUEUE_DISK,
    QUEUE_AGE,
    QUEUE_WRITTEN,
    QUEUE_DAMAGED,
    QUEUE_DISK_OK,
    REPLAY_LEFT,
    TRANSFER_UP,
    TRANSFER_SWITCHES,
    TRANSFER_CALL_MS,
    PLUGIN_BOUND,
    PLUGIN_LEFT,
    PLUGIN_RUNNING,
    PLUGIN_RUNS,
    PLUGIN_FAILED,
    PLUGIN_LATE,
    PLUGIN_SKIPPED,
    PLUGIN_ITEMS,
    PLUGIN_INVALID,
];
