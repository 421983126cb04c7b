//! Directories for what the agent keeps.

use std::fs;
use std::io;
use std::path::Path;

/// Makes a directory, with those above it where they are missing. It has the rights of the one above it.
///
/// # Errors
/// Those of CreateDirectoryW.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// NTFS writes names to its own log; there is no call for it.
///
/// # Errors
/// None.
pub fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}
