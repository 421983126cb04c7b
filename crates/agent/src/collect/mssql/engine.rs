//! `mssql.buffer.*`, `.memory.*`, `.stats.*`, `.general.*`, `.errors`, `.plan.*`, `.agent.jobs.*`, `.user_counter`: the engine as a whole.

use super::table::{DETAIL, From, Label, Object, PLAN_CACHES, Rows, USER_COUNTERS, kilobytes, of, shown, small, total};
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
    shown("mssql.buffer.cache_hit_ratio", "%", of!("Buffer Manager", "Buffer cache hit ratio"))
        .meaning("lookups of pages that needed no reading, of the most recent ones"),
    shown("mssql.buffer.page_life_expectancy", "s", of!("Buffer Manager", "Page life expectancy")),
    total("mssql.buffer.page_lookups", "pages", of!("Buffer Manager", "Page lookups/sec")),
    total("mssql.buffer.page_reads", "pages", of!("Buffer Manager", "Page reads/sec")),
    total("mssql.buffer.page_writes", "pages", of!("Buffer Manager", "Page writes/sec")),
    total("mssql.buffer.readahead_pages", "pages", of!("Buffer Manager", "Readahead pages/sec")),
    total("mssql.buffer.lazy_writes", "pages", of!("Buffer Manager", "Lazy writes/sec")),
    total("mssql.buffer.checkpoint_pages", "pages", of!("Buffer Manager", "Checkpoint pages/sec")),
    total("mssql.buffer.background_writer_pages", "pages", of!("Buffer Manager", "Background writer pages/sec")),
    total("mssql.buffer.free_list_stalls", "stalls", of!("Buffer Manager", "Free list stalls/sec")),
    shown("mssql.buffer.database_pages", "pages", of!("Buffer Manager", "Database pages")),
    shown("mssql.buffer.target_pages", "pages", of!("Buffer Manager", "Target pages")),
];

const BUFFER_DETAIL: [Line; 9] = [
    total("mssql.buffer.extension.page_reads", "pages", of!("Buffer Manager", "Extension page reads/sec"))
        .option(DETAIL),
    total("mssql.buffer.extension.page_writes", "pages", of!("Buffer Manager", "Extension page writes/sec"))
        .option(DETAIL),
    total("mssql.buffer.extension.page_evictions", "pages", of!("Buffer Manager", "Extension page evictions/sec"))
        .option(DETAIL),
    shown("mssql.buffer.extension.allocated_pages", "pages", of!("Buffer Manager", "Extension allocated pages"))
        .option(DETAIL),
    shown("mssql.buffer.extension.free_pages", "pages", of!("Buffer Manager", "Extension free pages")).option(DETAIL),
    shown("mssql.buffer.extension.in_use.percent", "%", of!("Buffer Manager", "Extension in use as percentage"))
        .option(DETAIL),
    shown(
        "mssql.buffer.extension.outstanding_io",
        "operations",
        of!("Buffer Manager", "Extension outstanding IO counter"),
    )
    .option(DETAIL),
    shown("mssql.buffer.extension.unreferenced_time", "s", of!("Buffer Manager", "Extension page unreferenced time"))
        .option(DETAIL),
    shown("mssql.buffer.integral_controller_slope", "1", of!("Buffer Manager", "Integral Controller Slope"))
        .option(DETAIL),
];

const NODE_LINES: [Line; 1] =
    [shown("mssql.buffer_node.page_life_expectancy", "s", of!("Buffer Node", "Page life expectancy"))
        .tagged(&["instance", "node"])
        .option(DETAIL)];

const MEMORY_LINES: [Line; 10] = [
    kilobytes("mssql.memory.total", of!("Memory Manager", "Total Server Memory (KB)")),
    kilobytes("mssql.memory.target", of!("Memory Manager", "Target Server Memory (KB)")),
    kilobytes("mssql.memory.stolen", of!("Memory Manager", "Stolen Server Memory (KB)")),
    kilobytes("mssql.memory.database_cache", of!("Memory Manager", "Database Cache Memory (KB)")),
    kilobytes("mssql.memory.free", of!("Memory Manager", "Free Memory (KB)")),
    kilobytes("mssql.memory.lock", of!("Memory Manager", "Lock Memory (KB)")),
    kilobytes("mssql.memory.connection", of!("Memory Manager", "Connection Memory (KB)")),
    kilobytes("mssql.memory.sql_cache", of!("Memory Manager", "SQL Cache Memory (KB)")),
    shown("mssql.memory.grants.outstanding", "processes", of!("Memory Manager", "Memory Grants Outstanding")),
    shown("mssql.memory.grants.pending", "processes", of!("Memory Manager", "Memory Grants Pending"))
        .meaning("that wait for memory before they may run: an alarm where it stays above 0"),
];

const MEMORY_DETAIL: [Line; 10] = [
    kilobytes("mssql.memory.granted_workspace", of!("Memory Manager", "Granted Workspace Memory (KB)")).option(DETAIL),
    kilobytes("mssql.memory.max_workspace", of!("Memory Manager", "Maximum Workspace Memory (KB)")).option(DETAIL),
    kilobytes("mssql.memory.log_pool", of!("Memory Manager", "Log Pool Memory (KB)")).option(DETAIL),
    kilobytes("mssql.memory.optimizer", of!("Memory Manager", "Optimizer Memory (KB)")).option(DETAIL),
    kilobytes("mssql.memory.reserved", of!("Memory Manager", "Reserved Server Memory (KB)")).option(DETAIL),
    shown("mssql.memory.lock_blocks", "blocks", of!("Memory Manager", "Lock Blocks")).option(DETAIL),
    shown("mssql.memory.lock_blocks.allocated", "blocks", of!("Memory Manager", "Lock Blocks Allocated"))
        .option(DETAIL),
    shown("mssql.memory.lock_owner_blocks", "blocks", of!("Memory Manager", "Lock Owner Blocks")).option(DETAIL),
    shown("mssql.memory.lock_owner_blocks.allocated", "blocks", of!("Memory Manager", "Lock Owner Blocks Allocated"))
        .option(DETAIL),
    shown("mssql.memory.external_benefit", "1", of!("Memory Manager", "External benefit of memory")).option(DETAIL),
];

const STATS_LINES: [Line; 9] = [
    total("mssql.stats.batch_requests", "batches", of!("SQL Statistics", "Batch Requests/sec")),
    total("mssql.stats.compilations", "compilations", of!("SQL Statistics", "SQL Compilations/sec")),
    total("mssql.stats.recompilations", "compilations", of!("SQL Statistics", "SQL Re-Compilations/sec")),
    total("mssql.stats.auto_param.attempts", "attempts", of!("SQL Statistics", "Auto-Param Attempts/sec")),
    total("mssql.stats.auto_param.failed", "attempts", of!("SQL Statistics", "Failed Auto-Params/sec")),
    total("mssql.stats.auto_param.safe", "attempts", of!("SQL Statistics", "Safe Auto-Params/sec")),
    total("mssql.stats.auto_param.unsafe", "attempts", of!("SQL Statistics", "Unsafe Auto-Params/sec")),
    total("mssql.stats.forced_parameterizations", "statements", of!("SQL Statistics", "Forced Parameterizations/sec")),
    total("mssql.stats.attentions", "attentions", of!("SQL Statistics", "SQL Attention rate"))
        .meaning("requests that a client gave up: cancelled, or after its own time limit"),
];

const STATS_DETAIL: [Line; 2] = [
    total("mssql.stats.guided_plans", "executions", of!("SQL Statistics", "Guided plan executions/sec")).option(DETAIL),
    total("mssql.stats.misguided_plans", "executions", of!("SQL Statistics", "Misguided plan executions/sec"))
        .option(DETAIL),
];

const GENERAL_LINES: [Line; 11] = [
    shown("mssql.general.user_connections", "connections", of!("General Statistics", "User Connections")),
    shown("mssql.general.logical_connections", "connections", of!("General Statistics", "Logical Connections")),
    shown("mssql.general.processes_blocked", "processes", of!("General Statistics", "Processes blocked")),
    shown("mssql.general.transactions", "transactions", of!("General Statistics", "Transactions")),
    shown("mssql.general.temp_tables.active", "tables", of!("General Statistics", "Active Temp Tables")),
    shown(
        "mssql.general.temp_tables.for_destruction",
        "tables",
        of!("General Statistics", "Temp Tables For Destruction"),
    ),
    total("mssql.general.temp_tables.created", "tables", of!("General Statistics", "Temp Tables Creation Rate")),
    total("mssql.general.logins", "logins", of!("General Statistics", "Logins/sec")),
    total("mssql.general.logouts", "logouts", of!("General Statistics", "Logouts/sec")),
    total("mssql.general.connection_resets", "logins", of!("General Statistics", "Connection Reset/sec"))
        .meaning("logins that took a connection out of a pool"),
    total("mssql.general.mars_deadlocks", "deadlocks", of!("General Statistics", "Mars Deadlocks")).quiet(),
];

const GENERAL_DETAIL: [Line; 10] = [
    shown(
        "mssql.general.event_notifications.delayed_drop",
        "events",
        of!("General Statistics", "Event Notifications Delayed Drop"),
    )
    .option(DETAIL),
    shown("mssql.general.trace.event_queue", "events", of!("General Statistics", "Trace Event Notification Queue"))
        .option(DETAIL),
    total(
        "mssql.general.trace.provider_lock_waits",
        "waits",
        of!("General Statistics", "SQL Trace IO Provider Lock Waits"),
    )
    .option(DETAIL),
    total("mssql.general.http_authenticated", "requests", of!("General Statistics", "HTTP Authenticated Requests"))
        .option(DETAIL),
    total("mssql.general.soap.empty", "requests", of!("General Statistics", "SOAP Empty Requests")).option(DETAIL),
    total("mssql.general.soap.methods", "requests", of!("General Statistics", "SOAP Method Invocations"))
        .option(DETAIL),
    total("mssql.general.soap.sessions_begun", "requests", of!("General Statistics", "SOAP Session Initiate Requests"))
        .option(DETAIL),
    total(
        "mssql.general.soap.sessions_ended",
        "requests",
        of!("General Statistics", "SOAP Session Terminate Requests"),
    )
    .option(DETAIL),
    total("mssql.general.soap.sql", "requests", of!("General Statistics", "SOAP SQL Requests")).option(DETAIL),
    total("mssql.general.soap.wsdl", "requests", of!("General Statistics", "SOAP WSDL Requests")).option(DETAIL),
];

const ERROR_LINES: [Line; 1] = [total("mssql.errors", "errors", of!("SQL Errors", "Errors/sec"))
    .tagged(&["instance", "type"])
    .quiet()
    .meaning("by type: db_offline, info, kill_connection, user, and their total; from the first one on")];

fn error_type(row: &str) -> String {
    let name = small(row);
    name.strip_suffix("_errors").map_or(name.clone(), str::to_owned)
}

const PLAN_LINES: [Line; 4] = [
    shown("mssql.plan.hit_ratio", "%", of!("Plan Cache", "Cache Hit Ratio")),
    shown("mssql.plan.pages", "pages", of!("Plan Cache", "Cache Pages")),
    shown("mssql.plan.objects", "objects", of!("Plan Cache", "Cache Object Counts")),
    shown("mssql.plan.in_use", "objects", of!("Plan Cache", "Cache Objects in use")),
];

/// Names of their own: an alarm on the sum must not take in its parts.
const fn of_cache(name: &'static str, unit: &'static str, from: From) -> Line {
    shown(name, unit, from).tagged(&["instance", "cache"]).option(PLAN_CACHES)
}

const PLAN_CACHE_LINES: [Line; 4] = [
    of_cache("mssql.plan.cache.hit_ratio", "%", of!("Plan Cache", "Cache Hit Ratio")),
    of_cache("mssql.plan.cache.pages", "pages", of!("Plan Cache", "Cache Pages")),
    of_cache("mssql.plan.cache.objects", "objects", of!("Plan Cache", "Cache Object Counts")),
    of_cache("mssql.plan.cache.in_use", "objects", of!("Plan Cache", "Cache Objects in use")),
];

const USER_LINES: [Line; 1] = [shown("mssql.user_counter", "1", of!("User Settable", "Query"))
    .tagged(&["instance", "n"])
    .option(USER_COUNTERS)
    .meaning("what sp_user_counter1 to 10 last set")];

/// Of `User counter 1`.
fn last_word(row: &str) -> String {
    row.rsplit(' ').next().unwrap_or(row).to_owned()
}

const JOB_LINES: [Line; 6] = [
    shown("mssql.agent.jobs.active", "jobs", of!("Jobs", "Active jobs")),
    shown("mssql.agent.jobs.queued", "jobs", of!("Jobs", "Queued jobs")),
    shown("mssql.agent.jobs.failed", "jobs", of!("Jobs", "Failed jobs")).meaning("since SQL Server Agent began"),
    shown("mssql.agent.jobs.successful", "jobs", of!("Jobs", "Successful jobs"))
        .meaning("since SQL Server Agent began"),
    shown("mssql.agent.jobs.success_rate", "%", of!("Jobs", "Job success rate")),
    shown("mssql.agent.jobs.activated", "jobs", of!("Jobs", "Jobs activated/minute")),
];
