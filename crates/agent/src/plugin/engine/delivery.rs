//! The way of a run's points into the queue, on the thread of the run: it waits there for room, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::{Engine, Event, lock};
use crate::clock;
use crate::hub::Origin;
use crate::model::Sample;
use crate::plugin::perform::Stop;
use crate::stats::Lost;

/// Points that are put in the queue at once: more might find no room for ever.
const PORTION: usize = 5000;
/// Bytes of an output, some hundred points, that are decoded without a turn.
const SHORT: usize = 64 * 1024;
/// Between two looks at whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(50);

/// Tells, whatever happens, that a run is over.
pub(super) struct Over(pub Arc<Engine>, pub u64);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.tell(Event::Over(self.1));
    }
}

/// One of the points of a run, and what they wait with.
pub(super) struct Delivery {
    pub samples: Vec<Sample>,
    pub stop: Stop,
    /// Of a long output.
    pub turn: Option<OwnedSemaphorePermit>,
    pub over: Over,
}

impl Engine {
    /// Waits for the turn of an output of so many bytes; `Err`: it is not wanted any more.
    pub(super) fn turn_of(&self, bytes: usize, stop: &Stop) -> Result<Option<OwnedSemaphorePermit>, ()> {
        if bytes <= SHORT {
            return Ok(None);
        }
        while !stop.is_stopped() {
            if let Ok(turn) = self.long.clone().try_acquire_owned() {
                return Ok(Some(turn));
            }
            thread::sleep(GLANCE);
        }
        Err(())
    }

    /// Puts the points of a run in the queue, as soon as there is room; unless its plugin is unbound before.
    pub(super) async fn deliver(self: Arc<Self>, delivery: Delivery) {
        let Delivery { mut samples, stop, turn, over } = delivery;
        // As the hub does it with a push, of which these may be several.
        samples.sort_by_key(|sample| sample.at);
        let points = samples.len();
        let mut left = samples.as_slice();
        let hub = || lock(&self.outlet).hub.clone();
        while !left.is_empty() && !stop.is_stopped() {
            let (portion, rest) = left.split_at(left.len().min(PORTION));
            match hub().push_as(Origin::Plugin, portion.to_vec(), clock::unix_s()).await {
                Ok(()) => {
                    self.stats.plugin_items.add(portion.len());
                    left = rest;
                }
                Err(full) => {
                    let again = Instant::now() + full.retry_after;
                    while Instant::now() < again && !stop.is_stopped() {
                        sleep(GLANCE).await;
                    }
                }
            }
        }
        // What is no longer bound is not wanted; what the agent ends is lost.
        if !left.is_empty() && self.ending.load(SeqCst) && hub().queue().is_some() {
            self.stats.lose(Lost::Stop, left.len());
            self.lost.fetch_add(left.len(), SeqCst);
        }
        drop(samples);
        if points > PORTION {
            falcon_sys::trim_heap();
        }
        drop((turn, over));
    }
}
