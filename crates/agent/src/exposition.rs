//! What Prometheus reads: samples as its text format (0.0.4) or OpenMetrics (1.0.0), for `/metrics` and `collect --format prometheus`.
//!
//! Invariants, whatever the samples are called: a family is written once and in one piece, a series once in it, and of what does
//! not fit (a series again, another kind in a family) the first stays; how many were left out is a series itself. The rules of
//! names and labels are [`name`]'s and [`label`]'s; `docs/prometheus.md` tells them.

mod label;
mod name;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;

pub use name::{Name, name};

use crate::falcon::wire;
use crate::model::{Finite, Kind, Platform, Sample};

/// How many series were left out of the text.
const LEFT_OUT: &str = "falcon_agent_metrics_left_out";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

struct Family {
    kind: Kind,
    unit: &'static str,
    help: String,
    /// By their labels as they are written.
    series: BTreeMap<String, f64>,
}

/// Families in the order of their names.
pub struct Exposition {
    platform: Platform,
    /// This host's endpoint.
    own: String,
    families: BTreeMap<String, Family>,
    left_out: u32,
    /// Of the sample before: most of a cycle's have the same.
    last: Option<(String, Kind, Name)>,
}

impl Exposition {
    /// `own`: this host's endpoint, which is no label.
    pub fn new(platform: Platform, own: &str) -> Exposition {
        let count = Family {
            kind: Kind::Gauge,
            unit: "",
            help: "series that are not in this text: their family has another type, or their labels are there already"
                .to_owned(),
            series: BTreeMap::from([(String::new(), 0.0)]),
        };
        let families = BTreeMap::from([(LEFT_OUT.to_owned(), count)]);
        Exposition { platform, own: own.to_owned(), families, left_out: 0, last: None }
    }

    pub fn add(&mut self, sample: &Sample) {
        let name = match self.last.take() {
            Some((metric, kind, name)) if *metric == *sample.metric && kind == sample.kind => name,
            _ => name(&sample.metric, sample.kind, self.platform),
        };
        if !self.takes(&name, sample) {
            self.left_out += 1;
        }
        self.last = Some((sample.metric.to_string(), sample.kind, name));
    }

    fn takes(&mut self, name: &Name, sample: &Sample) -> bool {
        // 1e308 KB are more bytes than there are numbers for.
        let Some(value) = Finite::new(sample.value.get() * name.times / name.over) else { return false };
        let endpoint = sample.endpoint.as_deref().filter(|endpoint| *endpoint != self.own);
        let labels = label::labels(sample, endpoint);
        let family = match self.families.entry(name.family.clone()) {
            Entry::Occupied(family) => family.into_mut(),
            Entry::Vacant(place) => place.insert(Family {
                kind: sample.kind,
                unit: name.unit,
                help: name.help(&sample.metric),
                series: BTreeMap::new(),
            }),
        };
        if family.kind != sample.kind {
            return false;
        }
        match family.series.entry(labels) {
            Entry::Vacant(place) => {
                place.insert(value.get());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub fn text(mut self, format: Format) -> String {
        if let Some(count) = self.families.get_mut(LEFT_OUT).and_then(|family| family.series.get_mut("")) {
            *count = self.left_out.into();
        }
        let mut text = String::new();
        for (name, family) in &self.families {
            family.write(name, format, &mut text);
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

impl Family {
    fn write(&self, name: &str, format: Format, text: &mut String) {
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        let (described, kind) = match (format, self.kind) {
            // OpenMetrics describes the counter, the older format its sample.
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Derive) => ("", "unknown"),
            (Format::Text, Kind::Derive) => ("", "untyped"),
            (Format::Text, Kind::Counter) => (total, "counter"),
            (_, Kind::Gauge) => ("", "gauge"),
        };
        let help = label::escaped(&self.help, format == Format::OpenMetrics);
        let _ = write!(text, "# HELP {name}{described} {help}\n# TYPE {name}{described} {kind}\n");
        if format == Format::OpenMetrics && !self.unit.is_empty() {
            let _ = writeln!(text, "# UNIT {name} {}", self.unit);
        }
        for (labels, value) in &self.series {
            let mut number = Vec::new();
            wire::number(*value, &mut number);
            let _ = writeln!(text, "{name}{total}{labels} {}", String::from_utf8_lossy(&number));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
