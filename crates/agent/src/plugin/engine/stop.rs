//! The end of an engine, and what the system did not end with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Engine, Event, State, lock};

impl Engine {
    /// Ends every run, and what is fetched, and waits for them until `limit`. Its task must have ended.
    pub async fn stop(self: Arc<Self>, limit: Duration) {
        let end = Instant::now() + limit;
        self.ending.store(true, SeqCst);
        lock(&self.state).registry.clear();
        while !self.is_over() {
            self.stats.plugin_running.set(lock(&self.state).registry.running());
            if timeout_at(end, self.woken.notified()).await.is_err() {
                self.tell_left();
                break;
            }
        }
        let lost = self.lost.swap(0, SeqCst);
        if lost > 0 {
            crate::log::say!(Warn, "U026", "plugins: {lost} points that waited for room in the queue are lost");
        }
        for count in [&self.stats.plugin_bound, &self.stats.plugin_left, &self.stats.plugin_running] {
            count.set(0);
        }
    }

    fn tell_left(&self) {
        let keys: Vec<String> = lock(&self.state).registry.out().take(MOST_TOLD).map(str::to_owned).collect();
        if !keys.is_empty() {
            crate::log::say!(Warn, "U021", "plugins: runs of {} do not end; they are left", keys.join(", "));
        }
        if self.fetching.load(SeqCst) {
            let dir = self.dir.display();
            crate::log::say!(Warn, "U027", "plugins: what is fetched to {dir} does not end; it is left");
        }
    }

    /// Whether nothing of one that is ended is left.
    pub fn is_over(&self) -> bool {
        let mut state = lock(&self.state);
        self.note_ends(&mut state);
        state.registry.out().next().is_none() && !self.fetching.load(SeqCst)
    }

    /// Of one that has no task any more.
    fn note_ends(&self, state: &mut State) {
        for event in std::mem::take(&mut *lock(&self.happened)) {
            if let Event::Over(number) = event {
                state.registry.over(number);
            }
        }
    }

    /// Keys of runs of engines before.
    pub(super) fn still_out(&self) -> BTreeSet<String> {
        let mut before = lock(&self.before);
        let mut keys = BTreeSet::new();
        before.retain(|engine| {
            let mut state = lock(&engine.state);
            engine.note_ends(&mut state);
            let out = keys.len();
            keys.extend(state.registry.out().map(str::to_owned));
            keys.len() > out || engine.fetching.load(SeqCst)
        });
        keys
    }

    /// Whether the directory is being changed, also by a fetch that an engine before has begun.
    pub(super) fn is_fetching(&self) -> bool {
        self.fetching.load(SeqCst) || lock(&self.before).iter().any(|engine| engine.fetching.load(SeqCst))
    }
}

/// Keys that are named.
const MOST_TOLD: usize = 10;
