//! What the page asks for.

use serde_json::{Value, json};

use super::*;
use crate::clock;
use crate::hub::history::HistoryFacts;

fn item(metric: &str, value: f64, kind: &str, at: i64) -> String {
    let item = json!({
        "endpoint": "e", "metric": metric, "value": value, "step": 60, "counterType": kind, "tags": "k=v", "timestamp": at,
    });
    item.to_string()
}

/// The row of a metric in `/ui/series`, and the whole answer: the first that has it, for one answer serves for a second.
async fn row(server: &Server, metric: &str) -> (Value, Value) {
    loop {
        let answer = server.get("/ui/series").await;
        assert_eq!(
            (header(&answer, "cache-control"), header(&answer, "x-content-type-options")),
            (Some("no-store"), Some("nosniff"))
        );
        let answer = parsed(&answer);
        let rows = answer["series"].as_array().expect("a list");
        if let Some(row) = rows.iter().find(|row| row[1] == metric) {
            return (row.clone(), answer);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_series_is_shown_with_its_newest_value_and_what_is_declared_of_it() {
    let server = server().await;
    let now = clock::unix_s();
    let hostile = "<b>\"\u{1}";
    server.push(&format!("[{},{}]", item("cpu.idle", 1.5, "GAUGE", now), item(hostile, 7.0, "COUNTER", now))).await;
    let mut samples = vec![crate::model::sample("b", "", -0.5, now)];
    server.site.hub.push_as(crate::hub::Origin::Plugin, samples.clone(), now).await.expect("room");
    samples[0].metric = "a".into();
    server.site.hub.ingest(samples, now);
    let (row, answer) = row(&server, "a").await;
    assert_eq!(row, json!([3, "a", "", -0.5, "GAUGE", now, 60, ""]));
    let rows = answer["series"].as_array().expect("a list");
    let own = |n: u64| rows.iter().find(|row| row[0] == n).expect("a row");
    assert_eq!(rows.len(), 4);
    assert_eq!(own(0), &json!([0, "cpu.idle", "k=v", 1.5, "GAUGE", now, 60, "push e"]));
    assert_eq!(own(1), &json!([1, hostile, "k=v", 7, "COUNTER", now, 60, "push e"]));
    assert_eq!(own(2), &json!([2, "b", "", -0.5, "GAUGE", now, 60, "plugin"]));
    assert_eq!(answer["metrics"].as_object().map(serde_json::Map::len), Some(1), "{answer}");
    assert_eq!(
        (&answer["metrics"]["cpu.idle"][0], answer["metrics"]["cpu.idle"].as_array().map(Vec::len)),
        (&json!("%"), Some(3))
    );
}

/// Everybody may look at the page; the password of a URL that hbs assigns stood in it.
#[tokio::test]
async fn the_login_of_an_assigned_url_is_not_shown() {
    let server = server().await;
    let now = clock::unix_s();
    server
        .site
        .hub
        .ingest(vec![crate::model::sample("url.check.health", "url=http://u:secret@h/x,timeout=5", 1.0, now)], now);
    let (row, _) = row(&server, "url.check.health").await;
    assert_eq!(row[2], "url=http://******@h/x,timeout=5");
}

#[tokio::test]
async fn what_a_series_said_is_shown_in_the_order_of_time() {
    let server = server().await;
    let now = clock::unix_s();
    for (at, value) in [(now - 120, 1.0), (now - 60, 2.5), (now - 180, -3.0)] {
        server.push(&format!("[{},{}]", item("x", value, "GAUGE", at), item("y", value * 2.0, "COUNTER", at))).await;
    }
    let id = row(&server, "x").await.0[0].clone();
    let answer = server.get(&format!("/ui/history?id={id},77")).await;
    assert_eq!(
        (header(&answer, "cache-control"), header(&answer, "x-content-type-options")),
        (Some("no-store"), Some("nosniff"))
    );
    let points = json!([[now - 180, now - 120, now - 60], [-3, 1, 2.5]]);
    assert_eq!(parsed(&answer), json!({ "from": now - 180, "series": { id.to_string(): points } }));
    let later = parsed(&server.get(&format!("/ui/history?from={}&id={id}", now - 60)).await);
    assert_eq!(later["series"][id.to_string()], json!([[now - 60], [2.5]]));
    let facts = server.site.hub.history_facts();
    assert_eq!((facts.max_bytes, facts.from, facts.series, facts.points), (1 << 20, Some(now - 180), 2, 6));
    assert!(facts.bytes > 0 && facts.bytes <= facts.max_bytes);
}

#[tokio::test]
async fn a_bad_query_is_told_what_is_wrong_with_it() {
    let server = server().await;
    for query in ["", "?", "?id=", "?id=a", "?id=1&from=x", "?id=1&to=2"] {
        let answer = server.get(&format!("/ui/history{query}")).await;
        assert_eq!(status(&answer), 400, "{query}: {answer}");
        let answer = server.get_with(&format!("/ui/history{query}"), JSON).await;
        assert!(parsed(&answer)["msg"].is_string(), "{answer}");
    }
    assert_eq!(parsed(&server.get("/ui/history?id=1").await), json!({ "from": null, "series": {} }));
}

#[tokio::test]
async fn without_room_for_a_history_none_is_kept() {
    let server = server_with(|config| config.http.history_kb = 0).await;
    server.push(&format!("[{}]", item("x", 1.0, "GAUGE", clock::unix_s()))).await;
    let facts = server.site.hub.history_facts();
    assert_eq!(facts, HistoryFacts { series: 1, ..HistoryFacts::default() });
    assert_eq!(parsed(&server.get("/ui/history?id=0").await), json!({ "from": null, "series": { "0": [[], []] } }));
}

/// The page of a host of many series is asked for every few seconds by everybody who looks.
#[tokio::test]
async fn ten_thousand_series_are_shown() {
    let server = server().await;
    let now = clock::unix_s();
    let samples = (0..10_000).map(|n| crate::model::sample(&format!("m{n:05}"), "", 1.0, now)).collect();
    server.site.hub.push(samples, now).await.expect("room");
    let (_, answer) = row(&server, "m09999").await;
    assert_eq!(answer["series"].as_array().map(Vec::len), Some(10_000));
}
