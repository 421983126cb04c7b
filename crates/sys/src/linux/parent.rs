//! What a child of the agent does so that it is no trouble: it ends with its parent.
//!
//! Not PR_SET_PDEATHSIG of prctl(2): it ends the child with the thread that started it, and threads come and go.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, getppid, kill_process, pidfd_open};
use std::time::Duration;
use std::{io, thread};

/// Has this process end when its parent does, however that ends, and whatever this one is doing. Once, before anything else.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where it has no parent in its namespace; that of starting a thread. One whose parent ended
/// before has another since.
pub fn end_with_parent() -> io::Result<()> {
    let parent = getppid().ok_or(io::ErrorKind::NotFound)?;
    let wait = move || {
        wait_for(parent);
        // Whoever may not kill itself is about to end.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    thread::Builder::new().name("parent".into()).spawn(wait).map(drop)
}

/// Returns when the parent is another process than this one.
fn wait_for(parent: Pid) {
    // Kernels before 5.3 do not have it, and sandboxes may refuse it.
    const PAUSE: Duration = Duration::from_secs(1);
    if let Ok(fd) = pidfd_open(parent, PidfdFlags::empty())
        && getppid() == Some(parent)
    {
        while poll(&mut [PollFd::new(&fd, PollFlags::IN)], None) == Err(Errno::INTR) {}
    }
    while getppid() == Some(parent) {
        thread::sleep(PAUSE);
    }
}

/// Linux shows none.
pub fn no_error_dialogs() {}
