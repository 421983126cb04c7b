use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::config::Source;
use crate::perf::client::{self, ObjectQuery, Refused, Tables};

/// Counts groups that are open, and whether anybody could open one.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl client::Source for Counted {
    fn ask(&self, _: &str, _: &[ObjectQuery]) -> Result<Tables, Refused> {
        Err(Refused::Unsupported)
    }

    fn names(&self, _: &str, _: &str) -> Result<Vec<String>, Refused> {
        Err(Refused::Unsupported)
    }

    fn opened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self, _: &str) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Of an agent that collects nothing.
fn loaded(debug: bool, timeout: u32) -> Loaded {
    let mut config = Config::standalone();
    (config.debug, config.perf.timeout, config.transfer.interval) = (debug, timeout, 60);
    (config.http.enabled, config.heartbeat.enabled) = (false, false);
    config.collector.switches = collect::ALL.iter().map(|spec| (spec.name, false)).collect();
    Loaded::new(config, Source::Standalone, Vec::new())
}

/// The process that reads counters ended with every reload, and all libraries of providers were loaded again.
#[tokio::test(start_paused = true)]
async fn a_process_for_counters_stays_over_a_reload_that_leaves_its_settings() {
    let (_hurry, hurries) = watch::channel(false);
    let open = Counted::default();
    let mut agent = Agent::start(&loaded(false, 7), "", tokio::sync::mpsc::channel(1).0);
    agent.lasting.perf = Perf::new(open.clone());
    let group = agent.lasting.perf.open("of a collector");
    let mut agent = agent.reload(&loaded(true, 7), hurries.clone()).await;
    drop(group);
    assert_eq!(open.0.load(Ordering::SeqCst), 1);
    // It is kept for one cycle and a little, in which collectors are opened again.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(open.0.load(Ordering::SeqCst), 1);
    tokio::time::sleep(OPENED + Duration::from_secs(1)).await;
    assert_eq!(open.0.load(Ordering::SeqCst), 0);
    // Another configuration has another one.
    let group = agent.lasting.perf.open("of a collector");
    assert_eq!(Arc::strong_count(&open.0), 2);
    agent = agent.reload(&loaded(true, 8), hurries).await;
    drop(group);
    assert_eq!(Arc::strong_count(&open.0), 1);
    agent.stop().await;
}

/// An hbs that assigns one port to everybody, until the test ends.
async fn hbs(port: u16) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (read, mut write) = stream.split();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let call: serde_json::Value = serde_json::from_str(&line).expect("JSON");
                let metric = serde_json::json!({ "Metric": "net.port.listen", "Tags": format!("port={port}") });
                let result = match call["method"].as_str().expect("a method") {
                    "Agent.ReportStatus" => serde_json::json!({ "code": 0 }),
                    "Agent.BuiltinMetrics" => {
                        serde_json::json!({ "Metrics": [metric], "Checksum": "c", "Timestamp": clock::unix_s() })
                    }
                    _ => serde_json::json!(""),
                };
                let answer = serde_json::json!({ "id": call["id"], "result": result, "error": null });
                let _ = write.write_all(format!("{answer}\n").as_bytes()).await;
            }
        }
    });
    addr
}

#[tokio::test]
async fn what_hbs_assigns_is_said_until_there_is_no_hbs_and_known_at_the_next_start() {
    let (_hurry, hurries) = watch::channel(false);
    let state = tempfile::tempdir().expect("a directory");
    let served = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = served.local_addr().expect("an address").port();
    let mut with_hbs = loaded(false, 7);
    with_hbs.config.transfer.interval = 1;
    with_hbs.config.hostname = "h".to_owned();
    with_hbs.config.state_dir = state.path().display().to_string();
    with_hbs.config.collector.switches.insert("port", true);
    (with_hbs.config.heartbeat.enabled, with_hbs.config.heartbeat.addrs) = (true, vec![hbs(port).await]);
    let agent = Agent::start(&with_hbs, "", tokio::sync::mpsc::channel(1).0);
    let said = loop {
        let said = agent.hub.snapshot(clock::unix_s());
        if !said.is_empty() {
            break said;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let (metric, tags) = (&*said[0].sample.metric, said[0].sample.tags.as_str());
    assert_eq!((metric, tags, said[0].sample.value.get()), ("net.port.listen", format!("port={port}").as_str(), 1.0));
    let file = with_hbs.notes_dir().expect("a state directory").join("hbs.json");
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Taken back with the last hbs.
    let mut without = with_hbs.clone();
    without.config.heartbeat.enabled = false;
    let agent = agent.reload(&without, hurries).await;
    assert!(agent.lasting.assigned.checks().ports.is_empty());
    agent.stop().await;
    // An hbs that is away does not take it back.
    with_hbs.config.heartbeat.addrs = vec!["127.0.0.1:1".to_owned()];
    let agent = Agent::start(&with_hbs, "", tokio::sync::mpsc::channel(1).0);
    while agent.lasting.assigned.checks().ports.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    agent.stop().await;
}

/// A plugin that runs until it is ended, bound in a directory of its own.
fn with_plugin(base: &std::path::Path) -> (Loaded, &'static str) {
    let is_linux = crate::model::Platform::CURRENT == crate::model::Platform::Linux;
    let dir = base.join("plugin");
    std::fs::create_dir(&dir).expect("a directory");
    let name = if is_linux { "3600_x.sh" } else { "3600_x.bat" };
    let file = dir.join(name);
    if is_linux {
        // Written with the rights of the file that was there.
        std::fs::copy("/bin/sh", &file).expect("a shell");
    }
    let text = if is_linux { "#!/bin/sh\nsleep 600 & sleep 600\n" } else { "@echo off\r\n:again\r\ngoto again\r\n" };
    std::fs::write(&file, text).expect("a script");
    let mut loaded = loaded(false, 7);
    // Nobody is there, so that nobody takes back what this test says.
    (loaded.config.heartbeat.enabled, loaded.config.heartbeat.addrs) = (true, vec!["127.0.0.1:1".to_owned()]);
    loaded.config.hostname = "h".to_owned();
    (loaded.config.plugin.enabled, loaded.config.plugin.dir) = (true, dir.display().to_string());
    loaded.config.plugin.logs = base.join("logs").display().to_string();
    (Loaded::new(loaded.config, Source::File(base.join("cfg.json")), Vec::new()), name)
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets an hour go by, once this many plugins wait for it.
async fn an_hour_after(stats: &Stats, bound: u64) {
    until(|| stats.plugin_bound.get() == bound).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3601)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_plugin_runs_on_over_a_reload_that_leaves_its_settings_and_ends_with_others_and_with_the_agent() {
    let (_hurry, hurries) = watch::channel(false);
    let base = tempfile::tempdir().expect("a directory");
    let (mut with_plugin, file) = with_plugin(base.path());
    let mut agent = Agent::start(&with_plugin, "", tokio::sync::mpsc::channel(1).0);
    let stats = agent.stats();
    agent.lasting.assigned.set_plugins(vec![file.to_owned()]);
    let runs = || stats.plugin_running.get();
    an_hour_after(&stats, 1).await;
    until(|| runs() == 1).await;
    with_plugin.config.debug = true;
    agent = agent.reload(&with_plugin, hurries.clone()).await;
    assert_eq!((runs(), stats.plugin_runs.get(), stats.plugin_bound.get()), (1, 0, 1));
    // Each release of a site's plugins has another checksum, and ended every run; so did another state directory.
    with_plugin.config.plugin.sha256 = "00".repeat(32);
    with_plugin.config.plugin.logs = base.path().join("other").display().to_string();
    with_plugin.config.plugin.memory_mb += 1;
    with_plugin.config.state_dir = base.path().join("state").display().to_string();
    agent = agent.reload(&with_plugin, hurries.clone()).await;
    tokio::task::yield_now().await;
    assert_eq!((runs(), stats.plugin_bound.get(), agent.lasting.assigned.plugins().len()), (1, 1, 1));
    // Its directory may be another one now.
    with_plugin.config.plugin.at_once += 1;
    agent = agent.reload(&with_plugin, hurries.clone()).await;
    assert_eq!(runs(), 0);
    an_hour_after(&stats, 1).await;
    until(|| runs() == 1).await;
    agent.stop().await;
    assert_eq!((runs(), stats.plugin_runs.get()), (0, 0));
}

/// Who was in a hurry left processes behind.
#[tokio::test]
async fn a_reload_in_a_hurry_ends_what_runs_with_the_agent() {
    let (hurry, hurries) = watch::channel(false);
    let base = tempfile::tempdir().expect("a directory");
    let (mut with_plugin, file) = with_plugin(base.path());
    let mut agent = Agent::start(&with_plugin, "", tokio::sync::mpsc::channel(1).0);
    let stats = agent.stats();
    agent.lasting.assigned.set_plugins(vec![file.to_owned()]);
    an_hour_after(&stats, 1).await;
    until(|| stats.plugin_running.get() == 1).await;
    let _ = hurry.send(true);
    with_plugin.config.plugin.enabled = false;
    agent = agent.reload(&with_plugin, hurries).await;
    let engine = agent.lasting.plugins.engine();
    agent.stop().await;
    assert!(engine.is_none_or(|engine| engine.is_over()));
    assert_eq!(stats.plugin_running.get(), 0);
}
