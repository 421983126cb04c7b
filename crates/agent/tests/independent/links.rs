//! Interfaces, as sysfs shows them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{Facts, collect, compare, exactly, names, text};

/// Of this network; some entries of the directory are no links.
pub fn interfaces() -> BTreeSet<String> {
    let all = names("/sys/class/net");
    all.into_iter().filter(|name| Path::new(&format!("/sys/class/net/{name}/statistics")).is_dir()).collect()
}

/// net/core/net-sysfs.c has a file for each count of dev_get_stats(); net/core/net-procfs.c shows these sums of them.
const SUMS: [(&str, &[&str]); 16] = [
    ("in.bytes", &["rx_bytes"]),
    ("in.packets", &["rx_packets"]),
    ("in.errors", &["rx_errors"]),
    ("in.dropped", &["rx_dropped", "rx_missed_errors"]),
    ("in.fifo.errs", &["rx_fifo_errors"]),
    ("in.frame.errs", &["rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors"]),
    ("in.compressed", &["rx_compressed"]),
    ("in.multicast", &["multicast"]),
    ("out.bytes", &["tx_bytes"]),
    ("out.packets", &["tx_packets"]),
    ("out.errors", &["tx_errors"]),
    ("out.dropped", &["tx_dropped"]),
    ("out.fifo.errs", &["tx_fifo_errors"]),
    ("out.collisions", &["collisions"]),
    ("out.carrier.errs", &["tx_carrier_errors", "tx_aborted_errors", "tx_window_errors", "tx_heartbeat_errors"]),
    ("out.compressed", &["tx_compressed"]),
];

fn facts() -> Facts {
    let mut facts = Facts::new();
    for name in interfaces() {
        let count = |file: &str| -> f64 {
            let path = format!("/sys/class/net/{name}/statistics/{file}");
            text(&path).trim().parse().unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        for (metric, files) in SUMS {
            let sum = files.iter().map(|file| count(file)).sum();
            facts.insert(format!("net.if.{metric}/iface={name}"), exactly(sum));
        }
        for (metric, unit) in [("bytes", 1.0), ("bits", 8.0)] {
            let (received, sent) = (count("rx_bytes") * unit, count("tx_bytes") * unit);
            facts.insert(format!("net.if.in.{metric}/iface={name}"), exactly(received));
            facts.insert(format!("net.if.out.{metric}/iface={name}"), exactly(sent));
            facts.insert(format!("net.if.total.{metric}/iface={name}"), exactly(received + sent));
        }
    }
    facts
}

#[test]
fn interfaces_count_what_sysfs_counts() {
    compare("netif", facts);
}

#[test]
fn no_interface_is_invented_or_left_out() {
    let items = collect(&["--only", "netif"]);
    let said: BTreeSet<String> = items.into_iter().map(|item| item.tags).collect();
    let expected: BTreeSet<String> = interfaces().into_iter().map(|name| format!("iface={name}")).collect();
    assert!(!expected.is_empty(), "every network has lo");
    assert_eq!(said, expected);
}
