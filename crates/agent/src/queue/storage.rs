//! Where the log lies: five methods over named files, so that tests can put a disk there that fails, fills up or loses power.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A flat folder of files. What a method has answered is durable: it is there after a power cut.
pub trait Storage: Send {
    /// Names and sizes of all files, in any order.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;
    /// Fills `into` from `at` on as far as the file reaches; answers how much that was.
    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes at `at`, which must be the file's end; what an append before it left behind there after failing is overwritten.
    /// At 0 the file is made.
    fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Gives a small file new content: afterwards, and after a power cut, it has the old or the new one.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file; one that is not there is no error. A power cut may bring it back.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

impl<S: Storage + ?Sized> Storage for Box<S> {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        (**self).list()
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read(name, at, into)
    }

    fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).append(name, at, bytes)
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).replace(name, bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }
}

/// What the lock is called.
pub(super) const LOCK: &str = "lock";
/// A virus scanner or a backup may hold a file for a moment (Windows): so often it is tried, and so long waited in between.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

/// A directory that no other agent uses at the same time.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// `None`: another has it, and nothing is changed.
    lock: Option<File>,
}

/// Why a directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("{} is used by another agent; give each its own `state_dir`", .0.display())]
    Held(PathBuf),
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
}

impl Directory {
    /// Makes the directory where it is missing, for the agent's user alone, and locks it.
    ///
    /// # Errors
    /// Another agent has it, or it cannot be made or written.
    pub fn open(path: &Path) -> Result<Directory, Unusable> {
        let failed = |error| Unusable::Io(path.to_owned(), error);
        falcon_sys::create_private_dir(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        Directory::locked(path, lock)
    }

    fn locked(path: &Path, lock: File) -> Result<Directory, Unusable> {
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(Unusable::Held(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(Unusable::Io(path.to_owned(), error)),
        }
    }

    /// The same where it is there already; `None` where it is not.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Directory>, Unusable> {
        if is_there(path)? { Directory::open(path).map(Some) } else { Ok(None) }
    }

    /// What an agent left, for somebody else, as root for an agent of a user of its own: whose it is and who may write to it
    /// is the agent's care. Nothing is made here: the agent may not be able to write to what this user made.
    ///
    /// # Errors
    /// An agent has it, or it cannot be entered, or this user may not take the agent's lock.
    pub fn open_left(path: &Path) -> Result<Option<Directory>, Unusable> {
        if !is_there(path)? {
            return Ok(None);
        }
        let lock = path.join(LOCK);
        let file = OpenOptions::new().write(true).open(&lock).map_err(|error| Unusable::Io(lock, error))?;
        Directory::locked(path, file).map(Some)
    }

    /// For reading, beside an agent that uses it.
    pub fn look_at(path: &Path) -> Directory {
        Directory { path: path.to_owned(), lock: None }
    }

    fn ours(&self) -> io::Result<()> {
        if self.lock.is_some() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// On Linux a new name is durable when its directory is; Windows has no such call and needs none.
    fn sync(&self) -> io::Result<()> {
        falcon_sys::sync_dir(&self.path)
    }
}

/// What may not be seen may be there: that is an error.
fn is_there(path: &Path) -> Result<bool, Unusable> {
    path.try_exists().map_err(|error| Unusable::Io(path.to_owned(), error))
}

/// Writes a file anew by way of another, `new`: it is the old one or the new one at every moment.
pub(crate) fn replace_file(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = patiently(falcon_sys::is_held, || File::create(new))?;
    file.write_all(bytes)?;
    file.sync_data()?;
    drop(file);
    patiently(falcon_sys::is_held, || fs::rename(new, path))
}

/// Tries again while another program has the file.
pub(crate) fn patiently<T>(held: impl Fn(&io::Error) -> bool, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if held(&error) => std::thread::sleep(BETWEEN),
            done => return done,
        }
    }
    act()
}

impl Storage for Directory {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let (Ok(name), Ok(meta)) = (entry.file_name().into_string(), entry.metadata())
                && meta.is_file()
            {
                files.push((name, meta.len()));
            }
        }
        Ok(files)
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let path = self.path.join(name);
        let mut file = patiently(falcon_sys::is_held, || File::open(&path))?;
        file.seek(SeekFrom::Start(at))?;
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// The file is opened anew each time: one that was deleted under a program takes everything and keeps nothing.
    fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.ours()?;
        let path = self.path.join(name);
        let mut open = OpenOptions::new();
        open.write(true).create(at == 0).truncate(false);
        let mut file = patiently(falcon_sys::is_held, || open.open(&path))?;
        let length = file.metadata()?.len();
        if length < at {
            return Err(io::Error::other(format!("{name} is shorter than it was: {length} of {at} bytes")));
        }
        if length > at {
            file.set_len(at)?;
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        file.sync_data()?;
        if at == 0 { self.sync() } else { Ok(()) }
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.ours()?;
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        replace_file(&path, &new, bytes)?;
        self.sync()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        let path = self.path.join(name);
        match patiently(falcon_sys::is_held, || fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_agents_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("var").join("queue");
        assert!(Directory::open_existing(&path).unwrap().is_none());
        let first = Directory::open(&path).unwrap();
        let error = Directory::open(&path).unwrap_err();
        assert!(matches!(error, Unusable::Held(_)) && error.to_string().contains("another agent"), "{error}");
        drop(first);
        assert!(Directory::open_existing(&path).unwrap().is_some());
    }

    #[test]
    fn what_an_agent_left_is_locked_and_nothing_is_made_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("queue");
        assert!(Directory::open_left(&path).unwrap().is_none());
        drop(Directory::open(&path).unwrap());
        let left = Directory::open_left(&path).unwrap();
        assert!(left.is_some());
        assert!(matches!(Directory::open_left(&path).unwrap_err(), Unusable::Held(_)));
        drop(left);
        fs::remove_file(path.join(LOCK)).unwrap();
        assert!(Directory::open_left(&path).unwrap_err().to_string().contains(LOCK));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    /// On Windows a virus scanner that had a file open for a moment cost the queue its disk for a minute.
    #[test]
    fn what_another_program_holds_for_a_moment_is_tried_again_and_nothing_else_is() {
        let tried = |held_for: u32, code: i32| {
            let mut tries = 0;
            let done = patiently(
                |error| error.raw_os_error() == Some(32),
                || {
                    tries += 1;
                    if tries > held_for { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
                },
            );
            (done.is_ok(), tries)
        };
        assert_eq!(tried(0, 32), (true, 1));
        assert_eq!(tried(3, 32), (true, 4));
        assert_eq!(tried(u32::MAX, 32), (false, TRIES));
        assert_eq!(tried(3, 28), (false, 1));
    }

    #[test]
    fn who_looks_on_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Directory::open(&dir.path().join("queue")).unwrap();
        first.append("a", 0, b"abc").unwrap();
        let mut second = Directory::look_at(&dir.path().join("queue"));
        second.remove("a").unwrap();
        assert!(second.append("a", 3, b"d").is_err() && second.replace("a", b"").is_err());
        let mut bytes = [0; 8];
        assert_eq!((second.read("a", 1, &mut bytes).unwrap(), &bytes[..2]), (2, b"bc".as_slice()));
    }

    #[test]
    fn an_append_overwrites_what_a_failed_one_left_and_notices_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = Directory::open(&dir.path().join("queue")).unwrap();
        directory.append("a", 0, b"abcdef").unwrap();
        directory.append("a", 3, b"XY").unwrap();
        directory.append("a", 5, b"").unwrap();
        directory.replace("b", b"one").unwrap();
        directory.replace("b", b"two").unwrap();
        let path = dir.path().join("queue");
        assert_eq!(fs::read(path.join("a")).unwrap(), b"abcXY");
        assert_eq!(fs::read(path.join("b")).unwrap(), b"two");
        let mut files = directory.list().unwrap();
        files.sort();
        assert_eq!(files, [("a".to_owned(), 5), ("b".to_owned(), 3), (LOCK.to_owned(), 0)]);
        assert!(directory.append("a", 9, b"Z").unwrap_err().to_string().contains("shorter than it was"));
        directory.remove("a").unwrap();
        directory.remove("a").unwrap();
        assert_eq!(directory.append("a", 5, b"Z").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(directory.read("a", 0, &mut [0; 1]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
