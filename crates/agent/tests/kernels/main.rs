//! Hosts of four kernels, each with the formats of its time and with what parsers stumble over: `fixtures/kernels`.
//!
//! Formats: proc(5) and the kernel's Documentation/filesystems/proc.rst, Documentation/admin-guide/iostats.rst. What each
//! host has beside its kernel: 3.10 partitions, aliases and values at the end of 32 bits; 4.18 a container's view beside
//! the host's (`proc/1`), values at the end of 64 bits and bad rows; 5.15 has 128 processors; 6.1 one, and no IPv4.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod exact;
mod lost;
mod steps;

use std::collections::BTreeMap;

use harness::golden::compare;
use harness::host::Host;
use harness::items::Item;
use serde_json::{Value, json};

const KERNELS: [&str; 4] = ["3.10", "4.18", "5.15", "6.1"];
/// 2^64 - 1 as a transfer keeps it.
const MOST: f64 = u64::MAX as f64;

/// What is off by default too, without a row for each of 128 processors.
fn config() -> Value {
    json!({
        "hostname": "h",
        "collector": {
            "process": ["java", "mysqld", "postgres", "a) S (b", "systemd-journald", "defunct one", "nobody"],
            "frequency": true,
            "diskDetails": true,
            "dfReady": true,
        }
    })
}

/// `metric` or `metric/tags` to the value.
fn values(items: &[Item]) -> BTreeMap<String, f64> {
    let name = |item: &Item| match item.tags.as_str() {
        "" => item.metric.clone(),
        tags => format!("{}/{tags}", item.metric),
    };
    items.iter().map(|item| (name(item), item.value)).collect()
}

#[test]
fn each_has_its_series() {
    std::thread::scope(|scope| {
        for kernel in KERNELS {
            scope.spawn(move || {
                let host = Host::with_kernel(kernel);
                compare(&format!("kernel-{kernel}"), &host, &host.collect(&config()));
            });
        }
    });
}

/// An agent in a container sees the host through `proc/1`; where that has no files the ones beside it have to do.
#[test]
fn the_network_is_that_of_process_1() {
    let host = Host::with_kernel("4.18");
    let said = values(&host.collect(&config()));
    assert!(said.contains_key("net.if.in.bytes/iface=ens3"));
    host.remove("proc/1/net");
    let said = values(&host.collect(&config()));
    assert_eq!(said.get("net.if.in.bytes/iface=lo"), Some(&500.0));
    assert_eq!(said.get("TcpExt.PruneCalled"), Some(&9.0));
    assert_eq!(said.get("ss.estab"), Some(&1.0));
    assert!(!said.contains_key("net.if.in.bytes/iface=ens3"));
}
