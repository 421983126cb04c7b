//! The wall clock, for stamps and for the comparison with time servers; intervals and rates use the monotonic one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall clock since the epoch; tests bring their own.
pub trait WallClock: Send + Sync {
    fn now_us(&self) -> i64;

    fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1000)
    }
}

/// The system's clock.
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now_us(&self) -> i64 {
        let us = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -us(before.duration()), us)
    }
}

/// Unix seconds by the system's clock.
pub fn unix_s() -> i64 {
    SystemClock.now_ms().div_euclid(1000)
}
