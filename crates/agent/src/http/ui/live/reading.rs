//! One reading of the host, with what it did since the one before: the kernel's own counters over the time that really passed.
//!
//! What cannot be read is absent and costs nothing else. Between two readings nothing is kept but what the difference needs.

use std::time::{Duration, Instant};

use falcon_sys::Host;
use falcon_sys::types::{CpuStat, CpuTimes, DiskIo, LoadAvg, MemInfo, NetIf, NetKind};

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
    pub net: Option<Net>,
    pub disk: Option<Disk>,
    /// `None`: not read this time.
    pub top: Option<Vec<Process>>,
}

/// All network cards together.
#[derive(Debug, PartialEq)]
pub(super) struct Net {
    /// Bytes a second.
    pub received: f64,
    pub sent: f64,
    /// Their names.
    pub of: Vec<String>,
}

/// All whole devices together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Disk {
    /// Bytes a second.
    pub read: f64,
    pub write: f64,
    /// Of the busiest one, in percent.
    pub util: f64,
    /// Their names.
    pub of: Vec<String>,
}

/// What the next reading is compared with; of a table that could not be read there is none.
pub(super) struct Sampler {
    host: Host,
    probes: Probes<DiskIo>,
    cpu: Option<CpuTimes>,
    net: Option<(Instant, Vec<NetIf>)>,
    disks: Option<(Instant, Vec<DiskIo>)>,
    /// What each interface is that was there last, in the order of the table: it is looked up once.
    kinds: Vec<(String, NetKind)>,
    top: Top,
}

impl Sampler {
    /// `list_due`: when processes may be listed.
    pub fn new(host: Host, probes: Probes<DiskIo>, list_due: Option<Instant>) -> Sampler {
        let mut top = Top::default();
        top.due = list_due;
        Sampler { host, probes, cpu: None, net: None, disks: None, kinds: Vec::new(), top }
    }

    pub fn list_due(&self) -> Option<Instant> {
        self.top.due
    }

    pub fn read(&mut self) -> Reading {
        let (cpu, running) = self.cpu().unwrap_or_default();
        let top = self.top.read(&mut self.host, Instant::now());
        Reading {
            cpu,
            mem: self.host.mem_info().ok(),
            load: self.host.load_avg().ok(),
            queue: running.or(self.top.ready),
            net: self.net(),
            disk: self.disk(),
            top,
        }
    }

    /// With how many threads run or wait, where that is told too.
    fn cpu(&mut self) -> Option<(Option<Shares>, Option<u64>)> {
        let CpuStat { times: now, running, .. } = self.host.cpu_stat().ok()?;
        let before = self.cpu.replace(now).filter(|before| *before != now);
        Some((before.map(|before| shares(&before, &now, Platform::CURRENT)), running))
    }

    fn net(&mut self) -> Option<Net> {
        let (before, at, mut now) = (self.net.take(), Instant::now(), Vec::new());
        // What a host has beyond the most that is read is no network card.
        let _extent = self.host.net_counters(&mut now).ok()?;
        self.look_up(&now);
        retain_cards(&mut now, &self.kinds);
        let (_, now) = self.net.insert((at, now));
        let (since, before) = before?;
        let seconds = (at - since).as_secs_f64();
        let [received, sent] = traffic(&before, now).map(|bytes| float(bytes) / seconds);
        (seconds > 0.0).then(|| Net { received, sent, of: now.iter().map(|of| of.name.clone()).collect() })
    }

    fn look_up(&mut self, all: &[NetIf]) {
        let before = std::mem::take(&mut self.kinds);
        for (place, of) in all.iter().enumerate() {
            let is_same = |known: &&(String, NetKind)| known.0 == of.name;
            let known = before.get(place).filter(is_same).or_else(|| before.iter().find(is_same));
            let kind = known.map(|known| known.1);
            self.kinds.push((of.name.clone(), kind.unwrap_or_else(|| self.host.net_kind(of))));
        }
    }

    fn disk(&mut self) -> Option<Disk> {
        let (before, at) = (self.disks.take(), Instant::now());
        let (mut now, all) = disks(&mut self.host, &self.probes).ok()?;
        if !all {
            // The sum would be low without a word.
            return None;
        }
        retain_whole(&mut now);
        let (_, now) = self.disks.insert((at, now));
        let (since, before) = before?;
        together(&before, now, at - since, Platform::CURRENT)
    }
}

/// Leaves the network cards: what passes a bridge, a bond, a VLAN or a tunnel passes a card as well and would be counted twice.
/// Where nothing is a card, as in a container, what stands alone is left.
fn retain_cards(all: &mut Vec<NetIf>, kinds: &[(String, NetKind)]) {
    let any = kinds.iter().any(|(_, kind)| *kind == NetKind::Card);
    let wanted = if any { NetKind::Card } else { NetKind::Alone };
    let mut kinds = kinds.iter();
    all.retain(|_| kinds.next().is_some_and(|(_, kind)| *kind == wanted));
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
    let mut sum: Option<Disk> = None;
    for now in now {
        let Some(before) = before.iter().find(|before| before.name == now.name) else { continue };
        let Some(of) = Device::new(before, platform).advance(now, Some(elapsed), platform) else { continue };
        let sum = sum.get_or_insert_default();
        sum.read += of.per_second(of.grown.read_bytes);
        sum.write += of.per_second(of.grown.written_bytes);
        sum.util = sum.util.max(of.util());
        sum.of.push(now.name.clone());
    }
    sum
}

#[cfg(test)]
mod tests;
