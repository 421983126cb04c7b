//! The privileges of this process.

use super::ffi::{check, last_error, size_u32};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_NOT_ALL_ASSIGNED, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_PRIVILEGE_ENABLED,
    SE_PROF_SINGLE_PROCESS_NAME, TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Enables SeProfileSingleProcessPrivilege, which allows to look at how all processes use memory and at nothing else.
/// It stays enabled: to ask again costs more than it guards against.
///
/// # Errors
/// Those of the calls; ERROR_NOT_ALL_ASSIGNED where this account does not hold it.
pub(super) fn enable_profile_privilege() -> io::Result<()> {
    let mut token = ptr::null_mut();
    // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: a pointer to a live handle.
    check(unsafe { OpenProcessToken(this, TOKEN_ADJUST_PRIVILEGES, &raw mut token) })?;
    // SAFETY: the call succeeded, so the handle is open and ours alone.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut luid = LUID::default();
    // SAFETY: the name ends with a NUL, no system's name means this one, and a pointer to a live structure.
    check(unsafe { LookupPrivilegeValueW(ptr::null(), SE_PROF_SINGLE_PROCESS_NAME, &raw mut luid) })?;
    let privileges = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
    };
    let size = size_u32::<TOKEN_PRIVILEGES>();
    // SAFETY: the token is open until its drop; the structure has one privilege as it says; what was is not asked for.
    let ok = unsafe {
        let token = token.as_raw_handle();
        AdjustTokenPrivileges(token, 0, &raw const privileges, size, ptr::null_mut(), ptr::null_mut())
    };
    check(ok)?;
    // The call succeeds also where it changed nothing.
    match last_error() {
        e if e.raw_os_error() == Some(ERROR_NOT_ALL_ASSIGNED.cast_signed()) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Whoever runs the tests holds it or not: either is told, and twice alike.
    #[test]
    fn the_answer_is_clear_and_repeats() {
        let code = || enable_profile_privilege().map_err(|e| e.raw_os_error());
        let first = code();
        assert!(matches!(first, Ok(()) | Err(Some(1300))), "{first:?}");
        assert_eq!(code(), first);
    }
}
