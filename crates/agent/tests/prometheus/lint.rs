//! `promtool check metrics`: parses a text and complains about names.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use falcon_agent::collect;
use falcon_agent::exposition::{Exposition, Format};
use falcon_agent::model::{Finite, Kind, Platform, Sample, Tags};
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::http;
use crate::harness::process::{self, Process};
use crate::program;

/// What promtool says of a text: nothing.
fn assert_clean(text: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("metrics");
    fs::write(&file, text).expect("writable");
    let mut command = Command::new(program("promtool"));
    command.args(["check", "metrics"]);
    let ended = Process::start_with(command, fs::File::open(file).expect("readable")).wait();
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
}

#[test]
fn no_declared_name_of_either_platform_is_complained_of() {
    for platform in [Platform::Linux, Platform::Windows] {
        let mut text = Exposition::new(platform, "h", Format::Text);
        let mut said = BTreeSet::new();
        let all = collect::ALL.iter().flat_map(|spec| spec.metrics);
        for (metric, value) in all.filter(|metric| said.insert((metric.name, metric.kind))).zip(1_u32..) {
            let pairs: Vec<(&str, &str)> = metric.tags.iter().map(|key| (*key, "C: \"x\"\\")).collect();
            text.add(&Sample {
                metric: metric.name.into(),
                tags: Tags::of(&pairs),
                value: Finite::new(f64::from(value) + 0.1).expect("finite"),
                kind: metric.kind,
                at: 60,
                step: 60,
                endpoint: None,
            });
        }
        let text = text.text();
        assert!(said.len() > 700 && text.contains("\nfalcon_agent_metrics_left_out 0\n"), "{}", said.len());
        assert_eq!(text.matches("# TYPE").count(), said.len() + 1);
        assert_clean(text.as_bytes());
    }
}

/// promtool itself finds fault where there is one.
#[test]
fn a_name_that_is_wrong_is_complained_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("metrics");
    fs::write(&file, "# HELP a_ms x\n# TYPE a_ms counter\na_ms 1\n").expect("writable");
    let mut command = Command::new(program("promtool"));
    command.args(["check", "metrics"]);
    let ended = Process::start_with(command, fs::File::open(file).expect("readable")).wait();
    assert!(ended.code != Some(0) && ended.err.contains("abbreviated") && ended.err.contains("_total"), "{ended:?}");
}

#[test]
fn what_the_executable_says_is_clean_whatever_was_pushed() {
    let agent = Agent::start(&json!({ "hostname": "web1", "heartbeat": { "enabled": false } }));
    let body = agent.wait("a cycle", || {
        let answer = http::get(agent.http, "/metrics").ok()?;
        answer.text().contains("\nfalcon_agent_alive 1\n").then_some(answer)
    });
    assert_eq!(body.header("content-type"), Some(Format::Text.content_type()));
    assert_clean(&body.body);
    let names = [
        "app.latency.ms",
        "a_total",
        "b.count",
        "x.sum",
        "y.bucket",
        "z.info",
        "w.created",
        "kilobytes",
        "days",
        "a.gauge.b",
        "my histogram",
        "summary",
        "counter",
        "CamelCase",
        "9.lives",
        "m",
        "a:b",
        "订单.数量",
        "é",
        "\u{1F600}",
        "le",
        "a\"b",
        "a\\b",
        "millikelvins",
        "cpu.idle",
        "net-if-in-bytes",
        "total",
        "...",
        "x.MB",
        "MB.x",
        "gauge_histogram",
    ];
    let mut items = Vec::new();
    for (number, metric) in names.iter().enumerate() {
        for kind in [Kind::Gauge, Kind::Counter, Kind::Derive] {
            let tags = ["le=1,quantile=2", "a=\"\\", "店=上海", "__name__=x,9=1,instance=i,job=j", ""][number % 5];
            let endpoint = ["web1", "web2", "\"\\机"][number % 3];
            items.push(json!({
                "endpoint": endpoint, "metric": metric, "value": number, "step": 60, "counterType": kind.as_str(), "tags": tags,
                "timestamp": 0,
            }));
        }
    }
    agent.push(&json!(items));
    let pushed = agent.wait("what was pushed", || {
        let answer = http::get(agent.http, "/metrics?pushed=1").ok()?;
        answer.text().contains("falcon_app_latency_msec{").then_some(answer)
    });
    assert!(pushed.text().contains("店\\") || pushed.text().contains("u5e97=\"上海\""), "{}", pushed.text());
    assert_clean(&pushed.body);
    // By the same rule, from the command line.
    let dir = agent.home().path().join("once");
    fs::create_dir(&dir).and_then(|()| fs::write(dir.join("cfg.json"), "{}")).expect("writable");
    let once = process::run(process::program(&dir, &["collect", "--format", "prometheus"])).success();
    assert_clean(once.as_bytes());
}
