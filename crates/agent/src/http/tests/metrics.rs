//! `/metrics`: what is in it, and in which form.

use super::*;
use crate::clock;
use crate::config::Secret;
use crate::exposition::Format;
use crate::exposition::tests::reader::{Read, read};
use crate::model::{Kind, Sample, sample};

const OPEN: &str = "Host: h\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";
const PUSH: &str = r#"[{"endpoint":"h","metric":"jobs","value":1,"step":60,"counterType":"GAUGE","tags":"q=a\"b","timestamp":0},
    {"endpoint":"other","metric":"jobs","value":2,"step":60,"counterType":"GAUGE","tags":"","timestamp":0}]"#;

fn families(answer: &str) -> std::collections::BTreeMap<String, Read> {
    assert_eq!(status(answer), 200, "{answer}");
    assert_eq!(header(answer, "content-type"), Some(Format::Text.content_type()));
    read(body(answer), Format::Text)
}

#[tokio::test]
async fn the_form_is_by_accept() {
    let server = server().await;
    let text = server.get("/metrics").await;
    let found = families(&text);
    assert_eq!(found["falcon_agent_transfer_sent_total"].kind, "counter");
    assert_eq!((header(&text, "vary"), header(&text, "cache-control")), (Some("Accept"), Some("no-store")));
    let open = server.get_with("/metrics", OPEN).await;
    assert_eq!(header(&open, "content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(read(body(&open), Format::OpenMetrics)["falcon_agent_transfer_sent"].kind, "counter");
}

#[tokio::test]
async fn pushes_are_there_on_request_and_what_is_asked_otherwise_is_refused() {
    let server = server().await;
    server.push(PUSH).await;
    assert!(!families(&server.get("/metrics").await).contains_key("falcon_jobs"));
    assert!(!families(&server.get("/metrics?pushed=0&x=y").await).contains_key("falcon_jobs"));
    let jobs = &families(&server.get("/metrics?x=y&pushed=1").await)["falcon_jobs"].samples;
    let labels: Vec<_> = jobs.iter().map(|(_, labels, value)| (labels.iter().next().unwrap(), *value)).collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let (other, own) = (pair("endpoint", "other"), pair("q", "a\"b"));
    assert_eq!(labels, [((&other.0, &other.1), 2.0), ((&own.0, &own.1), 1.0)]);
    let refused = server.get("/metrics?pushed=yes").await;
    assert_eq!((status(&refused), body(&refused)), (400, "pushed=\"yes\": it is 1 or true, 0 or false\n"));
}

/// Of the agent itself everything is there, whatever `collector.names` says: it is counted anyway.
#[tokio::test]
async fn a_scrape_shows_what_was_collected() {
    let server = server_with(|config| _ = config.default_tags.insert("idc".to_owned(), "bj".to_owned())).await;
    let now = clock::unix_s();
    let of = |metric: &'static str, kind, value| Sample { kind, ..sample(metric, "", value, now) };
    let samples = vec![
        of("cpu.idle", Kind::Gauge, 97.5),
        of("net.if.in.bytes", Kind::Counter, 7.0),
        // As it was at the last cycle.
        of("agent.transfer.sent", Kind::Counter, 3.0),
    ];
    server.site.hub.ingest(samples, now);
    server.stats.sent.set(5);
    for _ in 0..3 {
        let found = families(&server.get("/metrics").await);
        let value = |family: &str| (found[family].samples[0].1["idc"].clone(), found[family].samples[0].2);
        assert_eq!(value("falcon_cpu_idle_percent"), ("bj".to_owned(), 97.5));
        assert_eq!(value("falcon_net_if_in_bytes_total"), ("bj".to_owned(), 7.0));
        assert_eq!(value("falcon_agent_transfer_sent_total"), ("bj".to_owned(), 5.0));
        assert_eq!(found["falcon_agent_points_dropped_total"].samples.len(), 8);
        assert_eq!(found["falcon_agent_metrics_left_out"].samples[0].2, 0.0);
    }
}

/// A mount that was gone stood in the text with its last value until it was forgotten, an hour later.
#[tokio::test]
async fn what_is_no_longer_said_is_no_longer_shown() {
    let server = server().await;
    let now = clock::unix_s();
    for (metric, age) in [("cpu.idle", 0), ("cpu.user", 140), ("cpu.busy", 160)] {
        server.site.hub.ingest(vec![sample(metric, "", 1.0, now - age)], now - age);
    }
    let found = families(&server.get("/metrics").await);
    let cpu: Vec<&String> = found.keys().filter(|family| family.contains("_cpu_")).collect();
    assert_eq!(cpu, ["falcon_cpu_idle_percent", "falcon_cpu_user_percent"]);
}

#[tokio::test]
async fn who_may_see_it_are_those_who_may_see_the_page() {
    let server = server_with(|config| config.http.token = Secret::new("correct-horse-battery".to_owned())).await;
    assert_eq!(status(&server.get("/metrics").await), 401);
    let bearer = "Host: h\r\nAuthorization: Bearer correct-horse-battery\r\n";
    assert_eq!(status(&server.get_with("/metrics", bearer).await), 200);
    let foreign = format!("{bearer}Origin: http://evil.example\r\n");
    assert_eq!(status(&server.get_with("/metrics", &foreign).await), 403);
}
