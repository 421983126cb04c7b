//! What every series said lately: a log of all points in the order in which they came, compressed, in memory.
//!
//! * The cap wins: segments are allocated as they are needed, the oldest makes room as a whole, and how far back the log
//!   goes is what it comes to. Beside it a series has the 16 bytes of its [`Track`], which whoever names the series keeps.
//! * A steady cycle allocates nothing: the buffer of the oldest segment becomes that of the newest.
//! * Who reads shares the segments and holds up nobody; the newest is copied if points come meanwhile, and what was dropped is
//!   freed when he has read it.

mod bits;
mod segment;
mod thin;

use std::collections::VecDeque;
use std::sync::Arc;

use segment::Segment;
pub use segment::Track;
use thin::Thinned;

/// A stamp that lies further from now is one of a push that is not of now; seconds.
const AROUND_S: u64 = 3600;
/// Segments of a log that is full, and of a small one.
const SEGMENTS: usize = 16;
const FEW: usize = 4;
/// Each has so many bytes, also if they are more than its part of the cap.
const SMALL: usize = 4096;
/// Bytes that a segment takes besides its bits: itself, its counts, its place in the ring, and what an allocator adds.
const EACH: usize = 128;

/// What the ring is and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFacts {
    pub max_bytes: usize,
    /// Of memory that it has taken.
    pub bytes: usize,
    /// Since when it has everything that came in, Unix seconds.
    pub from: Option<i64>,
    /// Series that are remembered now.
    pub series: usize,
    pub points: u64,
}

/// The log.
pub struct Ring {
    cap: usize,
    bytes: usize,
    /// How many segments there ever were.
    parts: u32,
    segments: VecDeque<Arc<Segment>>,
}

impl Ring {
    /// `cap`: bytes; 0: nothing is kept.
    pub fn new(cap: usize) -> Ring {
        Ring { cap, bytes: 0, parts: 0, segments: VecDeque::new() }
    }

    /// Keeps to another cap from now on.
    pub fn resize(&mut self, cap: usize) {
        self.cap = cap;
        while self.bytes > cap {
            drop(self.drop_oldest());
        }
    }

    /// Adds a point that came in at `now`.
    pub fn append(&mut self, id: u32, track: &mut Track, value: f64, at: i64, now: i64) {
        if !self.segments.back().is_some_and(|segment| segment.has_room()) && !self.begin() {
            return;
        }
        let at = if at.abs_diff(now) > AROUND_S { now } else { at };
        if let Some(segment) = self.segments.back_mut() {
            let segment = Arc::make_mut(segment);
            if segment.points == 0 {
                segment.began = now;
            }
            segment.write(id, track, value, at);
        }
    }

    /// A new segment; `false`: the cap leaves no room for one.
    fn begin(&mut self) -> bool {
        let each = (self.cap / SEGMENTS).max(SMALL.min(self.cap / FEW));
        let words = each.saturating_sub(EACH) / size_of::<u64>();
        if words < 8 {
            return false;
        }
        let new = words * size_of::<u64>() + EACH;
        let mut used = None;
        while self.bytes + new > self.cap {
            used = self.drop_oldest();
        }
        self.parts = self.parts.wrapping_add(1).max(1);
        let mut used = used.filter(|segment| segment.words() == words);
        match used.as_mut().and_then(Arc::get_mut) {
            Some(own) => own.restart(self.parts),
            // There is none of this size, or somebody reads it.
            None => used = Some(Arc::new(Segment::new(words, self.parts))),
        }
        self.segments.extend(used);
        self.bytes += new;
        true
    }

    fn drop_oldest(&mut self) -> Option<Arc<Segment>> {
        let oldest = self.segments.pop_front()?;
        self.bytes = self.bytes.saturating_sub(oldest.words() * size_of::<u64>() + EACH);
        Some(oldest)
    }

    pub fn facts(&self, series: usize) -> HistoryFacts {
        HistoryFacts {
            max_bytes: self.cap,
            bytes: self.bytes,
            from: self.from(),
            series,
            points: self.segments.iter().map(|segment| u64::from(segment.points)).sum(),
        }
    }

    fn from(&self) -> Option<i64> {
        self.segments.front().map(|segment| segment.began)
    }

    /// What is in it now, to be read at leisure.
    pub fn view(&self) -> View {
        View { from: self.from(), segments: self.segments.iter().cloned().collect() }
    }
}

/// What the ring held at a time.
pub struct View {
    /// See [`HistoryFacts`].
    pub from: Option<i64>,
    segments: Vec<Arc<Segment>>,
}

/// The points of a series in the order of time, as many as a chart shows.
pub type Points = Vec<(i64, f64)>;

impl View {
    /// What these series said since `from`; `wanted` is sorted by the series, and says whether a mean stands for many.
    pub fn series(&self, wanted: &[(u32, bool)], from: i64) -> Vec<Points> {
        let ids: Vec<u32> = wanted.iter().map(|(id, _)| *id).collect();
        let mut thinned = Thinned::new(wanted.iter().map(|(_, mean)| *mean));
        self.read(&ids, |place, at, value| {
            if at >= from {
                thinned.add(place, at, value);
            }
        });
        thinned.points()
    }

    fn read(&self, ids: &[u32], mut each: impl FnMut(usize, i64, f64)) {
        let mut values = vec![0; ids.len()];
        for segment in &self.segments {
            segment.read(ids, &mut values, &mut each);
        }
    }
}

#[cfg(test)]
mod tests;
