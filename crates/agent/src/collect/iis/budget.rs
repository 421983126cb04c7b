//! The time that a collector has for its queries in one cycle; what does not fit in is not asked.
//!
//! The lane gives a run up that takes longer than two queries and a few seconds. What counts is how long the queries took and
//! not how they ended: one may first have waited for its turn, and a slow answer takes its time as one that never came.

use std::time::{Duration, Instant};

use crate::config::Config;

/// Why something is not asked.
pub(super) const SPENT: &str = "not asked in this cycle, as others took all its time";

/// A query that had no answer is over a little after its time. The lane waits for longer.
const MARGIN: Duration = Duration::from_secs(1);

pub(super) struct Budget {
    /// What one query may take.
    query: Duration,
    clock: Box<dyn Fn() -> Duration + Send>,
    began: Duration,
}

impl Budget {
    pub(super) fn new(config: &Config) -> Budget {
        let made = Instant::now();
        Budget::by(config, Box::new(move || made.elapsed()))
    }

    pub(super) fn by(config: &Config, clock: Box<dyn Fn() -> Duration + Send>) -> Budget {
        Budget { query: Duration::from_secs(config.perf.timeout.into()), clock, began: Duration::ZERO }
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.began = (self.clock)();
    }

    /// Whether one more query fits in, however long it takes.
    pub(super) fn has_room(&self) -> bool {
        (self.clock)().saturating_sub(self.began) <= self.query + MARGIN
    }
}
