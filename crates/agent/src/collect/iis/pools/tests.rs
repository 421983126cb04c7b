use super::metrics::{QUEUE, STATE, WAS, WORKER};
use super::*;
use crate::collect::{ALL, Collected, Plan};
use crate::model::{Platform, Sets, Tick};
use crate::perf::client::Refused;
use crate::perf::fake::{Fake, table};
use crate::perf::rows::{Missing, Raw};
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

mod names;
mod real;
mod sites;
mod sources;
mod workers;

const NUMBER: u32 = 0x0001_0000;
const LARGE: u32 = 0x0001_0100;
const COUNTER: u32 = 0x1041_0400;
const ELAPSED: u32 = 0x3024_0500;
const FRACTION: u32 = 0x2002_0400;

const WAS_COLUMNS: [(&str, u32); 6] = [
    (STATE, NUMBER),
    ("Current Application Pool Uptime", ELAPSED),
    ("Current Worker Processes", NUMBER),
    ("Total Application Pool Recycles", NUMBER),
    ("Total Worker Process Failures", NUMBER),
    ("Total Worker Process Startup Failures", NUMBER),
];
const WORKER_COLUMNS: [(&str, u32); 2] = [("Total HTTP Requests Served", NUMBER), ("Active Requests", NUMBER)];
const QUEUE_COLUMNS: [(&str, u32); 4] =
    [("CurrentQueueSize", NUMBER), ("ArrivalRate", COUNTER), ("RejectedRequests", NUMBER), ("MaxQueueItemAge", LARGE)];

/// By pid: the process, and its command line (`None`: it may not be read).
type Processes = BTreeMap<u32, (Proc, Option<String>)>;

#[derive(Clone, Default)]
struct Host(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    processes: Processes,
    is_blind: bool,
}

impl Machine for Host {
    fn workers(&mut self, into: &mut Vec<Proc>) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        if state.is_blind {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        into.clear();
        into.extend(state.processes.values().map(|(process, _)| process.clone()));
        Ok(())
    }

    fn processors(&mut self) -> io::Result<u32> {
        Ok(4)
    }
}

/// A host with IIS, its counters, processes and configuration.
struct Iis {
    host: Host,
    perf: Fake,
    directory: tempfile::TempDir,
    config: Config,
    stats: Arc<Stats>,
    pools: Pools,
    last: Collected,
}

impl Iis {
    fn new() -> Iis {
        Iis::configured(|_| {})
    }

    fn configured(change: impl FnOnce(&mut Config)) -> Iis {
        let (host, perf, directory) = (Host::default(), Fake::default(), tempfile::tempdir().unwrap());
        let mut config = Config::standalone();
        change(&mut config);
        let context = Context { perf: perf.perf(), ..crate::collect::tests::context(config.clone()) };
        let stats = context.stats.clone();
        let state = host.0.clone();
        let command_line = move |pid: u32| {
            let state = state.lock().unwrap();
            let line = state.processes.get(&pid).and_then(|(_, line)| line.clone());
            line.ok_or_else(|| io::ErrorKind::PermissionDenied.into())
        };
        let image_path = |_| Ok(PathBuf::from(r"C:\Windows\System32\inetsrv\w3wp.exe"));
        let facts = Facts { command_line: Box::new(command_line), image_path: Box::new(image_path) };
        let mut pools = Pools::new(&context, Box::new(host.clone()), facts, directory.path().to_owned());
        // A machine that is busy takes its time.
        pools.map.deadline = Duration::from_secs(600);
        Iis { host, perf, directory, config, stats, pools, last: Collected::default() }
    }

    /// A worker that began long ago.
    fn run(&self, pid: u32, pool: &str, cpu_s: u64) {
        let line = format!(r#"C:\Windows\System32\inetsrv\w3wp.exe -ap "{pool}" -v "v4.0" -h "x.config""#);
        self.start(pid, u64::from(pid), 9000.0, cpu_s, Some(line));
    }

    fn start(&self, pid: u32, created: u64, age_s: f64, cpu_s: u64, line: Option<String>) {
        let process = Proc {
            pid,
            name: "w3wp.exe".to_owned(),
            created,
            age_s,
            user_us: cpu_s * 1_000_000 - cpu_s * 100_000,
            kernel_us: cpu_s * 100_000,
            memory_bytes: Some(1000 + u64::from(pid)),
            working_set_bytes: 500 + u64::from(pid),
            threads: 20,
            handles: Some(300),
            read_bytes: None,
            written_bytes: None,
        };
        self.host.0.lock().unwrap().processes.insert(pid, (process, line));
    }

    fn end(&self, pid: u32) {
        self.host.0.lock().unwrap().processes.remove(&pid);
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).unwrap();
    }

    fn was(&self, second: u64, rows: &[(&str, &[u64])]) {
        self.perf.set(WAS, Ok(table(second, &WAS_COLUMNS, rows)));
    }

    fn served(&self, second: u64, rows: &[(&str, &[u64])]) {
        self.perf.set(WORKER, Ok(table(second, &WORKER_COLUMNS, rows)));
    }

    fn queues(&self, second: u64, rows: &[(&str, &[u64])]) {
        self.perf.set(QUEUE, Ok(table(second, &QUEUE_COLUMNS, rows)));
    }

    /// What is said of one cycle, by name and tag; names without what they all begin with.
    fn cycle(&mut self, seconds: Option<u64>) -> BTreeMap<String, f64> {
        self.try_cycle(seconds).unwrap()
    }

    fn try_cycle(&mut self, seconds: Option<u64>) -> anyhow::Result<BTreeMap<String, f64>> {
        let plan = Plan::new(ALL, Sets::EXTENDED, Platform::Windows, &self.config);
        let elapsed = seconds.map(Duration::from_secs);
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed }, &plan, 0);
        let result = self.pools.collect(&mut cx);
        self.last = cx.finish();
        assert_eq!(self.last.not_finite, 0);
        result?;
        let mut said = BTreeMap::new();
        for sample in &self.last.samples {
            let name = sample.metric.strip_prefix("iis.").unwrap();
            let name = name.strip_prefix("app_pool.").unwrap_or(name);
            let tag = sample.tags.as_str().split_once('=').unwrap().1;
            let before = said.insert(format!("{name} {tag}"), sample.value.get());
            // Of sites that share a name the hub leaves out all but the first, and tells of it.
            assert!(before.is_none() || name.starts_with("site."), "{name} {tag} is said twice");
        }
        Ok(said)
    }

    fn problems(&self) -> Vec<&str> {
        self.last.problems.iter().map(|(what, _)| what.as_str()).collect()
    }

    fn remarks(&self) -> Vec<&str> {
        self.last.remarks.iter().map(|(what, _)| what.as_str()).collect()
    }
}

/// When something began that is so old at this second, in the clock of the tables.
fn began(second: u64, age: u64) -> u64 {
    (1000 + second - age) * 10_000_000
}

/// What is said of one pool, without its name.
fn of(said: &BTreeMap<String, f64>, pool: &str) -> Vec<(String, f64)> {
    let of_pool =
        |(name, value): (&String, &f64)| Some((name.strip_suffix(pool)?.strip_suffix(' ')?.to_owned(), *value));
    said.iter().filter_map(of_pool).collect()
}

fn expected(values: &[(&str, f64)]) -> Vec<(String, f64)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[test]
fn every_default_metric_of_a_web_garden_a_single_worker_and_an_idle_pool() {
    let mut iis = Iis::new();
    let started = began(0, 500);
    iis.was(
        0,
        &[
            ("_Total", &[99, 0, 99, 99, 99, 99]),
            ("Pool A", &[3, started, 2, 7, 1, 0]),
            ("B", &[3, started, 1, 4, 0, 2]),
            ("Idle", &[5, 0, 0, 0, 0, 0]),
        ],
    );
    iis.served(0, &[("_Total", &[777, 9]), ("11_Pool A", &[100, 3]), ("12_Pool A", &[50, 1]), ("21_B", &[1000, 0])]);
    iis.queues(
        0,
        &[("Pool A", &[0, 600, 1, 12345]), ("B", &[4, 900, 0, 7]), ("Idle", &[0, 0, 0, 9]), ("---", &[9, 9, 9, 9])],
    );
    for (pid, pool, cpu_s) in [(11, "Pool A", 100), (12, "Pool A", 10), (21, "B", 5)] {
        iis.run(pid, pool, cpu_s);
    }
    let first = iis.cycle(None);
    assert!(!first.keys().any(|name| name.contains("cpu")), "no shares before the second cycle");
    assert_eq!((first["requests Pool_A"], first["requests _Total"]), (0.0, 0.0), "since the agent began");

    iis.was(
        60,
        &[
            ("Pool A", &[3, started, 2, 8, 1, 0]),
            ("B", &[3, started, 1, 4, 0, 3]),
            ("Idle", &[5, 0, 0, 0, 0, 0]),
            ("_Total", &[99, 0, 99, 99, 99, 99]),
        ],
    );
    iis.served(60, &[("11_Pool A", &[160, 5]), ("12_Pool A", &[70, 2]), ("21_B", &[1300, 1])]);
    iis.queues(60, &[("Pool A", &[2, 700, 3, 40]), ("B", &[0, 950, 0, 123_456]), ("Idle", &[0, 0, 0, 9])]);
    for (pid, pool, cpu_s) in [(11, "Pool A", 130), (12, "Pool A", 22), (21, "B", 8)] {
        iis.run(pid, pool, cpu_s);
    }
    let said = iis.cycle(Some(60));
    let a = [
        ("cpu.host.percent", 17.5),
        ("cpu.percent", 70.0), // 42 s of 60
        ("handles", 600.0),
        ("mem.private", 2023.0),
        ("mem.ws", 1023.0),
        ("queue.arrivals", 700.0),
        ("queue.max_age", 40.0),
        ("queue.rejected", 3.0),
        ("queue.size", 2.0),
        ("recycles", 8.0),
        ("requests", 80.0),
        ("requests.active", 7.0),
        ("state", 3.0),
        ("threads", 40.0),
        ("uptime", 560.0),
        ("worker.failures", 1.0),
        ("worker.startup_failures", 0.0),
        ("workers", 2.0),
    ];
    assert_eq!(of(&said, "Pool_A"), expected(&a));
    let b = of(&said, "B");
    assert_eq!(b.len(), 18);
    for (name, value) in [
        ("cpu.percent", 5.0),
        ("requests", 300.0),
        ("requests.active", 1.0),
        ("queue.max_age", 0.0), // what it has with an empty queue is no age
        ("mem.private", 1021.0),
        ("worker.startup_failures", 3.0),
    ] {
        assert!(b.contains(&(name.to_owned(), value)), "{name}: {b:?}");
    }
    let idle = of(&said, "Idle");
    assert_eq!(idle.len(), 17, "a pool that never started has no uptime: {idle:?}");
    for (name, value) in [("cpu.percent", 0.0), ("mem.ws", 0.0), ("handles", 0.0), ("requests", 0.0), ("state", 5.0)] {
        assert!(idle.contains(&(name.to_owned(), value)), "{name}: {idle:?}");
    }
    let total = [
        ("cpu.host.percent", 18.75),
        ("cpu.percent", 75.0),
        ("handles", 900.0),
        ("mem.private", 3044.0),
        ("mem.ws", 1544.0),
        ("queue.arrivals", 1650.0),
        ("queue.max_age", 40.0),
        ("queue.rejected", 3.0),
        ("queue.size", 2.0),
        ("recycles", 12.0),
        ("requests", 380.0),
        ("requests.active", 8.0),
        ("threads", 60.0),
        ("worker.failures", 1.0),
        ("worker.startup_failures", 3.0),
        ("workers", 3.0),
    ];
    assert_eq!(of(&said, "_Total"), expected(&total));
    assert_eq!(said.len(), 18 + 18 + 17 + 16);
    assert!(iis.problems().is_empty(), "{:?}", iis.last.problems);
}

#[test]
fn what_is_off_by_default_is_told_where_it_is_switched_on() {
    let mut iis = Iis::configured(|config| {
        config.collector.switches.insert("iisPoolExtra", true);
    });
    let more = [
        (STATE, NUMBER),
        ("Maximum Worker Processes", NUMBER),
        ("Total Worker Process Ping Failures", NUMBER),
        ("Total Worker Process Shutdown Failures", NUMBER),
        ("Total Worker Processes Created", NUMBER),
        ("Recent Worker Process Failures", NUMBER),
    ];
    iis.perf.set(WAS, Ok(table(0, &more, &[("A", &[3, 4, 5, 6, 7, 8]), ("B", &[5, 1, 1, 1, 1, 1])])));
    let of_worker = [
        ("Active Threads Count", NUMBER),
        ("WebSocket Active Requests", NUMBER),
        ("File Cache Hits", NUMBER),
        ("File Cache Misses", NUMBER),
        ("URI Cache Hits", NUMBER),
        ("URI Cache Misses", NUMBER),
        ("Output Cache Total Hits", NUMBER),
        ("Output Cache Total Misses", NUMBER),
        ("% 401 HTTP Response Sent", FRACTION),
        ("% 403 HTTP Response Sent", FRACTION),
        ("% 404 HTTP Response Sent", FRACTION),
        ("% 500 HTTP Response Sent", FRACTION),
    ];
    let answer = |second: u64, hits: u64| {
        let mut answer = table(
            second,
            &of_worker,
            &[
                ("11_A", &[1, 2, hits, 20, 30, 40, 50, 60, 1, 2, 3, 4]),
                ("12_A", &[3, 4, hits, 20, 30, 40, 50, 60, 5, 6, 7, 90]),
            ],
        );
        // One answered 100 requests, the other 300.
        for (row, base) in answer.rows.iter_mut().zip([100, 300]) {
            for value in row.values.iter_mut().skip(8).flatten() {
                *value = Raw { base: Some(base), ..*value };
            }
        }
        answer
    };
    iis.run(11, "A", 1);
    iis.run(12, "A", 1);
    iis.perf.set(WORKER, Ok(answer(0, 10)));
    iis.cycle(None);
    iis.perf.set(WORKER, Ok(answer(60, 15)));
    let said = iis.cycle(Some(60));
    for (name, value) in [
        ("up A", 1.0),
        ("up B", 0.0),
        ("workers.max A", 4.0),
        ("worker.ping_failures A", 5.0),
        ("worker.shutdown_failures A", 6.0),
        ("worker.created A", 7.0),
        ("worker.recent_failures A", 8.0),
        ("worker.recent_failures _Total", 9.0),
        ("threads.active A", 4.0),
        ("websocket.active A", 6.0),
        ("file_cache.hits A", 10.0),
        ("file_cache.misses A", 0.0),
        ("uri_cache.hits A", 0.0),
        ("uri_cache.misses A", 0.0),
        ("output_cache.hits A", 0.0),
        ("output_cache.misses A", 0.0),
        ("http.401.percent A", 1.5),
        ("http.403.percent A", 2.0),
        ("http.404.percent A", 2.5),
        ("http.500.percent A", 23.5),
    ] {
        assert_eq!(said.get(name), Some(&value), "{name}");
    }
    assert!(!said.contains_key("up _Total") && !said.contains_key("workers.max _Total"));
    assert!(!said.contains_key("requests A"), "the object has no such counter here");
}
