//! `/ui/series`: every series with its newest value, and the declarations of those that are of this agent.
//!
//! Written by hand: a host may have 10,000 series, and a tree of JSON values would take ten times what it says.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::json;
use crate::clock;
use crate::collect;
use crate::falcon::wire;
use crate::http::Site;
use crate::http::answer::Response;
use crate::hub::{Latest, Origin};
use crate::model::{Metric, Platform};

/// The answer of this second: many who look share one, also in memory.
#[derive(Debug, Default)]
pub struct Cache(Mutex<(i64, Bytes)>);

impl Cache {
    pub(in crate::http) fn get<T: Into<Bytes>>(&self, now: i64, render: impl FnOnce() -> T) -> Bytes {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.0 != now || cached.1.is_empty() {
            *cached = (now, render().into());
        }
        cached.1.clone()
    }
}

pub(super) fn shown(site: &Site) -> Response {
    let now = clock::unix_s();
    json(site.series.get(now, || render(&site.hub.snapshot(now), now)))
}

/// `series` in the order of names.
fn render(series: &[Latest], now: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(series.len() * 100 + 16 * 1024);
    // To memory: nothing fails.
    let _ = write!(out, "{{\"now\":{now},\"metrics\":{{");
    let mut declared: Vec<&Metric> = Vec::new();
    for metric in collect::ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| is(metric, series)) {
        if !declared.iter().any(|other| other.name == metric.name) {
            declared.push(metric);
        }
    }
    for (n, metric) in declared.into_iter().enumerate() {
        separate(n, &mut out);
        wire::string(metric.name, &mut out);
        out.push(b':');
        texts(&[metric.unit, metric.source, metric.help], &mut out);
    }
    out.extend_from_slice(b"},\"series\":[");
    for (n, latest) in series.iter().enumerate() {
        separate(n, &mut out);
        row(latest, &mut out);
    }
    out.extend_from_slice(b"]}");
    out
}

/// Whether it is one of these series.
fn is(metric: &Metric, series: &[Latest]) -> bool {
    metric.on.includes(Platform::CURRENT)
        && series.binary_search_by(|latest| latest.sample.metric.as_ref().cmp(metric.name)).is_ok()
}

fn row(latest: &Latest, out: &mut Vec<u8>) {
    let Latest { sample, origin, id, .. } = latest;
    let _ = write!(out, "[{id},");
    wire::string(&sample.metric, out);
    out.push(b',');
    wire::string(&latest.shown_tags(), out);
    out.push(b',');
    wire::number(sample.value.get(), out);
    let _ = write!(out, ",\"{}\",{},{},", sample.kind.as_str(), sample.at, sample.step);
    match (origin, &sample.endpoint) {
        (Origin::Collected, _) => wire::string("", out),
        (Origin::Plugin, _) => wire::string("plugin", out),
        (Origin::Pushed, None) => wire::string("push", out),
        (Origin::Pushed, Some(endpoint)) => wire::string(&["push ", endpoint].concat(), out),
    }
    out.push(b']');
}

fn texts(texts: &[&str], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, text) in texts.iter().enumerate() {
        separate(n, out);
        wire::string(text, out);
    }
    out.push(b']');
}

/// Before the `n`th of a list.
pub(super) fn separate(n: usize, out: &mut Vec<u8>) {
    if n > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_made_once_a_second() {
        let cache = Cache::default();
        assert_eq!(cache.get(7, || "a"), "a");
        assert_eq!(cache.get(7, || "b"), "a");
        assert_eq!(cache.get(8, || "c"), "c");
    }
}
