//! What Prometheus reads: samples as its text format (0.0.4) or OpenMetrics (1.0.0), for `/metrics` and `collect --format prometheus`.
//!
//! Invariants, whatever the samples are called: a family is written once and in one piece, a series once in it, and of what does
//! not fit (a series again, another kind in a family) the first stays; how many were left out is a series itself. The rules of
//! names and labels are [`name`]'s and [`label`]'s; `docs/prometheus.md` tells them.

mod label;
mod name;

use std::collections::BTreeMap;

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

/// Between a family and the labels of a series: sorts before every letter of a name, and is in none.
const OF: char = '\0';

/// A text in the making.
pub struct Exposition {
    platform: Platform,
    /// This host's endpoint.
    own: String,
    format: Format,
    /// In the order of the text: a family with a letter for its kind and the lines before its series; behind it each series,
    /// as the family, [`OF`] and its labels, with its value.
    lines: BTreeMap<String, String>,
    left_out: u32,
    /// Of the sample before: most of a cycle's have the same.
    last: Option<(String, Kind, Name)>,
}

impl Exposition {
    /// `own`: this host's endpoint, which is no label.
    pub fn new(platform: Platform, own: &str, format: Format) -> Exposition {
        let mut text =
            Exposition { platform, own: own.to_owned(), format, lines: BTreeMap::new(), left_out: 0, last: None };
        let help = "series that are not in this text: their family has another type, or their labels are there already";
        text.begin(LEFT_OUT, Kind::Gauge, "", help);
        text.lines.insert(format!("{LEFT_OUT}{OF}"), String::new());
        text
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
        match self.lines.get(&name.family) {
            Some(lines) if !lines.starts_with(letter(sample.kind)) => return false,
            Some(_) => {}
            None => self.begin(&name.family, sample.kind, name.unit, &name.help(&sample.metric)),
        }
        let endpoint = sample.endpoint.as_deref().filter(|endpoint| *endpoint != self.own);
        let series = format!("{}{OF}{}", name.family, label::labels(sample, endpoint));
        if self.lines.contains_key(&series) {
            return false;
        }
        self.lines.insert(series, shown(value.get()));
        true
    }

    /// The lines before a family's series.
    fn begin(&mut self, family: &str, kind: Kind, unit: &str, help: &str) {
        let open = self.format == Format::OpenMetrics;
        // OpenMetrics describes the counter, the older format its samples.
        let total = if open { "" } else { total(kind) };
        let said = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Derive if open => "unknown",
            Kind::Derive => "untyped",
        };
        let help = label::escaped(help, open);
        let letter = letter(kind);
        let mut lines = format!("{letter}# HELP {family}{total} {help}\n# TYPE {family}{total} {said}\n");
        if open && !unit.is_empty() {
            lines += &format!("# UNIT {family} {unit}\n");
        }
        self.lines.insert(family.to_owned(), lines);
    }

    pub fn text(mut self) -> String {
        self.lines.insert(format!("{LEFT_OUT}{OF}"), shown(self.left_out.into()));
        let (mut text, mut total_of_family) = (String::new(), "");
        for (key, lines) in &self.lines {
            match key.split_once(OF) {
                None => {
                    total_of_family = if lines.starts_with(letter(Kind::Counter)) { total(Kind::Counter) } else { "" };
                    text.push_str(lines.get(1..).unwrap_or_default());
                }
                Some((family, labels)) => {
                    for part in [family, total_of_family, labels, " ", lines, "\n"] {
                        text.push_str(part);
                    }
                }
            }
        }
        if self.format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

fn total(kind: Kind) -> &'static str {
    if kind == Kind::Counter { "_total" } else { "" }
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Counter => 'c',
        Kind::Gauge => 'g',
        Kind::Derive => 'd',
    }
}

fn shown(value: f64) -> String {
    let mut number = Vec::new();
    wire::number(value, &mut number);
    String::from_utf8(number).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
