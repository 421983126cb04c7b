//! Directories for what the agent keeps.

use super::acl::create_dir;
use super::ffi::{check, wide};
use crate::types::ModeBits;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;
use std::{io, ptr, thread};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_UNABLE_TO_MOVE_REPLACEMENT,
    ERROR_UNABLE_TO_MOVE_REPLACEMENT_2, ERROR_UNABLE_TO_REMOVE_REPLACED,
};
use windows_sys::Win32::Storage::FileSystem::ReplaceFileW;

/// A scanner for viruses has a new file for a moment.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(100);

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

/// Puts a file in the place of another, with the rights that the other has. There need be no other.
///
/// # Errors
/// Those of ReplaceFileW and MoveFileExW; `old` is as it was then or, where it is gone, `new` is still there.
pub fn replace_file(new: &Path, old: &Path) -> io::Result<()> {
    let mut done = replace_once(new, old);
    for _ in 0..TRIES {
        match &done {
            Err(error) if is_held(error) || code_of(error) == Some(ERROR_UNABLE_TO_REMOVE_REPLACED) => {
                thread::sleep(BETWEEN);
                done = replace_once(new, old);
            }
            _ => break,
        }
    }
    done
}

fn replace_once(new: &Path, old: &Path) -> io::Result<()> {
    if !old.try_exists()? {
        return fs::rename(new, old);
    }
    let [to, from] = [wide(old.as_os_str())?, wide(new.as_os_str())?];
    let none = ptr::null();
    // SAFETY: two texts that end with a NUL; no backup is kept, and the last two are reserved.
    match check(unsafe { ReplaceFileW(to.as_ptr(), from.as_ptr(), none, 0, none.cast(), none.cast()) }) {
        // Nothing has the name any more.
        Err(error) if is_half_done(&error) => fs::rename(new, old),
        done => done,
    }
}

/// Whether ReplaceFileW took the one file away, and did not put the other in its place.
fn is_half_done(error: &io::Error) -> bool {
    matches!(code_of(error), Some(ERROR_UNABLE_TO_MOVE_REPLACEMENT | ERROR_UNABLE_TO_MOVE_REPLACEMENT_2))
}

fn code_of(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
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
    matches!(code_of(error), Some(ERROR_ACCESS_DENIED | ERROR_LOCK_VIOLATION | ERROR_SHARING_VIOLATION))
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
            replace_file(&new, &old).unwrap();
            assert_eq!(fs::read_to_string(&old).unwrap(), text);
            assert!(!new.exists());
        }
        assert!(replace_file(&new, &old).is_err());
        // Of these two the reference says that the replaced file has its name no more: a cfg.json was lost so.
        let half = |code: u32| is_half_done(&io::Error::from_raw_os_error(code.cast_signed()));
        assert!(half(1176) && half(1177) && !half(1175) && !half(2));
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
