//! What is set of a service beside its registration (ChangeServiceConfig2W), each level for itself: a system that does not
//! know one (ERROR_INVALID_LEVEL; Wine) still keeps the others.
//!
//! Source: Microsoft's reference of ChangeServiceConfig2 and of the structures of its levels.

use super::ffi::{Buffer, check, len_u32, text_at, wide};
use super::scm::{FIRST_BYTES, Handle, MOST_BYTES, answered, find, open, start_of};
use crate::types::{Recovery, ServiceSettings, Settings};
use std::ffi::OsStr;
use std::time::Duration;
use std::{io, ptr, slice};
use windows_sys::Win32::Foundation::ERROR_INVALID_LEVEL;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, QueryServiceConfig2W, SC_ACTION, SC_ACTION_RESTART, SERVICE_CHANGE_CONFIG, SERVICE_CONFIG,
    SERVICE_CONFIG_DELAYED_AUTO_START_INFO, SERVICE_CONFIG_DESCRIPTION, SERVICE_CONFIG_FAILURE_ACTIONS,
    SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, SERVICE_CONFIG_PRESHUTDOWN_INFO, SERVICE_CONFIG_SERVICE_SID_INFO,
    SERVICE_DELAYED_AUTO_START_INFO, SERVICE_DESCRIPTIONW, SERVICE_FAILURE_ACTIONS_FLAG, SERVICE_FAILURE_ACTIONSW,
    SERVICE_PRESHUTDOWN_INFO, SERVICE_QUERY_CONFIG, SERVICE_SID_INFO, SERVICE_SID_TYPE_NONE,
    SERVICE_SID_TYPE_UNRESTRICTED, SERVICE_START,
};

/// Actions that are read.
const MOST_ACTIONS: usize = 64;

/// Sets what can be set; tells what could not be, by its name, and why.
pub fn service_settle(name: &str, settings: &Settings<'_>) -> Vec<(&'static str, io::Error)> {
    // Who has a service restarted must be allowed to start it.
    let service = match open(name, SERVICE_CHANGE_CONFIG | SERVICE_START) {
        Ok(service) => service,
        Err(e) => return vec![("settings", e)],
    };
    let delayed = SERVICE_DELAYED_AUTO_START_INFO { fDelayedAutostart: settings.delayed.into() };
    let flag = SERVICE_FAILURE_ACTIONS_FLAG { fFailureActionsOnNonCrashFailures: settings.on_non_crash.into() };
    let sid = if settings.own_sid { SERVICE_SID_TYPE_UNRESTRICTED } else { SERVICE_SID_TYPE_NONE };
    let sid = SERVICE_SID_INFO { dwServiceSidType: sid };
    let preshutdown = SERVICE_PRESHUTDOWN_INFO { dwPreshutdownTimeout: millis(settings.preshutdown) };
    // SAFETY: each structure is that of its level, without a pointer in it.
    let results = unsafe {
        [
            ("description", describe(&service, settings.description)),
            ("delayed start", change(&service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed)),
            ("recovery", recover(&service, settings)),
            ("recovery after an exit code", change(&service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag)),
            ("service SID", change(&service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid)),
            ("pre-shutdown time", change(&service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown)),
        ]
    };
    results.into_iter().filter_map(|(level, result)| result.err().map(|e| (level, e))).collect()
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// # Safety
/// `T` is the structure of the level, and what it points to can be read (and is not written).
unsafe fn change<T>(service: &Handle, level: SERVICE_CONFIG, info: &T) -> io::Result<()> {
    // SAFETY: the service is open, the structure is the level's.
    check(unsafe { ChangeServiceConfig2W(service.raw(), level, ptr::from_ref(info).cast()) })
}

fn describe(service: &Handle, description: &str) -> io::Result<()> {
    let mut text = wide(OsStr::new(description))?;
    let info = SERVICE_DESCRIPTIONW { lpDescription: text.as_mut_ptr() };
    // SAFETY: the text ends with a NUL and outlives the call.
    unsafe { change(service, SERVICE_CONFIG_DESCRIPTION, &info) }
}

fn recover(service: &Handle, settings: &Settings<'_>) -> io::Result<()> {
    let restarts = settings.restarts.iter();
    let mut actions: Vec<SC_ACTION> =
        restarts.map(|&delay| SC_ACTION { Type: SC_ACTION_RESTART, Delay: millis(delay) }).collect();
    let info = SERVICE_FAILURE_ACTIONSW {
        dwResetPeriod: u32::try_from(settings.reset_after.as_secs()).unwrap_or(u32::MAX),
        // Null leaves the message and the command as they are.
        lpRebootMsg: ptr::null_mut(),
        lpCommand: ptr::null_mut(),
        cActions: len_u32(&actions),
        lpsaActions: actions.as_mut_ptr(),
    };
    // SAFETY: so many actions lie there and outlive the call.
    unsafe { change(service, SERVICE_CONFIG_FAILURE_ACTIONS, &info) }
}

/// What is set of a service (QueryServiceConfig2W); `None` where there is no such service.
///
/// # Errors
/// Those of the calls, but for a level that this system does not know.
pub fn service_settings(name: &str) -> io::Result<Option<ServiceSettings>> {
    let Some(service) = find(name, SERVICE_QUERY_CONFIG)? else { return Ok(None) };
    let mut buffer = Buffer::default();
    // SAFETY: each structure is that of its level; what it points to lies in the buffer, which is still borrowed.
    unsafe {
        Ok(Some(ServiceSettings {
            description: query(&service, SERVICE_CONFIG_DESCRIPTION, &mut buffer, |info: SERVICE_DESCRIPTIONW| {
                text_at(info.lpDescription)
            })?,
            delayed: is_delayed(&service)?,
            recovery: query(&service, SERVICE_CONFIG_FAILURE_ACTIONS, &mut buffer, |info| recovery(&info))?,
            on_non_crash: query(
                &service,
                SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
                &mut buffer,
                |info: SERVICE_FAILURE_ACTIONS_FLAG| info.fFailureActionsOnNonCrashFailures != 0,
            )?,
            own_sid: query(&service, SERVICE_CONFIG_SERVICE_SID_INFO, &mut buffer, |info: SERVICE_SID_INFO| {
                info.dwServiceSidType != SERVICE_SID_TYPE_NONE
            })?,
            preshutdown: query(
                &service,
                SERVICE_CONFIG_PRESHUTDOWN_INFO,
                &mut buffer,
                |info: SERVICE_PRESHUTDOWN_INFO| Duration::from_millis(info.dwPreshutdownTimeout.into()),
            )?,
        }))
    }
}

/// Whether an automatic start is delayed; `None` where this system does not know such a thing.
pub(super) fn is_delayed(service: &Handle) -> io::Result<Option<bool>> {
    let delayed = |info: SERVICE_DELAYED_AUTO_START_INFO| info.fDelayedAutostart != 0;
    // SAFETY: the structure is that of the level, without a pointer in it.
    unsafe { query(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &mut Buffer::default(), delayed) }
}

/// # Safety
/// `T` is the structure of the level.
unsafe fn query<T: Copy, R>(
    service: &Handle,
    level: SERVICE_CONFIG,
    buffer: &mut Buffer,
    read: impl FnOnce(T) -> R,
) -> io::Result<Option<R>> {
    let bytes = buffer.fill(FIRST_BYTES, MOST_BYTES, |to, bytes| {
        let mut needed = 0;
        // SAFETY: the service is open; so many bytes lie there, aligned to 8; a pointer to a live number.
        let ok = unsafe { QueryServiceConfig2W(service.raw(), level, to.cast(), bytes, &raw mut needed) };
        answered(ok, bytes, needed)
    });
    match bytes {
        // SAFETY: a call that succeeded wrote the level's structure at the start of the buffer.
        Ok(bytes) => Ok(Some(read(unsafe { start_of(bytes)? }))),
        Err(e) if e.raw_os_error() == Some(ERROR_INVALID_LEVEL.cast_signed()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// # Safety
/// The actions lie where the structure says, or it says null.
unsafe fn recovery(info: &SERVICE_FAILURE_ACTIONSW) -> Recovery {
    let actions = if info.lpsaActions.is_null() {
        &[]
    } else {
        // SAFETY: so many lie there, aligned as the system lays them out, and stay as long as the caller's buffer.
        unsafe { slice::from_raw_parts(info.lpsaActions, (info.cActions as usize).min(MOST_ACTIONS)) }
    };
    let restart =
        |action: &SC_ACTION| (action.Type == SC_ACTION_RESTART).then(|| Duration::from_millis(action.Delay.into()));
    Recovery {
        restarts: actions.iter().map(restart).collect(),
        reset_after: Duration::from_secs(info.dwResetPeriod.into()),
    }
}
