//! The engine with a clock that a test moves, files that it invents, and runs that it holds.

use std::collections::BTreeSet;

use super::*;
use crate::app::Identity;
use crate::config::Config;
use crate::model::{self, Sample};
use crate::plugin::perform::End;
use crate::push::{Batch, Invalid, Left as LeftOut};
use crate::queue::{MAX_BYTES, Queue};

mod delivery;
mod fetch;
mod schedule;
mod shown;

/// What a run brings: these wait for no room.
type Brings = Arc<dyn Fn(&Plugin, &Stop) -> Performed + Send + Sync>;

/// An engine, and everything around it.
struct Rig {
    engine: Arc<Engine>,
    task: tokio::task::JoinHandle<()>,
    world: Arc<World>,
    assigned: Arc<Assigned>,
    queue: Arc<Queue>,
    stats: Arc<Stats>,
    start: Instant,
}

#[derive(Default)]
struct World {
    /// What a look finds.
    scan: Mutex<Scan>,
    looks: Mutex<usize>,
    /// Runs are kept until they are let go, looks likewise.
    hold_runs: AtomicBool,
    hold_looks: AtomicBool,
    held: Mutex<Vec<Job>>,
    /// Keys and seconds of runs, as they began.
    began: Mutex<Vec<(String, u64)>>,
    stops: Mutex<Vec<(String, Stop)>>,
    fetches: Mutex<Vec<Fetch>>,
    hold_fetches: AtomicBool,
}

fn plugin(key: &str, cycle_s: u32) -> Plugin {
    let path = key.split('(').next().unwrap_or(key).to_owned();
    let written_args = key.split_once('(').map_or("", |(_, args)| args.trim_end_matches(')')).to_owned();
    Plugin { key: key.to_owned(), path, args: Vec::new(), written_args, cycle_s, mtime_s: 1000 }
}

fn outlet_of(queue: &Arc<Queue>, assigned: &Arc<Assigned>, run: Brings) -> Outlet {
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    let config = Arc::new(config);
    let identity = Arc::new(Identity::new(&config));
    let hub = Arc::new(Hub::new(config, identity, Arc::default(), Some(queue.clone())));
    let fetch: Fetcher = Arc::new(|_, _| Ok(()));
    Outlet { hub, assigned: assigned.clone(), run: Arc::new(move |plugin, stop, _| run(plugin, stop)), fetch }
}

/// A run that brings one point, of its plugin's name.
fn point(plugin: &Plugin) -> Performed {
    let batch = Batch { samples: vec![sample(&plugin.path, 60)], ..Batch::default() };
    performed(End::Exited(0), Ok(Some(batch)))
}

fn sample(metric: &str, at: i64) -> Sample {
    Sample { endpoint: Some("h".into()), ..model::sample(metric, "", 1.0, at) }
}

fn performed(end: End, batch: Result<Option<Batch>, String>) -> Performed {
    let took = Duration::from_millis(1500);
    Performed { began_s: 1_700_000_000, took, end, stderr: String::new(), batch, remark: None }
}

impl Rig {
    fn new(at_once: usize) -> Rig {
        Rig::with(at_once, Arc::new(|plugin, _| point(plugin)))
    }

    fn with(at_once: usize, run: Brings) -> Rig {
        Rig::sized(at_once, run, MAX_BYTES)
    }

    fn sized(at_once: usize, run: Brings, queue_bytes: usize) -> Rig {
        Rig::after(at_once, run, queue_bytes, Vec::new())
    }

    /// In the place of others.
    fn after(at_once: usize, run: Brings, queue_bytes: usize, before: Vec<Arc<Engine>>) -> Rig {
        let (world, stats) = (Arc::new(World::default()), Arc::new(Stats::default()));
        let queue = Arc::new(Queue::new(stats.clone(), queue_bytes, i64::MAX / 2, None));
        let (assigned, start) = (Arc::new(Assigned::default()), Instant::now());
        let scans = world.clone();
        let scan: Scanner = Box::new(move |_| {
            *lock(&scans.looks) += 1;
            lock(&scans.scan).clone()
        });
        let fetches = world.clone();
        let fetch: Fetcher = Arc::new(move |what, _| {
            lock(&fetches.fetches).push(what);
            Ok(())
        });
        let begins = world.clone();
        let begin: Begin = Box::new(move |name, job| {
            let held = match name {
                RUNS => &begins.hold_runs,
                LOOKS => &begins.hold_looks,
                _ => &begins.hold_fetches,
            };
            if held.load(SeqCst) {
                lock(&begins.held).push(job);
            } else {
                job();
            }
            Ok(())
        });
        let drive: Drive = Box::new(|task| drop(tokio::spawn(task)));
        let hands = Hands { scan, begin, drive };
        let outlet = Outlet { fetch, ..outlet_of(&queue, &assigned, watched(&world, start, run)) };
        let engine = Engine::new("plugin".into(), at_once, hands, outlet, stats.clone(), before);
        let task = tokio::spawn(engine.clone().run());
        Rig { engine, task, world, assigned, queue, stats, start }
    }

    fn hold(&self) {
        self.world.hold_runs.store(true, SeqCst);
    }

    fn held(&self) -> usize {
        lock(&self.world.held).len()
    }

    /// Lets the oldest that is held go on, to its end.
    async fn release(&self) {
        let job = lock(&self.world.held).remove(0);
        job();
        settle().await;
    }

    /// What hbs says from now on.
    async fn bind(&self, bindings: &[&str]) {
        self.assigned.set_plugins(bindings.iter().map(|binding| (*binding).to_owned()).collect());
        settle().await;
    }

    fn files(&self, plugins: &[Plugin]) {
        *lock(&self.world.scan) = Scan { plugins: plugins.to_vec(), ..Scan::default() };
    }

    /// Waits until so many seconds after the start.
    async fn until(&self, s: u64) {
        tokio::time::sleep_until(self.start + Duration::from_secs(s)).await;
        settle().await;
    }

    fn began(&self) -> Vec<(String, u64)> {
        lock(&self.world.began).clone()
    }

    /// Seconds at which this one began.
    fn times(&self, key: &str) -> Vec<u64> {
        self.began().into_iter().filter(|(own, _)| own == key).map(|(_, s)| s).collect()
    }

    fn is_stopped(&self, key: &str) -> bool {
        lock(&self.world.stops).iter().any(|(own, stop)| own == key && stop.is_stopped())
    }

    fn json(&self, whole: bool) -> serde_json::Value {
        serde_json::to_value(self.engine.shown(whole)).unwrap()
    }

    /// Metrics in the queue, in their order.
    async fn queued(&self) -> Vec<String> {
        let block = self.queue.peek(usize::MAX, usize::MAX).await;
        let items = block.frames.iter().flat_map(|frame| (0..frame.len()).filter_map(|n| frame.item(n)));
        let metric = |item: &[u8]| {
            let item: serde_json::Value = serde_json::from_slice(item).unwrap();
            item["metric"].as_str().unwrap().to_owned()
        };
        items.map(metric).collect()
    }
}

/// Notes when runs begin: what is held begins when it is let go.
fn watched(world: &Arc<World>, start: Instant, run: Brings) -> Brings {
    let world = world.clone();
    Arc::new(move |plugin, stop| {
        lock(&world.began).push((plugin.key.clone(), (Instant::now() - start).as_secs()));
        lock(&world.stops).push((plugin.key.clone(), stop.clone()));
        run(plugin, stop)
    })
}

/// Lets every task that can go on do so, without time going by.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
