//! The host's calendar, and who sets its clock.

use super::reg::text_value;
use crate::civil;
use crate::layout::text;
use crate::types::LocalTime;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{FILETIME, SYSTEMTIME};
use windows_sys::Win32::System::Time::{FileTimeToSystemTime, SystemTimeToTzSpecificLocalTime};
use windows_sys::core::PCWSTR;
use windows_sys::w;

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

/// Where the Windows Time service is told whom to ask: what a group policy says goes before what the service has.
const TIME_KEYS: [PCWSTR; 2] = [
    w!("SOFTWARE\\Policies\\Microsoft\\W32Time\\Parameters"),
    w!("SYSTEM\\CurrentControlSet\\Services\\W32Time\\Parameters"),
];

/// The NTP servers that the Windows Time service is told to ask; none where it follows its domain, or is not there.
///
/// # Errors
/// Those of RegGetValueW.
pub fn ntp_servers() -> io::Result<Vec<String>> {
    let value = |name| {
        for key in TIME_KEYS {
            if let Some(value) = text_value(key, name)? {
                return Ok::<_, io::Error>(value);
            }
        }
        Ok(String::new())
    };
    Ok(text::ntp_servers(&value(w!("Type"))?, &value(w!("NtpServer"))?))
}
