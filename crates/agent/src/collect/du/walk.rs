//! A walk through a directory tree, with an end. One directory is open at a time, and what is still to be listed is bounded, so
//! that a tree of any form takes neither files nor memory without bound.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use falcon_sys::types::{FileUsage, Links};

/// Directories that are known and not listed yet, and files with several names of which not all were seen.
const MOST_PENDING: usize = 1 << 17;

/// Walks at the same time: more would only have a disk seek.
const MOST_WALKS: usize = 4;

/// Who walks, and who waits.
#[derive(Default)]
pub(super) struct Turns {
    walking: Mutex<usize>,
    free: Condvar,
}

impl Turns {
    /// Waits for a turn, but not longer than `end`. One whose walk hangs keeps its turn.
    pub(super) fn take<T>(&self, end: Instant, walk: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let wait = end.saturating_duration_since(Instant::now());
        let walking = self.walking.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.free.wait_timeout_while(walking, wait, |walking| *walking >= MOST_WALKS);
        let (mut walking, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "others took all the time"));
        }
        *walking += 1;
        drop(walking);
        let _turn = Turn(self);
        walk()
    }
}

/// Given back also by a walk that fails by a defect.
struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.walking.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.free.notify_one();
    }
}

/// The bytes of all that is at a path and below it.
///
/// # Errors
/// The first thing that cannot be read, with its name; [`io::ErrorKind::TimedOut`] at `end`.
pub(super) fn walk(path: &Path, end: Instant) -> io::Result<u64> {
    walk_within(path, end, MOST_PENDING)
}

fn walk_within(path: &Path, end: Instant, most: usize) -> io::Result<u64> {
    let top = falcon_sys::file_usage(path)?;
    let mut sum = Sum { most, ..Sum::default() };
    sum.add(&top)?;
    let mut pending: Vec<PathBuf> = Vec::new();
    if top.is_dir {
        pending.push(path.to_owned());
    }
    while let Some(dir) = pending.pop() {
        let mut failed = Ok(());
        let listed = falcon_sys::list_usage(&dir, &mut |name, usage| {
            failed = sum.entry(usage).map_err(|error| named(&dir.join(name), &error)).and_then(|is_dir| {
                if is_dir {
                    pending.push(dir.join(name));
                }
                if pending.len() > most {
                    return Err(io::Error::other("more directories than are remembered"));
                }
                if Instant::now() >= end {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "is not through in time"));
                }
                Ok(())
            });
            failed.is_ok()
        });
        failed?;
        match listed {
            // Gone since it was seen.
            Err(error) if error.kind() == io::ErrorKind::NotFound && dir != path => {}
            Err(error) => return Err(named(&dir, &error)),
            Ok(()) => {}
        }
    }
    Ok(sum.bytes)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    most: usize,
    /// Of files with several names: how many are still to come. Those of which all were seen are forgotten.
    links: HashMap<(u64, u64), u64>,
}

impl Sum {
    /// Whether it is a directory to be listed.
    fn entry(&mut self, usage: io::Result<FileUsage>) -> io::Result<bool> {
        match usage {
            Ok(usage) => self.add(&usage).map(|()| usage.is_dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn add(&mut self, usage: &FileUsage) -> io::Result<()> {
        if let Some(Links { device, inode, count }) = usage.links {
            let file = (device, inode);
            if let Some(left) = self.links.get_mut(&file) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.links.remove(&file);
                }
                return Ok(());
            }
            if self.links.len() >= self.most {
                return Err(io::Error::other("more files with several names than are remembered"));
            }
            self.links.insert(file, count.saturating_sub(1));
        }
        self.bytes = self.bytes.saturating_add(usage.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    /// What the directories themselves have, which depends on the file system.
    fn directories(paths: &[&Path]) -> u64 {
        paths.iter().map(|path| falcon_sys::file_usage(path).unwrap().bytes).sum()
    }

    #[test]
    fn every_file_below_a_path_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (sub, deep) = (dir.path().join("sub"), dir.path().join("sub").join("deep"));
        fs::create_dir_all(&deep).unwrap();
        for (file, len) in [("a", 1), ("sub/b", 10), ("sub/deep/c", 100), ("sub/deep/empty", 0)] {
            fs::write(dir.path().join(file), "x".repeat(len)).unwrap();
        }
        let own = directories(&[dir.path(), &sub, &deep]);
        assert_eq!(walk(dir.path(), soon()).unwrap(), 111 + own);
        assert_eq!(walk(&dir.path().join("sub/b"), soon()).unwrap(), 10);
        let missing = walk(&dir.path().join("none"), soon()).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn links_are_not_followed_and_a_file_with_two_names_counts_once() {
        use std::os::unix::fs::symlink;
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("large"), "x".repeat(100_000)).unwrap();
        fs::write(dir.path().join("once"), "12345").unwrap();
        fs::hard_link(dir.path().join("once"), dir.path().join("twice")).unwrap();
        fs::hard_link(dir.path().join("once"), other.path().join("outside")).unwrap();
        let own = directories(&[dir.path()]);
        assert_eq!(walk(dir.path(), soon()).unwrap(), 5 + own);
        // A link to a directory, to itself and to nothing count their own length.
        let links = [("to_dir", other.path().to_str().unwrap()), ("loop", "loop"), ("nowhere", "none"), ("up", "..")];
        for (name, target) in links {
            symlink(target, dir.path().join(name)).unwrap();
        }
        let lengths: usize = links.iter().map(|(_, target)| target.len()).sum();
        assert_eq!(walk(dir.path(), soon()).unwrap(), 5 + lengths as u64 + directories(&[dir.path()]));
        assert_eq!(walk(&dir.path().join("to_dir"), soon()).unwrap(), links[0].1.len() as u64, "itself");
    }

    #[test]
    fn a_walk_ends_at_its_deadline() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        let late = walk(dir.path(), Instant::now()).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(late.to_string().contains("in time"), "{late}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..10 {
            fs::create_dir(dir.path().join(n.to_string())).unwrap();
        }
        assert!(walk_within(dir.path(), soon(), 9).is_err());
        assert!(walk_within(dir.path(), soon(), 10).is_ok());
    }

    #[test]
    fn what_is_gone_holds_nothing_and_what_is_refused_fails_the_walk() {
        let mut sum = Sum { most: 1, ..Sum::default() };
        assert!(!sum.entry(Err(io::ErrorKind::NotFound.into())).unwrap());
        assert!(sum.entry(Err(io::ErrorKind::PermissionDenied.into())).is_err());
        let file = |inode| FileUsage { bytes: 7, is_dir: false, links: Some(Links { device: 1, inode, count: 2 }) };
        assert!(!sum.entry(Ok(file(1))).unwrap());
        assert!(sum.entry(Ok(file(2))).is_err(), "no room for another");
        assert!(!sum.entry(Ok(file(1))).unwrap());
        assert!(!sum.entry(Ok(file(2))).unwrap(), "the first is forgotten once all its names were seen");
        assert_eq!(sum.bytes, 14);
    }

    #[test]
    fn no_more_walk_at_once_than_there_are_turns() {
        let turns = Arc::new(Turns::default());
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (begun, begins) = mpsc::channel();
        let walks: Vec<_> = (0..MOST_WALKS)
            .map(|_| {
                let (turns, held, begun) = (turns.clone(), held.clone(), begun.clone());
                thread::spawn(move || {
                    turns.take(soon(), || {
                        begun.send(()).unwrap();
                        let _ = held.lock().unwrap().recv();
                        Ok(())
                    })
                })
            })
            .collect();
        walks.iter().for_each(|_| begins.recv().unwrap());
        let refused = turns.take(Instant::now(), || Ok(())).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        drop(release);
        turns.take(soon(), || Ok(())).unwrap();
        walks.into_iter().for_each(|walk| walk.join().unwrap().unwrap());
    }
}
