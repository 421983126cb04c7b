//! `df.*`: space of mounted file systems and volumes.
//!
//! Linux: `/proc/mounts` and statvfs. Windows: fixed volumes and GetDiskFreeSpaceExW. Every mount is a unit of its own:
//! one that does not answer (a dead NFS server) is given up alone and not asked again until it has come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use falcon_sys::Host;
use falcon_sys::types::{Mount, VolumeUsage};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::config::Config;
use crate::isolate::{Isolated, Outcome};
use crate::model::{Metric, On, Platform, Sets, Tags};
use crate::stats::Stats;

/// A healthy mount answers in microseconds; one slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a mount counts as hung.
const DEADLINE: Duration = Duration::from_secs(5);

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
        PY_TOTAL,
        PY_USED,
        PY_FREE,
        PY_USED_PERCENT,
    ],
    open: |cx: &Context| {
        Ok(Some(Box::new(Df {
            host: cx.host.clone(),
            config: cx.config.clone(),
            stats: cx.stats.clone(),
            probes: Isolated::new("df"),
        })))
    },
};

type Answer = std::io::Result<VolumeUsage>;

struct Df {
    host: Host,
    config: Arc<Config>,
    stats: Arc<Stats>,
    probes: Isolated<Answer>,
}

impl Collector for Df {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let mounts = self.host.mounts()?;
        let mounts = match Platform::CURRENT {
            Platform::Linux => shown_on_linux(mounts),
            Platform::Windows => mounts,
        };
        let mounts = wanted(mounts, &self.config.collector.mount_point, Platform::CURRENT, cx);
        let jobs = mounts.iter().map(|mount| {
            let asked = mount.clone();
            (mount.mount.clone(), move || falcon_sys::volume_usage(&asked))
        });
        let answers = self.probes.run_all(jobs.collect(), PATIENCE, DEADLINE);
        report(cx, &mounts, answers, &self.stats);
        Ok(())
    }
}

/// The Linux agent's choice of mounts: no pseudo file systems, and of several mounts of one device the shortest path.
fn shown_on_linux(all: Vec<Mount>) -> Vec<Mount> {
    const DEVICES: [&str; 5] = ["none", "nodev", "proc", "hugetlbfs", "mqueue"];
    const TYPES: [&str; 10] =
        ["cgroup", "debugfs", "devpts", "devtmpfs", "iso9660", "rpc_pipefs", "rootfs", "overlay", "tmpfs", "squashfs"];
    const PATHS: [&str; 5] = ["/sys", "/net", "/misc", "/proc", "/lib"];
    let mut by_device: BTreeMap<String, usize> = BTreeMap::new();
    let mut shown: Vec<Mount> = Vec::new();
    for mount in topmost(all) {
        if DEVICES.contains(&mount.device.as_str())
            || TYPES.contains(&mount.fstype.as_str())
            || mount.fstype.starts_with("fuse")
            || PATHS.iter().any(|path| mount.mount.starts_with(path))
        {
            continue;
        }
        if !mount.device.starts_with("/dev") {
            shown.push(mount);
            continue;
        }
        match by_device.get(&mount.device).and_then(|place| shown.get_mut(*place)) {
            Some(first) if mount.mount.len() < first.mount.len() => {
                (first.mount, first.path) = (mount.mount, mount.path);
            }
            Some(_) => {}
            None => {
                by_device.insert(mount.device.clone(), shown.len());
                shown.push(mount);
            }
        }
    }
    shown
}

/// Of several mounts on one point only the last can be reached: the others would be asked through it, and say its figures
/// a second time.
fn topmost(all: Vec<Mount>) -> Vec<Mount> {
    let last: BTreeMap<String, usize> = all.iter().enumerate().map(|(n, mount)| (mount.mount.clone(), n)).collect();
    all.into_iter().enumerate().filter(|(n, mount)| last.get(&mount.mount) == Some(n)).map(|(_, mount)| mount).collect()
}

/// `collector.mountPoint`: an exact list on both systems. On Windows `C:`, `c:\` and `C:/data/` are understood, and a list
/// that matches no volume (it was written for Linux) is ignored with a warning.
fn wanted(all: Vec<Mount>, list: &[String], platform: Platform, cx: &mut Cx<'_>) -> Vec<Mount> {
    if list.is_empty() {
        return all;
    }
    let same = |mount: &Mount, text: &String| match platform {
        Platform::Linux => mount.mount == *text,
        Platform::Windows => mount.mount.eq_ignore_ascii_case(text.replace('\\', "/").trim_end_matches('/')),
    };
    let chosen: Vec<Mount> = all.iter().filter(|mount| list.iter().any(|text| same(mount, text))).cloned().collect();
    if chosen.is_empty() && platform == Platform::Windows && !all.is_empty() {
        let names: Vec<_> = all.iter().map(|mount| mount.mount.as_str()).collect();
        let why = format!("matches no volume of this host ({}); it is ignored", names.join(", "));
        cx.remark("collector.mountPoint", why);
        return all;
    }
    chosen
}

fn report(cx: &mut Cx<'_>, mounts: &[Mount], answers: Vec<(String, Outcome<Answer>)>, stats: &Stats) {
    let (mut total, mut used) = (0.0, 0.0);
    for (mount, (_, outcome)) in mounts.iter().zip(answers) {
        let what = || format!("mount {}", mount.mount);
        match outcome {
            Outcome::Done(Ok(usage)) if usage.total_bytes == 0 => {}
            Outcome::Done(Ok(usage)) => {
                total += float(usage.total_bytes);
                used += float(usage.used_bytes);
                emit(cx, mount, &usage);
            }
            // A volume that BitLocker holds locked, or a drive without a medium, is no fault of this host.
            Outcome::Done(Err(error)) if is_quiet(&error) => {}
            Outcome::Done(Err(error)) => cx.problem(what(), error),
            Outcome::Panicked => cx.problem(what(), "the reader failed by a defect"),
            Outcome::NoThread(why) => cx.problem(what(), format!("no thread to ask on: {why}")),
            Outcome::Late { newly } => {
                if newly {
                    stats.collect_hung.add(1);
                }
                cx.problem(what(), "does not answer; it is left alone until it does");
            }
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
mod tests {
    use super::*;
    use crate::collect::{ALL, Collected, Plan};
    use crate::model::Tick;
    use falcon_sys::types::Inodes;

    fn with_cx<T>(sets: Sets, platform: Platform, run: impl FnOnce(&mut Cx<'_>) -> T) -> (T, Collected) {
        let plan = Plan::new(ALL, sets, platform);
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed: None }, &plan);
        let result = run(&mut cx);
        (result, cx.finish())
    }

    fn mount(device: &str, path: &str, fstype: &str) -> Mount {
        Mount { device: device.into(), mount: path.into(), path: path.into(), fstype: fstype.into() }
    }

    fn usage(total: u64, used: u64, free: u64) -> VolumeUsage {
        VolumeUsage { total_bytes: total, used_bytes: used, free_bytes: free, ..VolumeUsage::default() }
    }

    #[test]
    fn pseudo_file_systems_are_left_out_and_a_device_is_shown_once_by_its_shortest_path() {
        let all = vec![
            mount("proc", "/proc", "proc"),
            mount("/dev/vda1", "/data/inner", "ext4"),
            mount("/dev/vda1", "/", "ext4"),
            mount("/dev/vda1", "/var/lib/docker", "xfs"),
            mount("tmpfs", "/run", "tmpfs"),
            mount("overlay", "/var/x", "overlay"),
            mount("server:/export", "/mnt/nfs", "nfs4"),
            mount("/dev/loop1", "/snap/core", "squashfs"),
            mount("gvfsd", "/home/x", "fuse.gvfsd-fuse"),
            mount("/dev/vdb", "/library", "xfs"),
        ];
        let shown: Vec<_> = shown_on_linux(all).into_iter().map(|m| (m.device, m.mount, m.fstype)).collect();
        assert_eq!(
            shown,
            [
                ("/dev/vda1".into(), "/".into(), "ext4".into()),
                ("server:/export".into(), "/mnt/nfs".into(), "nfs4".to_owned()),
            ]
        );
    }

    /// autofs under its NFS mount, and a share mounted twice: one series twice in a cycle, and a dead server asked twice.
    #[test]
    fn a_mount_point_is_shown_once_as_what_lies_on_top() {
        let all = vec![
            mount("systemd-1", "/mnt/a", "autofs"),
            mount("nas:/a", "/mnt/a", "nfs4"),
            mount("nas:/b", "/mnt/b", "nfs4"),
            mount("nas:/b", "/mnt/b", "nfs4"),
            mount("/dev/sdb1", "/mnt/c", "ext4"),
            mount("tmpfs", "/mnt/c", "tmpfs"),
        ];
        let shown: Vec<_> = shown_on_linux(all).into_iter().map(|m| (m.device, m.mount)).collect();
        assert_eq!(shown, [("nas:/a".into(), "/mnt/a".into()), ("nas:/b".into(), "/mnt/b".to_owned())]);
    }

    #[test]
    fn three_hundred_mounts_are_all_shown() {
        let all = (0..300).map(|n| mount(&format!("/dev/sd{n}"), &format!("/data{n}"), "xfs")).collect();
        assert_eq!(shown_on_linux(all).len(), 300);
    }

    #[test]
    fn a_mount_list_of_linux_is_ignored_on_windows_with_a_warning() {
        let all = vec![mount("C:", "C:", ""), mount("D:", "D:", "")];
        let list = ["/".to_owned(), "/data".to_owned()];
        let (kept, said) =
            with_cx(Sets::FALCON, Platform::Windows, |cx| wanted(all.clone(), &list, Platform::Windows, cx));
        assert_eq!(kept.len(), 2);
        assert!(said.remarks[0].1.contains("C:, D:"), "{:?}", said.remarks);
        let list = [r"d:\".to_owned()];
        let (kept, said) =
            with_cx(Sets::FALCON, Platform::Windows, |cx| wanted(all.clone(), &list, Platform::Windows, cx));
        assert_eq!((kept.len(), kept[0].mount.as_str(), said.remarks.len()), (1, "D:", 0));
        let (kept, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| wanted(all, &list, Platform::Linux, cx));
        assert!(kept.is_empty() && said.remarks.is_empty(), "on Linux the list is meant as it stands");
    }

    #[test]
    fn the_go_agents_figures() {
        let mut full = usage(1000, 600, 300);
        full.inodes = Some(Inodes { total: 50, used: 10, free: 40 });
        let (_, said) =
            with_cx(Sets::FALCON, Platform::Linux, |cx| emit(cx, &mount("/dev/vda1", "/my data", "ext4"), &full));
        let value = |name: &str| said.samples.iter().find(|s| s.metric == name).map(|s| s.value.get());
        assert_eq!(said.samples.len(), 10);
        assert_eq!(said.samples[0].tags.as_str(), "mount=/my data,fstype=ext4");
        assert_eq!(value("df.bytes.used.percent"), Some(600.0 * 100.0 / 900.0));
        assert_eq!(value("df.inodes.used"), Some(10.0));
        assert_eq!(value("df.inodes.free.percent"), Some(80.0));
    }

    #[test]
    fn the_python_agent_knows_drives_but_no_folder_mounts() {
        let emit_it = |m: Mount| with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| emit(cx, &m, &usage(10, 4, 6))).1;
        let drive = emit_it(mount("C:", "C:", ""));
        assert_eq!(drive.samples.len(), 4);
        assert_eq!((drive.samples[0].metric.as_ref(), drive.samples[0].tags.as_str()), ("df.byte.total", "disk=C"));
        assert!(emit_it(mount(r"\\?\Volume{1}\", "C:/data", "")).samples.is_empty());
        assert!(emit_it(mount("server:/export", "/mnt", "nfs")).samples.is_empty());
        assert_eq!(emit_it(mount("/dev/vda1", "/", "ext4")).samples[0].tags.as_str(), "disk=/dev/vda1");
    }

    #[test]
    fn a_dead_mount_costs_only_its_own_series() {
        let mounts = [mount("a", "/a", "nfs"), mount("b", "/b", "xfs"), mount("c", "/c", "xfs")];
        let answers = vec![
            ("/a".to_owned(), Outcome::Late { newly: true }),
            ("/b".to_owned(), Outcome::Done(Ok(usage(100, 50, 50)))),
            ("/c".to_owned(), Outcome::Done(Err(std::io::Error::other("Stale file handle")))),
        ];
        let stats = Stats::default();
        let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| report(cx, &mounts, answers, &stats));
        assert_eq!(said.samples.len(), 5 + 3);
        let problems: Vec<_> = said.problems.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(problems, ["mount /a", "mount /c"]);
        assert_eq!(stats.collect_hung.get(), 1);
    }
}
