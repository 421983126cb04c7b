//! `/metrics`: the newest value of every series, as Prometheus reads it.
//!
//! A request collects nothing: it shows what the hub has, and of `agent.*` what is counted at this moment. What a source no longer
//! says is left out after two and a half of its steps, so that Prometheus sees it end.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use super::Site;
use super::answer::{DEFECT, Refused, Response, answer, listed, wants_json};
use super::making::made;
use super::routes::Asked;
use crate::collect::agent::Figures;
use crate::exposition::{Exposition, Format};
use crate::hub::{Latest, Origin};
use crate::model::{Finite, Platform, Sample};

/// Beside the steps: a cycle takes its time.
const LATE_S: i64 = 5;

pub(super) async fn text(site: Arc<Site>, asked: Asked) -> Response {
    let request = &asked.request;
    let refused = |status, why: &str| Refused::new(status, why).answer(wants_json(request.headers()));
    let pushed = match pushed(request.uri().query().unwrap_or_default()) {
        Ok(pushed) => pushed,
        Err(value) => {
            return refused(StatusCode::BAD_REQUEST, &format!("pushed={value:?}: it is 1 or true, 0 or false"));
        }
    };
    let format = negotiated(request.headers());
    let place = usize::from(pushed) * 2 + usize::from(format == Format::OpenMetrics);
    let made = made(site, Some(place), Box::new(move |site, now| render(site, format, pushed, now).into()));
    let Some(text) = made.await else { return refused(StatusCode::INTERNAL_SERVER_ERROR, DEFECT) };
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    answer(StatusCode::OK, &headers, text)
}

fn render(site: &Site, format: Format, pushed: bool, now: i64) -> String {
    let own = site.identity.endpoint().unwrap_or_default();
    let mut text = Exposition::new(Platform::CURRENT, &own, format);
    let mut counted: Vec<&'static str> = Vec::new();
    let figures = Figures::new(site.hub.queue().is_some(), site.plugins.is_some());
    figures.tell(&site.stats, &mut |metric, tags, value| {
        let Some(value) = Finite::new(value) else { return };
        let tags = tags.clone().with_defaults(site.hub.default_tags());
        let metric_name = metric.name;
        counted.push(metric_name);
        text.add(&Sample {
            metric: metric_name.into(),
            tags,
            value,
            kind: metric.kind,
            at: now,
            step: 60,
            endpoint: None,
        });
    });
    let is_shown =
        |latest: &Latest, origin: bool| (latest.origin == Origin::Collected) == origin && !is_old(latest, now);
    // What was collected is there first: no push takes the place of it.
    let own = site.hub.snapshot_of(&|latest| is_shown(latest, true), now);
    own.iter().filter(|latest| !counted.contains(&latest.sample.metric.as_ref())).for_each(|it| text.add(&it.sample));
    if pushed {
        let pushed = site.hub.snapshot_of(&|latest| is_shown(latest, false), now);
        pushed.iter().for_each(|latest| text.add(&latest.sample));
    }
    text.text()
}

fn is_old(latest: &Latest, now: i64) -> bool {
    let steps = latest.sample.step.saturating_mul(5) / 2;
    now.saturating_sub(latest.seen) > steps.saturating_add(LATE_S)
}

/// Whether the query asks for pushes; other parameters are other people's.
fn pushed(query: &str) -> Result<bool, &str> {
    let mut value = query.split('&').filter_map(|part| match part.split_once('=') {
        Some(("pushed", value)) => Some(value),
        _ => (part == "pushed").then_some(""),
    });
    match value.next_back() {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(other) => Err(other),
    }
}

/// By the weights of `Accept`: OpenMetrics where it is named and wanted more than text, or as much as anything; else text.
fn negotiated(headers: &HeaderMap) -> Format {
    // How near a range names the text, and its weight.
    let (mut text, mut open): ((u8, f32), f32) = ((0, 0.0), 0.0);
    for range in listed(headers, header::ACCEPT) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let (mut weight, mut version) = (1.0, None);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                key if key.eq_ignore_ascii_case("q") => {
                    weight = value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0);
                }
                key if key.eq_ignore_ascii_case("version") => version = Some(value),
                _ => {}
            }
        }
        let near = match name.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                open = f32::max(open, weight);
                continue;
            }
            "text/plain" if version == Some("0.0.4") => 4,
            "text/plain" if version.is_none() => 3,
            "text/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        if near >= text.0 {
            text = (near, weight);
        }
    }
    let named = text.0 > 2;
    if open > 0.0 && (open > text.1 || !named && open >= text.1) { Format::OpenMetrics } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_format_is_what_accept_wants_most() {
        let of = |lines: &[&'static str]| {
            negotiated(&lines.iter().map(|line| (header::ACCEPT, HeaderValue::from_static(line))).collect())
        };
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for open in [
            &[prometheus][..],
            &["application/openmetrics-text"],
            &["Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.1"],
            &["text/plain;q=0.5", "application/openmetrics-text;q=0.6"],
            &["application/openmetrics-text, */*"],
            &["text/plain;q=0.2, text/*;q=0.9, application/openmetrics-text;q=0.3"],
        ] {
            assert_eq!(of(open), Format::OpenMetrics, "{open:?}");
        }
        for text in [
            &[][..],
            &[""],
            &["*/*"],
            &["text/html"],
            &["application/*"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=x"],
            &["application/openmetrics-text;q=NaN"],
            &["application/openmetrics-text;version=2.0.0"],
            &["application/openmetrics-text;version=0.0.1,text/plain;q=0.1"],
            &["application/openmetrics-text, text/plain"],
            &["application/openmetrics-text;q=0.5, */*"],
            &["application/openmetrics-text-x"],
        ] {
            assert_eq!(of(text), Format::Text, "{text:?}");
        }
    }

    #[test]
    fn pushes_are_asked_for_by_a_parameter() {
        for (query, wanted) in [
            ("", Ok(false)),
            ("pushed=1", Ok(true)),
            ("a=b&pushed=true", Ok(true)),
            ("pushed=1&pushed=0", Ok(false)),
            ("pushed=false", Ok(false)),
            ("unpushed=1&collect[]=cpu", Ok(false)),
            ("pushed", Err("")),
            ("pushed=yes", Err("yes")),
        ] {
            assert_eq!(pushed(query), wanted, "{query}");
        }
    }
}
