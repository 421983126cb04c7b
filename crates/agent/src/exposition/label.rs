//! Labels from tags.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::{Sample, Tags};

/// In front of a key that Prometheus has another use for, or takes no label of.
const PREFIX: &str = "tag_";

/// As they are written, or nothing; `endpoint`: of another host, whose point was pushed here.
pub(super) fn labels(sample: &Sample, endpoint: Option<&str>) -> String {
    let tags = Tags::raw(sample.shown_tags());
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) {
        labels.insert("endpoint".to_owned(), endpoint.to_owned());
    }
    // Sorted, with the last of equal keys, as the servers take them.
    let pairs: BTreeMap<String, String> = tags.pairs().collect();
    // A label without a value is none to Prometheus.
    for (key, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        let mut key = cleaned(&key);
        while labels.contains_key(&key) {
            key.push('_');
        }
        labels.insert(key, value);
    }
    let mut text = String::new();
    for (key, value) in &labels {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(key);
        text.push_str("=\"");
        text.push_str(&escaped(value, true));
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

fn cleaned(key: &str) -> String {
    let mut label = String::with_capacity(PREFIX.len() + key.len());
    for c in key.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => label.push(c),
            c if c.is_ascii() => label.push('_'),
            // Keys in other scripts differ in nothing else.
            c => label.push_str(&format!("u{:x}", u32::from(c))),
        }
    }
    let taken = matches!(label.as_str(), "le" | "quantile" | "endpoint");
    if taken || !label.starts_with(|first: char| first.is_ascii_alphabetic()) {
        label.insert_str(0, PREFIX);
    }
    label
}

/// `\` and the end of a line, and the quote where it would end something.
pub(super) fn escaped(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains(['\\', '\n', '"']) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            '"' if quotes => safe.push_str("\\\""),
            c => safe.push(c),
        }
    }
    safe.into()
}
