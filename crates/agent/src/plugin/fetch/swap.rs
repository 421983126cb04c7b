//! One tree of plugins in the place of another: the old one or the new one is there, whatever fails. Linux exchanges the two in one
//! step; Windows, and a file system that cannot, move the old one away first, and an agent that is killed between the two steps
//! puts it back when it begins.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Job;
use super::staging::Staging;
use crate::plugin;

/// Where the tree is, or is to be: `dir` itself, or what it leads to.
///
/// # Errors
/// It cannot be followed.
pub(super) fn place(dir: &Path) -> Result<PathBuf, String> {
    match fs::symlink_metadata(dir) {
        Ok(meta) if meta.file_type().is_symlink() => {
            let led = fs::canonicalize(dir).or_else(|_| fs::read_link(dir).map(|to| dir.with_file_name(to)));
            led.map(plain).map_err(|error| format!("it is a link that cannot be followed: {error}"))
        }
        _ => Ok(dir.to_owned()),
    }
}

/// As other programs take it.
pub(super) fn plain(path: PathBuf) -> PathBuf {
    path.to_str().map(|path| PathBuf::from(&*plugin::plain(path))).unwrap_or(path)
}

/// Puts a tree in the place of what is there, which goes with the staging directory.
///
/// # Errors
/// It cannot be; what was there is there still.
pub(super) fn swap(job: &Job<'_>, staging: &Staging, new: &Path, dir: &Path) -> Result<(), String> {
    if fs::symlink_metadata(dir).is_err() {
        return patiently(job, || fs::rename(new, dir))
            .map_err(|error| format!("the plugins cannot be put there: {}", told(&error)));
    }
    if falcon_sys::exchange(new, dir).is_ok() {
        return Ok(());
    }
    let failed = |error: io::Error| format!("the old plugins stay, for they cannot be replaced: {}", told(&error));
    let old = staging.old();
    patiently(job, || fs::rename(dir, &old)).map_err(failed)?;
    let Err(error) = patiently(job, || fs::rename(new, dir)) else { return Ok(()) };
    Err(match fs::rename(&old, dir) {
        Ok(()) => failed(error),
        Err(again) => format!(
            "the new plugins cannot be put there: {error}, nor the old ones back: {again}; they are in {}",
            old.display()
        ),
    })
}

fn told(error: &io::Error) -> String {
    let more = match error.kind() {
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
            "; it is a mount point: have plugin.dir be a directory below it"
        }
        _ if falcon_sys::is_held(error) => {
            "; one of them is running, or another program has a file of theirs open: try again"
        }
        _ => "",
    };
    format!("{error}{more}")
}

/// Tries again while another program holds a file.
fn patiently(job: &Job<'_>, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    const BETWEEN: Duration = Duration::from_millis(200);
    let begun = Instant::now();
    loop {
        match act() {
            Err(error)
                if falcon_sys::is_held(&error) && begun.elapsed() < job.limits.patience && job.goes_on().is_ok() =>
            {
                std::thread::sleep(BETWEEN);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_about_it_is_told() {
        assert!(told(&io::ErrorKind::CrossesDevices.into()).contains("have plugin.dir be a directory below it"));
        assert!(told(&io::ErrorKind::ResourceBusy.into()).contains("it is a mount point"));
        assert!(!told(&io::ErrorKind::NotFound.into()).contains(';'));
    }
}
