//! Application pools: what WAS and HTTP.sys count of them, and what their processes use.

use std::fs;
use std::process::Command;

use falcon_perf_fixture::product::{APP_POOL_WAS, REQUEST_QUEUES, W3SVC_W3WP};
use falcon_perf_fixture::script::{Object, Value};

use crate::harness::agent::Agent;
use crate::harness::peer::Peer;
use crate::harness::process::Process;
use crate::harness::until;
use crate::iis::installed;
use crate::seen::{arrive, config, is, last, series};
use crate::windows::{Provider, Windows, built};

/// The folder that workers of IIS run from is known by its name.
const WORKER: &str = r"C:\iis\inetsrv\w3wp.exe";
/// A program that is called so and is none.
const OTHER: &str = r"C:\other\w3wp.exe";

fn start(windows: &Windows, image: &str, args: &[&str]) -> Process {
    let file = windows.prefix.on_linux(image);
    if !file.exists() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::copy(built("fake-w3wp.exe"), file).expect("a copy");
    }
    let command: Command = windows.prefix.program(image, args);
    Process::start(command)
}

/// Waits for a number within bounds.
fn within(peer: &Peer, agent: &Agent, series: &str, bounds: std::ops::Range<f64>) {
    let seen = || -> Vec<f64> {
        peer.items().into_iter().filter(|item| item.series() == series).map(|item| item.value).collect()
    };
    let state = || format!("{:?}\n{:#?}\n{}", seen(), crate::seen::series(peer, "iis."), agent.state());
    let what = format!("{series} within {bounds:?}");
    until(&what, state, || seen().iter().any(|value| bounds.contains(value)).then_some(()));
}

/// One site that has its pool alone, and two that share one.
const SITES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <system.applicationHost>
    <applicationPools><add name="Pool A" /><add name="池 B" /></applicationPools>
    <sites>
      <site name="Shop 店" id="1"><application path="/" applicationPool="池 B" /></site>
      <site name="One" id="2"><application path="/" applicationPool="Pool A" /></site>
      <site name="Two" id="3"><application path="/" applicationPool="Pool A" /></site>
    </sites>
  </system.applicationHost>
</configuration>
"#;

fn configure_sites(windows: &Windows) {
    windows.prefix.own_system32();
    let file = windows.prefix.on_linux(r"C:\windows\system32\inetsrv\config\applicationHost.config");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, format!("\u{feff}{SITES}")).expect("a file");
}

/// Two workers of one pool together, one of another, and one that is no worker.
#[test]
fn processes_are_told_of_under_their_pool() {
    let windows = Windows::new(&[], installed);
    configure_sites(&windows);
    let pool_a = ["-ap", "Pool A", "-v", "v4.0", "--busy", "300"];
    let first = start(&windows, WORKER, &pool_a);
    let second = start(&windows, WORKER, &pool_a);
    let idle = start(&windows, WORKER, &["-ap", "池 B", "-v", "v4.0", "--bytes", "100000000"]);
    let other = start(&windows, OTHER, &["-ap", "Other", "--busy", "300"]);
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    let a = "iis.app_pool.cpu.percent/app_pool=Pool_A GAUGE";
    agrees(&peer, &agent, a, &[&first, &second]);
    within(&peer, &agent, "iis.app_pool.cpu.percent/app_pool=池_B GAUGE", 0.0..10.0);
    within(&peer, &agent, "iis.app_pool.mem.ws/app_pool=池_B GAUGE", 100e6..160e6);
    within(&peer, &agent, "iis.app_pool.mem.ws/app_pool=Pool_A GAUGE", 1e6..60e6);
    let others = series(&peer, "iis.app_pool.").into_iter().filter(|series| series.contains("Other"));
    assert_eq!(others.count(), 0);
    let sites: Vec<String> = series(&peer, "iis.site.cpu.").into_iter().collect();
    assert_eq!(sites, ["iis.site.cpu.percent/site=Shop_店 GAUGE"], "{}", agent.state());
    // A recycle: a new worker, and the old one goes.
    let third = start(&windows, WORKER, &pool_a);
    drop(first);
    agrees(&peer, &agent, a, &[&second, &third]);
    let percents = peer.items().into_iter().filter(|item| item.series() == a).map(|item| item.value);
    let jumps: Vec<f64> = percents.filter(|percent| !(0.0..=150.0).contains(percent)).collect();
    assert!(jumps.is_empty(), "{jumps:?}");
    assert_eq!(agent.terminate().code, Some(0));
    drop((second, third, idle, other));
}

/// Processor time in seconds, by Linux.
fn cpu_s(processes: &[&Process]) -> f64 {
    let ticks = |process: &&Process| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("proc(5)").1.split_ascii_whitespace().collect();
        [11, 12].map(|place| fields[place].parse::<u64>().expect("a number")).iter().sum()
    };
    let ticks: u64 = processes.iter().map(ticks).sum();
    float(ticks) / float(rustix::param::clock_ticks_per_second())
}

fn float(value: u64) -> f64 {
    f64::from(u32::try_from(value).expect("small"))
}

/// Over ten cycles of a second the percents of a pool are what Linux says of its processes, however busy the machine is. Of the
/// first and of the last cycle nobody knows how much lies between the two looks.
fn agrees(peer: &Peer, agent: &Agent, series: &str, processes: &[&Process]) {
    const CYCLES: usize = 10;
    let percents = || -> Vec<f64> {
        peer.items().into_iter().filter(|item| item.series() == series).map(|item| item.value).collect()
    };
    // The cycle after the next one has seen all of these processes twice.
    let wait_for = |count: usize| peer.wait(series, agent, || (percents().len() >= count).then_some(percents().len()));
    let begin = wait_for(percents().len() + 2);
    let before = cpu_s(processes);
    let end = wait_for(begin + CYCLES);
    let used = cpu_s(processes) - before;
    let told: f64 = percents()[begin..end].iter().sum::<f64>() / 100.0;
    let (least, most) = (used * 0.7, used * 1.3);
    assert!(used > 0.5 && (least..most).contains(&told), "{told} s told, {used} s used: {:?}", percents());
}

/// States and queues by the pool's name; requests as a sum of what each worker added, so that one that goes takes nothing.
#[test]
fn counters_of_pools_arrive() {
    let mut providers = [Provider::new(0, "WAS"), Provider::new(1, "HTTP")];
    let was = providers[0].object("APP_POOL_WAS", APP_POOL_WAS);
    let workers = providers[0].object("W3SVC_W3WP", W3SVC_W3WP);
    let queues = providers[1].object("HTTP Service Request Queues", REQUEST_QUEUES);
    let windows = Windows::new(&providers, installed);
    let pool = |name: &str, state: u64, recycles: u64| {
        // Since 100 s on a clock that stands at 700 s.
        let values = [
            ("Current Application Pool State", Value::Is(state)),
            ("Current Application Pool Uptime", Value::Is(100)),
            ("Current Worker Processes", Value::Is(2)),
            ("Total Application Pool Recycles", Value::Is(recycles)),
            ("Total Worker Process Failures", Value::Is(1)),
        ];
        was.row(name, &values)
    };
    let worker = |name: &str, requests: u64, active: u64| {
        let requests = ("Total HTTP Requests Served", Value::Is(requests));
        workers.row(name, &[requests, ("Active Requests", Value::Is(active))])
    };
    let scripted = |rows| -> Vec<Object> {
        let mut pools = was.many(vec![pool("Pool A", 3, 8), pool("Pool B", 5, 0), pool("_Total", 0, 8)]);
        pools.clock = Some((700, 1));
        vec![pools, workers.many(rows)]
    };
    let queue = |name: &str, size: u64, arrivals: u64| {
        let values = [
            ("CurrentQueueSize", Value::Is(size)),
            ("MaxQueueItemAge", Value::Is(77)),
            ("ArrivalRate", Value::Is(arrivals)),
            ("RejectedRequests", Value::Is(4)),
        ];
        queues.row(name, &values)
    };
    let rows = vec![queue("Pool A", 3, 5000), queue("Pool B", 0, 10), queue("---", 9, 9), queue("Foreign", 9, 9)];
    windows.script("HTTP", vec![queues.many(rows)]);
    windows.script(
        "WAS",
        scripted(vec![worker("1234_Pool A", 100, 2), worker("1235_Pool A", 40, 3), worker("_Total", 140, 5)]),
    );
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    arrive(
        &peer,
        &agent,
        &[
            ("iis.app_pool.state/app_pool=Pool_A GAUGE", is(3)),
            ("iis.app_pool.state/app_pool=Pool_B GAUGE", is(5)),
            ("iis.app_pool.uptime/app_pool=Pool_A GAUGE", is(600)),
            ("iis.app_pool.recycles/app_pool=Pool_A COUNTER", is(8)),
            ("iis.app_pool.worker.failures/app_pool=Pool_A COUNTER", is(1)),
            ("iis.app_pool.workers/app_pool=Pool_A GAUGE", is(2)),
            ("iis.app_pool.queue.size/app_pool=Pool_A GAUGE", is(3)),
            ("iis.app_pool.queue.arrivals/app_pool=Pool_A COUNTER", is(5000)),
            ("iis.app_pool.queue.rejected/app_pool=Pool_A COUNTER", is(4)),
            ("iis.app_pool.queue.max_age/app_pool=Pool_A GAUGE", is(77)),
            ("iis.app_pool.queue.max_age/app_pool=Pool_B GAUGE", is(0)),
            ("iis.app_pool.requests.active/app_pool=Pool_A GAUGE", is(5)),
        ],
    );
    let requests = "iis.app_pool.requests/app_pool=Pool_A COUNTER";
    let before = peer.wait("requests", &agent, || last(&peer, requests));
    let added = |count: f64| {
        peer.wait("requests", &agent, || (last(&peer, requests) == Some(before + count)).then_some(()));
    };
    // 50 and 30 more; then one worker is gone, and of one that has no process here nobody knows when its first 7 were.
    windows.script("WAS", scripted(vec![worker("1234_Pool A", 150, 2), worker("1235_Pool A", 70, 3)]));
    added(80.0);
    windows.script("WAS", scripted(vec![worker("1235_Pool A", 71, 3), worker("1300_Pool A", 7, 0)]));
    arrive(&peer, &agent, &[("iis.app_pool.requests.active/app_pool=Pool_A GAUGE", is(3))]);
    added(81.0);
    windows.script("WAS", scripted(vec![worker("1235_Pool A", 71, 3), worker("1300_Pool A", 12, 0)]));
    added(86.0);
    let queues = series(&peer, "iis.app_pool.queue.size/");
    assert!(!queues.iter().any(|series| series.contains("Foreign") || series.contains("---")), "{queues:?}");
    assert_eq!(agent.terminate().code, Some(0));
}
