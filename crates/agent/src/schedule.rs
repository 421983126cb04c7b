//! Runs collectors: lanes of units, each unit with a deadline, panic isolation and a way back.
//!
//! * A lane asks its collectors one after the other. The collector is *moved* to a thread that may be lost
//!   ([`crate::isolate::Worker`]) and comes back with its samples; while it is away it cannot be started again.
//! * One that is not back at its deadline is given up alone: the lane goes on with a new thread, and when it does come
//!   back in a later cycle it is used again and its late samples are thrown away.
//! * A panic costs the one collector: it is dropped and opened again, after a pause that doubles.
//! * Points that are ready do not wait for a slow unit: they are handed on before the lane waits longer than a moment.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock::WallClock;
use crate::collect::{Collected, Collector, Context, Cx, Lane, Plan, Spec};
use crate::isolate::Worker;
use crate::log::Repeats;
use crate::model::{Platform, Sample, Tick};
use crate::tick::{Claim, Timetable};

/// A unit that takes longer no longer holds back what others have ready.
const MOMENT: Duration = Duration::from_millis(250);
/// How often a collector that found nothing to collect is asked whether that changed.
const REOPEN: Duration = Duration::from_secs(600);
/// First and longest pause after a panic or a failed opening.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// The longest sleep before the wall clock is looked at again: it may have been set.
const GLANCE: Duration = Duration::from_secs(10);

/// Everything that lanes share.
#[derive(Clone)]
pub struct Shared {
    pub context: Context,
    pub plan: Arc<Plan>,
    pub clock: Arc<dyn WallClock>,
    pub endpoint: String,
}

/// Where finished points go.
pub type Sink<'a> = dyn FnMut(Vec<Sample>) + Send + 'a;

type Back = (Option<Box<dyn Collector>>, Result<anyhow::Result<()>, ()>, Collected);

enum State {
    Ready(Box<dyn Collector>),
    /// Away on a thread, its deadline passed.
    Away(oneshot::Receiver<Back>),
    /// To be opened (again) at this time.
    Closed {
        again: Instant,
        pause: Duration,
    },
}

struct Unit {
    spec: &'static Spec,
    state: State,
    ran: Option<Instant>,
    problems: Repeats,
    panic_pause: Duration,
}

/// What [`Unit::take`] found.
enum Start {
    Go(Box<dyn Collector>),
    Skip,
}

impl Unit {
    fn new(spec: &'static Spec) -> Unit {
        let state = State::Closed { again: Instant::now(), pause: BACK_OFF.0 };
        Unit { spec, state, ran: None, problems: Repeats::default(), panic_pause: BACK_OFF.0 }
    }

    /// The collector, if it is here or can be opened now.
    fn take(&mut self, context: &Context) -> Start {
        if let State::Away(back) = &mut self.state {
            match back.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return Start::Skip,
                Ok((collector, result, _)) => {
                    self.ran = None;
                    match result {
                        Ok(_) => self.put_back(collector),
                        Err(()) => self.state = self.after_panic(context),
                    }
                }
                Err(oneshot::error::TryRecvError::Closed) => self.put_back(None),
            }
        }
        if let State::Closed { again, pause } = self.state {
            if Instant::now() < again {
                return Start::Skip;
            }
            self.open(context, pause);
        }
        let skip = State::Closed { again: Instant::now() + REOPEN, pause: BACK_OFF.0 };
        match std::mem::replace(&mut self.state, skip) {
            State::Ready(collector) => Start::Go(collector),
            other => {
                self.state = other;
                Start::Skip
            }
        }
    }

    fn open(&mut self, context: &Context, pause: Duration) {
        let opened = catch_unwind(AssertUnwindSafe(|| (self.spec.open)(context)));
        let again = Instant::now() + REOPEN;
        self.state = match opened {
            Ok(Ok(Some(collector))) => State::Ready(collector),
            Ok(Ok(None)) => State::Closed { again, pause: BACK_OFF.0 },
            Ok(Err(error)) => {
                context.stats.collect_errors.add(1);
                self.problems.warn(self.spec.name, "open", &format!("{error:#}"));
                State::Closed { again: Instant::now() + pause, pause: (pause * 2).min(BACK_OFF.1) }
            }
            Err(_) => self.after_panic(context),
        };
    }

    fn after_panic(&mut self, context: &Context) -> State {
        context.stats.collect_panics.add(1);
        let pause = self.panic_pause;
        self.panic_pause = (pause * 2).min(BACK_OFF.1);
        tracing::error!("{}: failed by a defect; tried again in {} s", self.spec.name, pause.as_secs());
        State::Closed { again: Instant::now() + pause, pause }
    }

    fn put_back(&mut self, collector: Option<Box<dyn Collector>>) {
        self.state = match collector {
            Some(collector) => State::Ready(collector),
            None => State::Closed { again: Instant::now() + BACK_OFF.0, pause: BACK_OFF.0 },
        };
    }

    /// Accounts for a finished run and answers its samples.
    fn finish(&mut self, (collector, result, collected): Back, context: &Context) -> Vec<Sample> {
        match result {
            Ok(result) => {
                self.put_back(collector);
                self.panic_pause = BACK_OFF.0;
                if let Err(error) = &result {
                    context.stats.collect_errors.add(1);
                    self.problems.warn(self.spec.name, "collect", &format!("{error:#}"));
                }
                context.stats.collect_errors.add(collected.problems.len());
                context.stats.not_finite.add(usize::try_from(collected.not_finite).unwrap_or(usize::MAX));
                for (what, why) in &collected.problems {
                    self.problems.warn(self.spec.name, what, why);
                }
                for (what, why) in &collected.remarks {
                    self.problems.once(self.spec.name, what, why);
                }
                let failed = result.is_err().then_some("collect");
                self.problems.resolve(self.spec.name, |what| {
                    let mut said = collected.problems.iter().chain(&collected.remarks);
                    failed == Some(what) || said.any(|(seen, _)| seen == what)
                });
                collected.samples
            }
            Err(()) => {
                self.state = self.after_panic(context);
                Vec::new()
            }
        }
    }
}

/// Collectors that share a lane and a step.
pub struct LaneTask {
    lane: Lane,
    step: u32,
    units: Vec<Unit>,
    timetable: Timetable,
    shared: Shared,
}

/// The lanes for a configuration: one for each lane and step that occurs, in a fixed order.
pub fn lanes(specs: impl IntoIterator<Item = &'static Spec>, shared: &Shared) -> Vec<LaneTask> {
    let collector = &shared.context.config.collector;
    let mut groups: BTreeMap<(Lane, u32), Vec<Unit>> = BTreeMap::new();
    for spec in specs.into_iter().filter(|spec| spec.exists_on(Platform::CURRENT)) {
        let step = collector.intervals.get(spec.name).copied().unwrap_or(shared.context.config.transfer.interval);
        groups.entry((spec.lane, step)).or_default().push(Unit::new(spec));
    }
    let task = |((lane, step), units)| LaneTask {
        lane,
        step,
        units,
        timetable: Timetable::new(&shared.endpoint, step),
        shared: shared.clone(),
    };
    groups.into_iter().map(task).collect()
}

impl LaneTask {
    /// A unit's deadline: short enough that several that hang in one cycle still leave the step.
    fn deadline(&self) -> Duration {
        let quarter = Duration::from_secs(u64::from(self.step)) / 4;
        match self.lane {
            Lane::Host => quarter.clamp(Duration::from_secs(1), Duration::from_secs(5)),
            // A df unit gives up its mounts itself after 5 s; this is for the list of mounts.
            Lane::Df => quarter.clamp(Duration::from_secs(8), Duration::from_secs(15)),
        }
    }

    /// Reads once without saying anything, where rates need an earlier reading. Answers whether there was any.
    pub async fn prime(&mut self) -> bool {
        let any = self.units.iter().any(|unit| unit.spec.rates);
        if any {
            self.cycle(0, true, &mut |_| {}).await;
        }
        any
    }

    /// One cycle in the bucket that `now` falls in; `false` when that bucket is taken.
    pub async fn run_once(&mut self, sink: &mut Sink<'_>) -> bool {
        let now = self.shared.clock.now_ms();
        match self.timetable.claim(now) {
            Claim::Taken(at) => {
                self.cycle(at, false, sink).await;
                true
            }
            Claim::NotFree => false,
        }
    }

    /// For ever: the first cycle a second after the start, then one a step.
    pub async fn run(&mut self, sink: &mut Sink<'_>) {
        if self.prime().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.run_once(sink).await;
        let mut told = false;
        loop {
            let now = self.shared.clock.now_ms();
            let withheld = self.timetable.withheld_ms(now);
            let due = self.timetable.next_ms(now);
            if withheld > 0 && !told {
                tracing::warn!(
                    "the clock stepped back; no points for {} s, until it passes the newest stamp again",
                    (due - now) / 1000
                );
            }
            told = withheld > 0;
            let wait = Duration::from_millis(u64::try_from(due - now).unwrap_or(0));
            if wait > GLANCE {
                tokio::time::sleep(GLANCE).await;
                continue;
            }
            tokio::time::sleep(wait).await;
            self.run_once(sink).await;
        }
    }

    async fn cycle(&mut self, at: i64, only_rates: bool, sink: &mut Sink<'_>) {
        let started = Instant::now();
        let deadline = self.deadline();
        let mut worker: Option<Worker> = None;
        let mut ready = Vec::new();
        for unit in &mut self.units {
            if only_rates && !unit.spec.rates {
                continue;
            }
            let Start::Go(collector) = unit.take(&self.shared.context) else { continue };
            let thread = match worker.take().map_or_else(|| Worker::spawn("collect"), Ok) {
                Ok(thread) => thread,
                Err(error) => {
                    unit.state = State::Ready(collector);
                    unit.problems.warn(unit.spec.name, "thread", &format!("cannot be started: {error}"));
                    continue;
                }
            };
            let now = Instant::now();
            let elapsed = unit.ran.replace(now).map(|ran| now - ran);
            let tick = Tick { at, step: self.step, elapsed };
            let mut answer = start(&thread, collector, tick, self.shared.plan.clone());
            let quick = tokio::time::timeout(MOMENT.min(deadline), &mut answer).await;
            let answered = match quick {
                Ok(answered) => Ok(answered),
                Err(_) => {
                    sink(std::mem::take(&mut ready));
                    tokio::time::timeout(deadline.saturating_sub(MOMENT), &mut answer).await
                }
            };
            match answered {
                Ok(Ok(back)) => {
                    ready.append(&mut unit.finish(back, &self.shared.context));
                    worker = Some(thread);
                }
                // The thread ended without an answer: nothing but a defect does that.
                Ok(Err(_)) => unit.state = unit.after_panic(&self.shared.context),
                Err(_) => {
                    self.shared.context.stats.collect_hung.add(1);
                    let why = format!("no answer in {} s; given up until it comes back", deadline.as_secs());
                    // Over when it answers in time again: one that is always late is told once.
                    unit.problems.warn(unit.spec.name, "deadline", &why);
                    unit.state = State::Away(answer);
                }
            }
        }
        if let Some(count) = self.shared.context.stats.collect_ms.get(self.lane as usize) {
            count.set(usize::try_from(started.elapsed().as_millis()).unwrap_or(usize::MAX));
        }
        sink(ready);
    }
}

fn start(worker: &Worker, collector: Box<dyn Collector>, tick: Tick, plan: Arc<Plan>) -> oneshot::Receiver<Back> {
    let (back, answer) = oneshot::channel();
    worker.run(move || {
        let mut collector = Some(collector);
        let mut cx = Cx::new(tick, &plan);
        let result = catch_unwind(AssertUnwindSafe(|| match &mut collector {
            Some(collector) => collector.collect(&mut cx),
            None => Ok(()),
        }));
        let collected = cx.finish();
        let result = match result {
            Ok(result) => Ok(result),
            Err(_) => {
                // Half-done state: its own drop may fail as well.
                let broken = collector.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                Err(())
            }
        };
        // Nobody waits any more only when the agent ends.
        let _ = back.send((collector, result, collected));
    });
    answer
}

#[cfg(test)]
mod tests;
