//! File systems, as mountinfo lists and statvfs(2) measures them; block devices, as sysfs counts them.

use std::collections::BTreeSet;

use crate::{Facts, collect, compare, exactly, names, text};

/// One row of mountinfo (proc(5)).
struct Row {
    point: String,
    fstype: String,
    source: String,
}

fn rows() -> Vec<Row> {
    let plain = |field: &str| field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    let row = |line: &str| {
        let (left, right) = line.split_once(" - ").expect("proc(5)");
        let mut right = right.split(' ');
        let fstype = right.next().expect("a type").to_owned();
        Row {
            point: plain(left.split(' ').nth(4).expect("a point")),
            fstype,
            source: plain(right.next().expect("a source")),
        }
    };
    text("/proc/self/mountinfo").lines().map(row).collect()
}

/// What the Linux agent of falcon-plus shows of them: no pseudo file system, each device once; and here the topmost of
/// those on one point.
pub fn shown() -> Vec<(String, String)> {
    const TYPES: &str = "cgroup debugfs devpts devtmpfs iso9660 rpc_pipefs rootfs overlay tmpfs squashfs";
    const SOURCES: &str = "none nodev proc hugetlbfs mqueue";
    const POINTS: &str = "/sys /net /misc /proc /lib";
    let all = rows();
    let mut shown: Vec<&Row> = Vec::new();
    for (n, row) in all.iter().enumerate() {
        let hidden = all[n + 1..].iter().any(|later| later.point == row.point)
            || SOURCES.split(' ').any(|source| source == row.source)
            || TYPES.split(' ').any(|fstype| fstype == row.fstype)
            || row.fstype.starts_with("fuse")
            || POINTS.split(' ').any(|prefix| row.point.starts_with(prefix));
        if hidden {
            continue;
        }
        match shown.iter_mut().find(|other| row.source.starts_with("/dev") && other.source == row.source) {
            Some(other) if row.point.len() < other.point.len() => *other = row,
            Some(_) => {}
            None => shown.push(row),
        }
    }
    shown.into_iter().map(|row| (row.point.clone(), row.fstype.clone())).collect()
}

fn file_systems() -> Facts {
    let mut facts = Facts::new();
    let (mut total, mut used) = (0.0, 0.0);
    for (point, fstype) in shown() {
        let stat = rustix::fs::statvfs(&*point).unwrap_or_else(|error| panic!("{point}: {error}"));
        if stat.f_blocks == 0 {
            continue;
        }
        let tags = format!("mount={point},fstype={fstype}");
        let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
        let (taken, free) = (bytes(stat.f_blocks - stat.f_bfree), bytes(stat.f_bavail));
        let mut say = |metric: &str, value: f64| facts.insert(format!("df.{metric}/{tags}"), exactly(value));
        say("bytes.total", bytes(stat.f_blocks));
        say("bytes.used", taken);
        say("bytes.free", free);
        say("bytes.used.percent", taken * 100.0 / (taken + free));
        if stat.f_files > 0 && stat.f_ffree != u64::MAX {
            say("inodes.total", stat.f_files as f64);
            say("inodes.free", stat.f_ffree as f64);
            say("inodes.used", (stat.f_files - stat.f_ffree) as f64);
        }
        total += bytes(stat.f_blocks);
        used += taken;
    }
    if total > 0.0 {
        facts.insert("df.statistics.total".to_owned(), exactly(total));
        facts.insert("df.statistics.used".to_owned(), exactly(used));
    }
    facts
}

#[test]
fn file_systems_are_as_large_and_as_full_as_statvfs_says() {
    compare("df", file_systems);
}

#[test]
fn no_mount_is_invented_or_left_out() {
    let items = collect(&["--only", "df"]);
    let said: BTreeSet<String> =
        items.into_iter().filter(|item| item.metric == "df.bytes.total").map(|item| item.tags).collect();
    let tags = |name: String| name.strip_prefix("df.bytes.total/").map(str::to_owned);
    let expected: BTreeSet<String> = file_systems().into_keys().filter_map(tags).collect();
    assert_eq!(said, expected);
}

/// Numbers of `/sys/class/block/NAME/stat` (Documentation/block/stat.rst).
fn block_stat(name: &str) -> Vec<f64> {
    let path = format!("/sys/class/block/{name}/stat");
    let number = |word: &str| word.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    text(&path).split_ascii_whitespace().map(number).collect()
}

/// The devices that the Linux agent of falcon-plus shows: those it knows by name that have been read from.
pub fn devices() -> BTreeSet<String> {
    let is_shown = |name: &String| {
        let long_enough = name.len() >= 4;
        let known = match name {
            _ if name.starts_with("sd") || name.starts_with("vd") => {
                name.len() <= 4 && !name.contains(['1', '2', '3', '4'])
            }
            _ => ["xvd", "fio", "nvme", "nbd"].iter().any(|prefix| name.starts_with(prefix)) && long_enough,
        };
        known && block_stat(name)[0] > 0.0
    };
    names("/sys/class/block").into_iter().filter(is_shown).collect()
}

fn block_devices() -> Facts {
    /// In the order of the file.
    const COUNTS: [&str; 11] = [
        "read_requests",
        "read_merged",
        "read_sectors",
        "msec_read",
        "write_requests",
        "write_merged",
        "write_sectors",
        "msec_write",
        "ios_in_progress",
        "msec_total",
        "msec_weighted_total",
    ];
    let mut facts = Facts::new();
    for device in devices() {
        for (metric, count) in COUNTS.iter().zip(block_stat(&device)) {
            facts.insert(format!("disk.io.{metric}/device={device}"), exactly(count));
        }
        facts.insert(format!("disk.io.util/device={device}"), (0.0, 100.0));
    }
    facts
}

#[test]
fn block_devices_count_what_sysfs_counts() {
    compare("diskio", block_devices);
}

#[test]
fn no_device_is_invented_or_left_out() {
    let items = collect(&["--only", "diskio"]);
    let said: BTreeSet<String> = items.into_iter().map(|item| item.tags).collect();
    let expected: BTreeSet<String> = devices().into_iter().map(|name| format!("device={name}")).collect();
    assert_eq!(said, expected);
}
