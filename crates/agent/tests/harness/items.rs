//! What a transfer gets, checked for its types while it is read.

use serde_json::Value;

/// One MetricValue.
#[derive(Clone, Debug, PartialEq)]
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
    /// Fails unless it has exactly the seven members, each of its type: integers without a fraction, a value that is a
    /// number.
    pub fn parse(json: &Value) -> Item {
        let object = json.as_object().unwrap_or_else(|| panic!("not an object: {json}"));
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(names, ["counterType", "endpoint", "metric", "step", "tags", "timestamp", "value"], "{json}");
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("{name} of {json}")).to_owned();
        let integer = |name: &str| json[name].as_i64().unwrap_or_else(|| panic!("{name} of {json}"));
        Item {
            endpoint: text("endpoint"),
            metric: text("metric"),
            value: json["value"].as_f64().unwrap_or_else(|| panic!("value of {json}")),
            step: integer("step"),
            counter_type: text("counterType"),
            tags: text("tags"),
            timestamp: integer("timestamp"),
        }
    }

    pub fn parse_all(json: &Value) -> Vec<Item> {
        json.as_array().unwrap_or_else(|| panic!("not an array: {json}")).iter().map(Item::parse).collect()
    }

    /// `metric/tags counterType`: what a series is, in one line.
    pub fn series(&self) -> String {
        let tags = if self.tags.is_empty() { String::new() } else { format!("/{}", self.tags) };
        format!("{}{tags} {}", self.metric, self.counter_type)
    }
}
