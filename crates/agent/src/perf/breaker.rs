//! When a group is asked and when it is left alone: three failures in a row open its breaker for ten minutes. After these it is
//! tried once; as long as that fails, the pause doubles, up to an hour. One success, and all is forgotten.
//!
//! Pure: the time comes from outside, any clock that never goes back.

use std::time::Duration;

/// Failures in a row before the first pause.
pub const FAILURES: u32 = 3;
pub const FIRST_PAUSE: Duration = Duration::from_secs(600);
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A pause that doubles with every failure.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    first: Duration,
    longest: Duration,
    /// The last one, and when it is over.
    last: Option<(Duration, Duration)>,
}

impl Pause {
    pub const fn new(first: Duration, longest: Duration) -> Pause {
        Pause { first, longest, last: None }
    }

    pub fn is_on(&self, now: Duration) -> bool {
        self.last.is_some_and(|(_, until)| now < until)
    }

    /// Begins the next one, and tells how long it is.
    pub fn begin(&mut self, now: Duration) -> Duration {
        let pause = self.last.map_or(self.first, |(last, _)| last.saturating_mul(2).min(self.longest));
        self.last = Some((pause, now.saturating_add(pause)));
        pause
    }

    pub fn forget(&mut self) {
        self.last = None;
    }
}

/// Of one group.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    pause: Pause,
    failed: Duration,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { failures: 0, pause: Pause::new(FIRST_PAUSE, LONGEST_PAUSE), failed: Duration::ZERO }
    }
}

impl Breaker {
    pub fn is_open(&self, now: Duration) -> bool {
        self.pause.is_on(now)
    }

    /// Tells for how long the group is left alone from now on, if it is.
    pub fn fail(&mut self, now: Duration) -> Option<Duration> {
        self.failed = now;
        self.failures = self.failures.saturating_add(1);
        (self.failures >= FAILURES).then(|| self.pause.begin(now))
    }

    /// When it failed last.
    pub fn failed(&self) -> Duration {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn three_failures_in_a_row_pause_for_ten_minutes_and_each_after_for_twice_as_long_up_to_an_hour() {
        let mut breaker = Breaker::default();
        assert!(!breaker.is_open(minutes(0)));
        assert_eq!((breaker.fail(minutes(0)), breaker.fail(minutes(1))), (None, None));
        assert!(!breaker.is_open(minutes(1)));
        let mut now = minutes(2);
        for pause in [10, 20, 40, 60, 60] {
            assert_eq!(breaker.fail(now), Some(minutes(pause)));
            assert!(breaker.is_open(now) && breaker.is_open(now + minutes(pause) - Duration::from_nanos(1)));
            now += minutes(pause);
            assert!(!breaker.is_open(now));
            assert_eq!(breaker.failed(), now - minutes(pause));
        }
    }

    #[test]
    fn a_pause_that_was_forgotten_begins_small() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(60));
        let begun: Vec<u64> = (0..8).map(|n| pause.begin(minutes(n)).as_secs()).collect();
        assert_eq!(begun, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(pause.is_on(minutes(7)));
        pause.forget();
        assert!(!pause.is_on(minutes(7)));
        assert_eq!(pause.begin(minutes(8)).as_secs(), 1);
        assert_eq!(pause.begin(Duration::MAX), Duration::from_secs(2));
    }
}
