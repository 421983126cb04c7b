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
    /// Points acknowledged by a transfer.
    pub sent: Count,
    /// Points a transfer counted as Invalid, or refused.
    pub invalid: Count,
    /// Points dropped because the queue was full.
    pub dropped: Count,
    /// Points in the queue now.
    pub queued: Count,
    pub push_accepted: Count,
    /// Points of pushes that no transfer would take.
    pub push_invalid: Count,
    /// Push requests answered with 400.
    pub push_refused: Count,
    /// Points of series that the snapshot had no room for; on the status page only.
    pub snapshot_full: Count,
    /// HTTP connections closed because too many were open.
    pub http_refused: Count,
}
