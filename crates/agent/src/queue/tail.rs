//! The tail in memory: what has come and is neither sent nor on disk, numbered in its order.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::log::Position;
use crate::falcon::wire::Frame;

pub(super) struct Entry {
    pub frame: Arc<Frame>,
    pub since: Instant,
}

#[derive(Default)]
pub(super) struct Inner {
    pub tail: VecDeque<Entry>,
    /// Sequence number of the first frame of the tail.
    pub first: u64,
    pub bytes: usize,
    pub items: usize,
    /// Points of the tail were dropped since it was empty.
    pub overflowed: bool,
    /// Nothing is on disk.
    pub disk_empty: bool,
    /// The disk hangs: it is left alone until it answers again.
    pub disk_lost: bool,
    /// The agent ends, or goes on with another queue: no push is taken any more.
    pub closed: bool,
    /// Another queue is in its place and tells the figures.
    pub replaced: bool,
    /// Where the block that is out ends, while it is of the tail.
    pub out: u64,
    /// Sequence number behind the last frame that a transfer has.
    pub sent: u64,
    /// Its frames that went to disk meanwhile: the sequence number behind each, its place and its points.
    pub moved: VecDeque<(u64, Position, usize)>,
    /// Points that ever came.
    pub came: u64,
    /// The most bytes that the tail had since the heap was last told to give back what it does not use.
    pub peak: usize,
    pub purges: u64,
}

impl Inner {
    pub fn extend(&mut self, frames: Vec<Arc<Frame>>) {
        let since = Instant::now();
        for frame in frames.into_iter().filter(|frame| !frame.is_empty()) {
            self.bytes += frame.bytes();
            self.items += frame.len();
            self.came += frame.len() as u64;
            self.tail.push_back(Entry { frame, since });
        }
        self.peak = self.peak.max(self.bytes);
    }

    /// Moves everything to another tail, behind what is there.
    pub fn move_to(&mut self, other: &mut Inner) {
        while let Some(entry) = self.tail.pop_front() {
            other.bytes += entry.frame.bytes();
            other.items += entry.frame.len();
            other.came += entry.frame.len() as u64;
            other.tail.push_back(entry);
        }
        other.peak = other.peak.max(other.bytes);
        (self.bytes, self.items) = (0, 0);
    }

    pub fn pop(&mut self) -> Option<Arc<Frame>> {
        let Entry { frame, .. } = self.tail.pop_front()?;
        self.first += 1;
        self.bytes -= frame.bytes();
        self.items -= frame.len();
        if self.tail.is_empty() {
            // A burst's room is given back.
            self.tail.shrink_to(64);
        }
        Some(frame)
    }
}
