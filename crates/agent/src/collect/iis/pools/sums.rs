//! Counters by pool: from the rows of an object to one number for each pool, and one for all of them.
//!
//! A running total is the sum of what its rows gained since the answer before, so one that ends (a worker that is recycled, a
//! pool that is removed) takes nothing away, and a total never steps back. A row is known by a key; the process behind it by
//! its start, where that is known. What was there before but not looked at gained nothing that is known.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::collect::float;
use crate::model::{Metric, metrics_of};
use crate::perf::formula::{Formula, Reading, displayed};
use crate::perf::meter::reading;
use crate::perf::rows::{Row, Table};

/// Answers for which a row that is not there is remembered.
const REMEMBERED: u8 = 60;

/// What becomes of the numbers of a pool's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// What they gained, added up.
    Total,
    /// Added up as they stand.
    Sum,
    /// As the type of the counter says, of one row; of several pools together there is none.
    Each,
    /// The greatest, as its type says; 0 where another counter is 0.
    Most { unless_zero: &'static str },
    /// 1 for this number, else 0; of several pools together there is none.
    Is(u64),
    /// Shares of each row's own whole, as a share of all of them.
    Fraction,
}

/// One metric of one counter.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) metric: Metric,
    pub(super) of: Of,
    /// English name.
    pub(super) counter: &'static str,
}

impl Line {
    pub(super) const fn new(metric: Metric, of: Of, counter: &'static str) -> Line {
        Line { metric, of, counter }
    }
}

/// What lines declare; `N` is how many they are.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
pub(super) const fn declared<const N: usize>(lines: &[Line; N]) -> [Metric; N] {
    metrics_of!(lines, N)
}

/// Names of the counters that lines need, each once.
pub(super) fn counters<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in lines {
        let other = if let Of::Most { unless_zero } = line.of { Some(unless_zero) } else { None };
        for name in [Some(line.counter), other].into_iter().flatten() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// One row, of whom it is, and what is known of the process behind it.
pub(super) struct Part<'a> {
    pub(super) row: &'a Row,
    /// What it is known by from answer to answer.
    pub(super) key: String,
    pub(super) pool: String,
    pub(super) process: Option<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) created: u64,
    pub(super) age_s: f64,
}

/// What an object's rows are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each is a pool. What it counted before it was first seen counts too.
    Pools,
    /// Each is a process, of which a pool has any number, also none. Totals are 0 when the agent begins.
    Workers,
}

/// One object, and what is remembered of it.
pub(super) struct Sums {
    kind: Kind,
    lines: &'static [Line],
    rows: HashMap<String, Past>,
    /// Running totals by pool, one for each line.
    pools: HashMap<String, Vec<u64>>,
    all: Vec<u64>,
    has_answered: bool,
    /// Since the last answer, where the time is known.
    elapsed: Option<Duration>,
}

#[derive(Default)]
struct Past {
    created: Option<u64>,
    /// One for each line.
    readings: Vec<Option<Reading>>,
    absent: u8,
}

/// One for each line; absent: the system does not tell.
pub(super) type Numbers = Vec<Option<f64>>;

/// What one answer comes to.
pub(super) struct Summed {
    pools: HashMap<String, Numbers>,
    pub(super) all: Numbers,
    /// Of a pool without rows.
    none: Numbers,
}

impl Summed {
    pub(super) fn of(&self, pool: &str) -> &[Option<f64>] {
        self.pools.get(pool).unwrap_or(&self.none)
    }
}

impl Sums {
    pub(super) fn new(kind: Kind, lines: &'static [Line]) -> Sums {
        let all = vec![0; lines.len()];
        let (rows, pools) = (HashMap::new(), HashMap::new());
        Sums { kind, lines, rows, pools, all, has_answered: false, elapsed: None }
    }

    /// Another cycle has begun.
    pub(super) fn pass(&mut self, elapsed: Option<Duration>) {
        self.elapsed = elapsed.map(|elapsed| elapsed + self.elapsed.unwrap_or_default());
    }

    /// What is not one of these pools is forgotten.
    pub(super) fn keep(&mut self, pools: &HashSet<String>) {
        self.pools.retain(|pool, _| pools.contains(pool));
    }

    /// There was an answer. Parts that share a key count once.
    pub(super) fn advance(&mut self, table: &Table, parts: &[Part<'_>]) -> Summed {
        for past in self.rows.values_mut() {
            past.absent = past.absent.saturating_add(1);
        }
        let places: Vec<Option<usize>> = self.lines.iter().map(|line| table.column(line.counter)).collect();
        let (mut seen, mut by_pool) = (HashSet::new(), HashMap::<&str, Vec<&Part<'_>>>::new());
        for part in parts.iter().filter(|part| seen.insert(part.key.as_str())) {
            self.gain(table, part, &places);
            by_pool.entry(part.pool.as_str()).or_default().push(part);
        }
        self.rows.retain(|_, past| past.absent <= REMEMBERED);
        self.has_answered = true;
        self.elapsed = None;
        let every: Vec<&Part<'_>> = by_pool.values().flatten().copied().collect();
        let pools: HashSet<&str> = by_pool.keys().copied().chain(self.pools.keys().map(String::as_str)).collect();
        let of = |pool: &str| {
            let parts = by_pool.get(pool).map_or(&[][..], Vec::as_slice);
            (pool.to_owned(), self.numbers(table, &places, parts, self.pools.get(pool).map_or(&[], Vec::as_slice)))
        };
        let mut all = self.numbers(table, &places, &every, &self.all);
        for (number, line) in all.iter_mut().zip(self.lines) {
            if matches!(line.of, Of::Each | Of::Is(_)) {
                *number = None;
            }
        }
        Summed { pools: pools.into_iter().map(of).collect(), all, none: self.numbers(table, &places, &[], &[]) }
    }

    /// What these rows have counted so far is nobody's: they are of no pool, or of one that no source names yet. Called after
    /// [`Sums::advance`].
    pub(super) fn watch(&mut self, table: &Table, parts: &[Part<'_>]) {
        for part in parts {
            let past = self.rows.entry(part.key.clone()).or_default();
            past.absent = 0;
            past.readings.resize_with(self.lines.len(), || None);
            for (line, before) in self.lines.iter().zip(&mut past.readings).filter(|(line, _)| line.of == Of::Total) {
                let now = table.column(line.counter).and_then(|at| reading(table, part.row, at));
                *before = now.map(|(_, now)| now).or(*before);
            }
        }
    }

    fn gain(&mut self, table: &Table, part: &Part<'_>, places: &[Option<usize>]) {
        let Sums { kind, lines, rows, pools, all, has_answered, elapsed } = self;
        let is_new = match (*kind, part.process) {
            (Kind::Pools, _) => !pools.contains_key(&part.pool),
            // It may have run for long.
            (Kind::Workers, None) => false,
            (Kind::Workers, Some(process)) => {
                *has_answered && elapsed.is_some_and(|elapsed| process.age_s <= elapsed.as_secs_f64())
            }
        };
        let totals = pools.entry(part.pool.clone()).or_insert_with(|| vec![0; lines.len()]);
        let past = rows.entry(part.key.clone()).or_default();
        let created = part.process.map(|process| process.created);
        let is_another = matches!((past.created, created), (Some(before), Some(now)) if before != now);
        past.created = created.or(past.created);
        past.absent = 0;
        past.readings.resize_with(lines.len(), || None);
        let slots = past.readings.iter_mut().zip(totals.iter_mut().zip(all.iter_mut()));
        for ((line, place), (before, (total, all))) in lines.iter().zip(places).zip(slots) {
            let Some((_, now)) = place.filter(|_| line.of == Of::Total).and_then(|at| reading(table, part.row, at))
            else {
                continue;
            };
            let gained = match before.replace(now) {
                Some(_) if is_another => now.raw.value,
                Some(before) => now.grown_since(&before).unwrap_or(0),
                None if is_new => now.raw.value,
                None => 0,
            };
            // A pool's own total is what it counted before it was known too; in that of all it would be a jump.
            let own = if is_new && *kind == Kind::Pools { now.raw.value } else { gained };
            *total = total.saturating_add(own);
            *all = all.saturating_add(gained);
        }
    }

    fn numbers(&self, table: &Table, places: &[Option<usize>], parts: &[&Part<'_>], totals: &[u64]) -> Numbers {
        let lines = self.lines.iter().zip(places).enumerate();
        let number = |(n, (line, place)): (usize, (&Line, &Option<usize>))| {
            let place = (*place)?;
            if parts.is_empty() && self.kind == Kind::Pools {
                return None;
            }
            let readings = || parts.iter().map(|part| reading(table, part.row, place));
            let shown = |(kind, now): (u32, Reading)| displayed(Formula::of(kind)?, None, &now);
            match line.of {
                Of::Total => Some(float(totals.get(n).copied().unwrap_or(0))),
                // What one of them keeps to itself leaves no sum.
                Of::Sum => readings().try_fold(0.0, |sum, now| Some(sum + float(now?.1.raw.value))),
                Of::Each => readings().next()?.and_then(shown),
                Of::Is(wanted) => Some(f64::from(u8::from(readings().next()??.1.raw.value == wanted))),
                Of::Most { unless_zero } => {
                    let other = table.column(unless_zero)?;
                    let of = |part: &&Part<'_>| match reading(table, part.row, other)?.1.raw.value {
                        0 => Some(0.0),
                        _ => shown(reading(table, part.row, place)?),
                    };
                    parts.iter().filter_map(of).reduce(f64::max)
                }
                Of::Fraction => {
                    let share = |sum: (u64, u64), now: Option<(u32, Reading)>| {
                        let raw = now?.1.raw;
                        Some((sum.0.saturating_add(raw.value), sum.1.saturating_add(raw.base?)))
                    };
                    let (part, whole) = readings().try_fold((0, 0), share)?;
                    (whole > 0).then(|| (100.0 * float(part) / float(whole)).min(100.0))
                }
            }
        };
        lines.map(number).collect()
    }
}

#[cfg(test)]
mod tests;
