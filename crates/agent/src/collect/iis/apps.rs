//! `ASP.NET Applications`: what is said of `__Total__`, and under names of their own of each application.
//!
//! An application is called `_LM_W3SVC_<id of the site>_ROOT<path>`, with `_` for every `/`. Its tag is the id and the path:
//! `2/shop/api`; a directory whose own name has a `_` cannot be told from two. An application that is no longer loaded stays
//! there with its last numbers.

use std::collections::HashSet;

use crate::collect::{Cx, Guard};
use crate::model::{Metric, On, Sets, Tags};
use crate::perf::meter::{How, Line, Sheet};
use crate::perf::rows::{Row, Table};

pub(super) const ALL: &str = "__Total__";

const fn grows(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    counters: &'static [&'static str],
    help: &'static str,
) -> Line {
    let metric = Metric::counter(name, unit, Sets::EXTENDED, source).on(On::Windows).help(help);
    Line::new(metric, How::Total, counters)
}
const fn stands(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    counters: &'static [&'static str],
    help: &'static str,
) -> Line {
    let metric = Metric::gauge(name, unit, Sets::EXTENDED, source).on(On::Windows).help(help);
    Line::new(metric, How::Number, counters)
}
const fn total(line: Line) -> Line {
    line
}
const fn detail(line: Line) -> Line {
    Line { metric: line.metric.option(super::lines::DETAILS), ..line }
}
const fn app(line: Line) -> Line {
    Line { metric: line.metric.tags(&["app"]).option("aspApps"), ..line }
}

/// The same counters in two rows of names. `$of` says what becomes of each, `$detail` of those that few look at.
macro_rules! lines {
    ($prefix:literal, $source:literal, $of:ident) => {
        [
            $of(grows(
                concat!($prefix, "requests"),
                "requests",
                concat!($source, "Requests Total"),
                &["Requests Total"],
                "",
            )),
            $of(grows(
                concat!($prefix, "requests.failed"),
                "requests",
                concat!($source, "Requests Failed"),
                &["Requests Failed"],
                "with any status from 400 on, and those that timed out",
            )),
            $of(grows(
                concat!($prefix, "requests.timed_out"),
                "requests",
                concat!($source, "Requests Timed Out"),
                &["Requests Timed Out"],
                "",
            )),
            $of(grows(
                concat!($prefix, "requests.not_authorized"),
                "requests",
                concat!($source, "Requests Not Authorized"),
                &["Requests Not Authorized"],
                "answered with 401",
            )),
            $of(grows(
                concat!($prefix, "requests.not_found"),
                "requests",
                concat!($source, "Requests Not Found"),
                &["Requests Not Found"],
                "answered with 404 or 414",
            )),
            $of(grows(
                concat!($prefix, "requests.succeeded"),
                "requests",
                concat!($source, "Requests Succeeded"),
                &["Requests Succeeded"],
                "answered with 200",
            )),
            $of(stands(
                concat!($prefix, "requests.executing"),
                "requests",
                concat!($source, "Requests Executing"),
                &["Requests Executing"],
                "",
            )),
            $of(grows(
                concat!($prefix, "errors"),
                "errors",
                concat!($source, "Errors Total"),
                &["Errors Total"],
                "of parsing, compiling and running",
            )),
            $of(grows(
                concat!($prefix, "errors.unhandled"),
                "errors",
                concat!($source, "Errors Unhandled During Execution"),
                &["Errors Unhandled During Execution"],
                "",
            )),
            $of(stands(
                concat!($prefix, "sessions.active"),
                "sessions",
                concat!($source, "Sessions Active"),
                &["Sessions Active"],
                "that are kept in memory; so for all of them",
            )),
            $of(grows(
                concat!($prefix, "sessions.abandoned"),
                "sessions",
                concat!($source, "Sessions Abandoned"),
                &["Sessions Abandoned"],
                "",
            )),
            $of(grows(
                concat!($prefix, "sessions.timed_out"),
                "sessions",
                concat!($source, "Sessions Timed Out"),
                &["Sessions Timed Out"],
                "",
            )),
            $of(grows(
                concat!($prefix, "sessions.total"),
                "sessions",
                concat!($source, "Sessions Total"),
                &["Sessions Total"],
                "",
            )),
            $of(stands(
                concat!($prefix, "pipelines"),
                "pipelines",
                concat!($source, "Pipeline Instance Count"),
                &["Pipeline Instance Count"],
                "",
            )),
            $of(grows(
                concat!($prefix, "cache.hits"),
                "lookups",
                concat!($source, "Cache Total Hits"),
                &["Cache Total Hits"],
                "",
            )),
            $of(grows(
                concat!($prefix, "cache.misses"),
                "lookups",
                concat!($source, "Cache Total Misses"),
                &["Cache Total Misses"],
                "",
            )),
        ]
    };
}

/// The same of what few look at.
macro_rules! details {
    ($prefix:literal, $source:literal, $of:ident) => {
        [
            $of(grows(
                concat!($prefix, "anonymous_requests"),
                "requests",
                concat!($source, "Anonymous Requests"),
                &["Anonymous Requests"],
                "",
            )),
            $of(grows(
                concat!($prefix, "request.bytes.in"),
                "B",
                concat!($source, "Request Bytes In Total"),
                &["Request Bytes In Total"],
                "",
            )),
            $of(grows(
                concat!($prefix, "request.bytes.out"),
                "B",
                concat!($source, "Request Bytes Out Total"),
                &["Request Bytes Out Total"],
                "without headers",
            )),
        ]
    };
}

pub(super) static TOTAL: [Line; 16] = lines!("iis.asp.", "ASP.NET Applications(__Total__): ", total);
pub(super) static DETAILS: [Line; 3] = details!("iis.asp.", "ASP.NET Applications(__Total__): ", detail);
pub(super) static APPS: [Line; 16] = lines!("iis.asp.app.", "ASP.NET Applications: ", app);

pub(super) fn say(cx: &mut Cx<'_>, sheet: &mut Sheet, guard: &mut Guard, table: &Table) {
    let mut rows: Vec<&Row> = Vec::new();
    let mut seen = HashSet::new();
    for row in &table.rows {
        let name = row.instance.as_str();
        if !name.is_empty() && !name.eq_ignore_ascii_case(ALL) && seen.insert(name) {
            rows.push(row);
        }
    }
    guard.apply(cx, &mut rows, |row| row.instance.clone(), |_| 0);
    let mut page = sheet.open(table);
    for row in rows {
        let tags = Tags::of(&[("app", &name(&row.instance).replace(' ', "_"))]);
        page.emit(cx, row, &row.instance, &tags);
    }
}

/// What an application is called as a tag; a name of another form stays.
fn name(instance: &str) -> String {
    const BEFORE: &str = "_LM_W3SVC_";
    const ROOT: &str = "_ROOT";
    let split = || {
        let head = instance.get(..BEFORE.len()).filter(|head| head.eq_ignore_ascii_case(BEFORE))?;
        let rest = instance.get(head.len()..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, rest) = (rest.get(..digits)?, rest.get(digits..)?);
        rest.get(..ROOT.len()).filter(|root| root.eq_ignore_ascii_case(ROOT))?;
        let path = rest.get(ROOT.len()..)?;
        let is_path = path.is_empty() || path.starts_with('_');
        (!id.is_empty() && is_path).then(|| format!("{id}{}", path.replace('_', "/")))
    };
    split().unwrap_or_else(|| instance.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_its_sites_id_and_path() {
        let cases = [
            ("_LM_W3SVC_1_ROOT", "1"),
            ("_LM_W3SVC_12_ROOT_shop_api", "12/shop/api"),
            ("_lm_w3svc_3_root_商店", "3/商店"),
            ("_LM_W3SVC_1_ROOTED", "_LM_W3SVC_1_ROOTED"),
            ("_LM_W3SVC__ROOT", "_LM_W3SVC__ROOT"),
            ("console.exe", "console.exe"),
            ("商_LM_W3SVC_1_ROOT", "商_LM_W3SVC_1_ROOT"),
            ("", ""),
        ];
        for (instance, expected) in cases {
            assert_eq!(name(instance), expected, "{instance}");
        }
    }
}
