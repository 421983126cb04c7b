//! The report's form, and a scripted hbs.

use super::*;
use crate::clock::tests::Host;
use crate::config::Config;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[test]
fn the_version_fits_the_column_of_hbs() {
    assert_eq!(short("0.1.0@1234567"), "0.1.0@1234567");
    assert_eq!(short("10.20.30@1234567").len(), 16);
    assert_eq!(short("100.200.300@1234567"), "100.200.300@1234");
    assert_eq!(short("0.1.0@版本版本版本"), "0.1.0@版本版");
}

#[test]
fn the_report_has_the_members_of_the_go_agent() {
    let report: serde_json::Value =
        serde_json::from_slice(&report_status("主机", "10.0.0.9", "1@2", "0123abcd")).expect("JSON");
    let expected = serde_json::json!({
        "Hostname": "主机", "IP": "10.0.0.9", "AgentVersion": "1@2", "PluginVersion": "0123abcd"
    });
    assert_eq!(report, expected);
}

#[test]
fn the_address_is_ipv4_and_the_configured_one_wins() {
    let v4 = Some(IpAddr::from([127, 0, 0, 1]));
    assert_eq!(local_ipv4("10.1.1.1", v4), "10.1.1.1");
    assert_eq!(local_ipv4("", v4), "127.0.0.1");
    let v6 = local_ipv4("", Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
    assert!(v6.is_empty() || v6.parse::<Ipv4Addr>().is_ok(), "{v6}");
}

const NO_REPORTS: &str = "rpc: can't find method Agent.ReportStatus";

/// Answers what is set for each method; tells each call.
struct Hbs {
    addr: String,
    timestamp_s: AtomicI64,
    /// What it says instead of its time.
    fault: Mutex<Option<&'static str>>,
    /// Metrics with tags, and their checksum.
    assigned: Mutex<(Vec<(&'static str, &'static str)>, &'static str)>,
}

impl Hbs {
    async fn start() -> (Arc<Hbs>, mpsc::UnboundedReceiver<Value>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address").to_string();
        let hbs = Arc::new(Hbs {
            addr,
            timestamp_s: AtomicI64::new(0),
            fault: Mutex::default(),
            assigned: Mutex::new((Vec::new(), "abc")),
        });
        let (tell, calls) = mpsc::unbounded_channel();
        let serves = hbs.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let call: Value = serde_json::from_str(&line).expect("JSON");
                    let answer = format!("{}\n", serves.answer(&call));
                    let _ = tell.send(call);
                    let _ = write.write_all(answer.as_bytes()).await;
                }
            }
        });
        (hbs, calls)
    }

    fn answer(&self, call: &Value) -> Value {
        let fault = *self.fault.lock().expect("unpoisoned");
        let (metrics, checksum) = self.assigned.lock().expect("unpoisoned").clone();
        let metrics = metrics.iter().map(|(metric, tags)| json!({ "Metric": metric, "Tags": tags }));
        let metrics: Vec<Value> = metrics.filter(|_| call["params"][0]["Checksum"] != checksum).collect();
        let time_s = self.timestamp_s.load(SeqCst);
        let time = json!({ "Metrics": metrics, "Checksum": checksum, "Timestamp": time_s });
        let plugins = json!({ "Plugins": ["sys/ntp", "sys/a/60_x.sh(a,b)"], "Timestamp": time_s });
        match (call["method"].as_str(), fault) {
            (Some("Agent.ReportStatus"), Some("code 1")) => {
                json!({ "id": call["id"], "result": { "code": 1 }, "error": null })
            }
            (Some("Agent.ReportStatus"), Some(NO_REPORTS)) => {
                json!({ "id": call["id"], "result": null, "error": NO_REPORTS })
            }
            (Some("Agent.ReportStatus"), _) => json!({ "id": call["id"], "result": { "code": 0 }, "error": null }),
            (Some("Agent.BuiltinMetrics"), None) => json!({ "id": call["id"], "result": time, "error": null }),
            (Some("Agent.TrustableIps"), None) => json!({ "id": call["id"], "result": "10.0.0.5", "error": null }),
            (Some("Agent.MinePlugins"), None) => json!({ "id": call["id"], "result": plugins, "error": null }),
            (_, fault) => json!({ "id": call["id"], "result": null, "error": fault }),
        }
    }

    fn has(&self, ms: i64) {
        self.timestamp_s.store(ms / 1000, SeqCst);
    }
}

/// The next call but one for trusted addresses, which is made after each report.
async fn next(calls: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    loop {
        let call = calls.recv().await.expect("a call");
        if call["method"] != "Agent.TrustableIps" {
            return call;
        }
    }
}

fn reporter(hbs: &Hbs, clock: Arc<AgentClock>) -> (Reporter, Arc<Stats>) {
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    config.heartbeat.addrs = vec![hbs.addr.clone()];
    config.heartbeat.interval = 86_400;
    let stats = Arc::new(Stats::default());
    (Reporter::new(&config, Arc::new(Identity::new(&config)), clock, stats.clone(), Arc::default(), None), stats)
}

#[tokio::test]
async fn hbs_is_asked_for_its_time_after_a_report_and_when_the_clock_was_set() {
    let (hbs, mut calls) = Hbs::start().await;
    let (host, clock) = Host::new(None);
    hbs.has(host.wall_ms() - 30_000);
    let (reporter, stats) = reporter(&hbs, clock.clone());
    let task = tokio::spawn(reporter.run());
    assert_eq!(next(&mut calls).await["method"], "Agent.ReportStatus");
    let call = next(&mut calls).await;
    assert_eq!(call["method"], "Agent.BuiltinMetrics");
    assert_eq!(call["params"], json!([{ "Hostname": "h", "Checksum": "nil" }]));
    while stats.clock_skew_s.get().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stats.clock_skew_s.get(), Some(30));

    host.step(3_600_000);
    hbs.has(host.wall_ms());
    assert!(clock.look().in_doubt);
    let call = next(&mut calls).await;
    assert_eq!(call["params"], json!([{ "Hostname": "h", "Checksum": "abc" }]), "so that the answer is short");
    while clock.look().in_doubt {
        tokio::task::yield_now().await;
    }
    assert_eq!(clock.look().at_ms, host.wall_ms());
    task.abort();
}

#[tokio::test]
async fn an_answer_without_a_time_decides_nothing() {
    let (hbs, _calls) = Hbs::start().await;
    let (host, clock) = Host::new(None);
    let (mut reporter, stats) = reporter(&hbs, clock.clone());
    clock.look();
    host.step(3_600_000);
    assert!(reporter.report().await);
    reporter.ask_checks().await;
    assert_eq!((stats.clock_skew_s.get(), clock.look().in_doubt), (None, true), "its database failed");
    hbs.has(host.wall_ms());
    reporter.ask_checks().await;
    assert_eq!((stats.clock_skew_s.get(), clock.look().in_doubt), (Some(0), false));
    *hbs.fault.lock().expect("unpoisoned") = Some("some other error");
    reporter.ask_checks().await;
    assert_eq!((stats.clock_skew_s.get(), reporter.unknown.is_empty()), (None, true), "what it said before is old");
}

#[tokio::test]
async fn an_hbs_that_does_not_know_the_call_goes_on_getting_reports_and_is_not_asked_again() {
    let (hbs, mut calls) = Hbs::start().await;
    *hbs.fault.lock().expect("unpoisoned") = Some("rpc: can't find method Agent.BuiltinMetrics");
    let (mut reporter, stats) = reporter(&hbs, Host::new(None).1);
    for _ in 0..3 {
        assert!(reporter.report().await);
        reporter.ask_checks().await;
    }
    let mut ids = Vec::new();
    while let Ok(call) = calls.try_recv() {
        ids.push((call["method"].as_str().expect("a method").to_owned(), call["id"].as_u64().expect("an id")));
    }
    let methods: Vec<&str> = ids.iter().map(|(method, _)| method.as_str()).collect();
    let report = "Agent.ReportStatus";
    assert_eq!(methods, [report, "Agent.BuiltinMetrics", report, report]);
    assert!(ids.iter().map(|(_, id)| *id).eq(0..4), "all on one connection: {ids:?}");
    assert_eq!(stats.clock_skew_s.get(), None);
}

#[tokio::test]
async fn what_hbs_assigns_is_taken_over_and_taken_back() {
    let (hbs, mut calls) = Hbs::start().await;
    let (host, clock) = Host::new(None);
    hbs.has(host.wall_ms());
    *hbs.assigned.lock().expect("unpoisoned") = (vec![("net.port.listen", "port=80"), ("du.bs", "path=/a")], "first");
    let (mut reporter, _stats) = reporter(&hbs, clock);
    let assigned = reporter.assigned.clone();
    reporter.ask_checks().await;
    assert_eq!((assigned.checks().ports.len(), assigned.checks().directories.len()), (1, 1));
    // The same checksum: the answer is empty, and nothing changes.
    hbs.has(host.wall_ms() + 60_000);
    reporter.ask_checks().await;
    assert_eq!(assigned.checks().ports.len(), 1);
    let sent: Vec<Value> = std::iter::from_fn(|| calls.try_recv().ok()).collect();
    let checksums: Vec<&str> = sent.iter().filter_map(|call| call["params"][0]["Checksum"].as_str()).collect();
    assert_eq!(checksums, ["nil", "first"]);
    // Another list from a time that is not later than that of the last one: not before hbs's clock has passed it.
    *hbs.assigned.lock().expect("unpoisoned") = (Vec::new(), "");
    hbs.has(host.wall_ms() - 3_600_000);
    reporter.ask_checks().await;
    assert_eq!(assigned.checks().ports.len(), 1);
    hbs.has(host.wall_ms() + 1_000);
    reporter.ask_checks().await;
    assert_eq!(assigned.checks().ports.len(), 0);
}

#[tokio::test]
async fn a_database_that_fails_takes_nothing_back() {
    let (hbs, _calls) = Hbs::start().await;
    let (mut reporter, _stats) = reporter(&hbs, Host::new(None).1);
    let assigned = reporter.assigned.clone();
    assigned.belongs_to("h");
    let metric = |tags: &str| crate::assigned::BuiltinMetric { metric: "du.bs".to_owned(), tags: tags.to_owned() };
    assigned.set_metrics(vec![metric("path=/kept")]);
    *hbs.assigned.lock().expect("unpoisoned") = (Vec::new(), "");
    reporter.ask_checks().await;
    assert_eq!(assigned.checks().directories.len(), 1);
}

#[tokio::test]
async fn trusted_addresses_and_plugins_are_asked_for_with_each_report() {
    let (hbs, mut calls) = Hbs::start().await;
    let (host, clock) = Host::new(None);
    hbs.has(host.wall_ms());
    let (mut reporter, _stats) = reporter(&hbs, clock);
    let dir = tempfile::tempdir().expect("a directory");
    reporter.plugins = Some(Plugins::new(dir.path().to_owned(), |_| "0123abcd".to_owned(), &Versions::default()));
    let assigned = reporter.assigned.clone();
    let (tell, mut trusted) = mpsc::unbounded_channel();
    assigned.tell_trustable(move |ips| tell.send(ips).expect("heard"));
    assert_eq!(trusted.recv().await, Some(Vec::new()));
    let task = tokio::spawn(reporter.run());
    let mut methods = Vec::new();
    while methods.len() < 4 {
        let call = calls.recv().await.expect("a call");
        if call["method"] == "Agent.ReportStatus" {
            assert_eq!(call["params"][0]["PluginVersion"], "0123abcd");
        }
        methods.push((call["method"].as_str().expect("a method").to_owned(), call["params"].to_string()));
    }
    let methods: Vec<(&str, &str)> =
        methods.iter().map(|(method, params)| (method.as_str(), params.as_str())).skip(2).collect();
    let mine = r#"[{"Checksum":"","Hostname":"h"}]"#;
    assert_eq!(methods, [("Agent.TrustableIps", "[{}]"), ("Agent.MinePlugins", mine)]);
    assert_eq!(trusted.recv().await, Some(vec![IpAddr::from([10, 0, 0, 5])]));
    while assigned.plugins().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*assigned.plugins(), ["sys/ntp", "sys/a/60_x.sh(a,b)"]);
    task.abort();
}

/// "hbs does not know this host" took a look into the log of each.
#[tokio::test]
async fn how_the_way_to_hbs_is_and_why_is_known() {
    let (hbs, _calls) = Hbs::start().await;
    let (mut reporter, stats) = reporter(&hbs, Host::new(None).1);
    let known = || stats.hbs.get();
    assert_eq!((known().reach, known().addr), (Reach::Untried, None));
    for (fault, reach, why) in [
        (None, Reach::Up, None),
        (Some("code 1"), Reach::Refused, Some("did not accept the report of h (code 1)")),
        (Some(NO_REPORTS), Reach::Down, Some("; is this the port of hbs (6030)?")),
        (None, Reach::Up, None),
    ] {
        *hbs.fault.lock().expect("unpoisoned") = fault;
        assert_eq!(reporter.report().await, fault.is_none());
        let now = known();
        assert_eq!((now.reach, now.addr.as_ref(), now.error.is_some()), (reach, Some(&hbs.addr), why.is_some()));
        let error = now.error.unwrap_or_default();
        assert!(why.is_none_or(|why| error.starts_with(&hbs.addr) && error.ends_with(why)), "{error}");
        assert!(now.since_s.is_some() && now.plugins.as_deref() == Some("plugin not enabled"));
    }
}
