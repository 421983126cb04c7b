//! Pipes from a child, which are asked before they are read: so nobody waits for one that is never closed.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::time::Duration;

/// Waits until one of them can be read without waiting, also where that tells its end, and says which can. At most so long, but
/// for what the system's clock is coarser.
///
/// # Errors
/// Those of poll(2).
pub fn readable(out: Option<&ChildStdout>, err: Option<&ChildStderr>, most: Duration) -> io::Result<[bool; 2]> {
    let fds = [out.map(AsFd::as_fd), err.map(AsFd::as_fd)];
    let mut asked: Vec<PollFd<'_>> =
        fds.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let most = Timespec { tv_sec: most.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: most.subsec_nanos().into() };
    match poll(&mut asked, Some(&most)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok([false; 2]),
        Err(error) => return Err(error.into()),
    }
    let mut told = asked.iter().map(|fd| !fd.revents().is_empty());
    Ok(fds.map(|fd| fd.is_some() && told.next().unwrap_or_default()))
}
