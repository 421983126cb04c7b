//! Looks at the directory, each on a thread of its own, and what is made of what they find.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Engine, Event, LOOKS, Scan, State, lock};

impl Engine {
    pub(super) fn look(self: &Arc<Self>, bindings: Arc<Vec<String>>, fetches: u64) {
        let engine = self.clone();
        let job = move || {
            let found = catch_unwind(AssertUnwindSafe(|| (engine.hands.scan)(&bindings))).ok();
            engine.tell(Event::Found(bindings, fetches, found));
        };
        if let Err(error) = (self.hands.begin)(LOOKS, Box::new(job)) {
            crate::log::say!(Warn, "U018", "plugins: no thread to look at the directory: {error}; tried again");
            // Not at once: it is looked at again at its time.
            lock(&self.state).looking = None;
        }
    }

    pub(super) fn found(&self, state: &mut State, scan: Scan, now: Instant) {
        let (plugins, left) = (scan.plugins.len(), scan.left.len());
        state.left = scan.left;
        state.told.away(scan.away.as_deref(), &self.dir);
        if scan.away.is_some() {
            // That says nothing of what is in it, which keeps its periods: a share comes back, an update changes directories.
            return;
        }
        state.told.place(scan.unsafe_place.as_deref());
        if scan.unsafe_place.is_none() {
            state.told.left(&state.left, &state.bindings);
        }
        if state.registry.register(now, scan.plugins) {
            crate::log::say!(
                Info,
                "U017",
                "plugins: {plugins} run in their periods; {left} files or bindings do not (/plugins tells why)"
            );
        }
    }
}
