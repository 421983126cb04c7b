//! Every series of late: its newest point, and what the [history](super::history) knows it by.

use std::borrow::Cow;
use std::collections::{HashMap, hash_map};

use super::history::{HistoryFacts, Ring, Track, View};
use crate::config::tags_without_credentials;
use crate::model::{Kind, Sample};

/// Series kept for the page; pushes may name as many as they like.
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
    /// Of the series, as long as it is remembered; never given to another.
    pub id: u32,
}

impl Latest {
    /// judge gets the tags as hbs has them, with the login of a URL in them; who looks here does not.
    pub fn shown_tags(&self) -> Cow<'_, str> {
        let tags = self.sample.tags.as_str();
        if self.sample.metric == "url.check.health" { tags_without_credentials(tags).into() } else { tags.into() }
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
        Remembered { entries: HashMap::new(), next: 0, ring: Ring::new(cap) }
    }

    /// Goes on with what another remembered.
    pub fn follow(&mut self, earlier: Remembered, cap: usize) {
        *self = earlier;
        self.ring.resize(cap);
    }

    /// How many of them there was no room for.
    pub fn remember(&mut self, samples: Vec<Sample>, origin: Origin, now: i64) -> usize {
        if self.entries.len() + samples.len() > MAX_SERIES {
            self.entries.retain(|_, entry| entry.latest.is_fresh(now));
        }
        let mut left_out = 0;
        for sample in samples {
            let (room, value, at) = (self.entries.len() < MAX_SERIES, sample.value.get(), sample.at);
            let entry = match self.entries.entry(sample.key()) {
                hash_map::Entry::Occupied(old) => {
                    let entry = old.into_mut();
                    entry.latest = Latest { sample, origin, seen: now, id: entry.latest.id };
                    entry
                }
                hash_map::Entry::Vacant(new) if room => {
                    let id = self.next;
                    self.next = id.wrapping_add(1);
                    let latest = Latest { sample, origin, seen: now, id };
                    new.insert(Entry { latest, track: Track::default() })
                }
                hash_map::Entry::Vacant(_) => {
                    left_out += 1;
                    continue;
                }
            };
            self.ring.append(entry.latest.id, &mut entry.track, value, at, now);
        }
        left_out
    }

    /// Those that said something lately.
    pub fn fresh(&mut self, now: i64) -> Vec<Latest> {
        self.entries.retain(|_, entry| entry.latest.is_fresh(now));
        self.entries.values().map(|entry| entry.latest.clone()).collect()
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
