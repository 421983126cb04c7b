//! Readings with made-up counters, and two of this host.

use super::*;
use std::sync::{Arc, Mutex};

use crate::isolate::Isolated;

fn card(name: &str, received: u64, sent: u64) -> NetIf {
    NetIf { name: name.to_owned(), in_bytes: received, out_bytes: sent, hardware: true, ..NetIf::default() }
}

fn cards(names: &[&str], platform: Platform) -> Vec<String> {
    let mut all: Vec<NetIf> = names.iter().map(|name| card(name, 0, 0)).collect();
    all.iter_mut().for_each(|of| of.hardware = !of.name.starts_with("vEthernet"));
    retain_cards(&mut all, platform);
    all.into_iter().map(|of| of.name).collect()
}

#[test]
fn what_passes_a_bridge_or_a_bond_is_counted_at_the_card() {
    let all =
        ["lo", "eth0", "eno1", "bond0", "br0", "br-1f", "docker0", "veth1@if2", "eth0.7", "vlan5", "tun0", "wlan0"];
    assert_eq!(cards(&all, Platform::Linux), ["eth0", "eno1", "wlan0"]);
    assert_eq!(cards(&["lo", "bond0"], Platform::Linux), ["bond0"], "of a container that sees nothing else");
    assert_eq!(cards(&["brcm0", "bridge7"], Platform::Linux), ["brcm0", "bridge7"], "somebody's own names");
    assert_eq!(cards(&["Ethernet 2", "vEthernet (nat)"], Platform::Windows), ["Ethernet 2"]);
}

#[test]
fn a_card_that_came_or_began_anew_makes_no_peak() {
    let before = [card("eth0", 100, 50), card("eth1", 1000, 1000)];
    let now = [card("eth0", 300, 60), card("eth1", 5, 2000), card("eth2", 1 << 40, 1 << 40)];
    assert_eq!(traffic(&before, &now), [200, 1010]);
}

#[test]
fn a_partition_is_not_counted_beside_its_disk() {
    let names = ["nvme0n1", "nvme0n1p1", "nvme0n10", "xvda", "xvda1", "xvdb1", "sda"];
    let mut all: Vec<DiskIo> =
        names.iter().map(|name| DiskIo { name: (*name).to_owned(), ..DiskIo::default() }).collect();
    retain_whole(&mut all);
    let left: Vec<&str> = all.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(left, ["nvme0n1", "nvme0n10", "xvda", "xvdb1", "sda"]);
}

#[test]
fn disks_add_up_and_the_busiest_tells_how_busy() {
    let disk = |name: &str, read: u64, written: u64, busy_us: u64| DiskIo {
        name: name.to_owned(),
        read_bytes: read,
        written_bytes: written,
        busy_us,
        ..DiskIo::default()
    };
    let before = [disk("sda", 0, 0, 0), disk("sdb", 512, 0, 0)];
    let now = [disk("sda", 2048, 1024, 500_000), disk("sdb", 512, 4096, 1_000_000), disk("sdc", 1 << 40, 0, 0)];
    let sum = together(&before, &now, Duration::from_secs(2), Platform::Linux);
    assert_eq!(sum, Some(Disk { read: 1024.0, write: 2560.0, util: 50.0 }));
    assert_eq!(together(&[], &now, Duration::from_secs(2), Platform::Linux), None);
}

#[test]
fn the_second_reading_of_this_host_has_rates() {
    let probes = Arc::new(Mutex::new(Isolated::new("test")));
    let mut sampler = Sampler::new(Host::new("/"), probes);
    let first = sampler.read();
    assert!(first.cpu.is_none() && first.net.is_none() && first.disk.is_none() && first.top.is_none());
    assert!(first.mem.is_some_and(|mem| mem.total_bytes > 0));
    // The kernel's times go on by hundredths of a second.
    let second = loop {
        let reading = sampler.read();
        if reading.cpu.is_some() {
            break reading;
        }
    };
    assert!((0.0..=100.0).contains(&second.cpu.unwrap().busy));
    assert!(second.net.is_some_and(|net| net.iter().all(|rate| *rate >= 0.0)));
}
