//! The agent's own process.

use super::ffi::{check, size_u32, ticks};
use crate::types::SelfUsage;
use std::io;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount, GetProcessTimes};

/// Working set, CPU time and handles of this process. The number of threads would take a snapshot of all processes.
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
        handles: handles.into(),
        threads: None,
    })
}
