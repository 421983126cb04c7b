//! ASP.NET of the .NET Framework: all its applications together, and on request each one apart ([`apps`]). ASP.NET Core has no
//! performance counters.
//!
//! Sums live in the memory of the worker processes: where they begin anew, what came before the next reading is lost.

use super::apps::{self, APPS, DETAILS, TOTAL};
use super::{Asked, Part, legacy, present, wanted};
use crate::collect::{Class, Context, Cx, Guard, Guarded};
use crate::model::{Metric, On, Sets, Tags};
use crate::perf::client::{Counters, ObjectQuery, Refused};
use crate::perf::meter::{How, Line, Sheet};

const OBJECT: &str = "ASP.NET";
const APPLICATIONS: &str = "ASP.NET Applications";

const fn of(metric: Metric, how: How, counters: &'static [&'static str], help: &'static str) -> Line {
    Line::new(metric.on(On::Windows).help(help), how, counters)
}

/// Of `ASP.NET`, which has one row.
pub(super) static GLOBAL: [Line; 3] = [
    of(
        Metric::gauge("iis.asp.apps.running", "applications", Sets::EXTENDED, "ASP.NET: Applications Running"),
        How::Number,
        &["Applications Running"],
        "",
    ),
    of(
        Metric::gauge("iis.asp.workers.running", "processes", Sets::EXTENDED, "ASP.NET: Worker Processes Running"),
        How::Number,
        &["Worker Processes Running"],
        "",
    ),
    of(
        Metric::counter("iis.asp.requests.rejected", "requests", Sets::EXTENDED, "ASP.NET: Requests Rejected"),
        How::Total,
        &["Requests Rejected"],
        "answered with 503, as the queue was full",
    ),
];

pub(super) struct AspNet {
    counters: Counters,
    global: Sheet,
    legacy: Sheet,
    total: Sheet,
    details: Sheet,
    legacy_apps: Sheet,
    apps: Sheet,
    guard: Guard,
}

impl AspNet {
    pub(super) fn new(cx: &Context) -> AspNet {
        AspNet {
            counters: cx.perf.open("aspnet"),
            global: Sheet::new(&GLOBAL),
            legacy: Sheet::new(&legacy::ASP),
            total: Sheet::new(&TOTAL),
            details: Sheet::new(&DETAILS),
            legacy_apps: Sheet::new(&legacy::APPS),
            apps: Sheet::new(&APPS),
            guard: Guard::new(Guarded::Apps, &cx.config, &cx.stats),
        }
    }
}

impl Part for AspNet {
    fn what(&self) -> &'static str {
        "counters of ASP.NET"
    }

    fn collect(&mut self, cx: &mut Cx<'_>) -> Result<Asked, Refused> {
        let global = wanted(cx, GLOBAL.iter().chain(&legacy::ASP));
        let apps = wanted(cx, TOTAL.iter().chain(&DETAILS).chain(&APPS).chain(&legacy::APPS));
        let queries: Vec<ObjectQuery> = [(OBJECT, global), (APPLICATIONS, apps)]
            .into_iter()
            .filter(|(_, counters)| !counters.is_empty())
            .map(|(object, counters)| ObjectQuery::new(object, counters))
            .collect();
        if queries.is_empty() {
            return Ok(Asked::Nothing);
        }
        let answers = self.counters.ask(&queries)?;
        for (query, answer) in queries.iter().zip(answers) {
            let Some(table) = present(cx, &query.object, answer) else { continue };
            cx.class(Class::Totals);
            if query.object == OBJECT {
                if let Some(row) = table.rows.first() {
                    self.global.open(&table).emit(cx, row, "", &Tags::NONE);
                    self.legacy.open(&table).emit(cx, row, "", &Tags::NONE);
                }
                continue;
            }
            if let Some(row) = table.rows.iter().find(|row| row.instance.eq_ignore_ascii_case(apps::ALL)) {
                self.total.open(&table).emit(cx, row, "", &Tags::NONE);
                self.legacy_apps.open(&table).emit(cx, row, "", &Tags::NONE);
                cx.class(Class::Detail);
                self.details.open(&table).emit(cx, row, "", &Tags::NONE);
            }
            if APPS.iter().any(|line| cx.wants(&line.metric)) {
                cx.class(Class::Detail);
                apps::say(cx, &mut self.apps, &mut self.guard, &table);
            }
        }
        Ok(Asked::Something)
    }
}
