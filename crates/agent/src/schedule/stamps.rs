//! The stamps of one lane: its timetable, and what is held while the clock is in doubt. Without tasks and threads.
//!
//! Points measured in doubt have no stamp. They take no bucket of the lane's timetable, so that a clock that was wrong leaves
//! no mark there; a timetable of their own says when such cycles stand. When doubt ends, each takes the bucket that it fell in
//! by the clock that is believed by then, in order and before anything newer. Bounded by [`MOST`].

use std::collections::VecDeque;

use super::Sink;
use crate::clock::Now;
use crate::model::Sample;
use crate::stats::{Lost, Stats};
use crate::tick::{Claim, Timetable};

/// Points that a lane holds: ten minutes of a host with 2,000 series at 60 s, in some 3 MB. Of more the oldest are lost.
const MOST: usize = 20_000;

pub(super) struct Stamps {
    timetable: Timetable,
    held: Option<Held>,
}

struct Held {
    timetable: Timetable,
    cycles: VecDeque<Cycle>,
    points: usize,
}

struct Cycle {
    /// Milliseconds since boot.
    boot_ms: i64,
    /// What its samples have for a stamp.
    at: i64,
    samples: Vec<Sample>,
}

/// What a cycle does with its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Sends them with this stamp, Unix seconds.
    Stamped(i64),
    /// Gives them to [`Stamps::keep`]; this stamp is none of theirs.
    Held(i64),
}

impl Stamps {
    pub(super) fn new(timetable: Timetable) -> Stamps {
        Stamps { timetable, held: None }
    }

    /// Goes on holding what others of the same step held.
    pub(super) fn hold_on(&mut self, earlier: &mut Stamps) {
        // The phase may be another.
        let timetable = |held: &Held| self.timetable.clone().instead_of(&held.timetable);
        self.held = earlier.held.take().map(|held| Held { timetable: timetable(&held), ..held });
    }

    /// All of it, for the lane that stands in this one's place.
    pub(super) fn take(&mut self) -> Stamps {
        Stamps { timetable: self.timetable.clone(), held: self.held.take() }
    }

    /// The lane's own.
    pub(super) fn own(&self) -> &Timetable {
        &self.timetable
    }

    /// The one that says when cycles stand now.
    pub(super) fn timetable(&mut self) -> &mut Timetable {
        match &mut self.held {
            Some(held) => &mut held.timetable,
            None => &mut self.timetable,
        }
    }

    /// To be called with every look at the clock: when it is in doubt no longer, what is held goes to `sink`.
    pub(super) fn settle(&mut self, now: Now, stats: &Stats, sink: &mut Sink<'_>) {
        if now.in_doubt {
            let timetable = || Held { timetable: self.timetable.clone(), cycles: VecDeque::new(), points: 0 };
            let held = self.held.get_or_insert_with(timetable);
            held.timetable.forget_future(now.at_ms);
        } else {
            self.let_go(now, stats, sink);
        }
    }

    /// Stamps what is held by the clock as it stands `now`, and gives it to `sink`; what finds no free bucket is lost.
    pub(super) fn let_go(&mut self, now: Now, stats: &Stats, sink: &mut Sink<'_>) {
        let Some(held) = self.held.take() else { return };
        for mut cycle in held.cycles {
            let past_ms = now.at_ms.saturating_sub(now.boot_ms - cycle.boot_ms);
            match self.timetable.claim_for(past_ms, now.at_ms) {
                Claim::Taken(at) => {
                    // Some are of the cycle before.
                    let later = at - cycle.at;
                    cycle.samples.iter_mut().for_each(|sample| sample.at += later);
                    sink(cycle.samples);
                }
                Claim::NotFree => stats.lose(Lost::Clock, cycle.samples.len()),
            }
        }
    }

    /// A place for the cycle that stands `now`; `None`: its bucket is taken. Settle first.
    pub(super) fn claim(&mut self, now: Now) -> Option<Place> {
        let in_doubt = self.held.is_some();
        match self.timetable().claim(now.at_ms) {
            Claim::Taken(at) if in_doubt => Some(Place::Held(at)),
            Claim::Taken(at) => Some(Place::Stamped(at)),
            Claim::NotFree => None,
        }
    }

    /// Holds what the cycle brought that got [`Place::Held`] at `now`.
    pub(super) fn keep(&mut self, at: i64, now: Now, samples: Vec<Sample>, stats: &Stats) {
        let Some(held) = self.held.as_mut().filter(|_| !samples.is_empty()) else { return };
        held.points += samples.len();
        // One that stood late is taken back to its phase: cycles a whole step apart share a bucket by no clock.
        let late_ms = held.timetable.late_ms(at, now.at_ms);
        held.cycles.push_back(Cycle { boot_ms: now.boot_ms - late_ms, at, samples });
        while held.points > MOST && held.cycles.len() > 1 {
            let oldest = held.cycles.pop_front().map_or(0, |cycle| cycle.samples.len());
            held.points -= oldest;
            stats.lose(Lost::Clock, oldest);
        }
    }
}

#[cfg(test)]
mod tests;
