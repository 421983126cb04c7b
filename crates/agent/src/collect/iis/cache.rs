//! `Web Service Cache`: hits and misses of the caches of the whole machine. Since IIS 7 most of its caches belong to each
//! worker process, and what this object shows is that of the kernel for the greater part.

use crate::collect::{Class, Cx};
use crate::model::{Metric, On, Sets, Tags};
use crate::perf::meter::{How, Line, Sheet};
use crate::perf::rows::Table;

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

/// The object has one row, under a name or none.
pub(super) fn say(cx: &mut Cx<'_>, sheet: &mut Sheet, table: &Table) {
    cx.class(Class::Detail);
    let row = table.rows.iter().find(|row| row.instance == "_Total").or(table.rows.first());
    if let Some(row) = row {
        sheet.open(table).emit(cx, row, "", &Tags::NONE);
    }
}
