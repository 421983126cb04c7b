//! The body of `POST /v1/push`, and the rules that a transfer applies to every item.
//!
//! The body decodes as Go's encoding/json decodes it: the first value must be an array of MetricValue or null, what follows
//! it is ignored, and one member of a wrong type refuses the whole. Items that no transfer would take are left out here and
//! counted by reason, so that they never make a transfer refuse a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::gojson::{self, Parser, Scalar, Token, key_is};
use crate::model::MAX_NAME;
use crate::model::{Finite, Kind, Sample, Tags};

/// Why a transfer would count an item as Invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invalid {
    Null,
    Hostname,
    NoMetric,
    NoEndpoint,
    CounterType,
    Step,
    TooLong,
    Value,
    /// Not a rule of the transfer, which takes any length: see [`MAX_ENDPOINT`].
    EndpointTooLong,
}

/// Characters of an endpoint: more than graph's index has room for. What is remembered of pushes is bounded by it.
const MAX_ENDPOINT: usize = 255;

impl Invalid {
    pub fn as_str(self) -> &'static str {
        match self {
            Invalid::Null => "the item is null",
            Invalid::Hostname => "kernel.hostname is reserved",
            Invalid::NoMetric => "metric is empty",
            Invalid::NoEndpoint => "endpoint is empty",
            Invalid::CounterType => "counterType is not GAUGE, COUNTER or DERIVE",
            Invalid::Step => "step is not positive",
            Invalid::TooLong => "metric and tags are longer than 510 bytes",
            Invalid::Value => "value is not a finite number",
            Invalid::EndpointTooLong => "endpoint is longer than 255 characters",
        }
    }
}

/// What a push brought.
#[derive(Debug, Default)]
pub struct Batch {
    pub samples: Vec<Sample>,
    pub invalid: BTreeMap<Invalid, usize>,
}

/// MetricValue as Go's zero value, then filled member by member.
#[derive(Default)]
struct Item {
    endpoint: String,
    metric: String,
    value: Option<Finite>,
    step: i64,
    counter_type: String,
    tags: String,
    timestamp: i64,
}

/// Decodes a body; `now` (Unix seconds) stamps items without a usable timestamp, as the transfer would on receipt.
pub fn decode(body: &[u8], now: i64) -> Result<Batch, gojson::Error> {
    let mut parser = Parser::new(body);
    let mut batch = Batch::default();
    parser.array(|p| {
        let checked = match p.peek()? {
            Token::Null => {
                p.skip()?;
                Err(Invalid::Null)
            }
            _ => check(item(p)?, now),
        };
        match checked {
            Ok(sample) => batch.samples.push(sample),
            Err(reason) => *batch.invalid.entry(reason).or_default() += 1,
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(batch)
}

fn item(p: &mut Parser<'_>) -> Result<Item, gojson::Error> {
    let mut item = Item::default();
    p.object(|p, key| {
        let text = |p: &mut Parser<'_>, into: &mut String| -> Result<(), gojson::Error> {
            if let Some(text) = p.string()? {
                *into = text.into_owned();
            }
            Ok(())
        };
        if key_is(key, "endpoint") {
            text(p, &mut item.endpoint)
        } else if key_is(key, "metric") {
            text(p, &mut item.metric)
        } else if key_is(key, "value") {
            item.value = match p.value()? {
                Scalar::Number(number) => Finite::new(number),
                Scalar::String(text) => number_in_text(&text),
                _ => None,
            };
            Ok(())
        } else if key_is(key, "step") {
            item.step = p.integer()?.unwrap_or(item.step);
            Ok(())
        } else if key_is(key, "counterType") {
            text(p, &mut item.counter_type)
        } else if key_is(key, "tags") {
            text(p, &mut item.tags)
        } else if key_is(key, "timestamp") {
            item.timestamp = p.integer()?.unwrap_or(item.timestamp);
            Ok(())
        } else {
            p.skip()
        }
    })?;
    Ok(item)
}

/// The transfer's checks, in its order.
fn check(item: Item, now: i64) -> Result<Sample, Invalid> {
    if item.metric == "kernel.hostname" {
        return Err(Invalid::Hostname);
    }
    if item.metric.is_empty() {
        return Err(Invalid::NoMetric);
    }
    if item.endpoint.is_empty() {
        return Err(Invalid::NoEndpoint);
    }
    let kind = Kind::parse(&item.counter_type).ok_or(Invalid::CounterType)?;
    if item.step <= 0 {
        return Err(Invalid::Step);
    }
    if item.metric.len() + item.tags.len() > MAX_NAME {
        return Err(Invalid::TooLong);
    }
    let value = item.value.ok_or(Invalid::Value)?;
    if item.endpoint.chars().nth(MAX_ENDPOINT).is_some() {
        return Err(Invalid::EndpointTooLong);
    }
    let usable = item.timestamp > 0 && item.timestamp <= now.saturating_mul(2);
    Ok(Sample {
        metric: item.metric.into(),
        tags: Tags::raw(item.tags),
        value,
        kind,
        at: if usable { item.timestamp } else { now },
        step: item.step,
        endpoint: Some(Arc::from(item.endpoint)),
    })
}

/// A number as Go's ParseFloat reads it in a string: decimal, with underscores nowhere and blanks nowhere. The words for
/// infinity and NaN, which it reads too, are no values that a graph can keep.
fn number_in_text(text: &str) -> Option<Finite> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if text.chars().all(plain) {
        return text.parse().ok().and_then(Finite::new);
    }
    hexadecimal(text).and_then(Finite::new)
}

/// Go's hexadecimal floats: `0x1.8p3`; the exponent is required.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return None;
    }
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    // At most 13 digits are 52 bits: exact.
    #[allow(clippy::cast_precision_loss)]
    let mantissa = digits as f64;
    Some(sign * mantissa * f64::from(exponent).exp2())
}

#[cfg(test)]
mod tests;
