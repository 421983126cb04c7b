//! Pipes from a child, which are asked before they are read: so nobody waits for one that is never closed.
//!
//! Source: Microsoft's reference of PeekNamedPipe. Windows has nothing by which several of them are waited for.

use super::ffi::check;
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::process::{ChildStderr, ChildStdout};
use std::time::Duration;
use std::{io, ptr, thread};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

/// Which of them can be read without waiting, also where that tells its end; where neither can, so much later.
///
/// # Errors
/// None.
pub fn readable(out: Option<&ChildStdout>, err: Option<&ChildStderr>, most: Duration) -> io::Result<[bool; 2]> {
    let ask = || {
        [
            out.is_some_and(|pipe| is_readable(pipe.as_raw_handle())),
            err.is_some_and(|pipe| is_readable(pipe.as_raw_handle())),
        ]
    };
    let now = ask();
    if now.contains(&true) || most.is_zero() {
        return Ok(now);
    }
    thread::sleep(most);
    Ok(ask())
}

/// Of a pipe that is open.
fn is_readable(pipe: RawHandle) -> bool {
    let mut there = 0;
    let (nothing, none) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the pipe is open; no bytes are asked for, one pointer leads to a live number, and the others may be null.
    let asked = check(unsafe { PeekNamedPipe(pipe, nothing, 0, none, &raw mut there, none) });
    // A pipe that nobody has open any more is refused, and so is the read of it.
    asked.is_err() || there > 0
}
