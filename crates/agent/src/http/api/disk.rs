//! Space of the mounted file systems, and what disks did over one second. Each mount and each drive is asked for itself: one
//! that hangs is left out until it answers.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::Host;
use falcon_sys::types::{DiskIo, Mount, VolumeUsage};

use super::super::Site;
use super::super::answer::Response;
use super::{Fact, Told, told};
use crate::collect::df::shown_on_linux;
use crate::collect::diskio::{Device, Interval, is_shown};
use crate::collect::{float, percent};
use crate::isolate::{Isolated, Outcome};
use crate::model::Platform;

/// A healthy one answers in microseconds; one slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_millis(500);
/// After this one counts as hung.
const DEADLINE: Duration = Duration::from_secs(3);
/// For all of it: the list, what is asked, and of disks a second reading.
const WHOLE: Duration = Duration::from_secs(8);
const SECOND: Duration = Duration::from_secs(1);

type Rows<const N: usize> = Vec<[String; N]>;

/// Those that hang are remembered.
pub(in crate::http) type Probes<T> = Arc<Mutex<Isolated<io::Result<T>>>>;

pub(super) struct Df {
    fact: Arc<Fact<Rows<11>>>,
    probes: Probes<VolumeUsage>,
}

impl Df {
    pub fn new() -> Df {
        Df { fact: Fact::new("page df"), probes: Arc::new(Mutex::new(Isolated::new("page df"))) }
    }
}

pub(super) async fn df(site: Arc<Site>) -> Response {
    let (probes, mut host) = (site.facts.df.probes.clone(), site.facts.host.clone());
    told(site.facts.df.fact.tell(WHOLE, move || spaces(&mut host, &probes)).await)
}

fn spaces(host: &mut Host, probes: &Probes<VolumeUsage>) -> Told<Rows<11>> {
    let mut mounts = Vec::new();
    // What a host has beyond the most that is read does not fit on a page either.
    let _extent = host.mounts(&mut mounts).map_err(|error| error.to_string())?;
    match Platform::CURRENT {
        Platform::Linux => mounts = shown_on_linux(mounts),
        Platform::Windows => mounts.retain(|mount| !mount.removable),
    }
    let jobs = mounts.iter().map(|mount| {
        let asked = mount.clone();
        let key = format!("{}\0{}\0{}", mount.device, mount.mount, mount.fstype);
        (key, move || falcon_sys::volume_usage(&asked))
    });
    let answers = lock(probes).run_all(jobs.collect(), PATIENCE, DEADLINE);
    let answered = mounts.iter().zip(answers).filter_map(|(mount, (_, outcome))| Some((mount, read(outcome)?)));
    Ok(answered.map(|(mount, usage)| space(mount, &usage)).collect())
}

fn lock<T>(probes: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    probes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(outcome: Outcome<io::Result<T>>) -> Option<T> {
    match outcome {
        Outcome::Done(answer) => answer.ok(),
        Outcome::Panicked | Outcome::Late { .. } | Outcome::NoThread(_) => None,
    }
}

pub(super) fn space(mount: &Mount, usage: &VolumeUsage) -> [String; 11] {
    let fstype = if usage.fstype.is_empty() { &mount.fstype } else { &usage.fstype };
    let inodes = usage.inodes.unwrap_or_default();
    let share = |part: u64, whole: u64| format!("{:.1}%", percent(float(part), float(whole)));
    [
        mount.device.clone(),
        size(usage.total_bytes),
        size(usage.used_bytes),
        size(usage.free_bytes),
        share(usage.used_bytes, usage.used_bytes.saturating_add(usage.free_bytes)),
        mount.mount.clone(),
        size(inodes.total),
        size(inodes.used),
        size(inodes.free),
        share(inodes.used, inodes.total),
        fstype.clone(),
    ]
}

/// The Go agent's way for bytes, and for inodes too.
pub(super) fn size(amount: u64) -> String {
    let mut left = float(amount);
    for unit in ["B", "K", "M", "G", "T", "P"] {
        if left < 1024.0 {
            return format!("{left:.1}{unit}");
        }
        left /= 1024.0;
    }
    "TooLarge".to_owned()
}

pub(super) struct Disks {
    fact: Arc<Fact<Option<Rows<12>>>>,
    probes: Probes<DiskIo>,
}

impl Disks {
    pub fn new() -> Disks {
        Disks { fact: Fact::new("page disks"), probes: Arc::new(Mutex::new(Isolated::new("page disks"))) }
    }

    /// For whoever else reads them: a drive that hangs has one thread.
    pub fn probes(&self) -> Probes<DiskIo> {
        self.probes.clone()
    }
}

pub(super) async fn io(site: Arc<Site>) -> Response {
    let (probes, mut host) = (site.facts.disks.probes.clone(), site.facts.host.clone());
    let rows = move || {
        let mut read = || disks(&mut host, &probes).map(|(disks, _)| disks).map_err(|error| error.to_string());
        let (before, at) = (read()?, Instant::now());
        thread::sleep(SECOND);
        let (now, elapsed) = (read()?, at.elapsed());
        Ok(rows(&before, &now, elapsed, Platform::CURRENT))
    };
    told(site.facts.disks.fact.tell(WHOLE, rows).await)
}

/// The whole devices, and whether each has answered in time.
pub(in crate::http) fn disks(host: &mut Host, probes: &Probes<DiskIo>) -> io::Result<(Vec<DiskIo>, bool)> {
    match Platform::CURRENT {
        Platform::Linux => {
            let mut table = Vec::new();
            match host.disk_stats(&mut table) {
                // Some containers have no such table.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => drop(read?),
            }
            table.retain(is_shown);
            Ok((table, true))
        }
        Platform::Windows => {
            let jobs = host.drives()?.physical.into_iter().map(|name| {
                let asked = name.clone();
                (name, move || falcon_sys::disk_io(&asked))
            });
            let answers = lock(probes).run_all(jobs.collect(), PATIENCE, DEADLINE);
            let all = answers.iter().all(|(_, outcome)| matches!(outcome, Outcome::Done(_)));
            Ok((answers.into_iter().filter_map(|(_, outcome)| read(outcome)).collect(), all))
        }
    }
}

/// `None`, which is `null`, where there is no disk: the Go agent's list that was never begun.
pub(super) fn rows(before: &[DiskIo], now: &[DiskIo], elapsed: Duration, platform: Platform) -> Option<Rows<12>> {
    let first: HashMap<&str, &DiskIo> = before.iter().map(|disk| (disk.name.as_str(), disk)).collect();
    let rows: Rows<12> = now
        .iter()
        .filter_map(|disk| {
            let mut device = Device::new(first.get(disk.name.as_str())?, platform);
            Some(row(&disk.name, &device.advance(disk, Some(elapsed), platform)?))
        })
        .collect();
    (!rows.is_empty()).then_some(rows)
}

fn row(name: &str, interval: &Interval) -> [String; 12] {
    let grown = &interval.grown;
    let whole = |count: u64| format!("{:.0}", interval.per_second(count));
    let kilobytes = |bytes: u64| format!("{:.2}", interval.per_second(bytes) / 1024.0);
    let precise = |value: f64| format!("{value:.2}");
    [
        name.to_owned(),
        whole(grown.reads_merged),
        whole(grown.writes_merged),
        whole(grown.reads),
        whole(grown.writes),
        kilobytes(grown.read_bytes),
        kilobytes(grown.written_bytes),
        precise(interval.request_sectors()),
        precise(interval.queue(grown.weighted_us)),
        precise(interval.await_ms()),
        precise(interval.svctm_ms()),
        format!("{:.2}%", interval.util()),
    ]
}
