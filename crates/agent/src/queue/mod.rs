//! What waits for a transfer: frames in order, bounded, the oldest dropped first and counted.
//!
//! Producers append; one consumer takes a batch, and acknowledges it when a transfer has. A batch that is out may lose its
//! frames to a full queue meanwhile: sequence numbers keep the acknowledgement from touching others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::falcon::wire::{Frame, MAX_ITEMS};
use crate::stats::{Lost, Stats};

/// Memory for points that wait: some hours of an ordinary host.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

pub struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
    stats: Arc<Stats>,
    max_bytes: usize,
}

#[derive(Default)]
struct Inner {
    frames: VecDeque<Frame>,
    /// Sequence number of the first frame.
    first: u64,
    bytes: usize,
    items: usize,
    /// Points were dropped since the queue was empty.
    overflowed: bool,
}

/// A push found no room: nothing of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When to try again.
    pub retry_after: Duration,
}

/// The oldest frames, together at most [`MAX_ITEMS`] items and of each series only one stamp; still in the queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub frames: Vec<Frame>,
    /// Sequence number behind its last frame.
    end: u64,
}

impl Batch {
    pub fn items(&self) -> usize {
        self.frames.iter().map(Frame::len).sum()
    }

    /// The series of all its items.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.frames.iter().flat_map(|frame| frame.keys().iter().copied())
    }
}

impl Queue {
    pub fn new(stats: Arc<Stats>, max_bytes: usize) -> Queue {
        Queue { inner: Mutex::default(), filled: Notify::new(), stats, max_bytes }
    }

    /// Appends frames; answers how many points had to go for them.
    pub fn append(&self, frames: impl IntoIterator<Item = Frame>) -> usize {
        let mut inner = self.lock();
        for frame in frames.into_iter().filter(|frame| !frame.is_empty()) {
            inner.bytes += frame.bytes();
            inner.items += frame.len();
            inner.frames.push_back(frame);
        }
        let mut dropped = 0;
        while inner.bytes > self.max_bytes {
            let Some(frame) = inner.pop() else { break };
            dropped += frame.len();
        }
        self.stats.lose(Lost::Memory, dropped);
        self.stats.queued.set(inner.items);
        let news = dropped > 0 && !std::mem::replace(&mut inner.overflowed, true);
        drop(inner);
        if news {
            tracing::warn!("transfer: the queue is full; from now on the oldest points are dropped");
        }
        self.filled.notify_one();
        dropped
    }

    /// The oldest batch, as soon as there is one.
    pub async fn peek(&self) -> Batch {
        loop {
            let filled = self.filled.notified();
            if let Some(batch) = self.try_peek() {
                return batch;
            }
            filled.await;
        }
    }

    fn try_peek(&self) -> Option<Batch> {
        let inner = self.lock();
        inner.frames.front()?;
        let mut items = 0;
        let mut stamps: HashMap<u64, i64> = HashMap::new();
        let fits = |frame: &&Frame| {
            items += frame.len();
            let mut keys = frame.keys().iter();
            items <= MAX_ITEMS && keys.all(|key| *stamps.entry(*key).or_insert(frame.at) == frame.at)
        };
        let frames: Vec<Frame> = inner.frames.iter().take_while(fits).cloned().collect();
        let end = inner.first + u64::try_from(frames.len()).unwrap_or(u64::MAX);
        Some(Batch { frames, end })
    }

    /// Forgets a batch: a transfer has it.
    pub fn acknowledge(&self, batch: &Batch) {
        let mut inner = self.lock();
        while inner.first < batch.end {
            if inner.pop().is_none() {
                break;
            }
        }
        if inner.frames.is_empty() && std::mem::take(&mut inner.overflowed) {
            tracing::info!(
                "transfer: the queue is empty again; {} points were dropped since the start",
                self.stats.lost_in_all()
            );
        }
        self.stats.queued.set(inner.items);
    }

    /// Points that wait.
    pub fn items(&self) -> usize {
        self.lock().items
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing here panics half-way; a poisoned lock holds whole data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.first += 1;
        self.bytes -= frame.bytes();
        self.items -= frame.len();
        if self.frames.is_empty() {
            // A backlog's room is given back.
            self.frames.shrink_to(64);
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
