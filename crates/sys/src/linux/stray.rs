//! Processes of a tree that have left its group: daemons, and whom su(1) starts, which does so with a session and an
//! environment of its own.
//!
//! A tree is who is in its group, who has its mark in the environment, and who descends from one of them; a descendant of
//! neither whose parent has ended is not found. proc_pid_environ(5) shows what a process had at its start, and a fork of it
//! shows the same. A pid is given again: what is ended is the process of the same start, and from Linux 5.3 (pidfd_open(2))
//! nothing can come in between. Source: proc_pid_stat(5).
//!
//! Every run of a plugin ends here, and most leave nobody. Pids are given in turn, so that all of a tree have one behind that
//! of its leader: where few have been given since, those are looked at and no others. Else all processes are, once for all
//! trees that end at the same time.

use super::files;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// One that is started while others are ended is found in the next round.
const ROUNDS: usize = 16;
const PAUSE: Duration = Duration::from_millis(5);
/// What is read of an environment; the kernel keeps at most 6 MB of it with the arguments.
const MOST_BYTES: u64 = 8 << 20;
/// In less time no host gives all of its 32,768 pids.
const YOUNG: Duration = Duration::from_secs(10);
/// Asking for one that nobody has costs a tenth of a look at a process.
const FEW: i32 = 1024;

/// A tree that is to end.
#[derive(Clone, Debug)]
pub(super) struct Kin {
    /// The pid of its leader, who is not waited for yet.
    pub group: Pid,
    /// `NAME=value`.
    pub mark: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    pid: i32,
    parent: i32,
    group: i32,
    /// Clock ticks since boot.
    started: u64,
}

/// Ends a tree, until nobody is found in it who was not told to end. `begun`: not after its start.
pub(super) fn end(kin: &Kin, begun: Instant) {
    let is_young = || begun.elapsed() < YOUNG;
    match recent(kin.group).filter(|_| is_young()) {
        Some(recent_pids) if recent_pids.is_empty() => {}
        Some(_) => end_among(std::slice::from_ref(kin), &mut || {
            let pids = recent(kin.group).filter(|_| is_young());
            pids.map_or_else(nodes, |pids| Ok(pids.chain([kin.group.as_raw_pid()]).filter_map(node).collect()))
        }),
        None => end_together(kin),
    }
}

/// Pids that were given after that of a leader, where they are few.
fn recent(leader: Pid) -> Option<std::ops::RangeInclusive<i32>> {
    let last: i32 = fs::read_to_string("/proc/sys/kernel/ns_last_pid").ok()?.trim_end().parse().ok()?;
    let leader = leader.as_raw_pid();
    (last >= leader && last - leader <= FEW).then(|| leader + 1..=last)
}

struct Waiting {
    kin: Kin,
    is_done: AtomicBool,
}

/// Whoever waits for his turn meanwhile is served with the next one.
fn end_together(kin: &Kin) {
    static WAITING: Mutex<Vec<Arc<Waiting>>> = Mutex::new(Vec::new());
    static TURN: Mutex<()> = Mutex::new(());
    let own = Arc::new(Waiting { kin: kin.clone(), is_done: AtomicBool::new(false) });
    lock(&WAITING).push(own.clone());
    let _turn = lock(&TURN);
    if own.is_done.load(Ordering::Acquire) {
        return;
    }
    let all = std::mem::take(&mut *lock(&WAITING));
    let kins: Vec<Kin> = all.iter().map(|one| one.kin.clone()).collect();
    end_among(&kins, &mut nodes);
    for one in all {
        one.is_done.store(true, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end_among(kins: &[Kin], list: &mut dyn FnMut() -> io::Result<Vec<Node>>) {
    let mut told: Vec<Node> = Vec::new();
    let mut environ = Vec::new();
    // Nobody of a tree was there before its leader.
    let first = kins.iter().map(|kin| started(kin.group)).min().unwrap_or_default();
    for _ in 0..ROUNDS {
        let Ok(mut all) = list() else { return };
        all.retain(|node| node.started >= first);
        let known = told.len();
        let members = tree(&all, |node| {
            kins.iter().any(|kin| kin.group.as_raw_pid() == node.group)
                || told.contains(node)
                || is_marked(node.pid, kins, &mut environ)
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
    parse(pid, &stat(pid)?)
}

fn stat(pid: i32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/stat")).ok()
}

/// Also of one that has ended and is not waited for; 0 where it cannot be told.
fn started(pid: Pid) -> u64 {
    let fields = stat(pid.as_raw_pid()).and_then(|stat| fields(&stat).map(|(_, _, _, started)| started));
    fields.unwrap_or_default()
}

fn parse(pid: i32, stat: &[u8]) -> Option<Node> {
    let (state, parent, group, started) = fields(stat)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then_some(Node { pid, parent, group, started })
}

/// State, parent, group, start.
fn fields(stat: &[u8]) -> Option<(u8, i32, i32, u64)> {
    // A name may have blanks and parentheses in it.
    let behind = stat.rsplit(|byte| *byte == b')').next()?;
    let mut fields = str::from_utf8(behind).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some((state, parent, group, started))
}

fn is_marked(pid: i32, kins: &[Kin], environ: &mut Vec<u8>) -> bool {
    environ.clear();
    let read = File::open(format!("/proc/{pid}/environ")).and_then(|file| file.take(MOST_BYTES).read_to_end(environ));
    let is_mark = |variable: &[u8]| kins.iter().any(|kin| kin.mark == variable);
    read.is_ok() && environ.split(|byte| *byte == 0).any(is_mark)
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
        let kin = |value| Kin {
            group: Pid::from_raw(i32::MAX).unwrap(),
            mark: format!("FALCON_STRAY_TEST={value}").into_bytes(),
        };
        end(&kin("1-1"), Instant::now());
        assert!(!wanted.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        end(&kin("1-11"), Instant::now());
        assert!(!other.wait().unwrap().success());
    }

    /// 64 plugins that end together looked at all processes of the host 64 times each, and the agent's stop took minutes.
    #[test]
    fn many_trees_that_end_together_are_ended_with_one_look() {
        let marked = |index: usize| {
            let value = format!("many-{index}");
            Command::new("sleep").arg("600").env("FALCON_STRAY_TEST", value).stdin(Stdio::null()).spawn().unwrap()
        };
        let mut children: Vec<_> = (0..64).map(marked).collect();
        thread::scope(|scope| {
            for index in 0..64 {
                let mark = format!("FALCON_STRAY_TEST=many-{index}").into_bytes();
                scope.spawn(move || end_together(&Kin { group: Pid::from_raw(i32::MAX).unwrap(), mark }));
            }
        });
        for child in &mut children {
            assert!(!child.wait().unwrap().success());
        }
    }

    #[test]
    fn only_pids_behind_the_leaders_are_recent() {
        let mut leader = Command::new("true").spawn().unwrap();
        let mut later = Command::new("true").spawn().unwrap();
        let pid = |child: &std::process::Child| i32::try_from(child.id()).unwrap();
        let pids = recent(Pid::from_raw(pid(&leader)).unwrap());
        if pid(&later) > pid(&leader) {
            assert!(pids.is_none_or(|pids| pids.contains(&pid(&later)) && !pids.contains(&pid(&leader))));
        }
        assert!(recent(Pid::from_raw(i32::MAX).unwrap()).is_none());
        leader.wait().unwrap();
        later.wait().unwrap();
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
