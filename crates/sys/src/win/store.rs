//! Directories for what the agent keeps.

use super::acl::create_dir;
use super::ffi::{check, wide};
use crate::types::ModeBits;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{io, ptr};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_UNABLE_TO_MOVE_REPLACEMENT,
    ERROR_UNABLE_TO_MOVE_REPLACEMENT_2, ERROR_UNABLE_TO_REMOVE_REPLACED,
};
use windows_sys::Win32::Storage::FileSystem::ReplaceFileW;

/// Makes a directory that the system, the administrators and this user may enter and nobody else, with those above it where
/// they are missing. One that is there already stays as it is: whoever installed the agent said who may enter it.
///
/// # Errors
/// Those of CreateDirectoryW.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes a directory that the system, the administrators and this user may enter and nobody else, and that was not there before:
/// nobody has prepared it.
///
/// # Errors
/// Those of CreateDirectoryW, [`io::ErrorKind::AlreadyExists`] among them.
pub fn create_new_private_dir(path: &Path) -> io::Result<()> {
    create_dir(path)
}

/// There is no call for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens a file to append to, and makes it where it is missing, with the rights of its directory.
///
/// # Errors
/// Those of CreateFileW, and [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_log(path: &Path) -> io::Result<File> {
    let file = File::options().append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
    }
    Ok(file)
}

/// Makes a file that was not there before, with the rights of its directory.
///
/// # Errors
/// Those of CreateFileW, [`io::ErrorKind::AlreadyExists`] among them.
pub fn create_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Where a file lies that may be a link: only administrators make them.
///
/// # Errors
/// None.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

/// Puts a file in the place of another, with the rights that the other has. There need be no other.
///
/// # Errors
/// Those of ReplaceFileW and MoveFileExW. `old` is as it was then, or, where Windows stopped half way, not there: called again it
/// goes on from that.
pub fn take_place(new: &Path, old: &Path) -> io::Result<()> {
    if !old.try_exists()? {
        return fs::rename(new, old);
    }
    let [theirs, ours] = [wide(old.as_os_str())?, wide(new.as_os_str())?];
    let none = ptr::null();
    // SAFETY: two texts that end with a NUL; no backup is kept, and the last two are reserved.
    let replaced = check(unsafe { ReplaceFileW(theirs.as_ptr(), ours.as_ptr(), none, 0, none.cast(), none.cast()) });
    match replaced {
        // The other is gone, or has a name that nobody knows.
        Err(error) if is_one_of(&error, &[ERROR_UNABLE_TO_MOVE_REPLACEMENT, ERROR_UNABLE_TO_MOVE_REPLACEMENT_2]) => {
            fs::rename(new, old)
        }
        replaced => replaced,
    }
}

/// A file has the rights of its directory.
///
/// # Errors
/// None.
pub fn take_rights(_of: &Path, _to: &Path) -> io::Result<()> {
    Ok(())
}

/// NTFS writes names to its own log; there is no call for it.
///
/// # Errors
/// None.
pub fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A file has the rights of its directory.
///
/// # Errors
/// None.
pub fn publish(_path: &Path, _runs: bool) -> io::Result<()> {
    Ok(())
}

/// Windows has access lists in their place ([`access_of`](super::acl::access_of)).
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn mode_bits(_path: &Path) -> io::Result<ModeBits> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error of a file may be gone in a moment: another program has the file open without sharing it, or it is being
/// deleted, which Windows tells as it tells that there is no right to it.
#[must_use]
pub fn is_held(error: &io::Error) -> bool {
    is_one_of(
        error,
        &[ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_UNABLE_TO_REMOVE_REPLACED],
    )
}

fn is_one_of(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_none_that_was_there() {
        let path = std::env::temp_dir().join(format!("falcon new {}", std::process::id()));
        create_new_private_dir(&path).unwrap();
        assert_eq!(create_new_private_dir(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir(&path).unwrap();
    }

    #[test]
    fn a_file_takes_the_place_of_another_or_of_none() {
        let [new, old] =
            ["new", "old"].map(|name| std::env::temp_dir().join(format!("falcon {name} {}", std::process::id())));
        for text in ["one", "two"] {
            fs::write(&new, text).unwrap();
            take_place(&new, &old).unwrap();
            assert_eq!(fs::read_to_string(&old).unwrap(), text);
            assert!(!new.exists());
        }
        assert!(take_place(&new, &old).is_err());
        assert_eq!(fs::read_to_string(&old).unwrap(), "two");
        fs::remove_file(&old).unwrap();
    }

    #[test]
    fn a_directory_is_made_with_those_above_it_and_one_that_is_there_stays() {
        let place = std::env::temp_dir().join(format!("falcon private {}", std::process::id()));
        let path = place.join("var").join("queue");
        create_private_dir(&path).unwrap();
        let file = path.join("0001");
        fs::write(&file, "point").unwrap();
        create_private_dir(&path).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "point");
        assert_eq!(create_private_dir(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(&place).unwrap();
    }
}
