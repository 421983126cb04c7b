//! The facade against the machine the tests run on: relations that hold on every host, on Linux and on Windows (and
//! under Wine). Where a platform has nothing to say, the answer is `Unsupported` and never a number.

use falcon_sys::types::{CpuTimes, Extent, Mount, SelfUsage};
use falcon_sys::{
    Echo, Host, commit_info, full_hostname, hostname, limit_heap_growth, local_time, self_usage, since_boot,
    volume_usage,
};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(windows)]
#[cfg(test)]
#[path = "host/windows.rs"]
mod windows;

fn host() -> Host {
    Host::new("/")
}

/// Keeps one processor busy until `done`, which it says; or for so long that it never will be.
fn work_until(mut done: impl FnMut() -> bool) -> bool {
    let mut state = 1_u64;
    for _ in 0..20_000 {
        for _ in 0..100_000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
        if done() {
            return true;
        }
    }
    false
}

#[test]
fn processor_times_grow_and_idle_is_a_part_of_them() {
    let mut host = host();
    let first = host.cpu_stat().unwrap();
    assert!(first.count >= 1);
    let total = |t: CpuTimes| t.user + t.nice + t.system + t.idle + t.iowait + t.steal;
    assert!(first.times.idle > 0 && first.times.idle < total(first.times), "{first:?}");
    // A tick of the coarsest clock is 15.6 ms.
    let mut last = first;
    let worked = work_until(|| {
        last = host.cpu_stat().unwrap();
        let idle = last.times.idle.saturating_sub(first.times.idle);
        total(last.times) > total(first.times) && total(last.times) - total(first.times) > idle
    });
    assert!(worked, "{first:?} {last:?}");
    assert_eq!(last.count, first.count);
    assert!(last.interrupts >= first.interrupts && last.context_switches >= first.context_switches);
}

// A suspend may lie between two looks: only the host's own monotonic clock is a lower bound.
#[test]
fn the_time_since_boot_passes_no_slower_than_the_monotonic_clock() {
    let (boot, start) = (since_boot(), Instant::now());
    assert!(boot > Duration::ZERO);
    let coarse = Duration::from_millis(20);
    assert!(work_until(|| start.elapsed() > 5 * coarse));
    let gone = start.elapsed();
    let by_boot = since_boot().checked_sub(boot).unwrap();
    assert!(by_boot + coarse >= gone, "{by_boot:?} of {gone:?}");
}

#[test]
fn clones_of_a_host_share_their_interrupt_counts() {
    let mut host = host();
    let first = host.clone().cpu_stat().unwrap().interrupts;
    let second = host.cpu_stat().unwrap().interrupts;
    assert!(second >= first, "{second:?} {first:?}");
}

#[test]
fn memory_is_partly_available() {
    let mem = host().mem_info().unwrap();
    assert!(mem.total_bytes > 64 << 20 && mem.total_bytes < 1 << 50, "{mem:?}");
    assert!(mem.available_bytes > 0 && mem.available_bytes < mem.total_bytes, "{mem:?}");
}

// Under Wine the page files cannot be read: that must not look like a host without any.
#[test]
fn swap_is_told_or_refused() {
    match host().swap_info() {
        Ok(swap) => assert!(swap.free_bytes <= swap.total_bytes, "{swap:?}"),
        Err(e) => assert!(!e.to_string().is_empty() && e.raw_os_error() != Some(0), "{e:?}"),
    }
}

#[test]
fn load_and_commit_each_belong_to_one_platform() {
    match (host().load_avg(), commit_info()) {
        (Ok(load), Err(e)) => {
            assert_eq!(e.kind(), ErrorKind::Unsupported);
            assert!(load.one >= 0.0 && load.five >= 0.0 && load.fifteen >= 0.0);
        }
        (Err(e), Ok(commit)) => {
            assert_eq!(e.kind(), ErrorKind::Unsupported);
            assert!(commit.total_bytes > 0 && commit.total_bytes <= commit.limit_bytes, "{commit:?}");
            assert!(commit.limit_bytes >= host().mem_info().unwrap().total_bytes / 2, "{commit:?}");
        }
        other => panic!("{other:?}"),
    }
}

fn mounts() -> std::io::Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    host().mounts(&mut mounts).map(|extent| if extent == Extent::Whole { mounts } else { Vec::new() })
}

/// The volume everything else hangs from.
fn system_volume(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().find(|m| m.mount == "/" || m.mount == "C:")
}

#[test]
fn the_system_volume_is_mounted_and_has_room() {
    let mounts = mounts().unwrap();
    let system = system_volume(&mounts).unwrap();
    let usage = volume_usage(system).unwrap();
    assert!(usage.total_bytes > 1 << 20, "{usage:?}");
    assert!(usage.used_bytes > 0 && usage.used_bytes + usage.free_bytes <= usage.total_bytes, "{usage:?}");
    // One of the two tells the type.
    assert_ne!(system.fstype.is_empty(), usage.fstype.is_empty(), "{system:?} {usage:?}");
    if let Some(inodes) = usage.inodes {
        assert!(inodes.free <= inodes.total && inodes.total > 0, "{inodes:?}");
    }
}

#[test]
fn every_mount_has_a_name_without_backslashes_of_windows() {
    for mount in mounts().unwrap() {
        assert!(!mount.mount.is_empty() && !mount.path.as_os_str().is_empty(), "{mount:?}");
        assert!(mount.mount.starts_with('/') || !mount.mount.contains('\\'), "{mount:?}");
    }
}

#[test]
fn a_volume_that_is_gone_is_an_error() {
    let mut gone = system_volume(&mounts().unwrap()).unwrap().clone();
    gone.path.push("no-such-folder-of-any-host");
    gone.path.push("");
    assert!(volume_usage(&gone).is_err());
    gone.path = "a\0b".into();
    assert_eq!(volume_usage(&gone).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn interfaces_have_names_and_sane_speeds() {
    let mut interfaces = Vec::new();
    assert_eq!(host().net_ifs(&mut interfaces).unwrap(), Extent::Whole);
    for net_if in interfaces {
        assert!(!net_if.name.trim().is_empty() && !net_if.name.contains('\0'), "{net_if:?}");
        assert!(net_if.speed_bits_per_s.is_none_or(|speed| speed > 0 && speed < 1 << 50), "{net_if:?}");
        assert!(net_if.in_bytes >= net_if.in_packets && net_if.out_bytes >= net_if.out_packets, "{net_if:?}");
    }
}

#[test]
fn the_host_has_a_name() {
    let name = hostname().unwrap();
    assert!(!name.is_empty() && name.trim() == name && !name.contains('\0'), "{name:?}");
    let full = full_hostname().unwrap();
    assert!(full.to_lowercase().starts_with(&name.to_lowercase()), "{full:?} {name:?}");
}

#[test]
fn the_agent_sees_what_it_uses() {
    limit_heap_growth();
    let first = self_usage().unwrap();
    assert!(first.rss_bytes > 256 << 10 && first.rss_bytes < 1 << 30, "{first:?}");
    let mut last = SelfUsage::default();
    let worked = work_until(|| {
        last = self_usage().unwrap();
        last.cpu_us > first.cpu_us
    });
    assert!(worked, "{first:?} {last:?}");
    // Written to, for untouched memory is not resident; and much, for the tests beside this one give theirs back meanwhile.
    let block = vec![1_u8; 256 << 20];
    let grown = self_usage().unwrap();
    assert!(grown.rss_bytes >= last.rss_bytes + (128 << 20), "{last:?} {grown:?}");
    drop(block);
}

/// Other tests start and end threads at the same time; far fewer than these.
#[test]
fn its_own_threads_are_counted() {
    const MORE: usize = 100;
    let mut host = Host::new("/nowhere");
    let before = host.own_threads().unwrap();
    assert!((1..1000).contains(&before), "{before}");
    let (end, ended) = (Barrier::new(MORE + 1), Barrier::new(MORE + 1));
    let during = thread::scope(|scope| {
        for _ in 0..MORE {
            scope.spawn(|| {
                end.wait();
                ended.wait();
            });
        }
        // All of them have begun.
        end.wait();
        let during = host.own_threads();
        ended.wait();
        during.unwrap()
    });
    assert!(during >= before + MORE as u64 / 2, "{before} {during}");
}

#[test]
fn local_time_is_within_a_day_of_utc_and_keeps_its_range() {
    // 2026-07-15 12:30:45 UTC: no time zone's offset has a part below a minute, nor leaves the neighbouring days.
    let local = local_time(1_784_118_645);
    assert_eq!((local.year, local.month, local.second), (2026, 7, 45));
    assert!((14..=16).contains(&local.day) && local.hour < 24 && local.minute < 60, "{local:?}");
    // An hour later is an hour later.
    let later = local_time(1_784_118_645 + 3600);
    assert_eq!((local.hour + 1) % 24, later.hour);
    assert_eq!(local_time(i64::MIN).year, 1970);
    assert!((9999..=10_000).contains(&local_time(i64::MAX).year));
}

// Needs what every agent that pings does: a group in net.ipv4.ping_group_range or CAP_NET_RAW (Linux).
#[test]
fn this_host_answers_echo_requests_each_once() {
    const WAIT: Duration = Duration::from_secs(60);
    let mut echo = Echo::open(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    assert_eq!(echo.receive(Instant::now()).unwrap(), None, "nothing was asked");
    for _ in 0..2 {
        let started = Instant::now();
        (0..3).for_each(|_| echo.send(WAIT).unwrap());
        for _ in 0..3 {
            let took = echo.receive(started + WAIT).unwrap().unwrap();
            assert!(took <= started.elapsed(), "{took:?}");
        }
        assert_eq!(echo.receive(Instant::now() + Duration::from_millis(20)).unwrap(), None, "an answer of no request");
    }
}

// Two at once took each other's answers where both were asked with the same numbers.
#[test]
fn each_gets_its_own_answers() {
    const WAIT: Duration = Duration::from_secs(60);
    let open = || Echo::open(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (mut first, mut second) = (open(), open());
    first.send(WAIT).unwrap();
    second.send(WAIT).unwrap();
    for echo in [&mut first, &mut second] {
        assert!(echo.receive(Instant::now() + WAIT).unwrap().is_some());
        assert_eq!(echo.receive(Instant::now() + Duration::from_millis(20)).unwrap(), None);
    }
}
