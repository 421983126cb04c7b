//! Collectors: one file each, and one line each in [`ALL`].
//!
//! A collector is opened once, then asked every step. It reads through [`falcon_sys::Host`], keeps its own earlier
//! readings, and says numbers with [`Cx::emit`]; what is not declared in its [`Spec::metrics`] cannot be said, but for the
//! names that the configuration makes (`custom`). It never asks for the time (`ntp` does, which measures it), never starts a
//! thread that is not an [`crate::isolate`] job (`load` samples between cycles: it does both; threads of `probe` end with their
//! cycle), and answers an error only when all of it failed: a part that cannot be read (one
//! mount, one adapter) is left out and reported with [`Cx::problem`]. Things a host may have any number of pass through a
//! [`Guard`]. What is made once (tags, buffers) is kept: a steady cycle of a collector in [`Lane::Host`] allocates nothing
//! but the list of its samples.

mod agent;
mod budget;
mod ceiling;
pub(crate) mod cpu;
mod custom;
pub(crate) mod df;
pub(crate) mod diskio;
mod dns;
mod du;
mod gpu;
mod guard;
mod iis;
mod kernel;
mod load;
mod mem;
mod mssql;
mod netif;
mod netstat;
mod ntp;
mod pattern;
mod ping;
mod plan;
mod port;
mod probe;
mod proc_num;
pub(crate) mod process;
mod service;
mod snmp;
mod ss;
mod sys;
mod tcp;
mod url;

use std::borrow::Cow;
use std::sync::Arc;

use falcon_sys::Host;

use crate::assigned::Assigned;
use crate::config::{Config, Known};
use crate::model::{Finite, Kind, Metric, Platform, Sample, Sets, Tags, Tick};
use crate::perf::client::Perf;
use crate::stats::Stats;
use ceiling::PerClass;
pub(crate) use ceiling::{Ceiling, Class, Ledger};
pub use dns::fuzz_answer as fuzz_dns_answer;
pub(crate) use du::DEADLINE as DU_DEADLINE;
pub(crate) use guard::Guard;
pub use guard::Guarded;
pub use iis::host_config::fuzz_file as fuzz_host_config;
pub use ntp::fuzz_answer as fuzz_ntp_answer;
pub use plan::Plan;
pub(crate) use probe::DEADLINE as PROBE_DEADLINE;
pub(crate) use url::deadline as url_deadline;

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
    service::SPEC,
    df::SPEC,
    diskio::SPEC,
    gpu::SPEC,
    ntp::SPEC,
    iis::SPEC,
    mssql::SPEC,
    custom::SPEC,
    iis::pools::SPEC,
    port::SPEC,
    proc_num::SPEC,
    du::SPEC,
    ping::SPEC,
    tcp::SPEC,
    dns::SPEC,
    url::SPEC,
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
    /// Asks a driver, which may first have to wake its devices.
    Gpu,
    /// Asks time servers.
    Ntp,
    /// Asks the manager of services, which may be busy.
    Service,
    /// Ask counters that other vendors' libraries serve, each in the worker process that may hang or die of it.
    Iis,
    Mssql,
    Custom,
    /// Walks through directories, which may be large.
    Du,
    /// Asks hosts of the network.
    Probe,
    /// Asks web servers, which may be slow.
    Url,
}

impl Lane {
    pub const ALL: [Lane; 12] = [
        Lane::Host,
        Lane::Df,
        Lane::Disk,
        Lane::Gpu,
        Lane::Ntp,
        Lane::Service,
        Lane::Iis,
        Lane::Mssql,
        Lane::Custom,
        Lane::Du,
        Lane::Probe,
        Lane::Url,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Lane::Host => "host",
            Lane::Df => "df",
            Lane::Disk => "disk",
            Lane::Gpu => "gpu",
            Lane::Ntp => "ntp",
            Lane::Service => "service",
            Lane::Iis => "iis",
            Lane::Mssql => "mssql",
            Lane::Custom => "custom",
            Lane::Du => "du",
            Lane::Probe => "probe",
            Lane::Url => "url",
        }
    }

    /// Whether every host has something to ask in it.
    pub fn is_everywhere(self) -> bool {
        matches!(self, Lane::Host | Lane::Df | Lane::Disk)
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
    pub perf: Perf,
    pub assigned: Arc<Assigned>,
}

/// The names of this platform's collectors.
pub fn names() -> Vec<&'static str> {
    ALL.iter().filter(|spec| spec.exists_on(Platform::CURRENT)).map(|spec| spec.name).collect()
}

/// This platform's collectors that a configuration leaves on and that one of its name sets has something of.
pub fn active(config: &Config) -> impl Iterator<Item = &'static Spec> {
    let sets: Sets = config.collector.names.iter().copied().collect();
    let is_asked = move |metric: &Metric| metric.on.includes(Platform::CURRENT) && metric.sets.intersects(sets);
    ALL.iter().filter(move |spec| config.collector.is_on(spec.name, true) && spec.metrics.iter().any(is_asked))
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
        limits: Guarded::ALL.iter().map(|kind| (kind.name(), kind.default_limit(), kind.most())).collect(),
        tags: ALL.iter().flat_map(|spec| spec.metrics).flat_map(|metric| metric.tags).copied().collect(),
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
    class: Class,
    /// Where in `samples` another class begins; empty while there is only the first.
    classes: Vec<(usize, Class)>,
    series: PerClass,
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
            class: Class::default(),
            classes: Vec::new(),
            series: PerClass::default(),
        }
    }

    /// Of what is said from here on: what is left out first where a host has too many series.
    pub(crate) fn class(&mut self, class: Class) {
        if self.class != class {
            self.class = class;
            self.classes.push((self.samples.len(), class));
        }
    }

    /// Whether a number would be said: asked before it is obtained at a cost.
    pub fn wants(&self, metric: &Metric) -> bool {
        self.plan.says(metric)
    }

    /// Says one number. A name that is not switched on is passed over; NaN and infinities are left out and counted.
    pub fn emit(&mut self, metric: &'static Metric, tags: &Tags, value: f64) {
        self.say(metric, tags, value, self.tick.at);
    }

    /// The same for the cycle before, of a series that was held back in it.
    pub fn emit_before(&mut self, metric: &'static Metric, tags: &Tags, value: f64) {
        self.say(metric, tags, value, self.tick.at - i64::from(self.tick.step));
    }

    /// The same under a name that the configuration makes, of a collector that declares the pattern of such names.
    pub(crate) fn emit_named(&mut self, name: &str, kind: Kind, tags: &Tags, value: f64) {
        self.push(Cow::Owned(name.to_owned()), kind, tags, value, self.tick.at);
    }

    fn say(&mut self, metric: &'static Metric, tags: &Tags, value: f64, at: i64) {
        if self.plan.says(metric) {
            self.push(Cow::Borrowed(metric.name), metric.kind, tags, value, at);
        }
    }

    fn push(&mut self, metric: Cow<'static, str>, kind: Kind, tags: &Tags, value: f64, at: i64) {
        let Some(value) = Finite::new(value) else {
            self.not_finite += 1;
            return;
        };
        // A point of the cycle before belongs to a series that has one of this cycle too.
        if at == self.tick.at {
            self.series.add(self.class);
        }
        self.samples.push(Sample {
            metric,
            tags: tags.clone(),
            value,
            kind,
            at,
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
        let Cx { samples, problems, remarks, not_finite, classes, series, .. } = self;
        Collected { samples, problems, remarks, not_finite, classes, series }
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
    /// Where in `samples` another class of series begins.
    classes: Vec<(usize, Class)>,
    /// How many series there are of each.
    series: PerClass,
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
pub(crate) mod tests;
