//! A child process with all that it starts, held by a job object, or where there is none by what the list of processes tells.

use super::ffi::Buffer;
use super::job::Job;
use super::{ntdll, pid, process};
use crate::Hold;
use crate::layout::tree::{Node, descendants};
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;
use std::{io, process::id as own_pid};
use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_SUSPENDED, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, TerminateProcess,
    WaitForSingleObject,
};

#[derive(Debug)]
pub(crate) struct Tree {
    job: Option<Job>,
    root: Node,
}

impl Tree {
    /// Starts a process that cannot start another before it is in the job.
    pub(crate) fn grow(command: &mut Command, hold: &Hold<'_>) -> io::Result<(Child, Tree)> {
        grow(command, Job::new(hold.memory_bytes).ok())
    }

    pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
        None
    }

    pub(crate) fn is_in_job(&self) -> bool {
        self.job.is_some()
    }

    /// Whether the child has ended; asking changes nothing, for its pid stays its own as long as `child` is there.
    pub(crate) fn has_ended(child: &mut Child) -> io::Result<bool> {
        Ok(child.try_wait()?.is_some())
    }

    /// A process without a window can be asked nothing.
    #[expect(clippy::unused_self, reason = "Linux asks it")]
    pub(crate) fn ask(&self) -> bool {
        false
    }

    /// Ends the child and all that descends from it, as far as it is found.
    pub(crate) fn end(&self, child: &mut Child) {
        if self.job.as_ref().is_some_and(|job| job.end().is_ok()) {
            return;
        }
        // First, for then it starts no more. One that has ended already is as good.
        let _ = child.kill();
        end_descendants(self.root);
    }

    /// Waits for the end of the child, and tells whether it came.
    pub(crate) fn wait(child: &mut Child, most: Duration) -> bool {
        let ms = u32::try_from(most.as_millis()).unwrap_or(u32::MAX - 1);
        // SAFETY: the process is open as long as `child` is there.
        unsafe { WaitForSingleObject(child.as_raw_handle(), ms) == WAIT_OBJECT_0 }
    }
}

fn grow(command: &mut Command, job: Option<Job>) -> io::Result<(Child, Tree)> {
    let mut child = command.creation_flags(CREATE_SUSPENDED | CREATE_NO_WINDOW).spawn()?;
    let started = || {
        let created = pid::created(child.as_handle())?;
        // Where it is refused, the child runs without.
        let job = job.filter(|job| job.take(child.as_handle()).is_ok());
        ntdll::resume(child.as_handle())?;
        Ok(Tree { job, root: Node { pid: child.id(), parent: own_pid(), created } })
    };
    match started() {
        Ok(tree) => Ok((child, tree)),
        Err(e) => {
            // It waits to be resumed, and would for ever.
            let _ = child.kill();
            Err(e)
        }
    }
}

/// Rounds in which processes are looked for that were started while others were ended.
const ROUNDS: usize = 8;

/// Ends what descends from a process whose pid is held. Each that is found is held too, until all are ended: so no pid of them
/// is given again meanwhile.
fn end_descendants(root: Node) {
    let (mut buffer, mut known, mut held) = (Buffer::default(), vec![root], Vec::new());
    for _ in 0..ROUNDS {
        let Ok(all) = process::nodes(&mut buffer) else { return };
        let found = held.len();
        for node in descendants(&known, &all).into_iter().filter(|node| node.pid != own_pid()) {
            if let Ok(process) = end(node) {
                held.push(process);
                known.push(node);
            }
        }
        if held.len() == found {
            return;
        }
    }
}

/// Ends a process, if it is still the one that was listed.
fn end(node: Node) -> io::Result<OwnedHandle> {
    let process = pid::open(node.pid, PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION)?;
    if pid::created(process.as_handle())? != node.created {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the process is open with the right to end it. Where that fails, it has ended or is kept from us.
    unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::Stdio;

    /// A process in a process, which waits for a key, and has said so.
    fn grown(job: Option<Job>) -> (Child, Tree) {
        let mut command = Command::new("cmd.exe");
        command.args(["/c", "cmd.exe", "/c", "pause"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut child, tree) = grow(command.stderr(Stdio::null()), job).unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        (child, tree)
    }

    /// A console's host may be among them.
    fn below(tree: &Tree) -> Vec<Node> {
        descendants(&[tree.root], &process::nodes(&mut Buffer::default()).unwrap())
    }

    /// Ends, and waits until nobody has standard output open any more.
    fn ended(mut child: Child, tree: &Tree) {
        tree.end(&mut child);
        assert!(Tree::wait(&mut child, Duration::from_secs(60)) && Tree::has_ended(&mut child).unwrap());
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    }

    #[test]
    fn a_tree_ends_with_its_job() {
        let (child, tree) = grown(Some(Job::new(Some(1 << 30)).unwrap()));
        assert!(tree.is_in_job() && !below(&tree).is_empty());
        ended(child, &tree);
    }

    // Windows 7 takes nothing into a job that is in one, as all that some remote consoles start.
    #[test]
    fn a_tree_ends_without_a_job() {
        let (child, tree) = grown(None);
        assert!(!tree.is_in_job() && !below(&tree).is_empty());
        ended(child, &tree);
    }

    #[test]
    fn what_a_child_left_behind_ends_too() {
        let (mut child, tree) = grown(None);
        child.kill().unwrap();
        assert!(Tree::wait(&mut child, Duration::from_secs(60)));
        assert!(!below(&tree).is_empty());
        ended(child, &tree);
    }

    #[test]
    fn a_process_that_took_the_pid_of_another_is_not_ended() {
        let (child, tree) = grown(None);
        let other = Node { created: tree.root.created + 1, ..tree.root };
        assert_eq!(end(other).unwrap_err().kind(), io::ErrorKind::NotFound);
        ended(child, &tree);
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        assert_eq!(
            Tree::grow(&mut Command::new("no such program"), &Hold::default()).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
