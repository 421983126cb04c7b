//! A child process with all that it starts: a process group of its own.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Tree {
    group: Pid,
}

impl Tree {
    /// Starts a process that leads a group.
    pub(crate) fn grow(command: &mut Command) -> io::Result<(Child, Tree)> {
        let child = command.process_group(0).spawn()?;
        let group = pid(&child)?;
        Ok((child, Tree { group }))
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

    /// Ends the group. Only before the child was waited for.
    pub(crate) fn end(&self, child: &mut Child) {
        // Where the group cannot be killed, the child alone may.
        if kill_process_group(self.group, Signal::KILL).is_err() {
            let _ = child.kill();
        }
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

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
