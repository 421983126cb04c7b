//! Readings with made-up counters, and two of this host.

use super::*;
use std::sync::{Arc, Mutex};

use crate::isolate::Isolated;

fn card(name: &str, received: u64, sent: u64) -> NetIf {
    NetIf { name: name.to_owned(), in_bytes: received, out_bytes: sent, hardware: true, ..NetIf::default() }
}

fn cards(kinds: &[(&str, NetKind)]) -> Vec<String> {
    let mut all: Vec<NetIf> = kinds.iter().map(|(name, _)| card(name, 0, 0)).collect();
    let kinds: Vec<_> = kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    retain_cards(&mut all, &kinds);
    all.into_iter().map(|of| of.name).collect()
}

/// A list of names knew neither Proxmox's vmbr0 nor ppp0 nor tailscale0: a transfer was shown twice as fast as it was.
#[test]
fn what_passes_a_bridge_or_a_tunnel_is_counted_at_the_card() {
    use NetKind::{Alone, Card, Made};
    assert_eq!(
        cards(&[("lo", Made), ("eth0", Card), ("vmbr0", Made), ("ppp0", Alone), ("wlan0", Card)]),
        ["eth0", "wlan0"]
    );
    assert_eq!(cards(&[("lo", Made), ("eth0", Alone), ("docker0", Made)]), ["eth0"], "of a container");
}

/// To look at 2,000 interfaces each second would need the lock that whoever changes one needs.
#[test]
fn what_an_interface_is_is_looked_up_once() {
    let probes = Arc::new(Mutex::new(Isolated::new("test")));
    let mut sampler = Sampler::new(Host::new("/"), probes, None);
    sampler.kinds = vec![("gone".to_owned(), NetKind::Card), ("known".to_owned(), NetKind::Card)];
    sampler.look_up(&[card("new", 0, 0), card("known", 0, 0)]);
    let known: Vec<_> = sampler.kinds.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((known, sampler.kinds[1].1), (vec!["new", "known"], NetKind::Card));
    sampler.look_up(&[card("known", 0, 0)]);
    assert_eq!(sampler.kinds, [("known".to_owned(), NetKind::Card)]);
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
    let of = ["sda", "sdb"].map(str::to_owned).to_vec();
    assert_eq!(sum, Some(Disk { read: 1024.0, write: 2560.0, util: 50.0, of }));
    assert_eq!(together(&[], &now, Duration::from_secs(2), Platform::Linux), None);
}

#[test]
fn the_second_reading_of_this_host_has_rates() {
    let probes = Arc::new(Mutex::new(Isolated::new("test")));
    let mut sampler = Sampler::new(Host::new("/"), probes, None);
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
    assert!(second.net.is_some_and(|net| net.received >= 0.0 && net.sent >= 0.0));
}

/// What came while the table could not be read was shown as of one second: a peak of six times.
#[test]
fn what_could_not_be_read_is_compared_with_nothing() {
    let probes = Arc::new(Mutex::new(Isolated::new("test")));
    let mut sampler = Sampler::new(Host::new("/"), probes, None);
    sampler.read();
    assert!(sampler.net.is_some());
    let here = std::mem::replace(&mut sampler.host, Host::new("/nowhere"));
    // Of Windows every host is this one.
    let reads = Platform::CURRENT == Platform::Windows;
    assert_eq!((sampler.read().net.is_some(), sampler.net.is_some()), (reads, reads));
    sampler.host = here;
    assert_eq!((sampler.read().net.is_some(), sampler.net.is_some()), (reads, true));
}
