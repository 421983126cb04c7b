//! One process that is known by its pid: what it was started as. Source: proc_pid_cmdline(5), proc_pid_exe(5).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

/// The arguments of a process with blanks between them, up to 64 KiB; bytes that are not UTF-8 are replaced. Empty for a thread
/// of the kernel and for a process that has ended and is not yet waited for.
///
/// # Errors
/// Those of reading the file; [`io::ErrorKind::NotFound`] where there is no such process.
pub fn command_line(pid: u32) -> io::Result<String> {
    const MOST_BYTES: u64 = 64 << 10;
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/cmdline"))?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(shown(bytes))
}

fn shown(mut bytes: Vec<u8>) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The path of the program that a process runs, as the kernel tells it: with ` (deleted)` behind it where it is gone.
///
/// # Errors
/// Those of readlink(2); [`io::ErrorKind::NotFound`] where there is no such process.
pub fn image_path(pid: u32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_blanks_between_them_and_none_behind() {
        assert_eq!(shown(b"/bin/a b\0-x\0\0y\0\0".to_vec()), "/bin/a b -x  y");
        assert_eq!((shown(b"\0\0".to_vec()), shown(Vec::new())), (String::new(), String::new()));
        assert_eq!(shown(b"\xFFa\0".to_vec()), "\u{FFFD}a");
    }
}
