//! `/`: a plain table of every series with its newest value.

use std::fmt::Write;

use hyper::StatusCode;
use hyper::header;

use super::Site;
use super::answer::{Response, answer};
use crate::clock;
use crate::falcon::wire;
use crate::hub::{Latest, Origin};

const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}\
h1{font-size:1.2em;margin:0}p{margin:.3em 0 1em;color:#666}\
table{border-collapse:collapse}th{text-align:left;border-bottom:1px solid #999}\
th,td{padding:.1em 1.2em .1em 0}td:nth-child(3),td:nth-child(5){text-align:right;font-variant-numeric:tabular-nums}\
tr:hover{background:#f2f5f8}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}p{color:#999}tr:hover{background:#252a30}}";

pub(super) fn page(site: &Site) -> Response {
    let now = clock::unix_s();
    let html = site.page.get(now, || {
        let endpoint = site.identity.endpoint().unwrap_or_else(|error| format!("no name: {error}"));
        render(&endpoint, &summary(site), &site.hub.snapshot(now), now)
    });
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    answer(StatusCode::OK, &headers, html)
}

fn summary(site: &Site) -> String {
    let (version, stats) = (&site.identity.version, &site.stats);
    let transfers: Vec<String> = site.transfers.states().into_iter().map(|state| state.addr).collect();
    let mut text = if transfers.is_empty() {
        format!("falcon-agent {version}; no transfer is configured, points are only shown here")
    } else {
        format!(
            "falcon-agent {version}; transfer {}: {} points sent, {} waiting, {} dropped, {} invalid",
            transfers.join(", "),
            stats.sent.get(),
            stats.queued.get(),
            stats.lost_in_all(),
            stats.invalid.get()
        )
    };
    let left_out = stats.snapshot_full.get();
    if left_out > 0 {
        let _ = write!(text, "; {left_out} points of further series are not shown, there are too many");
    }
    text
}

fn render(endpoint: &str, summary: &str, series: &[Latest], now: i64) -> String {
    let mut html = String::with_capacity(series.len() * 160 + 1024);
    let (endpoint, summary) = (escape(endpoint), escape(summary));
    let _ = write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{endpoint} - falcon-agent</title><style>{STYLE}</style></head><body>\
         <h1>{endpoint}</h1><p>{summary}; {} series</p>\
         <table><thead><tr><th>metric</th><th>tags</th><th>value</th><th>type</th><th>age, s</th><th>from</th></tr></thead>\
         <tbody>",
        series.len()
    );
    for latest in series {
        let Latest { sample, origin, .. } = latest;
        let mut value = Vec::new();
        wire::number(sample.value.get(), &mut value);
        let from = match (origin, &sample.endpoint) {
            (Origin::Collected, _) => "this agent".to_owned(),
            (Origin::Pushed, Some(endpoint)) => format!("push, {}", escape(endpoint)),
            (Origin::Pushed, None) => "push".to_owned(),
            (Origin::Plugin, _) => "plugin".to_owned(),
        };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{from}</td></tr>",
            escape(&sample.metric),
            escape(&latest.shown_tags()),
            String::from_utf8_lossy(&value),
            sample.kind.as_str(),
            now - sample.at
        );
    }
    html.push_str("</tbody></table></body></html>\n");
    html
}

/// Names come from adapters and from whoever pushes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn names_from_outside_are_escaped() {
        let mut sample = sample("<script>alert(1)</script>", "a=\"><img src=x>\u{0}", 1.5, 60);
        sample.endpoint = Some("e<b>".into());
        let html = render("h&<", "s", &[Latest { sample, origin: Origin::Pushed, seen: 75, id: 0 }], 75);
        assert!(!html.contains("<script>") && !html.contains("<img") && !html.contains("e<b>") && !html.contains('\0'));
        assert!(html.contains("<td>1.5</td><td>GAUGE</td><td>15</td><td>push, e&lt;b&gt;</td>"), "{html}");
        assert!(html.contains("<h1>h&amp;&lt;</h1>"));
    }
}
