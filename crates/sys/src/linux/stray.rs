//! Processes of a tree that have left its group: daemons, and whom su(1) starts, which does so with a session and an
//! environment of its own.
//!
//! A tree is who is in its group, who has its mark in the environment, and who descends from one of them; a descendant of
//! neither whose parent has ended is not found. proc_pid_environ(5) shows what a process had at its start, and a fork of it
//! shows the same. A pid is given again: what is ended is the process of the same start, and from Linux 5.3 (pidfd_open(2))
//! nothing can come in between. Source: proc_pid_stat(5).

use super::files;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

/// One that is started while others are ended is found in the next round.
const ROUNDS: usize = 16;
const PAUSE: Duration = Duration::from_millis(5);
/// What is read of an environment; the kernel keeps at most 6 MB of it with the arguments.
const MOST_BYTES: u64 = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    pid: i32,
    parent: i32,
    group: i32,
    /// Clock ticks since boot.
    started: u64,
}

/// Ends a tree, until nobody is found in it who was not told to end. `mark`: `NAME=value`. The leader of the group is not
/// waited for yet.
pub(super) fn end(group: Pid, mark: &[u8]) {
    let mut told: Vec<Node> = Vec::new();
    let mut environ = Vec::new();
    for _ in 0..ROUNDS {
        let Ok(all) = nodes() else { return };
        let known = told.len();
        let members = tree(&all, |node| {
            node.group == group.as_raw_pid() || told.contains(node) || is_marked(node.pid, mark, &mut environ)
        });
        for node in members {
            if !told.contains(&node) && kill(node) {
                told.push(node);
            }
        }
        if told.len() == known {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Who is wanted, and all who descend from them.
fn tree(all: &[Node], mut is_wanted: impl FnMut(&Node) -> bool) -> Vec<Node> {
    let mut members: Vec<Node> = all.iter().filter(|node| is_wanted(node)).copied().collect();
    let mut at = 0;
    while let Some(parent) = members.get(at).map(|node| node.pid) {
        at += 1;
        for node in all.iter().filter(|node| node.parent == parent) {
            if !members.contains(node) {
                members.push(*node);
            }
        }
    }
    members
}

/// All processes that have not ended, but this one.
fn nodes() -> io::Result<Vec<Node>> {
    let proc = OwnedFd::from(File::open("/proc")?);
    let own = getpid().as_raw_pid();
    let mut nodes = Vec::new();
    files::each_entry(&proc, |entry| {
        let pid = files::numbered(entry, "").and_then(|pid| i32::try_from(pid).ok());
        nodes.extend(pid.filter(|pid| *pid != own).and_then(node));
    })?;
    Ok(nodes)
}

/// `None` where it has ended.
fn node(pid: i32) -> Option<Node> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(pid: i32, stat: &[u8]) -> Option<Node> {
    // A name may have blanks and parentheses in it.
    let behind = stat.rsplit(|byte| *byte == b')').next()?;
    let mut fields = str::from_utf8(behind).ok()?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Node { pid, parent, group, started })
}

fn is_marked(pid: i32, mark: &[u8], environ: &mut Vec<u8>) -> bool {
    environ.clear();
    let read = File::open(format!("/proc/{pid}/environ")).and_then(|file| file.take(MOST_BYTES).read_to_end(environ));
    read.is_ok() && environ.split(|byte| *byte == 0).any(|variable| variable == mark)
}

/// Whether it was told to end.
fn kill(known: Node) -> bool {
    let Some(pid) = Pid::from_raw(known.pid) else { return false };
    // Before it is looked at once more: then it is this one, or this one has ended.
    let held = pidfd_open(pid, PidfdFlags::empty());
    if node(known.pid).is_none_or(|node| node.started != known.started) {
        return false;
    }
    let told = match held {
        Ok(held) => pidfd_send_signal(held, Signal::KILL),
        Err(_) => kill_process(pid, Signal::KILL),
    };
    told.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = b"7 (a) Z 1) S 5 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 10";
        assert_eq!(parse(7, stat), Some(Node { pid: 7, parent: 5, group: 6, started: 4711 }));
        assert_eq!(parse(7, b"7 (a) Z 5 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711"), None);
        assert_eq!(parse(7, b"7 (a) S 5 6"), None);
        let own = getpid().as_raw_pid();
        assert_eq!(node(own).unwrap().pid, own);
    }

    #[test]
    fn a_tree_is_who_is_wanted_with_all_who_descend() {
        let of = |pid, parent| Node { pid, parent, group: 0, started: 0 };
        let all = [of(5, 4), of(2, 1), of(4, 3), of(3, 1), of(6, 2)];
        let found: Vec<_> = tree(&all, |node| node.pid == 3).iter().map(|node| node.pid).collect();
        assert_eq!(found, [3, 4, 5]);
        // What was read over a while may go round in a circle.
        assert_eq!(tree(&[of(1, 2), of(2, 1)], |node| node.pid == 1).len(), 2);
    }

    #[test]
    fn who_has_the_mark_is_ended_and_nobody_else() {
        let marked = |value: &str| {
            let mut command = Command::new("sleep");
            command.arg("600").env("FALCON_STRAY_TEST", value).stdin(Stdio::null()).spawn().unwrap()
        };
        let (mut wanted, mut other) = (marked("1-1"), marked("1-11"));
        // No group has this number.
        end(Pid::from_raw(i32::MAX).unwrap(), b"FALCON_STRAY_TEST=1-1");
        assert!(!wanted.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_process_that_took_the_pid_of_another_is_not_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let known = node(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(!kill(Node { started: known.started + 1, ..known }) && child.try_wait().unwrap().is_none());
        assert!(kill(known));
        child.wait().unwrap();
    }
}
