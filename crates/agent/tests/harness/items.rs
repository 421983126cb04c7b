//! What a transfer gets, checked for its types while it is read.

use serde::Deserialize;
use serde_json::Value;

/// One MetricValue: exactly these seven members, each of its type (integers without a fraction, a value that is a number).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Item {
    pub endpoint: String,
    pub metric: String,
    pub value: f64,
    pub step: i64,
    pub counter_type: String,
    pub tags: String,
    pub timestamp: i64,
}

impl Item {
    pub fn parse_all(json: &Value) -> Vec<Item> {
        Vec::deserialize(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    /// `metric/tags counterType`: what a series is, in one line.
    pub fn series(&self) -> String {
        let tags = if self.tags.is_empty() { String::new() } else { format!("/{}", self.tags) };
        format!("{}{tags} {}", self.metric, self.counter_type)
    }
}
