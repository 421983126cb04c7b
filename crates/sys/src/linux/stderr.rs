//! Where standard error goes.

use rustix::fs::{Access, OFlags, Stat, access, fcntl_getfl, fstat, stat};
use rustix::process::geteuid;
use rustix::stdio::{dup2_stderr, dup2_stdout};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Whether standard error is the file that systemd names in `JOURNAL_STREAM`, as `device:inode` in decimal (systemd.exec(5)):
/// the variable is inherited by children whose standard error is another.
#[must_use]
pub fn stderr_is(stream: &str) -> bool {
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Whether escape sequences work on standard error, if that is a terminal: every terminal of Linux knows them.
#[must_use]
pub fn enable_ansi() -> bool {
    true
}

/// The regular file that standard error is appended to (`>> app.log 2>&1`), where this process may replace it and nobody else
/// but root: none where that has no name any more, or others may write to the directory, for root may anywhere.
#[must_use]
pub fn appended_stderr() -> Option<PathBuf> {
    let err = io::stderr();
    if !fcntl_getfl(&err).ok()?.contains(OFlags::APPEND) {
        return None;
    }
    let path = std::fs::read_link("/proc/self/fd/2").ok()?;
    let (open, named) = (fstat(&err).ok()?, stat(&path).ok()?);
    let is_named = (open.st_dev, open.st_ino) == (named.st_dev, named.st_ino);
    let dir = path.parent()?;
    let is_ours = access(dir, Access::WRITE_OK).is_ok() && access(&path, Access::WRITE_OK).is_ok();
    let is_ours = is_ours && is_kept_from_others(&stat(dir).ok()?, geteuid().as_raw());
    (is_named && is_ours && rustix::fs::FileType::from_raw_mode(open.st_mode).is_file()).then_some(path)
}

fn is_kept_from_others(dir: &Stat, user: u32) -> bool {
    (dir.st_uid == 0 || dir.st_uid == user) && dir.st_mode & 0o022 == 0
}

/// Lets standard error go to this file from now on, and standard output too where it went the same way.
///
/// # Errors
/// Those of dup2(2).
pub fn redirect_stderr(to: &File) -> io::Result<()> {
    let same = |a: Stat, b: Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
    let with_stdout = fstat(io::stdout()).ok().zip(fstat(io::stderr()).ok()).is_some_and(|(out, err)| same(out, err));
    dup2_stderr(to)?;
    if with_stdout {
        dup2_stdout(to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn standard_error_is_known_by_its_device_and_inode() {
        let meta = std::fs::metadata("/proc/self/fd/2").unwrap();
        assert!(stderr_is(&format!("{}:{}", meta.dev(), meta.ino())));
        assert!(!stderr_is(&format!("{}:{}", meta.dev(), meta.ino() + 1)) && !stderr_is(""));
    }

    /// To root every directory seemed its own: in one of another user it renamed and removed what that one had put there.
    #[test]
    fn a_directory_that_another_may_write_to_is_not_ours() {
        let mut dir = stat("/").unwrap();
        for (owner, mode, user, is_ours) in [
            (0, 0o755, 0, true),
            (0, 0o755, 1000, true),
            (1000, 0o700, 1000, true),
            (1000, 0o755, 0, false),
            (1000, 0o775, 1000, false),
            (0, 0o1777, 0, false),
        ] {
            (dir.st_uid, dir.st_mode) = (owner, mode);
            assert_eq!(is_kept_from_others(&dir, user), is_ours, "{owner} {mode:o} {user}");
        }
    }
}
