//! Bounds on what a host may have any number of: interfaces, disks, sites, databases.
//!
//! Over the limit the rest is left out, counted in `agent.series.dropped` and told once, with the key that raises the
//! limit. Which ones stay is a stable choice: what was reported once is reported as long as it is there, and what could not
//! be looked at in a cycle keeps its place.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Cx, Lane};
use crate::config::Config;
use crate::model::Platform;
use crate::stats::Stats;

/// A kind of thing that is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    Interfaces,
    Disks,
    Volumes,
    Processes,
    Gpus,
    Services,
    Sites,
    Pools,
    /// Of ASP.NET.
    Apps,
    /// Of processes that run in the CLR.
    Images,
    /// Of SQL Server.
    Instances,
    Databases,
    /// Series of counters that the configuration names.
    Counters,
    /// Of all collectors together; see [`super::ceiling`].
    Series,
}

impl Guarded {
    pub const ALL: [Guarded; 14] = [
        Guarded::Interfaces,
        Guarded::Disks,
        Guarded::Volumes,
        Guarded::Processes,
        Guarded::Gpus,
        Guarded::Services,
        Guarded::Sites,
        Guarded::Pools,
        Guarded::Apps,
        Guarded::Images,
        Guarded::Instances,
        Guarded::Databases,
        Guarded::Counters,
        Guarded::Series,
    ];

    /// The key of `collector.limits`, and the tag `group` of `agent.series.dropped`.
    pub fn name(self) -> &'static str {
        match self {
            Guarded::Interfaces => "interfaces",
            Guarded::Disks => "disks",
            Guarded::Volumes => "volumes",
            Guarded::Processes => "processes",
            Guarded::Gpus => "gpus",
            Guarded::Services => "services",
            Guarded::Sites => "sites",
            Guarded::Pools => "pools",
            Guarded::Apps => "apps",
            Guarded::Images => "images",
            Guarded::Instances => "instances",
            Guarded::Databases => "databases",
            Guarded::Counters => "counters",
            Guarded::Series => "series",
        }
    }

    /// The lane where such things are counted, if that is not one that every host has something in.
    pub(super) fn lane(self) -> Option<Lane> {
        match self {
            Guarded::Sites | Guarded::Pools | Guarded::Apps | Guarded::Images => Some(Lane::Iis),
            Guarded::Instances | Guarded::Databases => Some(Lane::Mssql),
            Guarded::Counters => Some(Lane::Custom),
            _ => None,
        }
    }

    /// What no sound host of this kind has more of. A Linux host of containers has hundreds of interfaces and mounts, which
    /// the agent before this one sent.
    pub fn default_limit(self) -> u32 {
        match (self, Platform::CURRENT) {
            (Guarded::Interfaces, Platform::Windows) => 64,
            (Guarded::Disks | Guarded::Volumes, Platform::Windows) => 128,
            (Guarded::Interfaces | Guarded::Disks | Guarded::Volumes, Platform::Linux) => 1024,
            (Guarded::Processes | Guarded::Gpus | Guarded::Images, _) => 64,
            (Guarded::Services, _) => 500,
            (Guarded::Sites | Guarded::Pools | Guarded::Apps, _) => 200,
            // What SQL Server supports on a host.
            (Guarded::Instances, _) => 50,
            (Guarded::Databases, _) => 100,
            (Guarded::Counters, _) => 1000,
            (Guarded::Series, _) => 5000,
        }
    }

    /// What the limit may be set to at most.
    pub fn most(self) -> u32 {
        match self {
            // Series: more of them no server takes from one host gladly.
            Guarded::Counters | Guarded::Series => 100_000,
            // Things: more of them no collector reads.
            _ => 4096,
        }
    }

    /// How many there may be by a configuration.
    pub(super) fn limit(self, config: &Config) -> usize {
        let limit = config.collector.limits.get(self.name()).copied().unwrap_or_else(|| self.default_limit());
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

/// One collector's bound.
pub(crate) struct Guard {
    kind: Guarded,
    limit: usize,
    stats: Arc<Stats>,
    /// What was reported in the last cycle, while there is more than the limit.
    kept: HashSet<String>,
}

impl Guard {
    pub(super) fn new(kind: Guarded, config: &Config, stats: &Arc<Stats>) -> Guard {
        Guard { kind, limit: kind.limit(config), stats: stats.clone(), kept: HashSet::new() }
    }

    /// Leaves at most the limit in `things`: first those that stayed in the last cycle, then those of the smallest `rank`,
    /// then in their order. The order of what stays is kept.
    pub(super) fn apply<T, R: Ord>(
        &mut self,
        cx: &mut Cx<'_>,
        things: &mut Vec<T>,
        name: impl Fn(&T) -> String,
        rank: impl Fn(&T) -> R,
    ) {
        self.apply_seen(cx, things, name, rank, |_| false);
    }

    /// The same where not all could be looked at: by its name, whether that is so of a thing that is not among these.
    pub(super) fn apply_seen<T, R: Ord>(
        &mut self,
        cx: &mut Cx<'_>,
        things: &mut Vec<T>,
        name: impl Fn(&T) -> String,
        rank: impl Fn(&T) -> R,
        is_unseen: impl Fn(&str) -> bool,
    ) {
        let mut places: HashSet<String> = self.kept.iter().filter(|name| is_unseen(name)).cloned().collect();
        if !places.is_empty() {
            for thing in things.iter() {
                places.remove(&name(thing));
            }
        }
        let room = self.limit.saturating_sub(places.len());
        let over = things.len().saturating_sub(room);
        if let Some(count) = self.stats.series_dropped.get(self.kind as usize) {
            count.set(over);
        }
        if over == 0 {
            if !places.is_empty() {
                places.extend(things.iter().map(name));
            }
            self.kept = places;
            return;
        }
        let mut order: Vec<(bool, R, usize)> =
            things.iter().enumerate().map(|(n, thing)| (!self.kept.contains(&name(thing)), rank(thing), n)).collect();
        order.sort_unstable();
        let stays: HashSet<usize> = order.into_iter().take(room).map(|(_, _, n)| n).collect();
        let mut n = 0;
        things.retain(|_| {
            n += 1;
            stays.contains(&(n - 1))
        });
        places.extend(things.iter().map(name));
        self.kept = places;
        let (kind, limit) = (self.kind.name(), self.limit);
        cx.remark(
            format!("too many {kind}"),
            format!("{limit} are reported and {over} left out; collector.limits.{kind} sets the number"),
        );
    }
}

/// Nothing is left out by a collector that is no more: its last count would stand for ever.
impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(count) = self.stats.series_dropped.get(self.kind as usize) {
            count.set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::Sets;

    fn apply(guard: &mut Guard, names: &[&str]) -> (Vec<String>, usize) {
        let (left, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| {
            let mut things: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            guard.apply(cx, &mut things, String::clone, |name| u8::from(!name.starts_with("eth")));
            things
        });
        (left, said.remarks.len())
    }

    #[test]
    fn what_was_reported_stays_and_the_rest_is_counted() {
        let mut config = Config::standalone();
        config.collector.limits.insert("interfaces".to_owned(), 2);
        let stats = Arc::new(Stats::default());
        let mut guard = Guard::new(Guarded::Interfaces, &config, &stats);
        assert_eq!(apply(&mut guard, &["veth1", "veth2"]), (vec!["veth1".to_owned(), "veth2".to_owned()], 0));
        assert_eq!(stats.series_dropped[0].get(), 0);
        assert_eq!(apply(&mut guard, &["veth1", "veth2", "eth0"]).0, ["veth1", "eth0"], "the smaller rank first");
        let (left, told) = apply(&mut guard, &["veth0", "eth1", "veth1", "eth0", "veth2"]);
        assert_eq!((left, told), (vec!["veth1".to_owned(), "eth0".to_owned()], 1), "a stable choice");
        assert_eq!(stats.series_dropped[0].get(), 3);
        assert_eq!(apply(&mut guard, &["veth0", "eth1", "veth2"]).0, ["veth0", "eth1"]);
        assert_eq!(stats.series_dropped[0].get(), 1);
        drop(guard);
        assert_eq!(stats.series_dropped[0].get(), 0);
    }

    /// One instance of SQL Server that was late brought databases of the others that were left out before, and on its return
    /// others stayed away than those that had been.
    #[test]
    fn what_could_not_be_looked_at_keeps_its_place() {
        let mut config = Config::standalone();
        config.collector.limits.insert("databases".to_owned(), 3);
        let stats = Arc::new(Stats::default());
        let mut guard = Guard::new(Guarded::Databases, &config, &stats);
        let mut left = |names: &[&str], unseen: &str| {
            let mut things: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            with_cx(Sets::FALCON, Platform::Windows, |cx| {
                guard.apply_seen(cx, &mut things, String::clone, |_| 0, |name| name.starts_with(unseen));
            });
            things
        };
        assert_eq!(left(&["a/1", "a/2", "b/1", "b/2"], "-"), ["a/1", "a/2", "b/1"]);
        assert_eq!(left(&["b/1", "b/2"], "a/"), ["b/1"]);
        assert_eq!(stats.series_dropped[Guarded::Databases as usize].get(), 1);
        assert_eq!(left(&["a/1", "a/2", "a/3"], "b/"), ["a/1", "a/2"]);
        assert_eq!(left(&["a/2", "a/4"], "b/"), ["a/2", "a/4"], "a place that is free is given");
        assert_eq!(left(&["a/1", "a/2", "a/4", "b/1", "b/2"], "-"), ["a/2", "a/4", "b/1"]);
        assert_eq!(left(&["b/1", "b/2"], "-"), ["b/1", "b/2"]);
    }

    #[test]
    fn any_order_ranks() {
        let mut config = Config::standalone();
        config.collector.limits.insert("databases".to_owned(), 2);
        let mut guard = Guard::new(Guarded::Databases, &config, &Arc::default());
        let (left, _) = with_cx(Sets::FALCON, Platform::Windows, |cx| {
            let mut things = vec![("small", 1u64), ("large", 900), ("middle", 50)];
            guard.apply(cx, &mut things, |(name, _)| (*name).to_owned(), |(_, bytes)| std::cmp::Reverse(*bytes));
            things
        });
        assert_eq!(left, [("large", 900), ("middle", 50)]);
    }
}
