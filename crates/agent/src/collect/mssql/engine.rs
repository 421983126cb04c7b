//! `mssql.buffer.*`, `.memory.*`, `.stats.*`, `.general.*`, `.errors`, `.plan.*`, `.agent.jobs.*`, `.user_counter`: the engine as a whole.

use super::table::{DETAIL, Label, Object, PLAN_CACHES, Rows, USER_COUNTERS, kilobytes, shown, small, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const BUFFER: &str = "Buffer Manager";
const NODE: &str = "Buffer Node";
const MEMORY: &str = "Memory Manager";
const STATS: &str = "SQL Statistics";
const GENERAL: &str = "General Statistics";
const ERRORS: &str = "SQL Errors";
const PLAN: &str = "Plan Cache";
const USER: &str = "User Settable";
/// Of the agent service, which has a prefix of its own.
pub(super) const JOBS: &str = "Jobs";

pub(super) const OBJECTS: &[Object] = &[
    Object::new(BUFFER, &BUFFER_LINES),
    Object::new(BUFFER, &BUFFER_DETAIL).class(Class::Detail),
    Object::new(NODE, &NODE_LINES).rows(Rows::Each, Label::With("node", small)).class(Class::Detail),
    Object::new(MEMORY, &MEMORY_LINES),
    Object::new(MEMORY, &MEMORY_DETAIL).class(Class::Detail),
    Object::new(STATS, &STATS_LINES),
    Object::new(STATS, &STATS_DETAIL).class(Class::Detail),
    Object::new(GENERAL, &GENERAL_LINES),
    Object::new(GENERAL, &GENERAL_DETAIL).class(Class::Detail),
    Object::new(ERRORS, &ERROR_LINES).rows(Rows::All, Label::With("type", error_type)),
    Object::new(PLAN, &PLAN_LINES),
    Object::new(PLAN, &PLAN_CACHE_LINES).rows(Rows::Each, Label::With("cache", small)).class(Class::Detail),
    Object::new(USER, &USER_LINES).rows(Rows::Each, Label::With("n", last_word)).class(Class::Detail),
    Object::new(JOBS, &JOB_LINES),
];

const BUFFER_LINES: [Line; 12] = [
    shown(BUFFER, "mssql.buffer.cache_hit_ratio", "%", &["Buffer cache hit ratio"])
        .meaning("lookups of pages that needed no reading, of the most recent ones"),
    shown(BUFFER, "mssql.buffer.page_life_expectancy", "s", &["Page life expectancy"]),
    total(BUFFER, "mssql.buffer.page_lookups", "pages", &["Page lookups/sec"]),
    total(BUFFER, "mssql.buffer.page_reads", "pages", &["Page reads/sec"]),
    total(BUFFER, "mssql.buffer.page_writes", "pages", &["Page writes/sec"]),
    total(BUFFER, "mssql.buffer.readahead_pages", "pages", &["Readahead pages/sec"]),
    total(BUFFER, "mssql.buffer.lazy_writes", "pages", &["Lazy writes/sec"]),
    total(BUFFER, "mssql.buffer.checkpoint_pages", "pages", &["Checkpoint pages/sec"]),
    total(BUFFER, "mssql.buffer.background_writer_pages", "pages", &["Background writer pages/sec"]),
    total(BUFFER, "mssql.buffer.free_list_stalls", "stalls", &["Free list stalls/sec"]),
    shown(BUFFER, "mssql.buffer.database_pages", "pages", &["Database pages"]),
    shown(BUFFER, "mssql.buffer.target_pages", "pages", &["Target pages"]),
];

const BUFFER_DETAIL: [Line; 9] = [
    total(BUFFER, "mssql.buffer.extension.page_reads", "pages", &["Extension page reads/sec"]).option(DETAIL),
    total(BUFFER, "mssql.buffer.extension.page_writes", "pages", &["Extension page writes/sec"]).option(DETAIL),
    total(BUFFER, "mssql.buffer.extension.page_evictions", "pages", &["Extension page evictions/sec"]).option(DETAIL),
    shown(BUFFER, "mssql.buffer.extension.allocated_pages", "pages", &["Extension allocated pages"]).option(DETAIL),
    shown(BUFFER, "mssql.buffer.extension.free_pages", "pages", &["Extension free pages"]).option(DETAIL),
    shown(BUFFER, "mssql.buffer.extension.in_use.percent", "%", &["Extension in use as percentage"]).option(DETAIL),
    shown(BUFFER, "mssql.buffer.extension.outstanding_io", "operations", &["Extension outstanding IO counter"])
        .option(DETAIL),
    shown(BUFFER, "mssql.buffer.extension.unreferenced_time", "s", &["Extension page unreferenced time"])
        .option(DETAIL),
    shown(BUFFER, "mssql.buffer.integral_controller_slope", "1", &["Integral Controller Slope"]).option(DETAIL),
];

const NODE_LINES: [Line; 1] = [shown(NODE, "mssql.buffer_node.page_life_expectancy", "s", &["Page life expectancy"])
    .tagged(&["instance", "node"])
    .option(DETAIL)];

const MEMORY_LINES: [Line; 10] = [
    kilobytes(MEMORY, "mssql.memory.total", &["Total Server Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.target", &["Target Server Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.stolen", &["Stolen Server Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.database_cache", &["Database Cache Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.free", &["Free Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.lock", &["Lock Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.connection", &["Connection Memory (KB)"]),
    kilobytes(MEMORY, "mssql.memory.sql_cache", &["SQL Cache Memory (KB)"]),
    shown(MEMORY, "mssql.memory.grants.outstanding", "processes", &["Memory Grants Outstanding"]),
    shown(MEMORY, "mssql.memory.grants.pending", "processes", &["Memory Grants Pending"])
        .meaning("that wait for memory before they may run: an alarm where it stays above 0"),
];

const MEMORY_DETAIL: [Line; 10] = [
    kilobytes(MEMORY, "mssql.memory.granted_workspace", &["Granted Workspace Memory (KB)"]).option(DETAIL),
    kilobytes(MEMORY, "mssql.memory.max_workspace", &["Maximum Workspace Memory (KB)"]).option(DETAIL),
    kilobytes(MEMORY, "mssql.memory.log_pool", &["Log Pool Memory (KB)"]).option(DETAIL),
    kilobytes(MEMORY, "mssql.memory.optimizer", &["Optimizer Memory (KB)"]).option(DETAIL),
    kilobytes(MEMORY, "mssql.memory.reserved", &["Reserved Server Memory (KB)"]).option(DETAIL),
    shown(MEMORY, "mssql.memory.lock_blocks", "blocks", &["Lock Blocks"]).option(DETAIL),
    shown(MEMORY, "mssql.memory.lock_blocks.allocated", "blocks", &["Lock Blocks Allocated"]).option(DETAIL),
    shown(MEMORY, "mssql.memory.lock_owner_blocks", "blocks", &["Lock Owner Blocks"]).option(DETAIL),
    shown(MEMORY, "mssql.memory.lock_owner_blocks.allocated", "blocks", &["Lock Owner Blocks Allocated"])
        .option(DETAIL),
    shown(MEMORY, "mssql.memory.external_benefit", "1", &["External benefit of memory"]).option(DETAIL),
];

const STATS_LINES: [Line; 9] = [
    total(STATS, "mssql.stats.batch_requests", "batches", &["Batch Requests/sec"]),
    total(STATS, "mssql.stats.compilations", "compilations", &["SQL Compilations/sec"]),
    total(STATS, "mssql.stats.recompilations", "compilations", &["SQL Re-Compilations/sec"]),
    total(STATS, "mssql.stats.auto_param.attempts", "attempts", &["Auto-Param Attempts/sec"]),
    total(STATS, "mssql.stats.auto_param.failed", "attempts", &["Failed Auto-Params/sec"]),
    total(STATS, "mssql.stats.auto_param.safe", "attempts", &["Safe Auto-Params/sec"]),
    total(STATS, "mssql.stats.auto_param.unsafe", "attempts", &["Unsafe Auto-Params/sec"]),
    total(STATS, "mssql.stats.forced_parameterizations", "statements", &["Forced Parameterizations/sec"]),
    total(STATS, "mssql.stats.attentions", "attentions", &["SQL Attention rate"])
        .meaning("requests that a client gave up: cancelled, or after its own time limit"),
];

const STATS_DETAIL: [Line; 2] = [
    total(STATS, "mssql.stats.guided_plans", "executions", &["Guided plan executions/sec"]).option(DETAIL),
    total(STATS, "mssql.stats.misguided_plans", "executions", &["Misguided plan executions/sec"]).option(DETAIL),
];

const GENERAL_LINES: [Line; 11] = [
    shown(GENERAL, "mssql.general.user_connections", "connections", &["User Connections"]),
    shown(GENERAL, "mssql.general.logical_connections", "connections", &["Logical Connections"]),
    shown(GENERAL, "mssql.general.processes_blocked", "processes", &["Processes blocked"]),
    shown(GENERAL, "mssql.general.transactions", "transactions", &["Transactions"]),
    shown(GENERAL, "mssql.general.temp_tables.active", "tables", &["Active Temp Tables"]),
    shown(GENERAL, "mssql.general.temp_tables.for_destruction", "tables", &["Temp Tables For Destruction"]),
    total(GENERAL, "mssql.general.temp_tables.created", "tables", &["Temp Tables Creation Rate"]),
    total(GENERAL, "mssql.general.logins", "logins", &["Logins/sec"]),
    total(GENERAL, "mssql.general.logouts", "logouts", &["Logouts/sec"]),
    total(GENERAL, "mssql.general.connection_resets", "logins", &["Connection Reset/sec"])
        .meaning("logins that took a connection out of a pool"),
    total(GENERAL, "mssql.general.mars_deadlocks", "deadlocks", &["Mars Deadlocks"]).quiet(),
];

const GENERAL_DETAIL: [Line; 10] = [
    shown(GENERAL, "mssql.general.event_notifications.delayed_drop", "events", &["Event Notifications Delayed Drop"])
        .option(DETAIL),
    shown(GENERAL, "mssql.general.trace.event_queue", "events", &["Trace Event Notification Queue"]).option(DETAIL),
    total(GENERAL, "mssql.general.trace.provider_lock_waits", "waits", &["SQL Trace IO Provider Lock Waits"])
        .option(DETAIL),
    total(GENERAL, "mssql.general.http_authenticated", "requests", &["HTTP Authenticated Requests"]).option(DETAIL),
    total(GENERAL, "mssql.general.soap.empty", "requests", &["SOAP Empty Requests"]).option(DETAIL),
    total(GENERAL, "mssql.general.soap.methods", "requests", &["SOAP Method Invocations"]).option(DETAIL),
    total(GENERAL, "mssql.general.soap.sessions_begun", "requests", &["SOAP Session Initiate Requests"]).option(DETAIL),
    total(GENERAL, "mssql.general.soap.sessions_ended", "requests", &["SOAP Session Terminate Requests"])
        .option(DETAIL),
    total(GENERAL, "mssql.general.soap.sql", "requests", &["SOAP SQL Requests"]).option(DETAIL),
    total(GENERAL, "mssql.general.soap.wsdl", "requests", &["SOAP WSDL Requests"]).option(DETAIL),
];

const ERROR_LINES: [Line; 1] = [total(ERRORS, "mssql.errors", "errors", &["Errors/sec"])
    .tagged(&["instance", "type"])
    .quiet()
    .meaning("by type: db_offline, info, kill_connection, user, and their total; from the first one on")];

fn error_type(row: &str) -> String {
    let name = small(row);
    name.strip_suffix("_errors").map_or(name.clone(), str::to_owned)
}

const PLAN_LINES: [Line; 4] = [
    shown(PLAN, "mssql.plan.hit_ratio", "%", &["Cache Hit Ratio"]),
    shown(PLAN, "mssql.plan.pages", "pages", &["Cache Pages"]),
    shown(PLAN, "mssql.plan.objects", "objects", &["Cache Object Counts"]),
    shown(PLAN, "mssql.plan.in_use", "objects", &["Cache Objects in use"]),
];

/// Names of their own: an alarm on the sum must not take in its parts.
const fn of_cache(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    shown(PLAN, name, unit, counters).tagged(&["instance", "cache"]).option(PLAN_CACHES)
}

const PLAN_CACHE_LINES: [Line; 4] = [
    of_cache("mssql.plan.cache.hit_ratio", "%", &["Cache Hit Ratio"]),
    of_cache("mssql.plan.cache.pages", "pages", &["Cache Pages"]),
    of_cache("mssql.plan.cache.objects", "objects", &["Cache Object Counts"]),
    of_cache("mssql.plan.cache.in_use", "objects", &["Cache Objects in use"]),
];

const USER_LINES: [Line; 1] = [shown(USER, "mssql.user_counter", "1", &["Query"])
    .tagged(&["instance", "n"])
    .option(USER_COUNTERS)
    .meaning("what sp_user_counter1 to 10 last set")];

/// Of `User counter 1`.
fn last_word(row: &str) -> String {
    row.rsplit(' ').next().unwrap_or(row).to_owned()
}

const JOB_LINES: [Line; 6] = [
    shown(JOBS, "mssql.agent.jobs.active", "jobs", &["Active jobs"]),
    shown(JOBS, "mssql.agent.jobs.queued", "jobs", &["Queued jobs"]),
    shown(JOBS, "mssql.agent.jobs.failed", "jobs", &["Failed jobs"]).meaning("since SQL Server Agent began"),
    shown(JOBS, "mssql.agent.jobs.successful", "jobs", &["Successful jobs"]).meaning("since SQL Server Agent began"),
    shown(JOBS, "mssql.agent.jobs.success_rate", "%", &["Job success rate"]),
    shown(JOBS, "mssql.agent.jobs.activated", "jobs", &["Jobs activated/minute"]),
];
