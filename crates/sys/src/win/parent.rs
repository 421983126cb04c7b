//! What a child of the agent does so that it is no trouble: it ends with its parent, and asks nobody anything.

use super::ffi::Buffer;
use super::pid;
use crate::layout::command;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::{io, thread};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, INFINITE, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, TerminateProcess,
    WaitForSingleObject,
};

/// Has this process end when its parent does, however that ends, and whatever this one is doing: also where a library that it
/// loaded hangs. Once, before anything else.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where the parent has ended already; else those of the calls.
pub fn end_with_parent() -> io::Result<()> {
    let parent = parent()?;
    let wait = move || {
        // SAFETY: the parent is open with the right to wait for it. A wait that fails is an end too: it cannot be known.
        unsafe { WaitForSingleObject(parent.as_raw_handle(), INFINITE) };
        // SAFETY: this process, as it is; nothing of it runs any more. Unlike ExitProcess it waits for no library.
        unsafe { TerminateProcess(GetCurrentProcess(), 1) };
    };
    thread::Builder::new().name("parent".into()).spawn(wait).map(drop)
}

fn parent() -> io::Result<OwnedHandle> {
    // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
    let this = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
    let mut buffer = Buffer::default();
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let parent = command::parent(pid::basic(this, &mut buffer)?).ok_or_else(gone)?;
    let parent = pid::open(parent, PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION)?;
    // What has its pid and came later is another.
    if pid::created(parent.as_handle())? > pid::created(this)? { Err(gone()) } else { Ok(parent) }
}

/// No dialog, before which this process would wait for somebody: neither where it falls, nor where a disk is missing. What it
/// starts inherits that.
pub fn no_error_dialogs() {
    // SAFETY: the call takes a number.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX) };
}
