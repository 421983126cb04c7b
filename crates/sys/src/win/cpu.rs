//! Processor times: NtQuerySystemInformationEx once per processor group, for every other call sees only the group of
//! the calling thread on hosts with more than 64 processors.
//!
//! Where the system does not know that call, the plain one does if there is one group only (Wine), and GetSystemTimes
//! is the last resort. Which of them answers never changes while a system runs, so differences stay meaningful.

use super::ffi::{Answer, check, fill, size_u32, ticks};
use crate::layout::{ProcessorRecord, Processors, Widened};
use crate::types::{CpuStat, CpuTimes};
use std::ffi::c_void;
use std::io;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::{
    FARPROC, FILETIME, NTSTATUS, RtlNtStatusToDosError, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS,
    STATUS_NOT_IMPLEMENTED,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Threading::{
    ALL_PROCESSOR_GROUPS, GetActiveProcessorCount, GetActiveProcessorGroupCount, GetSystemTimes,
};
use windows_sys::core::PCSTR;
use windows_sys::{s, w};

/// SystemProcessorPerformanceInformation.
const CLASS: i32 = 8;

/// A group has at most 64 processors; the rest is room for a Windows to come.
const RECORDS: usize = 64;
const MOST_RECORDS: usize = 16 * RECORDS;

type Query = unsafe extern "system" fn(i32, *mut c_void, u32, *mut u32) -> NTSTATUS;
type QueryEx = unsafe extern "system" fn(i32, *const c_void, u32, *mut c_void, u32, *mut u32) -> NTSTATUS;

pub(super) fn stat(interrupts: &Mutex<Widened>) -> io::Result<CpuStat> {
    match groups() {
        Ok(groups) => {
            let counts: Vec<&[u32]> = groups.iter().map(|group| group.interrupts.as_slice()).collect();
            // A panic elsewhere leaves the counts whole: each is a single assignment.
            let interrupts = interrupts.lock().unwrap_or_else(PoisonError::into_inner).add(&counts);
            Ok(from_groups(&groups, interrupts))
        }
        Err(e) if e.kind() == io::ErrorKind::Unsupported => system_times(),
        Err(e) => Err(e),
    }
}

fn from_groups(groups: &[Processors], interrupts: u64) -> CpuStat {
    let mut times = CpuTimes::default();
    let mut count = 0_usize;
    for group in groups {
        times.user = times.user.saturating_add(group.user);
        // Idle is in the kernel's time, and may be read a moment later.
        times.system = times.system.saturating_add(group.kernel.saturating_sub(group.idle));
        times.idle = times.idle.saturating_add(group.idle);
        times.irq = times.irq.saturating_add(group.interrupt);
        times.softirq = times.softirq.saturating_add(group.dpc);
        count += group.interrupts.len();
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    CpuStat { times, count, context_switches: None, interrupts: Some(interrupts), dpcs: None }
}

/// The processors of every group; [`io::ErrorKind::Unsupported`] where neither NT call can tell.
fn groups() -> io::Result<Vec<Processors>> {
    // SAFETY: the call takes nothing.
    let groups = unsafe { GetActiveProcessorGroupCount() }.max(1);
    match (0..groups).map(group).collect() {
        Err(e) if e.kind() == io::ErrorKind::Unsupported && groups == 1 => Ok(vec![only_group()?]),
        all => all,
    }
}

fn group(group: u16) -> io::Result<Processors> {
    let query = procedure(s!("NtQuerySystemInformationEx")).ok_or(io::ErrorKind::Unsupported)?;
    // SAFETY: the name belongs to this signature (winternl.h's neighbour in the kernel's headers).
    let query = unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, QueryEx>(query) };
    records(|buffer, bytes, written| {
        // SAFETY: the input is one u16 as its size says; the buffer has `bytes` bytes, aligned to 8.
        unsafe { query(CLASS, (&raw const group).cast(), size_u32::<u16>(), buffer, bytes, written) }
    })
}

fn only_group() -> io::Result<Processors> {
    let query = procedure(s!("NtQuerySystemInformation")).ok_or(io::ErrorKind::Unsupported)?;
    // SAFETY: the name belongs to this signature (winternl.h).
    let query = unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, Query>(query) };
    // SAFETY: the buffer has `bytes` bytes, aligned to 8.
    records(|buffer, bytes, written| unsafe { query(CLASS, buffer, bytes, written) })
}

/// Asks into a buffer of whole records, and sums what came back.
fn records(mut query: impl FnMut(*mut c_void, u32, *mut u32) -> NTSTATUS) -> io::Result<Processors> {
    let records = fill(RECORDS, MOST_RECORDS, |buffer: &mut [ProcessorRecord]| {
        let bytes = u32::try_from(size_of_val(buffer)).unwrap_or(u32::MAX);
        let mut written = 0;
        let status = query(buffer.as_mut_ptr().cast(), bytes, &raw mut written);
        let whole = written as usize / size_of::<ProcessorRecord>();
        match status {
            0.. => Answer::Filled(whole),
            STATUS_INFO_LENGTH_MISMATCH => Answer::TooSmall(whole),
            STATUS_NOT_IMPLEMENTED | STATUS_INVALID_INFO_CLASS => Answer::Failed(io::ErrorKind::Unsupported.into()),
            // SAFETY: the call translates a number.
            _ => Answer::Failed(io::Error::from_raw_os_error(unsafe { RtlNtStatusToDosError(status) }.cast_signed())),
        }
    })?;
    if records.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a processor group without processors"));
    }
    Ok(Processors::sum(&records))
}

fn procedure(name: PCSTR) -> FARPROC {
    // SAFETY: both names end with a NUL; ntdll is never unloaded, so neither is what it exports.
    unsafe { GetProcAddress(GetModuleHandleW(w!("ntdll.dll")), name) }
}

fn system_times() -> io::Result<CpuStat> {
    let [mut idle, mut kernel, mut user] = [FILETIME::default(); 3];
    // SAFETY: three pointers to live structures.
    check(unsafe { GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user) })?;
    // SAFETY: the call takes a number.
    let count = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) }.max(1);
    let times = CpuTimes {
        user: ticks(user),
        system: ticks(kernel).saturating_sub(ticks(idle)),
        idle: ticks(idle),
        ..CpuTimes::default()
    };
    Ok(CpuStat { times, count, context_switches: None, interrupts: None, dpcs: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_add_up_and_interrupt_time_is_not_counted_twice() {
        let a = Processors { idle: 60, kernel: 80, user: 20, dpc: 3, interrupt: 4, interrupts: vec![1, 2] };
        let b = Processors { idle: 10, kernel: 30, user: 70, dpc: 1, interrupt: 1, interrupts: vec![9] };
        let stat = from_groups(&[a, b], 12);
        let times = CpuTimes { user: 90, system: 40, idle: 70, irq: 5, softirq: 4, ..CpuTimes::default() };
        assert_eq!(stat, CpuStat { times, count: 3, context_switches: None, interrupts: Some(12), dpcs: None });
    }

    #[test]
    fn idle_ahead_of_the_kernel_is_no_underflow() {
        let group = Processors { idle: 11, kernel: 10, user: 5, ..Processors::default() };
        assert_eq!(from_groups(&[group], 0).times.system, 0);
    }

    // The two sources are different calls: on a machine of one group they mean the same processors and the same boot.
    #[test]
    fn the_last_resort_agrees_with_the_groups() {
        let system = system_times().unwrap();
        let groups = stat(&Mutex::default()).unwrap();
        assert_eq!(system.count, groups.count);
        let total = |t: CpuTimes| t.user + t.system + t.idle;
        let (a, b) = (total(system.times), total(groups.times));
        assert!(a.abs_diff(b) <= a / 20, "{system:?} {groups:?}");
    }

    #[test]
    fn a_refused_class_is_unsupported_and_another_status_is_an_error() {
        let refused = records(|_, _, _| STATUS_NOT_IMPLEMENTED).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        // STATUS_ACCESS_DENIED is ERROR_ACCESS_DENIED.
        let denied = records(|_, _, _| 0xC000_0022_u32.cast_signed()).unwrap_err();
        assert_eq!(denied.raw_os_error(), Some(5));
        let empty = records(|_, _, _| 0).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::InvalidData);
        let endless = records(|_, _, _| STATUS_INFO_LENGTH_MISMATCH).unwrap_err();
        assert_eq!(endless.kind(), io::ErrorKind::OutOfMemory);
    }
}
