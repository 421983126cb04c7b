//! Counters that do not only grow, under the eyes of an agent that runs.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::golden::series;
use crate::harness::host::Host;
use crate::harness::items::Item;
use crate::harness::now;
use crate::harness::servers::Server;
use crate::{MOST, config, values};

/// 32 bits that are full, a device that was replaced, a kernel that takes idle time back.
#[test]
fn counters_that_wrap_or_step_back_make_no_spike() {
    let host = Host::with_kernel("3.10");
    let transfer = Server::good();
    let mut config = config();
    config["transfer"] = json!({ "addrs": [transfer.addr], "interval": 1 });
    let agent = Agent::start_on(&host, &config);
    let cycles_after = |stamp: i64| {
        let mut cycles: BTreeMap<i64, Vec<Item>> = BTreeMap::new();
        for item in transfer.items().into_iter().filter(|item| item.timestamp > stamp) {
            cycles.entry(item.timestamp).or_default().push(item);
        }
        // The lanes of a cycle arrive apart.
        let last = |items: &Vec<Item>| {
            ["agent.alive", "df.statistics.total", "disk.io.util"].iter().all(|m| items.iter().any(|i| i.metric == *m))
        };
        cycles.retain(|_, items| last(items));
        cycles
    };
    let before = agent.wait("two cycles", || Some(cycles_after(0)).filter(|cycles| cycles.len() >= 2));
    let before = series(before.last_key_value().expect("two").1);
    host.rewrite("proc/stat", |text| text.replace("100000 200 30000 900000", "100100 200 29000 890000"));
    host.rewrite("proc/stat", |text| text.replace("cpu  400000 800 120000 3600000", "cpu  400400 800 119000 3590000"));
    host.rewrite("proc/diskstats", |text| {
        text.replace("sda 15000 120 4294967290 30500 20000", "sda 15004 120 10 30504 20000")
            .replace("sdaa 77 1 616 30 5 2 40 9 0 35 39", "sdaa 1 0 8 1 0 0 0 0 0 1 1")
    });
    host.rewrite("proc/net/dev", |text| text.replace("eth0:3221225472", "eth0: 5"));
    host.rewrite("proc/net/netstat", |text| text.replace("4294967290", "3"));
    host.rewrite("proc/9001/stat", |text| text.replace(" 500000 40000 ", " 400000 30000 "));
    let changed = now();
    let after = agent.wait("three cycles", || Some(cycles_after(changed)).filter(|cycles| cycles.len() >= 3));
    let items: Vec<Item> = transfer.items();
    for item in &items {
        let most = match item.metric.as_str() {
            name if name.starts_with("cpu.") && item.counter_type == "GAUGE" && name != "cpu.mhz" => 100.0,
            "disk.io.util" | "process.cpu.all" | "process.cpu.user" | "process.cpu.sys" => 100.0,
            // 16 sectors, in no less than half a second.
            "disk.io.read_bytes" => 2.0 * 16.0 * 512.0,
            "disk.io.write_bytes" => 0.0,
            "disk.io.await" | "disk.io.svctm" | "disk.io.r_await" | "disk.io.w_await" => 10.0,
            _ => MOST,
        };
        assert!((0.0..=most).contains(&item.value), "{item:?}");
    }
    let last = after.last_key_value().expect("three").1;
    assert_eq!(series(last), before, "a series came or went");
    let last = values(last);
    // The 16 sectors that came after the 4,294,967,290th, in 64 bits.
    assert_eq!(last.get("disk.io.read_sectors/device=sda"), Some(&4_294_967_306.0));
    assert_eq!(last.get("disk.io.read_requests/device=sda"), Some(&15_004.0));
    assert_eq!(last.get("net.if.in.bytes/iface=eth0"), Some(&5.0), "as the kernel counts it");
    assert_eq!(last.get("cpu.cnt"), Some(&4.0));
}
