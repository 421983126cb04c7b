//! One reading of the host, with what it did since the one before: the kernel's own counters over the time that really passed.
//!
//! What cannot be read is absent and costs nothing else. Between two readings nothing is kept but what the difference needs.

use std::io;
use std::time::{Duration, Instant};

use falcon_sys::Host;
use falcon_sys::types::{CpuTimes, DiskIo, LoadAvg, MemInfo, NetIf};

use super::super::super::api::disk::{Probes, disks};
use super::top::{Process, Top};
use crate::collect::cpu::{Shares, shares};
use crate::collect::diskio::Device;
use crate::collect::float;
use crate::model::Platform;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub cpu: Option<Shares>,
    pub mem: Option<MemInfo>,
    pub load: Option<LoadAvg>,
    pub queue: Option<u64>,
    /// Bytes received and sent a second.
    pub net: Option<[f64; 2]>,
    pub disk: Option<Disk>,
    /// `None`: not read this time.
    pub top: Option<Vec<Process>>,
}

/// All whole devices together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Disk {
    /// Bytes a second.
    pub read: f64,
    pub write: f64,
    /// Of the busiest one, in percent.
    pub util: f64,
}

/// What the next reading is compared with.
pub(super) struct Sampler {
    host: Host,
    probes: Probes<DiskIo>,
    at: Option<Instant>,
    cpu: Option<CpuTimes>,
    net: Vec<NetIf>,
    disks: Vec<DiskIo>,
    top: Top,
}

impl Sampler {
    pub fn new(host: Host, probes: Probes<DiskIo>) -> Sampler {
        let (net, disks, top) = (Vec::new(), Vec::new(), Top::default());
        Sampler { host, probes, at: None, cpu: None, net, disks, top }
    }

    pub fn read(&mut self) -> Reading {
        let now = Instant::now();
        let elapsed = self.at.replace(now).map(|before| now - before);
        Reading {
            cpu: self.cpu(),
            mem: self.host.mem_info().ok(),
            load: self.host.load_avg().ok(),
            queue: self.host.run_queue().ok(),
            net: self.net(elapsed),
            disk: self.disk(elapsed),
            top: self.top.read(&mut self.host, now),
        }
    }

    fn cpu(&mut self) -> Option<Shares> {
        let now = self.host.cpu_stat().ok()?.times;
        let before = self.cpu.replace(now)?;
        (before != now).then(|| shares(&before, &now, Platform::CURRENT))
    }

    fn net(&mut self, elapsed: Option<Duration>) -> Option<[f64; 2]> {
        let mut now = Vec::new();
        // What a host has beyond the most that is read is no network card.
        let _extent = self.host.net_ifs(&mut now).ok()?;
        retain_cards(&mut now, Platform::CURRENT);
        let before = std::mem::replace(&mut self.net, now);
        let seconds = elapsed?.as_secs_f64();
        (seconds > 0.0).then(|| traffic(&before, &self.net).map(|bytes| float(bytes) / seconds))
    }

    fn disk(&mut self, elapsed: Option<Duration>) -> Option<Disk> {
        let read: io::Result<_> = disks(&mut self.host, &self.probes);
        let mut now = read.ok()?;
        retain_whole(&mut now);
        let before = std::mem::replace(&mut self.disks, now);
        together(&before, &self.disks, elapsed?, Platform::CURRENT)
    }
}

/// Leaves the network cards. What passes a bridge, a bond, a VLAN or a tunnel passes a card as well and would be counted twice;
/// where nothing is a card, as in a container, all but the loopback is left.
fn retain_cards(all: &mut Vec<NetIf>, platform: Platform) {
    let is_card = |of: &NetIf| match platform {
        Platform::Linux => !is_virtual(&of.name),
        Platform::Windows => of.hardware,
    };
    let any = all.iter().any(is_card);
    all.retain(|of| if any { is_card(of) } else { of.name != "lo" });
}

/// By its name, as the programs give them that make such interfaces.
fn is_virtual(name: &str) -> bool {
    const KINDS: [&str; 22] = [
        "bond", "br-", "cali", "cilium", "cni", "docker", "dummy", "flannel", "ifb", "ip6tnl", "kube", "lxc",
        "macvtap", "ovs", "sit", "tap", "team", "tun", "veth", "virbr", "vnet", "wg",
    ];
    let is_bridge = || name.strip_prefix("br").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name == "lo"
        || name.contains(['.', '@'])
        || name.starts_with("vlan")
        || KINDS.iter().any(|kind| name.starts_with(kind))
        || is_bridge()
}

/// What came in and went out in between. A card that was not there before, and counts that step back, are nothing.
fn traffic(before: &[NetIf], now: &[NetIf]) -> [u64; 2] {
    let gained = now.iter().filter_map(|now| {
        let before = before.iter().find(|before| before.id == now.id && before.name == now.name)?;
        Some([now.in_bytes.saturating_sub(before.in_bytes), now.out_bytes.saturating_sub(before.out_bytes)])
    });
    gained.fold([0, 0], |[a, b], [c, d]| [a.saturating_add(c), b.saturating_add(d)])
}

/// Leaves whole devices: of some kinds the Go agent shows partitions beside them.
fn retain_whole(all: &mut Vec<DiskIo>) {
    let names: Vec<String> = all.iter().map(|disk| disk.name.clone()).collect();
    all.retain(|disk| !names.iter().any(|whole| is_part(&disk.name, whole)));
}

fn is_part(name: &str, whole: &str) -> bool {
    let Some(rest) = name.strip_prefix(whole) else { return false };
    let rest = if whole.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p') } else { Some(rest) };
    rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `None`: there is no device of which two readings are known.
fn together(before: &[DiskIo], now: &[DiskIo], elapsed: Duration, platform: Platform) -> Option<Disk> {
    let intervals = now.iter().filter_map(|now| {
        let before = before.iter().find(|before| before.name == now.name)?;
        Device::new(before, platform).advance(now, Some(elapsed), platform)
    });
    intervals.fold(None, |sum: Option<Disk>, of| {
        let sum = sum.unwrap_or(Disk { read: 0.0, write: 0.0, util: 0.0 });
        Some(Disk {
            read: sum.read + of.per_second(of.grown.read_bytes),
            write: sum.write + of.per_second(of.grown.written_bytes),
            util: sum.util.max(of.util()),
        })
    })
}

#[cfg(test)]
mod tests;
