//! A child process with all that it starts: a process group of its own, and who has left it (`stray`).

use super::stray;
use crate::Hold;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit, kill_process_group, setrlimit, waitid,
};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Tree {
    group: Pid,
    /// As it stands in the environment of a process.
    mark: Option<Vec<u8>>,
}

impl Tree {
    /// Starts a process that leads a group.
    pub(crate) fn grow(command: &mut Command, hold: &Hold<'_>) -> io::Result<(Child, Tree)> {
        if let Some(bytes) = hold.memory_bytes {
            limit_memory(command, bytes);
        }
        let child = command.process_group(0).spawn()?;
        let group = pid(&child)?;
        let mark = hold.mark.map(|(name, value)| format!("{name}={value}").into_bytes());
        let tree = Tree { group, mark };
        Ok((child, tree))
    }

    pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
        status.signal()
    }

    /// Nothing of Linux ends a group with another process.
    #[expect(clippy::unused_self, reason = "Windows asks it")]
    pub(crate) fn is_in_job(&self) -> bool {
        false
    }

    /// Whether the child has ended. It is not waited for: so its pid, and that of its group, stay its own.
    pub(crate) fn has_ended(child: &mut Child) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(pid(child)?), options)?.is_some())
    }

    /// Asks the group to end, and tells whether it could. Only before the child was waited for.
    pub(crate) fn ask(&self) -> bool {
        kill_process_group(self.group, Signal::TERM).is_ok()
    }

    /// Ends the group. Only before the child was waited for.
    pub(crate) fn end(&self, child: &mut Child) {
        // Where the group cannot be killed, the child alone may.
        if kill_process_group(self.group, Signal::KILL).is_err() {
            let _ = child.kill();
        }
    }

    /// Ends also who has left the group, where the tree has a mark. Only before the child was waited for.
    pub(crate) fn end_all(&self, child: &mut Child) {
        if let Some(mark) = &self.mark {
            stray::end(self.group, mark);
        }
        self.end(child);
    }

    /// Waits for the end of the child, and tells whether it came.
    pub(crate) fn wait(child: &mut Child, most: Duration) -> bool {
        // There is a call for it since Linux 5.3 only.
        const PAUSE: Duration = Duration::from_millis(5);
        let begun = Instant::now();
        loop {
            match Tree::has_ended(child) {
                Ok(false) if begun.elapsed() < most => thread::sleep(PAUSE),
                ended => return ended.unwrap_or(false),
            }
        }
    }
}

/// Of a process and all that it starts. Set from outside, the limit came when the process had started others already.
fn limit_memory(command: &mut Command, bytes: u64) {
    // Only root may raise what this process itself is held to.
    let most = getrlimit(Resource::Data).maximum;
    let bytes = Some(most.map_or(bytes, |most| bytes.min(most)));
    let limit = Rlimit { current: bytes, maximum: bytes };
    let hold = move || Ok(setrlimit(Resource::Data, limit)?);
    // SAFETY: in the forked child it makes one system call, with numbers that are there already: it allocates nothing and takes
    // no lock that another thread may have held.
    unsafe { command.pre_exec(hold) };
}

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
