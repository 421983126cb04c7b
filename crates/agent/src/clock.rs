//! The wall clock, for stamps; intervals and rates use the monotonic one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall clock in milliseconds since the epoch; tests bring their own.
pub trait WallClock: Send + Sync {
    fn now_ms(&self) -> i64;
}

/// The system's clock.
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now_ms(&self) -> i64 {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -ms(before.duration()), ms)
    }
}

/// Unix seconds by the system's clock.
pub fn unix_s() -> i64 {
    SystemClock.now_ms().div_euclid(1000)
}
