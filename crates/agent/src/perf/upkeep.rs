//! What becomes of the process for performance counters apart from its answers, and how often that is told.
//!
//! One that needs more memory than it may have is replaced, but not in every cycle: what needs as much from its start is let
//! be for ten minutes. One that has grown by as much as it may have since its first answer leaks, and is not waited for: so
//! none is kept that needs more than it did after its first answer and its limit together.
//!
//! One that ends while nothing is asked is nobody's fault, and has no breaker; but a library whose thread falls after every
//! query would have a process started for each. So after some such ends new ones are waited for, ever longer up to some
//! minutes.
//!
//! Pure: the time comes from outside, any clock that never goes back.

use std::time::Duration;

use super::breaker::Pause;

/// Between two lines of the log about the same thing; and how long a process must go on for those before it to be forgotten.
const SELDOM: Duration = Duration::from_secs(600);

/// Between two processes that are replaced.
const REPLACE_EVERY: Duration = Duration::from_secs(600);

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

/// What is to be done with a process that has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Stays,
    /// And the log should have it that it needs more than it may have.
    StaysTooLarge,
    /// Whether the log should have it.
    Goes {
        is_news: bool,
    },
}

/// How much memory the processes need.
#[derive(Debug)]
pub struct Weight {
    limit_bytes: u64,
    replaced: Option<Duration>,
    told: Option<Duration>,
    /// The log has it that a process needs more from its start.
    is_small_told: bool,
}

impl Weight {
    pub fn new(limit_bytes: u64) -> Weight {
        Weight { limit_bytes, replaced: None, told: None, is_small_told: false }
    }

    /// What a process needs after this answer, and needed after its first one.
    pub fn weigh(&mut self, rss_bytes: u64, first_bytes: u64, now: Duration) -> Verdict {
        let is_small = first_bytes > self.limit_bytes;
        self.is_small_told &= is_small;
        if rss_bytes <= self.limit_bytes {
            return Verdict::Stays;
        }
        let leaks = rss_bytes > first_bytes.saturating_add(self.limit_bytes);
        let is_soon = self.replaced.is_some_and(|at| now.saturating_sub(at) < REPLACE_EVERY);
        if is_soon && !leaks {
            let is_told = !is_small || std::mem::replace(&mut self.is_small_told, true);
            return if is_told { Verdict::Stays } else { Verdict::StaysTooLarge };
        }
        self.replaced = Some(now);
        Verdict::Goes { is_news: !self.is_small_told && is_due(&mut self.told, now) }
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

    const NEWS: Verdict = Verdict::Goes { is_news: true };
    const NO_NEWS: Verdict = Verdict::Goes { is_news: false };

    #[test]
    fn what_needs_too_much_from_its_start_is_replaced_every_ten_minutes_and_told_once() {
        let mut weight = Weight::new(64);
        let mut weigh = |now| weight.weigh(80, 70, s(now));
        assert_eq!([0, 1, 2, 599].map(&mut weigh), [NEWS, Verdict::StaysTooLarge, Verdict::Stays, Verdict::Stays]);
        assert_eq!([600, 601, 1199, 1200].map(&mut weigh), [NO_NEWS, Verdict::Stays, Verdict::Stays, NO_NEWS]);
    }

    // A library that leaked much had one line in each cycle; and after a process that was too large once, none for ever.
    #[test]
    fn what_leaks_is_replaced_at_once_and_told_every_ten_minutes_also_after_one_that_needed_too_much() {
        let mut weight = Weight::new(64);
        assert_eq!(weight.weigh(20, 20, s(0)), Verdict::Stays);
        let mut leaks = |now| weight.weigh(90, 20, s(now));
        assert_eq!([60, 120, 600, 660, 720].map(&mut leaks), [NEWS, NO_NEWS, NO_NEWS, NEWS, NO_NEWS]);
        assert_eq!(
            [weight.weigh(70, 70, s(780)), weight.weigh(70, 70, s(840))],
            [Verdict::StaysTooLarge, Verdict::Stays]
        );
        assert_eq!(weight.weigh(140, 70, s(1300)), NO_NEWS);
        assert_eq!([weight.weigh(20, 20, s(1301)), weight.weigh(90, 20, s(1302))], [Verdict::Stays, NEWS]);
    }

    #[test]
    fn what_grows_slowly_is_not_replaced_in_every_cycle() {
        let mut weight = Weight::new(64);
        assert_eq!(
            [weight.weigh(65, 20, s(0)), weight.weigh(84, 20, s(599)), weight.weigh(65, 20, s(600))],
            [NEWS, Verdict::Stays, NEWS]
        );
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
