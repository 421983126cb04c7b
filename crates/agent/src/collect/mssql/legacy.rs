//! What older agents said of SQL Server's default instance: the Python agent by `sqlserver.*`, freedomkk's by `MsSQL.*`.
//!
//! The Python agent had no tags and cut every number to an integer; rates were those of a tenth of a second. Here they are
//! fractions over the interval. Its names are as it wrote them, mistakes included. `total_pages` is of a counter that there is
//! up to SQL Server 2008 R2.
//!
//! freedomkk's agent sent running totals as they stand, as GAUGE: an alarm on them is one on their sum. `instance` is a database
//! there, or a resource of locks: the total, and databases that `mssql.instance` names.

use super::table::{Label, Object, Rows};
use crate::model::{Metric, On, Sets};
use crate::perf::meter::{How, Line};

const BUFFER: &str = "Buffer Manager";
const MEMORY: &str = "Memory Manager";
const STATS: &str = "SQL Statistics";
const GENERAL: &str = "General Statistics";
const ACCESS: &str = "Access Methods";
const DATABASES: &str = "Databases";
const LOCKS: &str = "Locks";
const ERRORS: &str = "SQL Errors";

pub(super) const OBJECTS: &[Object] = &[
    Object::new(STATS, &PYTHON_STATS).rows(Rows::Total, Label::None),
    Object::new(BUFFER, &PYTHON_BUFFER).rows(Rows::Total, Label::None),
    Object::new(DATABASES, &PYTHON_DATABASES).rows(Rows::Total, Label::None),
    Object::new(ACCESS, &PYTHON_ACCESS).rows(Rows::Total, Label::None),
    Object::new(LOCKS, &PYTHON_LOCKS).rows(Rows::Total, Label::None),
    Object::new(GENERAL, &PYTHON_GENERAL).rows(Rows::Total, Label::None),
    Object::new(MEMORY, &PYTHON_MEMORY).rows(Rows::Total, Label::None),
    Object::new(super::engine::JOBS, &PYTHON_JOBS).rows(Rows::Total, Label::None),
    Object::new(LOCKS, &FREEDOMKK_LOCKS).rows(Rows::Total, Label::Only("instance")),
    Object::new(DATABASES, &FREEDOMKK_DATABASES).rows(Rows::NamedDatabases, Label::Only("instance")),
    Object::new(ERRORS, &FREEDOMKK_ERRORS).rows(Rows::All, Label::Only("error_type")),
    Object::new(MEMORY, &FREEDOMKK_MEMORY).rows(Rows::Total, Label::None),
    Object::new(STATS, &FREEDOMKK_STATS).rows(Rows::Total, Label::None),
    Object::new(GENERAL, &FREEDOMKK_GENERAL).rows(Rows::Total, Label::None),
];

const fn python(
    object: &'static str,
    name: &'static str,
    unit: &'static str,
    how: How,
    counters: &'static [&'static str],
) -> Line {
    Line::new(Metric::gauge(name, unit, Sets::WINDOWS_AGENT, object).on(On::Windows), how, counters).meaning(
        match counters {
            [counter, ..] => counter,
            [] => "",
        },
    )
}

/// A second, over the interval.
const fn rate(object: &'static str, name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    python(object, name, unit, How::Rate, counters)
}

const fn gauge(
    object: &'static str,
    name: &'static str,
    unit: &'static str,
    counters: &'static [&'static str],
) -> Line {
    python(object, name, unit, How::Shown, counters)
}

const PYTHON_STATS: [Line; 3] = [
    rate(STATS, "sqlserver.sqlserver.sql_statistics.batch_rps", "batches/s", &["Batch Requests/sec"]),
    rate(
        STATS,
        "sqlserver.sqlserver.sql_statistics.sql_compilations_per_sec",
        "compilations/s",
        &["SQL Compilations/sec"],
    ),
    rate(
        STATS,
        "sqlserver.sqlserver.sql_statistics.sql_re_complilations_per_sec",
        "compilations/s",
        &["SQL Re-Compilations/sec"],
    ),
];

const PYTHON_BUFFER: [Line; 5] = [
    gauge(BUFFER, "sqlserver.sqlserver.buffer_manager.buffer_cache_hit_ratio", "%", &["Buffer cache hit ratio"]),
    gauge(BUFFER, "sqlserver.sql_server.buffer_manager.database_pages", "pages", &["Database pages"]),
    rate(BUFFER, "sqlserver.sqlserver.buffer_manager.lazy_writes_per_sec", "pages/s", &["Lazy writes/sec"]),
    gauge(BUFFER, "sqlserver.sqlserver.buffer_manager.page_life_expectancy", "s", &["Page life expectancy"]),
    gauge(BUFFER, "sqlserver.sqlserver.buffer_manager.total_pages", "pages", &["Total Pages"])
        .meaning("Total Pages, up to SQL Server 2008 R2"),
];

const PYTHON_DATABASES: [Line; 3] = [
    gauge(DATABASES, "sqlserver.sqlserver.databases.total.data_file_size", "KB", &["Data File(s) Size (KB)"]),
    gauge(DATABASES, "sqlserver.sqlserver.databases.total.log_file_size", "KB", &["Log File(s) Size (KB)"]),
    rate(
        DATABASES,
        "sqlserver.sqlserver.databases.total.transactions_per_sec",
        "transactions/s",
        &["Transactions/sec"],
    ),
];

const PYTHON_ACCESS: [Line; 1] =
    [rate(ACCESS, "sqlserver.sqlserver.access_methods.full_sacans_per_sec", "scans/s", &["Full Scans/sec"])];

const PYTHON_LOCKS: [Line; 2] = [
    rate(LOCKS, "sqlserver.sqlserver.locks.lock_waits_per_sec", "locks/s", &["Lock Waits/sec"]),
    rate(
        LOCKS,
        "sqlserver.sqlserver.locks.total.number_of_deadlocks_per_sec",
        "deadlocks/s",
        &["Number of Deadlocks/sec"],
    ),
];

const PYTHON_GENERAL: [Line; 1] =
    [gauge(GENERAL, "sqlserver.sqlserver.general_statistics.user_connections", "connections", &["User Connections"])];

const PYTHON_MEMORY: [Line; 2] = [
    gauge(MEMORY, "sqlserver.sqlserver.memory_manager.target_server_memory", "KB", &["Target Server Memory (KB)"]),
    gauge(MEMORY, "sqlserver.sqlserver.memory_manager.total_server_memory", "KB", &["Total Server Memory (KB)"]),
];

const PYTHON_JOBS: [Line; 1] =
    [gauge(super::engine::JOBS, "sqlserver.sqlagent.jobs.total.failed_jobs", "jobs", &["Failed jobs"])];

/// The number as it stands.
const fn freedomkk(
    object: &'static str,
    name: &'static str,
    unit: &'static str,
    tags: &'static [&'static str],
    counters: &'static [&'static str],
) -> Line {
    let metric = Metric::gauge(name, unit, Sets::FREEDOMKK, object).on(On::Windows).tags(tags);
    Line::new(metric, How::Number, counters)
}

const OF: &[&str] = &["instance"];

const FREEDOMKK_LOCKS: [Line; 2] = [
    freedomkk(LOCKS, "MsSQL.Lock_Waits/sec", "locks", OF, &["Lock Waits/sec"])
        .meaning("since the instance began, not per second"),
    freedomkk(LOCKS, "MsSQL.Average_Wait_Time_(ms)", "ms", OF, &["Average Wait Time (ms)"])
        .meaning("of all waits since the instance began, not their average"),
];

const FREEDOMKK_DATABASES: [Line; 3] = [
    freedomkk(DATABASES, "MsSQL.Log_File(s)_Size_(KB)", "KB", OF, &["Log File(s) Size (KB)"]),
    freedomkk(DATABASES, "MsSQL.Log_File(s)_Used_Size_(KB)", "KB", OF, &["Log File(s) Used Size (KB)"]),
    freedomkk(DATABASES, "MsSQL.Percent_Log_Used", "%", OF, &["Percent Log Used"]),
];

const FREEDOMKK_ERRORS: [Line; 1] = [freedomkk(ERRORS, "MsSQL.Errors/sec", "errors", &["error_type"], &["Errors/sec"])
    .meaning("since the instance began, not per second")];

const FREEDOMKK_MEMORY: [Line; 2] = [
    freedomkk(MEMORY, "MsSQL.Target_Server_Memory_(KB)", "KB", &[], &["Target Server Memory (KB)"]),
    freedomkk(MEMORY, "MsSQL.Total_Server_Memory_(KB)", "KB", &[], &["Total Server Memory (KB)"]),
];

const FREEDOMKK_STATS: [Line; 1] =
    [freedomkk(STATS, "MsSQL.Batch_Requests/sec", "batches", &[], &["Batch Requests/sec"])
        .meaning("since the instance began, not per second")];

const FREEDOMKK_GENERAL: [Line; 1] =
    [freedomkk(GENERAL, "MsSQL.Connection", "connections", &[], &["User Connections"])];

/// Said with the process; see [`super::process`].
pub(super) const UPTIME: Metric =
    Metric::gauge("MsSQL.Uptime", "s", Sets::FREEDOMKK, "SYSTEM_PROCESS_INFORMATION").on(On::Windows);
