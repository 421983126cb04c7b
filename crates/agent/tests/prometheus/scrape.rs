//! Prometheus with a directory of its own, and what it answers over its API.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use falcon_agent::exposition::Format;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::door::Door;
use crate::harness::agent::{Agent, free_address};
use crate::harness::http;
use crate::harness::process::Process;
use crate::harness::until;
use crate::program;

const TOKEN: &str = "correct-horse-battery";

struct Prometheus {
    process: Option<Process>,
    address: SocketAddr,
    _dir: TempDir,
}

impl Prometheus {
    fn start(config: &Value) -> Prometheus {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, address) = (dir.path().join("prometheus.yml"), free_address());
        // JSON is YAML.
        fs::write(&file, config.to_string()).expect("writable");
        let mut command = Command::new(program("prometheus"));
        command.current_dir(dir.path()).arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        Prometheus { process: Some(Process::start(command)), address, _dir: dir }
    }

    fn state(&self) -> String {
        self.process.as_ref().map(Process::err).unwrap_or_default()
    }

    /// What it has for a query; nothing while it does not answer.
    fn query(&self, query: &str) -> Vec<Value> {
        self.api(&format!("query?query={}", encoded(query)))["result"].as_array().cloned().unwrap_or_default()
    }

    /// An answer's data.
    fn api(&self, path: &str) -> Value {
        // An answer of the older protocol comes in one piece.
        let request = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        match http::one(self.address, request.as_bytes()) {
            Ok(answer) if answer.status == 200 => answer.json()["data"].clone(),
            Ok(answer) if answer.status != 503 => panic!("{path}: {}", answer.text()),
            _ => Value::Null,
        }
    }

    /// Waits until a query has so many results.
    fn wait(&self, query: &str, results: usize) -> Vec<Value> {
        self.wait_while(query, results, || {})
    }

    fn wait_while(&self, query: &str, results: usize, mut meanwhile: impl FnMut()) -> Vec<Value> {
        until(
            &format!("{results} results of {query}"),
            || format!("{:?}\n{}", self.query("up"), self.state()),
            || {
                meanwhile();
                Some(self.query(query)).filter(|found| found.len() == results)
            },
        )
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::TERM);
            if !std::thread::panicking() {
                process.wait();
            }
        }
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

fn push(agent: &Agent) {
    let items = json!([
        { "endpoint": "web1", "metric": "jobs.done", "value": 7, "step": 60, "counterType": "GAUGE", "tags": "店=上海\"一\"\\,q=1", "timestamp": 0 },
        { "endpoint": "web2", "metric": "jobs.done", "value": 8, "step": 60, "counterType": "GAUGE", "tags": "", "timestamp": 0 },
    ]);
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = http::post_with(agent.http, "/v1/push", &headers, items.to_string().as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn prometheus_scrapes_both_formats_and_answers_queries() {
    let agent =
        Agent::start(&json!({ "hostname": "web1", "heartbeat": { "enabled": false }, "http": { "token": TOKEN } }));
    push(&agent);
    let (open, text) = (Door::to(agent.http, true), Door::to(agent.http, false));
    let job = |name: &str, door: &Door| {
        json!({
            "job_name": name,
            "authorization": { "credentials": TOKEN },
            "params": { "pushed": ["1"] },
            "static_configs": [{ "targets": [door.address.to_string()] }],
        })
    };
    let without = json!({ "job_name": "without", "static_configs": [{ "targets": [agent.http.to_string()] }] });
    let prometheus = Prometheus::start(&json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
        "scrape_configs": [job("open", &open), job("text", &text), without],
    }));
    prometheus.wait("up == 1", 2);
    prometheus.wait(r#"up{job="without"} == 0"#, 1);
    assert!(open.types().iter().all(|kind| kind == Format::OpenMetrics.content_type()), "{:?}", open.types());
    assert!(text.types().iter().all(|kind| kind == Format::Text.content_type()), "{:?}", text.types());
    prometheus.wait("falcon_agent_alive == 1", 2);
    // Per second, of what is counted between two scrapes.
    prometheus.wait_while("rate(falcon_agent_push_accepted_total[1m]) > 0", 2, || push(&agent));
    prometheus.wait(r#"falcon_jobs_done{u5e97="上海\"一\"\\",q="1"} == 7"#, 2);
    prometheus.wait(r#"falcon_jobs_done{endpoint="web2"} == 8"#, 2);
    prometheus
        .wait("scrape_samples_scraped == scrape_samples_post_metric_relabeling and scrape_samples_scraped > 50", 2);
    prometheus.wait("falcon_agent_metrics_left_out == 0", 2);
    // HELP and TYPE came through.
    for (family, kind) in [("falcon_agent_push_accepted_total", "counter"), ("falcon_agent_alive", "gauge")] {
        // OpenMetrics has them for the name without its end.
        let of = |name: &str| prometheus.api(&format!("metadata?metric={name}"))[name].clone();
        let known = until(family, || prometheus.state(), || Some(of(family)).filter(|known| known.is_array()));
        assert_eq!(known[0]["type"], kind, "{known}");
        assert!(known[0]["help"].as_str().is_some_and(|help| help.starts_with("agent.")), "{known}");
    }
}
