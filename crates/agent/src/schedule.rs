//! Runs collectors: lanes of units, each unit with a deadline, panic isolation and a way back.
//!
//! * A lane asks its collectors one after the other. The collector is *moved* to a thread that may be lost
//!   ([`crate::isolate::Worker`]) and comes back with its samples; while it is away it cannot be started again.
//! * One that is not back at its deadline is given up alone: the lane goes on with a new thread, and when it does come
//!   back in a later cycle it is used again and its late samples are thrown away.
//! * A panic costs the one collector: it is dropped and opened again, after a pause that doubles.
//! * While the clock is in doubt cycles go on, for rates need them, and their points are held; see [`stamps`].
//! * Points that are ready do not wait for a slow unit: they are handed on before the lane waits longer than a moment.
//! * With another configuration other lanes stand in the place of these: no stamp is given twice, what is held is held on
//!   ([`mark`]), and a cycle that was broken off either gives out what it has or did not happen.

mod mark;
mod report;
mod stamps;
mod unit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{AgentClock, Now};
use crate::collect::{Context, DU_DEADLINE, Lane, PROBE_DEADLINE, Plan, url_deadline};
use crate::isolate::Worker;
use crate::model::{Sample, Tick};
use crate::tick::{MAX_WITHHOLD_MS, Timetable};
pub use mark::{Mark, Places, lanes, lanes_after, places};
pub use report::{Doing, Notes, Report, Reports};
use stamps::{Place, Stamps};
use unit::{State, Unit, start};

/// A unit that takes longer no longer holds back what others have ready.
const MOMENT: Duration = Duration::from_millis(250);
/// The longest sleep before the wall clock is looked at again: it may have been set.
const GLANCE: Duration = Duration::from_secs(10);

/// Everything that lanes share.
#[derive(Clone)]
pub struct Shared {
    pub context: Context,
    pub plan: Arc<Plan>,
    pub clock: Arc<AgentClock>,
    pub endpoint: String,
    /// A lane has told that the clock stepped back; the others need not.
    pub clock_told: Arc<AtomicBool>,
}

/// Where finished points go.
pub type Sink<'a> = dyn FnMut(Vec<Sample>) + Send + 'a;

/// Collectors that share a lane and a step.
pub struct LaneTask {
    lane: Lane,
    step: u32,
    units: Vec<Unit>,
    stamps: Stamps,
    /// Outlives the task that runs the lane.
    under_way: Option<UnderWay>,
    /// This lane has told that the clock stepped back.
    told: bool,
    /// It stands in the place of another: its first cycle waits for its time, so that rates are means over more than a
    /// moment.
    resumed: bool,
    shared: Shared,
}

/// A cycle that is not through.
struct UnderWay {
    place: Place,
    now: Now,
    /// Before it took its bucket.
    before: Timetable,
    ready: Vec<Sample>,
    /// Some of its points are out.
    given: bool,
}

impl UnderWay {
    /// What is held goes nowhere yet.
    fn give(&mut self, sink: &mut Sink<'_>) {
        if matches!(self.place, Place::Stamped(_)) && !self.ready.is_empty() {
            self.given = true;
            sink(std::mem::take(&mut self.ready));
        }
    }
}

impl LaneTask {
    /// A unit's deadline: short enough that several that hang in one cycle still leave the step.
    fn deadline(&self) -> Duration {
        let quarter = Duration::from_secs(u64::from(self.step)) / 4;
        match self.lane {
            Lane::Host => quarter.clamp(Duration::from_secs(1), Duration::from_secs(5)),
            // A df unit gives up its mounts itself after 5 s; this is for the list of mounts.
            Lane::Df => quarter.clamp(Duration::from_secs(8), Duration::from_secs(15)),
            // A drive, and a server that does not answer, are given up after 5 s by their unit.
            Lane::Disk | Lane::Ntp => quarter.clamp(Duration::from_secs(8), Duration::from_secs(15)),
            // Alone in its lane, and given up after 10 s by its unit.
            Lane::Service => quarter.clamp(Duration::from_secs(12), Duration::from_secs(15)),
            // No query begins after the time of one (`collect::budget`). The last one may wait for its turn, and for the process
            // that asks to start, before it takes its own.
            Lane::Iis | Lane::Mssql | Lane::Custom => {
                let query = Duration::from_secs(self.shared.context.config.perf.timeout.into());
                3 * query + Duration::from_secs(15)
            }
            // Alone in its lane. Walks end by themselves, and what hangs is given up, before this.
            Lane::Du => DU_DEADLINE + Duration::from_secs(5),
            // Names and addresses are given up by the unit before this; three such units are through within a minute.
            Lane::Probe => PROBE_DEADLINE,
            // Alone in its lane. Every request ends before this.
            Lane::Url => url_deadline(self.step) + Duration::from_secs(5),
            // Alone in its lane. A driver that no other program keeps awake wakes each device for some seconds.
            Lane::Gpu => (2 * quarter).clamp(Duration::from_secs(5), Duration::from_secs(30)),
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

    /// One cycle in the bucket that the time falls in; `false` when that bucket is taken.
    pub async fn run_once(&mut self, sink: &mut Sink<'_>) -> bool {
        let now = self.look(sink);
        let before = self.stamps.timetable().clone();
        let Some(place) = self.stamps.claim(now) else { return false };
        self.under_way = Some(UnderWay { place, now, before, ready: Vec::new(), given: false });
        let (Place::Stamped(at) | Place::Held(at)) = place;
        self.cycle(at, false, sink).await;
        self.end(sink);
        true
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        let Some(UnderWay { place, now, ready, .. }) = self.under_way.take() else { return };
        match place {
            Place::Stamped(_) => sink(ready),
            Place::Held(at) => self.stamps.keep(at, now, ready, &self.shared.context.stats),
        }
    }

    /// Ends a cycle that nobody goes on with: one that brought nothing took no bucket, and another may measure it.
    fn break_off(&mut self, sink: &mut Sink<'_>) {
        let fruitless = |cycle: &mut UnderWay| !cycle.given && cycle.ready.is_empty();
        if let Some(cycle) = self.under_way.take_if(fruitless) {
            *self.stamps.timetable() = cycle.before;
        }
        self.end(sink);
    }

    /// For ever: the first cycle a second after the start, then one a step.
    pub async fn run(&mut self, sink: &mut Sink<'_>) {
        // Of a task that failed by a defect.
        self.break_off(sink);
        if self.prime().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let now = self.look(sink).at_ms;
        if !std::mem::take(&mut self.resumed) || self.stamps.timetable().is_due(now) {
            self.run_once(sink).await;
        }
        loop {
            let wait = self.wait(sink);
            tokio::time::sleep(wait.min(GLANCE)).await;
            if wait <= GLANCE {
                self.run_once(sink).await;
            }
        }
    }

    /// How long it is to the next cycle, as the clock stands now.
    fn wait(&mut self, sink: &mut Sink<'_>) -> Duration {
        let now = self.look(sink).at_ms;
        let timetable = self.stamps.timetable();
        let withheld = timetable.withheld_ms(now);
        let due = timetable.next_ms(now);
        if withheld == 0 && self.told {
            self.shared.clock_told.store(false, Relaxed);
        }
        if withheld > 0 && !self.told && !self.shared.clock_told.swap(true, Relaxed) {
            tell_step_back(withheld, due - now);
        }
        self.told = withheld > 0;
        Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
    }

    /// Gives out what is held as the clock stands, in doubt or not: the agent ends, and will know no better.
    pub fn let_go(&mut self, sink: &mut Sink<'_>) {
        self.break_off(sink);
        self.stamps.let_go(self.shared.clock.look(), &self.shared.context.stats, sink);
    }

    fn look(&mut self, sink: &mut Sink<'_>) -> Now {
        let now = self.shared.clock.look();
        self.stamps.settle(now, &self.shared.context.stats, sink);
        now
    }

    async fn cycle(&mut self, at: i64, only_rates: bool, sink: &mut Sink<'_>) {
        let started = Instant::now();
        let deadline = self.deadline();
        let mut worker: Option<Worker> = None;
        let mut asked = 0;
        for unit in &mut self.units {
            if only_rates && !unit.spec.rates {
                continue;
            }
            let Some(collector) = unit.take(&self.shared.context) else { continue };
            let thread = match worker.take().map_or_else(|| Worker::spawn("collect"), Ok) {
                Ok(thread) => thread,
                Err(error) => {
                    unit.state = State::Ready(collector);
                    let why = format!("cannot be started: {error}");
                    unit.problems.warn(unit.spec.name, "thread", &why);
                    unit.told.failed(Doing::Failed, "thread", &why, None);
                    continue;
                }
            };
            asked += 1;
            let now = Instant::now();
            let elapsed = unit.ran.replace(now).map(|ran| now - ran);
            let tick = Tick { at, step: self.step, elapsed };
            let mut answer = start(&thread, collector, tick, self.shared.plan.clone(), unit.said);
            let quick = tokio::time::timeout(MOMENT.min(deadline), &mut answer).await;
            let answered = match quick {
                Ok(answered) => Ok(answered),
                Err(_) => {
                    if let Some(cycle) = &mut self.under_way {
                        cycle.give(sink);
                    }
                    tokio::time::timeout(deadline.saturating_sub(MOMENT), &mut answer).await
                }
            };
            match answered {
                Ok(Ok(back)) => {
                    let mut samples = unit.finish(back, &self.shared.context);
                    if let Some(cycle) = &mut self.under_way {
                        cycle.ready.append(&mut samples);
                    }
                    worker = Some(thread);
                }
                // The thread ended without an answer: nothing but a defect does that.
                Ok(Err(_)) => unit.state = unit.after_panic(&self.shared.context),
                Err(_) => {
                    self.shared.context.stats.collect_hung.add(1);
                    let why = format!("no answer in {} s; given up until it comes back", deadline.as_secs());
                    // Over when it answers in time again: one that is always late is told once.
                    unit.problems.warn(unit.spec.name, "deadline", &why);
                    unit.told.failed(Doing::Hung, "deadline", &why, None);
                    unit.state = State::Away(answer);
                }
            }
        }
        let stats = &self.shared.context.stats;
        if let Some(count) = stats.collect_ms.get(self.lane as usize) {
            count.set(usize::try_from(started.elapsed().as_millis()).unwrap_or(usize::MAX));
        }
        if let Some(count) = stats.collect_asked.get(self.lane as usize) {
            count.add(asked);
        }
    }
}

fn tell_step_back(behind_ms: i64, wait_ms: i64) {
    let behind_s = behind_ms / 1000;
    if behind_ms > MAX_WITHHOLD_MS {
        crate::log::say!(
            Warn,
            "K009",
            "the clock is {behind_s} s behind the newest stamp; it is believed, but servers drop points until it is past that"
        );
    } else {
        let wait_s = wait_ms / 1000;
        crate::log::say!(
            Warn,
            "K010",
            "the clock stepped back; no points for {wait_s} s, until it passes the newest stamp again"
        );
    }
}

#[cfg(test)]
mod reloads;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod tests;
