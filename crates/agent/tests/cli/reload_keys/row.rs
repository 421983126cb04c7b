//! One key: its values, and how it is seen that one of them is at work.

use serde_json::{Value, json};

use super::bed::Stage;
use crate::harness::items::Item;

pub struct Row {
    pub key: &'static str,
    old: Value,
    new: Value,
    /// What the file has besides with the new value.
    also: Value,
    seen: Box<Seen>,
    is_a_pause: bool,
}

/// Whether a value is at work; asked again and again.
type Seen = dyn Fn(&Stage<'_>, &Value) -> bool;

impl Row {
    pub fn new(key: &'static str, old: Value, new: Value, seen: impl Fn(&Stage<'_>, &Value) -> bool + 'static) -> Row {
        Row { key, old, new, also: json!({}), seen: Box::new(seen), is_a_pause: false }
    }

    /// Seen in one of the cycles that were measured with it.
    pub fn of_cycle(
        key: &'static str,
        old: Value,
        new: Value,
        fits: impl Fn(&[Item], &Value) -> bool + 'static,
    ) -> Row {
        Row::new(key, old, new, move |stage, value| stage.cycles().iter().any(|cycle| fits(cycle, value)))
    }

    /// Seen in `/config`, where it stands as it is written.
    pub fn shown(key: &'static str, old: Value, new: Value) -> Row {
        Row::new(key, old, new, move |stage, value| is_shown(stage, key, value))
    }

    /// Merged into the file with the new value.
    pub fn also(self, also: Value) -> Row {
        Row { also, ..self }
    }

    /// Nothing of what is collected is sent with the new value.
    pub fn pauses(self) -> Row {
        Row { is_a_pause: true, ..self }
    }

    pub fn is_a_pause(&self) -> bool {
        self.is_a_pause
    }

    pub fn old(&self) -> &Value {
        &self.old
    }

    pub fn wanted(&self) -> &Value {
        &self.new
    }

    pub fn is_at_work(&self, stage: &Stage<'_>, value: &Value) -> bool {
        (self.seen)(stage, value)
    }

    /// What its old value adds to a file.
    pub fn old_file(&self) -> Value {
        nested(self.key, &self.old)
    }

    pub fn new_file(&self) -> Value {
        let mut file = self.also.clone();
        merge(&mut file, &nested(self.key, &self.new));
        file
    }

    /// What is said of a reload with the new value names its key, and never a secret.
    pub fn is_told(&self, outcome: &Value) {
        assert_eq!(outcome["ok"], json!(true), "{}: {outcome}", self.key);
        let text = outcome["text"].as_str().expect("a text");
        let (_, changed) = text.split_once("changed: ").unwrap_or_default();
        let top = self.key.split('.').next().unwrap_or(self.key);
        // The other spelling of `log.file`.
        let top = if top == "logfile" { "log" } else { top };
        let is_named = changed == "a secret" || changed.split(", ").any(|key| key == top);
        assert!(is_named, "{}: {outcome}", self.key);
    }
}

pub fn is_shown(stage: &Stage<'_>, key: &str, value: &Value) -> bool {
    let Some(answer) = stage.get("/config").filter(|answer| answer.status == 200) else { return false };
    let pointer = format!("/data/{}", key.replace('.', "/"));
    answer.json().pointer(&pointer).unwrap_or(&Value::Null) == value
}

/// The distinct values of a tag in the series of a metric.
pub fn tag_values<'a>(cycle: &'a [Item], metric: &str, tag: &str) -> Vec<&'a str> {
    let series = cycle.iter().filter(|item| item.metric == metric);
    let value = |item: &'a Item| item.tags.split(',').find_map(|pair| pair.strip_prefix(tag)?.strip_prefix('='));
    let mut values: Vec<&str> = series.filter_map(value).collect();
    values.sort_unstable();
    values
}

/// `{"a": {"b": VALUE}}` for `a.b`.
fn nested(key: &str, value: &Value) -> Value {
    key.rsplit('.').fold(value.clone(), |value, name| json!({ name: value }))
}

/// RFC 7396, but that an empty object takes the place of what is there.
pub fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in members {
        match value {
            Value::Null => _ = into.as_object_mut().and_then(|into| into.remove(name)),
            value => merge(&mut into[name], value),
        }
    }
}
