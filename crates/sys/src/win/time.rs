//! The host's calendar, and who sets its clock.

use super::reg::text_value;
use crate::civil;
use crate::layout::text::{self, MAX_NAME};
use crate::types::LocalTime;
use std::time::Duration;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{
    DNS_ERROR_RCODE_NAME_ERROR, ERROR_CALL_NOT_IMPLEMENTED, ERROR_NO_SUCH_DOMAIN, FILETIME, NO_ERROR, SYSTEMTIME,
};
use windows_sys::Win32::NetworkManagement::NetManagement::NetApiBufferFree;
use windows_sys::Win32::Networking::ActiveDirectory::{
    DOMAIN_CONTROLLER_INFOW, DS_AVOID_SELF, DS_RETURN_DNS_NAME, DS_TIMESERV_REQUIRED, DsGetDcNameW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Time::{FileTimeToSystemTime, SystemTimeToTzSpecificLocalTime};
use windows_sys::core::PCWSTR;
use windows_sys::w;

/// Time since the host started, with the time it slept or was hibernated (GetTickCount64): nobody sets it. In steps of 10 to
/// 16 ms.
pub fn since_boot() -> Duration {
    // SAFETY: the call takes nothing.
    Duration::from_millis(unsafe { GetTickCount64() })
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

/// Where the Windows Time service is told whom to ask: what a group policy says goes before what the service has.
const TIME_KEYS: [PCWSTR; 2] = [
    w!("SOFTWARE\\Policies\\Microsoft\\W32Time\\Parameters"),
    w!("SYSTEM\\CurrentControlSet\\Services\\W32Time\\Parameters"),
];

/// The NTP servers that the Windows Time service is told to ask, and the domain controller that it follows; none where it
/// asks nobody, or is not there. Finding the domain controller may take long: ask on a thread that may be lost.
///
/// # Errors
/// Those of RegGetValueW and DsGetDcNameW; a host that finds no domain follows none.
pub fn ntp_servers() -> io::Result<Vec<String>> {
    let value = |name| {
        for key in TIME_KEYS {
            if let Some(value) = text_value(key, name)? {
                return Ok::<_, io::Error>(value);
            }
        }
        Ok(String::new())
    };
    let kind = value(w!("Type"))?;
    let mut servers = text::ntp_servers(&kind, &value(w!("NtpServer"))?);
    if text::follows_domain(&kind) {
        servers.extend(domain_controller()?);
    }
    Ok(servers)
}

/// One that tells the time, and is not this host itself.
fn domain_controller() -> io::Result<Option<String>> {
    let mut info = ptr::null_mut();
    let flags = DS_TIMESERV_REQUIRED | DS_AVOID_SELF | DS_RETURN_DNS_NAME;
    // SAFETY: no names mean this computer, its domain and its site; a pointer to a live pointer.
    let code = unsafe { DsGetDcNameW(ptr::null(), ptr::null(), ptr::null(), ptr::null(), flags, &raw mut info) };
    match code {
        NO_ERROR => {}
        // The second where the name servers are asked first, as under Wine.
        ERROR_NO_SUCH_DOMAIN | DNS_ERROR_RCODE_NAME_ERROR | ERROR_CALL_NOT_IMPLEMENTED => return Ok(None),
        code => return Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
    // SAFETY: the call succeeded, so this is null or its structure, until it is freed below.
    let server = unsafe { info.as_ref().and_then(|info| name_of(info)) };
    // SAFETY: the buffer is the call's own, and is freed once; its text was copied.
    unsafe { NetApiBufferFree(info.cast()) };
    Ok(server)
}

/// # Safety
/// The name is null or ends with a NUL.
unsafe fn name_of(info: &DOMAIN_CONTROLLER_INFOW) -> Option<String> {
    let name = info.DomainControllerName;
    if name.is_null() {
        return None;
    }
    let mut server = String::new();
    // SAFETY: the name ends with a NUL, behind which nothing is read: `map_while` stops there.
    let units = (0..MAX_NAME).map_while(|at| Some(unsafe { *name.add(at) }).filter(|&unit| unit != 0));
    text::decode_into(units, &mut server);
    text::domain_controller(&server).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The call itself would ask the name servers of whoever runs the tests.
    #[test]
    fn a_domain_controller_has_a_name_or_there_is_none() {
        let name = |units: *mut u16| {
            let info = DOMAIN_CONTROLLER_INFOW { DomainControllerName: units, ..Default::default() };
            // SAFETY: every name below is null or ends with a NUL.
            unsafe { name_of(&info) }
        };
        let mut dc: Vec<u16> = "\\\\dc1.example.cn\0rest".encode_utf16().collect();
        assert_eq!(name(dc.as_mut_ptr()).as_deref(), Some("dc1.example.cn"));
        assert_eq!((name(ptr::null_mut()), name([0].as_mut_ptr())), (None, None));
    }
}
