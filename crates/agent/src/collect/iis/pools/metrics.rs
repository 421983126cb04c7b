//! What is said of a pool, with the counters that it comes from.

use super::sums::{Line, Of, declared};
use crate::model::{Metric, On, Sets, concat};

pub(super) const POOL: &[&str] = &["app_pool"];
const SITE: &[&str] = &["site"];
/// Switches on what is off by default.
const EXTRA: &str = "iisPoolExtra";
/// Queues of programs that are no pools.
pub(super) const ALL_QUEUES: &str = "iisAllQueues";

pub(super) const WAS: &str = "APP_POOL_WAS";
pub(super) const WORKER: &str = "W3SVC_W3WP";
pub(super) const QUEUE: &str = "HTTP Service Request Queues";
const PROCESS: &str = "SYSTEM_PROCESS_INFORMATION of its w3wp.exe";

pub(super) const STATE: &str = "Current Application Pool State";
pub(super) const RUNNING: u64 = 3;
const SIZE: &str = "CurrentQueueSize";
const AGE: &str = "MaxQueueItemAge";

const fn on(metric: Metric, help: &'static str) -> Metric {
    metric.on(On::Windows).tags(POOL).help(help)
}
const fn gauge(name: &'static str, unit: &'static str, source: &'static str, help: &'static str) -> Metric {
    on(Metric::gauge(name, unit, Sets::EXTENDED, source), help)
}
const fn counter(name: &'static str, unit: &'static str, source: &'static str, help: &'static str) -> Metric {
    on(Metric::counter(name, unit, Sets::EXTENDED, source), help)
}
const fn extra(line: Line) -> Line {
    Line { metric: line.metric.option(EXTRA), ..line }
}
/// Numbers that are told of workers, as a running total of those that were there.
const fn served(name: &'static str, of: &'static str, help: &'static str) -> Line {
    Line::new(counter(name, "requests", WORKER, help), Of::Total, of)
}
const fn cache(name: &'static str, of: &'static str, help: &'static str) -> Line {
    extra(Line::new(counter(name, "1", WORKER, help), Of::Total, of))
}
const fn answers(name: &'static str, of: &'static str, help: &'static str) -> Line {
    extra(Line::new(gauge(name, "%", WORKER, help), Of::Fraction, of))
}
const fn ended(name: &'static str, of: &'static str, help: &'static str) -> Line {
    Line::new(counter(name, "1", WAS, help), Of::Total, of)
}

pub(super) static WAS_LINES: [Line; 12] = [
    Line::new(
        gauge(
            "iis.app_pool.state",
            "1",
            WAS,
            "1 uninitialised, 2 initialised, 3 running, 4 disabling, 5 disabled, 6 shutdown pending, 7 delete pending",
        ),
        Of::Each,
        STATE,
    ),
    extra(Line::new(gauge("iis.app_pool.up", "1", WAS, "1 while its state is 3, else 0"), Of::Is(RUNNING), STATE)),
    Line::new(
        gauge("iis.app_pool.uptime", "s", WAS, "since it was started"),
        Of::Each,
        "Current Application Pool Uptime",
    ),
    Line::new(
        gauge("iis.app_pool.workers", "processes", WAS, "worker processes that run"),
        Of::Sum,
        "Current Worker Processes",
    ),
    extra(Line::new(
        gauge("iis.app_pool.workers.max", "processes", WAS, "the most that ran at a time since WAS began"),
        Of::Each,
        "Maximum Worker Processes",
    )),
    ended("iis.app_pool.recycles", "Total Application Pool Recycles", "times that it was recycled"),
    ended("iis.app_pool.worker.failures", "Total Worker Process Failures", "workers that crashed"),
    ended(
        "iis.app_pool.worker.startup_failures",
        "Total Worker Process Startup Failures",
        "workers that could not be started",
    ),
    extra(ended(
        "iis.app_pool.worker.ping_failures",
        "Total Worker Process Ping Failures",
        "pings that no worker answered",
    )),
    extra(ended(
        "iis.app_pool.worker.shutdown_failures",
        "Total Worker Process Shutdown Failures",
        "workers that could not be ended",
    )),
    extra(ended("iis.app_pool.worker.created", "Total Worker Processes Created", "workers that were started")),
    extra(Line::new(
        gauge("iis.app_pool.worker.recent_failures", "1", WAS, "crashes within the window of rapid-fail protection"),
        Of::Sum,
        "Recent Worker Process Failures",
    )),
];

pub(super) static QUEUE_LINES: [Line; 4] = [
    Line::new(gauge("iis.app_pool.queue.size", "requests", QUEUE, "that wait for a worker"), Of::Sum, SIZE),
    Line::new(
        counter("iis.app_pool.queue.arrivals", "requests", QUEUE, "that came into the queue"),
        Of::Total,
        "ArrivalRate",
    ),
    Line::new(
        counter("iis.app_pool.queue.rejected", "requests", QUEUE, "answered with 503 before a worker saw them"),
        Of::Total,
        "RejectedRequests",
    ),
    Line::new(
        gauge(
            "iis.app_pool.queue.max_age",
            "1",
            QUEUE,
            "age of the oldest request that waits, in the counter's own unit; 0 while none waits. `_Total`: the greatest",
        ),
        Of::Most { unless_zero: SIZE },
        AGE,
    ),
];

pub(super) static WORKER_LINES: [Line; 14] = [
    served(
        "iis.app_pool.requests",
        "Total HTTP Requests Served",
        "served since the agent began, by all workers that there were",
    ),
    Line::new(
        gauge("iis.app_pool.requests.active", "requests", WORKER, "being served now"),
        Of::Sum,
        "Active Requests",
    ),
    extra(Line::new(
        gauge("iis.app_pool.threads.active", "threads", WORKER, "that serve a request now"),
        Of::Sum,
        "Active Threads Count",
    )),
    answers(
        "iis.app_pool.http.401.percent",
        "% 401 HTTP Response Sent",
        "of the answers of its workers, IIS 8 and later",
    ),
    answers(
        "iis.app_pool.http.403.percent",
        "% 403 HTTP Response Sent",
        "of the answers of its workers, IIS 8 and later",
    ),
    answers(
        "iis.app_pool.http.404.percent",
        "% 404 HTTP Response Sent",
        "of the answers of its workers, IIS 8 and later",
    ),
    answers(
        "iis.app_pool.http.500.percent",
        "% 500 HTTP Response Sent",
        "of the answers of its workers, IIS 8 and later",
    ),
    extra(Line::new(
        gauge("iis.app_pool.websocket.active", "requests", WORKER, "open web sockets, IIS 8 and later"),
        Of::Sum,
        "WebSocket Active Requests",
    )),
    cache("iis.app_pool.file_cache.hits", "File Cache Hits", "since the agent began"),
    cache("iis.app_pool.file_cache.misses", "File Cache Misses", "since the agent began"),
    cache("iis.app_pool.uri_cache.hits", "URI Cache Hits", "since the agent began"),
    cache("iis.app_pool.uri_cache.misses", "URI Cache Misses", "since the agent began"),
    cache("iis.app_pool.output_cache.hits", "Output Cache Total Hits", "since the agent began"),
    cache("iis.app_pool.output_cache.misses", "Output Cache Total Misses", "since the agent began"),
];

const CPU_HELP: &str = "of one processor, all its workers, mean over the interval";
pub(super) const CPU: Metric = gauge("iis.app_pool.cpu.percent", "%", PROCESS, CPU_HELP);
pub(super) const CPU_HOST: Metric =
    gauge("iis.app_pool.cpu.host.percent", "%", PROCESS, "of all processors of the host, all its workers");
pub(super) const PRIVATE: Metric =
    gauge("iis.app_pool.mem.private", "B", PROCESS, "private bytes (commit) of all its workers");
pub(super) const WORKING_SET: Metric =
    gauge("iis.app_pool.mem.ws", "B", PROCESS, "working sets of all its workers, what they share counted in each");
pub(super) const HANDLES: Metric = gauge("iis.app_pool.handles", "handles", PROCESS, "open handles of all its workers");
pub(super) const THREADS: Metric = gauge("iis.app_pool.threads", "threads", PROCESS, "threads of all its workers");

const MAP: &str = "SYSTEM_PROCESS_INFORMATION, applicationHost.config";
pub(super) const SITE_CPU: Metric = Metric::gauge("iis.site.cpu.percent", "%", Sets::EXTENDED, MAP)
    .on(On::Windows)
    .tags(SITE)
    .help("of one processor, the workers of its pools; absent where it shares one with another site");
pub(super) const SITE_PRIVATE: Metric = Metric::gauge("iis.site.mem.private", "B", Sets::EXTENDED, MAP)
    .on(On::Windows)
    .tags(SITE)
    .help("private bytes of the workers of its pools; absent where it shares one with another site");

const OWN: [Metric; 8] = [CPU, CPU_HOST, PRIVATE, WORKING_SET, HANDLES, THREADS, SITE_CPU, SITE_PRIVATE];
pub(super) const ALL: [Metric; 38] =
    concat(&[&declared(&WAS_LINES), &declared(&QUEUE_LINES), &declared(&WORKER_LINES), &OWN]);
