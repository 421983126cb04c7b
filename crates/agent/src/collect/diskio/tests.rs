use super::*;
use crate::collect::Collected;
use crate::collect::tests::{with_all, with_cx};
use crate::model::{Kind, Sets};
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn values(said: &Collected) -> BTreeMap<&str, f64> {
    said.samples.iter().map(|sample| (sample.metric.as_ref(), sample.value.get())).collect()
}

fn kind(said: &Collected, metric: &str) -> Option<Kind> {
    said.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.kind)
}

fn second_reading() -> DiskIo {
    DiskIo {
        name: "sda".to_owned(),
        reads: 61,
        reads_merged: 2,
        read_bytes: 60 * 4096 + 512,
        read_us: 3_000_000,
        writes: 4,
        writes_merged: 5,
        written_bytes: 6 * 512,
        write_us: 7_000,
        in_flight: 8,
        busy_us: 9_000,
        weighted_us: 10_000,
        idle_us: 30_000_000,
        clock_us: 60_000_000,
        splits: 3,
    }
}

/// What two readings a minute apart say: all counts 0, then [`second_reading`], but for one sector read before.
fn said(sets: Sets, platform: Platform, with_options: bool) -> Collected {
    let before = DiskIo { name: "sda".to_owned(), reads: 1, read_bytes: 512, ..DiskIo::default() };
    let now = second_reading();
    let mut device = Device::new(&before, platform);
    let interval = device.advance(&now, Some(MINUTE), platform);
    let run = |cx: &mut Cx<'_>| emit(cx, &device, &now, interval.as_ref());
    if with_options { with_all(sets, platform, None, run).1 } else { with_cx(sets, platform, run).1 }
}

#[test]
fn linux_says_what_the_go_agent_says() {
    let said = said(Sets::FALCON, Platform::Linux, false);
    assert!(said.samples.iter().all(|sample| sample.tags.as_str() == "device=sda"));
    let expected = [
        ("disk.io.avgqu-sz", 10_000.0 / 60e6),
        ("disk.io.avgrq_sz", (60.0 * 8.0 + 6.0) / 64.0),
        ("disk.io.await", 3007.0 / 64.0),
        ("disk.io.ios_in_progress", 8.0),
        ("disk.io.msec_read", 3000.0),
        ("disk.io.msec_total", 9.0),
        ("disk.io.msec_weighted_total", 10.0),
        ("disk.io.msec_write", 7.0),
        ("disk.io.read_bytes", 4096.0),
        ("disk.io.read_merged", 2.0),
        ("disk.io.read_requests", 61.0),
        ("disk.io.read_sectors", 481.0),
        ("disk.io.svctm", 9.0 / 64.0),
        ("disk.io.util", 0.015),
        ("disk.io.write_bytes", 51.2),
        ("disk.io.write_merged", 5.0),
        ("disk.io.write_requests", 4.0),
        ("disk.io.write_sectors", 6.0),
    ];
    let values = values(&said);
    assert_eq!(values.keys().copied().collect::<Vec<_>>(), expected.map(|(name, _)| name));
    for (name, value) in expected {
        assert!((values[name] - value).abs() < 1e-9, "{name}: {} is not {value}", values[name]);
    }
    assert_eq!(kind(&said, "disk.io.ios_in_progress"), Some(Kind::Counter));
    assert_eq!(kind(&said, "disk.io.read_bytes"), Some(Kind::Gauge));
}

#[test]
fn windows_says_thirteen_figures_of_a_drive_and_more_on_request() {
    let sets = Sets::FALCON.and(Sets::EXTENDED);
    let plain = said(sets, Platform::Windows, false);
    let names: Vec<_> = values(&plain).into_keys().collect();
    assert_eq!(
        names,
        [
            "disk.io.avgqu-sz",
            "disk.io.avgrq_sz",
            "disk.io.await",
            "disk.io.msec_read",
            "disk.io.msec_total",
            "disk.io.msec_write",
            "disk.io.queue_depth",
            "disk.io.read_bytes",
            "disk.io.read_requests",
            "disk.io.svctm",
            "disk.io.util",
            "disk.io.write_bytes",
            "disk.io.write_requests",
        ]
    );
    assert_eq!(kind(&plain, "disk.io.read_bytes"), Some(Kind::Counter));
    assert_eq!(values(&plain)["disk.io.read_bytes"], 60.0 * 4096.0 + 512.0);
    assert_eq!((values(&plain)["disk.io.util"], values(&plain)["disk.io.msec_total"]), (50.0, 30_000.0));
    let all = said(sets, Platform::Windows, true);
    let more: Vec<_> = values(&all).into_keys().filter(|name| !names.contains(name)).collect();
    assert_eq!(
        more,
        [
            "disk.io.msec_weighted_total",
            "disk.io.r_await",
            "disk.io.read_sectors",
            "disk.io.split",
            "disk.io.w_await",
            "disk.io.write_sectors",
        ]
    );
    assert_eq!(values(&all)["disk.io.r_await"], 50.0);
}

#[test]
fn the_python_agents_six_figures_of_a_drive() {
    let said = said(Sets::WINDOWS_AGENT, Platform::Windows, false);
    let expected = [
        ("disk.io.read_bytes", 60.0 * 4096.0 + 512.0),
        ("disk.io.read_count", 61.0),
        ("disk.io.read_time", 3000.0),
        ("disk.io.write_bytes", 6.0 * 512.0),
        ("disk.io.write_count", 4.0),
        ("disk.io.write_time", 7.0),
    ];
    assert_eq!(values(&said), expected.into());
    assert!(said.samples.iter().all(|sample| sample.kind == Kind::Counter));
}

#[test]
fn a_first_reading_says_counts_only() {
    let device = Device::new(&second_reading(), Platform::Linux);
    let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| emit(cx, &device, &second_reading(), None));
    assert!(said.samples.iter().all(|sample| sample.kind == Kind::Counter));
    assert_eq!(said.samples.len(), 11);
}

#[test]
fn drives_together_as_performance_monitor_adds_them() {
    let at =
        |clock_us, reads, read_us, read_bytes| DiskIo { clock_us, reads, read_us, read_bytes, ..DiskIo::default() };
    let mut sum = Sum::default();
    for (reads, read_us) in [(10, 1_000_000), (30, 4_000_000)] {
        let mut drive = Device::new(&at(0, 0, 0, 0), Platform::Windows);
        let now = at(10_000_000, reads, read_us, 5_000);
        sum.add(&drive.advance(&now, None, Platform::Windows).expect("means"));
    }
    let (_, said) = with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| sum.emit(cx));
    let said: BTreeMap<_, _> = values(&said)
        .into_iter()
        .map(|(name, value)| (name.trim_start_matches("sqlserver.physical_disk.total.avg.disk_"), value))
        .collect();
    let expected = [
        ("queue_length", 0.5),
        ("read_bytes_per_sec", 1000.0),
        ("read_queue_length", 0.5),
        ("sec_per_read", 0.125),
        ("sec_per_write", 0.0),
        ("write_bytes_per_sec", 0.0),
        ("write_queue_length", 0.0),
    ];
    assert_eq!(said, expected.into());
    let (_, said) = with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| Sum::default().emit(cx));
    assert!(said.samples.is_empty(), "of no drive there is no sum");
}
