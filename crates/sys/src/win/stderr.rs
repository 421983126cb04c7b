//! Where standard error goes.

use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Windows has no journal.
#[must_use]
pub fn stderr_is(_stream: &str) -> bool {
    false
}

/// A service has no standard error, and a console is no file.
#[must_use]
pub fn appended_stderr() -> Option<PathBuf> {
    None
}

/// Never asked for: there is no [`appended_stderr`].
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn redirect_stderr(_to: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
