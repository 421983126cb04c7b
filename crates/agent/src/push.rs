//! The body of `POST /v1/push`, and the rules that a transfer applies to every item.
//!
//! The body decodes as Go's encoding/json decodes it: the first value must be an array of MetricValue or null, what follows
//! it is ignored, and one member of a wrong type refuses the whole. Items that no transfer would take are left out here and
//! counted by reason, so that they never make a transfer refuse a batch; what a transfer takes and a graph then loses is
//! taken as well, and told.
//!
//! A batch is bounded by [`Rules::items`], and what is remembered of refused items by [`MAX_REFUSED`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
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
    /// With `default_tags`, which every item gets.
    TooLongWithDefaults,
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
            Invalid::TooLongWithDefaults => "metric and tags are longer than 510 bytes with default_tags",
            Invalid::Value => "value is not a finite number",
            Invalid::EndpointTooLong => "endpoint is longer than 255 characters",
        }
    }
}

/// Refused items that are named one by one.
pub const MAX_REFUSED: usize = 1000;
/// Characters of a name in the log.
const MAX_SHOWN: usize = 64;
/// Transfers raise smaller steps to this one (`MinStep`), and take the points in between for duplicates.
const MIN_STEP_S: i64 = 30;
/// Clocks of one network differ by less.
const AHEAD_S: i64 = 60;

/// What a push is held to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Unix seconds; stamps items without a usable timestamp, as the transfer would on receipt.
    pub now: i64,
    /// Items of the array, null and refused ones included.
    pub items: usize,
    /// Bytes that `default_tags` add to the tags of an item that has some.
    pub default_tags: usize,
}

/// See [`Rules::default_tags`].
pub fn default_tags(config: &Config) -> usize {
    config.default_tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum()
}

/// Why nothing of a body is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Json(#[from] gojson::Error),
    #[error("more than {0} items")]
    TooMany(usize),
}

/// What a push brought.
#[derive(Debug, Default)]
pub struct Batch {
    pub samples: Vec<Sample>,
    pub invalid: BTreeMap<Invalid, Left>,
    /// The first [`MAX_REFUSED`] refused items: their place in the array and why.
    pub refused: Vec<(usize, Invalid)>,
    /// Points that are taken, of steps that transfers raise.
    pub small_steps: usize,
    /// Points that are taken, with stamps more than a minute ahead: until then servers drop every other point of the series.
    pub future: usize,
}

/// Items that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub count: usize,
    /// The place of the first of them in the array.
    pub index: usize,
    /// Its `endpoint/metric`, fit for a log.
    pub name: String,
}

impl Batch {
    /// Items that were left out.
    pub fn refused_total(&self) -> usize {
        self.invalid.values().map(|left| left.count).sum()
    }

    fn leave_out(&mut self, index: usize, reason: Invalid, item: &Item) {
        if self.refused.len() < MAX_REFUSED {
            self.refused.push((index, reason));
        }
        let first = || Left { count: 0, index, name: format!("{}/{}", shown(&item.endpoint), shown(&item.metric)) };
        self.invalid.entry(reason).or_insert_with(first).count += 1;
    }
}

/// The beginning of a foreign text, on one line.
fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
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

/// Decodes a body.
///
/// # Errors
/// It is not what Go decodes, or longer than [`Rules::items`].
pub fn decode(body: &[u8], rules: &Rules) -> Result<Batch, Refusal> {
    read(&mut Parser::new(body), rules)
}

/// Decodes what a plugin has printed: as Go's Unmarshal, which takes nothing behind the array.
///
/// # Errors
/// Those of [`decode`], and where something follows.
pub fn decode_whole(printed: &[u8], rules: &Rules) -> Result<Batch, Refusal> {
    let mut parser = Parser::new(printed);
    let batch = read(&mut parser, rules)?;
    parser.end()?;
    Ok(batch)
}

fn read(parser: &mut Parser<'_>, rules: &Rules) -> Result<Batch, Refusal> {
    let mut batch = Batch::default();
    let mut index = 0;
    parser.array(|p| {
        if index >= rules.items {
            return Err(Refusal::TooMany(rules.items));
        }
        if p.peek()? == Token::Null {
            p.skip()?;
            batch.leave_out(index, Invalid::Null, &Item::default());
        } else {
            let item = item(p)?;
            match check(&item, rules) {
                Ok((kind, value)) => batch.take(item, kind, value, rules.now),
                Err(reason) => batch.leave_out(index, reason, &item),
            }
        }
        index += 1;
        Ok(())
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
fn check(item: &Item, rules: &Rules) -> Result<(Kind, Finite), Invalid> {
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
    let name = item.metric.len() + item.tags.len();
    if name > MAX_NAME {
        return Err(Invalid::TooLong);
    }
    // The comma between the two stands only where there are both.
    let added = if item.tags.is_empty() { rules.default_tags.saturating_sub(1) } else { rules.default_tags };
    if name + added > MAX_NAME {
        return Err(Invalid::TooLongWithDefaults);
    }
    let value = item.value.ok_or(Invalid::Value)?;
    if item.endpoint.chars().nth(MAX_ENDPOINT).is_some() {
        return Err(Invalid::EndpointTooLong);
    }
    Ok((kind, value))
}

impl Batch {
    fn take(&mut self, item: Item, kind: Kind, value: Finite, now: i64) {
        let usable = item.timestamp > 0 && item.timestamp <= now.saturating_mul(2);
        let at = if usable { item.timestamp } else { now };
        self.small_steps += usize::from(item.step < MIN_STEP_S);
        self.future += usize::from(at > now.saturating_add(AHEAD_S));
        // One program pushes for one endpoint, most of the time.
        let endpoint = match self.samples.last().and_then(|last| last.endpoint.as_ref()) {
            Some(same) if **same == *item.endpoint => same.clone(),
            _ => Arc::from(item.endpoint),
        };
        self.samples.push(Sample {
            metric: item.metric.into(),
            tags: Tags::raw(item.tags),
            value,
            kind,
            at,
            step: item.step,
            endpoint: Some(endpoint),
        });
    }
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
