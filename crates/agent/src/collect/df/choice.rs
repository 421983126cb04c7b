//! Which mounts are asked: on Linux those that the Go agent shows and that can be reached; on both systems those that the
//! configuration lists, each under a name of its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use falcon_sys::types::Mount;

use crate::collect::Cx;
use crate::model::{Platform, Tags};

/// The Linux agent's choice of mounts: no pseudo file systems, and of several mounts of one device the shortest path. What is not
/// a device (ZFS, NFS) may be mounted twice; but where it lies within itself, that is a directory of it once more, as systemd
/// makes them of `/usr` and `/etc` for a service that may not change them.
pub(crate) fn shown_on_linux(all: Vec<Mount>) -> Vec<Mount> {
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
            let is_within = |outer: &Mount| {
                (&outer.device, &outer.fstype) == (&mount.device, &mount.fstype)
                    && Path::new(&mount.mount).starts_with(&outer.mount)
            };
            if !shown.iter().any(is_within) {
                shown.push(mount);
            }
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

/// What is mounted later covers what was mounted before on its point and below it: such a mount would be asked through
/// the one above, and say its figures a second time. The root covers nothing: what a system mounts before it, it moves in.
pub(super) fn topmost(mut all: Vec<Mount>) -> Vec<Mount> {
    let mut later: HashSet<&str> = HashSet::new();
    let mut reachable: Vec<bool> = Vec::with_capacity(all.len());
    for mount in all.iter().rev() {
        let point = mount.mount.as_str();
        let above = point.char_indices().filter(|(n, c)| *c == '/' && *n > 0).filter_map(|(n, _)| point.get(..n));
        reachable.push(!above.chain([point]).any(|path| later.contains(path)));
        later.insert(point);
    }
    all.retain(|_| reachable.pop().unwrap_or(true));
    all
}

/// Leaves one of the mounts whose tags are the same once they are cleaned: only that can be reported, and only that is
/// to be part of the sums.
pub(super) fn leave_out_namesakes(cx: &mut Cx<'_>, mounts: &mut Vec<Mount>) {
    let mut seen = BTreeSet::new();
    mounts.retain(|mount| {
        let first = seen.insert(Tags::of(&[("mount", &mount.mount), ("fstype", &mount.fstype)]).canonical());
        if !first {
            cx.problem(named(mount), "left out: once cleaned, another mount has the same name");
        }
        first
    });
}

/// As problems name it.
pub(super) fn named(mount: &Mount) -> String {
    format!("mount \"{}\"", mount.mount)
}

/// `collector.mountPoint`: an exact list on both systems. On Windows `C:`, `c:\` and `C:/data/` are understood, and a list
/// that matches no volume (it was written for Linux) is ignored with a warning. On Linux one that matches nothing leaves
/// nothing, and that is told.
pub(super) fn wanted(all: Vec<Mount>, list: &[String], platform: Platform, cx: &mut Cx<'_>) -> Vec<Mount> {
    if list.is_empty() {
        return all;
    }
    let same = |mount: &Mount, text: &String| match platform {
        Platform::Linux => mount.mount == *text,
        Platform::Windows => mount.mount.eq_ignore_ascii_case(text.replace('\\', "/").trim_end_matches('/')),
    };
    let chosen: Vec<Mount> = all.iter().filter(|mount| list.iter().any(|text| same(mount, text))).cloned().collect();
    if !chosen.is_empty() || all.is_empty() {
        return chosen;
    }
    let names = listed(&all);
    match platform {
        Platform::Linux => {
            let why = format!("matches no mount of this host ({names}); none is reported");
            cx.remark("collector.mountPoint", why);
            chosen
        }
        Platform::Windows => {
            let why = format!("matches no volume of this host ({names}); it is ignored");
            cx.remark("collector.mountPoint", why);
            all
        }
    }
}

/// The first of them by name, as a host may have thousands.
pub(super) fn listed(mounts: &[Mount]) -> String {
    const MOST: usize = 20;
    let mut text = mounts.iter().take(MOST).map(|mount| mount.mount.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(more) = mounts.len().checked_sub(MOST).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
