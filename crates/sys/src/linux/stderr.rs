//! Where standard error goes.

use rustix::fs::fstat;
use std::io;

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
}
