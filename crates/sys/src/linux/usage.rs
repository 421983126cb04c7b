//! Files and directories as a walk sees them: no link is followed. Source: stat(2), openat(2).

use super::files;
use crate::types::{FileUsage, Links};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::retry_on_intr;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is at a path; of a link the link.
///
/// # Errors
/// The call's own.
pub fn file_usage(path: &Path) -> io::Result<FileUsage> {
    Ok(usage(&rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// Calls `each` with every entry of a directory and what it takes, or why that is not known, until it answers `false`.
/// A directory that has become a link is an error.
///
/// # Errors
/// The directory cannot be listed.
pub fn list_usage(dir: &Path, each: &mut dyn FnMut(&OsStr, io::Result<FileUsage>) -> bool) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let dir = retry_on_intr(|| rustix::fs::openat(CWD, dir, flags, Mode::empty()))?;
    let mut goes_on = true;
    files::each_entry(&dir, |name| {
        let bytes = name.to_bytes();
        if !goes_on || bytes == b"." || bytes == b".." {
            return;
        }
        let stat = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW);
        goes_on = each(OsStr::from_bytes(bytes), stat.map(|stat| usage(&stat)).map_err(Into::into));
    })
}

#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the fields' types differ from target to target"
)]
fn usage(stat: &Stat) -> FileUsage {
    let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let count = u64::from(stat.st_nlink);
    // A directory has a name in each of its own directories.
    let links =
        (!is_dir && count > 1).then_some(Links { device: stat.st_dev as u64, inode: stat.st_ino as u64, count });
    FileUsage { bytes: u64::try_from(stat.st_size).unwrap_or(0), is_dir, links }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn entries_are_themselves_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("file"), "12345").unwrap();
        fs::write(at("twice"), "123").unwrap();
        fs::hard_link(at("twice"), at("again")).unwrap();
        symlink("/etc", at("link")).unwrap();
        let mut seen = Vec::new();
        list_usage(dir.path(), &mut |name, usage| {
            seen.push((name.to_str().unwrap().to_owned(), usage.unwrap()));
            true
        })
        .unwrap();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["again", "file", "link", "sub", "twice"]);
        assert_eq!(seen[1].1, FileUsage { bytes: 5, is_dir: false, links: None });
        assert_eq!(seen[2].1, FileUsage { bytes: 4, is_dir: false, links: None });
        assert!(seen[3].1.is_dir && seen[3].1.links.is_none());
        assert_eq!(seen[0].1, seen[4].1);
        assert_eq!(seen[0].1.links.map(|links| links.count), Some(2));
        assert_eq!(file_usage(&at("file")).unwrap(), seen[1].1);
        assert!(!file_usage(&at("link")).unwrap().is_dir);
        assert!(
            list_usage(&at("link"), &mut |_, _| true).is_err() && list_usage(&at("file"), &mut |_, _| true).is_err()
        );
        assert_eq!(file_usage(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_walk_that_is_over_is_told_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..10 {
            fs::write(dir.path().join(n.to_string()), "").unwrap();
        }
        let mut seen = 0;
        list_usage(dir.path(), &mut |_, _| {
            seen += 1;
            seen < 3
        })
        .unwrap();
        assert_eq!(seen, 3);
    }
}
