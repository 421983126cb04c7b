use std::time::Duration;

use falcon_sys::types::{DiskIo, Inodes, LocalTime, Mount, VolumeUsage};
use serde_json::json;

use super::*;
use crate::collect::cpu::Shares;
use crate::model::Platform;

#[test]
fn numbers_and_sizes_are_written_as_go_writes_them() {
    let text = |value: f64| number(value).to_string();
    assert_eq!([0.0, 3.0, -2.0, 0.52, 99.5].map(text), ["0", "3", "-2", "0.52", "99.5"]);
    assert_eq!(number(f64::NAN), Value::Null);
    let sizes = [0, 1023, 1024, 1536, 5 << 20, 3 << 30, 7 << 40, 1 << 50, 1023 << 50, 1 << 60, u64::MAX];
    let shown = sizes.map(disk::size);
    let expected =
        ["0.0B", "1023.0B", "1.0K", "1.5K", "5.0M", "3.0G", "7.0T", "1.0P", "1023.0P", "TooLarge", "TooLarge"];
    assert_eq!(shown, expected);
}

#[test]
fn shares_of_the_processors_have_their_places() {
    let shares = Shares { idle: 50.0, busy: 50.0, user: 25.125, guest: 1.0, ..Shares::default() };
    assert_eq!(cpu::row(&shares).join(" "), "50.0% 50.0% 25.1% 0.0% 0.0% 0.0% 0.0% 0.0% 0.0% 1.0%");
    assert_eq!(
        cpu::object(&shares).to_string(),
        r#"{"busy":50,"guest":1,"idle":50,"iowait":0,"irq":0,"nice":0,"softirq":0,"steal":0,"system":0,"user":25.125}"#
    );
}

#[test]
fn memory_is_told_in_bytes_and_in_whole_mebibytes() {
    let memory = memory::Memory::of((16 << 20) + 5, (3 << 20) + 9);
    assert_eq!(serde_json::to_string(&memory).unwrap(), r#"{"free":3145737,"total":16777221,"used":13631484}"#);
    assert_eq!(memory.row(), [16, 12, 3]);
    // Two readings of a host that changes meanwhile.
    assert_eq!(memory::Memory::of(5, 9).used, 0);
}

#[test]
fn loads_and_times_are_split_as_the_page_shows_them() {
    assert_eq!(json!(system::load_rows([0.52, 4.0, 12.75], 4)).to_string(), "[[0.52,13],[4,100],[12.75,318]]");
    assert_eq!(json!(system::load_rows([1.5, 0.0, 0.0], 0)).to_string(), "[[1.5,150],[0,0],[0,0]]");
    assert_eq!([0, 59, 60, 86_399, 86_400, 90_061].map(system::split).last(), Some(&[1, 1, 1]));
    assert_eq!(system::split(86_399), [0, 23, 59]);
    let at = LocalTime { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5 };
    assert_eq!(system::as_text(&at), "2026-01-02 03:04:05");
}

#[test]
fn a_mount_is_a_row_of_eleven_texts() {
    let mount = Mount {
        device: "/dev/sda1".to_owned(),
        mount: "/data disk".to_owned(),
        path: "/".into(),
        fstype: "ext4".to_owned(),
        removable: false,
    };
    let usage = VolumeUsage {
        total_bytes: 100 << 30,
        used_bytes: 30 << 30,
        free_bytes: 60 << 30,
        inodes: Some(Inodes { total: 4096, used: 1024, free: 3072 }),
        fstype: String::new(),
    };
    let expected =
        "/dev/sda1|100.0G|30.0G|60.0G|33.3%|/data disk|4.0K|1.0K|3.0K|25.0%|ext4".split('|').collect::<Vec<_>>();
    assert_eq!(disk::space(&mount, &usage).to_vec(), expected);
    // A volume of Windows has no inodes and tells its type only when it is asked.
    let windows = VolumeUsage { inodes: None, fstype: "NTFS".to_owned(), ..usage };
    assert_eq!(disk::space(&mount, &windows)[6..], ["0.0B", "0.0B", "0.0B", "0.0%", "NTFS"]);
}

#[test]
fn a_disk_is_a_row_of_twelve_texts_and_no_disk_is_null() {
    let before = DiskIo { name: "sda".to_owned(), reads: 10, ..DiskIo::default() };
    let now = DiskIo {
        reads: 20,
        reads_merged: 4,
        read_bytes: 20 * 1024,
        read_us: 30_000,
        writes: 10,
        writes_merged: 6,
        written_bytes: 40 * 1024,
        write_us: 10_000,
        busy_us: 1_000_000,
        weighted_us: 3_000_000,
        ..before.clone()
    };
    let (two, new) = (Duration::from_secs(2), DiskIo { name: "sdb".to_owned(), ..before.clone() });
    let rows = disk::rows(&[before], &[now, new], two, Platform::Linux);
    let row = ["sda", "2", "3", "5", "5", "10.00", "20.00", "6.00", "1.50", "2.00", "50.00", "50.00%"];
    assert_eq!(rows.map(|rows| rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>()).unwrap(), [row]);
    assert_eq!(disk::rows(&[], &[], two, Platform::Linux), None);
}

#[tokio::test]
async fn many_who_ask_share_one_reading_and_one_that_hangs_is_told() {
    let fact = Fact::new("test");
    let first = fact.tell(SOON, || Ok(1));
    let second = fact.tell(SOON, || panic!("asked twice within a second"));
    assert_eq!(tokio::join!(first, second), (Ok(1), Ok(1)));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let fact = Fact::new("test");
    let late = fact.tell(Duration::ZERO, move || Ok(held.recv().is_ok())).await;
    assert!(late.is_err_and(|why| why.contains("no answer")));
    drop(release);
}
