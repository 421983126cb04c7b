//! Which rows are told of, and under which tags.

use super::*;
use crate::perf::client::Refused;

const COUNTERS: [&str; 12] = [
    "Lock waits",
    "Memory grant queue waits",
    "Thread-safe memory objects waits",
    "Log write waits",
    "Log buffer waits",
    "Network IO waits",
    "Page IO latch waits",
    "Page latch waits",
    "Non-Page latch waits",
    "Wait for the worker",
    "Workspace synchronization waits",
    "Transaction ownership waits",
];

pub(super) fn waits() -> Table {
    let columns = COUNTERS.map(|counter| (counter, LARGE));
    let of = |from: u64| (from..from + 12).collect::<Vec<u64>>();
    let rows = [
        ("Average wait time (ms)", of(100)),
        ("Waits in progress", of(200)),
        ("Waits started per second", of(300)),
        ("Cumulative wait time (ms) per second", of(400)),
    ];
    let rows: Vec<(&str, &[u64])> = rows.iter().map(|(name, values)| (*name, values.as_slice())).collect();
    table(0, &columns, &rows)
}

const EXTENDED: &str = r#"{"collector": {"names": ["extended"]}}"#;

#[test]
fn waits_are_told_by_their_kind() {
    let mut rig = Rig::typical(EXTENDED);
    rig.fake.set("SQLServer:Wait Statistics", Ok(waits()));
    let said = said(&rig.cycle());
    let of = |metric: &str, wait: &str| said.get(&format!("mssql.wait.{metric}{{instance=MSSQLSERVER,wait={wait}}}"));
    assert_eq!(
        [of("current", "lock"), of("started", "lock"), of("time", "lock")],
        [Some(&200.0), Some(&300.0), Some(&400.0)]
    );
    assert_eq!([of("time", "transaction_ownership"), of("current", "worker")], [Some(&411.0), Some(&209.0)]);
    let kinds = [
        "log_buffer",
        "log_write",
        "memory_grant_queue",
        "network_io",
        "non_page_latch",
        "page_io_latch",
        "page_latch",
        "thread_safe_memory_objects",
        "workspace_synchronization",
    ];
    for metric in ["time", "started", "current"] {
        assert!(kinds.iter().all(|kind| of(metric, kind).is_some()), "{metric}");
    }
}

#[test]
fn databases_are_chosen_and_their_sum_is_told_in_any_case() {
    let rows: [(&str, &[u64]); 6] = [
        ("_Total", &[60, 600, 0]),
        ("Orders", &[10, 100, 40]),
        ("orders_old", &[20, 200, 50]),
        ("tempdb", &[5, 50, 1]),
        ("my db", &[6, 60, 2]),
        ("mssqlsystemresource", &[9, 90, 9]),
    ];
    let told = |mssql: &str| {
        let mut rig = Rig::typical(&format!(r#"{{"collector": {{"names": ["extended"]}}, "mssql": {mssql}}}"#));
        rig.fake.set("SQLServer:Databases", Ok(databases(&rows)));
        let collected = rig.cycle();
        let names = |metric: &str| {
            let prefix = format!("{metric}{{instance=MSSQLSERVER,db=");
            let names = names(&collected, &prefix).into_iter();
            names.map(|name| name.trim_start_matches(&prefix).trim_end_matches('}').to_owned()).collect::<Vec<_>>()
        };
        let sum = said(&collected).get("mssql.db.transactions{instance=MSSQLSERVER,db=_Total}").copied();
        assert_eq!(sum, Some(60.0));
        (names("mssql.db.transactions"), names("mssql.db.log_used.percent"), collected.remarks.len())
    };
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = ["Orders", "_Total", "my_db", "orders_old", "tempdb"];
    let without_sum = ["Orders", "my_db", "orders_old", "tempdb"];
    assert_eq!(told(r#"{"enabled": true}"#), (list(&all), list(&without_sum), 0));
    let chosen = r#"{"enabled": true, "instance": ["ORD*", "my db"], "exclude": ["*_old"]}"#;
    assert_eq!(told(chosen), (list(&["Orders", "_Total", "my_db"]), list(&["Orders", "my_db"]), 0));
    assert_eq!(told(r#"{"enabled": true, "instance": ["nothing"]}"#), (list(&["_Total"]), list(&[]), 1));
}

#[test]
fn over_the_bound_the_largest_databases_stay_and_the_rest_is_counted() {
    let file = r#"{"collector": {"names": ["extended"], "limits": {"databases": 2}}}"#;
    let mut rig = Rig::typical(file);
    let told = |rig: &mut Rig, rows: &[(&str, &[u64])]| {
        rig.fake.set("SQLServer:Databases", Ok(databases(rows)));
        let collected = rig.cycle();
        let names = names(&collected, "mssql.db.data_size");
        let cut = rig.stats.series_dropped[Guarded::Databases as usize].get();
        let names: Vec<String> =
            names.iter().map(|name| name.rsplit('=').next().unwrap().trim_end_matches('}').to_owned()).collect();
        (names, cut, collected.remarks.len())
    };
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let three: [(&str, &[u64]); 4] =
        [("_Total", &[0, 600, 0]), ("small", &[0, 1, 0]), ("big", &[0, 400, 0]), ("middle", &[0, 100, 0])];
    assert_eq!(told(&mut rig, &three), (list(&["_Total", "big", "middle"]), 1, 1));
    let grown: [(&str, &[u64]); 4] =
        [("_Total", &[0, 600, 0]), ("small", &[0, 9000, 0]), ("big", &[0, 400, 0]), ("middle", &[0, 100, 0])];
    assert_eq!(told(&mut rig, &grown), (list(&["_Total", "big", "middle"]), 1, 1), "a stable choice");
    assert_eq!(told(&mut rig, &grown[..3]), (list(&["_Total", "big", "small"]), 0, 0));
    // One that is left out is left out of every table.
    let replicas: [(&str, &[u64]); 3] = [("_Total", &[3]), ("small", &[1]), ("big", &[2])];
    rig.fake.set("SQLServer:Database Replica", Ok(table(0, &[("Log Send Queue", LARGE)], &replicas)));
    rig.fake.set("SQLServer:Databases", Ok(databases(&three)));
    rig.renew();
    let queues = names(&rig.cycle(), "mssql.agdb.log_send_queue");
    assert_eq!(queues.len(), 2, "{queues:?}");
    assert!(queues.iter().all(|name| !name.contains("small")));
}

// While one instance was late, databases of the other that had been left out came for a cycle, and with its return again
// others were left out.
#[test]
fn an_instance_that_is_late_changes_nothing_for_the_databases_of_others() {
    let file = r#"{"collector": {"names": ["extended"], "limits": {"databases": 3}}}"#;
    let mut rig = Rig::typical(file);
    rig.facts(|facts| facts.services[1] = ("MSSQL$Prod", 4, 20));
    let set = |rig: &Rig, object: &str, sizes: [u64; 3]| {
        let rows = [("x", [0, sizes[0], 0]), ("y", [0, sizes[1], 0]), ("z", [0, sizes[2], 0])];
        let rows = rows.each_ref().map(|(name, values)| (*name, values.as_slice()));
        rig.fake.set(object, Ok(databases(&rows)));
    };
    set(&rig, "SQLServer:Databases", [10, 9, 1]);
    set(&rig, "MSSQL$Prod:Databases", [8, 7, 6]);
    let told = |rig: &mut Rig| names(&rig.cycle(), "mssql.db.data_size");
    let of = |instance: &str, db: &str| format!("mssql.db.data_size{{instance={instance},db={db}}}");
    let all = [of("MSSQLSERVER", "x"), of("MSSQLSERVER", "y"), of("Prod", "x")];
    assert_eq!(told(&mut rig), all);
    rig.fake.refuse("mssql:MSSQLSERVER", Some(Refused::Late(10)));
    assert_eq!(told(&mut rig), all[2..]);
    rig.fake.refuse("mssql:MSSQLSERVER", None);
    set(&rig, "MSSQL$Prod:Databases", [80, 70, 60]);
    assert_eq!(told(&mut rig), all);
    // One that is stopped gives its places away.
    rig.facts(|facts| facts.services[0] = ("MSSQLSERVER", 1, 0));
    assert_eq!(told(&mut rig), ["x", "y", "z"].map(|db| of("Prod", db)));
}

// A series that two databases share would jump between them.
#[test]
fn of_two_databases_with_the_same_tags_the_first_is_told_of_as_long_as_it_is_there() {
    let mut rig = Rig::typical(EXTENDED);
    let told = |rig: &mut Rig, rows: &[(&str, &[u64])]| {
        rig.fake.set("SQLServer:Databases", Ok(databases(rows)));
        let before = rig.stats.collided.get();
        let collected = rig.cycle();
        let value = said(&collected).get("mssql.db.transactions{instance=MSSQLSERVER,db=a_b}").copied();
        // Told for each table, in the same words.
        let remarks = BTreeSet::from_iter(&collected.remarks).len();
        (value, remarks, rig.stats.collided.get() - before)
    };
    type One = (&'static str, &'static [u64]);
    let (blank, line): (One, One) = (("a b", &[1, 1, 1]), ("a_b", &[2, 2, 2]));
    // Two of the metrics that are on by default, and the percentage, which is of another table.
    assert_eq!(told(&mut rig, &[blank, line]), (Some(1.0), 1, 3));
    assert_eq!(told(&mut rig, &[line, blank]), (Some(1.0), 1, 3), "a stable choice");
    // The other was never told of again, though it was alone.
    assert_eq!(told(&mut rig, &[line]), (Some(2.0), 0, 0));
    assert_eq!(told(&mut rig, &[blank, line]), (Some(2.0), 1, 3));
}

// Two rows of one name took turns in one memory: every total fell and rose, and every rate was nonsense.
#[test]
fn of_rows_of_one_name_the_first_counts() {
    let mut rig = Rig::typical(EXTENDED);
    let columns = [("CPU usage %", FRACTION), ("Used memory (KB)", LARGE)];
    let pools = |second, a: u64, b: u64| {
        let rows: [(&str, &[(u64, u64)]); 4] = [
            ("default", &[(a, second), (2, 0)]),
            ("internal", &[(0, second), (2, 0)]),
            ("web", &[(0, second), (2, 0)]),
            ("default", &[(b, second), (9, 0)]),
        ];
        Ok(based(second, &columns, &rows))
    };
    rig.fake.set("SQLServer:Resource Pool Stats", pools(100, 10, 5000));
    let collected = rig.cycle();
    assert_eq!(collected.remarks.len(), 1, "{:?}", collected.remarks);
    assert_eq!(said(&collected).get("mssql.pool.mem.used{instance=MSSQLSERVER,pool=default}"), Some(&2048.0));
    rig.fake.set("SQLServer:Resource Pool Stats", pools(200, 40, 7000));
    let told = said(&rig.cycle());
    assert_eq!(told.get("mssql.pool.cpu.percent{instance=MSSQLSERVER,pool=default}"), Some(&30.0));
    assert_eq!(rig.stats.collided.get(), 4);
}

#[test]
fn availability_groups_appear_with_their_first_replica_and_traffic_from_its_first_byte() {
    let mut rig = Rig::typical(EXTENDED);
    let replica = [("Bytes Sent to Replica/sec", BULK), ("Resent Messages/sec", BULK)];
    let database = [("Log Send Queue", LARGE), ("Log Bytes Received/sec", BULK)];
    let set = |rig: &Rig, replicas: &[(&str, &[u64])], databases: &[(&str, &[u64])]| {
        rig.fake.set("SQLServer:Availability Replica", Ok(table(0, &replica, replicas)));
        rig.fake.set("SQLServer:Database Replica", Ok(table(0, &database, databases)));
    };
    set(&rig, &[], &[("_Total", &[0, 0])]);
    assert_eq!(names(&rig.cycle(), "mssql.ag"), ["mssql.agent"; 0], "no group");
    set(&rig, &[("_Total", &[0, 0]), ("AG:H2", &[0, 0])], &[("_Total", &[0, 0]), ("orders", &[0, 0])]);
    let queues = |db: &str| format!("mssql.agdb.log_send_queue{{instance=MSSQLSERVER,db={db}}}");
    assert_eq!(names(&rig.cycle(), "mssql.ag"), [queues("_Total"), queues("orders")], "an alarm has its 0");
    set(&rig, &[("_Total", &[7, 0]), ("AG:H2", &[7, 0])], &[("_Total", &[4, 0]), ("orders", &[4, 0])]);
    let collected = rig.cycle();
    let sent = "mssql.ag.bytes_sent{instance=MSSQLSERVER,replica=AG:H2}";
    assert_eq!(names(&collected, "mssql.ag."), [sent], "what stays 0 is not said");
    assert_eq!(said(&collected).get(&queues("orders")), Some(&4096.0));
    let before = collected.samples.iter().find(|sample| sample.at == -60).unwrap();
    assert_eq!((before.metric.as_ref(), before.value.get()), ("mssql.ag.bytes_sent", 0.0));
}

#[test]
fn errors_have_their_type_and_begin_with_the_first() {
    let mut rig = Rig::typical(EXTENDED);
    let rows: [(&str, &[u64]); 5] = [
        ("_Total", &[7]),
        ("DB Offline Errors", &[1]),
        ("Info Errors", &[2]),
        ("Kill Connection Errors", &[0]),
        ("User Errors", &[4]),
    ];
    rig.fake.set("SQLServer:SQL Errors", Ok(table(0, &[("Errors/sec", BULK)], &rows)));
    let types: Vec<String> = ["db_offline", "info", "total", "user"]
        .map(|kind| format!("mssql.errors{{instance=MSSQLSERVER,type={kind}}}"))
        .into();
    assert_eq!(names(&rig.cycle(), "mssql.errors"), types);
}

#[test]
fn pools_are_told_of_where_somebody_made_one_or_by_their_option() {
    let columns = [("CPU usage %", FRACTION), ("Used memory (KB)", LARGE)];
    let rows: [(&str, &[(u64, u64)]); 3] =
        [("default", &[(5, 100), (2, 0)]), ("internal", &[(1, 100), (3, 0)]), ("web", &[(0, 100), (4, 0)])];
    let later: [(&str, &[(u64, u64)]); 3] =
        [("default", &[(30, 200), (2, 0)]), ("internal", &[(1, 200), (3, 0)]), ("web", &[(0, 200), (4, 0)])];
    let told = |file: &str, count: usize| {
        let mut rig = Rig::typical(file);
        rig.fake.set("SQLServer:Resource Pool Stats", Ok(based(0, &columns, &rows[..count])));
        rig.cycle();
        rig.fake.set("SQLServer:Resource Pool Stats", Ok(based(60, &columns, &later[..count])));
        said(&rig.cycle())
    };
    let of = |said: &BTreeMap<String, f64>, metric: &str, pool: &str| {
        said.get(&format!("mssql.pool.{metric}{{instance=MSSQLSERVER,pool={pool}}}")).copied()
    };
    let two = told(EXTENDED, 2);
    assert!(two.keys().all(|name| !name.starts_with("mssql.pool")));
    let three = told(EXTENDED, 3);
    // Of the interval, not since the start: 25 of 100.
    assert_eq!((of(&three, "cpu.percent", "default"), of(&three, "mem.used", "web")), (Some(25.0), Some(4096.0)));
    let asked = told(r#"{"collector": {"names": ["extended"], "mssqlPools": true}}"#, 2);
    assert_eq!(of(&asked, "mem.used", "internal"), Some(3072.0));
}

#[test]
fn what_is_off_by_default_comes_with_its_option() {
    let columns = [("Lock Waits/sec", BULK)];
    let told = |option: &str| {
        let mut rig = Rig::typical(&format!(r#"{{"collector": {{"names": ["extended"], "{option}": true}}}}"#));
        let set = |object: &str, table: Table| rig.fake.set(&format!("SQLServer:{object}"), Ok(table));
        set("Locks", table(0, &columns, &[("_Total", &[9]), ("RowGroup", &[1]), ("Key", &[8])]));
        set("Buffer Node", table(0, &[("Page life expectancy", LARGE)], &[("000", &[30])]));
        set(
            "Plan Cache",
            table(0, &[("Cache Pages", LARGE)], &[("_Total", &[3]), ("Temporary Tables & Table Variables", &[2])]),
        );
        set("User Settable", table(0, &[("Query", LARGE)], &[("User counter 1", &[5]), ("User counter 10", &[6])]));
        set("Databases", table(0, &[("Log Truncations", LARGE)], &[("_Total", &[4]), ("a", &[3])]));
        set("Memory Manager", table(0, &[("Log Pool Memory (KB)", LARGE)], &[("", &[2])]));
        said(&rig.cycle())
    };
    let cases = [
        ("mssqlLockResources", "mssql.locks.resource.waits{instance=MSSQLSERVER,resource=rowgroup}", 1.0),
        ("mssqlDetail", "mssql.buffer_node.page_life_expectancy{instance=MSSQLSERVER,node=000}", 30.0),
        ("mssqlDetail", "mssql.memory.log_pool{instance=MSSQLSERVER}", 2048.0),
        ("mssqlPlanCaches", "mssql.plan.cache.pages{instance=MSSQLSERVER,cache=temporary_tables_table_variables}", 2.0),
        ("mssqlUserCounters", "mssql.user_counter{instance=MSSQLSERVER,n=10}", 6.0),
        ("mssqlDatabaseDetail", "mssql.db.log_truncations{instance=MSSQLSERVER,db=a}", 3.0),
    ];
    let default = told("cores");
    for (option, name, value) in cases {
        assert_eq!((told(option).get(name), default.get(name)), (Some(&value), None), "{option}: {name}");
    }
    assert_eq!(default.get("mssql.locks.waits{instance=MSSQLSERVER}"), Some(&9.0));
}
