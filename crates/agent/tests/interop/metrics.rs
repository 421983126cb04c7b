//! What the agent measures and reports, as it arrives at Go's transfer and hbs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::is_windows;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::harness::process::{program, run};
use crate::{now, nvml};

/// Series that `collect` shows under a configuration.
fn shown(config: &serde_json::Value) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("cfg.json"), config.to_string()).expect("a file");
    let out = run(program(dir.path(), &["collect", "--format", "json"])).success();
    Item::parse_all(&serde_json::from_str(&out).expect("JSON")).iter().map(Item::series).collect()
}

#[test]
fn metrics_arrive_typed_and_complete_and_once() {
    let peer = Peer::start();
    let mut config = peer.config("interop");
    config["default_tags"] = json!({ "idc": "bj", "app": "web" });
    config["ignore"] = json!({ "cpu.busy": true });
    let expected = shown(&config);
    let agent = Agent::start(&config);
    peer.wait("five cycles", &agent, || (peer.cycles().len() >= 5).then_some(()));
    let updates = peer.updates();
    for update in &updates {
        assert_eq!(update.invalid, 0, "{:?}", update.items);
        assert!((1..=500).contains(&update.items.len()), "{} items in one call", update.items.len());
    }
    let items = peer.items();
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for item in &items {
        assert!(item.endpoint == "interop" && item.step == 1 && item.timestamp <= now(), "{item:?}");
        let own = item.tags.strip_suffix("app=web,idc=bj").unwrap_or_else(|| panic!("no default tags: {item:?}"));
        assert!(own.is_empty() || own.ends_with(','), "{item:?}");
        let before = newest.insert(item.series(), item.timestamp);
        assert!(before < Some(item.timestamp), "not later than the point before it: {item:?}");
    }
    let arrived: BTreeSet<String> = newest.into_keys().collect();
    let missing: Vec<_> = expected.difference(&arrived).collect();
    assert!(missing.is_empty(), "collected but not sent: {missing:?}");
    plausible(&items);
    assert_eq!(agent.lines("transfers raise steps below 30 s").len(), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

fn plausible(items: &[Item]) {
    let of =
        |metric: &str| items.iter().filter(|item| item.metric == metric).map(|item| item.value).collect::<Vec<_>>();
    assert!(of("cpu.busy").is_empty(), "it is ignored");
    for share in ["cpu.idle", "cpu.user", "cpu.system", "mem.memused.percent"] {
        let values = of(share);
        assert!(!values.is_empty() && values.iter().all(|share| (0.0..=100.0).contains(share)), "{share}: {values:?}");
    }
    assert!(of("agent.alive").iter().all(|alive| *alive == 1.0));
    let (total, free) = (of("mem.memtotal")[0], of("mem.memfree")[0]);
    assert!(total > 64e6 && total < 1e15 && free > 0.0 && free < total, "{free} of {total} B");
    assert!(of("agent.mem.rss").iter().all(|rss| (1e6..1e9).contains(rss)));
    let tags = |prefix: &str| {
        items.iter().filter(|i| i.metric.starts_with(prefix)).map(|i| i.tags.as_str()).collect::<Vec<_>>()
    };
    let mounts = tags("df.bytes.");
    assert!(mounts.iter().all(|tags| tags.starts_with("mount=") && tags.contains(",fstype=")), "{mounts:?}");
    assert!(of("df.bytes.used.percent").iter().all(|share| (0.0..=100.0).contains(share)));
    // A container may have nothing but file systems that are left out.
    assert!(!is_windows() || mounts.iter().any(|tags| tags.starts_with("mount=C:,fstype=")), "{mounts:?}");
    // Wine shows no interfaces on some machines.
    let ifaces = tags("net.if.");
    assert!(ifaces.iter().all(|tags| tags.starts_with("iface=")) && (is_windows() || !ifaces.is_empty()), "{ifaces:?}");
}

#[test]
fn the_report_reaches_hbs_at_once_and_at_every_interval() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("主机-7"));
    let reports = peer.wait("three reports", &agent, || Some(peer.reports()).filter(|reports| reports.len() >= 3));
    let version = agent.get("/version").text();
    for report in reports {
        assert_eq!((&report["Hostname"], &report["PluginVersion"]), (&json!("主机-7"), &json!("plugin not enabled")));
        let ip = report["IP"].as_str().expect("a string");
        assert_eq!(ip.parse(), Ok(Ipv4Addr::LOCALHOST), "hbs is reached over loopback");
        let reported = report["AgentVersion"].as_str().expect("a string");
        assert!(
            reported.len() <= 16 && reported.contains('@') && version.starts_with(reported),
            "{reported}, {version}"
        );
    }
    agent.wait_for_lines("this host is reported as 主机-7", 1);
    assert_eq!(agent.lines("hbs").len(), 2, "one line at the start, one when hbs answers\n{}", agent.state());
}

/// A configuration of the Python Windows-Agent, unchanged: its names arrive, and none of the Linux agent's beside them.
#[test]
fn a_python_agents_file_brings_the_python_agents_names() {
    let peer = Peer::start();
    let mut config = peer.config("py");
    config["ignore"] = json!(["cpu.user"]);
    config["collector"] = json!({ "ifacePrefixIgnore": ["Loopback"] });
    let agent = Agent::start(&config);
    peer.wait("two cycles", &agent, || (peer.cycles().len() >= 2).then_some(()));
    let names: BTreeSet<String> = peer.items().into_iter().map(|item| item.metric).collect();
    for name in ["cpu.idle", "cpu.system", "mem.memused.percent", "df.byte.total", "df.used.percent"] {
        assert!(names.contains(name), "{name} is missing in {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("df.bytes.") || name == "cpu.user"), "{names:?}");
    assert!(peer.updates().iter().all(|update| update.invalid == 0));
}

/// With NVML made up: for Linux where the loader looks first, for Windows in the system directory of the Wine session.
#[test]
fn gpus_arrive_from_both_systems() {
    let peer = Peer::start();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nvml/interop");
    nvml::build(&folder, "nodriver", &[]);
    let environment = [("LD_LIBRARY_PATH", folder.as_os_str()), ("FALCON_FAKE_NVML", "2".as_ref())];
    let own: &[_] = if is_windows() { &environment[1..] } else { &environment };
    let agent = Agent::start_with(&peer.config("gpu"), own);
    let gpus = peer.wait("two cycles with GPUs", &agent, || {
        let gpus: Vec<Item> = peer.items().into_iter().filter(|item| item.metric.starts_with("gpu.")).collect();
        (gpus.iter().filter(|item| item.metric == "gpu.count").count() >= 2).then_some(gpus)
    });
    assert!(peer.updates().iter().all(|update| update.invalid == 0));
    let series: BTreeSet<String> = gpus.iter().map(Item::series).collect();
    assert_eq!(series.len(), 2 * 7 + 3, "{series:?}");
    let power = gpus.iter().filter(|item| item.metric == "gpu.power.usage").map(|item| item.value);
    assert_eq!(power.collect::<Vec<_>>()[..2], [70.0, 71.0]);
}
