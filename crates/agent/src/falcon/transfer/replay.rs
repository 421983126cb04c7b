//! How fast a backlog is sent.
//!
//! A fleet that was cut off comes back at once: each agent first waits a random time, up to `transfer.replay_delay` and never
//! longer than its oldest point has waited, and then sends `transfer.replay_speed` times as many points a second as it takes
//! in, so that the servers see a multiple of their usual load. 0: as fast as the pause between calls allows.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::falcon::wire::MAX_ITEMS;

/// The live rate is a mean over so long.
const WINDOW: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_secs(10);
/// Points a second of an agent that takes nothing in.
const LEAST_RATE: f64 = 20.0;
/// Taken from the queue at once at most, so that points of a series can go side by side: some MB of memory.
const MOST_ITEMS: usize = 10_000;
/// Between two lines in the log.
pub const TELL: Duration = Duration::from_secs(60);

/// How many points come in a second.
pub struct Rate {
    looks: VecDeque<(Instant, u64)>,
    /// No mean is taken over less: what comes once a step comes at once.
    step: Duration,
}

impl Rate {
    /// `came`: points that came before.
    pub fn new(step: Duration, came: u64) -> Rate {
        Rate { looks: VecDeque::from([(Instant::now(), came)]), step }
    }

    /// `came`: points that ever came.
    pub fn look(&mut self, came: u64) -> f64 {
        let now = Instant::now();
        if self.looks.back().is_none_or(|(at, _)| now - *at >= LOOK) {
            self.looks.push_back((now, came));
        }
        while self.looks.len() > 2 && self.looks.get(1).is_some_and(|(at, _)| now - *at >= WINDOW) {
            self.looks.pop_front();
        }
        let (since, before) = self.looks.front().copied().unwrap_or((now, came));
        let span = (now - since).max(self.step).as_secs_f64();
        // A count of points is far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let points = came.saturating_sub(before) as f64;
        points / span
    }
}

/// A backlog on its way.
pub struct Replay {
    pub since: Instant,
    pub told: Instant,
    /// When the next call may go.
    next: Instant,
    pub sent: usize,
}

impl Replay {
    pub fn start() -> Replay {
        let now = Instant::now();
        Replay { since: now, told: now, next: now, sent: 0 }
    }

    /// When the next call may go.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// A call of so many items was answered; `rate`: points a second, `None`: no bound.
    pub fn answered(&mut self, items: usize, rate: Option<f64>) {
        self.sent += items;
        let Some(rate) = rate else { return };
        let items = f64::from(u32::try_from(items).unwrap_or(u32::MAX));
        self.next = self.next.max(Instant::now()) + Duration::from_secs_f64(items / rate.max(1.0));
    }
}

/// Points a second; `None` where only the pause bounds it.
pub fn bound(speed: u32, live: f64) -> Option<f64> {
    (speed > 0).then(|| (f64::from(speed) * live).max(LEAST_RATE))
}

/// How many items are taken from the queue at once: a second's worth, one call at least.
pub fn block_items(rate: Option<f64>) -> usize {
    // A saturating cast of a positive number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    rate.map_or(MOST_ITEMS, |rate| (rate as usize).clamp(MAX_ITEMS, MOST_ITEMS))
}

/// Seconds until a backlog of `left` points is sent while `live` more come each second; `None`: it grows.
pub fn to_go_s(left: usize, rate: f64, live: f64) -> Option<u64> {
    // Thousandths of a point each second; a saturating cast makes 0 of what is negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let gain = ((rate - live) * 1000.0) as u64;
    let left = u64::try_from(left).unwrap_or(u64::MAX).saturating_mul(1000);
    (gain > 0).then(|| left.div_ceil(gain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_live_rate_is_a_mean_over_minutes_and_over_a_step_at_least() {
        let mut rate = Rate::new(Duration::from_secs(60), 0);
        assert!((rate.look(300) - 5.0).abs() < 1e-9, "a cycle is not a second's worth");
        for minute in 1..=20 {
            tokio::time::advance(Duration::from_secs(60)).await;
            assert!((rate.look(300 * minute) - 5.0).abs() < 0.6);
        }
        assert!(rate.looks.len() < 40);
        tokio::time::advance(WINDOW).await;
        assert!(rate.look(6000) < 1.0, "an agent that takes nothing in");
    }

    /// A sender that was started again took all that ever came for what comes in a minute.
    #[tokio::test(start_paused = true)]
    async fn what_came_before_is_no_rate() {
        let mut rate = Rate::new(Duration::from_secs(60), 1_000_000);
        assert!(rate.look(1_000_000) < 0.1);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_to_the_bound() {
        let mut replay = Replay::start();
        let bound = bound(10, 5.0);
        assert_eq!((bound, block_items(bound)), (Some(50.0), 500));
        replay.answered(500, bound);
        assert_eq!(replay.next() - replay.since, Duration::from_secs(10));
        replay.answered(500, None);
        assert_eq!(replay.next() - replay.since, Duration::from_secs(10));
        assert_eq!(block_items(None), 10_000);
        assert_eq!(block_items(Some(1e12)), 10_000);
        assert_eq!(super::bound(10, 0.0), Some(LEAST_RATE));
        assert_eq!(super::bound(0, 5.0), None);
    }

    #[test]
    fn the_time_to_go_counts_what_comes_meanwhile() {
        assert_eq!(to_go_s(900, 10.0, 1.0), Some(100));
        assert_eq!(to_go_s(900, 1.0, 1.0), None);
    }
}
