//! Which series the agent makes of a host, down to the last tag: golden files that a person has read.
//!
//! `FALCON_BLESS=1` rewrites them; the difference is then to be read before it is committed. Names and types are those of
//! falcon-plus (`modules/agent/funcs`) and of the Windows agents whose name sets are asked for.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::collections::BTreeSet;
use std::fs;

use harness::golden::{compare, series};
use harness::host::Host;
use harness::items::Item;
use serde_json::{Value, json};

fn names(sets: &[&str]) -> Value {
    json!({ "hostname": "h", "collector": { "names": sets } })
}

fn value(items: &[Item], metric: &str) -> f64 {
    let found: Vec<f64> = items.iter().filter(|item| item.metric == metric).map(|item| item.value).collect();
    assert_eq!(found.len(), 1, "{metric}: {found:?}");
    found[0]
}

/// One of a tag's values in `k=v,k=v`.
fn tag<'a>(item: &'a Item, key: &str) -> &'a str {
    item.tags
        .split(',')
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("{item:?}"))
}

#[test]
fn a_typical_host_in_each_name_set() {
    let host = Host::typical();
    for set in ["falcon", "windows-agent", "freedomkk", "leonzyang", "extended"] {
        compare(&format!("typical-{set}"), &host, &host.collect(&names(&[set])));
    }
}

#[test]
fn the_default_is_the_linux_agents_names_and_our_own() {
    let host = Host::typical();
    let items = host.collect(&json!({ "hostname": "h" }));
    let mut both = host.collect(&names(&["falcon"]));
    both.extend(host.collect(&names(&["extended"])));
    assert_eq!(series(&items), series(&both));
    assert!(items.iter().all(|item| item.endpoint == "h" && item.step == 60 && item.timestamp % 60 == 0));
    assert_eq!(value(&items, "mem.memtotal"), 16_309_684.0 * 1024.0);
    assert_eq!(value(&items, "mem.memfree"), 9_806_528.0 * 1024.0, "MemAvailable");
    assert_eq!(value(&items, "mem.swapused"), 524_284.0 * 1024.0);
    assert_eq!(value(&items, "load.5min"), 0.58);
    assert_eq!(value(&items, "cpu.switches"), 357_438_562.0);
    assert_eq!(value(&items, "cpu.cnt"), 4.0);
    let of = |metric: &str, iface: &str| {
        let tags = format!("iface={iface}");
        items.iter().find(|item| item.metric == metric && item.tags == tags).map(|item| item.value)
    };
    assert_eq!(of("net.if.in.bytes", "eth0"), Some(8_801_543_289.0));
    assert_eq!(of("net.if.out.collisions", "eth0"), Some(10.0));
    assert_eq!(of("net.if.total.bits", "lo"), Some(2.0 * 8.0 * 17_395_420.0));
    assert_eq!(of("net.if.speed.bits", "eth0"), Some(1e9));
    assert_eq!(of("net.if.speed.bits", "eth1"), Some(0.0), "-1 is unknown");
}

#[test]
fn a_host_without_swap_says_zero_and_not_nothing() {
    let host = Host::typical().change("proc/meminfo", |text| {
        text.replace("SwapTotal:       2097148", "SwapTotal:             0")
            .replace("SwapFree:        1572864", "SwapFree:              0")
    });
    let items = host.collect(&names(&["falcon"]));
    assert_eq!(series(&items), series(&Host::typical().collect(&names(&["falcon"]))));
    for metric in ["mem.swaptotal", "mem.swapfree", "mem.swapused", "mem.swapfree.percent", "mem.swapused.percent"] {
        assert_eq!(value(&items, metric), 0.0, "{metric}");
    }
}

/// No address, no ARP table and none of the IPv4 files is needed for anything.
#[test]
fn a_host_with_ipv6_only() {
    let host = Host::typical().change("proc/net/dev", |text| {
        let head: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
        let counters = "1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0";
        format!("{head}ip6tnl0: {counters}\nenp1s0f0np0:{counters}\n  sit0: {counters}\nwg-home.7: {counters}\n")
    });
    compare("ipv6-only", &host, &host.collect(&names(&["falcon"])));
}

#[test]
fn three_hundred_mounts_and_blanks_in_their_names() {
    let two = |n: usize| format!("/dev/sd{n} /srv/disk\\040{n} ext4 rw 0 0\n10.0.0.{n}:/x /remote/{n} nfs4 rw 0 0\n");
    let mounts: String = (0..150).map(two).collect();
    let host = Host::typical().change("proc/mounts", |_| mounts.clone());
    let items = host.collect(&names(&["falcon"]));
    let shown: BTreeSet<&str> =
        items.iter().filter(|item| item.metric == "df.bytes.total").map(|item| item.tags.as_str()).collect();
    let expected: BTreeSet<String> = (0..150)
        .flat_map(|n| [format!("mount=/srv/disk {n},fstype=ext4"), format!("mount=/remote/{n},fstype=nfs4")])
        .collect();
    assert_eq!(shown, expected.iter().map(String::as_str).collect());
    for metric in ["df.bytes.used", "df.bytes.free", "df.bytes.used.percent", "df.bytes.free.percent"] {
        assert_eq!(items.iter().filter(|item| item.metric == metric).count(), 300, "{metric}");
    }
    let sum: f64 = items.iter().filter(|item| item.metric == "df.bytes.total").map(|item| item.value).sum();
    assert_eq!(value(&items, "df.statistics.total"), sum);
}

#[test]
fn of_mounts_and_interfaces_only_the_chosen_ones() {
    let host = Host::typical();
    let mut config = names(&["falcon"]);
    config["collector"]["ifacePrefix"] = json!(["eth", "em"]);
    config["collector"]["mountPoint"] = json!(["/data", "/nowhere"]);
    let items = host.collect(&config);
    let tags = |metric: &str, key: &str| -> Vec<String> {
        items.iter().filter(|item| item.metric == metric).map(|item| tag(item, key).to_owned()).collect()
    };
    assert_eq!(tags("net.if.in.bytes", "iface"), ["eth0", "eth1"]);
    assert_eq!(tags("df.bytes.total", "mount"), ["/data"]);
}

/// One file that cannot be read costs its own metrics only.
#[test]
fn a_host_with_unreadable_files_still_tells_the_rest() {
    let host = Host::typical()
        .change("proc/net/dev", |_| "Inter-|   Receive\n  eth0: not numbers at all\n".to_owned())
        .change("proc/meminfo", |_| "MemTotal: lots\n".to_owned());
    fs::remove_file(host.root().join("proc/loadavg")).expect("removed");
    let items = host.collect(&names(&["falcon"]));
    let families: BTreeSet<&str> = items.iter().map(|item| item.metric.split('.').next().unwrap()).collect();
    assert_eq!(families, BTreeSet::from(["TcpExt", "agent", "cpu", "df", "disk", "kernel", "snmp", "ss"]));
}
