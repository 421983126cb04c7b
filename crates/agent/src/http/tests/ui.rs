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
    let own_endpoint = server.site.identity.endpoint().expect("a name");
    let hostile = "<b>\"\u{1}";
    server.push(&format!("[{},{}]", item("cpu.idle", 1.5, "GAUGE", now), item(hostile, 7.0, "COUNTER", now))).await;
    let mut samples = vec![crate::model::sample("b", "", -0.5, now)];
    for endpoint in [own_endpoint.as_str(), "switch7"] {
        samples[0].endpoint = Some(endpoint.into());
        server.site.hub.push_as(crate::hub::Origin::Plugin, samples.clone(), now).await.expect("room");
    }
    (samples[0].metric, samples[0].endpoint) = ("a".into(), None);
    server.site.hub.ingest(samples, now);
    let (row, answer) = row(&server, "a").await;
    let first = row[0].as_u64().expect("a number") - 4;
    assert_eq!(row, json!([first + 4, "a", "", -0.5, "GAUGE", now, 60, ""]));
    let rows = answer["series"].as_array().expect("a list");
    let own = |n: u64| rows.iter().find(|row| row[0] == first + n).expect("a row");
    assert_eq!(rows.len(), 5);
    assert_eq!(own(0), &json!([first, "cpu.idle", "k=v", 1.5, "GAUGE", now, 60, "push e"]));
    assert_eq!(own(1), &json!([first + 1, hostile, "k=v", 7, "COUNTER", now, 60, "push e"]));
    assert_eq!(own(2), &json!([first + 2, "b", "", -0.5, "GAUGE", now, 60, "plugin"]));
    // A plugin that reports for a switch.
    assert_eq!(own(3), &json!([first + 3, "b", "", -0.5, "GAUGE", now, 60, "plugin switch7"]));
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
    assert_eq!(parsed(&answer), json!({ "from": parsed(&answer)["from"], "series": { id.to_string(): points } }));
    let later = parsed(&server.get(&format!("/ui/history?from={}&id={id}", now - 60)).await);
    assert_eq!(later["series"][id.to_string()], json!([[now - 60], [2.5]]));
    let facts = server.site.hub.history_facts();
    assert_eq!((facts.max_bytes, facts.series, facts.points), (1 << 20, 2, 6));
    assert!(facts.from.is_some_and(|from| from >= now), "when the first came in");
    assert_eq!(json!(facts.from), parsed(&answer)["from"]);
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
    let id = row(&server, "x").await.0[0].clone();
    let answer = parsed(&server.get(&format!("/ui/history?id={id}")).await);
    assert_eq!(answer, json!({ "from": null, "series": { id.to_string(): [[], []] } }));
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

/// One look at a host of many series left megabytes in memory for as long as nobody looked again.
#[tokio::test]
async fn what_many_ask_for_is_made_once_a_second_and_then_forgotten() {
    let server = server().await;
    let ask = |place, text: &'static str| {
        making::made(server.site.clone(), place, Box::new(move |_, now| format!("{text} {now}").into()))
    };
    let (first, second) = loop {
        let (first, second) = (ask(Some(0), "a").await.expect("made"), ask(Some(0), "b").await.expect("made"));
        // Else another second began between them.
        if first.slice(2..) == second.slice(2..) {
            break (first, second);
        }
    };
    assert_eq!(first, second, "for the same second the same");
    assert!(ask(Some(4), "c").await.expect("made").starts_with(b"c"), "another place");
    assert!(ask(None, "d").await.expect("made").starts_with(b"d"), "without a place always anew");
    let forgotten = async {
        while server.site.making.lock().await.second.is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), forgotten).await.expect("forgotten");
    let failed = making::made(server.site.clone(), Some(1), Box::new(|_, _| panic!("a defect"))).await;
    assert!(failed.is_none() && ask(Some(1), "e").await.is_some(), "one failure is no other's");
}
