//! One collector with what surrounds it: its deadline missed or not, its panics, its problems, and its way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::report::{Doing, Told};
use crate::collect::{Ceiling, Collected, Collector, Context, Cx, Plan, Spec};
use crate::isolate::Worker;
use crate::log::Repeats;
use crate::model::{Sample, Tick};

/// How often a collector that found nothing to collect is asked whether that changed.
const REOPEN: Duration = Duration::from_secs(600);
/// First and longest pause after a panic or a failed opening.
pub(super) const BACK_OFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

pub(super) type Back = (Option<Box<dyn Collector>>, Result<anyhow::Result<()>, ()>, Collected);

pub(super) enum State {
    Ready(Box<dyn Collector>),
    /// Away on a thread, its deadline passed.
    Away(oneshot::Receiver<Back>),
    /// To be opened (again) at this time.
    Closed {
        again: Instant,
        pause: Duration,
    },
}

pub(super) struct Unit {
    pub(super) spec: &'static Spec,
    pub(super) state: State,
    pub(super) ran: Option<Instant>,
    pub(super) problems: Repeats,
    pub(super) panic_pause: Duration,
    /// Samples of the last cycle: room for as many is made at once.
    pub(super) said: usize,
    /// What it says of itself.
    pub(super) told: Told,
    /// While it has something to collect.
    ceiling: Option<Ceiling>,
}

impl Unit {
    pub(super) fn new(spec: &'static Spec) -> Unit {
        let state = State::Closed { again: Instant::now(), pause: BACK_OFF.0 };
        let told = Told::new(spec.name, spec.lane);
        let (problems, panic_pause) = (Repeats::default(), BACK_OFF.0);
        Unit { spec, state, ran: None, problems, panic_pause, said: 0, told, ceiling: None }
    }

    /// The collector, if it is here or can be opened now.
    pub(super) fn take(&mut self, context: &Context) -> Option<Box<dyn Collector>> {
        if let State::Away(back) = &mut self.state {
            match back.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return None,
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
                return None;
            }
            self.open(context, pause);
        }
        let skip = State::Closed { again: Instant::now() + REOPEN, pause: BACK_OFF.0 };
        match std::mem::replace(&mut self.state, skip) {
            State::Ready(collector) => Some(collector),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn open(&mut self, context: &Context, pause: Duration) {
        let opened = catch_unwind(AssertUnwindSafe(|| (self.spec.open)(context)));
        let again = Instant::now() + REOPEN;
        self.state = match opened {
            Ok(Ok(Some(collector))) => State::Ready(collector),
            Ok(Ok(None)) => {
                self.ceiling = None;
                self.told.absent(again);
                State::Closed { again, pause: BACK_OFF.0 }
            }
            Ok(Err(error)) => {
                context.stats.collect_errors.add(1);
                let (why, again) = (format!("{error:#}"), Instant::now() + pause);
                self.problems.warn(self.spec.name, "open", &why);
                self.told.failed(Doing::Failed, "open", &why, Some(again));
                State::Closed { again, pause: (pause * 2).min(BACK_OFF.1) }
            }
            Err(_) => self.after_panic(context),
        };
    }

    pub(super) fn after_panic(&mut self, context: &Context) -> State {
        context.stats.collect_panics.add(1);
        let pause = self.panic_pause;
        self.panic_pause = (pause * 2).min(BACK_OFF.1);
        let (why, again) =
            (format!("failed by a defect; tried again in {} s", pause.as_secs()), Instant::now() + pause);
        crate::log::say!(Error, "C004", "{}: failed by a defect; tried again in {} s", self.spec.name, pause.as_secs());
        self.told.failed(Doing::Failed, "defect", &why, Some(again));
        State::Closed { again, pause }
    }

    fn put_back(&mut self, collector: Option<Box<dyn Collector>>) {
        self.state = match collector {
            Some(collector) => State::Ready(collector),
            None => {
                let again = Instant::now() + BACK_OFF.0;
                self.told.failed(Doing::Failed, "thread", "its thread is gone", Some(again));
                State::Closed { again, pause: BACK_OFF.0 }
            }
        };
    }

    /// Accounts for a finished run and answers its samples.
    pub(super) fn finish(&mut self, (collector, result, mut collected): Back, context: &Context) -> Vec<Sample> {
        match result {
            Ok(result) => {
                self.put_back(collector);
                self.panic_pause = BACK_OFF.0;
                let ceiling = self.ceiling.get_or_insert_with(|| Ceiling::new(&context.config, &context.stats));
                ceiling.apply(&mut collected, result.is_ok());
                let why = result.err().map(|error| format!("{error:#}"));
                if let Some(why) = &why {
                    context.stats.collect_errors.add(1);
                    self.problems.warn(self.spec.name, "collect", why);
                }
                context.stats.collect_errors.add(collected.problems.len());
                context.stats.not_finite.add(usize::try_from(collected.not_finite).unwrap_or(usize::MAX));
                for (what, why) in &collected.problems {
                    self.problems.warn(self.spec.name, what, why);
                }
                for (what, why) in &collected.remarks {
                    self.problems.once(self.spec.name, what, why);
                }
                // One that failed as a whole says nothing of its parts.
                let failed = why.is_some();
                self.problems.resolve(self.spec.name, |what| {
                    failed || collected.problems.iter().chain(&collected.remarks).any(|(seen, _)| seen == what)
                });
                self.said = collected.samples.len();
                let took = self.ran.map_or(0, |ran| ran.elapsed().as_millis());
                let Collected { samples, problems, remarks, .. } = collected;
                self.told.ran(u64::try_from(took).unwrap_or(u64::MAX), self.said, why, problems, remarks);
                samples
            }
            Err(()) => {
                self.state = self.after_panic(context);
                Vec::new()
            }
        }
    }
}

/// Runs the collector on a thread that may be lost; it comes back with what it said.
pub(super) fn start(
    worker: &Worker,
    collector: Box<dyn Collector>,
    tick: Tick,
    plan: Arc<Plan>,
    expected: usize,
) -> oneshot::Receiver<Back> {
    let (back, answer) = oneshot::channel();
    worker.run(move || {
        let mut collector = Some(collector);
        let mut cx = Cx::new(tick, &plan, expected);
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
