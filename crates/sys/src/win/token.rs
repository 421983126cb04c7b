//! This process's own token: its privileges, its user, its groups.

use super::ffi::{Answer, Buffer, check, last_error, size_u32};
use crate::layout::sid::{ADMINISTRATORS, Sid};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::{io, ptr, slice};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_NOT_ALL_ASSIGNED, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, CheckTokenMembership, GetLengthSid, GetTokenInformation, LUID_AND_ATTRIBUTES,
    LookupPrivilegeValueW, PSID, SE_PRIVILEGE_ENABLED, SE_PROF_SINGLE_PROCESS_NAME, TOKEN_ADJUST_PRIVILEGES,
    TOKEN_PRIVILEGES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::core::PCWSTR;

fn token(rights: u32) -> io::Result<OwnedHandle> {
    let mut token = ptr::null_mut();
    // SAFETY: the call takes nothing; its answer is a constant that needs no closing.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: a pointer to a live handle.
    check(unsafe { OpenProcessToken(this, rights, &raw mut token) })?;
    // SAFETY: the call succeeded, so the handle is open and ours alone.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Enables SeProfileSingleProcessPrivilege, which allows to look at how all processes use memory and at nothing else.
///
/// # Errors
/// Those of [`enable_privilege`].
pub(super) fn enable_profile_privilege() -> io::Result<()> {
    enable_privilege(SE_PROF_SINGLE_PROCESS_NAME)
}

/// Enables a privilege, whose name ends with a NUL. It stays enabled: to ask again costs more than it guards against.
///
/// # Errors
/// Those of the calls; ERROR_NOT_ALL_ASSIGNED where this account does not hold it.
pub(super) fn enable_privilege(name: PCWSTR) -> io::Result<()> {
    let token = token(TOKEN_ADJUST_PRIVILEGES)?;
    let mut luid = LUID::default();
    // SAFETY: the name ends with a NUL, no system's name means this one, and a pointer to a live structure.
    check(unsafe { LookupPrivilegeValueW(ptr::null(), name, &raw mut luid) })?;
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

/// The user of this process.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::InvalidData`] where the token has none.
pub(super) fn user() -> io::Result<Sid> {
    let token = token(TOKEN_QUERY)?;
    let mut buffer = Buffer::default();
    let bytes = buffer.fill(128, 1 << 10, |to, bytes| {
        let mut needed = 0;
        // SAFETY: the token is open; so many bytes lie there, aligned to 8; a pointer to a live number.
        let ok = unsafe { GetTokenInformation(token.as_raw_handle(), TokenUser, to, bytes, &raw mut needed) };
        if ok != 0 {
            return Answer::Filled(bytes as usize);
        }
        match last_error() {
            e if e.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) => Answer::TooSmall(needed as usize),
            e => Answer::Failed(e),
        }
    })?;
    // SAFETY: the buffer is larger than the structure, with which the call's answer begins; its SID lies in the buffer.
    let user = unsafe { sid_at(bytes.as_ptr().cast::<TOKEN_USER>().read_unaligned().User.Sid) };
    user.ok_or(io::ErrorKind::InvalidData.into())
}

/// The SID at a pointer, if it is one.
///
/// # Safety
/// Null, or to a whole SID.
pub(super) unsafe fn sid_at(sid: PSID) -> Option<Sid> {
    if sid.is_null() {
        return None;
    }
    // SAFETY: a whole SID lies there, which says how long it is.
    let bytes = unsafe { slice::from_raw_parts(sid.cast_const().cast(), GetLengthSid(sid) as usize) };
    Sid::read(bytes)
}

/// Whether this process may do what administrators may: the group is in its token, and is not there only to deny, as it is
/// before an administrator elevates.
///
/// # Errors
/// The call's own.
pub fn is_administrator() -> io::Result<bool> {
    let administrators = Sid::parse(ADMINISTRATORS).ok_or(io::ErrorKind::InvalidData)?;
    let mut member = 0;
    let sid = administrators.words().as_ptr().cast_mut().cast();
    // SAFETY: null means this thread's token; the SID is whole and is only read; a pointer to a live number.
    check(unsafe { CheckTokenMembership(ptr::null_mut(), sid, &raw mut member) })?;
    Ok(member != 0)
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

    #[test]
    fn this_process_has_a_user_and_is_an_administrators_or_not() {
        let user = user().unwrap().to_string();
        assert!(user.starts_with("S-1-5-"), "{user}");
        assert_eq!(is_administrator().unwrap(), is_administrator().unwrap());
    }
}
