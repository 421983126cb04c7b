//! Processes of fixtures, whose numbers are known, and this process among those of the machine the tests run on.

use super::*;
use crate::linux::host::fixture;
use std::io::ErrorKind;

/// A line of `/proc/PID/stat` with numbers that tell their field.
fn stat(pid: u32, name: &str, state: &str) -> String {
    format!(
        "{pid} ({name}) {state} 1 {pid} {pid} 0 -1 4194560 1213 0 0 0 1400 1500 0 0 20 0 20 0 2200 22380544 24 \
         18446744073709551615 1 1 0 0 0 0 0 4096 81922 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )
}

fn names(host: &mut Host, mut wanted: impl FnMut(&str) -> bool) -> Vec<String> {
    let mut rows = Vec::new();
    host.processes(&mut wanted, &mut rows).unwrap();
    let mut names: Vec<_> = rows.into_iter().map(|row| row.name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_process_has_all_its_numbers() {
    let (_dir, mut host) = fixture::host(&[
        ("proc/uptime", "100.5 5\n"),
        ("proc/999999999/stat", &stat(999_999_999, "nginx", "S")),
        ("proc/999999999/io", "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 5\n"),
        ("proc/999999999/fd/0", ""),
        ("proc/999999999/fd/10", ""),
    ]);
    let mut rows = Vec::new();
    host.processes(&mut |_| true, &mut rows).unwrap();
    let ticks_per_s = rustix::param::clock_ticks_per_second();
    let rss_bytes = 24 * rustix::param::page_size() as u64;
    let expected = Proc {
        pid: 999_999_999,
        name: "nginx".into(),
        created: 2200,
        age_s: 100.5 - 2200.0 / ticks_per_s as f64,
        user_us: 1400 * 1_000_000 / ticks_per_s,
        kernel_us: 1500 * 1_000_000 / ticks_per_s,
        memory_bytes: Some(rss_bytes),
        working_set_bytes: rss_bytes,
        threads: 20,
        handles: Some(2),
        read_bytes: Some(4096),
        written_bytes: Some(8192),
    };
    assert_eq!(rows, [expected]);
}

#[test]
fn a_name_may_contain_anything() {
    let odd = ["a) S 9", "(sd-pam)", "tmux: server", "new\nline", "", "42 (x) R 1", "rés"];
    let files: Vec<_> = odd.iter().zip(10..).map(|(n, pid)| (format!("proc/{pid}/stat"), stat(pid, n, "S"))).collect();
    let (dir, mut host) = fixture::host(&files.iter().map(|(f, t)| (f.as_str(), t.as_str())).collect::<Vec<_>>());
    std::fs::write(dir.path().join("proc/uptime"), "1.0 1\n").unwrap();
    let mut expected = odd.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(names(&mut host, |_| true), expected);
    // A kernel cuts names at 15 bytes, in the middle of a character too.
    let cut = [b"10 (abc\xe6\xb5) ".as_slice(), stat(10, "", "S").split_once(") ").unwrap().1.as_bytes()].concat();
    std::fs::write(dir.path().join("proc/10/stat"), cut).unwrap();
    assert_eq!(names(&mut host, |name| name.starts_with("abc")), ["abc\u{fffd}"]);
}

#[test]
fn only_the_wanted_and_the_living_are_told_of() {
    let (dir, mut host) = fixture::host(&[
        ("proc/uptime", "1.0 1\n"),
        ("proc/1/stat", &stat(1, "init", "S")),
        ("proc/2/stat", &stat(2, "gone", "Z")),
        ("proc/3/stat", &stat(3, "going", "X")),
        ("proc/4/stat", &stat(4, "worker", "R")),
        ("proc/5/stat", "5 (cut) S 1 2 3"),
        ("proc/6/stat", &stat(6, "negative", "S").replace(" 24 ", " -24 ")),
        ("proc/7/io", ""),
        ("proc/9/comm", "sleep\n"),
        ("proc/9/stat", &stat(9, "sleep", "S")),
        ("proc/self/stat", &stat(4, "link", "S")),
        ("proc/8/stat/x", ""),
    ]);
    let mut asked = Vec::new();
    let told = names(&mut host, |name| {
        asked.push(name.to_owned());
        name == "worker"
    });
    asked.sort_unstable();
    // What has ended may be asked about where its name is known before its state.
    assert_eq!((asked, told), (["init", "sleep", "worker"].map(str::to_owned).into(), vec!["worker".to_owned()]));
    // Neither `io` nor `fd`: not permitted, or a kernel without. That is not 0.
    let mut rows = Vec::new();
    host.processes(&mut |name| name == "worker", &mut rows).unwrap();
    assert_eq!((rows[0].handles, rows[0].read_bytes, rows[0].written_bytes), (None, None, None));
    std::fs::remove_file(dir.path().join("proc/uptime")).unwrap();
    assert_eq!(host.processes(&mut |_| true, &mut rows).unwrap_err().kind(), ErrorKind::NotFound);
}

// A row that is used again must not show what stood in it before.
#[test]
fn rows_are_used_again_without_what_they_held() {
    let (dir, mut host) = fixture::host(&[
        ("proc/uptime", "1.0 1\n"),
        ("proc/1/stat", &stat(1, "a-name-as-long-as", "S")),
        ("proc/1/io", "read_bytes: 1\nwrite_bytes: 2\n"),
        ("proc/1/fd/0", ""),
    ]);
    let mut rows = Vec::new();
    host.processes(&mut |_| true, &mut rows).unwrap();
    assert_eq!((rows[0].handles, rows[0].read_bytes, rows[0].written_bytes), (Some(1), Some(1), Some(2)));
    let memory = rows[0].name.as_ptr();
    std::fs::rename(dir.path().join("proc/1"), dir.path().join("proc/17")).unwrap();
    std::fs::write(dir.path().join("proc/17/stat"), stat(17, "b", "S")).unwrap();
    std::fs::remove_dir_all(dir.path().join("proc/17/fd")).unwrap();
    std::fs::write(dir.path().join("proc/17/io"), "read_bytes: x\nwrite_bytes: -2\n").unwrap();
    host.processes(&mut |_| true, &mut rows).unwrap();
    assert_eq!((rows.len(), rows[0].pid, rows[0].name.as_str(), rows[0].name.as_ptr()), (1, 17, "b", memory));
    assert_eq!((rows[0].handles, rows[0].read_bytes, rows[0].written_bytes), (None, None, None));
    host.processes(&mut |_| false, &mut rows).unwrap();
    assert!(rows.is_empty());
}

// Two programs whose names begin with the same 15 bytes were counted as one.
#[test]
fn a_name_that_the_kernel_cut_is_completed_from_the_command_line() {
    let cases: [(&str, &[u8], &str); 8] = [
        ("systemd-journal", b"/lib/systemd/systemd-journald\0", "systemd-journald"),
        ("systemd-resolve", b"systemd-resolved\0--x\0", "systemd-resolved"),
        ("averylongscript", b"/bin/sh\0/opt/averylongscript.sh\0", "averylongscript"),
        ("exactly-fifteen", b"/bin/exactly-fifteen", "exactly-fifteen"),
        ("kworker/0:1-eve", b"", "kworker/0:1-eve"),
        ("nginx", b"nginx: worker\0", "nginx"),
        ("with-bytes-that-", b"with-bytes-that-not\0", "with-bytes-that-"),
        (
            "\u{6d4b}\u{8bd5}\u{7a0b}\u{5e8f}\u{4e00}",
            "/a/\u{6d4b}\u{8bd5}\u{7a0b}\u{5e8f}\u{4e00}\u{53f7}".as_bytes(),
            "\u{6d4b}\u{8bd5}\u{7a0b}\u{5e8f}\u{4e00}\u{53f7}",
        ),
    ];
    for (comm, cmdline, expected) in cases {
        let (dir, mut host) = fixture::host(&[
            ("proc/uptime", "1.0 1\n"),
            ("proc/1/comm", &format!("{comm}\n")),
            ("proc/1/stat", &stat(1, comm, "S")),
        ]);
        assert_eq!(names(&mut host, |name| name == comm), [comm], "without a command line");
        std::fs::write(dir.path().join("proc/1/cmdline"), cmdline).unwrap();
        assert_eq!(names(&mut host, |name| name == comm), [expected]);
    }
    let mut name = "a".repeat(15);
    complete(&mut name, "a".repeat(15).as_bytes(), &[b'a'; 8000]);
    assert_eq!(name.len(), 15, "no file has such a name");
}

// One that ended between its `stat` and its `fd` left a sum without handles and bytes, as if they were kept from us.
#[test]
fn a_process_that_ends_while_it_is_looked_at_is_absent() {
    let (dir, mut host) = fixture::host(&[
        ("proc/uptime", "1.0 1\n"),
        ("proc/1/comm", "worker\n"),
        ("proc/1/stat", &stat(1, "worker", "S")),
    ]);
    // A kernel without `io` is no reason to leave it out.
    assert_eq!(names(&mut host, |_| true), ["worker"]);
    let root = host.root.clone();
    let proc = files::open_dir(root.dir().unwrap(), "proc").unwrap();
    let one = Looked { proc: proc.as_fd(), pid: 1 };
    let (mut path, mut file) = (String::new(), Vec::new());
    assert!(one.still_lives(2200, &mut path, &mut file) && !one.still_lives(2201, &mut path, &mut file));
    std::fs::write(dir.path().join("proc/1/stat"), stat(1, "worker", "Z")).unwrap();
    assert!(!one.still_lives(2200, &mut path, &mut file));
    std::fs::remove_file(dir.path().join("proc/1/stat")).unwrap();
    assert!(!one.still_lives(2200, &mut path, &mut file));
    let of = |code| io::Error::from_raw_os_error(code);
    assert!(is_gone(&of(libc::ENOENT)) && is_gone(&of(libc::ESRCH)));
    assert!(!is_gone(&of(libc::EACCES)) && !is_gone(&of(libc::EPERM)));
}

#[test]
fn a_process_that_began_after_the_clock_was_read_is_new() {
    let (_dir, mut host) = fixture::host(&[("proc/uptime", "0.00 1\n"), ("proc/1/stat", &stat(1, "a", "S"))]);
    let mut rows = Vec::new();
    host.processes(&mut |_| true, &mut rows).unwrap();
    assert_eq!(rows[0].age_s, 0.0);
}

#[test]
fn units_do_not_overflow() {
    let units = Units::new(0, 65_536);
    assert_eq!(units.microseconds(u64::MAX), u64::MAX);
    assert_eq!(units.bytes(u64::MAX), u64::MAX);
    assert!(units.seconds(u64::MAX).is_finite());
    assert_eq!(Units::new(100, 4096).microseconds(3), 30_000);
}

#[test]
fn every_truncation_is_survived() {
    let line = stat(42, "a) b", "S");
    let whole = line.find(" 18446744073709551615").unwrap();
    for end in 0..line.len() {
        let told = parse_stat(&line.as_bytes()[..end]).map(|stat| (stat.numbers.threads, stat.numbers.rss_pages));
        assert_eq!(told, (end > whole + 1).then_some((20, 24)), "{end}");
    }
    assert!(parse_stat(b")(").is_none() && parse_stat(b"").is_none());
    let io = "read_bytes: 12\nwrite_bytes: 18446744073709551615\n";
    assert_eq!(parse_io(io.as_bytes(), "write_bytes"), Some(u64::MAX));
    for end in 0..io.len() {
        let _ = parse_io(&io.as_bytes()[..end], "read_bytes");
    }
}

#[test]
fn this_process_is_among_those_of_the_host() {
    let mut rows = Vec::new();
    Host::new("/").processes(&mut |_| true, &mut rows).unwrap();
    let own = rows.iter().find(|row| row.pid == std::process::id()).unwrap();
    let listed = files::count_numbered(rustix::fs::CWD, "/proc/self/fd").unwrap();
    // Other tests open and close files meanwhile.
    assert!(own.handles.is_some_and(|told| told.abs_diff(listed) < 50), "{listed} {own:?}");
    assert!(own.threads >= 1 && own.memory_bytes > Some(100 << 10) && own.handles.is_some_and(|n| n >= 3), "{own:?}");
    assert!((0.0..86_400.0).contains(&own.age_s), "{own:?}");
}

/// All that `/proc/PID` has of 5,000 processes takes a tenth of a second, of which a list of the busiest needs little.
#[test]
fn what_stat_alone_tells_of_all_processes() {
    let (_dir, mut host) = fixture::host(&[
        ("proc/uptime", "100.5 5\n"),
        ("proc/7/comm", "nginx\n"),
        ("proc/7/stat", &stat(7, "nginx", "S")),
        ("proc/7/fd/0", ""),
        ("proc/8/stat", &stat(8, "gone", "Z")),
        ("proc/9/io", "read_bytes: 1\n"),
    ]);
    let (mut whole, mut times) = (Vec::new(), Vec::new());
    host.processes(&mut |_| true, &mut whole).unwrap();
    host.process_times(&mut times).unwrap();
    assert_eq!((times.len(), times[0].name.as_str(), times[0].handles), (1, "nginx", None));
    assert_eq!(times, [Proc { handles: None, read_bytes: None, written_bytes: None, ..whole[0].clone() }]);
}
