//! The core types: what a collector says, what a transfer gets, and the declarations that tie a name to a type.
//!
//! Invariants: a [`Sample`]'s value is finite by construction; tags made by the agent hold no character that the servers
//! refuse; a metric's name, type, unit, tag keys and platforms stand in one [`Metric`] beside the code that emits it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::config::NameSet;

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
#[derive(Debug, PartialEq, Eq)]
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

/// Tags as they go out: `k=v,k=v`, or nothing. A clone costs nothing: a collector makes those of a thing once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<str>>);

impl Tags {
    pub const NONE: Tags = Tags(None);

    /// Tags of the agent's own metrics: each value cleaned by [`clean`].
    pub fn of(pairs: &[(&str, &str)]) -> Tags {
        let mut text = String::new();
        for (key, value) in pairs {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
            text.push('=');
            clean(value, &mut text);
        }
        Tags::raw(text)
    }

    /// Tags that somebody else wrote (a push): sent as they are.
    pub fn raw(text: impl Into<String>) -> Tags {
        let text = text.into();
        Tags((!text.is_empty()).then(|| text.into()))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// The pairs as the transfer reads them: U+0020 removed, split at `,`, cut at the first `=`, parts without `=` left out.
    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.as_str().split(',').filter_map(|part| {
            let part = part.replace(' ', "");
            part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        })
    }

    /// What identifies the series on the servers: the pairs sorted by key, the last of equal keys.
    pub fn canonical(&self) -> String {
        let map: std::collections::BTreeMap<_, _> = self.pairs().collect();
        let mut text = String::with_capacity(self.as_str().len());
        for (key, value) in map {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&key);
            text.push('=');
            text.push_str(&value);
        }
        text
    }

    /// `defaults` (already `k=v,k=v`, sorted) appended, so that they win over own tags of the same key as they do with
    /// the Go agent, where the transfer keeps the last of two.
    pub fn with_defaults(self, defaults: &str) -> Tags {
        if defaults.is_empty() {
            self
        } else if self.0.is_none() {
            Tags::raw(defaults)
        } else {
            Tags::raw(format!("{},{defaults}", self.as_str()))
        }
    }
}

/// Bytes of a metric's name and its tags that a transfer takes together.
pub const MAX_NAME: usize = 510;
/// Bytes that the names of the agent's own metrics stay within.
pub const MAX_METRIC: usize = 64;
/// Characters that are left for tags in the column of graph's index, which holds 255 of `metric/tags`.
const MAX_TAGS: usize = 255 - 1 - MAX_METRIC;
/// Bytes of `_` and eight hexadecimal digits.
const HASH: usize = 9;
/// Of a value that is cut, at least so many bytes stay readable.
const READABLE: usize = 8;

/// Whether a series' name fits the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    AsItIs,
    /// With the longest values cut.
    Cut(Tags),
    TooLong,
}

impl Tags {
    /// Whether these tags fit: `metric` and tags within [`MAX_NAME`] bytes, and the agent's `own` within [`MAX_TAGS`]
    /// characters, whatever the metric, so that all series of a thing have the same tags. The longest value of own tags gives
    /// way first: its end becomes `_` and a hash of all of it, the same on every host and at every start.
    pub fn fit(&self, metric: &str, own: bool) -> Fit {
        let tags = self.as_str();
        let fits = |bytes: usize, chars: usize| bytes <= MAX_NAME - MAX_METRIC && chars <= MAX_TAGS;
        let (mut bytes, mut chars) = (tags.len(), tags.chars().count());
        if metric.len() + bytes <= MAX_NAME && (!own || fits(bytes, chars)) {
            return Fit::AsItIs;
        }
        if !own || metric.len() > MAX_METRIC {
            return Fit::TooLong;
        }
        let mut parts: Vec<(String, bool)> = tags.split(',').map(|part| (part.to_owned(), false)).collect();
        while !fits(bytes, chars) {
            let longest = parts.iter_mut().filter(|(_, cut)| !cut).max_by_key(|(part, _)| part.len());
            let Some((part, cut)) = longest else { return Fit::TooLong };
            *cut = true;
            let Some(value) = part.find('=').map(|equals| equals + 1) else { continue };
            let hash = fnv1a(part.get(value..).unwrap_or_default());
            let (bytes_before, chars_before) = (part.len(), part.chars().count());
            let (others_bytes, others_chars) = (bytes - bytes_before, chars - chars_before);
            let mut left = chars_before;
            while part.len() > value + READABLE && !fits(others_bytes + part.len() + HASH, others_chars + left + HASH) {
                part.pop();
                left -= 1;
            }
            part.push_str(&format!("_{hash:08x}"));
            (bytes, chars) = (others_bytes + part.len(), others_chars + left + HASH);
        }
        let parts: Vec<String> = parts.into_iter().map(|(part, _)| part).collect();
        Fit::Cut(Tags::raw(parts.join(",")))
    }
}

/// FNV-1a of 32 bits: the same in every version of this program, which the standard library's hashes do not promise.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The one rule for tag values from outside (adapter names, mount points): what would split a tag, break an expression
/// or make graph drop the series becomes `_`. Blanks stay: the transfer removes them, as it always did.
pub fn clean(value: &str, into: &mut String) {
    into.extend(value.chars().map(|c| match c {
        ',' | '=' | '\'' | '"' | '>' | '\u{FFFD}' => '_',
        c if is_printable(c) => c,
        _ => '_',
    }));
}

/// What graph takes for printable: no controls, no formats as a zero-width space, no blanks but U+0020.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The standard library's table of it shows in what it escapes; behind another character it leaves combining marks alone.
    let mut bytes = [b'a'; 5];
    let len = bytes.get_mut(1..).map_or(0, |rest| c.encode_utf8(rest).len());
    let text = bytes.get(..=len).and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.is_some_and(|text| text.escape_debug().count() == 2)
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
    /// 64 bits of what tells its series from others: within this process, for pacing and for the page. Blanks in tags do
    /// not count, as the transfer removes them.
    pub fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.metric, &self.endpoint).hash(&mut hasher);
        self.tags.as_str().bytes().filter(|byte| *byte != b' ').for_each(|byte| hasher.write_u8(byte));
        hasher.finish()
    }
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
