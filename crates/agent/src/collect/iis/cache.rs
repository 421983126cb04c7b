//! `Web Service Cache`: hits and misses of the caches of the whole machine, and the share of hits in the interval. Since IIS 7
//! most of its caches belong to each worker process, and what this object shows is that of the kernel for the greater part.
//!
//! The object's own `* Hits %` are of all the time since the service started, so shares are of what hits and misses gained.

use super::wanted;
use crate::collect::{Class, Cx, float, percent};
use crate::model::{Metric, On, Sets, Tags, metrics_of};
use crate::perf::formula::Reading;
use crate::perf::meter::{How, Line, Sheet, reading};
use crate::perf::rows::{Row, Table};

pub(super) const OBJECT: &str = "Web Service Cache";

const fn grows(name: &'static str, source: &'static str, counters: &'static [&'static str]) -> Line {
    let metric = Metric::counter(name, "lookups", Sets::EXTENDED, source).on(On::Windows).option("iisCache");
    Line::new(metric, How::Total, counters)
}
const fn stands(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    counters: &'static [&'static str],
) -> Line {
    let metric = Metric::gauge(name, unit, Sets::EXTENDED, source).on(On::Windows).option("iisCache");
    Line::new(metric, How::Number, counters)
}

pub(super) static LINES: [Line; 14] = [
    grows("iis.cache.file.hits", "Web Service Cache: File Cache Hits", &["File Cache Hits"]),
    grows("iis.cache.file.misses", "Web Service Cache: File Cache Misses", &["File Cache Misses"]),
    grows("iis.cache.uri.hits", "Web Service Cache: URI Cache Hits", &["URI Cache Hits"]),
    grows("iis.cache.uri.misses", "Web Service Cache: URI Cache Misses", &["URI Cache Misses"]),
    grows("iis.cache.kernel_uri.hits", "Web Service Cache: Kernel: URI Cache Hits", &["Kernel: URI Cache Hits"]),
    grows("iis.cache.kernel_uri.misses", "Web Service Cache: Kernel: URI Cache Misses", &["Kernel: URI Cache Misses"]),
    grows("iis.cache.metadata.hits", "Web Service Cache: Metadata Cache Hits", &["Metadata Cache Hits"]),
    grows("iis.cache.metadata.misses", "Web Service Cache: Metadata Cache Misses", &["Metadata Cache Misses"]),
    grows("iis.cache.output.hits", "Web Service Cache: Output Cache Total Hits", &["Output Cache Total Hits"]),
    grows("iis.cache.output.misses", "Web Service Cache: Output Cache Total Misses", &["Output Cache Total Misses"]),
    stands(
        "iis.cache.file.bytes",
        "B",
        "Web Service Cache: Current File Cache Memory Usage",
        &["Current File Cache Memory Usage"],
    ),
    stands("iis.cache.files.current", "files", "Web Service Cache: Current Files Cached", &["Current Files Cached"]),
    stands("iis.cache.uris.current", "URIs", "Web Service Cache: Current URIs Cached", &["Current URIs Cached"]),
    stands(
        "iis.cache.metadata.current",
        "entries",
        "Web Service Cache: Current Metadata Cached",
        &["Current Metadata Cached"],
    ),
];

/// Hits of all lookups.
struct Ratio {
    metric: Metric,
    hits: &'static str,
    misses: &'static str,
}

const fn ratio(name: &'static str, source: &'static str, hits: &'static str, misses: &'static str) -> Ratio {
    let help = "mean over the interval; absent where nothing was looked up in it";
    Ratio { metric: Metric::gauge(name, "%", Sets::EXTENDED, source).on(On::Windows).help(help), hits, misses }
}

const COUNT: usize = 5;

static RATIOS: [Ratio; COUNT] = [
    ratio(
        "iis.cache.file.hit_ratio",
        "Web Service Cache: File Cache Hits, File Cache Misses",
        "File Cache Hits",
        "File Cache Misses",
    ),
    ratio(
        "iis.cache.uri.hit_ratio",
        "Web Service Cache: URI Cache Hits, URI Cache Misses",
        "URI Cache Hits",
        "URI Cache Misses",
    ),
    ratio(
        "iis.cache.kernel_uri.hit_ratio",
        "Web Service Cache: Kernel: URI Cache Hits, Kernel: URI Cache Misses",
        "Kernel: URI Cache Hits",
        "Kernel: URI Cache Misses",
    ),
    ratio(
        "iis.cache.metadata.hit_ratio",
        "Web Service Cache: Metadata Cache Hits, Metadata Cache Misses",
        "Metadata Cache Hits",
        "Metadata Cache Misses",
    ),
    ratio(
        "iis.cache.output.hit_ratio",
        "Web Service Cache: Output Cache Total Hits, Output Cache Total Misses",
        "Output Cache Total Hits",
        "Output Cache Total Misses",
    ),
];

pub(super) static RATIO_METRICS: [Metric; COUNT] = ratio_metrics();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn ratio_metrics() -> [Metric; COUNT] {
    metrics_of!(RATIOS, COUNT)
}

/// Names of the counters behind what is switched on.
pub(super) fn counters(cx: &Cx<'_>) -> Vec<String> {
    let mut names = wanted(cx, LINES.iter());
    for name in RATIOS.iter().filter(|ratio| cx.wants(&ratio.metric)).flat_map(|ratio| [ratio.hits, ratio.misses]) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Hits and misses.
type Lookups = [Reading; 2];

pub(super) struct Cache {
    sheet: Sheet,
    before: [Option<Lookups>; COUNT],
}

impl Cache {
    pub(super) fn new() -> Cache {
        Cache { sheet: Sheet::new(&LINES), before: [None; COUNT] }
    }

    /// The object has one row, under a name or none.
    pub(super) fn say(&mut self, cx: &mut Cx<'_>, table: &Table) {
        let Some(row) = table.rows.iter().find(|row| row.instance == "_Total").or(table.rows.first()) else { return };
        cx.class(Class::Totals);
        for (ratio, before) in RATIOS.iter().zip(&mut self.before) {
            let now = lookups(table, row, ratio);
            if let Some(share) = before.zip(now).and_then(|(before, now)| share(&before, &now)) {
                cx.emit(&ratio.metric, &Tags::NONE, share);
            }
            *before = now;
        }
        cx.class(Class::Detail);
        self.sheet.open(table).emit(cx, row, "", &Tags::NONE);
    }
}

fn lookups(table: &Table, row: &Row, ratio: &Ratio) -> Option<Lookups> {
    let of = |counter| Some(reading(table, row, table.column(counter)?)?.1);
    Some([of(ratio.hits)?, of(ratio.misses)?])
}

fn share([hits_before, misses_before]: &Lookups, [hits, misses]: &Lookups) -> Option<f64> {
    let (hits, misses) = (float(hits.grown_since(hits_before)?), float(misses.grown_since(misses_before)?));
    (hits + misses > 0.0).then(|| percent(hits, hits + misses))
}
