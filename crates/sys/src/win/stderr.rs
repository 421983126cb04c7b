//! Where standard error goes.

use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_ERROR_HANDLE, SetConsoleMode,
};

/// Windows has no journal.
#[must_use]
pub fn stderr_is(_stream: &str) -> bool {
    false
}

/// Whether escape sequences work on standard error; switches them on where the console can (Windows 10 1511 and later).
#[must_use]
pub fn enable_ansi() -> bool {
    let mut mode = 0;
    // SAFETY: the handle belongs to the process and is not closed; a handle that is no console's is refused.
    unsafe {
        let stderr = GetStdHandle(STD_ERROR_HANDLE);
        GetConsoleMode(stderr, &raw mut mode) != 0
            && SetConsoleMode(stderr, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}
