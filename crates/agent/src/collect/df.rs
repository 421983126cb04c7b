//! `df.*`: space of mounted file systems and volumes.
//!
//! Linux: `/proc/mounts` and statvfs. Windows: fixed volumes and GetDiskFreeSpaceExW. Every mount is a unit of its own:
//! one that does not answer (a dead NFS server) is given up alone and not asked again until it has come back.

mod choice;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use falcon_sys::Host;
use falcon_sys::types::{Extent, Mount, VolumeUsage};

use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec, float, percent};
use crate::config::Config;
use crate::isolate::{Isolated, LEFT_ALONE, Outcome};
use crate::model::{Metric, On, Platform, Sets, Tags};
use crate::stats::Stats;
pub(crate) use choice::shown_on_linux;
use choice::{leave_out_namesakes, named, wanted};
use volumes::Volumes;

/// A healthy mount answers in microseconds; one slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a mount counts as hung.
const DEADLINE: Duration = Duration::from_secs(5);

/// Drives whose medium can be taken out; without one they say nothing.
const REMOVABLE: &str = "removable";

const SPACE: &str = "statvfs; GetDiskFreeSpaceExW";
const MOUNT: &[&str] = &["mount", "fstype"];
const DISK: &[&str] = &["disk"];

const fn go(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::GO, SPACE).tags(MOUNT).help(help)
}
const fn inodes(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::FALCON, "statvfs").tags(MOUNT).on(On::Linux).help(help)
}
const fn python(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::WINDOWS_AGENT, SPACE).tags(DISK).help(help)
}
const fn sum(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::GO, SPACE).help(help)
}

const TOTAL: Metric = go("df.bytes.total", "B", "size");
const USED: Metric = go("df.bytes.used", "B", "in use");
const FREE: Metric = go("df.bytes.free", "B", "that an ordinary user can still write");
const USED_PERCENT: Metric = go("df.bytes.used.percent", "%", "used of used + free");
const FREE_PERCENT: Metric = go("df.bytes.free.percent", "%", "100 - used");
const INODES_TOTAL: Metric = inodes("df.inodes.total", "inodes", "all");
const INODES_USED: Metric = inodes("df.inodes.used", "inodes", "in use");
const INODES_FREE: Metric = inodes("df.inodes.free", "inodes", "left");
const INODES_USED_PERCENT: Metric = inodes("df.inodes.used.percent", "%", "used of all");
const INODES_FREE_PERCENT: Metric = inodes("df.inodes.free.percent", "%", "100 - used");
const SUM_TOTAL: Metric = sum("df.statistics.total", "B", "size of all mounts shown");
const SUM_USED: Metric = sum("df.statistics.used", "B", "in use on all mounts shown");
const SUM_USED_PERCENT: Metric = sum("df.statistics.used.percent", "%", "used of total, all mounts shown");
const READY: Metric = Metric::gauge("df.ready", "1", Sets::EXTENDED, SPACE)
    .tags(&["mount"])
    .option("dfReady")
    .help("1 when the volume answered, 0 when it failed or does not answer");
const PY_TOTAL: Metric = python("df.byte.total", "B", "size");
const PY_USED: Metric = python("df.byte.used", "B", "in use");
const PY_FREE: Metric = python("df.byte.free", "B", "that an ordinary user can still write");
const PY_USED_PERCENT: Metric = python("df.used.percent", "%", "used of used + free");

pub(super) const SPEC: Spec = Spec {
    name: "df",
    check: "df.bytes",
    lane: Lane::Df,
    rates: false,
    metrics: &[
        TOTAL,
        USED,
        FREE,
        USED_PERCENT,
        FREE_PERCENT,
        INODES_TOTAL,
        INODES_USED,
        INODES_FREE,
        INODES_USED_PERCENT,
        INODES_FREE_PERCENT,
        SUM_TOTAL,
        SUM_USED,
        SUM_USED_PERCENT,
        READY,
        PY_TOTAL,
        PY_USED,
        PY_FREE,
        PY_USED_PERCENT,
    ],
    options: &[REMOVABLE],
    open: |cx: &Context| {
        Ok(Some(Box::new(Df {
            host: cx.host.clone(),
            volumes: Volumes::new(&cx.host, cx.stats.clone()),
            config: cx.config.clone(),
            guard: Guard::new(Guarded::Volumes, &cx.config, &cx.stats),
            stats: cx.stats.clone(),
            probes: Isolated::new("df"),
        })))
    },
};

type Answer = std::io::Result<VolumeUsage>;

struct Df {
    host: Host,
    volumes: Volumes,
    config: Arc<Config>,
    guard: Guard,
    stats: Arc<Stats>,
    probes: Isolated<Answer>,
}

impl Collector for Df {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let mounts = match Platform::CURRENT {
            Platform::Linux => {
                let mut mounts = Vec::new();
                if self.host.mounts(&mut mounts)? == Extent::Cut {
                    cx.problem("mounts", format!("only the first {} are read", mounts.len()));
                }
                shown_on_linux(mounts)
            }
            Platform::Windows => self.volumes.list(cx)?,
        };
        let mut mounts = wanted(mounts, &self.config.collector.mount_point, Platform::CURRENT, cx);
        let removable = self.config.collector.is_on(REMOVABLE, false);
        mounts.retain(|mount| removable || !mount.removable);
        leave_out_namesakes(cx, &mut mounts);
        self.guard.apply(cx, &mut mounts, |mount| mount.mount.clone(), |_| 0);
        let jobs = mounts.iter().map(|mount| {
            let asked = mount.clone();
            // Another file system on the same point is not the one that hangs.
            let key = format!("{}\0{}\0{}", mount.device, mount.mount, mount.fstype);
            (key, move || falcon_sys::volume_usage(&asked))
        });
        let answers = self.probes.run_all(jobs.collect(), PATIENCE, DEADLINE);
        report(cx, &mounts, answers, &self.stats);
        Ok(())
    }
}

fn report(cx: &mut Cx<'_>, mounts: &[Mount], answers: Vec<(String, Outcome<Answer>)>, stats: &Stats) {
    let (mut total, mut used) = (0.0, 0.0);
    for (mount, (_, outcome)) in mounts.iter().zip(answers) {
        let answer = outcome.answer(LEFT_ALONE, &stats.collect_hung);
        cx.emit(&READY, &Tags::of(&[("mount", &mount.mount)]), f64::from(u8::from(answer.is_ok())));
        match answer {
            Ok(usage) if usage.total_bytes == 0 => {}
            Ok(usage) => {
                total += float(usage.total_bytes);
                used += float(usage.used_bytes);
                emit(cx, mount, &usage);
            }
            // A volume that BitLocker holds locked, or a drive without a medium, is no fault of this host.
            Err(error) if is_quiet(&error) => {}
            Err(error) => cx.problem(named(mount), error),
        }
    }
    if total > 0.0 {
        cx.emit(&SUM_TOTAL, &Tags::NONE, total);
        cx.emit(&SUM_USED, &Tags::NONE, used);
        cx.emit(&SUM_USED_PERCENT, &Tags::NONE, percent(used, total));
    }
}

fn is_quiet(error: &std::io::Error) -> bool {
    /// `ERROR_NOT_READY`, and `FVE_E_LOCKED_VOLUME` as Win32 code.
    const QUIET: [i32; 2] = [21, 0x8031_0000_u32.cast_signed()];
    Platform::CURRENT == Platform::Windows && error.raw_os_error().is_some_and(|code| QUIET.contains(&code))
}

fn emit(cx: &mut Cx<'_>, mount: &Mount, usage: &VolumeUsage) {
    let fstype = if usage.fstype.is_empty() { &mount.fstype } else { &usage.fstype };
    let tags = Tags::of(&[("mount", &mount.mount), ("fstype", fstype)]);
    let (total, used, free) = (float(usage.total_bytes), float(usage.used_bytes), float(usage.free_bytes));
    let used_percent = percent(used, used + free);
    cx.emit(&TOTAL, &tags, total);
    cx.emit(&USED, &tags, used);
    cx.emit(&FREE, &tags, free);
    cx.emit(&USED_PERCENT, &tags, used_percent);
    cx.emit(&FREE_PERCENT, &tags, 100.0 - used_percent);
    if let Some(inodes) = usage.inodes {
        let (total, used, free) = (float(inodes.total), float(inodes.used), float(inodes.free));
        let used_percent = percent(used, total);
        cx.emit(&INODES_TOTAL, &tags, total);
        cx.emit(&INODES_USED, &tags, used);
        cx.emit(&INODES_FREE, &tags, free);
        cx.emit(&INODES_USED_PERCENT, &tags, used_percent);
        cx.emit(&INODES_FREE_PERCENT, &tags, 100.0 - used_percent);
    }
    // The Python agent lists drives and disks: neither volumes mounted in folders nor exports of a server.
    let Some(disk) = disk(&mount.device) else { return };
    let tags = Tags::of(&[("disk", disk)]);
    cx.emit(&PY_TOTAL, &tags, total);
    cx.emit(&PY_USED, &tags, used);
    cx.emit(&PY_FREE, &tags, free);
    cx.emit(&PY_USED_PERCENT, &tags, used_percent);
}

/// `C` of `C:`, a device file as it is.
fn disk(device: &str) -> Option<&str> {
    match device.strip_suffix(':') {
        Some(drive) if drive.len() == 1 => Some(drive),
        _ => device.starts_with("/dev/").then_some(device),
    }
}

#[cfg(test)]
mod tests;
