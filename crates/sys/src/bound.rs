//! A child process that does not outlive this one: it is ended with all that it started.
//!
//! What holds the tree together is the platform's: a job object of Windows, a process group of Linux. A process that leaves its
//! group on Linux, or loses its parent on a Windows without the job, is not found again.

use crate::imp::Tree;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

/// What was killed ends at once, unless it is held in a driver.
const PATIENCE: Duration = Duration::from_secs(2);

/// A child process with its whole tree, which ends when this is dropped.
#[derive(Debug)]
pub struct Bound {
    child: Child,
    tree: Tree,
    /// Its end was seen, and its pid may be another's.
    is_over: bool,
}

/// Starts a child process with nobody's window. On Windows it sets the creation flags of the command, on Linux its process
/// group.
///
/// # Errors
/// Those of starting it.
pub fn spawn_bound(command: &mut Command) -> io::Result<Bound> {
    let (child, tree) = Tree::grow(command)?;
    Ok(Bound { child, tree, is_over: false })
}

impl Bound {
    /// Standard input and output, where they are pipes; once.
    pub fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.child.stdin.take().zip(self.child.stdout.take())
    }

    /// Of the child itself.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the system ends the tree also where this process is killed. Never on Linux, and not on a Windows 7 that runs
    /// this process in a job already: there the child is to ask for it ([`end_with_parent`](crate::end_with_parent)).
    pub fn is_in_job(&self) -> bool {
        self.tree.is_in_job()
    }

    /// How the child ended, if it has; what it left behind is ended by then.
    ///
    /// # Errors
    /// Those of asking.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if !self.is_over {
            if !Tree::has_ended(&mut self.child)? {
                return Ok(None);
            }
            self.tree.end(&mut self.child);
        }
        let status = self.child.try_wait()?;
        self.is_over |= status.is_some();
        Ok(status)
    }

    /// Ends the child and all that it started, without a word, and waits at most two seconds for its end.
    pub fn end(&mut self) {
        if self.is_over {
            return;
        }
        self.tree.end(&mut self.child);
        if Tree::wait(&mut self.child, PATIENCE) {
            self.is_over = matches!(self.child.try_wait(), Ok(Some(_)));
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.end();
    }
}
