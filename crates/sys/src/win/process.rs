//! Processes: the agent's own, and all of them in one call (SystemProcessInformation).

use super::ffi::{Buffer, check, size_u32, ticks};
use super::ntdll::{Class, query};
use super::pid::command_line;
use crate::layout::process::{Entry, entries};
use crate::layout::tree::Node;
use crate::types::{Proc, SelfUsage};
use std::io;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::SystemInformation::GetSystemTimeAsFileTime;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount, GetProcessTimes};

/// A host at rest has 100 processes with 2,000 threads, in 200 KB; one with 5,000 and 100,000 needs 10 MB.
const FIRST_BYTES: usize = 256 << 10;
const MOST_BYTES: usize = 64 << 20;

/// The memory into which all processes are listed.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    buffer: Buffer,
    /// Of the process that is looked at.
    name: String,
}

pub(super) fn run_queue(snapshot: &mut Snapshot) -> io::Result<u64> {
    Ok(list(&mut snapshot.buffer)?.map(|entry| entry.ready_threads()).sum())
}

pub(super) fn threads_of(pid: u32, snapshot: &mut Snapshot) -> io::Result<u64> {
    let found = list(&mut snapshot.buffer)?.find(|entry| entry.pid == pid);
    found.map(|entry| entry.threads().into()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Answers how many threads could run and have no processor.
pub(super) fn processes(
    snapshot: &mut Snapshot,
    wanted: &mut dyn FnMut(&str) -> bool,
    into: &mut Vec<Proc>,
) -> io::Result<u64> {
    let Snapshot { buffer, name } = snapshot;
    let (mut len, mut ready) = (0, 0);
    let all = list(buffer)?;
    let mut now = FILETIME::default();
    // SAFETY: a pointer to a live structure.
    unsafe { GetSystemTimeAsFileTime(&raw mut now) };
    // What has no thread any more has ended, and is listed only as long as somebody has a handle to it.
    for entry in all.filter(|entry| entry.threads() > 0) {
        ready += entry.ready_threads();
        entry.name_into(name);
        if !wanted(name) {
            continue;
        }
        if len == into.len() {
            into.push(Proc::default());
        }
        if let Some(proc) = into.get_mut(len) {
            proc.name.clone_from(name);
            entry.fill(ticks(now), proc);
        }
        len += 1;
    }
    into.truncate(len);
    Ok(ready)
}

pub(super) fn command_lines(
    snapshot: &mut Snapshot,
    wanted: &mut dyn FnMut(&str) -> bool,
    each: &mut dyn FnMut(&str, io::Result<&str>),
) -> io::Result<()> {
    let Snapshot { buffer, name } = snapshot;
    for entry in list(buffer)?.filter(|entry| entry.threads() > 0) {
        entry.name_into(name);
        if !wanted(name) {
            continue;
        }
        match command_line(entry.pid) {
            Ok(line) => each(name, Ok(&line)),
            // It has ended since.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => each(name, Err(e)),
        }
    }
    Ok(())
}

fn list(buffer: &mut Buffer) -> io::Result<impl Iterator<Item = Entry<'_>>> {
    let bytes = query(Class::Processes, buffer, FIRST_BYTES, MOST_BYTES)?;
    // The names are pointers into the same memory.
    Ok(entries(bytes, bytes.as_ptr().addr() as u64))
}

/// Which process is whose child, and since when.
pub(super) fn nodes(buffer: &mut Buffer) -> io::Result<Vec<Node>> {
    Ok(list(buffer)?.map(|entry| entry.node()).collect())
}

/// Working set, CPU time and handles of this process.
///
/// # Errors
/// Those of GetProcessMemoryInfo, GetProcessTimes and GetProcessHandleCount.
pub fn self_usage() -> io::Result<SelfUsage> {
    let size = size_u32::<PROCESS_MEMORY_COUNTERS>();
    let mut memory = PROCESS_MEMORY_COUNTERS { cb: size, ..Default::default() };
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    let mut handles = 0;
    // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: a live structure of the size that is told.
    check(unsafe { K32GetProcessMemoryInfo(this, &raw mut memory, size) })?;
    // SAFETY: four pointers to live structures.
    check(unsafe { GetProcessTimes(this, &raw mut created, &raw mut exited, &raw mut kernel, &raw mut user) })?;
    // SAFETY: a pointer to a live number.
    check(unsafe { GetProcessHandleCount(this, &raw mut handles) })?;
    Ok(SelfUsage {
        rss_bytes: memory.WorkingSetSize as u64,
        cpu_us: ticks(kernel).saturating_add(ticks(user)) / 10,
        // The process has a handle to whatever it waits on: none is a call that does not count.
        handles: (handles > 0).then_some(handles.into()),
    })
}
