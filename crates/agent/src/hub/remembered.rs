//! Every series of late: its newest point, and what the [history](super::history) knows it by.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::history::{HistoryFacts, Ring, Track, View};
use crate::clock;
use crate::model::{Kind, Sample};

/// Series that are remembered; pushes may name as many as they like.
pub(super) const MAX_SERIES: usize = 10_000;
/// A series that said nothing for so long is no longer shown.
pub(super) const FORGET_S: i64 = 3600;
/// The same for a series of a long step.
const FORGET_MOST_S: i64 = 3 * 86_400;

/// Where a point came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Collected,
    Pushed,
    /// Of a plugin that this agent ran.
    Plugin,
}

/// The newest point of one series.
#[derive(Clone, Debug)]
pub struct Latest {
    pub sample: Sample,
    pub origin: Origin,
    /// When it came in, Unix seconds: a pushed stamp may lie anywhere.
    pub seen: i64,
    /// Of the series, as long as it is remembered; never given to another, also not after a restart.
    pub id: u32,
}

impl Latest {
    /// See [`Sample::shown_tags`].
    pub fn shown_tags(&self) -> Cow<'_, str> {
        self.sample.shown_tags()
    }

    fn is_fresh(&self, now: i64) -> bool {
        let lasts = self.sample.step.saturating_mul(3).clamp(FORGET_S, FORGET_MOST_S);
        now.saturating_sub(self.seen) <= lasts
    }
}

struct Entry {
    latest: Latest,
    track: Track,
}

pub(super) struct Remembered {
    entries: HashMap<u64, Entry>,
    /// For the next series that is new.
    next: u32,
    ring: Ring,
}

impl Remembered {
    /// `cap`: bytes of history.
    pub fn new(cap: usize) -> Remembered {
        Remembered { entries: HashMap::new(), next: first(clock::unix_s()), ring: Ring::new(cap) }
    }

    /// Goes on with what another remembered.
    pub fn follow(&mut self, earlier: Remembered, cap: usize) {
        *self = earlier;
        self.ring.resize(cap);
    }

    /// For how many of them there was no room. What is collected has some: pushed series make it, the one that was silent for the
    /// longest time first.
    pub fn remember(&mut self, samples: Vec<Sample>, origin: Origin, now: i64) -> usize {
        if self.entries.len() + samples.len() > MAX_SERIES {
            self.entries.retain(|_, entry| entry.latest.is_fresh(now));
        }
        let (mut left_out, mut pushed) = (0, None);
        for sample in samples {
            let (key, value, at) = (sample.key(), sample.value.get(), sample.at);
            let (id, mut track) = match self.entries.get(&key) {
                Some(known) => (known.latest.id, known.track),
                None => {
                    if self.entries.len() >= MAX_SERIES {
                        left_out += 1;
                        if origin != Origin::Collected || !self.make_room(pushed.get_or_insert_with(|| self.pushed())) {
                            continue;
                        }
                    }
                    self.next = self.next.wrapping_add(1);
                    (self.next.wrapping_sub(1), Track::default())
                }
            };
            self.ring.append(id, &mut track, value, at, now);
            self.entries.insert(key, Entry { latest: Latest { sample, origin, seen: now, id }, track });
        }
        left_out
    }

    /// Series that were not collected, by when they said something.
    fn pushed(&self) -> BinaryHeap<(Reverse<i64>, u64)> {
        let pushed = self.entries.iter().filter(|(_, entry)| entry.latest.origin != Origin::Collected);
        pushed.map(|(key, entry)| (Reverse(entry.latest.seen), *key)).collect()
    }

    /// Drops the first of `pushed` that still is one; `false`: there is none.
    fn make_room(&mut self, pushed: &mut BinaryHeap<(Reverse<i64>, u64)>) -> bool {
        while let Some((_, key)) = pushed.pop() {
            if self.entries.get(&key).is_some_and(|entry| entry.latest.origin != Origin::Collected) {
                self.entries.remove(&key);
                return true;
            }
        }
        false
    }

    /// Those of these that said something lately.
    pub fn fresh(&mut self, of: &dyn Fn(&Latest) -> bool, now: i64) -> Vec<Latest> {
        self.entries.retain(|_, entry| entry.latest.is_fresh(now));
        self.entries.values().map(|entry| &entry.latest).filter(|latest| of(latest)).cloned().collect()
    }

    pub fn find(&self, is_it: impl Fn(&Latest) -> bool, now: i64) -> Option<f64> {
        let mut all = self.entries.values().map(|entry| &entry.latest);
        all.find(|latest| is_it(latest) && latest.is_fresh(now)).map(|latest| latest.sample.value.get())
    }

    /// Which of these series there are, in the order of their numbers, with whether a mean can stand for many points; and what
    /// the ring has of all.
    pub fn view(&self, ids: &[u32]) -> (Vec<(u32, bool)>, View) {
        let mut known: Vec<(u32, bool)> = Vec::new();
        for latest in self.entries.values().map(|entry| &entry.latest).filter(|latest| ids.contains(&latest.id)) {
            let at = known.partition_point(|(id, _)| *id < latest.id);
            known.insert(at, (latest.id, latest.sample.kind == Kind::Gauge));
        }
        (known, self.ring.view())
    }

    pub fn facts(&self) -> HistoryFacts {
        self.ring.facts(self.entries.len())
    }
}

/// Of the first series of a process. A page that was open before a restart asks by the numbers it knows: a process begins beyond those of the one
/// before, unless that one had 4,096 new series in each second of its life.
pub(super) fn first(started: i64) -> u32 {
    // It begins anew after twelve days.
    u32::try_from(started.rem_euclid(1 << 20)).unwrap_or_default() << 12
}
