//! A child process that does not outlive this one: it is ended with all that it started.
//!
//! What holds the tree together is the platform's: a job object of Windows, a process group of Linux. A process that leaves its
//! group on Linux is found again where the tree has a mark ([`Hold::mark`]), by that or by its parents. On a Windows without
//! the job it is found by its parents alone: who was started by a process that has ended since, other than the child, is not.

use crate::imp::Tree;
use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

/// What was killed ends at once, unless it is held in a driver.
const PATIENCE: Duration = Duration::from_secs(2);

/// What holds a tree beside its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hold<'a> {
    /// Of all its processes together on Windows, where a job holds them; of each of them on Linux, where RLIMIT_DATA holds
    /// it, before Linux 4.7 RLIMIT_AS: its address space then.
    pub memory_bytes: Option<u64>,
    /// Name and value of a variable of the environment that no other process of the host has. With it Linux looks, when the
    /// tree ends, for who has left the group.
    pub mark: Option<(&'a str, &'a str)>,
}

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
    spawn_held(command, &Hold::default())
}

/// The same, held.
///
/// # Errors
/// Those of starting it.
pub fn spawn_held(command: &mut Command, hold: &Hold<'_>) -> io::Result<Bound> {
    if let Some((name, value)) = hold.mark {
        command.env(name, value);
    }
    let (child, tree) = Tree::grow(command, hold)?;
    Ok(Bound { child, tree, is_over: false })
}

/// The signal that ended a process. On Windows there is none: who is ended has an exit code all the same.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    Tree::signal_of(status)
}

impl Bound {
    /// Standard input and output, where they are pipes; once.
    pub fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.child.stdin.take().zip(self.child.stdout.take())
    }

    /// Standard output and error, where they are pipes; once.
    pub fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        self.child.stdout.take().zip(self.child.stderr.take())
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

    /// Whether the child has ended. What it left behind goes on.
    ///
    /// # Errors
    /// Those of asking.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        if self.is_over { Ok(true) } else { Tree::has_ended(&mut self.child) }
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

    /// Asks the tree to end, which Linux alone can, gives the child this long for it, and ends what is left.
    pub fn end_gently(&mut self, grace: Duration) {
        if !self.is_over && self.tree.ask() {
            Tree::wait(&mut self.child, grace);
        }
        self.end();
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.end();
    }
}
