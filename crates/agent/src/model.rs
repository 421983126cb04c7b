//! The core types: what a collector says, what a transfer gets, and the declarations that tie a name to a type.
//!
//! Invariants: a [`Sample`]'s value is finite by construction; tags made by the agent hold no character that the servers
//! refuse; a metric's name, type, unit, tag keys and platforms stand in one [`Metric`] beside the code that emits it.

mod tags;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{NameSet, tags_without_credentials};
pub(crate) use tags::is_printable;
pub use tags::{Fit, MAX_METRIC, MAX_NAME, Tags, clean};

/// `counterType` of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Gauge,
    Counter,
    Derive,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Gauge => "GAUGE",
            Kind::Counter => "COUNTER",
            Kind::Derive => "DERIVE",
        }
    }

    /// Exact spelling only, as the transfer compares it.
    pub fn parse(text: &str) -> Option<Kind> {
        match text {
            "GAUGE" => Some(Kind::Gauge),
            "COUNTER" => Some(Kind::Counter),
            "DERIVE" => Some(Kind::Derive),
            _ => None,
        }
    }
}

/// The platform this program runs on; the one place of the portable code that asks the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Linux,
    Windows,
}

impl Platform {
    pub const CURRENT: Platform = if cfg!(windows) { Platform::Windows } else { Platform::Linux };
}

/// The platforms on which a metric exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Both,
    Linux,
    Windows,
}

impl On {
    pub fn includes(self, platform: Platform) -> bool {
        matches!((self, platform), (On::Both, _) | (On::Linux, Platform::Linux) | (On::Windows, Platform::Windows))
    }
}

/// A set of [`NameSet`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sets(u8);

impl Sets {
    pub const NONE: Sets = Sets(0);
    pub const FALCON: Sets = Sets::NONE.with(NameSet::Falcon);
    pub const WINDOWS_AGENT: Sets = Sets::NONE.with(NameSet::WindowsAgent);
    pub const FREEDOMKK: Sets = Sets::NONE.with(NameSet::FreedomKk);
    pub const LEONZYANG: Sets = Sets::NONE.with(NameSet::LeonZYang);
    pub const EXTENDED: Sets = Sets::NONE.with(NameSet::Extended);
    /// The names that all three Go agents share.
    pub const GO: Sets = Sets::FALCON.and(Sets::FREEDOMKK).and(Sets::LEONZYANG);
    /// The names that every agent before this one has.
    pub const LEGACY: Sets = Sets::GO.and(Sets::WINDOWS_AGENT);
    pub const ALL: Sets = Sets::LEGACY.and(Sets::EXTENDED);

    pub const fn with(self, set: NameSet) -> Sets {
        Sets(self.0 | 1 << set as u8)
    }

    pub const fn and(self, other: Sets) -> Sets {
        Sets(self.0 | other.0)
    }

    pub fn intersects(self, other: Sets) -> bool {
        self.0 & other.0 != 0
    }

    pub fn contains(self, set: NameSet) -> bool {
        self.intersects(Sets::NONE.with(set))
    }
}

impl FromIterator<NameSet> for Sets {
    fn from_iter<I: IntoIterator<Item = NameSet>>(sets: I) -> Sets {
        sets.into_iter().fold(Sets::NONE, Sets::with)
    }
}

/// One declared metric: the single source of its type, tag keys, unit and origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// `%`, `B`, `bit`, `packets`, ... of the value; a COUNTER's graph shows it per second.
    pub unit: &'static str,
    /// Tag keys, in the order in which they are sent.
    pub tags: &'static [&'static str],
    pub sets: Sets,
    pub on: On,
    /// Where the number comes from.
    pub source: &'static str,
    pub help: &'static str,
    /// The key of `collector` that switches it on; empty: it is on by default.
    pub option: &'static str,
}

impl Metric {
    pub const fn gauge(name: &'static str, unit: &'static str, sets: Sets, source: &'static str) -> Metric {
        Metric { name, kind: Kind::Gauge, unit, tags: &[], sets, on: On::Both, source, help: "", option: "" }
    }

    pub const fn counter(name: &'static str, unit: &'static str, sets: Sets, source: &'static str) -> Metric {
        Metric { kind: Kind::Counter, ..Metric::gauge(name, unit, sets, source) }
    }

    pub const fn tags(self, tags: &'static [&'static str]) -> Metric {
        Metric { tags, ..self }
    }

    pub const fn on(self, on: On) -> Metric {
        Metric { on, ..self }
    }

    pub const fn help(self, help: &'static str) -> Metric {
        Metric { help, ..self }
    }

    /// Off by default; `collector.OPTION: true` switches it on.
    pub const fn option(self, option: &'static str) -> Metric {
        Metric { option, ..self }
    }
}

/// The metrics of a constant list of `N` items that have one each, as a constant.
macro_rules! metrics_of {
    ($items:expr, $n:expr) => {{
        let mut all = [$crate::model::Metric::gauge("", "", $crate::model::Sets::NONE, ""); $n];
        let mut at = 0;
        while at < $n {
            all[at] = $items[at].metric;
            at += 1;
        }
        all
    }};
}
pub(crate) use metrics_of;

/// Lists as one, for a collector of many objects; `N` is how many metrics they have together.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
pub const fn concat<const N: usize>(lists: &[&[Metric]]) -> [Metric; N] {
    let mut all = [Metric::gauge("", "", Sets::NONE, ""); N];
    let (mut list, mut filled) = (0, 0);
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[filled] = lists[list][at];
            filled += 1;
            at += 1;
        }
        list += 1;
    }
    assert!(filled == N, "N is not how many metrics the lists have");
    all
}

/// A number that JSON can carry.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    pub fn new(value: f64) -> Option<Finite> {
        value.is_finite().then_some(Finite(value))
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub metric: Cow<'static, str>,
    pub tags: Tags,
    pub value: Finite,
    pub kind: Kind,
    /// Unix seconds.
    pub at: i64,
    /// Seconds, at least 1.
    pub step: i64,
    /// `None`: this host.
    pub endpoint: Option<Arc<str>>,
}

impl Sample {
    /// judge gets the tags as hbs has them, with the login of a URL in them; who looks here does not.
    pub fn shown_tags(&self) -> Cow<'_, str> {
        let tags = self.tags.as_str();
        if self.metric == "url.check.health" { tags_without_credentials(tags).into() } else { tags.into() }
    }

    /// 64 bits of what tells its series from others, for pacing and for the page; the same in every version, for the queue
    /// on disk has it too. Blanks in tags do not count, as the transfer removes them.
    pub fn key(&self) -> u64 {
        let own = self.endpoint.as_deref().unwrap_or_default();
        let tags = self.tags.as_str().bytes().filter(|byte| *byte != b' ');
        // No text has this byte.
        fnv1a(self.metric.bytes().chain([0xFF]).chain(own.bytes()).chain([0xFF]).chain(tags))
    }
}

/// FNV-1a, 64 bit: stable over versions and machines, unlike the standard library's hasher.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, hash)
}

/// The clock as a value: collectors never ask for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The start of the step, Unix seconds: the stamp of every point of the cycle.
    pub at: i64,
    /// Seconds between two points of a series.
    pub step: u32,
    /// Monotonic time since the same collector ran before; `None` at its first run.
    pub elapsed: Option<Duration>,
}

/// A point for tests: a GAUGE of this host at a step of 60 s.
#[cfg(test)]
pub(crate) fn sample(metric: &str, tags: &str, value: f64, at: i64) -> Sample {
    Sample {
        metric: metric.to_owned().into(),
        tags: Tags::raw(tags),
        value: Finite::new(value).expect("finite"),
        kind: Kind::Gauge,
        at,
        step: 60,
        endpoint: None,
    }
}

#[cfg(test)]
mod tests;
