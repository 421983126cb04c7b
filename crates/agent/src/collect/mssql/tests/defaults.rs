//! Every metric that is on by default, with its value; and those of older agents.

use super::*;

/// Counters of an object in the order of the provider: type, metric, and what a number is multiplied with.
type Lines = &'static [(&'static str, u32, &'static str, f64)];

const KB: f64 = 1024.0;

/// Of one row each, with the tag of the instance alone.
const SINGLE: &[(&str, &str, Lines)] = &[
    (
        "SQLServer:Buffer Manager",
        "",
        &[
            ("Buffer cache hit ratio", FRACTION, "mssql.buffer.cache_hit_ratio", 1.0),
            ("Page lookups/sec", BULK, "mssql.buffer.page_lookups", 1.0),
            ("Free list stalls/sec", BULK, "mssql.buffer.free_list_stalls", 1.0),
            ("Database pages", LARGE, "mssql.buffer.database_pages", 1.0),
            ("Target pages", LARGE, "mssql.buffer.target_pages", 1.0),
            ("Lazy writes/sec", BULK, "mssql.buffer.lazy_writes", 1.0),
            ("Readahead pages/sec", BULK, "mssql.buffer.readahead_pages", 1.0),
            ("Page reads/sec", BULK, "mssql.buffer.page_reads", 1.0),
            ("Page writes/sec", BULK, "mssql.buffer.page_writes", 1.0),
            ("Checkpoint pages/sec", BULK, "mssql.buffer.checkpoint_pages", 1.0),
            ("Background writer pages/sec", BULK, "mssql.buffer.background_writer_pages", 1.0),
            ("Page life expectancy", LARGE, "mssql.buffer.page_life_expectancy", 1.0),
        ],
    ),
    (
        "SQLServer:Memory Manager",
        "",
        &[
            ("Connection Memory (KB)", LARGE, "mssql.memory.connection", KB),
            ("Database Cache Memory (KB)", LARGE, "mssql.memory.database_cache", KB),
            ("Free Memory (KB)", LARGE, "mssql.memory.free", KB),
            ("Lock Memory (KB)", LARGE, "mssql.memory.lock", KB),
            ("Memory Grants Outstanding", LARGE, "mssql.memory.grants.outstanding", 1.0),
            ("Memory Grants Pending", LARGE, "mssql.memory.grants.pending", 1.0),
            ("SQL Cache Memory (KB)", LARGE, "mssql.memory.sql_cache", KB),
            ("Stolen Server Memory (KB)", LARGE, "mssql.memory.stolen", KB),
            ("Target Server Memory (KB)", LARGE, "mssql.memory.target", KB),
            ("Total Server Memory (KB)", LARGE, "mssql.memory.total", KB),
        ],
    ),
    (
        "SQLServer:SQL Statistics",
        "",
        &[
            ("Batch Requests/sec", BULK, "mssql.stats.batch_requests", 1.0),
            ("Forced Parameterizations/sec", BULK, "mssql.stats.forced_parameterizations", 1.0),
            ("Auto-Param Attempts/sec", BULK, "mssql.stats.auto_param.attempts", 1.0),
            ("Failed Auto-Params/sec", BULK, "mssql.stats.auto_param.failed", 1.0),
            ("Safe Auto-Params/sec", BULK, "mssql.stats.auto_param.safe", 1.0),
            ("Unsafe Auto-Params/sec", BULK, "mssql.stats.auto_param.unsafe", 1.0),
            ("SQL Compilations/sec", BULK, "mssql.stats.compilations", 1.0),
            ("SQL Re-Compilations/sec", BULK, "mssql.stats.recompilations", 1.0),
            ("SQL Attention rate", BULK, "mssql.stats.attentions", 1.0),
        ],
    ),
    (
        "SQLServer:General Statistics",
        "",
        &[
            ("Active Temp Tables", LARGE, "mssql.general.temp_tables.active", 1.0),
            ("Temp Tables Creation Rate", BULK, "mssql.general.temp_tables.created", 1.0),
            ("Temp Tables For Destruction", LARGE, "mssql.general.temp_tables.for_destruction", 1.0),
            ("Logins/sec", BULK, "mssql.general.logins", 1.0),
            ("Connection Reset/sec", BULK, "mssql.general.connection_resets", 1.0),
            ("Logouts/sec", BULK, "mssql.general.logouts", 1.0),
            ("User Connections", LARGE, "mssql.general.user_connections", 1.0),
            ("Logical Connections", LARGE, "mssql.general.logical_connections", 1.0),
            ("Transactions", LARGE, "mssql.general.transactions", 1.0),
            ("Mars Deadlocks", BULK, "mssql.general.mars_deadlocks", 1.0),
            ("Processes blocked", LARGE, "mssql.general.processes_blocked", 1.0),
        ],
    ),
    (
        "SQLServer:Access Methods",
        "",
        &[
            ("Full Scans/sec", BULK, "mssql.access.full_scans", 1.0),
            ("Range Scans/sec", BULK, "mssql.access.range_scans", 1.0),
            ("Probe Scans/sec", BULK, "mssql.access.probe_scans", 1.0),
            ("Index Searches/sec", BULK, "mssql.access.index_searches", 1.0),
            ("Forwarded Records/sec", BULK, "mssql.access.forwarded_records", 1.0),
            ("Page Splits/sec", BULK, "mssql.access.page_splits", 1.0),
            ("Pages Allocated/sec", BULK, "mssql.access.pages_allocated", 1.0),
            ("Page Deallocations/sec", BULK, "mssql.access.page_deallocations", 1.0),
            ("Table Lock Escalations/sec", BULK, "mssql.access.lock_escalations", 1.0),
            ("Workfiles Created/sec", BULK, "mssql.access.workfiles_created", 1.0),
            ("Worktables Created/sec", BULK, "mssql.access.worktables_created", 1.0),
            ("Worktables From Cache Ratio", FRACTION, "mssql.access.worktables_from_cache_ratio", 1.0),
        ],
    ),
    (
        "SQLServer:Locks",
        "_Total",
        &[
            ("Lock Requests/sec", BULK, "mssql.locks.requests", 1.0),
            ("Lock Timeouts/sec", BULK, "mssql.locks.timeouts", 1.0),
            ("Number of Deadlocks/sec", BULK, "mssql.locks.deadlocks", 1.0),
            ("Lock Waits/sec", BULK, "mssql.locks.waits", 1.0),
            ("Lock Wait Time (ms)", BULK, "mssql.locks.wait_time", 1.0),
            ("Average Wait Time (ms)", AVERAGE, "mssql.locks.wait_time.avg", 1.0),
            ("Lock Timeouts (timeout > 0)/sec", BULK, "mssql.locks.timeouts.nonzero", 1.0),
        ],
    ),
    (
        "SQLServer:Latches",
        "",
        &[
            ("Latch Waits/sec", BULK, "mssql.latches.waits", 1.0),
            ("Total Latch Wait Time (ms)", BULK, "mssql.latches.wait_time", 1.0),
            ("Average Latch Wait Time (ms)", AVERAGE, "mssql.latches.wait_time.avg", 1.0),
        ],
    ),
    (
        "SQLServer:Transactions",
        "",
        &[
            ("Transactions", LARGE, "mssql.tran.active", 1.0),
            ("Longest Transaction Running Time", LARGE, "mssql.tran.longest_running", 1.0),
            ("Free Space in tempdb (KB)", LARGE, "mssql.tran.tempdb_free", KB),
            ("Version Store Size (KB)", LARGE, "mssql.tran.version_store.size", KB),
        ],
    ),
    (
        "SQLServer:Plan Cache",
        "_Total",
        &[
            ("Cache Hit Ratio", FRACTION, "mssql.plan.hit_ratio", 1.0),
            ("Cache Pages", LARGE, "mssql.plan.pages", 1.0),
            ("Cache Object Counts", LARGE, "mssql.plan.objects", 1.0),
            ("Cache Objects in use", LARGE, "mssql.plan.in_use", 1.0),
        ],
    ),
    (
        "SQLAgent:Jobs",
        "_Total",
        &[
            ("Active jobs", LARGE, "mssql.agent.jobs.active", 1.0),
            ("Queued jobs", LARGE, "mssql.agent.jobs.queued", 1.0),
            ("Failed jobs", LARGE, "mssql.agent.jobs.failed", 1.0),
            ("Successful jobs", LARGE, "mssql.agent.jobs.successful", 1.0),
            ("Job success rate", LARGE, "mssql.agent.jobs.success_rate", 1.0),
            ("Jobs activated/minute", LARGE, "mssql.agent.jobs.activated", 1.0),
        ],
    ),
];

/// Of one row each, with one more tag.
const TAGGED: &[(&str, &str, &str, Lines)] = &[
    (
        "SQLServer:Databases",
        "my,db",
        "db=my_db",
        &[
            ("Data File(s) Size (KB)", LARGE, "mssql.db.data_size", KB),
            ("Log File(s) Size (KB)", LARGE, "mssql.db.log_size", KB),
            ("Log File(s) Used Size (KB)", LARGE, "mssql.db.log_used", KB),
            ("Percent Log Used", LARGE, "mssql.db.log_used.percent", 1.0),
            ("Active Transactions", LARGE, "mssql.db.active_transactions", 1.0),
            ("Transactions/sec", BULK, "mssql.db.transactions", 1.0),
            ("Backup/Restore Throughput/sec", BULK, "mssql.db.backup_throughput", 1.0),
            ("Log Flushes/sec", BULK, "mssql.db.log_flushes", 1.0),
            ("Log Bytes Flushed/sec", BULK, "mssql.db.log_flush_bytes", 1.0),
            ("Log Flush Waits/sec", BULK, "mssql.db.log_flush_waits", 1.0),
            ("Log Flush Wait Time", LARGE, "mssql.db.log_flush_wait_time", 1.0),
            ("Log Growths", LARGE, "mssql.db.log_growths", 1.0),
            ("Log Shrinks", LARGE, "mssql.db.log_shrinks", 1.0),
            ("Write Transactions/sec", BULK, "mssql.db.write_transactions", 1.0),
        ],
    ),
    (
        "SQLServer:SQL Errors",
        "Kill Connection Errors",
        "type=kill_connection",
        &[("Errors/sec", BULK, "mssql.errors", 1.0)],
    ),
    (
        "SQLServer:Availability Replica",
        "AG:HOST2",
        "replica=AG:HOST2",
        &[
            ("Bytes Sent to Replica/sec", BULK, "mssql.ag.bytes_sent", 1.0),
            ("Sends to Replica/sec", BULK, "mssql.ag.sends", 1.0),
            ("Bytes Sent to Transport/sec", BULK, "mssql.ag.bytes_sent_transport", 1.0),
            ("Sends to Transport/sec", BULK, "mssql.ag.sends_transport", 1.0),
            ("Bytes Received from Replica/sec", BULK, "mssql.ag.bytes_received", 1.0),
            ("Receives from Replica/sec", BULK, "mssql.ag.receives", 1.0),
            ("Flow Control/sec", BULK, "mssql.ag.flow_controls", 1.0),
            ("Flow Control Time (ms/sec)", BULK, "mssql.ag.flow_control_time", 1.0),
            ("Resent Messages/sec", BULK, "mssql.ag.resent", 1.0),
        ],
    ),
    (
        "SQLServer:Database Replica",
        "orders",
        "db=orders",
        &[
            ("Mirrored Write Transactions/sec", BULK, "mssql.agdb.mirrored_transactions", 1.0),
            ("Log Send Queue", LARGE, "mssql.agdb.log_send_queue", KB),
            ("Transaction Delay", BULK, "mssql.agdb.transaction_delay", 1.0),
            ("Redo blocked/sec", BULK, "mssql.agdb.redo_blocked", 1.0),
            ("Redone Bytes/sec", BULK, "mssql.agdb.redone_bytes", 1.0),
            ("Redones/sec", BULK, "mssql.agdb.redones", 1.0),
            ("Total Log requiring undo", LARGE, "mssql.agdb.undo_total", KB),
            ("Log remaining for undo", LARGE, "mssql.agdb.undo_remaining", KB),
            ("Redo Bytes Remaining", LARGE, "mssql.agdb.redo_remaining", KB),
            ("Log Bytes Received/sec", BULK, "mssql.agdb.log_bytes_received", 1.0),
            ("File Bytes Received/sec", BULK, "mssql.agdb.file_bytes_received", 1.0),
            ("Log Apply Pending Queue", LARGE, "mssql.agdb.apply_pending", 1.0),
            ("Log Apply Ready Queue", LARGE, "mssql.agdb.apply_ready", 1.0),
            ("Recovery Queue", LARGE, "mssql.agdb.recovery_queue", KB),
            ("Group Commits/Sec", BULK, "mssql.agdb.group_commits", 1.0),
            ("Group Commit Time", BULK, "mssql.agdb.group_commit_time", 1.0),
            ("Database Flow Controls/sec", BULK, "mssql.agdb.flow_controls", 1.0),
            ("Database Flow Control Delay", BULK, "mssql.agdb.flow_control_delay", 1.0),
        ],
    ),
];

/// The second of two readings a minute apart: numbers from 1,000 on, each 60 more than before; a fraction's base is twice
/// its value, an average's has grown by 20.
fn reading(second: u64, row: &str, lines: Lines) -> Table {
    let columns: Vec<(&str, u32)> = lines.iter().map(|(counter, kind, ..)| (*counter, *kind)).collect();
    let value = |(n, (_, kind, ..)): (u64, &(&str, u32, &str, f64))| {
        let value = 1000 + n + second;
        (value, if *kind == FRACTION { 2 * value } else { 5 + second / 3 })
    };
    let values: Vec<(u64, u64)> = (0..).zip(lines).map(value).collect();
    based(second, &columns, &[(row, &values)])
}

fn expected(lines: Lines, tags: &str) -> Vec<(String, f64)> {
    let value = |(n, (_, kind, metric, factor)): (u32, &(&str, u32, &str, f64))| {
        let value = match *kind {
            FRACTION => 50.0,
            AVERAGE => 3.0,
            _ => f64::from(1060 + n) * factor,
        };
        (format!("{metric}{{{tags}}}"), value)
    };
    (0..).zip(lines).map(value).collect()
}

#[test]
fn every_default_metric_is_said_with_its_value() {
    let mut rig = Rig::typical(r#"{"collector": {"names": ["extended"]}}"#);
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    let mut last = None;
    for second in [0, 60] {
        for (object, row, lines) in SINGLE {
            rig.fake.set(object, Ok(reading(second, row, lines)));
            wanted.extend(expected(lines, "instance=MSSQLSERVER"));
        }
        for (object, row, tag, lines) in TAGGED {
            rig.fake.set(object, Ok(reading(second, row, lines)));
            wanted.extend(expected(lines, &format!("instance=MSSQLSERVER,{tag}")));
        }
        let pools = table(second, &[("Used memory (KB)", LARGE)], &[("default", &[1]), ("internal", &[2])]);
        rig.fake.set("SQLServer:Resource Pool Stats", Ok(pools));
        rig.fake.set("SQLServer:Wait Statistics", Ok(super::selection::waits()));
        rig.facts(|facts| facts.processes = vec![process(10, second / 2)]);
        last = Some(rig.cycle());
    }
    let last = last.unwrap();
    assert!(last.problems.is_empty() && last.remarks.is_empty(), "{:?} {:?}", last.problems, last.remarks);
    let derived = [
        ("mssql.up{instance=MSSQLSERVER}", 1.0),
        ("mssql.up{instance=Prod}", 0.0),
        ("mssql.perf.available{instance=MSSQLSERVER}", 1.0),
        ("mssql.uptime{instance=MSSQLSERVER}", 3600.0),
        ("mssql.process.cpu.percent{instance=MSSQLSERVER}", 50.0),
        ("mssql.process.mem.private{instance=MSSQLSERVER}", 4096.0),
        ("mssql.process.mem.ws{instance=MSSQLSERVER}", 2048.0),
        ("mssql.process.handles{instance=MSSQLSERVER}", 500.0),
    ];
    wanted.extend(derived.map(|(name, value)| (name.to_owned(), value)));
    let mut got = said(&last);
    let waits: Vec<String> = got.keys().filter(|name| name.starts_with("mssql.wait.")).cloned().collect();
    assert_eq!(waits.len(), 3 * 12, "tested beside");
    got.retain(|name, _| !waits.contains(name));
    assert_eq!(got, wanted);
    // And these are all that are declared to be on, but for those of pools that somebody made.
    let short = |name: &String| name.split('{').next().unwrap().to_owned();
    let names: BTreeSet<String> = got.keys().chain(&waits).map(short).collect();
    let is_default =
        |metric: &&Metric| metric.option.is_empty() && metric.sets == Sets::EXTENDED && !metric.name.contains(".pool.");
    let declared: BTreeSet<String> = METRICS.iter().filter(is_default).map(|metric| metric.name.to_owned()).collect();
    assert_eq!(names, declared);
}

/// The names of what the Python agent said, with values of two readings a minute apart.
const PYTHON: [(&str, f64); 17] = [
    ("sqlserver.sqlserver.sql_statistics.batch_rps", 1.0),
    ("sqlserver.sqlserver.sql_statistics.sql_compilations_per_sec", 0.5),
    ("sqlserver.sqlserver.sql_statistics.sql_re_complilations_per_sec", 0.05),
    ("sqlserver.sqlserver.buffer_manager.buffer_cache_hit_ratio", 99.75),
    ("sqlserver.sql_server.buffer_manager.database_pages", 700.0),
    ("sqlserver.sqlserver.buffer_manager.lazy_writes_per_sec", 0.1),
    ("sqlserver.sqlserver.buffer_manager.page_life_expectancy", 3000.0),
    ("sqlserver.sqlserver.databases.total.data_file_size", 4096.0),
    ("sqlserver.sqlserver.databases.total.log_file_size", 512.0),
    ("sqlserver.sqlserver.databases.total.transactions_per_sec", 2.5),
    ("sqlserver.sqlserver.access_methods.full_sacans_per_sec", 0.75),
    ("sqlserver.sqlserver.locks.lock_waits_per_sec", 0.2),
    ("sqlserver.sqlserver.locks.total.number_of_deadlocks_per_sec", 1.0 / 60.0),
    ("sqlserver.sqlagent.jobs.total.failed_jobs", 3.0),
    ("sqlserver.sqlserver.general_statistics.user_connections", 17.0),
    ("sqlserver.sqlserver.memory_manager.target_server_memory", 8192.0),
    ("sqlserver.sqlserver.memory_manager.total_server_memory", 6144.0),
];

/// Tables of an older agent's counters, before the prefix.
fn legacy_tables(fake: &Fake, prefix: &str, jobs: &str, second: u64) {
    let grown = |by: u64| 100 + by * second / 60;
    let set = |object: &str, table: Table| fake.set(&format!("{prefix}{object}"), Ok(table));
    let stats = [("Batch Requests/sec", BULK), ("SQL Compilations/sec", BULK), ("SQL Re-Compilations/sec", BULK)];
    set("SQL Statistics", table(second, &stats, &[("", &[grown(60), grown(30), grown(3)])]));
    let buffer = [
        ("Buffer cache hit ratio", FRACTION),
        ("Database pages", LARGE),
        ("Lazy writes/sec", BULK),
        ("Page life expectancy", LARGE),
    ];
    set("Buffer Manager", based(second, &buffer, &[("", &[(399, 400), (700, 0), (grown(6), 0), (3000, 0)])]));
    let databases = [
        ("Data File(s) Size (KB)", LARGE),
        ("Log File(s) Size (KB)", LARGE),
        ("Transactions/sec", BULK),
        ("Log File(s) Used Size (KB)", LARGE),
        ("Percent Log Used", LARGE),
    ];
    let rows: [(&str, &[u64]); 3] =
        [("_Total", &[4096, 512, grown(150), 256, 50]), ("a", &[1, 2, 3, 4, 5]), ("b", &[6, 7, 8, 9, 10])];
    set("Databases", table(second, &databases, &rows));
    set("Access Methods", table(second, &[("Full Scans/sec", BULK)], &[("", &[grown(45)])]));
    let locks = [("Lock Waits/sec", BULK), ("Number of Deadlocks/sec", BULK), ("Average Wait Time (ms)", AVERAGE)];
    let totals: &[(u64, u64)] = &[(grown(12), 0), (grown(1), 0), (900, 3)];
    set("Locks", based(second, &locks, &[("Key", &[(1, 0), (1, 0), (1, 1)]), ("_Total", totals)]));
    fake.set(jobs, Ok(table(second, &[("Failed jobs", LARGE)], &[("Alerts", &[1]), ("_Total", &[3])])));
    set("General Statistics", table(second, &[("User Connections", LARGE)], &[("", &[17])]));
    let memory = [("Target Server Memory (KB)", LARGE), ("Total Server Memory (KB)", LARGE)];
    set("Memory Manager", table(second, &memory, &[("", &[8192, 6144])]));
    set("SQL Errors", table(second, &[("Errors/sec", BULK)], &[("_Total", &[9]), ("User Errors", &[8])]));
}

// Small rates were cut to 0 by the Python agent, which took them from a tenth of a second.
#[test]
fn the_python_agents_names_have_fractions_and_no_tags() {
    let mut rig = Rig::typical(r#"{"collector": {"names": ["windows-agent"]}}"#);
    legacy_tables(&rig.fake, "SQLServer:", "SQLAgent:Jobs", 0);
    rig.cycle();
    legacy_tables(&rig.fake, "SQLServer:", "SQLAgent:Jobs", 60);
    let said = said(&rig.cycle());
    let wanted: BTreeMap<String, f64> = PYTHON.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(said, wanted);
    // Nothing is asked for that is not said.
    let asked = rig.fake.asked();
    let locks = asked.last().unwrap().1.iter().find(|query| query.object == "SQLServer:Locks").unwrap();
    assert_eq!(locks.counters, ["Lock Waits/sec", "Number of Deadlocks/sec"]);
}

#[test]
fn total_pages_are_said_where_a_version_counts_them() {
    let mut rig = Rig::typical(r#"{"collector": {"names": ["windows-agent"]}}"#);
    rig.fake.set("SQLServer:Buffer Manager", Ok(table(0, &[("Total pages", LARGE)], &[("", &[800])])));
    assert_eq!(said(&rig.cycle()).get("sqlserver.sqlserver.buffer_manager.total_pages"), Some(&800.0));
}

#[test]
fn names_without_the_tag_instance_are_of_the_default_instance_alone() {
    let services = vec![("MSSQL$Prod", 4, 10), ("SQLAgent$Prod", 4, 11)];
    let facts = Facts { registered: vec!["Prod"], services, processes: vec![process(10, 1)], ..Facts::default() };
    let mut rig = Rig::new(r#"{"collector": {"names": ["windows-agent", "freedomkk"]}}"#, facts);
    legacy_tables(&rig.fake, "MSSQL$Prod:", "SQLAgent$Prod:Jobs", 0);
    assert_eq!(said(&rig.cycle()), BTreeMap::new());
    rig.fake.asked();
    rig.cycle();
    assert_eq!(rig.fake.asked(), [], "nothing of it is wanted");
}

#[test]
fn freedomkks_names_have_totals_as_they_stand() {
    let mut rig =
        Rig::typical(r#"{"collector": {"names": ["freedomkk"]}, "mssql": {"enabled": true, "instance": ["A"]}}"#);
    rig.facts(|facts| facts.processes = vec![process(10, 1)]);
    legacy_tables(&rig.fake, "SQLServer:", "SQLAgent:Jobs", 60);
    let wanted = [
        ("MsSQL.Lock_Waits/sec{instance=_Total}", 112.0),
        ("MsSQL.Average_Wait_Time_(ms){instance=_Total}", 900.0),
        ("MsSQL.Log_File(s)_Size_(KB){instance=_Total}", 512.0),
        ("MsSQL.Log_File(s)_Size_(KB){instance=a}", 2.0),
        ("MsSQL.Log_File(s)_Used_Size_(KB){instance=_Total}", 256.0),
        ("MsSQL.Log_File(s)_Used_Size_(KB){instance=a}", 4.0),
        ("MsSQL.Percent_Log_Used{instance=_Total}", 50.0),
        ("MsSQL.Percent_Log_Used{instance=a}", 5.0),
        ("MsSQL.Errors/sec{error_type=_Total}", 9.0),
        ("MsSQL.Errors/sec{error_type=User Errors}", 8.0),
        ("MsSQL.Target_Server_Memory_(KB)", 8192.0),
        ("MsSQL.Total_Server_Memory_(KB)", 6144.0),
        ("MsSQL.Batch_Requests/sec", 160.0),
        ("MsSQL.Connection", 17.0),
        ("MsSQL.Uptime", 3600.0),
    ];
    let wanted: BTreeMap<String, f64> = wanted.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(said(&rig.cycle()), wanted);
}
