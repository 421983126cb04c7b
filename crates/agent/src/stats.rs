//! What the agent counts about itself: shown as `agent.*`, `/health` and `/ui/state`, never reset.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::collect::{Guarded, Lane, Ledger};
use crate::config::{Loaded, Warning};
use crate::falcon::hbs::Way;
use crate::schedule::Reports;

/// One number that many tasks add to.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, n: usize) {
        self.0.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Relaxed);
    }

    pub fn set(&self, n: usize) {
        self.0.store(u64::try_from(n).unwrap_or(u64::MAX), Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One number that may be negative, and that may not be known.
#[derive(Debug)]
pub struct Level(AtomicI64);

impl Default for Level {
    fn default() -> Level {
        Level(AtomicI64::new(Level::UNKNOWN))
    }
}

impl Level {
    const UNKNOWN: i64 = i64::MIN;

    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }

    pub fn forget(&self) {
        self.set(Level::UNKNOWN);
    }

    /// The value, or that it is unknown.
    pub fn tell(&self, value: Option<i64>) {
        self.set(value.unwrap_or(Level::UNKNOWN));
    }

    /// `None` until it is set.
    pub fn get(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|value| *value != Level::UNKNOWN)
    }
}

/// The configuration in effect, as `/health` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// As `agent.config.crc`.
    pub crc: u32,
    /// Names of the overlays that are part of it, in their order.
    pub overlays: Vec<String>,
    /// Overlays of which nothing is used.
    pub skipped: Vec<Skipped>,
    /// The newest `cfg.json` cannot be used, and an older one is in effect.
    pub refused: bool,
}

/// An overlay of which nothing is used, and where it is wrong; the words for it, which may quote it, stand in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub file: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub key: String,
}

impl From<&Warning> for Skipped {
    fn from(warning: &Warning) -> Skipped {
        let Warning { file, line, column, path, .. } = warning;
        Skipped { file: name(file), line: *line, column: *column, key: path.clone() }
    }
}

/// Of a file, without its directory.
fn name(file: &str) -> String {
    Path::new(file).file_name().map_or_else(|| file.to_owned(), |name| name.display().to_string())
}

/// Changes with every reload, also one that only skips another overlay.
#[derive(Debug, Default)]
pub struct Configured(Mutex<Configuration>);

impl Configured {
    pub fn set(&self, loaded: &Loaded) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Configuration {
            crc: loaded.config.crc(),
            overlays: loaded.overlays.iter().map(|file| name(file)).collect(),
            skipped: loaded.skipped().map(Skipped::from).collect(),
            refused: false,
        };
    }

    /// What is in effect stays.
    pub fn refuse(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused = true;
    }

    pub fn get(&self) -> Configuration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, Default)]
pub struct Stats {
    pub configured: Configured,
    /// What each collecting unit did last.
    pub units: Reports,
    /// The way to hbs.
    pub hbs: Way,
    /// How long the last cycle of each lane took, in milliseconds.
    pub collect_ms: [Count; Lane::ALL.len()],
    /// How often a collector of each lane was asked.
    pub collect_asked: [Count; Lane::ALL.len()],
    /// Sources that could not be read.
    pub collect_errors: Count,
    /// Sources that missed their deadline.
    pub collect_hung: Count,
    pub collect_panics: Count,
    /// Values that were no numbers.
    pub not_finite: Count,
    /// Points kept from the transfer by `ignore`.
    pub ignored: Count,
    /// Points whose metric and tags together are longer than a transfer takes.
    pub too_long: Count,
    /// Points whose tags were cut to fit.
    pub tags_cut: Count,
    /// Points left out because another series of the cycle has the same name and tags once they are cleaned.
    pub collided: Count,
    /// Things of each kind that the last cycle left out because there were too many.
    pub series_dropped: [Count; Guarded::ALL.len()],
    /// How many series each collector has, for the bound on all of them.
    pub(crate) series: Ledger,
    /// Points that collectors gave to the transfers' queue.
    pub collected: Count,

    /// Points in the queue now.
    pub queued: Count,
    /// Bytes of the queue in memory and on disk now.
    pub queue_memory_bytes: Count,
    pub queue_disk_bytes: Count,
    /// Seconds for which the oldest point of the queue has waited; 0 where none waits.
    pub queue_age_s: Count,
    /// Bytes that the queue has written to disk.
    pub queue_disk_written: Count,
    /// Records of the queue on disk that could not be read and were passed over.
    pub queue_damaged: Count,
    /// 1: what waits can be put on disk; 0: it cannot, the queue is in memory alone.
    pub queue_disk_ok: Level,
    /// Points that wait while a backlog is sent, with those that came meanwhile; 0 otherwise. While there are any, the agent
    /// replays.
    pub replay_left: Count,
    /// Seconds until they are sent; unknown while nothing is replayed, or at a speed that never ends it.
    pub replay_to_go_s: Level,

    /// Points acknowledged by a transfer.
    pub sent: Count,
    /// Points a transfer counted as Invalid, or refused.
    pub invalid: Count,
    /// Points that were taken in and never reached a transfer, by [`Lost`]; see [`Stats::lose`].
    pub lost: [Count; Lost::ALL.len()],
    /// 1: the last call was answered; 0: it was not, or no transfer can be reached. Unknown before the first call.
    pub transfer_up: Level,
    /// Changes from one transfer's address to another's.
    pub transfer_switches: Count,
    /// How long the last call that was answered took, in milliseconds.
    pub transfer_call_ms: Level,

    pub push_accepted: Count,
    /// Points of pushes that no transfer would take.
    pub push_invalid: Count,
    /// Push requests that could not be decoded.
    pub push_refused: Count,
    /// Push requests that found no room, or came too fast: answered with 503 or 429.
    pub push_busy: Count,
    /// Points of pushes that are more than a minute ahead of this host's clock.
    pub push_future: Count,
    /// Points of series that there was no room to remember: `left_out` of `/ui/state`, and nowhere else.
    pub snapshot_full: Count,
    /// HTTP connections closed because too many were open.
    pub http_refused: Count,
    /// HTTP connections and requests refused: by `http.allow`, for want of the token, or a browser's from another site.
    pub http_denied: Count,

    /// How often the process for performance counters was asked.
    pub perf_asked: Count,
    /// Of these processes those that fell, or were ended because they did not answer.
    pub perf_deaths: Count,
    /// Those that were replaced because they needed too much memory.
    pub perf_recycled: Count,
    /// Queries that were not made.
    pub perf_refused: Count,
    /// Resident memory of the one that runs, in bytes.
    pub perf_mem: Level,

    /// Plugins that run in their periods.
    pub plugin_bound: Count,
    /// What is bound, or lies in a directory that is, and does not run.
    pub plugin_left: Count,
    /// Runs of plugins that are in progress.
    pub plugin_running: Count,
    /// Runs that have ended while their plugin was bound.
    pub plugin_runs: Count,
    /// Of these, those that sent nothing for something was wrong, or were wrong in another way.
    pub plugin_failed: Count,
    /// Of these, those that were ended at their deadline.
    pub plugin_late: Count,
    /// Runs that were due while the one before waited, ran, or had points to deliver.
    pub plugin_skipped: Count,
    /// Points of plugins that are in the queue.
    pub plugin_items: Count,
    /// Points of plugins that no transfer would take.
    pub plugin_invalid: Count,

    /// How much the agent's clock is ahead of hbs's, in seconds, by its last answer; unknown where it did not tell.
    pub clock_skew_s: Level,
    /// Times that the guard found the agent over a limit.
    pub guard_exceeded: Count,
    /// Times that the guard ended the agent within the last hour.
    pub guard_ends: Count,
}

/// Why a point that was taken in did not reach a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It waited longer than `queue.max_age`.
    Age,
    /// The queue on disk had `queue.max_mb`.
    Quota,
    /// The disk could not be used, and the queue in memory was full.
    Memory,
    /// Its record on disk was damaged.
    Damaged,
    /// No stamp was left for it after the clock was set, or too many waited for one.
    Clock,
    /// `falcon-agent queue purge`.
    Purged,
    /// The agent ended, and the disk could not be used.
    Stop,
    /// The host had no name to send it under.
    Nameless,
}

impl Lost {
    pub const ALL: [Lost; 8] =
        [Lost::Age, Lost::Quota, Lost::Memory, Lost::Damaged, Lost::Clock, Lost::Purged, Lost::Stop, Lost::Nameless];

    /// Value of the tag `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Lost::Age => "age",
            Lost::Quota => "quota",
            Lost::Memory => "memory",
            Lost::Damaged => "damaged",
            Lost::Clock => "clock",
            Lost::Purged => "purged",
            Lost::Stop => "stop",
            Lost::Nameless => "nameless",
        }
    }
}

impl Stats {
    /// Counts points that will never reach a transfer.
    pub fn lose(&self, why: Lost, points: usize) {
        if let Some(count) = self.lost.get(why as usize) {
            count.add(points);
        }
    }

    /// Nothing waits, nor for whom: what was last told of a queue that is gone would be taken for a backlog for ever.
    pub fn forget_queue(&self) {
        for count in
            [&self.queued, &self.queue_memory_bytes, &self.queue_disk_bytes, &self.queue_age_s, &self.replay_left]
        {
            count.set(0);
        }
        self.replay_to_go_s.forget();
        self.queue_disk_ok.forget();
    }

    pub fn lost(&self, why: Lost) -> u64 {
        self.lost.get(why as usize).map_or(0, Count::get)
    }

    /// Of all reasons.
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().map(Count::get).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last transfer was taken from the configuration in the middle of a backlog: for the guard the replay went on for ever.
    #[test]
    fn of_a_queue_that_is_gone_no_figure_stays() {
        let stats = Stats::default();
        [&stats.queued, &stats.queue_age_s, &stats.replay_left].into_iter().for_each(|count| count.set(7));
        stats.replay_to_go_s.set(7);
        stats.lose(Lost::Stop, 7);
        stats.forget_queue();
        assert_eq!((stats.queued.get(), stats.queue_age_s.get(), stats.replay_left.get()), (0, 0, 0));
        assert_eq!((stats.replay_to_go_s.get(), stats.lost_in_all()), (None, 7));
    }
}
