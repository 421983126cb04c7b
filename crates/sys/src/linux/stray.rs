//! Processes that have left the group in which they were started (setsid(2), a daemon), found by a mark in their environment.
//!
//! proc_pid_environ(5) shows what a process had at its start; a fork of it shows the same. Who clears its environment, or is
//! another user's, is not found. A kernel that has pidfd_open(2), 5.3, makes sure that the pid is not another's by now; before, the
//! mark is read right before the kill.

use super::files;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

/// One that forks while it is looked for is found in the next round, and one that was killed may take a while to go.
const ROUNDS: usize = 40;
const PAUSE: Duration = Duration::from_millis(5);
/// What is read of an environment; the kernel keeps at most 6 MB of it with the arguments.
const MOST_BYTES: u64 = 8 << 20;

/// Ends all processes that have this variable, `NAME=value`, until none is found any more.
pub(super) fn end(mark: &[u8]) {
    let mut environ = Vec::new();
    for round in 0..ROUNDS {
        match each(mark, &mut environ) {
            Ok(0) | Err(_) => return,
            Ok(_) if round + 1 < ROUNDS => thread::sleep(PAUSE),
            Ok(_) => {}
        }
    }
}

/// How many were found, and told to end.
fn each(mark: &[u8], environ: &mut Vec<u8>) -> io::Result<usize> {
    let proc = OwnedFd::from(File::open("/proc")?);
    let mut found = 0;
    files::each_entry(&proc, |entry| {
        let pid = files::numbered(entry, "").and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|pid| *pid != getpid()) {
            found += usize::from(end_if(pid, mark, environ));
        }
    })?;
    Ok(found)
}

fn end_if(pid: Pid, mark: &[u8], environ: &mut Vec<u8>) -> bool {
    // Before it is read: the process that is read is this one, or this one has ended.
    let held = pidfd_open(pid, PidfdFlags::empty());
    if matches!(held, Err(Errno::SRCH)) || !is_marked(pid, mark, environ) {
        return false;
    }
    let ended = match held {
        Ok(held) => pidfd_send_signal(held, Signal::KILL),
        Err(_) => kill_process(pid, Signal::KILL),
    };
    ended.is_ok()
}

fn is_marked(pid: Pid, mark: &[u8], environ: &mut Vec<u8>) -> bool {
    environ.clear();
    let read = File::open(format!("/proc/{pid}/environ")).and_then(|file| file.take(MOST_BYTES).read_to_end(environ));
    read.is_ok() && environ.split(|byte| *byte == 0).any(|variable| variable == mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn who_has_the_mark_is_ended_and_nobody_else() {
        let marked = |value: &str| {
            let mut command = Command::new("sleep");
            command.arg("600").env("FALCON_STRAY_TEST", value).stdin(Stdio::null()).spawn().unwrap()
        };
        let (mut wanted, mut other) = (marked("1-1"), marked("1-11"));
        end(b"FALCON_STRAY_TEST=1-1");
        assert!(!wanted.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
