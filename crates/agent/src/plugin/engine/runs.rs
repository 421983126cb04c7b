//! Runs from their beginning to the queue: a thread for each, and a task that waits for room where there is none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::registry::{Stage, Start};
use super::{Engine, Event, RUNS, State, lock};
use crate::app::task;
use crate::clock;
use crate::model::Sample;
use crate::plugin::perform::{End, Performed, Stop};

/// Points that are put in the queue at once: more might find no room for ever.
const PORTION: usize = 5000;

impl Engine {
    pub(super) fn begin(self: &Arc<Self>, start: Start) {
        let engine = self.clone();
        let run = lock(&self.outlet).run.clone();
        let Start { number, plugin, stop } = start;
        let job = move || {
            let performed = catch_unwind(AssertUnwindSafe(|| run(&plugin, &stop))).ok();
            engine.tell(Event::Ran(number, performed));
        };
        if let Err(error) = (self.hands.begin)(RUNS, Box::new(job)) {
            self.tell(Event::Ran(number, Some(not_started(&format!("the system gives no thread for it: {error}")))));
        }
    }

    pub(super) fn ran(self: &Arc<Self>, state: &mut State, number: u64, mut performed: Performed) {
        // Of what is not bound any more nothing is sent.
        let Some((entry, stop)) = state.registry.ended(number) else { return };
        self.stats.plugin_runs.add(1);
        if performed.end == End::Late {
            self.stats.plugin_late.add(1);
        }
        if !entry.record.note(&entry.plugin.key, &performed) {
            self.stats.plugin_failed.add(1);
        }
        let Ok(Some(batch)) = &mut performed.batch else { return };
        self.stats.plugin_invalid.add(batch.refused_total());
        let samples = std::mem::take(&mut batch.samples);
        if !samples.is_empty() {
            entry.stage = Stage::Sending(number, samples.len(), stop.clone());
            drop(task::spawn(self.clone().deliver(number, samples, stop)));
        }
    }

    /// Puts the points of a run in the queue, as soon as there is room; unless its plugin is unbound before.
    async fn deliver(self: Arc<Self>, number: u64, mut samples: Vec<Sample>, stop: Stop) {
        // As the hub does it with a push, of which these may be several.
        samples.sort_by_key(|sample| sample.at);
        let points = samples.len();
        let mut left = samples.as_slice();
        while !left.is_empty() && !stop.is_stopped() {
            let (portion, rest) = left.split_at(left.len().min(PORTION));
            let hub = lock(&self.outlet).hub.clone();
            match hub.push(portion.to_vec(), clock::unix_s()).await {
                Ok(()) => {
                    self.stats.plugin_items.add(portion.len());
                    left = rest;
                }
                Err(full) => tokio::time::sleep(full.retry_after).await,
            }
        }
        drop(samples);
        if points > PORTION {
            falcon_sys::trim_heap();
        }
        self.tell(Event::Sent(number));
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
