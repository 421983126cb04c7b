//! SQL Server: the default instance and a named one on one host.

use std::collections::BTreeMap;
use std::fs;

use falcon_perf_fixture::product::{SQL_SERVER, Shape};
use falcon_perf_fixture::registration::RegFile;
use falcon_perf_fixture::script::{Object, Value};

use crate::harness::peer::Peer;
use crate::seen::{Number, arrive, config, is, series, stamps};
use crate::windows::{Provider, Windows};

const ENGINE: &str = r"C:\sql\sqlservr.exe";

/// What setup writes, of which the data names the keys of an instance and not the instance.
fn installed(file: RegFile) -> RegFile {
    let root = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Microsoft SQL Server";
    file.key(&format!(r"{root}\Instance Names\SQL"))
        .text("MSSQLSERVER", "MSSQL15.MSSQLSERVER")
        .text("PROD", "MSSQL.1")
        .key(&format!(r"{root}\MSSQL15.MSSQLSERVER\Setup"))
        .text("PatchLevel", "15.0.4316.3")
}

/// Services of the engines, which run.
fn services(windows: &Windows, names: &[&str]) {
    let engine = windows.prefix.on_linux(ENGINE);
    fs::create_dir_all(engine.parent().expect("a folder")).expect("a folder");
    fs::copy(std::env::var_os("FALCON_TEST_SERVICE").expect("FALCON_TEST_SERVICE"), engine).expect("a copy");
    for name in names {
        windows.prefix.run("sc", &["create", name, "binpath=", ENGINE]).success();
        windows.prefix.run("sc", &["start", name]).success();
    }
}

struct Instance {
    service: &'static str,
    shapes: BTreeMap<&'static str, Shape>,
}

impl Instance {
    fn new(provider: &mut Provider, service: &'static str, prefix: &str) -> Instance {
        let mut shapes = BTreeMap::new();
        for &(name, counters) in SQL_SERVER {
            shapes.insert(name, provider.object(&format!("{prefix}{name}"), counters));
        }
        Instance { service, shapes }
    }

    /// Numbers of an instance are so many times those of the first.
    fn objects(&self, times: u64) -> Vec<Object> {
        let n = |value: u64| Value::Is(value * times);
        let shape = |name: &str| &self.shapes[name];
        let locks = |name: &str, waits: u64| {
            shape("Locks").row(
                name,
                &[("Lock Waits/sec", n(waits)), ("Number of Deadlocks/sec", n(2)), ("Lock Wait Time (ms)", n(900))],
            )
        };
        let database = |name: &str, kb: u64, transactions: u64| {
            shape("Databases").row(
                name,
                &[
                    ("Data File(s) Size (KB)", n(kb)),
                    ("Log File(s) Size (KB)", n(kb / 4)),
                    ("Percent Log Used", Value::Is(37)),
                    ("Transactions/sec", n(transactions)),
                    ("Active Transactions", n(1)),
                ],
            )
        };
        let waits = |name: &str, lock: u64, network: u64| {
            shape("Wait Statistics").row(name, &[("Lock waits", n(lock)), ("Network IO waits", n(network))])
        };
        vec![
            shape("Buffer Manager").one(&[
                // 15/16 of the lookups, exact as a binary fraction.
                ("Buffer cache hit ratio", n(1500)),
                ("Buffer cache hit ratio base", n(1600)),
                ("Page life expectancy", n(4000)),
                ("Page reads/sec", n(6_000_000_000)),
                ("Database pages", n(70)),
                ("Lazy writes/sec", Value::Grows(10, 50 * times)),
            ]),
            shape("Memory Manager").one(&[
                ("Total Server Memory (KB)", n(8_000_000)),
                ("Target Server Memory (KB)", n(9_000_000)),
                ("Memory Grants Pending", n(3)),
            ]),
            shape("SQL Statistics")
                .one(&[("Batch Requests/sec", Value::Grows(1000, 100 * times)), ("SQL Compilations/sec", n(44))]),
            shape("General Statistics").one(&[
                ("User Connections", n(21)),
                ("Processes blocked", n(1)),
                ("Logins/sec", n(77)),
            ]),
            shape("Access Methods").one(&[
                ("Full Scans/sec", n(1234)),
                ("Worktables From Cache Ratio", n(1)),
                ("Worktables From Cache Base", n(4)),
            ]),
            shape("Locks").many(vec![locks("Key", 5), locks("_Total", 6)]),
            shape("Databases").many(vec![
                database("master", 5000, 10),
                database("订单 db, 1", 1 << 32, 20),
                database("mssqlsystemresource", 40, 5),
                database("_Total", 9000, 35),
            ]),
            shape("Wait Statistics").many(vec![
                waits("Average wait time (ms)", 99, 98),
                waits("Waits in progress", 4, 2),
                waits("Waits started per second", 60, 50),
                waits("Cumulative wait time (ms) per second", 7000, 300),
            ]),
            shape("SQL Errors").many(vec![
                shape("SQL Errors").row("User Errors", &[("Errors/sec", n(12))]),
                shape("SQL Errors").row("_Total", &[("Errors/sec", n(13))]),
            ]),
        ]
    }
}

/// Both instances under their own tag, from providers of their own; the old names are the default instance's alone.
#[test]
fn a_default_and_a_named_instance_arrive_apart() {
    let mut providers = [Provider::new(0, "MSSQLSERVER"), Provider::new(1, "MSSQL$PROD")];
    let [one, two] = &mut providers;
    let default = Instance::new(one, "MSSQLSERVER", "SQLServer:");
    let named = Instance::new(two, "MSSQL$PROD", "MSSQL$PROD:");
    let windows = Windows::new(&providers, installed);
    services(&windows, &[default.service, named.service]);
    windows.script(default.service, default.objects(1));
    windows.script(named.service, named.objects(10));
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    let d = |metric: &str, tags: &str, kind: &str| format!("{metric}/instance=MSSQLSERVER{tags} {kind}");
    let p = |metric: &str, tags: &str, kind: &str| format!("{metric}/instance=PROD{tags} {kind}");
    let both = [
        ("mssql.up", "", "GAUGE", 1.0, 1.0),
        ("mssql.buffer.cache_hit_ratio", "", "GAUGE", 93.75, 93.75),
        ("mssql.buffer.page_life_expectancy", "", "GAUGE", 4000.0, 40_000.0),
        ("mssql.buffer.page_reads", "", "COUNTER", 6e9, 6e10),
        ("mssql.memory.total", "", "GAUGE", 8_192_000_000.0, 81_920_000_000.0),
        ("mssql.memory.grants.pending", "", "GAUGE", 3.0, 30.0),
        ("mssql.stats.compilations", "", "COUNTER", 44.0, 440.0),
        ("mssql.general.user_connections", "", "GAUGE", 21.0, 210.0),
        ("mssql.general.logins", "", "COUNTER", 77.0, 770.0),
        ("mssql.access.full_scans", "", "COUNTER", 1234.0, 12_340.0),
        ("mssql.access.worktables_from_cache_ratio", "", "GAUGE", 25.0, 25.0),
        ("mssql.locks.waits", "", "COUNTER", 6.0, 60.0),
        ("mssql.locks.deadlocks", "", "COUNTER", 2.0, 20.0),
        ("mssql.locks.wait_time", "", "COUNTER", 900.0, 9000.0),
        ("mssql.db.data_size", ",db=master", "GAUGE", 5_120_000.0, 51_200_000.0),
        ("mssql.db.data_size", ",db=_Total", "GAUGE", 9_216_000.0, 92_160_000.0),
        ("mssql.db.transactions", ",db=_Total", "COUNTER", 35.0, 350.0),
        ("mssql.db.log_used.percent", ",db=master", "GAUGE", 37.0, 37.0),
        ("mssql.wait.time", ",wait=lock", "COUNTER", 7000.0, 70_000.0),
        ("mssql.wait.started", ",wait=network_io", "COUNTER", 50.0, 500.0),
        ("mssql.wait.current", ",wait=lock", "GAUGE", 4.0, 40.0),
    ];
    let mut expected: Vec<(String, Number)> = Vec::new();
    for (metric, tags, kind, first, second) in both {
        expected.push((d(metric, tags, kind), Number::Is(first)));
        expected.push((p(metric, tags, kind), Number::Is(second)));
    }
    // 2^32 kB are 2^42 bytes.
    expected.push((d("mssql.db.data_size", ",db=订单_db__1", "GAUGE"), Number::Is(4_398_046_511_104.0)));
    expected.push((d("mssql.errors", ",type=user", "COUNTER"), is(12)));
    expected.push((p("mssql.errors", ",type=total", "COUNTER"), is(130)));
    for (old, number) in [
        ("sql_statistics.batch_rps", Number::About(100.0)),
        ("buffer_manager.buffer_cache_hit_ratio", Number::Is(93.75)),
        ("buffer_manager.lazy_writes_per_sec", Number::About(50.0)),
        ("buffer_manager.page_life_expectancy", is(4000)),
        ("databases.total.data_file_size", is(9000)),
        ("databases.total.transactions_per_sec", is(0)),
        ("locks.total.number_of_deadlocks_per_sec", is(0)),
        ("general_statistics.user_connections", is(21)),
        ("memory_manager.total_server_memory", is(8_000_000)),
    ] {
        expected.push((format!("sqlserver.sqlserver.{old} GAUGE"), number));
    }
    expected.push(("sqlserver.sql_server.buffer_manager.database_pages GAUGE".to_owned(), is(70)));
    let expected: Vec<(&str, Number)> = expected.iter().map(|(series, number)| (series.as_str(), *number)).collect();
    arrive(&peer, &agent, &expected);
    let databases = series(&peer, "mssql.db.");
    assert!(!databases.iter().any(|series| series.contains("mssqlsystemresource")), "{databases:?}");
    // One that is stopped says so, and nothing that it said before; the other goes on.
    windows.prefix.run("sc", &["stop", "MSSQL$PROD"]).success();
    let stamp = arrive(
        &peer,
        &agent,
        &[("mssql.up/instance=PROD GAUGE", is(0)), ("mssql.up/instance=MSSQLSERVER GAUGE", is(1))],
    );
    arrive_after(&peer, &agent, stamp, "mssql.general.user_connections/instance=MSSQLSERVER GAUGE");
    let old = "mssql.general.user_connections/instance=PROD GAUGE";
    assert!(stamps(&peer, old).iter().all(|of| *of < stamp), "{:?} after {stamp}", stamps(&peer, old));
    assert_eq!(agent.terminate().code, Some(0));
}

/// Waits until a series is said of a later cycle.
fn arrive_after(peer: &Peer, agent: &crate::harness::agent::Agent, stamp: i64, series: &str) {
    peer.wait(series, agent, || stamps(peer, series).into_iter().find(|of| *of > stamp));
}
