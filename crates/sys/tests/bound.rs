//! Children that are ended with all that they started. Linux; a Windows of Wine has the same in the crate's own tests.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use falcon_sys::{Bound, Hold, command_line, image_path, readable, signal_of, spawn_bound, spawn_held};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A shell with a child that outlives it unless somebody ends it, once both run: so does whoever waits for their output.
fn family(script: &str) -> (Bound, BufReader<ChildStdout>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bound = spawn_bound(&mut command).unwrap();
    let (_, out) = bound.pipes().unwrap();
    let mut out = BufReader::new(out);
    out.read_line(&mut String::new()).unwrap();
    assert!(bound.pipes().is_none());
    (bound, out)
}

/// Whoever has it open has ended by then.
fn is_closed(mut out: BufReader<ChildStdout>) -> bool {
    out.read_to_end(&mut Vec::new()).is_ok()
}

#[test]
fn a_tree_ends_where_it_is_told_to_and_where_nobody_holds_it_any_more() {
    let (mut bound, out) = family("sleep 600 & echo; wait");
    assert!(!bound.is_in_job() && bound.try_wait().unwrap().is_none());
    bound.end();
    assert!(is_closed(out));
    let status = bound.try_wait().unwrap().unwrap();
    assert_eq!((status.code(), bound.try_wait().unwrap()), (None, Some(status)));
    let (bound, out) = family("sleep 600 & echo; wait");
    drop(bound);
    assert!(is_closed(out));
}

#[test]
fn what_a_child_left_behind_ends_when_its_end_is_seen() {
    let (mut bound, out) = family("sleep 600 & echo; exit 7");
    let begun = Instant::now();
    let status = loop {
        match bound.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begun.elapsed() < Duration::from_secs(60)),
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(7));
    assert!(is_closed(out));
}

/// Its group is not the one that was ended: a daemon outlived whoever was to hold it.
#[test]
fn who_has_left_the_group_is_found_again() {
    let mut command = Command::new("sh");
    // As a daemon, and as su starts what it starts.
    let script = "setsid sleep 600 & setsid env -i sh -c 'echo; exec sleep 600' & wait";
    command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let hold = Hold { memory_bytes: None, mark: Some(("FALCON_BOUND_TEST", "left")) };
    let mut bound = spawn_held(&mut command, &hold).unwrap();
    let (out, _) = bound.outputs().unwrap();
    let mut out = BufReader::new(out);
    out.read_line(&mut String::new()).unwrap();
    assert!(!bound.has_ended().unwrap());
    bound.end();
    assert!(is_closed(out) && bound.has_ended().unwrap());
    assert_eq!(signal_of(bound.try_wait().unwrap().unwrap()), Some(9));
}

#[test]
fn memory_is_held_for_the_child_and_what_it_starts() {
    let limit = |bytes| {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'ulimit -d'"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let hold = Hold { memory_bytes: Some(bytes), mark: None };
        let mut bound = spawn_held(&mut command, &hold).unwrap();
        let (mut out, _) = bound.outputs().unwrap();
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!(limit(1 << 30), "1048576\n");
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let error = spawn_bound(&mut Command::new("no such program")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_process_is_what_it_was_started_as() {
    let this = std::process::id();
    assert_eq!(image_path(this).unwrap(), std::env::current_exe().unwrap());
    let own: Vec<String> = std::env::args().collect();
    assert_eq!(command_line(this).unwrap(), own.join(" "));
    assert_eq!(command_line(u32::MAX).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

/// A daemon that had closed what it inherited stayed for ever, one of them for each run.
#[test]
fn who_has_left_the_group_is_ended_also_where_the_child_ends_by_itself() {
    let mut command = Command::new("sh");
    let script = "setsid sh -c 'exec sleep 600 >/dev/null 2>&1' & echo $!";
    command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let hold = Hold { memory_bytes: None, mark: Some(("FALCON_BOUND_TEST", "daemon")) };
    let mut bound = spawn_held(&mut command, &hold).unwrap();
    let (mut out, _) = bound.outputs().unwrap();
    let mut daemon = String::new();
    out.read_to_string(&mut daemon).unwrap();
    let daemon: u32 = daemon.trim().parse().unwrap();
    until(|| bound.try_wait().unwrap().is_some());
    until(|| image_path(daemon).is_err());
}

/// Who read a pipe that a stranger held open waited for it for ever.
#[test]
fn a_pipe_is_asked_before_it_is_read() {
    let mut command = Command::new("sh");
    command.args(["-c", "read x; echo out; exec >&-; read x"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut to, mut out, err) =
        (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let ask = |out: &ChildStdout, most| readable(Some(out), Some(&err), most).unwrap();
    assert_eq!(ask(&out, Duration::from_millis(1)), [false; 2]);
    assert_eq!(readable(None, None, Duration::ZERO).unwrap(), [false; 2]);
    to.write_all(b"\n").unwrap();
    until(|| ask(&out, Duration::from_secs(1)) == [true, false]);
    assert_eq!(out.read(&mut [0; 9]).unwrap(), 4);
    // Its end can be read too.
    until(|| ask(&out, Duration::from_secs(1)) == [true, false]);
    assert_eq!(out.read(&mut [0; 9]).unwrap(), 0);
    drop(to);
    until(|| readable(None, Some(&err), Duration::from_secs(1)).unwrap() == [false, true]);
    child.wait().unwrap();
}

fn until(mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
}
