//! What Windows alone has, against the machine the tests run on.

use super::*;
use falcon_sys::types::{NetCounters, Proc};
use falcon_sys::{disk_io, memory_lists, ntp_servers, page_files};
use std::fmt::Debug;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// What some hosts do not tell is an error with a reason.
fn told_or_refused<T: Debug>(answer: io::Result<T>) -> Option<T> {
    answer.map_err(|e| assert!(!e.to_string().is_empty() && e.raw_os_error() != Some(0), "{e:?}")).ok()
}

/// A process that waits for its input to end.
struct Waiting(Child);

impl Waiting {
    fn start() -> Waiting {
        let mut command = Command::new("cmd.exe");
        let command = command.args(["/c", "pause"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Waiting(command.spawn().unwrap())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn named(name: &str, host: &mut Host, into: &mut Vec<Proc>) {
    host.processes(&mut |other| other.eq_ignore_ascii_case(name), into).unwrap();
    assert!(into.iter().all(|proc| proc.pid != 0 && proc.threads > 0), "{into:?}");
    assert!(into.iter().all(|proc| proc.name.eq_ignore_ascii_case(name)), "{into:?}");
}

fn seconds_since_1601() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 11_644_473_600
}

#[test]
fn a_process_is_listed_while_it_runs() {
    let (mut host, mut procs) = (host(), vec![Proc { name: "gone".into(), ..Proc::default() }; 9]);
    let before = seconds_since_1601();
    let child = Waiting::start();
    let pid = child.0.id();
    named("cmd.exe", &mut host, &mut procs);
    let listed = procs.iter().find(|proc| proc.pid == pid).unwrap().clone();
    assert!(listed.working_set_bytes > 100 << 10 && listed.handles.is_some(), "{listed:?}");
    let (begun, now) = (listed.created / 10_000_000, seconds_since_1601());
    assert!((before - 1..=now + 1).contains(&begun), "{before} {listed:?} {now}");
    assert!(listed.age_s >= 0.0 && listed.age_s <= (now + 2 - before) as f64, "{listed:?}");
    drop(child);
    named("cmd.exe", &mut host, &mut procs);
    assert!(procs.iter().all(|proc| (proc.pid, proc.created) != (pid, listed.created)), "{procs:?}");
}

#[test]
fn work_shows_in_the_process_that_does_it() {
    let (mut host, mut procs) = (host(), Vec::new());
    let this = std::env::current_exe().unwrap();
    let this = this.file_name().unwrap().to_str().unwrap();
    let mut cpu_us = |host: &mut Host| {
        named(this, host, &mut procs);
        let this = procs.iter().find(|proc| proc.pid == std::process::id()).unwrap();
        this.user_us + this.kernel_us
    };
    let first = cpu_us(&mut host);
    assert!(work_until(|| cpu_us(&mut host) > first + 20_000));
}

#[test]
fn names_that_are_not_wanted_leave_nothing() {
    let mut procs = vec![Proc::default()];
    let mut seen = 0;
    host()
        .processes(
            &mut |_| {
                seen += 1;
                false
            },
            &mut procs,
        )
        .unwrap();
    let total = host().sys_info().unwrap().processes.unwrap();
    assert!(procs.is_empty() && seen >= 1 && u64::abs_diff(seen, total) <= 20, "{seen} {total}");
}

#[test]
fn threads_that_wait_for_a_processor_are_not_more_than_there_are() {
    let mut host = host();
    let queue = host.run_queue().unwrap();
    assert!(queue <= host.sys_info().unwrap().threads.unwrap(), "{queue}");
}

#[test]
fn the_processors_are_the_sum_of_their_own_times() {
    let (mut host, mut cores) = (host(), Vec::new());
    let before = host.cpu_stat().unwrap();
    host.cpu_cores(&mut cores).unwrap();
    let after = host.cpu_stat().unwrap();
    assert_eq!(cores.len(), after.count as usize);
    assert!(cores.iter().all(|core| core.idle <= core.total && core.total > 0), "{cores:?}");
    let idle: u64 = cores.iter().map(|core| core.idle).sum();
    assert!((before.times.idle..=after.times.idle).contains(&idle), "{before:?} {idle} {after:?}");
    let numbers: Vec<_> = cores.iter().map(|core| (core.group, core.number)).collect();
    assert!(numbers.is_sorted() && numbers[0] == (0, 0), "{numbers:?}");
}

#[test]
fn the_clock_is_one_of_a_processor() {
    let mhz = host().cpu_mhz().unwrap();
    assert!((100.0..20_000.0).contains(&mhz), "{mhz}");
}

// Wine does not serve or does not count these: that must not look like a host without page faults.
#[test]
fn what_the_memory_manager_counts_is_told_or_refused() {
    let mut host = host();
    if let Some(first) = told_or_refused(host.paging()) {
        let now = host.paging().unwrap();
        assert!(first.faults > 0 && first.syscalls > 0 && now.faults >= first.faults, "{first:?} {now:?}");
    }
    if let Some(first) = told_or_refused(host.exceptions()) {
        assert!(host.exceptions().unwrap() >= first);
    }
    if let Some(lists) = told_or_refused(memory_lists()) {
        let total = host.mem_info().unwrap().total_bytes;
        assert!(lists.standby_bytes + lists.modified_bytes + lists.free_zero_bytes <= total, "{lists:?}");
    }
    if let Some(files) = told_or_refused(page_files()) {
        assert!(files.iter().all(|file| file.used_bytes <= file.total_bytes && !file.name.is_empty()), "{files:?}");
    }
}

#[test]
fn drives_are_asked_by_the_names_they_are_listed_with() {
    let drives = host().drives().unwrap();
    assert!(!drives.physical.is_empty() && !drives.letters.is_empty(), "{drives:?}");
    for name in drives.physical.iter().chain(&drives.letters) {
        if let Some(io) = told_or_refused(disk_io(name)) {
            assert_eq!(io.name, *name);
        }
    }
}

#[test]
fn the_time_service_has_servers_or_none() {
    let servers = ntp_servers().unwrap();
    assert!(servers.iter().all(|server| !server.is_empty() && !server.contains([',', ' '])), "{servers:?}");
}

#[test]
fn what_linux_alone_has_is_unsupported() {
    let mut host = host();
    let refused = [
        host.kernel_limits().unwrap_err(),
        host.disk_stats(&mut Vec::new()).unwrap_err(),
        host.protocol_counts(NetCounters::Snmp, "Udp", &["InDatagrams"], &mut Vec::new()).unwrap_err(),
        host.sock_stat().unwrap_err(),
    ];
    assert!(refused.iter().all(|e| e.kind() == ErrorKind::Unsupported), "{refused:?}");
}

// Wine has no Icmp6CreateFile.
#[test]
fn an_echo_request_over_ipv6_is_answered_or_refused() {
    let wait = Duration::from_secs(60);
    let opened = Echo::open(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0)));
    if let Some(mut echo) = told_or_refused(opened) {
        echo.send(wait).unwrap();
        assert!(echo.receive(Instant::now() + wait).unwrap().is_some());
    }
}
