//! Collectors: one file each, and one line each in [`ALL`].
//!
//! A collector is opened once, then asked every step. It reads through [`falcon_sys::Host`], keeps its own earlier
//! readings, and says numbers with [`Cx::emit`]; what is not declared in its [`Spec::metrics`] cannot be said. It never
//! asks for the time (`ntp` does, which measures it), never starts a thread that is not an [`crate::isolate`] job (`load`
//! does, which samples between cycles), and answers an error only when all of it failed: a part that cannot be read (one
//! mount, one adapter) is left out and reported with [`Cx::problem`]. Things a host may have any number of pass through a
//! [`Guard`]. What is made once (tags, buffers) is kept: a steady cycle of a collector in [`Lane::Host`] allocates nothing
//! but the list of its samples.

mod agent;
mod cpu;
mod df;
mod diskio;
mod guard;
mod kernel;
mod load;
mod mem;
mod netif;
mod netstat;
mod ntp;
mod process;
mod snmp;
mod ss;
mod sys;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use falcon_sys::Host;

use crate::config::{Config, Known};
use crate::model::{Finite, Metric, Platform, Sample, Sets, Tags, Tick};
use crate::stats::Stats;
pub(crate) use guard::Guard;
pub use guard::Guarded;

/// Every collector of this program, in the order in which a cycle asks them.
pub static ALL: &[Spec] = &[
    agent::SPEC,
    cpu::SPEC,
    mem::SPEC,
    load::SPEC,
    kernel::SPEC,
    sys::SPEC,
    netif::SPEC,
    snmp::SPEC,
    netstat::SPEC,
    ss::SPEC,
    process::SPEC,
    df::SPEC,
    diskio::SPEC,
    ntp::SPEC,
];

/// What a collector is, apart from its code.
#[derive(Debug)]
pub struct Spec {
    /// Short name: `--only`, `collector.intervals`, log lines.
    pub name: &'static str,
    /// The word that the Go agent's `-check` prints for it; empty: no line, as it works only where it is configured.
    pub check: &'static str,
    pub lane: Lane,
    /// Needs an earlier reading before it can say anything: the first cycle is preceded by one.
    pub rates: bool,
    pub metrics: &'static [Metric],
    /// Keys of `collector` that switch on what is off by default, beside the options of the metrics.
    pub options: &'static [&'static str],
    /// `Ok(None)`: this host has no such thing; asked again every ten minutes, quietly.
    pub open: fn(&Context) -> Opened,
}

/// A collector that is ready to collect, or `None` where the host has nothing for it.
pub type Opened = anyhow::Result<Option<Box<dyn Collector>>>;

impl Spec {
    /// Whether it has anything to say on a platform.
    pub fn exists_on(&self, platform: Platform) -> bool {
        self.metrics.iter().any(|metric| metric.on.includes(platform))
    }
}

/// Which queue of work a collector waits in: those of one lane are asked one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Answers from the kernel's tables, in microseconds.
    Host,
    /// Asks file systems, which may take their time.
    Df,
    /// Asks drives one by one (Windows).
    Disk,
    /// Asks time servers.
    Ntp,
}

impl Lane {
    pub const ALL: [Lane; 4] = [Lane::Host, Lane::Df, Lane::Disk, Lane::Ntp];

    pub fn name(self) -> &'static str {
        match self {
            Lane::Host => "host",
            Lane::Df => "df",
            Lane::Disk => "disk",
            Lane::Ntp => "ntp",
        }
    }
}

/// A source of points.
pub trait Collector: Send {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()>;
}

/// What collectors are opened with.
#[derive(Clone)]
pub struct Context {
    pub host: Host,
    pub config: Arc<Config>,
    pub stats: Arc<Stats>,
}

/// The names of this platform's collectors.
pub fn names() -> Vec<&'static str> {
    ALL.iter().filter(|spec| spec.exists_on(Platform::CURRENT)).map(|spec| spec.name).collect()
}

/// This platform's collectors that a configuration leaves on.
pub fn active(config: &Config) -> impl Iterator<Item = &'static Spec> {
    ALL.iter().filter(|spec| spec.exists_on(Platform::CURRENT) && config.collector.is_on(spec.name, true))
}

/// What a configuration may name, of both platforms: one file serves a fleet of both.
pub fn known() -> Known {
    let mut options: Vec<&str> = ALL.iter().flat_map(|spec| spec.metrics).map(|metric| metric.option).collect();
    options.extend(ALL.iter().flat_map(|spec| spec.options));
    options.sort_unstable();
    options.dedup();
    options.retain(|option| !option.is_empty());
    Known {
        collectors: ALL.iter().map(|spec| spec.name).collect(),
        options,
        limits: Guarded::ALL.iter().map(|kind| (kind.name(), kind.default_limit())).collect(),
    }
}

/// Which of the declared metrics are said, by the active name sets.
///
/// A name that several active sets share is said once: by the declaration of the oldest of these sets, that is of the
/// agent that wrote the series before this one came (see [`Plan::AGE`]). Declarations of one name differ in tags or source.
#[derive(Clone, Debug)]
pub struct Plan {
    active: Sets,
    platform: Platform,
    /// Options that are on.
    options: BTreeSet<&'static str>,
    /// Which declaration of a name is said, for the names that are declared more than once.
    chosen: HashMap<&'static str, &'static Metric>,
}

impl Plan {
    /// Name sets from the oldest to the newest as a host sees them: an agent that ran there before, then the Linux
    /// agent's names, then this program's own.
    const AGE: [Sets; 5] = [Sets::WINDOWS_AGENT, Sets::LEONZYANG, Sets::FREEDOMKK, Sets::FALCON, Sets::EXTENDED];

    pub fn new(specs: &'static [Spec], active: Sets, platform: Platform, config: &Config) -> Plan {
        let metrics = || specs.iter().flat_map(|spec| spec.metrics).filter(|metric| metric.on.includes(platform));
        let options: BTreeSet<&str> =
            metrics().map(|metric| metric.option).filter(|option| config.collector.is_on(option, false)).collect();
        let plan = Plan { active, platform, options, chosen: HashMap::new() };
        let mut chosen = HashMap::new();
        for set in Plan::AGE.into_iter().filter(|set| set.intersects(active)) {
            for metric in metrics().filter(|metric| metric.sets.intersects(set) && plan.is_switched_on(metric)) {
                chosen.entry(metric.name).or_insert(metric);
            }
        }
        chosen.retain(|name, _| metrics().filter(|metric| metric.name == *name).count() > 1);
        Plan { chosen, ..plan }
    }

    pub fn says(&self, metric: &Metric) -> bool {
        metric.on.includes(self.platform)
            && metric.sets.intersects(self.active)
            && self.is_switched_on(metric)
            && self.chosen.get(metric.name).is_none_or(|chosen| *chosen == metric)
    }

    fn is_switched_on(&self, metric: &Metric) -> bool {
        metric.option.is_empty() || self.options.contains(metric.option)
    }
}

/// One collector's view of one cycle.
pub struct Cx<'a> {
    pub tick: Tick,
    plan: &'a Plan,
    samples: Vec<Sample>,
    problems: Vec<(String, String)>,
    remarks: Vec<(String, String)>,
    not_finite: u64,
}

impl<'a> Cx<'a> {
    /// `expected`: about how many samples there will be.
    pub fn new(tick: Tick, plan: &'a Plan, expected: usize) -> Cx<'a> {
        Cx {
            tick,
            plan,
            samples: Vec::with_capacity(expected),
            problems: Vec::new(),
            remarks: Vec::new(),
            not_finite: 0,
        }
    }

    /// Whether a number would be said: asked before it is obtained at a cost.
    pub fn wants(&self, metric: &Metric) -> bool {
        self.plan.says(metric)
    }

    /// Says one number. A name that is not switched on is passed over; NaN and infinities are left out and counted.
    pub fn emit(&mut self, metric: &'static Metric, tags: &Tags, value: f64) {
        if !self.plan.says(metric) {
            return;
        }
        let Some(value) = Finite::new(value) else {
            self.not_finite += 1;
            return;
        };
        self.samples.push(Sample {
            metric: metric.name.into(),
            tags: tags.clone(),
            value,
            kind: metric.kind,
            at: self.tick.at,
            step: i64::from(self.tick.step),
            endpoint: None,
        });
    }

    /// One part that could not be read: `what` names it and stays the same from cycle to cycle, so that it is logged once.
    pub fn problem(&mut self, what: impl Into<String>, why: impl std::fmt::Display) {
        self.problems.push((what.into(), why.to_string()));
    }

    /// What the administrator should know once, and what is no failure: a configured filter that fits nothing here.
    pub fn remark(&mut self, what: impl Into<String>, why: impl std::fmt::Display) {
        self.remarks.push((what.into(), why.to_string()));
    }

    pub fn finish(self) -> Collected {
        let Cx { samples, problems, remarks, not_finite, .. } = self;
        Collected { samples, problems, remarks, not_finite }
    }
}

/// What a collector said in one cycle.
#[derive(Debug, Default)]
pub struct Collected {
    pub samples: Vec<Sample>,
    /// What could not be read, and why.
    pub problems: Vec<(String, String)>,
    /// What is worth a line in the log, once.
    pub remarks: Vec<(String, String)>,
    /// Values that were no numbers.
    pub not_finite: u64,
}

/// A percentage; 0 of nothing is 0, as the Go agent says it.
pub(crate) fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part * 100.0 / whole } else { 0.0 }
}

/// An integer as JSON carries it: exact up to 2^53, which is also what the transfer keeps.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NameSet;
    use crate::model::Kind;
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    const SETS: [NameSet; 5] =
        [NameSet::Falcon, NameSet::WindowsAgent, NameSet::FreedomKk, NameSet::LeonZYang, NameSet::Extended];

    /// What one collector's code says with these sets on this platform.
    pub(super) fn with_cx<T>(sets: Sets, platform: Platform, run: impl FnOnce(&mut Cx<'_>) -> T) -> (T, Collected) {
        let plan = plan(sets, platform);
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed: None }, &plan, 0);
        let result = run(&mut cx);
        (result, cx.finish())
    }

    /// The same with everything that is off by default switched on, so long after the cycle before.
    pub(super) fn with_all<T>(
        sets: Sets,
        platform: Platform,
        elapsed: Option<Duration>,
        run: impl FnOnce(&mut Cx<'_>) -> T,
    ) -> (T, Collected) {
        let plan = Plan::new(ALL, sets, platform, &with_all_options());
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed }, &plan, 0);
        let result = run(&mut cx);
        (result, cx.finish())
    }

    fn plan(sets: Sets, platform: Platform) -> Plan {
        Plan::new(ALL, sets, platform, &Config::standalone())
    }

    /// Everything that is off by default, switched on.
    fn with_all_options() -> Config {
        let mut config = Config::standalone();
        config.collector.switches = known().options.into_iter().map(|option| (option, true)).collect();
        config
    }

    fn every_choice_of_sets() -> impl Iterator<Item = Sets> {
        (1u32..1 << SETS.len())
            .map(|bits| SETS.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, set)| *set).collect())
    }

    #[test]
    fn on_one_platform_a_name_has_one_type_and_one_set_of_tag_keys() {
        for platform in [Platform::Linux, Platform::Windows] {
            let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
            for metric in ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| metric.on.includes(platform)) {
                let kind = *kinds.entry(metric.name).or_insert(metric.kind);
                assert_eq!(kind, metric.kind, "{} on {platform:?}", metric.name);
            }
            for active in every_choice_of_sets() {
                let plan = Plan::new(ALL, active, platform, &with_all_options());
                let mut said = BTreeSet::new();
                for metric in ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| plan.says(metric)) {
                    assert!(said.insert(metric.name), "{} is said twice on {platform:?} by {active:?}", metric.name);
                }
            }
        }
    }

    #[test]
    fn every_set_has_the_base_metrics() {
        const BASE: [&str; 5] = ["agent", "cpu", "mem", "netif", "df"];
        assert!(BASE.iter().all(|name| ALL.iter().any(|spec| spec.name == *name)));
        for platform in [Platform::Linux, Platform::Windows] {
            for set in SETS.into_iter().filter(|set| *set != NameSet::Extended) {
                let plan = plan(Sets::NONE.with(set), platform);
                for spec in ALL.iter().filter(|spec| BASE.contains(&spec.name)) {
                    let said = spec.metrics.iter().any(|metric| plan.says(metric));
                    assert!(said, "{} says nothing in set {set:?} on {platform:?}", spec.name);
                }
            }
        }
    }

    #[test]
    fn a_shared_name_keeps_the_tag_keys_of_the_agent_that_was_there_before() {
        let both = Sets::FALCON.and(Sets::WINDOWS_AGENT);
        let plan = plan(both, Platform::Windows);
        let keys: Vec<_> = ALL
            .iter()
            .flat_map(|spec| spec.metrics)
            .filter(|metric| metric.name == "net.if.in.packets" && plan.says(metric))
            .map(|metric| metric.tags)
            .collect();
        assert_eq!(keys, [["interface"].as_slice()]);
    }

    #[test]
    fn declarations_are_complete() {
        let mut names = BTreeSet::new();
        for spec in ALL {
            assert!(names.insert(spec.name), "two collectors are called {}", spec.name);
            for metric in spec.metrics {
                assert!(!metric.source.is_empty() && !metric.unit.is_empty(), "{} of {}", metric.name, spec.name);
                assert!(metric.sets != Sets::NONE, "{} is in no name set", metric.name);
                assert!(!metric.name.contains(|c: char| c.is_whitespace() || "'\">,=".contains(c)), "{}", metric.name);
            }
        }
    }
}
