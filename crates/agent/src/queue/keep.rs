//! What keeps the disk side going for as long as the agent lives: the tail goes there in time, and a disk that failed is tried
//! again.

use std::sync::Arc;

use tokio::time::Instant;

use super::disk::Disk;
use super::log::Position;
use super::tail::Entry;
use super::{LOST_AGAIN, Queue, SPILL_AFTER, SPILL_BYTES, TICK};
use crate::falcon::wire::Frame;
use crate::stats::Lost;

impl Queue {
    /// Puts on disk what waits too long, for as long as the agent lives.
    pub async fn keep(&self) {
        let Some(disk) = &self.disk else { return std::future::pending().await };
        let mut ticked = Instant::now();
        loop {
            let due = self.due();
            let wait = due.unwrap_or(ticked + TICK).min(ticked + TICK);
            tokio::select! {
                () = tokio::time::sleep_until(wait) => {}
                () = self.spill.notified() => {}
            }
            if self.lock().disk_lost {
                // A question that waits for two minutes holds nobody else up.
                tokio::time::sleep(LOST_AGAIN).await;
                self.tick(disk).await;
                continue;
            }
            if self.due().is_some_and(|due| due <= Instant::now()) && !self.store(disk, false).await {
                // What failed once is not tried for each point that comes.
                tokio::time::sleep(TICK).await;
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick(disk).await;
                self.give_back();
            }
        }
    }

    async fn tick(&self, disk: &Disk) {
        let view = disk.view();
        let lost = self.lock().disk_lost;
        if !view.unsaved && view.trouble.is_none() && !lost && self.lock().disk_empty {
            return;
        }
        match disk.tick().await {
            Err(_) => self.lose_disk(),
            Ok(()) => {
                let mut inner = self.lock();
                // It may have been opened only now, or have answered again.
                inner.disk_empty = disk.view().points == 0;
                if !inner.disk_empty {
                    // Blocks on their way are large too.
                    inner.peak = SPILL_BYTES;
                }
                if std::mem::take(&mut inner.disk_lost) {
                    self.stats.queue_disk_ok.set(1);
                    crate::log::say!(Info, "Q002", "queue: the disk answers again");
                }
                self.changed(inner);
            }
        }
    }

    /// A burst that is over must not stay in the heap.
    fn give_back(&self) {
        let mut inner = self.lock();
        let over = inner.peak >= SPILL_BYTES && inner.bytes < SPILL_BYTES / 4;
        if over && inner.disk_empty {
            inner.peak = 0;
            drop(inner);
            falcon_sys::trim_heap();
        }
    }

    /// When the next spill stands.
    fn due(&self) -> Option<Instant> {
        let inner = self.lock();
        let oldest = inner.tail.front().filter(|_| !inner.disk_lost)?.since;
        Some(if inner.bytes >= SPILL_BYTES { oldest } else { oldest + SPILL_AFTER })
    }

    /// Puts the whole tail on disk; `false` when the disk does not take it.
    async fn store(&self, disk: &Disk, last: bool) -> bool {
        let _turn = self.storing.lock().await;
        let mut left = self.lock().tail.len();
        while left > 0 {
            let (first, frames) = self.oldest(SPILL_BYTES, left);
            let (count, points) = (frames.len(), frames.iter().map(|frame| frame.len()).collect::<Vec<_>>());
            match disk.append(frames, last).await {
                Ok(ends) => {
                    self.stored(first, &ends, &points);
                    if ends.len() < count {
                        return false;
                    }
                }
                Err(_) => {
                    self.lose_disk();
                    return false;
                }
            }
            left = left.saturating_sub(count.max(1));
        }
        true
    }

    fn oldest(&self, max_bytes: usize, most: usize) -> (u64, Vec<Arc<Frame>>) {
        let inner = self.lock();
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let before = bytes;
            bytes += entry.frame.bytes();
            before < max_bytes
        };
        let frames = inner.tail.iter().take(most).take_while(fits).map(|entry| entry.frame.clone()).collect();
        (inner.first, frames)
    }

    /// The frames from `first` on are on disk, behind each its place.
    fn stored(&self, first: u64, ends: &[Position], points: &[usize]) {
        let mut inner = self.lock();
        let (mut seq, mut acknowledged) = (first, Vec::new());
        for (place, points) in ends.iter().zip(points) {
            seq += 1;
            if seq <= inner.sent {
                // A transfer was quicker than the disk.
                acknowledged.push((*place, *points));
                continue;
            }
            if inner.first < seq {
                inner.pop();
            }
            inner.disk_empty = false;
            if seq <= inner.out {
                inner.moved.push_back((seq, *place, *points));
            }
        }
        self.changed(inner);
        if let Some(disk) = self.disk.as_ref().filter(|_| !acknowledged.is_empty()) {
            disk.acknowledge_unread(acknowledged);
        }
        self.room.notify_waiters();
    }

    /// The agent ends: everything that was not sent goes to disk. Answers how many points did and how many are lost.
    pub async fn close(&self) -> (usize, usize) {
        self.put_away().await;
        let waiting = self.waiting();
        self.stats.lose(Lost::Stop, waiting.memory_points);
        (waiting.disk.points, waiting.memory_points)
    }

    async fn put_away(&self) {
        self.lock().closed = true;
        if let Some(disk) = self.disk.as_ref().filter(|_| !self.lock().disk_lost) {
            self.store(disk, true).await;
            let _ = disk.tick().await;
        }
    }

    /// The agent goes on with another queue: everything that was not sent goes to disk, and the disk is free when this is
    /// through, however long others hold this queue. Answers how many points are there.
    pub async fn end(&self) -> usize {
        self.put_away().await;
        // Not while the keeper has something on its way there.
        let _turn = self.storing.lock().await;
        let stored = self.waiting().disk.points;
        if let Some(disk) = &self.disk {
            let _ = disk.release().await;
        }
        stored
    }

    /// After [`Queue::end`], also one that was given up: the queue in its place takes what could not go to disk, before
    /// anything newer. Answers how many points are lost: there is no queue, or it has no room. What a disk that hung writes
    /// after all comes twice, rather than never.
    pub fn hand_over(&self, next: Option<&Queue>) -> usize {
        if let Some(disk) = &self.disk {
            disk.release_late();
        }
        let mut inner = self.lock();
        inner.replaced = true;
        if let Some(next) = next {
            return next.add(|tail| inner.move_to(tail));
        }
        let lost = inner.items;
        self.stats.lose(Lost::Stop, lost);
        while inner.pop().is_some() {}
        lost
    }
}
