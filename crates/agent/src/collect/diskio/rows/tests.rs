use super::*;
use crate::collect::tests::with_cx;
use crate::collect::{Collected, Guarded};
use crate::config::Config;
use crate::model::Sets;
use crate::stats::Stats;
use std::collections::BTreeSet;
use std::sync::Arc;

fn row(name: &str, reads: u64) -> DiskIo {
    DiskIo { name: name.to_owned(), reads, read_bytes: reads * 4096, ..DiskIo::default() }
}

#[test]
fn devices_are_chosen_as_the_go_agent_chooses_them() {
    let shown = |name: &str| is_shown(&row(name, 1));
    for name in ["sda", "sdaa", "vdb", "sda5", "sda9", "xvda", "xvda1", "nvme0n1", "nvme0n1p1", "fioa", "nbd0"] {
        assert!(shown(name), "{name}");
    }
    for name in ["sda1", "sdb4", "vda2", "sdaaa", "dm-0", "md0", "mmcblk0", "loop0", "hda", "sr0", "rbd0", "fio", "nbd"]
    {
        assert!(!shown(name), "{name}");
    }
    assert!(!is_shown(&row("sda", 0)), "never read");
}

fn rows(limit: u32) -> (Rows, Arc<Stats>) {
    let mut config = Config::standalone();
    config.collector.limits.insert("disks".to_owned(), limit);
    let stats = Arc::new(Stats::default());
    (Rows::new(Host::new("/"), Guard::new(Guarded::Disks, &config, &stats)), stats)
}

fn report(rows: &mut Rows, table: Vec<DiskIo>) -> Collected {
    rows.table = table;
    with_cx(Sets::FALCON, Platform::Linux, |cx| rows.report(cx)).1
}

fn devices(said: &Collected) -> BTreeSet<&str> {
    said.samples.iter().map(|sample| sample.tags.as_str()).collect()
}

/// The Go agent went on reporting a disk that was pulled out, with its last figures.
#[test]
fn a_disk_that_is_gone_is_forgotten() {
    let (mut rows, _) = rows(9);
    assert_eq!(devices(&report(&mut rows, vec![row("sda", 1), row("sdb", 1)])), ["device=sda", "device=sdb"].into());
    assert_eq!(devices(&report(&mut rows, vec![row("sdb", 2)])), ["device=sdb"].into());
    assert_eq!(rows.devices.len(), 1);
}

// The second row of one name was taken for the next reading of the first: counts as of a replaced disk, and no time.
#[test]
fn a_name_that_stands_twice_in_the_table_is_one_device() {
    let (mut rows, _) = rows(9);
    let once = report(&mut rows, vec![row("sda", 7)]).samples.len();
    let said = report(&mut rows, vec![row("sda", 9), row("sda", 5)]);
    assert_eq!(devices(&said), ["device=sda"].into());
    let reads: Vec<_> = said.samples.iter().filter(|s| s.metric == "disk.io.read_requests").collect();
    assert_eq!((reads.len(), reads[0].value.get()), (1, 9.0));
    assert!(said.samples.len() >= once);
}

#[test]
fn more_disks_than_the_limit_are_counted() {
    let (mut rows, stats) = rows(2);
    let said = report(&mut rows, ["sda", "loop0", "sdb", "sdc"].map(|name| row(name, 1)).into());
    assert_eq!(devices(&said), ["device=sda", "device=sdb"].into());
    assert_eq!((stats.series_dropped[Guarded::Disks as usize].get(), said.remarks.len()), (1, 1));
}

#[test]
fn a_kernel_without_block_devices_has_nothing_to_collect() {
    let dir = tempfile::tempdir().expect("a directory");
    let stats = Arc::new(Stats::default());
    let open = || Rows::open(Host::new(dir.path()), Guard::new(Guarded::Disks, &Config::standalone(), &stats));
    if Platform::CURRENT == Platform::Linux {
        assert!(open().is_none());
        std::fs::create_dir(dir.path().join("proc")).expect("a directory");
        std::fs::write(dir.path().join("proc/diskstats"), "").expect("a file");
    }
    assert!(open().is_some());
}
