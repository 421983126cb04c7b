//! The real queue and sender between a virtual world of faults and the model.
//!
//! A case is a row of events: points come, the transfer changes how it behaves, the disk fails and recovers, the agent is
//! stopped or killed and started again on the same directory. At the end the transfer is well, everything drains, and graph
//! and judge must hold every point that the promise covers: all but those that were in memory for less than a second when
//! the agent was killed.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use falcon_agent::config::Config;
use falcon_agent::falcon::connection::{Connecting, Named, Servers, Stream};
use falcon_agent::falcon::transfer::{Leave, Sender};
use falcon_agent::falcon::wire::encode;
use falcon_agent::model::{Finite, Kind, Sample, Tags};
use falcon_agent::queue::storage::Storage;
use falcon_agent::queue::{Disk, MAX_BYTES, Open, Queue, directory};
use falcon_agent::stats::Stats;
use proptest::prelude::*;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::items::Item;
use crate::model::Model;

const SERIES: usize = 12;
const STEP: i64 = 60;
const START: i64 = 1_795_363_200;
/// Longer than any backlog here takes.
const DRAIN: Duration = Duration::from_secs(24 * 3600);

/// How the transfer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    Well,
    Refuses,
    /// Takes connections and calls, and never answers.
    Silent,
    /// Takes a call, hands its points on, and closes: the only case in which points may come twice.
    LosesReplies,
    /// Closes in the middle of a call, which it throws away.
    Breaks,
    Babbles,
    /// Answers to another call.
    Confused,
    Slow,
}

const MODES: [Mode; 8] = [
    Mode::Well,
    Mode::Refuses,
    Mode::Silent,
    Mode::LosesReplies,
    Mode::Breaks,
    Mode::Babbles,
    Mode::Confused,
    Mode::Slow,
];

#[derive(Clone, Debug)]
enum Event {
    /// So many cycles, a step apart.
    Cycles(u8),
    /// So many cycles at once, as a program that catches up pushes them.
    Burst(u8),
    Turn(Mode),
    /// Points are lost in memory alone when the disk fails and the agent is killed: only a stop follows it.
    DiskFails,
    DiskRecovers,
    Wait(u16),
    Kill,
    Stop,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1u8..5).prop_map(Event::Cycles),
        2 => (1u8..60).prop_map(Event::Burst),
        4 => prop::sample::select(&MODES[..]).prop_map(Event::Turn),
        1 => Just(Event::DiskFails),
        1 => Just(Event::DiskRecovers),
        2 => (0u16..5000).prop_map(Event::Wait),
        1 => Just(Event::Kill),
        1 => Just(Event::Stop),
    ]
}

struct World {
    mode: AtomicU8,
    disk_fails: Arc<AtomicBool>,
    model: Mutex<Model>,
    start: Instant,
    /// Items as they came, with the number of the call.
    arrived: Mutex<Vec<Item>>,
    replies_lost: AtomicBool,
}

impl World {
    fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(Relaxed))]
    }

    fn connect(self: &Arc<World>) -> Connecting {
        if self.mode() == Mode::Refuses {
            return Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())));
        }
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let world = self.clone();
        tokio::spawn(async move { drop(world.serve(theirs).await) });
        Box::pin(std::future::ready(Ok(Box::new(ours) as Stream)))
    }

    async fn serve(&self, stream: DuplexStream) -> io::Result<()> {
        let (read, mut write) = tokio::io::split(stream);
        let mut lines = BufReader::new(read).lines();
        while let Some(line) = lines.next_line().await? {
            let call: Value = serde_json::from_str(&line)?;
            let mode = self.mode();
            match mode {
                Mode::Breaks | Mode::Refuses => return Ok(()),
                Mode::Silent => continue,
                Mode::Babbles => return write.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
                Mode::Slow => tokio::time::sleep(Duration::from_secs(4)).await,
                Mode::Well | Mode::LosesReplies | Mode::Confused => {}
            }
            let total = call["params"][0].as_array().map_or(0, Vec::len);
            if total > 0 {
                let items = Item::parse_all(&call["params"][0]);
                self.model.lock().unwrap().accept(self.start.elapsed(), &items);
                self.arrived.lock().unwrap().extend(items);
            }
            let id = match mode {
                Mode::LosesReplies | Mode::Confused => {
                    self.replies_lost.store(true, Relaxed);
                    if mode == Mode::LosesReplies {
                        return Ok(());
                    }
                    7_777_777
                }
                _ => call["id"].as_u64().expect("an id"),
            };
            let answer = format!(
                "{{\"id\":{id},\"result\":{{\"code\":0,\"Message\":\"ok\",\"Total\":{total},\"Invalid\":0,\"Latency\":0}},\"error\":null}}\n"
            );
            write.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }
}

/// A directory whose disk can be full.
struct Flaky {
    inner: Box<dyn Storage>,
    fails: Arc<AtomicBool>,
}

impl Flaky {
    fn works(&self) -> io::Result<()> {
        if self.fails.load(Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Storage for Flaky {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.inner.list()
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(name, at, into)
    }

    fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.works()?;
        self.inner.append(name, at, bytes)
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.works()?;
        self.inner.replace(name, bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
}

fn flaky(dir: PathBuf, fails: Arc<AtomicBool>) -> Open {
    let mut open = directory(dir);
    Box::new(move |make| {
        let inner = open(make)?;
        Ok(inner.map(|inner| Box::new(Flaky { inner, fails: fails.clone() }) as Box<dyn Storage>))
    })
}

/// One life of the agent.
struct Agent {
    queue: Arc<Queue>,
    leave: watch::Sender<Leave>,
    sender: JoinHandle<()>,
    keeper: JoinHandle<()>,
}

impl Agent {
    fn start(world: &Arc<World>, dir: PathBuf, seed: u64) -> Agent {
        let stats = Arc::<Stats>::default();
        let age = i64::MAX / 4;
        let disk = Disk::inline(flaky(dir, world.disk_fails.clone()), 64 << 20, age, stats.clone());
        let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, age, Some(disk)));
        let mut config = Config::standalone().transfer;
        (config.interval, config.replay_speed) = (60, [0, 10][usize::try_from(seed % 2).unwrap()]);
        let dialled = world.clone();
        let connect = Arc::new(move |_| dialled.connect());
        let servers = Servers::over(vec!["127.0.0.1:8433".to_owned()], connect, Box::new(Named("transfer")));
        let (leave, left) = watch::channel(Leave::Stay);
        let sender = tokio::spawn(Sender::over(servers, &config, queue.clone(), stats).run(left));
        let kept = queue.clone();
        let keeper = tokio::spawn(async move { kept.keep().await });
        Agent { queue, leave, sender, keeper }
    }

    /// As the agent does it at SIGTERM; answers how many points are lost.
    async fn stop(mut self) -> usize {
        let _ = self.leave.send(Leave::SendAll);
        if tokio::time::timeout(Duration::from_secs(2), &mut self.sender).await.is_err() {
            self.sender.abort();
            let _ = self.sender.await;
        }
        let (_, lost) = self.queue.close().await;
        self.keeper.abort();
        let _ = self.keeper.await;
        lost
    }

    /// Nothing of it gets to run any more.
    async fn kill(self) {
        self.sender.abort();
        self.keeper.abort();
        let _ = (self.sender.await, self.keeper.await);
    }
}

struct Case {
    world: Arc<World>,
    dir: tempfile::TempDir,
    agent: Option<Agent>,
    seed: u64,
    cycle: i64,
    /// When each cycle was taken in; those that a kill may have cost are removed.
    taken: BTreeMap<i64, Instant>,
    maybe: Vec<i64>,
}

impl Case {
    fn new(seed: u64) -> Case {
        let world = Arc::new(World {
            mode: AtomicU8::new(0),
            disk_fails: Arc::default(),
            model: Mutex::new(Model::new(seed)),
            start: Instant::now(),
            arrived: Mutex::default(),
            replies_lost: AtomicBool::new(false),
        });
        let dir = tempfile::tempdir().unwrap();
        let mut case = Case { world, dir, agent: None, seed, cycle: 0, taken: BTreeMap::new(), maybe: Vec::new() };
        case.start();
        case
    }

    fn start(&mut self) {
        self.agent = Some(Agent::start(&self.world, self.dir.path().join("queue"), self.seed));
    }

    fn cycle(&mut self) {
        self.cycle += 1;
        let at = START + STEP * self.cycle;
        let sample = |n: usize| Sample {
            metric: format!("m{n}").into(),
            tags: Tags::raw(""),
            value: Finite::new(1.0).unwrap(),
            kind: Kind::Gauge,
            at,
            step: STEP,
            endpoint: None,
        };
        let samples: Vec<Sample> = (0..SERIES).map(sample).collect();
        self.agent.as_ref().unwrap().queue.append(encode(&samples, "h", 0));
        self.taken.insert(at, Instant::now());
    }

    async fn run(&mut self, event: &Event) {
        match event {
            Event::Cycles(count) => {
                for _ in 0..*count {
                    self.cycle();
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
            Event::Burst(count) => (0..*count).for_each(|_| self.cycle()),
            Event::Turn(mode) => self.world.mode.store(*mode as u8, Relaxed),
            Event::DiskFails => self.world.disk_fails.store(true, Relaxed),
            Event::DiskRecovers => {
                self.world.disk_fails.store(false, Relaxed);
                tokio::time::sleep(Duration::from_secs(62)).await;
            }
            Event::Wait(ms) => tokio::time::sleep(Duration::from_millis(u64::from(*ms))).await,
            Event::Kill if self.world.disk_fails.load(Relaxed) => {}
            Event::Kill => {
                let now = Instant::now();
                let last = self.taken.iter().rev().take_while(|(_, taken)| now - **taken <= Duration::from_secs(1));
                self.maybe.extend(last.map(|(at, _)| *at));
                self.agent.take().unwrap().kill().await;
                self.start();
            }
            Event::Stop if self.world.disk_fails.load(Relaxed) => {}
            Event::Stop => {
                assert_eq!(self.agent.take().unwrap().stop().await, 0, "a stop loses nothing");
                self.start();
            }
        }
    }

    async fn finish(&mut self) {
        self.world.mode.store(Mode::Well as u8, Relaxed);
        self.world.disk_fails.store(false, Relaxed);
        let queue = self.agent.as_ref().unwrap().queue.clone();
        let start = Instant::now();
        while queue.items() > 0 {
            assert!(start.elapsed() < DRAIN, "{} points are stuck", queue.items());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let mut model = self.world.model.lock().unwrap();
        model.settle();
        let arrived = self.world.arrived.lock().unwrap();
        let Some(first) = arrived.first().cloned() else {
            assert!(self.taken.keys().all(|at| self.maybe.contains(at)), "nothing arrived");
            return;
        };
        for n in 0..SERIES {
            let item = Item { metric: format!("m{n}"), ..first.clone() };
            for (who, kept) in [("graph", model.graph(&item).to_vec()), ("judge", model.judge(&item).to_vec())] {
                let kept: Vec<i64> = kept.into_iter().map(|(at, _)| at).collect();
                let missing: Vec<_> =
                    self.taken.keys().filter(|at| !kept.contains(at) && !self.maybe.contains(at)).collect();
                assert!(missing.is_empty(), "{who} misses {missing:?} of m{n}");
            }
        }
    }
}

fn run(seed: u64, events: &[Event]) -> Vec<Item> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut case = Case::new(seed);
        for event in events {
            case.run(event).await;
        }
        case.finish().await;
        let arrived = case.world.arrived.lock().unwrap().clone();
        let repeats = arrived.len()
            - arrived.iter().map(|i| (&i.metric, i.timestamp)).collect::<std::collections::BTreeSet<_>>().len();
        let restarted = events.iter().any(|event| matches!(event, Event::Kill | Event::Stop));
        if !case.world.replies_lost.load(Relaxed)
            && !restarted
            && !events.iter().any(|e| matches!(e, Event::Turn(Mode::Silent)))
        {
            assert_eq!(repeats, 0, "points came twice, and every reply had arrived");
        }
        arrived
    })
}

#[test]
fn an_outage_of_a_day_is_replayed_whole() {
    let events: Vec<Event> = [Event::Cycles(2), Event::Turn(Mode::Refuses)]
        .into_iter()
        .chain(std::iter::repeat_n(Event::Cycles(60), 24))
        .chain([Event::Turn(Mode::Well), Event::Cycles(5)])
        .collect();
    for seed in [0, 1] {
        assert!(run(seed, &events).len() >= 1447 * SERIES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("FALCON_LONG").is_some() { 2000 } else { 60 }))]

    #[test]
    fn whatever_happens_graph_and_judge_hold_what_was_taken_in(
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..25),
    ) {
        run(seed, &events);
    }
}
