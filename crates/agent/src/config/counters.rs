//! `collector.counters`: which performance counters are told of, beside those that the agent knows itself.
//!
//! An entry without an object is none. What else cannot be used is left out of its entry, with a warning.

use std::collections::BTreeMap;

use serde::Serialize;

use super::raw::{RawCounters, RawTag};
use super::reader::Spot;
use super::report::{Report, shortened};
use super::validate::distinct;

/// Entries; and names and patterns of each list, of one entry.
const MOST: usize = 256;
/// Characters of a name; Windows has 1,024 for a path of them all.
const MOST_CHARS: usize = 1024;
const MOST_TAGS: usize = 16;
/// Bytes of a prefix: what is left of a metric's 64 tells the counters apart.
const MOST_PREFIX: usize = 40;
/// The tag that the collector sets itself.
pub(crate) const INSTANCE: &str = "instance";

/// Counters of one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CounterSet {
    /// English name.
    pub object: String,
    /// Names and patterns; empty: every counter that has a number.
    pub counters: Vec<String>,
    /// Names and patterns; empty: all but the sums.
    pub instances: Vec<String>,
    /// Names and patterns of instances.
    pub exclude: Vec<String>,
    /// What the names of the metrics begin with; empty: what the object's name gives.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metric: String,
    /// Of every series.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

pub(super) fn sets(raw: Vec<Spot<RawCounters>>, report: &mut Report<'_>) -> Vec<CounterSet> {
    let path = "collector.counters";
    if let Some(Spot { at, .. }) = raw.get(MOST) {
        report.warn(*at, path, format!("{} entries are too many; the first {MOST} are used", raw.len()));
    }
    let entries = raw.into_iter().take(MOST).enumerate();
    entries.filter_map(|(n, Spot { value, at })| set(value, at, &format!("{path}[{n}]"), report)).collect()
}

fn set(raw: RawCounters, at: usize, path: &str, report: &mut Report<'_>) -> Option<CounterSet> {
    let named = raw.object.map(|Spot { value, at }| (value.trim().to_owned(), at)).filter(|(name, _)| !name.is_empty());
    let Some((object, object_at)) = named else {
        report.warn(at, path, "the name of an object is needed; the entry is left out");
        return None;
    };
    if !is_name(&object) || object.contains('\\') {
        let text =
            format!("{:?} is no name of an object, as `Web Service` is; the entry is left out", shortened(&object));
        report.warn(object_at, &format!("{path}.object"), text);
        return None;
    }
    Some(CounterSet {
        object,
        counters: names(raw.counters, &format!("{path}.counters"), report),
        instances: names(raw.instances, &format!("{path}.instances"), report),
        exclude: names(raw.exclude, &format!("{path}.exclude"), report),
        metric: prefix(raw.metric, &format!("{path}.metric"), report),
        tags: tags(raw.tags, &format!("{path}.tags"), report),
    })
}

fn is_name(text: &str) -> bool {
    !text.contains(|c: char| c.is_control()) && text.chars().count() <= MOST_CHARS
}

fn names(raw: Option<Vec<Spot<String>>>, path: &str, report: &mut Report<'_>) -> Vec<String> {
    let mut usable = raw.unwrap_or_default();
    usable.retain(|Spot { value, at }| {
        let usable = is_name(value.trim());
        if !usable {
            report.warn(*at, path, format!("{:?} is no name; it is left out", shortened(value)));
        }
        usable
    });
    if let Some(Spot { at, .. }) = usable.get(MOST) {
        report.warn(*at, path, format!("{} names are too many; the first {MOST} are used", usable.len()));
        usable.truncate(MOST);
    }
    distinct(Some(usable), path, report)
}

fn prefix(raw: Option<Spot<String>>, path: &str, report: &mut Report<'_>) -> String {
    let Some(Spot { value, at }) = raw else { return String::new() };
    let text = value.trim();
    let fits = text
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    if text.is_empty() || fits && text.len() <= MOST_PREFIX {
        return text.to_owned();
    }
    let text = format!(
        "{:?} cannot begin a metric's name: letters, digits, `_`, `-` and single dots between them, {MOST_PREFIX} at most; \
         the object's name is used",
        shortened(text)
    );
    report.warn(at, path, text);
    String::new()
}

fn tags(raw: Vec<Spot<RawTag>>, path: &str, report: &mut Report<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for Spot { value: RawTag { key, value, .. }, at } in raw {
        let path = format!("{path}[\"{}\"]", shortened(&key).escape_debug());
        let is_key = key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if key.is_empty() || !is_key || !is_name(&key) {
            report.warn(at, &path, "no name of a tag: letters, digits, `_`, `-` and `.`; it is left out");
        } else if key == INSTANCE {
            report.warn(at, &path, "this tag is the counter's own; it is left out");
        } else if value.trim().is_empty() || !is_name(&value) {
            report.warn(at, &path, "no value of a tag; it is left out");
        } else if tags.len() >= MOST_TAGS && !tags.contains_key(&key) {
            report.warn(at, &path, format!("{MOST_TAGS} tags are the most; it is left out"));
        } else {
            tags.insert(key, value);
        }
    }
    tags
}
