//! What is said of a site and of all sites together, and the counter of `Web Service` behind each.
//!
//! A `Total` and its `/sec` are one number: the sum since W3SVC started. Whichever the object has is widened and sent as a
//! COUNTER. Names that freedomkk's agent had are in its set, with its types.

use crate::model::{Metric, On, Sets};
use crate::perf::meter::{How, Line};

/// Of requests and users that few look at.
pub(super) const DETAILS: &str = "iisDetails";

const SITE: &[&str] = &["site"];
const FK: Sets = Sets::FREEDOMKK.and(Sets::EXTENDED);
const OWN: Sets = Sets::EXTENDED;

type Counters = &'static [&'static str];

const fn grows(name: &'static str, unit: &'static str, sets: Sets, source: &'static str, counters: Counters) -> Line {
    Line::new(Metric::counter(name, unit, sets, source).tags(SITE).on(On::Windows), How::Total, counters)
}
const fn stands(name: &'static str, unit: &'static str, sets: Sets, source: &'static str, counters: Counters) -> Line {
    Line::new(Metric::gauge(name, unit, sets, source).tags(SITE).on(On::Windows), How::Number, counters)
}
const fn requests(name: &'static str, sets: Sets, source: &'static str, counters: Counters) -> Line {
    grows(name, "requests", sets, source, counters)
}
/// Nobody uses most of these verbs.
const fn web_dav(name: &'static str, source: &'static str, counters: Counters) -> Line {
    requests(name, FK, source, counters).quiet()
}
const fn help(line: Line, help: &'static str) -> Line {
    Line { metric: line.metric.help(help), ..line }
}
const fn detail(line: Line) -> Line {
    Line { metric: line.metric.option(DETAILS), ..line }
}

const COUNT: usize = 34;

const LINES: [Line; COUNT] = [
    grows(
        "iis.bytes.received",
        "B",
        FK,
        "Web Service: Bytes Received/sec",
        &["Total Bytes Received", "Bytes Received/sec"],
    ),
    grows("iis.bytes.sent", "B", FK, "Web Service: Bytes Sent/sec", &["Total Bytes Sent", "Bytes Sent/sec"]),
    grows("iis.bytes.total", "B", OWN, "Web Service: Bytes Total/sec", &["Total Bytes Transferred", "Bytes Total/sec"]),
    requests("iis.requests.get", FK, "Web Service: Get Requests/sec", &["Total Get Requests", "Get Requests/sec"]),
    requests("iis.requests.head", FK, "Web Service: Head Requests/sec", &["Total Head Requests", "Head Requests/sec"]),
    requests("iis.requests.post", FK, "Web Service: Post Requests/sec", &["Total Post Requests", "Post Requests/sec"]),
    requests("iis.requests.put", FK, "Web Service: Put Requests/sec", &["Total Put Requests", "Put Requests/sec"]),
    requests(
        "iis.requests.delete",
        FK,
        "Web Service: Delete Requests/sec",
        &["Total Delete Requests", "Delete Requests/sec"],
    ),
    requests(
        "iis.requests.options",
        FK,
        "Web Service: Options Requests/sec",
        &["Total Options Requests", "Options Requests/sec"],
    ),
    requests(
        "iis.requests.trace",
        FK,
        "Web Service: Trace Requests/sec",
        &["Total Trace Requests", "Trace Requests/sec"],
    ),
    help(
        requests(
            "iis.requests.patch",
            OWN,
            "Web Service: Patch Requests/sec",
            &["Total Patch Requests", "Patch Requests/sec"],
        ),
        "absent where this IIS counts them among the others",
    ),
    help(
        requests(
            "iis.requests.other",
            OWN,
            "Web Service: Other Request Methods/sec",
            &["Total Other Request Methods", "Other Request Methods/sec"],
        ),
        "of methods that have no counter of their own",
    ),
    help(
        requests(
            "iis.requests.total",
            OWN,
            "Web Service: Total Method Requests/sec",
            &["Total Method Requests", "Total Method Requests/sec"],
        ),
        "of all methods; what the kernel answers from its cache may be missing",
    ),
    requests("iis.requests.cgi", FK, "Web Service: CGI Requests/sec", &["Total CGI Requests", "CGI Requests/sec"]),
    help(
        requests(
            "iis.requests.isapi",
            FK,
            "Web Service: ISAPI Extension Requests/sec",
            &["Total ISAPI Extension Requests", "ISAPI Extension Requests/sec"],
        ),
        "handled by extensions, as classic ASP and ASP.NET of old are",
    ),
    web_dav("iis.requests.copy", "Web Service: Copy Requests/sec", &["Total Copy Requests", "Copy Requests/sec"]),
    web_dav("iis.requests.lock", "Web Service: Lock Requests/sec", &["Total Lock Requests", "Lock Requests/sec"]),
    web_dav("iis.requests.mkcol", "Web Service: Mkcol Requests/sec", &["Total Mkcol Requests", "Mkcol Requests/sec"]),
    web_dav("iis.requests.move", "Web Service: Move Requests/sec", &["Total Move Requests", "Move Requests/sec"]),
    web_dav(
        "iis.requests.propfind",
        "Web Service: Propfind Requests/sec",
        &["Total Propfind Requests", "Propfind Requests/sec"],
    ),
    web_dav(
        "iis.requests.proppatch",
        "Web Service: Proppatch Requests/sec",
        &["Total Proppatch Requests", "Proppatch Requests/sec"],
    ),
    web_dav(
        "iis.requests.search",
        "Web Service: Search Requests/sec",
        &["Total Search Requests", "Search Requests/sec"],
    ),
    web_dav(
        "iis.requests.unlock",
        "Web Service: Unlock Requests/sec",
        &["Total Unlock Requests", "Unlock Requests/sec"],
    ),
    grows(
        "iis.connection.attempts",
        "connections",
        FK,
        "Web Service: Connection Attempts/sec",
        &["Total Connection Attempts (all instances)", "Connection Attempts/sec"],
    ),
    stands("iis.connections", "connections", FK, "Web Service: Current Connections", &["Current Connections"]),
    help(
        stands("iis.connections.max", "connections", OWN, "Web Service: Maximum Connections", &["Maximum Connections"]),
        "at one time since W3SVC started",
    ),
    help(
        grows(
            "iis.errors.locked",
            "errors",
            FK,
            "Web Service: Locked Errors/sec",
            &["Total Locked Errors", "Locked Errors/sec"],
        ),
        "answered with 423",
    ),
    help(
        grows(
            "iis.errors.notfound",
            "errors",
            FK,
            "Web Service: Not Found Errors/sec",
            &["Total Not Found Errors", "Not Found Errors/sec"],
        ),
        "answered with 404",
    ),
    grows("iis.files.sent", "files", OWN, "Web Service: Files Sent/sec", &["Total Files Sent", "Files Sent/sec"]),
    grows(
        "iis.files.received",
        "files",
        OWN,
        "Web Service: Files Received/sec",
        &["Total Files Received", "Files Received/sec"],
    ),
    stands("iis.users.anonymous", "users", OWN, "Web Service: Current Anonymous Users", &["Current Anonymous Users"]),
    stands(
        "iis.users.nonanonymous",
        "users",
        OWN,
        "Web Service: Current NonAnonymous Users",
        &["Current NonAnonymous Users"],
    ),
    grows(
        "iis.logons",
        "logons",
        OWN,
        "Web Service: Logon Attempts/sec",
        &["Total Logon Attempts", "Logon Attempts/sec"],
    ),
    help(
        stands("iis.service.uptime", "s", FK, "Web Service: Service Uptime", &[UPTIME]),
        "since the site started; 0 while it is stopped",
    ),
];

/// Tells a site that lives from what is left of one that was removed, too.
pub(super) const UPTIME: &str = "Service Uptime";

/// Of a site: verbs of WebDAV from their first use on.
pub(super) static SITES: [Line; COUNT] = LINES;
/// Everything: of all sites together, and of each one in the set of the agent that sent zeros.
pub(super) static LOUD: [Line; COUNT] = loud(LINES);

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn loud(mut lines: [Line; COUNT]) -> [Line; COUNT] {
    let mut at = 0;
    while at < COUNT {
        lines[at].quiet = false;
        at += 1;
    }
    lines
}

pub(super) static MORE: [Line; 3] = [
    detail(stands(
        "iis.isapi.current",
        "requests",
        OWN,
        "Web Service: Current ISAPI Extension Requests",
        &["Current ISAPI Extension Requests"],
    )),
    detail(stands("iis.cgi.current", "requests", OWN, "Web Service: Current CGI Requests", &["Current CGI Requests"])),
    detail(help(
        stands(
            "iis.async_io.blocked",
            "requests",
            OWN,
            "Web Service: Current Blocked Async I/O Requests",
            &["Current Blocked Async I/O Requests"],
        ),
        "held back by a limit of bandwidth",
    )),
];

pub(super) const STATE: Metric = Metric::gauge("iis.site.state", "1", OWN, "Web Service: Service Uptime")
    .tags(SITE)
    .on(On::Windows)
    .option(DETAILS)
    .help("1 while the site's uptime is not 0, else 0");
