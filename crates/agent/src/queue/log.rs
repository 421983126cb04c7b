//! An append-only log of frames over a [`Storage`]: append, peek, acknowledge.
//!
//! * Segments `NNNNNNNNNNNNNNNN.log` of about [`SEGMENT_BYTES`], in the order of their numbers; one is deleted whole when all
//!   of it is acknowledged. A segment that an earlier run wrote is never appended to: its end may be torn.
//! * `cursor` is how far it is acknowledged, replaced at most once a second by [`Log::save`]. After a crash what was
//!   acknowledged since then comes again. A cursor that is damaged, or older than what there is, is the beginning.
//! * A damaged record is skipped and counted when it is met; see [`record`](super::record). The log never refuses for it.
//! * Over the quota the oldest segment goes.

mod cursor;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::record::{self, MAX_RECORD, Next, SEGMENT_HEAD, SegmentHead};
use super::storage::Storage;
use crate::falcon::wire::Frame;

/// A segment is closed when it has grown to this.
pub const SEGMENT_BYTES: u64 = 4 << 20;
/// Read at once.
const WINDOW: usize = 512 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{name} was written by a newer falcon-agent (format {version}, this one reads {})", record::VERSION)]
    Newer { name: String, version: u32 },
}

/// A place in the log. Places compare as they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    segment: u64,
    offset: u64,
}

#[derive(Debug)]
struct Segment {
    id: u64,
    bytes: u64,
    /// Not acknowledged.
    points: usize,
}

/// The oldest frames, each with the place behind it.
#[derive(Debug, Default)]
pub struct Peeked {
    pub frames: Vec<(Arc<Frame>, Position)>,
    /// Damaged records that were passed, and the points that went with them as far as that is known.
    pub damaged: Damaged,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damaged {
    pub records: usize,
    pub points: usize,
}

/// What [`Log::append`] did.
#[derive(Debug, Default)]
pub struct Appended {
    /// Of as many of the frames as were written, in order: the place behind each.
    pub ends: Vec<Position>,
    pub bytes: u64,
}

/// What a look at every record found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: usize,
    pub bytes: u64,
    pub records: usize,
    pub points: usize,
    pub damaged: Damaged,
    /// When the oldest of them came.
    pub oldest: Option<i64>,
}

impl Verified {
    pub fn add(&mut self, other: &Verified) {
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.records += other.records;
        self.points += other.points;
        self.damaged.records += other.damaged.records;
        self.damaged.points += other.damaged.points;
        self.oldest = self.oldest.or(other.oldest);
    }
}

pub struct Log<S> {
    storage: S,
    max_bytes: u64,
    segment_bytes: u64,
    segments: VecDeque<Segment>,
    next_id: u64,
    /// The last segment is of this run.
    active: bool,
    cursor: Position,
    saved: Option<Position>,
    /// Places given out by the last peek, with the points before each.
    peeked: VecDeque<(Position, usize)>,
    window: Window,
    oldest: Option<i64>,
    evicted: usize,
}

#[derive(Default)]
struct Window {
    segment: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<S: Storage> Log<S> {
    /// Reads what is there. `max_bytes` is held to two segments at least.
    ///
    /// # Errors
    /// The storage's own, and a file of a newer version.
    pub fn open(storage: S, max_bytes: u64) -> Result<Log<S>, Error> {
        Log::open_with(storage, max_bytes, SEGMENT_BYTES)
    }

    fn open_with(mut storage: S, max_bytes: u64, segment_bytes: u64) -> Result<Log<S>, Error> {
        let mut files: Vec<(u64, u64)> =
            storage.list()?.into_iter().filter_map(|(name, bytes)| Some((id_of(&name)?, bytes))).collect();
        files.sort_unstable();
        let saved = cursor::read(&mut storage)?;
        let newest = files.last().map_or(0, |(id, _)| *id).max(saved.map_or(0, |cursor| cursor.segment));
        let start = Position { segment: 0, offset: 0 };
        let mut log = Log {
            storage,
            max_bytes: max_bytes.max(2 * segment_bytes),
            segment_bytes,
            segments: VecDeque::new(),
            next_id: newest.saturating_add(1),
            active: false,
            cursor: saved.unwrap_or(start),
            saved,
            peeked: VecDeque::new(),
            window: Window::default(),
            oldest: None,
            evicted: 0,
        };
        for (id, bytes) in files {
            let done = id < log.cursor.segment || bytes < SEGMENT_HEAD as u64;
            if done {
                // One that cannot be removed is passed over again by the next run.
                let _ = log.storage.remove(&name_of(id));
                continue;
            }
            match log.check_head(id) {
                Err(error @ Error::Newer { .. }) => return Err(error),
                // One that cannot be read now is tried again when it is the oldest.
                Ok(()) | Err(Error::Io(_)) => {}
            }
            log.segments.push_back(Segment { id, bytes, points: 0 });
            let from = if id == log.cursor.segment { log.cursor.offset } else { 0 };
            let found = log.scan(id, from.max(SEGMENT_HEAD as u64)).ok();
            log.oldest = log.oldest.or(found.and_then(|found| found.oldest));
            if let Some(segment) = log.segments.back_mut() {
                // Of an unreadable one nobody knows; none would mean that it need not be looked at.
                segment.points = found.map_or(1, |found| found.points);
            }
        }
        log.window = Window::default();
        log.settle();
        Ok(log)
    }

    /// The number that its next segment will have.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Its next segment has at least this number, so that places told by a log before it lie before all of this one.
    pub fn begin_at(&mut self, id: u64) {
        self.next_id = self.next_id.max(id);
    }

    /// Points that wait.
    pub fn points(&self) -> usize {
        self.segments.iter().map(|segment| segment.points).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// When the oldest of them came.
    pub fn oldest(&self) -> Option<i64> {
        self.oldest
    }

    /// Points of segments that had to go for others since this was asked last, also for such as were not written then.
    pub fn take_evicted(&mut self) -> usize {
        std::mem::take(&mut self.evicted)
    }

    /// Writes as many of the frames as fit one segment, at least one; afterwards they are durable.
    ///
    /// # Errors
    /// The storage's own; nothing was written then.
    pub fn append(&mut self, frames: &[Arc<Frame>]) -> io::Result<Appended> {
        let mut bytes = Vec::new();
        let mut done = Appended::default();
        let (id, start, before) = match self.segments.back() {
            Some(last) if self.active && last.bytes < self.segment_bytes => (last.id, last.bytes, last.points),
            _ => {
                bytes.extend_from_slice(&record::segment_head());
                (self.next_id, 0, 0)
            }
        };
        let mut points = 0;
        for frame in frames {
            if start + bytes.len() as u64 >= self.segment_bytes {
                break;
            }
            record::write(frame, &mut bytes);
            points += frame.len();
            done.ends.push(Position { segment: id, offset: start + bytes.len() as u64 });
        }
        done.bytes = bytes.len() as u64;
        while self.bytes() + done.bytes > self.max_bytes && self.segments.front().is_some_and(|oldest| oldest.id != id)
        {
            self.evicted += self.evict()?;
        }
        self.storage.append(&name_of(id), start, &bytes)?;
        let segment = Segment { id, bytes: start + done.bytes, points: before + points };
        if start == 0 {
            self.next_id += 1;
            self.segments.push_back(segment);
        } else if let Some(last) = self.segments.back_mut() {
            *last = segment;
        }
        self.active = true;
        self.oldest = self.oldest.or(frames.first().map(|frame| frame.taken));
        Ok(done)
    }

    /// The oldest frames that are not acknowledged: at least one where there is any, then up to these bounds.
    ///
    /// # Errors
    /// A segment cannot be read; see [`Log::give_up_oldest`].
    pub fn peek(&mut self, max_bytes: usize, max_items: usize) -> io::Result<Peeked> {
        self.peeked.clear();
        let mut found = Peeked::default();
        let (mut bytes, mut items) = (0, 0);
        let mut at = self.cursor;
        while let Some(segment) = self.segments.iter().find(|segment| segment.id >= at.segment) {
            if segment.id > at.segment {
                at = Position { segment: segment.id, offset: SEGMENT_HEAD as u64 };
            }
            let size = segment.bytes;
            let next = match self.next(at, size) {
                Ok(next) => next,
                // Told when nothing stands in front of it any more: it is not the oldest segment that fails.
                Err(_) if !found.frames.is_empty() || found.damaged.records > 0 => break,
                Err(error) => return Err(error),
            };
            match next {
                Next::Record { size, frame } => {
                    bytes += frame.bytes();
                    items += frame.len();
                    if !found.frames.is_empty() && (bytes > max_bytes || items > max_items) {
                        break;
                    }
                    at.offset += size as u64;
                    self.peeked.push_back((at, frame.len()));
                    found.frames.push((Arc::new(frame), at));
                }
                // Counted once, when nothing is left in front of it.
                Next::Damaged { .. } if !found.frames.is_empty() => break,
                Next::Damaged { size, points } => {
                    found.damaged.records += 1;
                    found.damaged.points += points;
                    at.offset += size as u64;
                    self.cursor = at;
                }
                Next::More | Next::End => {
                    at = Position { segment: at.segment.saturating_add(1), offset: SEGMENT_HEAD as u64 };
                }
            }
        }
        if let Some((frame, _)) = found.frames.first() {
            self.oldest = Some(frame.taken);
        } else if found.damaged.records == 0 {
            // Whatever there is, it is no record.
            self.cursor = self.cursor.max(at);
            self.settle();
        }
        Ok(found)
    }

    /// Forgets everything before a place that [`Log::peek`] or [`Log::append`] told.
    pub fn acknowledge(&mut self, end: Position) {
        while let Some((place, points)) = self.peeked.front().copied().filter(|(place, _)| *place <= end) {
            self.peeked.pop_front();
            self.take_points(place.segment, points);
        }
        self.cursor = self.cursor.max(end);
        self.settle();
    }

    /// The same for records that were never peeked: they were sent from memory. `points` stand before the place.
    pub fn acknowledge_unread(&mut self, end: Position, points: usize) {
        self.take_points(end.segment, points);
        self.acknowledge(end);
    }

    /// How far it is acknowledged is not durable yet.
    pub fn is_unsaved(&self) -> bool {
        self.saved != Some(self.cursor) && self.cursor.segment > 0
    }

    /// Makes durable how far it is acknowledged; to be called about once a second, and at the end.
    ///
    /// # Errors
    /// The storage's own.
    pub fn save(&mut self) -> io::Result<()> {
        if self.is_unsaved() {
            self.storage.replace(cursor::NAME, &cursor::bytes(self.cursor))?;
            self.saved = Some(self.cursor);
        }
        Ok(())
    }

    /// Writes how far it is acknowledged, whether that is news or not: whether the disk takes anything.
    ///
    /// # Errors
    /// The storage's own.
    pub fn probe(&mut self) -> io::Result<()> {
        self.storage.replace(cursor::NAME, &cursor::bytes(self.cursor))?;
        self.saved = Some(self.cursor);
        Ok(())
    }

    /// Removes everything; answers how many points that were.
    ///
    /// # Errors
    /// The storage's own; what was removed stays so.
    pub fn purge(&mut self) -> io::Result<usize> {
        let mut points = 0;
        while !self.segments.is_empty() {
            points += self.evict()?;
        }
        Ok(points)
    }

    /// Lets go of the oldest segment, which cannot be read; answers how many points that costs.
    pub fn give_up_oldest(&mut self) -> usize {
        let Some(oldest) = self.segments.pop_front() else { return 0 };
        // What cannot be read may not be removable either; it lies before the cursor now.
        let _ = self.storage.remove(&name_of(oldest.id));
        self.cursor = self.cursor.max(Position { segment: oldest.id.saturating_add(1), offset: SEGMENT_HEAD as u64 });
        self.oldest = None;
        self.settle();
        oldest.points
    }

    /// Reads every record that is not acknowledged and checks it.
    ///
    /// # Errors
    /// The storage's own.
    pub fn verify(&mut self) -> io::Result<Verified> {
        let mut all = Verified::default();
        for id in self.segment_ids() {
            all.add(&self.verify_segment(id)?);
        }
        Ok(all)
    }

    /// Its segments, oldest first.
    pub fn segment_ids(&self) -> Vec<u64> {
        self.segments.iter().map(|segment| segment.id).collect()
    }

    /// [`Log::verify`] for one segment; of one that has gone there is nothing to tell.
    ///
    /// # Errors
    /// The storage's own.
    pub fn verify_segment(&mut self, id: u64) -> io::Result<Verified> {
        let Some(bytes) = self.segments.iter().find(|segment| segment.id == id).map(|segment| segment.bytes) else {
            return Ok(Verified::default());
        };
        let from = if id == self.cursor.segment { self.cursor.offset } else { 0 };
        let found = self.scan(id, from.max(SEGMENT_HEAD as u64))?;
        Ok(Verified { segments: 1, bytes, ..found })
    }

    fn scan(&mut self, id: u64, from: u64) -> io::Result<Verified> {
        let mut found = Verified::default();
        let mut at = Position { segment: id, offset: from };
        let size = self.segments.iter().find(|segment| segment.id == id).map_or(0, |segment| segment.bytes);
        loop {
            match self.next(at, size)? {
                Next::Record { size, frame } => {
                    found.records += 1;
                    found.points += frame.len();
                    found.oldest = found.oldest.or(Some(frame.taken));
                    at.offset += size as u64;
                }
                Next::Damaged { size, points } => {
                    found.damaged.records += 1;
                    found.damaged.points += points;
                    at.offset += size as u64;
                }
                Next::More | Next::End => return Ok(found),
            }
        }
    }

    /// What stands at a place of a segment of so many bytes.
    fn next(&mut self, at: Position, size: u64) -> io::Result<Next> {
        if at.offset >= size {
            return Ok(Next::End);
        }
        let window = &self.window;
        let end = window.start + window.bytes.len() as u64;
        let in_sight = window.segment == at.segment && at.offset >= window.start && at.offset < end;
        if !in_sight || end < size && end - at.offset < MAX_RECORD as u64 {
            let room = usize::try_from(size - at.offset).unwrap_or(WINDOW).min(WINDOW);
            // Nothing is in sight until the read has succeeded.
            let Window { mut bytes, .. } = std::mem::take(&mut self.window);
            bytes.resize(room, 0);
            let read = self.storage.read(&name_of(at.segment), at.offset, &mut bytes)?;
            if read < room {
                let why = format!("{} is shorter than it was", name_of(at.segment));
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            self.window = Window { segment: at.segment, start: at.offset, bytes };
        }
        let window = &self.window;
        let skip = usize::try_from(at.offset - window.start).unwrap_or(usize::MAX);
        let all = window.start + window.bytes.len() as u64 >= size;
        Ok(record::next(window.bytes.get(skip..).unwrap_or_default(), all))
    }

    fn check_head(&mut self, id: u64) -> Result<(), Error> {
        let mut head = [0; SEGMENT_HEAD];
        let read = self.storage.read(&name_of(id), 0, &mut head)?;
        match record::read_segment_head(head.get(..read).unwrap_or_default()) {
            SegmentHead::Newer(version) => Err(Error::Newer { name: name_of(id), version }),
            SegmentHead::Ours | SegmentHead::Damaged => Ok(()),
        }
    }

    fn take_points(&mut self, segment: u64, points: usize) {
        if let Some(segment) = self.segments.iter_mut().find(|s| s.id == segment) {
            segment.points = segment.points.saturating_sub(points);
        }
    }

    fn evict(&mut self) -> io::Result<usize> {
        let Some(oldest) = self.segments.front() else { return Ok(0) };
        self.storage.remove(&name_of(oldest.id))?;
        Ok(self.give_up_oldest())
    }

    /// Removes the segments that the cursor has passed. One that cannot be removed is removed at the next start: it lies
    /// before the cursor.
    fn settle(&mut self) {
        while let Some(Segment { id, bytes, .. }) = self.segments.front() {
            let passed = *id < self.cursor.segment || *id == self.cursor.segment && *bytes <= self.cursor.offset;
            if !passed {
                break;
            }
            let _ = self.storage.remove(&name_of(*id));
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            self.active = false;
            self.window = Window::default();
            self.peeked = VecDeque::new();
            self.oldest = None;
        }
    }
}

fn name_of(id: u64) -> String {
    format!("{id:016}.log")
}

/// Whether a file of this name is one that a queue makes.
pub(crate) fn is_own_file(name: &str) -> bool {
    let name = name.strip_suffix(".new").unwrap_or(name);
    name == cursor::NAME || name == super::storage::LOCK || id_of(name).is_some()
}

fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() >= 16 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
