//! What a real transfer, graph and judge make of calls, as a pure function of the items and of when they came.
//!
//! A transfer answers as soon as items are in its queues, one for each backend. Of a queue up to [`BATCH`] items at a time
//! go to one of [`WORKERS`] that hand on in parallel, each in its own time; an empty one is looked at again after [`LOOK`].
//! So what came later may arrive earlier, and then the older points of its series are dropped without a word: both
//! backends take only what is, aligned, strictly newer than the newest that they have.
//!
//! Sources: falcon-plus modules/transfer/sender (send_tasks.go), modules/graph/store, modules/judge/store, and delays
//! measured between a real transfer and graph. Time is virtual: an instant goes in with each call.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use super::items::Item;

const BATCH: usize = 200;
const WORKERS: usize = 32;
const LOOK: Duration = Duration::from_millis(50);
/// Longest way from a queue to the backend.
const DELAY: Duration = Duration::from_millis(40);
/// `minStep`: of a shorter step only one point in this time is kept.
const MIN_STEP: i64 = 30;

pub struct Model {
    names: HashMap<String, Names>,
    graph: Backend,
    judge: Backend,
}

/// A series as the backends number it.
#[derive(Clone, Copy)]
struct Names {
    graph: usize,
    judge: usize,
}

#[derive(Clone, Copy)]
struct Point {
    series: usize,
    at: i64,
    step: i64,
    value: f64,
}

/// One of the two, with the queue in front of it.
struct Backend {
    numbers: BTreeMap<String, usize>,
    series: Vec<Series>,
    queue: VecDeque<(Duration, Point)>,
    /// When the transfer looks at the queue again.
    look: Duration,
    /// When each worker that was ever used is free.
    workers: BinaryHeap<Reverse<Duration>>,
    on_way: BinaryHeap<Reverse<Arrival>>,
    sent: u64,
    random: Random,
}

#[derive(Default)]
struct Series {
    newest: Option<i64>,
    kept: Vec<(i64, f64)>,
}

/// A batch on its way; the first to arrive is the smallest.
struct Arrival {
    when: Duration,
    number: u64,
    points: Vec<Point>,
}

impl Model {
    pub fn new(seed: u64) -> Model {
        Model { names: HashMap::new(), graph: Backend::new(seed), judge: Backend::new(seed ^ u64::MAX) }
    }

    /// A call that came at an instant (from any start, never earlier than one before).
    pub fn accept(&mut self, now: Duration, items: &[Item]) {
        self.graph.run(now);
        self.judge.run(now);
        for item in items {
            let Names { graph, judge } = self.names(item);
            let point = |series| Point { series, at: item.timestamp, step: item.step, value: item.value };
            self.graph.queue.push_back((now, point(graph)));
            self.judge.queue.push_back((now, point(judge)));
        }
    }

    /// Everything that is on its way arrives.
    pub fn settle(&mut self) {
        for backend in [&mut self.graph, &mut self.judge] {
            while let Some(&(came, _)) = backend.queue.back() {
                backend.run(came.max(backend.look));
            }
            backend.deliver(Duration::MAX);
        }
    }

    /// The stamps and values that graph has of this item's series, in the order in which it took them.
    pub fn graph(&mut self, of: &Item) -> &[(i64, f64)] {
        let number = self.names(of).graph;
        &self.graph.series[number].kept
    }

    /// The same of judge, to which series that differ in step or type alone are one.
    pub fn judge(&mut self, of: &Item) -> &[(i64, f64)] {
        let number = self.names(of).judge;
        &self.judge.series[number].kept
    }

    fn names(&mut self, item: &Item) -> Names {
        let Item { endpoint, metric, step, counter_type, tags, .. } = item;
        let raw = format!("{endpoint}\0{metric}\0{tags}\0{counter_type}\0{step}");
        if let Some(names) = self.names.get(&raw) {
            return *names;
        }
        let tags = sorted(tags);
        let tags = if tags.is_empty() { tags } else { format!("/{tags}") };
        let judge = format!("{endpoint}/{metric}{tags}");
        let graph = format!("{judge}_{counter_type}_{}", step.max(&MIN_STEP));
        let names = Names { graph: self.graph.number(graph), judge: self.judge.number(judge) };
        self.names.insert(raw, names);
        names
    }
}

/// Tags as the transfer joins them again: without blanks, by name, the last of a name.
fn sorted(tags: &str) -> String {
    let tags = tags.replace(' ', "");
    let pairs: BTreeMap<&str, &str> = tags.split(',').filter_map(|part| part.split_once('=')).collect();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

impl Backend {
    fn new(seed: u64) -> Backend {
        let mut random = Random(seed);
        let look = random.up_to(LOOK);
        let (numbers, series, queue, workers, on_way, sent) = Default::default();
        Backend { numbers, series, queue, look, workers, on_way, sent, random }
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.series.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.series.push(Series::default());
        }
        number
    }

    /// Everything that the transfer does until an instant.
    fn run(&mut self, until: Duration) {
        while self.look <= until {
            let ready = self.queue.iter().take(BATCH).take_while(|(came, _)| *came <= self.look).count();
            if ready == 0 {
                // Many looks in vain at once; they keep their beat.
                let next = self.queue.front().map_or(until, |(came, _)| (*came).min(until));
                let looks = next.saturating_sub(self.look).as_nanos() / LOOK.as_nanos() + 1;
                self.look += LOOK * u32::try_from(looks).expect("years");
                continue;
            }
            if self.workers.len() == WORKERS {
                let Reverse(free) = self.workers.pop().expect("there are some");
                self.look = self.look.max(free);
            }
            let when = self.look + self.random.up_to(DELAY);
            self.workers.push(Reverse(when));
            let points = self.queue.drain(..ready).map(|(_, point)| point).collect();
            self.on_way.push(Reverse(Arrival { when, number: self.sent, points }));
            self.sent += 1;
            self.deliver(self.look);
        }
    }

    fn deliver(&mut self, until: Duration) {
        while self.on_way.peek().is_some_and(|Reverse(first)| first.when <= until) {
            let Reverse(arrival) = self.on_way.pop().expect("there is one");
            for point in arrival.points {
                let aligned = point.at - point.at.rem_euclid(point.step.max(MIN_STEP));
                let series = &mut self.series[point.series];
                if series.newest.is_none_or(|newest| newest < aligned) {
                    series.newest = Some(aligned);
                    series.kept.push((point.at, point.value));
                }
            }
        }
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Arrival) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Arrival) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Arrival) -> std::cmp::Ordering {
        (self.when, self.number).cmp(&(other.when, other.number))
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(most.as_micros()).expect("short") + 1))
    }
}
