//! What the upgrade of a running agent asks of the system: to be alone at it, and to end a process. Source: Microsoft's
//! reference of CreateFileW, TerminateProcess and SetConsoleCtrlHandler.

use super::ffi::check;
use super::pid;
use super::token::enable_privilege;
use crate::types::Started;
use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;
use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, WAIT_TIMEOUT};
use windows_sys::Win32::Security::SE_DEBUG_NAME;
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_DELETE_ON_CLOSE;
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
};

/// Holds a directory for one upgrade at a time, as long as what is answered is open: by a file that nobody else can open, and
/// that is gone with the process.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where another has it; those of CreateFileW.
pub fn hold_alone(dir: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).share_mode(0).custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    options.open(dir.join("falcon-agent.upgrading")).map_err(|error| match error.raw_os_error() {
        Some(code) if code.cast_unsigned() == ERROR_SHARING_VIOLATION => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

/// A file has the rights of its directory.
///
/// # Errors
/// None.
pub fn take_rights(_of: &Path, _to: &Path) -> io::Result<()> {
    Ok(())
}

/// Ends a process where it stands: there is no other way from outside.
///
/// # Errors
/// Those of OpenProcess and TerminateProcess; [`io::ErrorKind::NotFound`] where there is no such process.
pub fn end_process(pid: u32, _at_once: bool) -> io::Result<()> {
    // An administrator may look at a process of the system, and end it only with this.
    let _ = enable_privilege(SE_DEBUG_NAME);
    let process = pid::open(pid, PROCESS_TERMINATE)?;
    // SAFETY: the process is open with the right to end it.
    check(unsafe { TerminateProcess(process.as_raw_handle(), 1) })
}

/// Whether a process runs: one that has ended is there as long as somebody has it open, as the service control manager does.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    match pid::open(pid, PROCESS_SYNCHRONIZE) {
        // SAFETY: the process is open with the right to wait for it; the call returns at once.
        Ok(process) => unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT },
        // That it may not be opened says that it is there.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Has a command start with a console of its own that nobody sees: no window that closes ends it.
pub fn set_apart(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

/// Windows has services.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn started_as(_pid: u32) -> io::Result<Started> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Windows has services.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn start_like(_program: &Path, _how: &Started) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// From now on no Ctrl-C and no Ctrl-Break ends this process. A window that is closed does: see [`set_apart`].
pub fn heed_no_stop() {
    extern "system" fn nothing(_event: u32) -> i32 {
        1
    }
    // SAFETY: the handler does nothing, and stays for as long as the process.
    unsafe { SetConsoleCtrlHandler(Some(nothing), 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_holds_a_directory_until_it_lets_go() {
        let dir = std::env::temp_dir().join(format!("falcon alone {}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let held = hold_alone(&dir).unwrap();
        assert_eq!(hold_alone(&dir).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(is_alive(std::process::id()) && !is_alive(0xFFFF_FFF0));
        drop(held);
        hold_alone(&dir).unwrap();
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        std::fs::remove_dir(&dir).unwrap();
    }
}
