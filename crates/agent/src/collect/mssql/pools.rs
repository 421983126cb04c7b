//! `mssql.pool.*`: the pools of Resource Governor, where there are more than `default` and `internal`, which every instance has.

use super::table::{From, Label, Object, Rows, kilobytes, of, shown, total, underlined};
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

const fn sum(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).tagged(TAGS)
}

const LINES: [Line; 15] = [
    shown("mssql.pool.cpu.percent", "%", of!("Resource Pool Stats", "CPU usage %"))
        .tagged(TAGS)
        .meaning("of the host's processors, in the interval"),
    shown("mssql.pool.cpu.target", "%", of!("Resource Pool Stats", "CPU usage target %")).tagged(TAGS),
    kilobytes("mssql.pool.mem.used", of!("Resource Pool Stats", "Used memory (KB)")).tagged(TAGS),
    kilobytes("mssql.pool.mem.target", of!("Resource Pool Stats", "Target memory (KB)")).tagged(TAGS),
    kilobytes("mssql.pool.mem.max", of!("Resource Pool Stats", "Max memory (KB)")).tagged(TAGS),
    shown("mssql.pool.grants.pending", "grants", of!("Resource Pool Stats", "Pending memory grants count"))
        .tagged(TAGS),
    shown("mssql.pool.grants.active", "grants", of!("Resource Pool Stats", "Active memory grants count")).tagged(TAGS),
    sum("mssql.pool.grants", "grants", of!("Resource Pool Stats", "Memory grants/sec")),
    sum("mssql.pool.grant_timeouts", "grants", of!("Resource Pool Stats", "Memory grant timeouts/sec")),
    sum("mssql.pool.disk.read_ops", "operations", of!("Resource Pool Stats", "Disk Read IO/sec")),
    sum("mssql.pool.disk.write_ops", "operations", of!("Resource Pool Stats", "Disk Write IO/sec")),
    sum("mssql.pool.disk.read_bytes", "B", of!("Resource Pool Stats", "Disk Read Bytes/sec")),
    sum("mssql.pool.disk.write_bytes", "B", of!("Resource Pool Stats", "Disk Write Bytes/sec")),
    sum("mssql.pool.disk.read_throttled", "operations", of!("Resource Pool Stats", "Disk Read IO Throttled/sec")),
    sum("mssql.pool.disk.write_throttled", "operations", of!("Resource Pool Stats", "Disk Write IO Throttled/sec")),
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
