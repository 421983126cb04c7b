//! Standard input and output as a channel of this process alone.
//!
//! A library that is loaded may print: through GetStdHandle, as Rust does, or through the C library, which keeps handles of its
//! own as descriptors 0 and 1. Those of msvcrt.dll are turned; another C library takes the handles when it is loaded.

use super::ffi::{check, last_error};
use std::ffi::c_int;
use std::fs::File;
use std::os::windows::io::{FromRawHandle, IntoRawHandle, RawHandle};
use std::path::Path;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_UNKNOWN, GetFileType};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

// Of the C library that every Rust program for this target is linked with.
unsafe extern "C" {
    fn _open_osfhandle(handle: isize, flags: c_int) -> c_int;
    fn _dup2(from: c_int, to: c_int) -> c_int;
}

/// Takes standard input and output away from everybody else: they are read and written through the files that are returned,
/// and what others read and write there is NUL. Nothing that this process starts inherits them. Standard error stays, if there
/// is one. Once, before anything is printed or loaded.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::NotConnected`] where there is no standard input or output.
pub fn private_stdio() -> io::Result<(File, File)> {
    let (input, output) = (private(STD_INPUT_HANDLE)?, private(STD_OUTPUT_HANDLE)?);
    // It stays open as long as the process: as descriptor and as what GetStdHandle answers.
    let nul = File::options().read(true).write(true).open("NUL")?.into_raw_handle();
    // SAFETY: the handle is open, and is not closed as anything but this descriptor.
    let descriptor = unsafe { _open_osfhandle(nul as isize, 0) };
    if descriptor < 0 {
        return Err(io::Error::other("the C library takes no further file"));
    }
    let mut turned = vec![(STD_INPUT_HANDLE, 0), (STD_OUTPUT_HANDLE, 1)];
    if !is_open(standard(STD_ERROR_HANDLE)) {
        turned.push((STD_ERROR_HANDLE, 2));
    }
    for (standard, to) in turned {
        // SAFETY: the descriptor is open. What the other stood for is closed, of which the files are duplicates.
        if unsafe { _dup2(descriptor, to) } < 0 {
            return Err(io::Error::other("the C library does not turn its descriptors"));
        }
        // SAFETY: the handle stays open. After the C library, which sets its own.
        check(unsafe { SetStdHandle(standard, nul) })?;
    }
    Ok((input, output))
}

/// From now on what this process says goes to the end of a file, which is made where there is none: standard output and error,
/// as Rust writes them.
///
/// # Errors
/// The file cannot be opened, or the calls' own.
pub fn say_to(path: &Path) -> io::Result<()> {
    // It stays open as long as the process.
    let file = File::options().append(true).create(true).open(path)?.into_raw_handle();
    for standard in [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the handle stays open.
        check(unsafe { SetStdHandle(standard, file) })?;
    }
    Ok(())
}

fn standard(which: STD_HANDLE) -> RawHandle {
    // SAFETY: the call takes a number.
    unsafe { GetStdHandle(which) }
}

fn is_open(handle: RawHandle) -> bool {
    // SAFETY: the call refuses what is no handle.
    !handle.is_null() && handle != INVALID_HANDLE_VALUE && unsafe { GetFileType(handle) } != FILE_TYPE_UNKNOWN
}

/// A duplicate that nobody inherits, as nobody does the original from now on: the C library may keep that open.
fn private(which: STD_HANDLE) -> io::Result<File> {
    let handle = standard(which);
    if !is_open(handle) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let mut own = ptr::null_mut();
    // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: the handle is open; a pointer to a live handle; the rights are those of the original.
    if unsafe { DuplicateHandle(this, handle, this, &raw mut own, 0, 0, DUPLICATE_SAME_ACCESS) } == 0 {
        return Err(last_error());
    }
    // SAFETY: the call succeeded, and the handle is ours alone.
    let own = unsafe { File::from_raw_handle(own) };
    // SAFETY: the handle is open. A console of Windows 7 has none of these flags, and is inherited by other means.
    unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    Ok(own)
}
