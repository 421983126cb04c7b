//! A child process with all that it starts: a process group of its own, and who has left it (`stray`).

use super::stray::{self, Kin};
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
    /// Where it has a mark.
    kin: Option<Kin>,
    begun: Instant,
}

impl Tree {
    /// Starts a process that leads a group.
    pub(crate) fn grow(command: &mut Command, hold: &Hold<'_>) -> io::Result<(Child, Tree)> {
        if let Some(bytes) = hold.memory_bytes {
            limit_memory(command, memory_limit(rustix::system::uname().release().to_bytes()), bytes);
        }
        let begun = Instant::now();
        let child = command.process_group(0).spawn()?;
        let group = pid(&child)?;
        let kin = hold.mark.map(|(name, value)| Kin { group, mark: format!("{name}={value}").into_bytes() });
        Ok((child, Tree { group, kin, begun }))
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

    /// Ends the group, and where the tree has a mark also who has left it. Only before the child was waited for.
    pub(crate) fn end(&self, child: &mut Child) {
        if let Some(kin) = &self.kin {
            stray::end(kin, self.begun);
        }
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

/// What holds a process to its memory: before Linux 4.7 RLIMIT_DATA counts brk(2) alone, and malloc(3) takes what is large
/// from mmap(2).
fn memory_limit(release: &[u8]) -> Resource {
    let mut numbers =
        release.split(|byte| !byte.is_ascii_digit()).map(|digits| str::from_utf8(digits).ok()?.parse().ok());
    let version: (Option<u32>, Option<u32>) = (numbers.next().flatten(), numbers.next().flatten());
    if version < (Some(4), Some(7)) { Resource::As } else { Resource::Data }
}

/// Of a process and all that it starts. Set from outside, the limit came when the process had started others already.
fn limit_memory(command: &mut Command, resource: Resource, bytes: u64) {
    // Only root may raise what this process itself is held to.
    let most = getrlimit(resource).maximum;
    let bytes = Some(most.map_or(bytes, |most| bytes.min(most)));
    let limit = Rlimit { current: bytes, maximum: bytes };
    let hold = move || Ok(setrlimit(resource, limit)?);
    // SAFETY: in the forked child it makes one system call, with numbers that are there already: it allocates nothing and takes
    // no lock that another thread may have held.
    unsafe { command.pre_exec(hold) };
}

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a CentOS 7 a plugin could take all of the host's memory.
    #[test]
    fn an_old_kernel_holds_the_address_space_instead() {
        for release in ["2.6.32-754.el6", "3.10.0-1160.el7.x86_64", "4.6.7", "4.4.0-31-generic"] {
            assert_eq!(memory_limit(release.as_bytes()), Resource::As, "{release}");
        }
        for release in ["4.7.0", "4.18.0-553.el8", "5.4", "6.12.1+deb13", "10.0"] {
            assert_eq!(memory_limit(release.as_bytes()), Resource::Data, "{release}");
        }
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v"]);
        limit_memory(&mut command, Resource::As, 1 << 30);
        assert_eq!(command.output().unwrap().stdout, b"1048576\n");
    }
}
