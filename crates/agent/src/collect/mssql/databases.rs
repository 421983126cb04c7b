//! `mssql.db.*`: each database under the tag `db`, and the sum of all under `db=_Total`.
//!
//! The database of the system's own objects (`mssqlsystemresource`) can neither be used nor fill up: it is left out. Which
//! others are told of says the configuration; a bounded number of them, the largest first.

use super::table::{DATABASE_DETAIL, From, Label, Object, Rows, kilobytes, of, shown, total, underlined};
use crate::collect::Class;
use crate::perf::meter::Line;
use crate::perf::rows::{Row, Table};

pub(super) const DATABASES: &str = "Databases";
const TAGS: &[&str] = &["instance", "db"];
const DATA_SIZE: &str = "Data File(s) Size (KB)";
const RESOURCE: &str = "mssqlsystemresource";

pub(super) const OBJECTS: &[Object] = &[
    Object::new(DATABASES, &LINES).rows(Rows::Databases, Label::With("db", underlined)).class(Class::Databases),
    Object::new(DATABASES, &PERCENT_LINES)
        .rows(Rows::SingleDatabases, Label::With("db", underlined))
        .class(Class::Databases),
    Object::new(DATABASES, &DETAIL_LINES).rows(Rows::Databases, Label::With("db", underlined)).class(Class::Detail),
];

const fn sum(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).tagged(TAGS)
}
const fn size(name: &'static str, from: From) -> Line {
    kilobytes(name, from).tagged(TAGS)
}
const fn gauge(name: &'static str, unit: &'static str, from: From) -> Line {
    shown(name, unit, from).tagged(TAGS)
}

pub(super) const LINES: [Line; 13] = [
    sum("mssql.db.transactions", "transactions", of!("Databases", "Transactions/sec")),
    sum("mssql.db.write_transactions", "transactions", of!("Databases", "Write Transactions/sec")),
    gauge("mssql.db.active_transactions", "transactions", of!("Databases", "Active Transactions")),
    size("mssql.db.data_size", of!("Databases", "Data File(s) Size (KB)")),
    size("mssql.db.log_size", of!("Databases", "Log File(s) Size (KB)")),
    size("mssql.db.log_used", of!("Databases", "Log File(s) Used Size (KB)")),
    sum("mssql.db.log_flushes", "flushes", of!("Databases", "Log Flushes/sec")),
    sum("mssql.db.log_flush_bytes", "B", of!("Databases", "Log Bytes Flushed/sec")),
    sum("mssql.db.log_flush_waits", "commits", of!("Databases", "Log Flush Waits/sec")),
    sum("mssql.db.log_flush_wait_time", "ms", of!("Databases", "Log Flush Wait Time"))
        .meaning("the graph shows milliseconds that commits waited in a second"),
    sum("mssql.db.log_growths", "growths", of!("Databases", "Log Growths")),
    sum("mssql.db.log_shrinks", "shrinks", of!("Databases", "Log Shrinks")),
    sum("mssql.db.backup_throughput", "B", of!("Databases", "Backup/Restore Throughput/sec")),
];

/// Of the sum it says nothing.
const PERCENT_LINES: [Line; 1] = [gauge("mssql.db.log_used.percent", "%", of!("Databases", "Percent Log Used"))];

/// A running total that is off by default.
const fn off(name: &'static str, unit: &'static str, from: From) -> Line {
    sum(name, unit, from).option(DATABASE_DETAIL)
}

const DETAIL_LINES: [Line; 30] = [
    off("mssql.db.log_truncations", "truncations", of!("Databases", "Log Truncations")),
    gauge("mssql.db.log_flush_write_time", "ms", of!("Databases", "Log Flush Write Time (ms)")).option(DATABASE_DETAIL),
    off("mssql.db.log_cache_reads", "reads", of!("Databases", "Log Cache Reads/sec")),
    gauge("mssql.db.log_cache_hit_ratio", "%", of!("Databases", "Log Cache Hit Ratio")).option(DATABASE_DETAIL),
    off("mssql.db.log_pool.cache_misses", "requests", of!("Databases", "Log Pool Cache Misses/sec")),
    off("mssql.db.log_pool.disk_reads", "reads", of!("Databases", "Log Pool Disk Reads/sec")),
    off("mssql.db.log_pool.hash_deletes", "operations", of!("Databases", "Log Pool Hash Deletes/sec")),
    off("mssql.db.log_pool.hash_inserts", "operations", of!("Databases", "Log Pool Hash Inserts/sec")),
    off("mssql.db.log_pool.invalid_hash_entries", "requests", of!("Databases", "Log Pool Invalid Hash Entry/sec")),
    off("mssql.db.log_pool.log_scan_pushes", "blocks", of!("Databases", "Log Pool Log Scan Pushes/sec")),
    off("mssql.db.log_pool.log_writer_pushes", "blocks", of!("Databases", "Log Pool LogWriter Pushes/sec")),
    off("mssql.db.log_pool.push_empty_free_pool", "blocks", of!("Databases", "Log Pool Push Empty FreePool/sec")),
    off("mssql.db.log_pool.push_low_memory", "blocks", of!("Databases", "Log Pool Push Low Memory/sec")),
    off("mssql.db.log_pool.push_no_free_buffer", "blocks", of!("Databases", "Log Pool Push No Free Buffer/sec")),
    off("mssql.db.log_pool.requests", "requests", of!("Databases", "Log Pool Requests/sec")),
    off("mssql.db.log_pool.requests_behind_truncation", "requests", of!("Databases", "Log Pool Req. Behind Trunc/sec")),
    off("mssql.db.log_pool.requests_old_vlf", "requests", of!("Databases", "Log Pool Requests Old VLF/sec")),
    gauge("mssql.db.log_pool.active_log", "1", of!("Databases", "Log Pool Total Active Log Size"))
        .option(DATABASE_DETAIL),
    gauge("mssql.db.log_pool.shared", "1", of!("Databases", "Log Pool Total Shared Pool Size")).option(DATABASE_DETAIL),
    off("mssql.db.bulk_copy.rows", "rows", of!("Databases", "Bulk Copy Rows/sec")),
    off("mssql.db.bulk_copy.bytes", "B", of!("Databases", "Bulk Copy Throughput/sec")).times(1024.0),
    off("mssql.db.dbcc_scan_bytes", "B", of!("Databases", "DBCC Logical Scan Bytes/sec")),
    off("mssql.db.shrink_bytes", "B", of!("Databases", "Shrink Data Movement Bytes/sec")),
    off("mssql.db.group_commit_time", "us", of!("Databases", "Group Commit Time/sec")),
    gauge("mssql.db.repl.pending", "transactions", of!("Databases", "Repl. Pending Xacts")).option(DATABASE_DETAIL),
    off("mssql.db.repl.rate", "transactions", of!("Databases", "Repl. Trans. Rate")),
    off("mssql.db.tracked_transactions", "transactions", of!("Databases", "Tracked transactions/sec")),
    gauge("mssql.db.xtp.memory_used", "B", of!("Databases", "XTP Memory Used (KB)"))
        .times(1024.0)
        .option(DATABASE_DETAIL),
    gauge("mssql.db.xtp.controller_dlc.latency", "1", of!("Databases", "XTP Controller DLC Latency/Fetch"))
        .option(DATABASE_DETAIL),
    gauge("mssql.db.redo_threads", "threads", of!("Databases", "Active parallel redo threads")).option(DATABASE_DETAIL),
];

/// Whether a row is the system's own database.
pub(super) fn is_resource(row: &str) -> bool {
    row.eq_ignore_ascii_case(RESOURCE)
}

/// Kilobytes of data: which database counts more where not all are told of.
pub(super) fn data_size(table: &Table, row: &Row) -> u64 {
    let value = table.column(DATA_SIZE).and_then(|column| *row.values.get(column)?);
    value.map_or(0, |raw| raw.value)
}
