//! The console that this process has, or has not.
//!
//! Source: Microsoft's reference of GetConsoleProcessList and "Console Virtual Terminal Sequences".

use super::ffi::len_u32;
use std::io;
use std::os::windows::io::AsRawHandle;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetConsoleProcessList, SetConsoleMode,
};

/// The mode of a console; `None` where the handle is none's.
fn mode(handle: HANDLE) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: a handle that is none, or another thing's, is refused; a pointer to a live number.
    (unsafe { GetConsoleMode(handle, &raw mut mode) } != 0).then_some(mode)
}

/// Whether this process has a console to itself and is asked nothing through a pipe: somebody opened the file in Explorer,
/// and the window closes as the process ends.
#[must_use]
pub fn started_by_double_click() -> bool {
    let mut pids = [0; 2];
    // SAFETY: the list has as many entries as the call is told.
    let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), len_u32(&pids)) };
    count == 1 && mode(io::stdin().as_raw_handle()).is_some()
}

/// Whether standard error shows colours (ANSI sequences); makes its console do so where it can, from Windows 10 on.
#[must_use]
pub fn enable_ansi() -> bool {
    let handle = io::stderr().as_raw_handle();
    match mode(handle) {
        None => false,
        Some(mode) if mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 => true,
        // SAFETY: the handle has just answered as a console's does.
        Some(mode) => unsafe { SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Whoever runs the tests has a console or not; both are asked twice alike.
    #[test]
    fn the_answers_repeat() {
        assert_eq!(started_by_double_click(), started_by_double_click());
        assert_eq!(enable_ansi(), enable_ansi());
    }

    #[test]
    fn a_handle_of_nothing_is_no_console() {
        assert_eq!(mode(std::ptr::null_mut()), None);
    }
}
