//! Fetching on request: one at a time, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::oneshot;

use super::{Engine, Event, FETCHES, lock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// The newest.
    Update,
    /// As it was fetched, without what was changed here.
    Reset,
}

impl Engine {
    /// Fetches the directory's files, one request at a time; it goes on when who asked has hung up.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn fetch(self: Arc<Self>, what: Fetch) -> Result<(), String> {
        if self.ending.load(SeqCst) {
            return Err("the agent stops, or has another configuration; ask again".to_owned());
        }
        if self.is_fetching() || self.fetching.swap(true, SeqCst) {
            return Err("an update is in progress; ask again when it is done".to_owned());
        }
        let (back, answer) = oneshot::channel();
        self.fetches.fetch_add(1, SeqCst);
        let (engine, fetch) = (self.clone(), lock(&self.outlet).fetch.clone());
        let job = move || {
            let fetched = catch_unwind(AssertUnwindSafe(|| fetch(what, &engine.ending)));
            let fetched = fetched.unwrap_or_else(|_| Err("failed by a defect".to_owned()));
            match &fetched {
                Ok(()) => crate::log::say!(Info, "U019", "plugins: {} is fetched", engine.dir.display()),
                Err(why) => crate::log::say!(Warn, "U020", "plugins: nothing is changed: {why}"),
            }
            engine.fetching.store(false, SeqCst);
            engine.tell(Event::Look);
            // Who has hung up hears nothing.
            let _ = back.send(fetched);
        };
        if let Err(error) = (self.hands.begin)(FETCHES, Box::new(job)) {
            self.fetching.store(false, SeqCst);
            return Err(format!("the system gives no thread for it: {error}"));
        }
        answer.await.unwrap_or_else(|_| Err("failed by a defect".to_owned()))
    }
}
