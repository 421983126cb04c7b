//! How files of the host are read: below one root, into a buffer that is used again, without memory of its own.
//!
//! A file is read to its end, for the kernel may answer a read short, but never past [`MAX_FILE`]; and only if it is a
//! regular file, which all of `/proc` and `/sys` are: a pipe left under the root would hold the reader for ever. Files of
//! processes, of which there are thousands, are read once and not asked what they are ([`read_once`]).
//! Paths are short and relative to an open directory, so that rustix ends them on its stack.

use crate::types::Extent;
use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::retry_on_intr;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Bytes of a file that are read. `/proc/stat` of 4096 processors has about 1 MiB; of mounts with long options, such as
/// those of containers, ten thousand have 10 MiB.
const MAX_FILE: usize = 32 << 20;

/// Room for what nearly every such file holds on nearly every host.
const FIRST_READ: usize = 8 << 10;

/// Entries of a directory that are read: the kernel has no more than 4 Mi processes.
const MAX_ENTRIES: usize = 8 << 20;

/// Some 300 entries of `/proc` at a time.
const LISTING: usize = 8 << 10;

/// The directory below which the host's files lie.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    dir: OnceLock<OwnedFd>,
}

impl Root {
    pub(super) fn new(path: PathBuf) -> Root {
        Root { path, dir: OnceLock::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the host itself, and no prefix.
    pub(super) fn is_plain(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The open directory. It is opened by the first call that succeeds, and stays the same from then on.
    pub(super) fn dir(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir.as_fd());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = retry_on_intr(|| rustix::fs::openat(CWD, &self.path, flags, Mode::empty()))?;
        Ok(self.dir.get_or_init(|| dir).as_fd())
    }

    /// `e`, saying which file it is about. The only place that joins paths.
    pub(super) fn name(&self, file: &str, e: &io::Error) -> io::Error {
        io::Error::new(e.kind(), format!("{}: {e}", self.path.join(file).display()))
    }

    /// The damage `what` of a file.
    pub(super) fn damaged(&self, file: &str, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", self.path.join(file).display()))
    }
}

/// Opens a directory to list it, or to read files below it.
pub(super) fn open_dir(below: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(retry_on_intr(|| rustix::fs::openat(below, path, flags, Mode::empty()))?)
}

fn open(below: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    // NONBLOCK: opening a pipe would wait for its other end.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(retry_on_intr(|| rustix::fs::openat(below, path, flags, Mode::empty()))?)
}

/// The bytes of a file instead of what `into` holds. An error of the kernel is passed on bare.
pub(super) fn read(below: BorrowedFd<'_>, path: &str, into: &mut Vec<u8>) -> io::Result<Extent> {
    into.clear();
    let file = open(below, path)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    while into.len() < MAX_FILE {
        if into.len() == into.capacity() {
            // From 8 KiB in doublings: MAX_FILE is one of them.
            into.reserve_exact(into.len().max(FIRST_READ));
        }
        if retry_on_intr(|| rustix::io::read(&file, spare_capacity(into)))? == 0 {
            return Ok(Extent::Whole);
        }
    }
    into.truncate(MAX_FILE);
    // The last line may have been cut inside a number.
    let end = into.iter().rposition(|&b| b == b'\n').unwrap_or(0);
    into.truncate(end);
    Ok(Extent::Cut)
}

/// What one read of a file gives instead of what `into` holds: all of a short file that the kernel makes when it is asked.
/// Neither a pipe nor a device holds the reader, and neither is told from a file.
pub(super) fn read_once(below: BorrowedFd<'_>, path: &str, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    into.reserve_exact(FIRST_READ);
    let file = open(below, path)?;
    retry_on_intr(|| rustix::io::read(&file, spare_capacity(into)))?;
    Ok(())
}

/// The name of each entry of a directory that [`open_dir`] opened, `.` and `..` too.
pub(super) fn each_entry(dir: &OwnedFd, mut each: impl FnMut(&CStr)) -> io::Result<()> {
    let mut listing = [MaybeUninit::uninit(); LISTING];
    let mut entries = RawDir::new(dir, &mut listing);
    for _ in 0..MAX_ENTRIES {
        match entries.next() {
            None => break,
            Some(entry) => each(entry?.file_name()),
        }
    }
    Ok(())
}

/// The number that a name is, or that follows `prefix` in it.
pub(super) fn numbered(name: &CStr, prefix: &str) -> Option<u32> {
    let digits = name.to_str().ok()?.strip_prefix(prefix)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// How many names of a directory are numbers, as those of `/proc` and of `/proc/PID/fd` are.
pub(super) fn count_numbered(below: BorrowedFd<'_>, path: &str) -> io::Result<u64> {
    let mut count = 0;
    each_entry(&open_dir(below, path)?, |name| {
        count += u64::from(numbered(name, "").is_some());
    })?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::write;

    fn read_below(dir: &Path, file: &str, into: &mut Vec<u8>) -> io::Result<Extent> {
        let root = Root::new(dir.to_owned());
        read(root.dir().unwrap(), file, into)
    }

    #[test]
    fn an_endless_file_is_cut_at_a_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let line = "/dev/vda1 /data ext4 rw,relatime 0 0\n";
        write(dir.path().join("mounts"), line.repeat(MAX_FILE / line.len() + 2)).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(read_below(dir.path(), "mounts", &mut bytes).unwrap(), Extent::Cut);
        assert!(bytes.len() < MAX_FILE && bytes.len() > MAX_FILE - 2 * line.len(), "{}", bytes.len());
        assert!(bytes.ends_with(line.trim_end().as_bytes()));
        assert!(bytes.capacity() <= MAX_FILE, "{}", bytes.capacity());
    }

    #[test]
    fn the_buffer_is_used_again_and_holds_one_file_only() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("long"), "x".repeat(20_000)).unwrap();
        write(dir.path().join("short"), "y").unwrap();
        let mut bytes = Vec::new();
        assert_eq!(read_below(dir.path(), "long", &mut bytes).unwrap(), Extent::Whole);
        assert_eq!(bytes.len(), 20_000);
        let (capacity, memory) = (bytes.capacity(), bytes.as_ptr());
        assert_eq!(read_below(dir.path(), "short", &mut bytes).unwrap(), Extent::Whole);
        assert_eq!((&bytes[..], bytes.capacity(), bytes.as_ptr()), (&b"y"[..], capacity, memory));
        // What an earlier file said must not be taken for what a missing one says.
        assert_eq!(read_below(dir.path(), "gone", &mut bytes).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(bytes.is_empty());
    }

    #[test]
    fn neither_a_pipe_nor_a_directory_nor_a_device_is_read() {
        let dir = tempfile::tempdir().unwrap();
        rustix::fs::mknodat(CWD, dir.path().join("fifo"), FileType::Fifo, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero")).unwrap();
        let mut bytes = Vec::new();
        for file in ["fifo", "zero", "."] {
            let refused = read_below(dir.path(), file, &mut bytes).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{file}");
        }
    }

    #[test]
    fn one_read_waits_for_nothing_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path().to_owned());
        rustix::fs::mknodat(CWD, dir.path().join("fifo"), FileType::Fifo, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero")).unwrap();
        write(dir.path().join("comm"), "bash\n").unwrap();
        let mut bytes = Vec::new();
        let mut once = |file: &str| read_once(root.dir().unwrap(), file, &mut bytes).map(|()| bytes.clone());
        assert!(once("zero").unwrap().len() <= 2 * FIRST_READ);
        assert_eq!(once("comm").unwrap(), b"bash\n");
        assert!(once("fifo").is_ok_and(|told| told.is_empty()) && once(".").is_err() && once("gone").is_err());
    }

    #[test]
    fn a_root_that_comes_later_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path().join("later"));
        assert_eq!(root.dir().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::create_dir(dir.path().join("later")).unwrap();
        assert!(root.dir().is_ok());
    }

    #[test]
    fn a_long_listing_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..1000 {
            write(dir.path().join(format!("cpu{n}")), "").unwrap();
        }
        write(dir.path().join("cpufreq"), "").unwrap();
        let root = Root::new(dir.path().to_owned());
        let mut seen = Vec::new();
        let listed = open_dir(root.dir().unwrap(), ".").unwrap();
        each_entry(&listed, |name| seen.extend(numbered(name, "cpu"))).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn names_that_are_numbers() {
        assert_eq!(numbered(c"999999999", ""), Some(999_999_999));
        assert_eq!(numbered(c"cpu17", "cpu"), Some(17));
        for name in [c"", c".", c"self", c"+1", c"-1", c"1a", c"4294967296", c"\xff"] {
            assert_eq!(numbered(name, ""), None, "{name:?}");
        }
        assert_eq!((numbered(c"cpu", "cpu"), numbered(c"cpuidle", "cpu"), numbered(c"1", "cpu")), (None, None, None));
    }
}
