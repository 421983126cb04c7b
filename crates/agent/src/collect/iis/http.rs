//! `HTTP Service`: the kernel's cache of answers by URI, of the whole machine.

use super::{Asked, Part, present, wanted};
use crate::collect::{Class, Context, Cx};
use crate::model::{Metric, On, Sets, Tags};
use crate::perf::client::{Counters, ObjectQuery, Refused};
use crate::perf::meter::{How, Line, Sheet};

pub(super) const OPTION: &str = "iisHttp";
const OBJECT: &str = "HTTP Service";

const fn of(metric: Metric, how: How, counters: &'static [&'static str]) -> Line {
    Line::new(metric.on(On::Windows).option(OPTION), how, counters)
}
const fn grows(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    counters: &'static [&'static str],
) -> Line {
    of(Metric::counter(name, unit, Sets::EXTENDED, source), How::Total, counters)
}

pub(super) static LINES: [Line; 5] = [
    of(
        Metric::gauge("iis.http.uri_cache.current", "URIs", Sets::EXTENDED, "HTTP Service: CurrentUrisCached"),
        How::Number,
        &["CurrentUrisCached"],
    ),
    grows("iis.http.uri_cache.hits", "lookups", "HTTP Service: UriCacheHits", &["UriCacheHits"]),
    grows("iis.http.uri_cache.misses", "lookups", "HTTP Service: UriCacheMisses", &["UriCacheMisses"]),
    grows("iis.http.uri_cache.flushes", "flushes", "HTTP Service: UriCacheFlushes", &["UriCacheFlushes"]),
    grows("iis.http.uri_cache.flushed", "URIs", "HTTP Service: TotalFlushedUris", &["TotalFlushedUris"]),
];

pub(super) struct Http {
    counters: Counters,
    sheet: Sheet,
}

impl Http {
    pub(super) fn new(cx: &Context) -> Http {
        Http { counters: cx.perf.open("http"), sheet: Sheet::new(&LINES) }
    }
}

impl Part for Http {
    fn what(&self) -> &'static str {
        "counters of HTTP.sys"
    }

    fn collect(&mut self, cx: &mut Cx<'_>) -> Result<Asked, Refused> {
        let counters = wanted(cx, LINES.iter());
        if counters.is_empty() {
            return Ok(Asked::Nothing);
        }
        cx.class(Class::Detail);
        for answer in self.counters.ask(&[ObjectQuery::new(OBJECT, counters)])? {
            let Some(table) = present(cx, OBJECT, answer) else { continue };
            if let Some(row) = table.rows.first() {
                self.sheet.open(&table).emit(cx, row, "", &Tags::NONE);
            }
        }
        Ok(Asked::Something)
    }
}
