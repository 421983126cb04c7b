//! The Windows side: Win32 and NT calls, no performance counters, no WMI, no registry.
//!
//! Sources: Microsoft's reference of each call; structures and constants are those of windows-sys. Only calls of Windows 7
//! are imported. `ffi` grows buffers and turns refusals into errors; a value that could not be read is an error, never 0.

mod cpu;
mod disk;
mod ffi;
mod host;
mod mem;
mod net;
mod pending;
mod process;

pub use disk::volume_usage;
pub use host::Host;
pub use mem::commit_info;
pub use pending::*;
pub use process::self_usage;

use crate::types::LocalTime;
use crate::{civil, layout};
use ffi::{Answer, fill, last_error, len_u32};
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, FILETIME, SYSTEMTIME};
use windows_sys::Win32::System::SystemInformation::{ComputerNamePhysicalDnsHostname, GetComputerNameExW};
use windows_sys::Win32::System::Time::{FileTimeToSystemTime, SystemTimeToTzSpecificLocalTime};

/// The DNS host name of this machine, also on a node of a cluster (GetComputerNameExW, ComputerNamePhysicalDnsHostname).
///
/// # Errors
/// The call's own; [`io::ErrorKind::InvalidData`] where the host has no name.
pub fn hostname() -> io::Result<String> {
    let name = fill(64, 4096, |buffer: &mut [u16]| {
        let mut len = len_u32(buffer);
        // SAFETY: the buffer has as many units as `len` says; the call changes `len` to what it wrote or needs.
        let ok = unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, buffer.as_mut_ptr(), &raw mut len) };
        if ok != 0 {
            return Answer::Filled(len as usize);
        }
        match last_error() {
            e if e.raw_os_error() == Some(ERROR_MORE_DATA.cast_signed()) => Answer::TooSmall(len as usize),
            e => Answer::Failed(e),
        }
    })?;
    let name = layout::text(&name);
    if name.is_empty() { Err(io::Error::new(io::ErrorKind::InvalidData, "the host has no name")) } else { Ok(name) }
}

/// Seconds since 1970 as the host's calendar shows them (SystemTimeToTzSpecificLocalTime); held within 1970-01-02 and
/// 9999-12-31 UTC, and UTC itself where the host cannot tell.
pub fn local_time(unix_s: i64) -> LocalTime {
    zone_time(unix_s).map_or_else(
        || civil::utc(unix_s),
        |t| LocalTime {
            year: t.wYear.into(),
            month: t.wMonth.into(),
            day: t.wDay.into(),
            hour: t.wHour.into(),
            minute: t.wMinute.into(),
            second: t.wSecond.into(),
        },
    )
}

fn zone_time(unix_s: i64) -> Option<SYSTEMTIME> {
    /// From 1601, where FILETIME begins, to 1970.
    const EPOCH_S: i64 = 11_644_473_600;
    let ticks = u64::try_from(civil::clamp(unix_s) + EPOCH_S).ok()? * 10_000_000;
    let time = FILETIME { dwLowDateTime: ticks as u32, dwHighDateTime: (ticks >> 32) as u32 };
    let (mut utc, mut local) = (SYSTEMTIME::default(), SYSTEMTIME::default());
    // SAFETY: all pointers are to live structures of the named types; no time zone means the host's own.
    let ok = unsafe {
        FileTimeToSystemTime(&raw const time, &raw mut utc) != 0
            && SystemTimeToTzSpecificLocalTime(ptr::null(), &raw const utc, &raw mut local) != 0
    };
    ok.then_some(local)
}

/// Only glibc's heap keeps what a burst took.
pub fn limit_heap_growth() {}
