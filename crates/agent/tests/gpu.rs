//! `gpu.*` of the real executable, with a made-up NVML (`interop/nvml/nvml.c`) where the loader looks first.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;
#[path = "../../../interop/nvml/library.rs"]
mod library;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness::agent::Agent;
use harness::items::Item;
use harness::process::{Ended, program, run};
use harness::servers::Server;
use serde_json::json;

const FIRST: &str = "uuid=GPU-8932f937-d72c-4106-c12f-000000000000";

/// A folder with a library that behaves so; `name` is that of one test, for tests run at the same time.
fn folder(name: &str, how: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nvml").join(name);
    library::build(&folder, how, &[]);
    folder
}

/// One cycle of this collector alone, beside a library that behaves so.
fn collect(name: &str, how: &str) -> Ended {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = program(dir.path(), &["collect", "--format", "json", "--only", "gpu"]);
    command.env("LD_LIBRARY_PATH", folder(name, how));
    run(command)
}

fn items(ended: Ended) -> Vec<Item> {
    let out = ended.success();
    Item::parse_all(&serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
}

#[test]
fn two_cards_have_every_metric_each_and_a_mean() {
    let items = items(collect("two", "2"));
    assert_eq!(items.len(), 2 * 7 + 3, "{items:?}");
    assert!(items.iter().all(|item| item.counter_type == "GAUGE"), "{items:?}");
    let value = |metric: &str, tags: &str| {
        let found: Vec<f64> =
            items.iter().filter(|item| item.metric == metric && item.tags == tags).map(|item| item.value).collect();
        assert_eq!(found.len(), 1, "{metric} of {tags}: {items:?}");
        found[0]
    };
    for (metric, expected) in [
        ("gpu.fan.speed", 40.0),
        ("gpu.temperature", 60.0),
        ("gpu.memory.total", 16_383.0),
        ("gpu.memory.used", 1023.0),
        ("gpu.memory.util", 10.0),
        ("gpu.util", 30.0),
        ("gpu.power.usage", 70.0),
    ] {
        assert_eq!(value(metric, FIRST), expected, "{metric}");
    }
    assert_eq!(value("gpu.memory.used", "uuid=GPU-8932f937-d72c-4106-c12f-000000000001"), 2047.0);
    for (metric, expected) in [("gpu.count", 2.0), ("gpu.util.avg", 30.0), ("gpu.memory.util.avg", 10.0)] {
        assert_eq!(value(metric, ""), expected, "{metric}");
    }
}

#[test]
fn a_card_without_sensors_is_told_of_and_costs_only_its_own() {
    let ended = collect("notemp", "1,notemp");
    assert!(ended.err.contains("gpu: device 0: cannot be read, or in part only"), "{}", ended.err);
    let series: BTreeSet<String> = items(ended).iter().map(Item::series).collect();
    let expected = [&format!("gpu.fan.speed/{FIRST} GAUGE"), "gpu.count GAUGE", "gpu.util.avg GAUGE"];
    assert_eq!(series, expected.into_iter().chain(["gpu.memory.util.avg GAUGE"]).map(str::to_owned).collect());
    let nameless = items(collect("nouuid", "1,nouuid,nopower,nofan"));
    assert_eq!(nameless.iter().filter(|item| item.tags == "uuid=").count(), 6, "{nameless:?}");
}

#[test]
fn a_host_without_driver_or_card_says_nothing_at_all() {
    for how in ["nodriver", "0"] {
        let ended = collect(&format!("none-{how}"), how);
        assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("[]\n", "", Some(0)), "{how}");
    }
}

#[test]
fn a_driver_that_fails_is_told_of() {
    let ended = collect("initfails", "initfails");
    assert!(ended.err.contains("gpu: collect: nvmlInit: Unknown Error (999)"), "{}", ended.err);
    assert_eq!(ended.success(), "[]\n");
    let broken = folder("broken", "1");
    std::fs::write(broken.join("libnvidia-ml.so.1"), "no library").expect("writable");
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = program(dir.path(), &["collect", "--format", "json", "--only", "gpu"]);
    command.env("LD_LIBRARY_PATH", &broken);
    let ended = run(command);
    assert!(ended.err.contains("gpu: open: ") && ended.err.contains("libnvidia-ml.so.1"), "{}", ended.err);
    assert_eq!(ended.success(), "[]\n");
}

#[test]
fn a_million_devices_are_sixty_four() {
    let ended = collect("million", "1000000");
    assert!(
        ended.err.contains("gpu: devices: the driver tells of 1000000, the first 64 are reported"),
        "{}",
        ended.err
    );
    assert_eq!(items(ended).len(), 64 * 7 + 3);
}

/// Cycles with a point of this metric, by their time stamps.
fn cycles(transfer: &Server, metric: &str) -> BTreeSet<i64> {
    transfer.items().into_iter().filter(|item| item.metric == metric).map(|item| item.timestamp).collect()
}

#[test]
fn a_driver_that_hangs_holds_up_nothing_else() {
    let transfer = Server::good();
    let config = json!({
        "hostname": "h",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": [transfer.addr], "interval": 1 },
    });
    let folder = folder("hang", "hang");
    let agent = Agent::start_with(&config, &[("LD_LIBRARY_PATH", folder.as_os_str())]);
    agent.wait_for_lines("gpu: deadline: no answer in 5 s; given up until it comes back", 1);
    let before = cycles(&transfer, "agent.alive").len();
    assert!(before > 0, "nothing while it was waited for\n{}", agent.state());
    agent.wait("three cycles more", || (cycles(&transfer, "agent.alive").len() >= before + 3).then_some(()));
    assert_eq!(cycles(&transfer, "gpu.count").len(), 0);
    agent.assert_healthy();
    let state = agent.state();
    assert_eq!(agent.terminate().code, Some(0), "{state}");
}
