//! What the agent counts about itself: shown as `agent.*` and on the status page, never reset.

use crate::collect::{Guarded, Lane};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

#[derive(Debug, Default)]
pub struct Stats {
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
    /// Points that collectors gave to the transfers' queue.
    pub collected: Count,
    /// Points acknowledged by a transfer.
    pub sent: Count,
    /// Points a transfer counted as Invalid, or refused.
    pub invalid: Count,
    /// Points that were taken in and never reached a transfer, by [`Lost`]; see [`Stats::lose`].
    pub lost: [Count; Lost::ALL.len()],
    /// Points in the queue now.
    pub queued: Count,
    pub push_accepted: Count,
    /// Points of pushes that no transfer would take.
    pub push_invalid: Count,
    /// Push requests answered with 400.
    pub push_refused: Count,
    /// Push requests that found no room, or came too fast: answered with 503 or 429.
    pub push_busy: Count,
    /// Points of pushes that are more than a minute ahead of this host's clock.
    pub push_future: Count,
    /// Points of series that the snapshot had no room for; on the status page only.
    pub snapshot_full: Count,
    /// HTTP connections closed because too many were open.
    pub http_refused: Count,
    /// HTTP connections and requests refused: by `http.allow`, for want of the token, or a browser's from another site.
    pub http_denied: Count,
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
    /// No stamp was left for it after the clock was set.
    Clock,
    /// `falcon-agent queue purge`.
    Purged,
    /// The agent ended, and the disk could not be used.
    Stop,
}

impl Lost {
    pub const ALL: [Lost; 7] =
        [Lost::Age, Lost::Quota, Lost::Memory, Lost::Damaged, Lost::Clock, Lost::Purged, Lost::Stop];

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

    pub fn lost(&self, why: Lost) -> u64 {
        self.lost.get(why as usize).map_or(0, Count::get)
    }

    /// Of all reasons.
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().map(Count::get).sum()
    }
}
