//! The rule of names: from a metric of Open-Falcon to a family of Prometheus, without a list of either.
//!
//! A name becomes words; of those that say its unit, base units are made and put at the end, with the value converted. What `promtool
//! check metrics` would complain about never comes out, whoever made the name: its words for units and types are written another
//! way where the unit is not known from a declaration.

use crate::collect;
use crate::config::NameSet;
use crate::model::{Kind, Metric, Platform, Sets};

/// What a series is called, and what its value is multiplied with and divided by.
#[derive(Clone, Debug)]
pub struct Name {
    /// Without the `_total` of a counter.
    pub family: String,
    /// With which `family` ends, or empty.
    pub unit: &'static str,
    pub times: f64,
    pub over: f64,
    declared: Option<&'static Metric>,
}

/// Ends that only samples of other types have.
const RESERVED: [&str; 6] = ["total", "count", "sum", "bucket", "info", "created"];

/// How a unit of a declaration is shown: words that say it in names, how it is called here, times, over.
type Unit = (&'static [&'static str], &'static str, f64, f64);

fn unit_of(declared: &str) -> Option<Unit> {
    Some(match declared {
        "s" => (&["s", "sec", "seconds"], "seconds", 1.0, 1.0),
        "ms" => (&["ms", "msec"], "seconds", 1.0, 1e3),
        "us" => (&["us", "usec"], "seconds", 1.0, 1e6),
        "days" => (&["days"], "seconds", 86_400.0, 1.0),
        "B" => (&["bytes"], "bytes", 1.0, 1.0),
        "B/s" => (&["bytes"], "bytes_per_second", 1.0, 1.0),
        "KB" => (&["kb"], "bytes", 1024.0, 1.0),
        "MiB" => (&["mib"], "bytes", 1_048_576.0, 1.0),
        // Those of net.if.* are beside the same in bytes: they stay what they are.
        "bit" => (&["bits"], "bit", 1.0, 1.0),
        "bit/s" => (&["bits"], "bit_per_second", 1.0, 1.0),
        "%" => (&["percent"], "percent", 1.0, 1.0),
        "MHz" => (&["mhz"], "hertz", 1e6, 1.0),
        "W" => (&[], "watts", 1.0, 1.0),
        "deg C" => (&[], "celsius", 1.0, 1.0),
        unit if unit.ends_with("/s") => (&[], "per_second", 1.0, 1.0),
        _ => return None,
    })
}

pub fn name(metric: &str, kind: Kind, platform: Platform) -> Name {
    let all = declarations(metric);
    let declared = declaration(&all, kind, platform);
    let (mut words, mut name) =
        (words(metric), Name { family: "falcon".to_owned(), unit: "", times: 1.0, over: 1.0, declared });
    while kind == Kind::Counter && words.last().is_some_and(|last| last == "total") {
        words.pop();
    }
    if let Some((said, unit, times, over)) = declared.and_then(|metric| unit_of(metric.unit)) {
        let says = |word: &String| said.contains(&word.as_str());
        if !words.iter().all(says) {
            words.retain(|word| !says(word));
        }
        if unit.ends_with("per_second") && words.ends_with(&["per".to_owned(), "second".to_owned()]) {
            words.truncate(words.len().saturating_sub(2));
        }
        name = Name { unit, times, over, ..name };
    }
    if let Some(set) = declared.and_then(|_| set_of(&all)) {
        words.insert(0, set.name().replace('-', "_"));
    }
    if words.is_empty() {
        words.push("unnamed".to_owned());
    }
    for word in words {
        name.family.push('_');
        name.family.push_str(&accepted(word));
    }
    if !name.unit.is_empty() {
        name.family.push('_');
        name.family.push_str(name.unit);
    }
    if kind != Kind::Counter && name.family.rsplit('_').next().is_some_and(|last| RESERVED.contains(&last)) {
        name.family.push_str("_value");
    }
    name
}

impl Name {
    /// What is told of a family whose first series is of this metric.
    pub(super) fn help(&self, metric: &str) -> String {
        let Some(declared) = self.declared else { return format!("{metric}: not declared by the agent") };
        let Metric { name, unit, help, source, .. } = declared;
        let mut text = (*name).to_owned();
        if self.unit.is_empty() && *unit != "1" {
            text.push_str(&format!(" ({unit})"));
        }
        for (between, part) in [(": ", help), ("; from: ", source)] {
            if !part.is_empty() {
                text.push_str(between);
                text.push_str(part);
            }
        }
        text
    }
}

/// That of this platform, if there are several.
fn declaration(all: &[&'static Metric], kind: Kind, platform: Platform) -> Option<&'static Metric> {
    let mut first = None;
    for declared in all.iter().filter(|declared| declared.kind == kind) {
        if declared.on.includes(platform) {
            return Some(declared);
        }
        first = first.or(Some(*declared));
    }
    first
}

/// Of all collectors, systems and types.
fn declarations(metric: &str) -> Vec<&'static Metric> {
    let mut all = Vec::new();
    for spec in collect::ALL {
        for declared in spec.metrics {
            if declared.name == metric {
                all.push(declared);
            }
        }
    }
    all
}

/// The set of a name that only agents for Windows before this one had: some of theirs are near to others.
fn set_of(all: &[&'static Metric]) -> Option<NameSet> {
    let sets = all.iter().fold(Sets::NONE, |sets, metric| sets.and(metric.sets));
    let ours = sets.contains(NameSet::Falcon) || sets.contains(NameSet::Extended);
    NameSet::ALL.into_iter().find(|set| !ours && sets.contains(*set))
}

/// Small letters and digits, apart at every other character and where a capital begins a word.
fn words(metric: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    let mut rest = metric.chars();
    while let Some(c) = rest.next() {
        let mut next = rest.clone();
        let (next, second) = (next.next(), next.next());
        match c {
            'A'..='Z' => {
                // `TcpExt`, `ACKLocked`; not `URIs`.
                let plural = next == Some('s') && !second.is_some_and(|c| c.is_ascii_lowercase());
                let begins = before.is_some_and(|c| c.is_ascii_lowercase())
                    || before.is_some_and(|c| c.is_ascii_uppercase())
                        && next.is_some_and(|c| c.is_ascii_lowercase())
                        && !plural;
                // `MsSQL` begins with no unit of time.
                if begins && accepted(word.clone()) == word {
                    end(&mut word, &mut words);
                }
                word.push(c.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => word.push(c),
            // `File(s)`
            '(' | ')' => {}
            '%' => {
                end(&mut word, &mut words);
                words.push("percent".to_owned());
            }
            '/' if is_second(rest.as_str().split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()) => {
                end(&mut word, &mut words);
                words.push("per".to_owned());
            }
            c if c.is_ascii() => end(&mut word, &mut words),
            // Names in other scripts differ in nothing else.
            c => word.push_str(&format!("u{:x}", u32::from(c))),
        }
        before = Some(c);
    }
    end(&mut word, &mut words);
    words
}

fn end(word: &mut String, words: &mut Vec<String>) {
    if is_second(word) && words.last().is_some_and(|last| last == "per") {
        *word = "second".to_owned();
    }
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn is_second(word: &str) -> bool {
    matches!(word, "s" | "sec")
}

/// A word that promtool has nothing against: it takes some for units that should be others, and some for types.
fn accepted(word: String) -> String {
    const PREFIXES: [&str; 19] = [
        "", "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "giga",
        "gibi", "tera", "tebi", "peta", "pebi",
    ];
    const BASE: [&str; 10] =
        ["amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres", "seconds", "volts"];
    const OTHER: [&str; 14] = [
        "minutes",
        "hours",
        "days",
        "weeks",
        "kelvins",
        "fahrenheit",
        "rankine",
        "inches",
        "yards",
        "miles",
        "bits",
        "calories",
        "pounds",
        "ounces",
    ];
    let written = match word.as_str() {
        "counter" | "gauge" | "histogram" | "summary" => return word + "s",
        "ms" => "msec",
        "us" => "usec",
        "ns" => "nsec",
        "sec" => "secs",
        "kb" => "kbyte",
        "mb" => "mbyte",
        "gb" => "gbyte",
        "tb" => "tbyte",
        "pb" => "pbyte",
        "s" | "b" | "m" | "h" | "d" => return word.repeat(2),
        _ => "",
    };
    if !written.is_empty() {
        return written.to_owned();
    }
    let of = |units: &[&str], prefix: &str| word.strip_prefix(prefix).is_some_and(|unit| units.contains(&unit));
    if PREFIXES.iter().any(|prefix| of(&OTHER, prefix) || !prefix.is_empty() && of(&BASE, prefix)) {
        return match word.strip_suffix('s') {
            Some(one) => accepted(one.to_owned()),
            None => word + "x",
        };
    }
    word
}
