//! What the Python agent said of IIS and ASP.NET, under its own spellings: everything a GAUGE without tags, sums since the
//! service started among them. It read them with a sign; these go on above 2^31, to where the counter itself wraps.

use crate::model::{Metric, On, Sets};
use crate::perf::meter::{How, Line};

const fn python(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    how: How,
    counters: &'static [&'static str],
    help: &'static str,
) -> Line {
    Line::new(Metric::gauge(name, unit, Sets::WINDOWS_AGENT, source).on(On::Windows).help(help), how, counters)
}

/// Of `Web Service`, `_Total`.
pub(super) static WEB: [Line; 6] = [
    python(
        "iis.web_service.current_anonymous_users",
        "users",
        "Web Service(_Total): Current Anonymous Users",
        How::Number,
        &["Current Anonymous Users"],
        "of all sites",
    ),
    python(
        "iis.web_service.current_connections",
        "connections",
        "Web Service(_Total): Current Connections",
        How::Number,
        &["Current Connections"],
        "of all sites",
    ),
    python(
        "iis.web_service.total.current_nonanonymous_users",
        "users",
        "Web Service(_Total): Current NonAnonymous Users",
        How::Number,
        &["Current NonAnonymous Users"],
        "of all sites",
    ),
    python(
        "iis.web_service.total_get_reqeusts",
        "requests",
        "Web Service(_Total): Total Get Requests",
        How::Number,
        &["Total Get Requests", "Get Requests/sec"],
        "a sum as a GAUGE, in that agent's spelling; iis.requests.get grows over wraps",
    ),
    python(
        "iis.web_service.total.total_head_requests",
        "requests",
        "Web Service(_Total): Total Head Requests",
        How::Number,
        &["Total Head Requests", "Head Requests/sec"],
        "a sum as a GAUGE",
    ),
    python(
        "iis.web_service.total_post_requests",
        "requests",
        "Web Service(_Total): Total Post Requests",
        How::Number,
        &["Total Post Requests", "Post Requests/sec"],
        "a sum as a GAUGE",
    ),
];

/// Of `ASP.NET`.
pub(super) static ASP: [Line; 6] = [
    python(
        "iis.asp.net.application.restarts",
        "restarts",
        "ASP.NET: Application Restarts",
        How::Number,
        &["Application Restarts"],
        "a sum as a GAUGE",
    ),
    python(
        "iis.asp.net.requests.current",
        "requests",
        "ASP.NET: Requests Current",
        How::Number,
        &["Requests Current"],
        "queued, executing, or waiting to be written",
    ),
    python(
        "iis.asp.net.request_execution_time",
        "ms",
        "ASP.NET: Request Execution Time",
        How::Number,
        &["Request Execution Time"],
        "of the last request",
    ),
    python(
        "iis.asp.net.request_queued",
        "requests",
        "ASP.NET: Requests Queued",
        How::Number,
        &["Requests Queued"],
        "waiting to be executed",
    ),
    python(
        "iis.asp.net.request_wait_time",
        "ms",
        "ASP.NET: Request Wait Time",
        How::Number,
        &["Request Wait Time"],
        "of the last request",
    ),
    python(
        "iis.asp.net.worker_process_restarts",
        "restarts",
        "ASP.NET: Worker Process Restarts",
        How::Number,
        &["Worker Process Restarts"],
        "a sum as a GAUGE",
    ),
];

/// Of `ASP.NET Applications`, `__Total__`.
pub(super) static APPS: [Line; 2] = [
    python(
        "iis.asp.net.applications.total.rps",
        "requests/s",
        "ASP.NET Applications(__Total__): Requests/Sec",
        How::Rate,
        &["Requests/Sec", "Requests Total"],
        "mean over the interval",
    ),
    python(
        "iis.asp.net.applications.total.errors",
        "errors",
        "ASP.NET Applications(__Total__): Errors Total",
        How::Number,
        &["Errors Total"],
        "a sum as a GAUGE",
    ),
];
