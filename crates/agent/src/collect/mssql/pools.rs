//! `mssql.pool.*`: the pools of Resource Governor, where there are more than `default` and `internal`, which every instance has.

use super::table::{Label, Object, Rows, kilobytes, shown, total, underlined};
use crate::collect::Class;
use crate::perf::meter::Line;
use crate::perf::rows::Table;

const POOL: &str = "Resource Pool Stats";
const TAGS: &[&str] = &["instance", "pool"];
const CPU: &str = "CPU usage %";

pub(super) const OBJECTS: &[Object] =
    &[Object::new(POOL, &LINES).rows(Rows::Pools, Label::With("pool", underlined)).class(Class::Detail)];

/// Pools that every instance has.
const OWN: usize = 2;

const fn sum(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    total(POOL, name, unit, counters).tagged(TAGS)
}

const LINES: [Line; 15] = [
    shown(POOL, "mssql.pool.cpu.percent", "%", &[CPU])
        .tagged(TAGS)
        .meaning("of the host's processors, in the interval"),
    shown(POOL, "mssql.pool.cpu.target", "%", &["CPU usage target %"]).tagged(TAGS),
    kilobytes(POOL, "mssql.pool.mem.used", &["Used memory (KB)"]).tagged(TAGS),
    kilobytes(POOL, "mssql.pool.mem.target", &["Target memory (KB)"]).tagged(TAGS),
    kilobytes(POOL, "mssql.pool.mem.max", &["Max memory (KB)"]).tagged(TAGS),
    shown(POOL, "mssql.pool.grants.pending", "grants", &["Pending memory grants count"]).tagged(TAGS),
    shown(POOL, "mssql.pool.grants.active", "grants", &["Active memory grants count"]).tagged(TAGS),
    sum("mssql.pool.grants", "grants", &["Memory grants/sec"]),
    sum("mssql.pool.grant_timeouts", "grants", &["Memory grant timeouts/sec"]),
    sum("mssql.pool.disk.read_ops", "operations", &["Disk Read IO/sec"]),
    sum("mssql.pool.disk.write_ops", "operations", &["Disk Write IO/sec"]),
    sum("mssql.pool.disk.read_bytes", "B", &["Disk Read Bytes/sec"]),
    sum("mssql.pool.disk.write_bytes", "B", &["Disk Write Bytes/sec"]),
    sum("mssql.pool.disk.read_throttled", "operations", &["Disk Read IO Throttled/sec"]),
    sum("mssql.pool.disk.write_throttled", "operations", &["Disk Write IO Throttled/sec"]),
];

/// Whether somebody made a pool.
pub(super) fn are_more(table: &Table) -> bool {
    table.rows.len() > OWN
}

/// PERF_SAMPLE_FRACTION.
const SHARE_SINCE: u32 = 0x20C2_0400;

/// The share of processors is counted since the start, and declared as if it were that of now.
pub(super) fn since_before(mut table: Table) -> Table {
    if let Some(place) = table.column(CPU)
        && let Some(column) = table.columns.get_mut(place)
        && column.base_size > 0
    {
        column.kind = SHARE_SINCE;
    }
    table
}
