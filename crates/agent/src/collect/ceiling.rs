//! The most series that a host sends in a cycle, and what is left out first where it has more.
//!
//! Lanes run apart, so nobody sees a cycle as a whole: each collector enters in a [`Ledger`] what it has of each class, and
//! what is over is taken from what all of them had last. What is entered is what a collector has, not what is left of it, so
//! that the choice does not swing; one that fails or does not answer keeps what it entered. Classes give way from the last to
//! the first, never [`Class::Totals`]; of the one that gives way in part each collector keeps its share, first what it sent
//! in the cycle before. Before every collector has told, at the start, more may be sent for one cycle.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Collected, Guarded};
use crate::config::Config;
use crate::stats::Stats;

/// What a series is about, from what always stays to what is left out first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Of the host itself, and of every module's totals.
    #[default]
    Totals,
    /// The default metrics of a database.
    Databases,
    /// Of a web site.
    Sites,
    /// Of an application pool.
    Pools,
    /// Of counters that the configuration names.
    Custom,
    /// What is off by default, of any of them.
    Detail,
}

const CLASSES: usize = Class::Detail as usize + 1;

/// How many of something there are of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerClass([usize; CLASSES]);

impl PerClass {
    pub(super) fn add(&mut self, class: Class) {
        if let Some(count) = self.0.get_mut(class as usize) {
            *count += 1;
        }
    }

    fn of(&self, class: Class) -> usize {
        self.0.get(class as usize).copied().unwrap_or_default()
    }

    fn sum(&self) -> usize {
        self.0.iter().sum()
    }

    /// What is left of each where there is to be no more than `limit` in all.
    fn within(self, limit: usize) -> PerClass {
        let mut over = self.sum().saturating_sub(limit);
        let mut left = self;
        for count in left.0.iter_mut().skip(1).rev() {
            let cut = over.min(*count);
            *count -= cut;
            over -= cut;
        }
        left
    }
}

/// What the collectors have, each in its last cycle.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Weak<Entry>>>);

#[derive(Debug, Default)]
struct Entry {
    has: [AtomicUsize; CLASSES],
    left_out: AtomicUsize,
}

impl Ledger {
    fn enter(&self) -> Arc<Entry> {
        let entry = Arc::new(Entry::default());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(&entry));
        entry
    }

    /// What all have, and how many series all have left out.
    fn sums(&self) -> (PerClass, usize) {
        let (mut has, mut left_out) = (PerClass::default(), 0);
        for entry in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            for (sum, count) in has.0.iter_mut().zip(&entry.has) {
                *sum += count.load(Relaxed);
            }
            left_out += entry.left_out.load(Relaxed);
        }
        (has, left_out)
    }
}

/// One collector's part; what it entered ends with it.
pub(crate) struct Ceiling {
    limit: usize,
    stats: Arc<Stats>,
    entry: Arc<Entry>,
    /// What was sent in the last cycle of classes that gave way in part.
    kept: HashSet<u64>,
}

impl Ceiling {
    pub(crate) fn new(config: &Config, stats: &Arc<Stats>) -> Ceiling {
        let limit = Guarded::Series.limit(config);
        Ceiling { limit, stats: stats.clone(), entry: stats.series.enter(), kept: HashSet::new() }
    }

    /// Enters what a collector has said, and leaves out what is over. `whole`: it did not fail in the middle.
    pub(crate) fn apply(&mut self, collected: &mut Collected, whole: bool) {
        if whole {
            for (entry, count) in self.entry.has.iter().zip(collected.series.0) {
                entry.store(count, Relaxed);
            }
        }
        let (all, _) = self.stats.series.sums();
        let left = all.within(self.limit);
        let left_out = if left == all { 0 } else { self.leave_out(collected, all, left) };
        if left_out == 0 {
            self.kept.clear();
        } else {
            let limit = self.limit;
            let why = format!(
                "this host has more than {limit}, {left_out} of these are left out; collector.limits.series sets the number"
            );
            collected.remarks.push(("too many series".to_owned(), why));
        }
        self.entry.left_out.store(left_out, Relaxed);
        if let Some(count) = self.stats.series_dropped.get(Guarded::Series as usize) {
            count.set(self.stats.series.sums().1);
        }
    }

    /// Answers how many series are left out.
    fn leave_out(&mut self, collected: &mut Collected, all: PerClass, left: PerClass) -> usize {
        let has = collected.series;
        let mut room = has;
        for ((room, all), left) in room.0.iter_mut().zip(all.0).zip(left.0) {
            *room = (*room).min(*room * left / all.max(1));
        }
        let gives_way = |class: Class| room.of(class) < has.of(class);
        let classes = &collected.classes;
        let mut stays: HashSet<u64> = HashSet::new();
        let mut taken = PerClass::default();
        for before in [true, false] {
            for (n, sample) in collected.samples.iter().enumerate() {
                let class = class_of(classes, n);
                if gives_way(class) && taken.of(class) < room.of(class) {
                    let key = sample.key();
                    if self.kept.contains(&key) == before && stays.insert(key) {
                        taken.add(class);
                    }
                }
            }
        }
        let mut n = 0;
        collected.samples.retain(|sample| {
            n += 1;
            !gives_way(class_of(classes, n - 1)) || stays.contains(&sample.key())
        });
        collected.classes.clear();
        self.kept = stays;
        let limited = has.0.iter().zip(room.0).zip(taken.0).filter(|((has, room), _)| room < *has);
        limited.map(|((has, _), taken)| has - taken).sum()
    }
}

/// Of the sample at a place; `classes` has where each class begins.
fn class_of(classes: &[(usize, Class)], place: usize) -> Class {
    let begun = classes.partition_point(|(from, _)| *from <= place);
    begun.checked_sub(1).and_then(|last| classes.get(last)).map_or(Class::default(), |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::{Metric, Platform, Sets, Tags};

    const METRIC: Metric = Metric::gauge("m", "1", Sets::ALL, "");

    struct Host {
        config: Config,
        stats: Arc<Stats>,
    }

    impl Host {
        fn new(limit: u32) -> Host {
            let mut config = Config::standalone();
            config.collector.limits.insert("series".to_owned(), limit);
            Host { config, stats: Arc::default() }
        }

        fn ceiling(&self) -> Ceiling {
            Ceiling::new(&self.config, &self.stats)
        }

        fn dropped(&self) -> u64 {
            self.stats.series_dropped[Guarded::Series as usize].get()
        }
    }

    /// What is left of a cycle that says these names; and how often was told that some are left out.
    fn cycle(ceiling: &mut Ceiling, says: &[(Class, &[&str])]) -> (Vec<String>, usize) {
        cycle_that(ceiling, says, true)
    }

    fn cycle_that(ceiling: &mut Ceiling, says: &[(Class, &[&str])], whole: bool) -> (Vec<String>, usize) {
        let (_, mut said) = with_cx(Sets::ALL, Platform::Linux, |cx| {
            for (class, names) in says {
                cx.class(*class);
                names.iter().for_each(|name| cx.emit(&METRIC, &Tags::of(&[("n", name)]), 1.0));
            }
        });
        ceiling.apply(&mut said, whole);
        let names = said.samples.iter().map(|sample| sample.tags.as_str().trim_start_matches("n=").to_owned());
        (names.collect(), said.remarks.len())
    }

    #[test]
    fn classes_give_way_from_the_last_to_the_first_and_totals_never() {
        use Class::{Custom, Databases, Detail, Pools, Sites, Totals};
        let all: [(Class, &[&str]); 6] = [
            (Totals, &["t1", "t2"]),
            (Detail, &["x1", "x2"]),
            (Sites, &["s"]),
            (Custom, &["c"]),
            (Pools, &["p"]),
            (Databases, &["d"]),
        ];
        let left = |limit| {
            let host = Host::new(limit);
            let (names, told) = cycle(&mut host.ceiling(), &all);
            assert_eq!((names.len() as u64 + host.dropped(), told), (8, usize::from(limit < 8)), "{limit}");
            names.join(" ")
        };
        assert_eq!(left(8), "t1 t2 x1 x2 s c p d");
        assert_eq!(left(7), "t1 t2 x1 s c p d");
        assert_eq!(left(6), "t1 t2 s c p d");
        assert_eq!(left(5), "t1 t2 s p d");
        assert_eq!(left(4), "t1 t2 s d");
        assert_eq!(left(3), "t1 t2 d");
        assert_eq!(left(1), "t1 t2");
    }

    #[test]
    fn what_was_sent_stays_whatever_comes_before_it() {
        let host = Host::new(3);
        let mut ceiling = host.ceiling();
        let mut cycle = |names: &[&str]| cycle(&mut ceiling, &[(Class::Totals, &["t"]), (Class::Sites, names)]).0;
        assert_eq!(cycle(&["b", "c"]), ["t", "b", "c"]);
        assert_eq!(cycle(&["b", "c", "d"]), ["t", "b", "c"]);
        assert_eq!(cycle(&["a", "b", "c", "d"]), ["t", "b", "c"]);
        assert_eq!(host.dropped(), 2);
        assert_eq!(cycle(&["a", "c", "d"]), ["t", "a", "c"]);
        assert_eq!(cycle(&["c", "d"]), ["t", "c", "d"]);
        assert_eq!(host.dropped(), 0);
    }

    #[test]
    fn collectors_share_what_is_left_of_a_class_and_one_that_is_gone_leaves_its_room() {
        let host = Host::new(10);
        let (mut base, mut iis, mut mssql) = (host.ceiling(), host.ceiling(), host.ceiling());
        let eight = ["1", "2", "3", "4", "5", "6", "7", "8"];
        let base_says: [(Class, &[&str]); 1] = [(Class::Totals, &eight[..4])];
        let details = |names: &'static [&'static str]| [(Class::Detail, names)];
        assert_eq!(cycle(&mut base, &base_says), (eight[..4].iter().map(|s| (*s).to_owned()).collect(), 0));
        cycle(&mut iis, &details(&["1", "2", "3", "4", "5", "6", "7", "8"]));
        cycle(&mut mssql, &details(&["a", "b", "c", "d"]));
        // 4 of the host, 12 details for 6 places.
        assert_eq!(cycle(&mut iis, &details(&["1", "2", "3", "4", "5", "6", "7", "8"])).0, ["1", "2", "3", "4"]);
        assert_eq!(cycle(&mut mssql, &details(&["a", "b", "c", "d"])).0, ["a", "b"]);
        assert_eq!(host.dropped(), 6);
        // A cycle that failed does not give the others its room.
        assert_eq!(cycle_that(&mut iis, &[], false).0, Vec::<String>::new());
        assert_eq!(cycle(&mut mssql, &details(&["a", "b", "c", "d"])).0, ["a", "b"]);
        drop(iis);
        assert_eq!(cycle(&mut mssql, &details(&["a", "b", "c", "d"])).0, ["a", "b", "c", "d"]);
        assert_eq!(host.dropped(), 0);
    }

    /// The zero before a series' first change is a point more, and no series more.
    #[test]
    fn a_series_with_two_points_counts_once_and_goes_with_both() {
        let host = Host::new(2);
        let mut ceiling = host.ceiling();
        let mut cycle = |names: &[&str]| {
            let (_, mut said) = with_cx(Sets::ALL, Platform::Linux, |cx| {
                cx.class(Class::Detail);
                for name in names {
                    let tags = Tags::of(&[("n", name)]);
                    cx.emit_before(&METRIC, &tags, 0.0);
                    cx.emit(&METRIC, &tags, 1.0);
                }
            });
            ceiling.apply(&mut said, true);
            said.samples.len()
        };
        assert_eq!((cycle(&["a", "b"]), cycle(&["a", "b", "c"])), (4, 4));
        assert_eq!(host.dropped(), 1);
    }

    const ALL: [Class; CLASSES] =
        [Class::Totals, Class::Databases, Class::Sites, Class::Pools, Class::Custom, Class::Detail];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

        /// Three collectors that each have so many of each class.
        #[test]
        fn once_all_have_told_the_bound_holds_and_the_choice_stays(
            has in proptest::collection::vec(proptest::collection::vec(0usize..6, CLASSES), 3), limit in 1u32..60,
        ) {
            let host = Host::new(limit);
            let names = ALL.map(|class| (0..6).map(|n| format!("{class:?}{n}")).collect::<Vec<String>>());
            let names = names.each_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<&str>>());
            let mut ceilings = [host.ceiling(), host.ceiling(), host.ceiling()];
            let mut round = || -> Vec<Vec<String>> {
                let of = |has: &Vec<usize>, ceiling: &mut Ceiling| {
                    let says: Vec<(Class, &[&str])> =
                        ALL.into_iter().zip(&names).zip(has).map(|((class, names), n)| (class, &names[..*n])).collect();
                    cycle(ceiling, &says).0
                };
                has.iter().zip(&mut ceilings).map(|(has, ceiling)| of(has, ceiling)).collect()
            };
            round();
            let left = round();
            let sum = |lists: &[Vec<String>]| lists.iter().map(Vec::len).sum::<usize>();
            let totals: usize = has.iter().map(|has| has[0]).sum();
            let all: usize = has.iter().flatten().sum();
            let limit = usize::try_from(limit).unwrap();
            proptest::prop_assert!(sum(&left) <= limit.max(totals));
            // Shares are rounded down, each by less than one.
            proptest::prop_assert!(sum(&left) + 2 >= all.min(limit));
            proptest::prop_assert_eq!(round(), left);
        }
    }
}
