//! What waits for a transfer: a tail in memory, a head on disk, in the order in which it came.
//!
//! * Everything on disk is older than everything in memory. What a transfer has not acknowledged after [`SPILL_AFTER`] goes to
//!   disk and is synced; while transfers answer, the disk is not touched.
//! * One producer side appends ([`Queue::append`] for what is collected, [`Queue::push`] for what must be told when there is no
//!   room); one consumer takes a [`Block`], sends it, and acknowledges it. It may go to disk meanwhile, or be dropped for a
//!   bound: the acknowledgement touches only what was in it.
//! * Memory holds [`MAX_BYTES`], and `MORE_BYTES` for a moment while a disk works; the disk holds `queue.max_mb`; a point waits `queue.max_age` at most. What a bound costs is the
//!   oldest, counted by reason ([`Lost`]).
//! * Where the disk cannot be used, the queue is in memory alone; see [`owner`].

mod disk;
#[cfg(test)]
pub(crate) mod fake;
mod keep;
pub mod log;
mod owner;
pub mod record;
pub mod storage;
mod tail;
mod tend;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::falcon::wire::Frame;
use crate::stats::{Lost, Stats};
pub use disk::Disk;
use log::Position;
use owner::Now;
pub use owner::{Open, View, directory};
use tail::{Entry, Inner};

/// Memory for points that wait, and how much more they may take for a moment while the disk is at work.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
const MORE_BYTES: usize = 8 * 1024 * 1024;
/// What is not acknowledged for so long goes to disk; with the time that takes it is there within a second.
const SPILL_AFTER: Duration = Duration::from_millis(800);
/// So much goes to disk at once, and no later than when it has come together.
const SPILL_BYTES: usize = 1024 * 1024;
/// How long a push waits for a disk that is at work to make room, and when it may come again where there is none.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Between two looks at a disk that is being opened.
const GLANCE: Duration = Duration::from_millis(20);
/// What is said of a disk that hangs.
const HANGS: &str = "the disk does not answer";
/// Between two looks at what is on disk.
const TICK: Duration = Duration::from_secs(1);
/// Between two questions to a disk that did not answer.
const LOST_AGAIN: Duration = Duration::from_secs(60);
/// What has waited so long in memory is a backlog too: it could not be put on disk.
const OLD: Duration = Duration::from_secs(5);

pub struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
    room: Notify,
    spill: Notify,
    stats: Arc<Stats>,
    max_bytes: usize,
    max_age: i64,
    disk: Option<Disk>,
    /// Held by the one who moves the tail to disk.
    storing: tokio::sync::Mutex<()>,
}

/// The oldest frames; still in the queue.
#[derive(Debug)]
pub struct Block {
    pub frames: Vec<Arc<Frame>>,
    from: From,
    /// How often the queue had been purged.
    purges: u64,
}

#[derive(Debug)]
enum From {
    /// The sequence number of its first frame, and whether that has waited long.
    Memory { first: u64, old: bool },
    /// The place behind each frame.
    Disk(Vec<Position>),
}

impl Block {
    pub fn items(&self) -> usize {
        self.frames.iter().map(|frame| frame.len()).sum()
    }

    /// It has waited: it is no live data.
    pub fn is_backlog(&self) -> bool {
        matches!(self.from, From::Disk(_) | From::Memory { old: true, .. })
    }

    /// The next start can send it as well.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.from, From::Disk(_))
    }
}

/// A push found no room: nothing of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When to try again.
    pub retry_after: Duration,
}

/// What waits, and where.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    pub memory_points: usize,
    pub memory_bytes: usize,
    /// Seconds since the oldest of all came.
    pub age_s: u64,
    pub disk: View,
}

impl Waiting {
    pub fn points(&self) -> usize {
        self.memory_points + self.disk.points
    }
}

impl Queue {
    /// `max_age` in seconds; without a disk everything is in memory.
    pub fn new(stats: Arc<Stats>, max_bytes: usize, max_age: i64, disk: Option<Disk>) -> Queue {
        let inner = Mutex::new(Inner { disk_empty: disk.is_none(), ..Inner::default() });
        let (filled, room, spill) = (Notify::new(), Notify::new(), Notify::new());
        Queue { inner, filled, room, spill, stats, max_bytes, max_age, disk, storing: tokio::sync::Mutex::default() }
    }

    /// Appends what was collected; the oldest of the tail go where it is full.
    pub fn append(&self, frames: impl IntoIterator<Item = Frame>) {
        self.add(|inner| inner.extend(frames.into_iter().map(Arc::new).collect()));
    }

    /// Answers how many of the oldest points had to go.
    fn add(&self, extend: impl FnOnce(&mut Inner)) -> usize {
        // A disk that is at work makes room; meanwhile nothing that was accepted has to go.
        let most = if self.disk_works() { self.max_bytes + MORE_BYTES } else { self.max_bytes };
        let mut inner = self.lock();
        extend(&mut inner);
        let mut dropped = 0;
        while inner.bytes > most {
            let Some(frame) = inner.pop() else { break };
            dropped += frame.len();
        }
        self.stats.lose(Lost::Memory, dropped);
        let news = dropped > 0 && !std::mem::replace(&mut inner.overflowed, true);
        self.changed(inner);
        if news {
            crate::log::say!(
                Warn,
                "Q003",
                "queue: the memory for points that wait is full; the oldest are dropped from now on"
            );
        }
        dropped
    }

    /// It has not looked at what an earlier run left: what is accepted now would not be there within a second.
    fn disk_starts(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| !disk.view().started) && !self.lock().disk_lost
    }

    fn disk_works(&self) -> bool {
        let trouble = self.disk.as_ref().is_none_or(|disk| disk.view().trouble.is_some());
        !trouble && !self.lock().disk_lost
    }

    /// Appends what was pushed, all of it or nothing. Where there is no room, a disk that works is given a moment to make some.
    ///
    /// # Errors
    /// There is no room.
    pub async fn push(&self, frames: Vec<Frame>) -> Result<(), Full> {
        let mut frames: Vec<Arc<Frame>> = frames.into_iter().map(Arc::new).collect();
        let bytes: usize = frames.iter().map(|frame| frame.bytes()).sum();
        let end = Instant::now() + ROOM_WITHIN;
        loop {
            let room = self.room.notified();
            let mut room = std::pin::pin!(room);
            // All who wait are told, also of room that came between this look and the waiting.
            room.as_mut().enable();
            if self.try_extend(&mut frames, bytes) {
                return Ok(());
            }
            self.spill.notify_one();
            // Nothing but a disk makes room in a moment.
            let starts = self.disk_starts();
            if starts && Instant::now() < end {
                tokio::time::sleep(GLANCE).await;
            } else if starts || !self.disk_works() || tokio::time::timeout_at(end, room).await.is_err() {
                return Err(Full { retry_after: RETRY_AFTER });
            }
        }
    }

    /// Takes all frames, of so many bytes together, or none. An eighth of the memory is kept for what is collected.
    fn try_extend(&self, frames: &mut Vec<Arc<Frame>>, bytes: usize) -> bool {
        let (works, starts) = (self.disk_works(), self.disk_starts());
        let mut inner = self.lock();
        let fits = inner.bytes + bytes <= self.max_bytes - self.max_bytes / 8;
        // One push may be larger than all the room there is.
        let room = !inner.closed && !starts && (fits || works && inner.bytes <= SPILL_BYTES);
        if room {
            inner.extend(std::mem::take(frames));
            self.changed(inner);
        }
        room
    }

    /// The oldest block, as soon as there is one: at least a frame, then as many as these bounds allow.
    pub async fn peek(&self, max_bytes: usize, max_items: usize) -> Block {
        loop {
            let filled = self.filled.notified();
            if let Some(disk) = self.disk.as_ref().filter(|_| !self.lock().disk_empty) {
                match disk.peek(max_bytes, max_items, Now::look()).await {
                    Ok(found) if !found.is_empty() => {
                        let (frames, ends) = found.into_iter().unzip();
                        return Block { frames, from: From::Disk(ends), purges: self.lock().purges };
                    }
                    Ok(_) => {
                        let empty = disk.view().points == 0;
                        self.lock().disk_empty = empty;
                        if !empty {
                            // It cannot be read now, and nothing newer may go before it.
                            tokio::time::sleep(TICK).await;
                        }
                    }
                    Err(_) => self.lose_disk(),
                }
                continue;
            }
            if let Some(block) = self.peek_tail(max_bytes, max_items) {
                return block;
            }
            filled.await;
        }
    }

    fn peek_tail(&self, max_bytes: usize, max_items: usize) -> Option<Block> {
        let now = Now::look();
        let mut inner = self.lock();
        while let Some(why) = inner.tail.front().and_then(|entry| now.unfit(&entry.frame, self.max_age)) {
            self.stats.lose(why, inner.pop().map_or(0, |frame| frame.len()));
        }
        let (mut bytes, mut items, mut any) = (0, 0, false);
        let fits = |entry: &&Entry| {
            bytes += entry.frame.bytes();
            items += entry.frame.len();
            let room = !std::mem::replace(&mut any, true) || bytes <= max_bytes && items <= max_items;
            room && now.unfit(&entry.frame, self.max_age).is_none()
        };
        let frames: Vec<Arc<Frame>> = inner.tail.iter().take_while(fits).map(|entry| entry.frame.clone()).collect();
        // The spill came in between: what it wrote is older.
        if frames.is_empty() || !inner.disk_empty {
            return None;
        }
        inner.out = inner.first + u64::try_from(frames.len()).unwrap_or(u64::MAX);
        inner.moved.clear();
        let old = inner.tail.front().is_some_and(|entry| entry.since.elapsed() >= OLD);
        Some(Block { frames, from: From::Memory { first: inner.first, old }, purges: inner.purges })
    }

    /// Somebody has thrown the block away meanwhile.
    pub fn is_purged(&self, block: &Block) -> bool {
        self.lock().purges != block.purges
    }

    /// Forgets a block: a transfer has it.
    pub fn acknowledge(&self, block: &Block) {
        self.acknowledge_first(block, block.frames.len());
    }

    /// Forgets the first `frames` of a block, of which more may follow.
    pub fn acknowledge_first(&self, block: &Block, frames: usize) {
        match &block.from {
            From::Disk(ends) => {
                if let (Some(disk), Some(end)) = (&self.disk, frames.checked_sub(1).and_then(|last| ends.get(last))) {
                    disk.acknowledge(*end);
                }
                self.changed(self.lock());
            }
            From::Memory { first, .. } => {
                let end = first + u64::try_from(frames.min(block.frames.len())).unwrap_or(u64::MAX);
                let mut inner = self.lock();
                let mut moved = Vec::new();
                while let Some((_, place, points)) = inner.moved.front().copied().filter(|(seq, ..)| *seq <= end) {
                    inner.moved.pop_front();
                    moved.push((place, points));
                }
                while inner.first < end {
                    if inner.pop().is_none() {
                        break;
                    }
                }
                inner.sent = inner.sent.max(end);
                let relieved = inner.tail.is_empty() && std::mem::take(&mut inner.overflowed);
                self.changed(inner);
                if let Some(disk) = self.disk.as_ref().filter(|_| !moved.is_empty()) {
                    disk.acknowledge_unread(moved);
                }
                if relieved {
                    let lost = self.stats.lost(Lost::Memory);
                    crate::log::say!(
                        Info,
                        "Q004",
                        "queue: its memory is empty again; {lost} points were dropped there since the start"
                    );
                }
            }
        }
        self.room.notify_waiters();
    }

    pub fn waiting(&self) -> Waiting {
        self.waits(&self.lock())
    }

    /// Points that ever came.
    pub fn came(&self) -> u64 {
        self.lock().came
    }

    /// Something has waited: on disk, or long in memory.
    pub fn has_backlog(&self) -> bool {
        let inner = self.lock();
        !inner.disk_empty || inner.tail.front().is_some_and(|entry| entry.since.elapsed() >= OLD)
    }

    /// Points that wait.
    pub fn items(&self) -> usize {
        self.waiting().points()
    }

    fn waits(&self, inner: &Inner) -> Waiting {
        let mut disk = self.disk.as_ref().map(Disk::view).unwrap_or_default();
        if inner.disk_lost {
            disk.trouble = Some(HANGS.to_owned());
        }
        let oldest = disk.oldest.filter(|_| disk.points > 0);
        let oldest = oldest.or_else(|| inner.tail.front().map(|entry| entry.frame.taken));
        let age_s = oldest.map_or(0, |taken| u64::try_from(clock::steady_s() - taken).unwrap_or(0));
        Waiting { memory_points: inner.items, memory_bytes: inner.bytes, age_s, disk }
    }

    /// The disk did not answer: what it holds is sent when it does.
    fn lose_disk(&self) {
        let mut inner = self.lock();
        inner.disk_empty = true;
        if !std::mem::replace(&mut inner.disk_lost, true) {
            self.stats.queue_disk_ok.set(0);
            crate::log::say!(
                Error,
                "Q005",
                "queue: the disk does not answer; points wait in memory alone until it does"
            );
        }
    }

    /// Tells the figures, and whoever waits for points or for the disk's turn.
    fn changed(&self, inner: std::sync::MutexGuard<'_, Inner>) {
        if inner.replaced {
            return;
        }
        let waiting = self.waits(&inner);
        drop(inner);
        self.stats.queued.set(waiting.points());
        self.stats.queue_memory_bytes.set(waiting.memory_bytes);
        self.stats.queue_age_s.set(usize::try_from(waiting.age_s).unwrap_or(usize::MAX));
        if waiting.memory_points > 0 || waiting.disk.points > 0 {
            self.filled.notify_one();
        }
        if waiting.memory_points > 0 {
            self.spill.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing here panics half-way; a poisoned lock holds whole data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
