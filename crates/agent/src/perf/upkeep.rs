//! What becomes of the process for performance counters apart from its answers, and how often that is told.
//!
//! One that ends while nothing is asked is nobody's fault, and has no breaker; but a library whose thread falls after every query
//! would have a process started for each. So after some such ends new ones are waited for, ever longer up to some minutes.
//!
//! Pure: the time comes from outside, any clock that never goes back.

use std::time::Duration;

use super::breaker::Pause;

/// Between two lines of the log about the same thing; and how long a process must go on for those before it to be forgotten.
const SELDOM: Duration = Duration::from_secs(600);

/// Ends within that time before one is waited for.
const ENDS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Ends while nothing was asked.
#[derive(Debug)]
pub struct Ends {
    count: u32,
    last: Duration,
    told: Option<Duration>,
    wait: Pause,
}

impl Default for Ends {
    fn default() -> Ends {
        Ends { count: 0, last: Duration::ZERO, told: None, wait: Pause::new(FIRST_WAIT, LONGEST_WAIT) }
    }
}

impl Ends {
    /// One more; tells whether the log should have it.
    pub fn add(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.last) >= SELDOM {
            self.count = 0;
            self.wait.forget();
        }
        self.last = now;
        self.count = self.count.saturating_add(1);
        if self.count >= ENDS {
            self.wait.begin(now);
        }
        is_due(&mut self.told, now)
    }

    /// Whether no new process is to be started yet.
    pub fn are_waited_for(&self, now: Duration) -> bool {
        self.wait.is_on(now)
    }
}

/// Whether it is time to tell it again; it is told, then.
fn is_due(told: &mut Option<Duration>, now: Duration) -> bool {
    let is_due = told.is_none_or(|at| now.saturating_sub(at) >= SELDOM);
    if is_due {
        *told = Some(now);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    // A library whose thread fell after each query made a process and a line of the log in every cycle.
    #[test]
    fn what_ends_in_every_cycle_is_told_every_ten_minutes_and_started_every_five() {
        let mut ends = Ends::default();
        let (mut told, mut started) = (Vec::new(), Vec::new());
        let mut runs = false;
        for now in (0..3600).step_by(60) {
            if runs && ends.add(s(now)) {
                told.push(now);
            }
            runs = !ends.are_waited_for(s(now));
            if runs {
                started.push(now);
            }
        }
        assert_eq!(started[..6], [0, 60, 120, 240, 420, 720]);
        assert!(started[6..].windows(2).all(|pair| pair[1] - pair[0] == 360), "{started:?}");
        assert!(told.len() <= 6 && told.windows(2).all(|pair| pair[1] - pair[0] >= 600), "{told:?}");
    }

    #[test]
    fn ends_that_are_far_between_are_not_waited_for() {
        let mut ends = Ends::default();
        for now in [1000, 1599, 2199, 2798, 3398] {
            assert!(ends.add(s(now)) == (now != 1599 && now != 2798) && !ends.are_waited_for(s(now)), "{now}");
        }
        assert!(!ends.add(s(3399)) && !ends.are_waited_for(s(3399)));
        assert!(!ends.add(s(3400)) && ends.are_waited_for(s(3459)) && !ends.are_waited_for(s(3460)));
    }
}
