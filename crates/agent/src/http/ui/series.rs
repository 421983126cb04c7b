//! `/ui/series`: every series with its newest value, and the declarations of those that are of this agent.
//!
//! Written by hand, as the history is: the code that serde makes for the types of such rows takes kilobytes of the executable.

use std::io::Write;
use std::sync::Arc;

use hyper::StatusCode;

use super::json;
use crate::collect;
use crate::falcon::wire;
use crate::http::Site;
use crate::http::answer::{DEFECT, Refused, Response, wants_json};
use crate::http::making::{SERIES, made};
use crate::http::routes::Asked;
use crate::hub::{Latest, Origin};
use crate::model::{Metric, Platform};

pub(super) async fn shown(site: Arc<Site>, asked: Asked) -> Response {
    let make = |site: &Site, now| {
        let own = site.identity.endpoint().unwrap_or_default();
        render(&site.hub.snapshot(now), &own, now).into()
    };
    match made(site, Some(SERIES), Box::new(make)).await {
        Some(body) => json(body),
        None => Refused::new(StatusCode::INTERNAL_SERVER_ERROR, DEFECT).answer(wants_json(asked.request.headers())),
    }
}

/// `series` in the order of names; `own` is this host's endpoint.
fn render(series: &[Latest], own: &str, now: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(series.len() * 100 + 16 * 1024);
    // To memory: nothing fails.
    let _ = write!(out, "{{\"now\":{now},\"metrics\":{{");
    let mut declared: Vec<&Metric> = Vec::new();
    for spec in collect::ALL {
        for metric in spec.metrics {
            if is(metric, series) && !declared.iter().any(|other| other.name == metric.name) {
                declared.push(metric);
            }
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
        row(latest, own, &mut out);
    }
    out.extend_from_slice(b"]}");
    out
}

/// Whether it is one of these series.
fn is(metric: &Metric, series: &[Latest]) -> bool {
    metric.on.includes(Platform::CURRENT)
        && series.binary_search_by(|latest| latest.sample.metric.as_ref().cmp(metric.name)).is_ok()
}

fn row(latest: &Latest, own: &str, out: &mut Vec<u8>) {
    let Latest { sample, origin, id, .. } = latest;
    let _ = write!(out, "[{id},");
    wire::string(&sample.metric, out);
    out.push(b',');
    wire::string(&latest.shown_tags(), out);
    out.push(b',');
    wire::number(sample.value.get(), out);
    let _ = write!(out, ",\"{}\",{},{},", sample.kind.as_str(), sample.at, sample.step);
    let endpoint = sample.endpoint.as_deref().unwrap_or_default();
    let from = match origin {
        Origin::Collected => "",
        Origin::Plugin if endpoint.is_empty() || endpoint == own => "plugin",
        Origin::Plugin => "plugin ",
        Origin::Pushed if endpoint.is_empty() => "push",
        Origin::Pushed => "push ",
    };
    let named = if from.ends_with(' ') { endpoint } else { "" };
    wire::string(&[from, named].concat(), out);
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
