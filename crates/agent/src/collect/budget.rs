//! How many queries of counters fit into a cycle of their lane.
//!
//! The schedule gives a collector the time of three queries and some seconds, and what it said is lost when that is over. What
//! takes its time is not the queries alone: there is a turn to wait for, a process to start, a list of services, a table of
//! names. So time is what counts here, and not how a query ended: none begins when the time of one has gone.

use std::time::{Duration, Instant};

use crate::config::Config;

/// Any that never goes back.
pub(super) type Clock = Box<dyn Fn() -> Duration + Send>;

/// Why something is not asked.
pub(super) const SPENT: &str = "not asked in this cycle, as others took all its time";

/// For what lies between a query that took all its time and the next one; far from what the schedule adds.
const SLACK: Duration = Duration::from_secs(1);

pub(super) struct Budget {
    query: Duration,
    clock: Clock,
    begun: Duration,
}

impl Budget {
    pub(super) fn new(config: &Config) -> Budget {
        let start = Instant::now();
        Budget::on(config, Box::new(move || start.elapsed()))
    }

    pub(super) fn on(config: &Config, clock: Clock) -> Budget {
        Budget { query: Duration::from_secs(config.perf.timeout.into()), begun: Duration::ZERO, clock }
    }

    /// A cycle begins.
    pub(super) fn begin(&mut self) {
        self.begun = (self.clock)();
    }

    /// Whether one more query may take all its time.
    pub(super) fn has_room(&self) -> bool {
        (self.clock)().saturating_sub(self.begun) <= self.query + SLACK
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::perf::client::{ObjectQuery, Perf, Refused, Source, Tables};
    use crate::perf::fake::Fake;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    /// Time that goes by only where a test says so.
    #[derive(Clone, Default)]
    pub(crate) struct Hand {
        now: Arc<AtomicU64>,
        each: Arc<AtomicU64>,
    }

    impl Hand {
        pub(crate) fn pass(&self, seconds: u64) {
            self.now.fetch_add(seconds, SeqCst);
        }

        /// What an answer takes from here on.
        pub(crate) fn each_takes(&self, seconds: u64) {
            self.each.store(seconds, SeqCst);
        }

        pub(crate) fn clock(&self) -> Clock {
            let hand = self.clone();
            Box::new(move || Duration::from_secs(hand.now.load(SeqCst)))
        }

        /// Answers of a fake that take their time, and those that are late theirs.
        pub(crate) fn slow(&self, fake: &Fake) -> Perf {
            Perf::new(Slow(fake.clone(), self.clone()))
        }
    }

    struct Slow(Fake, Hand);

    impl Slow {
        fn timed<T>(&self, answer: Result<T, Refused>) -> Result<T, Refused> {
            self.1.pass(match &answer {
                Err(Refused::Late(seconds)) => *seconds,
                _ => self.1.each.load(SeqCst),
            });
            answer
        }
    }

    impl Source for Slow {
        fn ask(&self, group: &str, objects: &[ObjectQuery]) -> Result<Tables, Refused> {
            self.timed(self.0.ask(group, objects))
        }

        fn names(&self, group: &str, prefix: &str) -> Result<Vec<String>, Refused> {
            self.timed(self.0.names(group, prefix))
        }

        fn opened(&self) {
            self.0.opened();
        }

        fn closed(&self, group: &str) {
            self.0.closed(group);
        }
    }

    #[test]
    fn a_query_begins_only_where_it_may_take_all_its_time() {
        let (config, hand) = (Config::standalone(), Hand::default());
        let mut budget = Budget::on(&config, hand.clock());
        hand.pass(600);
        assert!(!budget.has_room());
        budget.begin();
        assert!(budget.has_room());
        hand.pass(u64::from(config.perf.timeout) + 1);
        assert!(budget.has_room(), "behind one that took all its time");
        hand.pass(1);
        assert!(!budget.has_room());
    }
}
