//! Runs from their beginning to what they have printed, each on a thread of its own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::delivery::{Delivery, Over};
use super::registry::Start;
use super::{Engine, Event, RUNS, State, lock};
use crate::clock;
use crate::plugin::perform::{End, Performed};

impl Engine {
    pub(super) fn begin(self: &Arc<Self>, start: Start) {
        let (engine, number) = (self.clone(), start.number);
        if let Err(error) = (self.hands.begin)(RUNS, Box::new(move || engine.perform(start))) {
            let why = format!("the system gives no thread for it: {error}");
            self.tell(Event::Ran(number, not_started(&why), 0));
            self.tell(Event::Over(number));
        }
    }

    fn perform(self: &Arc<Self>, start: Start) {
        let Start { number, plugin, stop } = start;
        let (over, turn) = (Over(self.clone(), number), Cell::new(None));
        let room = |bytes| self.turn_of(bytes, &stop).map(|own| turn.set(own)).is_ok();
        let run = lock(&self.outlet).run.clone();
        let performed = catch_unwind(AssertUnwindSafe(|| run(&plugin, &stop, &room)));
        let mut performed =
            performed.unwrap_or_else(|_| not_started("failed by a defect; see A013 in the agent's log"));
        let samples = match &mut performed.batch {
            Ok(Some(batch)) => std::mem::take(&mut batch.samples),
            _ => Vec::new(),
        };
        self.tell(Event::Ran(number, performed, samples.len()));
        if !samples.is_empty() {
            let delivery = Delivery { samples, turn: turn.take(), stop, over };
            (self.hands.drive)(Box::pin(self.clone().deliver(delivery)));
        }
    }

    pub(super) fn ran(&self, state: &mut State, number: u64, performed: &Performed, points: usize, now: Instant) {
        // Of what is not bound any more nothing is sent, and nothing noted.
        let Some(entry) = state.registry.ran(number, points > 0) else { return };
        self.stats.plugin_runs.add(1);
        if performed.end == End::Late {
            self.stats.plugin_late.add(1);
        }
        if !entry.record.note(&entry.plugin.key, performed, points, now) {
            self.stats.plugin_failed.add(1);
        }
        if let Ok(Some(batch)) = &performed.batch {
            self.stats.plugin_invalid.add(batch.refused_total());
        }
    }
}

/// A run that never was.
pub fn not_started(why: &str) -> Performed {
    Performed {
        began_s: clock::unix_s(),
        took: Duration::ZERO,
        end: End::NotStarted(why.to_owned()),
        stderr: String::new(),
        batch: Err(why.to_owned()),
        remark: None,
    }
}
