//! The time: the wall clock as the system has it, and the agent's own clock, which is the wall clock unless somebody set it
//! and it cannot be believed ([`judge`]). Whatever is stamped or ages goes by the agent's clock; the log, and the comparison
//! with time servers, by the wall clock. Intervals and rates use the monotonic one.
//!
//! A process has one agent's clock ([`agent`]), as the host has one wall clock: two that judge apart would stamp apart.

pub mod judge;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use judge::{Change, Judge};

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

/// Time since boot, suspends included.
pub type Boot = Box<dyn Fn() -> Duration + Send + Sync>;

/// Unix seconds by the agent's clock.
pub fn unix_s() -> i64 {
    agent().look().at_ms.div_euclid(1000)
}

/// Unix seconds at the start of the process and what has gone by since: nobody sets it, so that the age of what waits is right
/// whatever happens to the clock.
pub fn steady_s() -> i64 {
    static START: LazyLock<Now> = LazyLock::new(|| agent().look());
    let start = *START;
    let gone_ms = agent().boot_ms() - start.boot_ms;
    (start.at_ms + gone_ms).div_euclid(1000)
}

/// Unix seconds by the system's clock.
pub fn wall_s() -> i64 {
    SystemClock.now_ms().div_euclid(1000)
}

/// The agent's clock over the system's clocks.
pub fn agent() -> Arc<AgentClock> {
    static AGENT: LazyLock<Arc<AgentClock>> =
        LazyLock::new(|| Arc::new(AgentClock::new(Box::new(SystemClock), Box::new(falcon_sys::since_boot))));
    AGENT.clone()
}

/// One look at the agent's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// Milliseconds since boot.
    pub boot_ms: i64,
    /// The wall clock jumped forward, and whether that is right is not known yet: what is measured now has no stamp yet.
    pub in_doubt: bool,
}

/// The agent's own clock. Every look judges the wall clock, and tells in the log what changed.
pub struct AgentClock {
    wall: Box<dyn WallClock>,
    boot: Boot,
    judge: Mutex<Judge>,
    asks: Notify,
}

/// Between two readings that far apart the process was stopped, or the host suspended.
const APART_MS: i64 = 100;
/// Readings that are tried; a host so busy that each is torn is looked at the next time.
const READINGS: usize = 5;

impl AgentClock {
    pub fn new(wall: Box<dyn WallClock>, boot: Boot) -> AgentClock {
        AgentClock { wall, boot, judge: Mutex::new(Judge::default()), asks: Notify::new() }
    }

    pub fn look(&self) -> Now {
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall_ms, boot_ms) = self.read();
        let change = wall_ms.and_then(|wall_ms| judge.look(wall_ms, boot_ms));
        let now = Now { at_ms: judge.at(boot_ms), boot_ms, in_doubt: judge.in_doubt() };
        drop(judge);
        self.tell(change);
        now
    }

    /// hbs answered `server_s` (Unix seconds) to a call that was sent at `sent_boot_ms` and answered now. Answers how much
    /// the agent's clock is ahead of it, in seconds; `None` where the answer took too long to tell.
    pub fn server_said(&self, server_s: i64, sent_boot_ms: i64) -> Option<i64> {
        let Now { boot_ms, .. } = self.look();
        // The call itself has ten seconds; more is a suspend.
        let took_ms = boot_ms - sent_boot_ms;
        if took_ms > judge::AGREES_MS / 2 {
            return None;
        }
        // hbs read its clock about half way, somewhere in that second.
        let server_ms = server_s.saturating_mul(1000).saturating_add(500);
        let read_boot_ms = boot_ms - took_ms / 2;
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        let change = judge.server_said(server_ms, read_boot_ms);
        let ahead_ms = judge.at(read_boot_ms).saturating_sub(server_ms);
        drop(judge);
        self.tell(change);
        Some(ahead_ms.saturating_add(500).div_euclid(1000))
    }

    /// Comes back when hbs should be asked for its time at once. For one who asks.
    pub async fn asks(&self) {
        self.asks.notified().await;
    }

    fn boot_ms(&self) -> i64 {
        i64::try_from((self.boot)().as_millis()).unwrap_or(i64::MAX)
    }

    fn read(&self) -> (Option<i64>, i64) {
        let mut before = self.boot_ms();
        for _ in 0..READINGS {
            let wall = self.wall.now_ms();
            let after = self.boot_ms();
            if after - before <= APART_MS {
                return (Some(wall), after);
            }
            before = after;
        }
        (None, before)
    }

    /// One line a change.
    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        match change {
            Change::Doubted { ahead_ms, wait_ms } => crate::log::say!(
                Warn,
                "K001",
                "the clock jumped {} s forward: points are held until hbs has the same time, or until it has lasted {} s",
                ahead_ms / 1000,
                wait_ms / 1000
            ),
            Change::Back => crate::log::say!(Info, "K002", "the clock is back; points carry its time again"),
            // The lanes tell what it costs.
            Change::SteppedBack { doubted: false, .. } => {}
            Change::SteppedBack { by_ms, doubted: true } => {
                crate::log::say!(
                    Info,
                    "K003",
                    "the clock was set again, {} s behind where it was before it jumped",
                    by_ms / 1000
                );
            }
            Change::Confirmed { by_ms } => {
                crate::log::say!(
                    Info,
                    "K004",
                    "hbs has the same time as the clock, which is believed; it moved by {} s",
                    by_ms / 1000
                );
            }
            Change::Lasted { by_ms } => crate::log::say!(
                Warn,
                "K005",
                "the clock has kept its new time and no hbs said otherwise: it is believed; it moved by {} s",
                by_ms / 1000
            ),
            Change::Wrong { ahead_ms } => crate::log::say!(
                Warn,
                "K006",
                "the clock is wrong by {:+} s: hbs has the time from before it was set, and points carry that until it is right or the agent is started again",
                ahead_ms / 1000
            ),
            Change::Apart { ahead_ms } => crate::log::say!(
                Warn,
                "K007",
                "the clock is {:+} s off that of hbs, and points carry it as it is; is a time server set on both hosts?",
                ahead_ms / 1000
            ),
            Change::Together => crate::log::say!(Info, "K008", "the clock and that of hbs have the same time again"),
        }
        if matches!(change, Change::Doubted { .. } | Change::SteppedBack { .. }) {
            self.asks.notify_one();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
