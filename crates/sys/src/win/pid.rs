//! One process that is known by its pid: what it was started as, and since when it runs.
//!
//! A pid is given again: whoever keeps one compares the time at which its process was created. What is protected or gone is
//! an error. Nothing here waits for the process.

use super::ffi::{Answer, Buffer, check, fill, last_error, len_u32, ticks};
use super::ntdll::{self, ProcessClass};
use crate::layout::command;
use crate::layout::text::text;
use std::ffi::c_void;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_PARAMETER, FILETIME};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_VM_READ, QueryFullProcessImageNameW,
};

/// A process, opened with these rights.
///
/// # Errors
/// The call's own; [`io::ErrorKind::NotFound`] where there is no such process.
pub(super) fn open(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: the call takes numbers; the handle is not inherited.
    let handle = unsafe { OpenProcess(rights, 0, pid) };
    if !handle.is_null() {
        // SAFETY: the call succeeded, and the handle is ours alone.
        return Ok(unsafe { OwnedHandle::from_raw_handle(handle) });
    }
    match last_error() {
        e if e.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed()) => Err(io::ErrorKind::NotFound.into()),
        e => Err(e),
    }
}

/// When a process was created, in 100 ns since 1601. Needs PROCESS_QUERY_LIMITED_INFORMATION.
pub(super) fn created(process: BorrowedHandle<'_>) -> io::Result<u64> {
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    let process = process.as_raw_handle();
    // SAFETY: the process is open; four pointers to live structures.
    check(unsafe { GetProcessTimes(process, &raw mut created, &raw mut exited, &raw mut kernel, &raw mut user) })?;
    Ok(ticks(created))
}

/// PROCESS_BASIC_INFORMATION, in a buffer of its own.
pub(super) fn basic<'a>(process: BorrowedHandle<'_>, buffer: &'a mut Buffer) -> io::Result<&'a [u8]> {
    ntdll::query_process(process, ProcessClass::Basic, buffer, command::BASIC_BYTES, command::BASIC_BYTES)
}

/// The command line of a process as it was given: on Windows a program takes it apart itself. From Windows 8.1 the kernel
/// tells it; before, it is read in the process, which may have written something else there.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::NotFound`] where there is no such process, [`io::ErrorKind::InvalidData`] where it is
/// being made or has ended.
pub fn command_line(pid: u32) -> io::Result<String> {
    match told(pid) {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => read(pid),
        told => told,
    }
}

fn told(pid: u32) -> io::Result<String> {
    /// The text, of which the length has 16 bits, and what describes it.
    const MOST_BYTES: usize = command::STRING_BYTES + (64 << 10);
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut buffer = Buffer::default();
    let bytes = ntdll::query_process(process.as_handle(), ProcessClass::CommandLine, &mut buffer, 1 << 10, MOST_BYTES)?;
    command::answered(bytes, bytes.as_ptr().addr() as u64).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The same, read in the process.
fn read(pid: u32) -> io::Result<String> {
    let process = open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ)?;
    let process = process.as_handle();
    let mut buffer = Buffer::default();
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let at = command::parameters_at(basic(process, &mut buffer)?).ok_or_else(damaged)?;
    let at = command::command_line_at(&memory(process, at, size_of::<u64>())?).ok_or_else(damaged)?;
    let (len, at) = command::string(&memory(process, at, command::STRING_BYTES)?).ok_or_else(damaged)?;
    Ok(command::text(&memory(process, at, len)?))
}

/// So many bytes at an address of a process, all or none.
fn memory(process: BorrowedHandle<'_>, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut read = 0;
    let from = usize::try_from(at).map_or(ptr::null(), ptr::without_provenance::<c_void>);
    let to = bytes.as_mut_ptr().cast();
    // SAFETY: the process is open; so many bytes lie there, and the call checks the address, which is one of that process.
    check(unsafe { ReadProcessMemory(process.as_raw_handle(), from, to, len, &raw mut read) })?;
    if read == len { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// The path of the program that a process runs.
///
/// # Errors
/// Those of OpenProcess and QueryFullProcessImageNameW; [`io::ErrorKind::NotFound`] where there is no such process.
pub fn image_path(pid: u32) -> io::Result<PathBuf> {
    const MOST_UNITS: usize = 32 << 10;
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let path = fill(260, MOST_UNITS, |buffer: &mut [u16]| {
        let (mut len, process) = (len_u32(buffer), process.as_raw_handle());
        // SAFETY: the process is open; the buffer has as many units as `len` says; the call changes it to what it wrote.
        let ok = unsafe { QueryFullProcessImageNameW(process, PROCESS_NAME_WIN32, buffer.as_mut_ptr(), &raw mut len) };
        match check(ok) {
            Ok(()) => Answer::Filled(len as usize),
            Err(e) if e.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) => Answer::TooSmall(0),
            Err(e) => Answer::Failed(e),
        }
    })?;
    Ok(text(&path).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::System::Threading::GetCurrentProcess;

    // Wine has the second way alone, and what the kernel of a newer Windows tells is the same.
    #[test]
    fn both_ways_tell_the_same_or_one_is_not_there() {
        let this = std::process::id();
        let own = read(this).unwrap();
        assert!(own.contains("falcon_sys"), "{own}");
        match told(this) {
            Ok(told) => assert_eq!(told, own),
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::Unsupported),
        }
    }

    #[test]
    fn no_process_is_not_found_and_no_memory_is_an_error() {
        for pid in [0, 0xFFFF_FFF0] {
            assert_eq!(open(pid, PROCESS_QUERY_LIMITED_INFORMATION).unwrap_err().kind(), io::ErrorKind::NotFound);
            assert!(command_line(pid).is_err() && read(pid).is_err() && image_path(pid).is_err());
        }
        let this = open(std::process::id(), PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).unwrap();
        assert!(memory(this.as_handle(), 16, 8).is_err() && memory(this.as_handle(), u64::MAX, 8).is_err());
        assert!(created(this.as_handle()).unwrap() > 0);
        // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
        let pseudo = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
        assert_eq!(created(pseudo).unwrap(), created(this.as_handle()).unwrap());
    }
}
