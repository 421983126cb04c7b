use super::*;
use proptest::prelude::*;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn linux(reads: u64, writes: u64) -> DiskIo {
    DiskIo { name: "sda".to_owned(), reads, writes, ..DiskIo::default() }
}

#[test]
fn the_go_agents_formulas_over_the_whole_interval() {
    let before = DiskIo { reads: 100, read_bytes: 512 * 1000, weighted_us: 7_000_000, ..linux(0, 50) };
    let now = DiskIo {
        reads: 400,
        read_bytes: 512 * 7000,
        read_us: 900_000,
        writes: 150,
        written_bytes: 512 * 2000,
        write_us: 300_000,
        busy_us: 600_000,
        weighted_us: 19_000_000,
        ..before.clone()
    };
    let mut device = Device::new(&before, Platform::Linux);
    let interval = device.advance(&now, MINUTE, Platform::Linux).expect("means");
    assert_eq!(interval.per_second(interval.grown.read_bytes), 512.0 * 6000.0 / 60.0);
    assert_eq!(interval.request_sectors(), 8000.0 / 400.0);
    assert_eq!(interval.queue(interval.grown.weighted_us), 0.2);
    assert_eq!(interval.await_ms(), 3.0);
    assert_eq!((interval.r_await_ms(), interval.w_await_ms()), (3.0, 3.0));
    assert_eq!(interval.svctm_ms(), 1.5);
    assert_eq!(interval.util(), 1.0);
}

#[test]
fn windows_tells_busy_time_by_the_drives_own_clock() {
    let before = DiskIo { clock_us: 5_000_000, idle_us: 4_000_000, read_us: 10, ..linux(10, 0) };
    let now = DiskIo { clock_us: 15_000_000, idle_us: 12_000_000, read_us: 4_000_010, ..linux(20, 0) };
    let mut device = Device::new(&before, Platform::Windows);
    assert_eq!(device.totals.busy_us, 0);
    let interval = device.advance(&now, None, Platform::Windows).expect("means");
    assert_eq!((interval.util(), interval.svctm_ms(), interval.await_ms()), (20.0, 200.0, 400.0));
    assert_eq!(interval.queue(interval.grown.weighted_us), 0.4);
    assert_eq!((device.totals.busy_us, device.totals.weighted_us), (2_000_000, 4_000_010));
}

/// The Go agent divided by an elapsed time of 0: NaN, which cost the whole batch.
#[test]
fn without_time_or_an_earlier_reading_there_are_no_means() {
    let mut device = Device::new(&linux(1, 1), Platform::Linux);
    assert!(device.advance(&linux(2, 2), None, Platform::Linux).is_none());
    assert!(device.advance(&linux(3, 3), Some(Duration::ZERO), Platform::Linux).is_none());
    assert_eq!(device.totals.reads, 3, "the counts go on");
    let idle = device.advance(&linux(3, 3), MINUTE, Platform::Linux).expect("means");
    let means = [idle.await_ms(), idle.r_await_ms(), idle.w_await_ms(), idle.svctm_ms(), idle.request_sectors()];
    assert_eq!((means, idle.util()), ([0.0; 5], 0.0));
    let mut drive = Device::new(&linux(1, 1), Platform::Windows);
    assert!(drive.advance(&linux(2, 2), MINUTE, Platform::Windows).is_none(), "its clock stands still");
}

#[test]
fn a_wrap_at_32_bits_is_growth() {
    let wide = u64::from(u32::MAX) + 1;
    let before = DiskIo { read_us: (wide - 4) * 1000, read_bytes: (wide - 8) * 512, ..linux(wide - 1, 7) };
    let now = DiskIo { read_us: 6000, read_bytes: 512, ..linux(1, 7) };
    let mut device = Device::new(&before, Platform::Linux);
    let grown = device.advance(&now, MINUTE, Platform::Linux).expect("means").grown;
    assert_eq!((grown.reads, grown.read_us, grown.read_bytes), (2, 10_000, 9 * 512));
    assert_eq!(device.totals.reads, wide + 1, "a COUNTER goes on over it");
    assert_eq!(device.totals.read_bytes, (wide + 1) * 512);
    // Bytes and times of Windows have 64 bits: what steps back there is another drive.
    let mut drive = Device::new(&before, Platform::Windows);
    assert!(drive.advance(&DiskIo { clock_us: 9, ..now }, None, Platform::Windows).is_none());
}

#[test]
fn another_disk_under_the_same_name_starts_anew() {
    let mut device = Device::new(&linux(1000, 1000), Platform::Linux);
    device.advance(&linux(2000, 2000), MINUTE, Platform::Linux);
    assert!(device.advance(&linux(5, 3000), MINUTE, Platform::Linux).is_none());
    assert_eq!((device.totals.reads, device.totals.writes), (5, 3000));
    assert_eq!(device.advance(&linux(6, 3001), MINUTE, Platform::Linux).expect("means").grown.reads, 1);
    assert!(device.advance(&linux(u64::MAX, 3001), MINUTE, Platform::Linux).is_none(), "no disk does so much");
}

#[test]
fn a_clock_set_back_costs_the_means_of_one_cycle() {
    let at = |clock_us, idle_us, reads| DiskIo { clock_us, idle_us, ..linux(reads, 0) };
    let mut drive = Device::new(&at(100_000_000, 50_000_000, 1), Platform::Windows);
    assert!(drive.advance(&at(40_000_000, 51_000_000, 2), None, Platform::Windows).is_none());
    assert_eq!((drive.totals.reads, drive.totals.busy_us), (2, 0), "what is counted goes on");
    let next = drive.advance(&at(50_000_000, 56_000_000, 3), None, Platform::Windows).expect("means");
    assert_eq!((next.util(), drive.totals.busy_us), (50.0, 5_000_000));
    let more_idle = drive.advance(&at(51_000_000, 96_000_000, 4), None, Platform::Windows).expect("means");
    assert_eq!((more_idle.util(), drive.totals.busy_us), (0.0, 5_000_000), "never backwards");
}

#[test]
fn a_clock_that_disagrees_with_the_time_that_passed_costs_the_means_of_one_cycle() {
    let at = |clock_s: u64, reads| DiskIo { clock_us: clock_s * 1_000_000, idle_us: 0, ..linux(reads, 0) };
    for (clock_s, agrees) in [(60, true), (54, true), (66, true), (53, false), (67, false), (3660, false), (0, false)] {
        let mut drive = Device::new(&at(1000, 1), Platform::Windows);
        let means = drive.advance(&at(1000 + clock_s, 2), MINUTE, Platform::Windows);
        assert_eq!((means.is_some(), drive.totals.busy_us > 0, drive.totals.reads), (agrees, agrees, 2), "{clock_s}");
    }
    // Of a short step a second is no disagreement.
    let mut drive = Device::new(&at(1000, 1), Platform::Windows);
    assert!(drive.advance(&at(1002, 2), Some(Duration::from_secs(1)), Platform::Windows).is_some());
}

prop_compose! {
    fn any_io()(n in proptest::collection::vec(prop_oneof![any::<u64>(), 0u64..5_000_000_000], 13)) -> DiskIo {
        DiskIo {
            name: "sda".to_owned(),
            reads: n[0], reads_merged: n[1], read_bytes: n[2], read_us: n[3],
            writes: n[4], writes_merged: n[5], written_bytes: n[6], write_us: n[7],
            in_flight: 0, busy_us: n[8], weighted_us: n[9], idle_us: n[10], clock_us: n[11], splits: n[12],
        }
    }
}

proptest! {
    #[test]
    fn any_two_readings_give_possible_numbers_or_none(a in any_io(), b in any_io(), us in any::<u64>()) {
        for platform in [Platform::Linux, Platform::Windows] {
            let mut device = Device::new(&a, platform);
            let Some(i) = device.advance(&b, Some(Duration::from_micros(us)), platform) else { continue };
            let means = [
                i.per_second(i.grown.read_bytes), i.queue(i.grown.weighted_us), i.util(), i.await_ms(), i.r_await_ms(),
                i.w_await_ms(), i.svctm_ms(), i.request_sectors(),
            ];
            prop_assert!(means.iter().all(|mean| mean.is_finite() && *mean >= 0.0), "{means:?}");
            prop_assert!(i.util() <= 100.0);
        }
    }
}
