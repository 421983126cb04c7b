//! NtQuerySystemInformation and its neighbours: what the kernel tells of the whole system, as bytes.
//!
//! The functions are looked up: the plain one is older than any Windows this runs on but no import library has to name
//! it, and the one for processor groups is of Windows 7.

use super::ffi::{Answer, Buffer, procedure, size_u32};
use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::{io, mem, ptr};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, RtlNtStatusToDosError, STATUS_BUFFER_TOO_SMALL, STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS, STATUS_NOT_IMPLEMENTED,
};
use windows_sys::Win32::System::Threading::GetActiveProcessorGroupCount;
use windows_sys::core::PCSTR;
use windows_sys::{s, w};

/// SYSTEM_INFORMATION_CLASS, as the kernel's headers number them.
#[derive(Clone, Copy)]
pub(super) enum Class {
    Performance = 2,
    Processes = 5,
    ProcessorPerformance = 8,
    Interrupts = 23,
    Exceptions = 33,
    MemoryLists = 80,
}

/// PROCESSINFOCLASS, likewise.
#[derive(Clone, Copy)]
pub(super) enum ProcessClass {
    Basic = 0,
    /// From Windows 8.1 on.
    CommandLine = 60,
}

/// ProcessorInformation of POWER_INFORMATION_LEVEL (wdm.h).
const PROCESSOR_INFORMATION: i32 = 11;

type Query = unsafe extern "system" fn(i32, *mut c_void, u32, *mut u32) -> NTSTATUS;
type QueryEx = unsafe extern "system" fn(i32, *const c_void, u32, *mut c_void, u32, *mut u32) -> NTSTATUS;
type QueryProcess = unsafe extern "system" fn(HANDLE, i32, *mut c_void, u32, *mut u32) -> NTSTATUS;
type ResumeProcess = unsafe extern "system" fn(HANDLE) -> NTSTATUS;
type PowerInformation = unsafe extern "system" fn(i32, *const c_void, u32, *mut c_void, u32) -> NTSTATUS;

/// What the system tells of `class`, in a buffer of `first` bytes that grows to `most`.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] where the system does not know the class, else the call's own.
pub(super) fn query(class: Class, buffer: &mut Buffer, first: usize, most: usize) -> io::Result<&[u8]> {
    let query = ntdll(s!("NtQuerySystemInformation"))?;
    // SAFETY: the name belongs to this signature (winternl.h).
    let query = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, Query>(query) };
    buffer.fill(first, most, |at, bytes| {
        let mut written = 0;
        // SAFETY: `bytes` bytes lie at `at`, aligned to 8.
        let status = unsafe { query(class as i32, at, bytes, &raw mut written) };
        answer(status, written)
    })
}

/// What the system tells of each processor group, in order: every call that is not asked for a group answers for the
/// one of the calling thread, and a host with more than 64 processors has several.
///
/// Where the system does not know the call for groups, the plain one answers if there is one group only (Wine).
///
/// # Errors
/// Those of [`query`]; `each` may have been told of some groups by then.
pub(super) fn query_groups(
    class: Class,
    record_bytes: usize,
    buffer: &mut Buffer,
    mut each: impl FnMut(u16, &[u8]),
) -> io::Result<()> {
    /// A group has at most 64 processors; the rest is room for a Windows to come.
    const RECORDS: usize = 64;
    const MOST_RECORDS: usize = 16 * RECORDS;
    let (first, most) = (RECORDS * record_bytes, MOST_RECORDS * record_bytes);
    // SAFETY: the call takes nothing.
    let groups = unsafe { GetActiveProcessorGroupCount() }.max(1);
    for group in 0..groups {
        let bytes = match query_group(class, group, buffer, first, most) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported && groups == 1 => query(class, buffer, first, most)?,
            Err(e) => return Err(e),
            Ok(bytes) => bytes,
        };
        if bytes.len() < record_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a processor group without processors"));
        }
        each(group, bytes);
    }
    Ok(())
}

fn query_group(class: Class, group: u16, buffer: &mut Buffer, first: usize, most: usize) -> io::Result<&[u8]> {
    let query = ntdll(s!("NtQuerySystemInformationEx"))?;
    // SAFETY: the name belongs to this signature (the kernel's headers).
    let query = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, QueryEx>(query) };
    buffer.fill(first, most, |at, bytes| {
        let mut written = 0;
        let input = (&raw const group).cast();
        // SAFETY: the input is one u16 as its size says; `bytes` bytes lie at `at`, aligned to 8.
        let status = unsafe { query(class as i32, input, size_u32::<u16>(), at, bytes, &raw mut written) };
        answer(status, written)
    })
}

/// What the power manager tells of the processors: one PROCESSOR_POWER_INFORMATION each. CallNtPowerInformation is the
/// documented name of this call, in a library that would be loaded for it alone.
///
/// # Errors
/// Those of [`query`].
pub(super) fn processor_power(record_bytes: usize, buffer: &mut Buffer) -> io::Result<&[u8]> {
    /// More processors than any Windows counts.
    const MOST_RECORDS: usize = 4096;
    let query = ntdll(s!("NtPowerInformation"))?;
    // SAFETY: the name belongs to this signature (CallNtPowerInformation's page in the Windows SDK documentation).
    let query = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, PowerInformation>(query) };
    buffer.fill(64 * record_bytes, MOST_RECORDS * record_bytes, |at, bytes| {
        // The call does not tell how many records it wrote: none of another call may be left.
        // SAFETY: `bytes` bytes lie at `at`, and any byte is a valid part of a number.
        unsafe { at.write_bytes(0, bytes as usize) };
        // SAFETY: there is no input; `bytes` bytes lie at `at`, aligned to 8.
        let status = unsafe { query(PROCESSOR_INFORMATION, ptr::null(), 0, at, bytes) };
        answer(status, if status >= 0 { bytes } else { 0 })
    })
}

/// What the system tells of one process.
///
/// # Errors
/// Those of [`query`].
pub(super) fn query_process<'a>(
    process: BorrowedHandle<'_>,
    class: ProcessClass,
    buffer: &'a mut Buffer,
    first: usize,
    most: usize,
) -> io::Result<&'a [u8]> {
    let query = ntdll(s!("NtQueryInformationProcess"))?;
    // SAFETY: the name belongs to this signature (winternl.h).
    let query = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, QueryProcess>(query) };
    buffer.fill(first, most, |at, bytes| {
        let mut written = 0;
        // SAFETY: the process is open; `bytes` bytes lie at `at`, aligned to 8.
        let status = unsafe { query(process.as_raw_handle(), class as i32, at, bytes, &raw mut written) };
        answer(status, written)
    })
}

/// Has a process run that was made suspended. ResumeThread is the documented way, for which Rust's library does not keep the
/// thread.
///
/// # Errors
/// The call's own.
pub(super) fn resume(process: BorrowedHandle<'_>) -> io::Result<()> {
    let resume = ntdll(s!("NtResumeProcess"))?;
    // SAFETY: the name belongs to this signature (the kernel's headers).
    let resume = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, ResumeProcess>(resume) };
    // SAFETY: the process is open with all rights, as whoever made it has it.
    match unsafe { resume(process.as_raw_handle()) } {
        0.. => Ok(()),
        status => Err(error(status)),
    }
}

fn ntdll(name: PCSTR) -> io::Result<unsafe extern "system" fn() -> isize> {
    procedure(w!("ntdll.dll"), name).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn answer(status: NTSTATUS, written: u32) -> Answer {
    match status {
        0.. => Answer::Filled(written as usize),
        STATUS_INFO_LENGTH_MISMATCH | STATUS_BUFFER_TOO_SMALL => Answer::TooSmall(written as usize),
        STATUS_NOT_IMPLEMENTED | STATUS_INVALID_INFO_CLASS => Answer::Failed(io::ErrorKind::Unsupported.into()),
        status => Answer::Failed(error(status)),
    }
}

fn error(status: NTSTATUS) -> io::Error {
    // SAFETY: the call translates a number.
    io::Error::from_raw_os_error(unsafe { RtlNtStatusToDosError(status) }.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{command, processor};
    use std::mem::offset_of;
    use windows_sys::Win32::Foundation::UNICODE_STRING;
    use windows_sys::Win32::NetworkManagement::IpHelper::{MIB_TCP6ROW, MIB_TCPROW_LH};
    use windows_sys::Win32::System::Threading::{PEB, PROCESS_BASIC_INFORMATION, RTL_USER_PROCESS_PARAMETERS};
    use windows_sys::Win32::System::WindowsProgramming::{
        SYSTEM_EXCEPTION_INFORMATION, SYSTEM_INTERRUPT_INFORMATION, SYSTEM_PERFORMANCE_INFORMATION,
        SYSTEM_PROCESS_INFORMATION, SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION, SYSTEM_THREAD_INFORMATION,
    };

    fn filled(status: NTSTATUS, written: u32) -> io::Result<usize> {
        Buffer::default().fill(64, 1 << 12, |_, _| answer(status, written)).map(<[u8]>::len)
    }

    // `layout` reads bytes, so that it is tested everywhere: where the SDK's headers name a place, it is the same.
    #[test]
    fn the_layouts_are_those_of_the_headers() {
        assert_eq!(size_of::<SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION>(), processor::TIMES_BYTES);
        assert_eq!(offset_of!(SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION, Reserved2), 40);
        assert_eq!(size_of::<SYSTEM_INTERRUPT_INFORMATION>(), processor::SWITCHES_BYTES);
        assert_eq!(size_of::<SYSTEM_PERFORMANCE_INFORMATION>(), 312);
        assert_eq!(size_of::<SYSTEM_EXCEPTION_INFORMATION>(), 16);
        assert_eq!(size_of::<SYSTEM_PROCESS_INFORMATION>(), 256);
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, ImageName), 56);
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, UniqueProcessId), 80);
        // Behind it the parent, then the count of handles.
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, Reserved2), 88);
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, HandleCount), 96);
        assert_eq!(size_of::<PROCESS_BASIC_INFORMATION>(), command::BASIC_BYTES);
        assert_eq!(offset_of!(PROCESS_BASIC_INFORMATION, PebBaseAddress), 8);
        assert_eq!(offset_of!(PROCESS_BASIC_INFORMATION, InheritedFromUniqueProcessId), 40);
        assert_eq!(offset_of!(PEB, ProcessParameters), 32);
        assert_eq!(offset_of!(RTL_USER_PROCESS_PARAMETERS, CommandLine), 112);
        assert_eq!(size_of::<UNICODE_STRING>(), command::STRING_BYTES);
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, WorkingSetSize), 144);
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, PrivatePageCount), 200);
        // Six counts of operations and bytes end the entry.
        assert_eq!(offset_of!(SYSTEM_PROCESS_INFORMATION, Reserved7), 208);
        assert_eq!(size_of::<SYSTEM_THREAD_INFORMATION>(), 80);
        assert_eq!(offset_of!(SYSTEM_THREAD_INFORMATION, ThreadState), 68);
        assert_eq!(size_of::<MIB_TCPROW_LH>(), 20);
        assert_eq!(offset_of!(MIB_TCPROW_LH, dwLocalPort), 8);
        assert_eq!(size_of::<MIB_TCP6ROW>(), 52);
        assert_eq!(offset_of!(MIB_TCP6ROW, dwLocalPort), 24);
        assert_eq!(offset_of!(MIB_TCP6ROW, State), 0);
    }

    #[test]
    fn a_refused_class_is_unsupported_and_another_status_is_an_error() {
        assert_eq!(filled(0, 24).unwrap(), 24);
        assert_eq!(filled(STATUS_NOT_IMPLEMENTED, 0).unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(filled(STATUS_INVALID_INFO_CLASS, 0).unwrap_err().kind(), io::ErrorKind::Unsupported);
        // STATUS_ACCESS_DENIED is ERROR_ACCESS_DENIED.
        assert_eq!(filled(0xC000_0022_u32.cast_signed(), 0).unwrap_err().raw_os_error(), Some(5));
        assert_eq!(filled(STATUS_INFO_LENGTH_MISMATCH, 0).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(filled(STATUS_BUFFER_TOO_SMALL, u32::MAX).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    fn an_answer_without_a_whole_record_is_no_reading() {
        let mut told = 0;
        let small = query_groups(Class::ProcessorPerformance, 1 << 20, &mut Buffer::default(), |_, _| told += 1);
        assert_eq!((small.unwrap_err().kind(), told), (io::ErrorKind::InvalidData, 0));
        query_groups(Class::ProcessorPerformance, 48, &mut Buffer::default(), |_, _| told += 1).unwrap();
        assert!(told >= 1);
    }

    #[test]
    fn a_buffer_grows_to_what_the_system_says() {
        let mut buffer = Buffer::default();
        let all = query(Class::Processes, &mut buffer, 8, 64 << 20).unwrap().len();
        assert!(all > 1 << 10, "{all}");
        let mut small = Buffer::default();
        let small = query(Class::Processes, &mut small, 8, 64);
        assert_eq!(small.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }
}
