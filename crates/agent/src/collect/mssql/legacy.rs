//! What older agents said of SQL Server's default instance: the Python agent by `sqlserver.*`, freedomkk's by `MsSQL.*`.
//!
//! The Python agent had no tags and cut every number to an integer; rates were those of a tenth of a second. Here they are
//! fractions over the interval. Its names are as it wrote them, mistakes included. `total_pages` is of a counter that there is
//! up to SQL Server 2008 R2.
//!
//! freedomkk's agent sent running totals as they stand, as GAUGE: an alarm on them is one on their sum. `instance` is a database
//! there, or a resource of locks: the total, and databases that `mssql.instance` names.

use super::table::{From, Label, Object, Rows, of};
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

const fn python(name: &'static str, unit: &'static str, how: How, (source, counters): From) -> Line {
    Line::new(Metric::gauge(name, unit, Sets::WINDOWS_AGENT, source).on(On::Windows), how, counters)
}

/// A second, over the interval.
const fn rate(name: &'static str, unit: &'static str, from: From) -> Line {
    python(name, unit, How::Rate, from)
}

const fn gauge(name: &'static str, unit: &'static str, from: From) -> Line {
    python(name, unit, How::Shown, from)
}

const PYTHON_STATS: [Line; 3] = [
    rate("sqlserver.sqlserver.sql_statistics.batch_rps", "batches/s", of!("SQL Statistics", "Batch Requests/sec")),
    rate(
        "sqlserver.sqlserver.sql_statistics.sql_compilations_per_sec",
        "compilations/s",
        of!("SQL Statistics", "SQL Compilations/sec"),
    ),
    rate(
        "sqlserver.sqlserver.sql_statistics.sql_re_complilations_per_sec",
        "compilations/s",
        of!("SQL Statistics", "SQL Re-Compilations/sec"),
    ),
];

const PYTHON_BUFFER: [Line; 5] = [
    gauge(
        "sqlserver.sqlserver.buffer_manager.buffer_cache_hit_ratio",
        "%",
        of!("Buffer Manager", "Buffer cache hit ratio"),
    ),
    gauge("sqlserver.sql_server.buffer_manager.database_pages", "pages", of!("Buffer Manager", "Database pages")),
    rate("sqlserver.sqlserver.buffer_manager.lazy_writes_per_sec", "pages/s", of!("Buffer Manager", "Lazy writes/sec")),
    gauge(
        "sqlserver.sqlserver.buffer_manager.page_life_expectancy",
        "s",
        of!("Buffer Manager", "Page life expectancy"),
    ),
    gauge("sqlserver.sqlserver.buffer_manager.total_pages", "pages", of!("Buffer Manager", "Total Pages"))
        .meaning("up to SQL Server 2008 R2"),
];

const PYTHON_DATABASES: [Line; 3] = [
    gauge("sqlserver.sqlserver.databases.total.data_file_size", "KB", of!("Databases", "Data File(s) Size (KB)")),
    gauge("sqlserver.sqlserver.databases.total.log_file_size", "KB", of!("Databases", "Log File(s) Size (KB)")),
    rate(
        "sqlserver.sqlserver.databases.total.transactions_per_sec",
        "transactions/s",
        of!("Databases", "Transactions/sec"),
    ),
];

const PYTHON_ACCESS: [Line; 1] = [rate(
    "sqlserver.sqlserver.access_methods.full_sacans_per_sec",
    "scans/s",
    of!("Access Methods", "Full Scans/sec"),
)];

const PYTHON_LOCKS: [Line; 2] = [
    rate("sqlserver.sqlserver.locks.lock_waits_per_sec", "locks/s", of!("Locks", "Lock Waits/sec")),
    rate(
        "sqlserver.sqlserver.locks.total.number_of_deadlocks_per_sec",
        "deadlocks/s",
        of!("Locks", "Number of Deadlocks/sec"),
    ),
];

const PYTHON_GENERAL: [Line; 1] = [gauge(
    "sqlserver.sqlserver.general_statistics.user_connections",
    "connections",
    of!("General Statistics", "User Connections"),
)];

const PYTHON_MEMORY: [Line; 2] = [
    gauge(
        "sqlserver.sqlserver.memory_manager.target_server_memory",
        "KB",
        of!("Memory Manager", "Target Server Memory (KB)"),
    ),
    gauge(
        "sqlserver.sqlserver.memory_manager.total_server_memory",
        "KB",
        of!("Memory Manager", "Total Server Memory (KB)"),
    ),
];

const PYTHON_JOBS: [Line; 1] = [gauge("sqlserver.sqlagent.jobs.total.failed_jobs", "jobs", of!("Jobs", "Failed jobs"))];

/// The number as it stands.
const fn freedomkk(
    name: &'static str,
    unit: &'static str,
    tags: &'static [&'static str],
    (source, counters): From,
) -> Line {
    let metric = Metric::gauge(name, unit, Sets::FREEDOMKK, source).on(On::Windows).tags(tags);
    Line::new(metric, How::Number, counters)
}

const OF: &[&str] = &["instance"];

const FREEDOMKK_LOCKS: [Line; 2] = [
    freedomkk("MsSQL.Lock_Waits/sec", "locks", OF, of!("Locks", "Lock Waits/sec"))
        .meaning("since the instance began, not per second"),
    freedomkk("MsSQL.Average_Wait_Time_(ms)", "ms", OF, of!("Locks", "Average Wait Time (ms)"))
        .meaning("of all waits since the instance began, not their average"),
];

const FREEDOMKK_DATABASES: [Line; 3] = [
    freedomkk("MsSQL.Log_File(s)_Size_(KB)", "KB", OF, of!("Databases", "Log File(s) Size (KB)")),
    freedomkk("MsSQL.Log_File(s)_Used_Size_(KB)", "KB", OF, of!("Databases", "Log File(s) Used Size (KB)")),
    freedomkk("MsSQL.Percent_Log_Used", "%", OF, of!("Databases", "Percent Log Used")),
];

const FREEDOMKK_ERRORS: [Line; 1] =
    [freedomkk("MsSQL.Errors/sec", "errors", &["error_type"], of!("SQL Errors", "Errors/sec"))
        .meaning("since the instance began, not per second")];

const FREEDOMKK_MEMORY: [Line; 2] = [
    freedomkk("MsSQL.Target_Server_Memory_(KB)", "KB", &[], of!("Memory Manager", "Target Server Memory (KB)")),
    freedomkk("MsSQL.Total_Server_Memory_(KB)", "KB", &[], of!("Memory Manager", "Total Server Memory (KB)")),
];

const FREEDOMKK_STATS: [Line; 1] =
    [freedomkk("MsSQL.Batch_Requests/sec", "batches", &[], of!("SQL Statistics", "Batch Requests/sec"))
        .meaning("since the instance began, not per second")];

const FREEDOMKK_GENERAL: [Line; 1] =
    [freedomkk("MsSQL.Connection", "connections", &[], of!("General Statistics", "User Connections"))];

/// Said with the process; see [`super::process`].
pub(super) const UPTIME: Metric =
    Metric::gauge("MsSQL.Uptime", "s", Sets::FREEDOMKK, "SYSTEM_PROCESS_INFORMATION").on(On::Windows);
