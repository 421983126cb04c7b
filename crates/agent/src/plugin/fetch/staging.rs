//! A directory of the agent's own beside `plugin.dir`, `DIR.new-N`: in it is what is being fetched, and while one tree takes the
//! place of another, the old one.
//!
//! It is new, so that nobody has prepared it, and has a file by which it is known again: of what lies beside `plugin.dir` nothing
//! else is touched, whatever its name. One that an agent left which was killed is emptied at the next fetch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::plugin::place;

/// By which a directory is known to be one of these.
const MARK: &str = ".falcon-plugin.staging";
const ARCHIVE: &str = "archive";
const TREE: &str = "tree";
const OLD: &str = "old";
/// Some may be there that could not be deleted.
const MOST: u32 = 1000;
/// For the group and for everybody.
const OTHERS_WRITE: u32 = 0o022;

/// Gone with this, when what was there before is where it belongs.
pub(super) struct Staging {
    path: PathBuf,
    /// Beside which it is.
    dir: PathBuf,
}

impl Staging {
    /// # Errors
    /// It cannot be made.
    pub fn beside(dir: &Path) -> Result<Staging, String> {
        if let Some(above) = dir.parent() {
            fs::create_dir_all(above).map_err(|error| format!("{} cannot be made: {error}", above.display()))?;
        }
        let mut number = 1;
        let path = loop {
            let mut name = dir.file_name().ok_or("plugin.dir has no name")?.to_owned();
            name.push(format!(".new-{number}"));
            let path = dir.with_file_name(name);
            match falcon_sys::create_new_private_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MOST => number += 1,
                Err(error) => return Err(format!("{} cannot be made: {error}", path.display())),
            }
        };
        let staging = Staging { path, dir: dir.to_owned() };
        let filled = fs::write(staging.path.join(MARK), "").and_then(|()| fs::create_dir(staging.tree()));
        filled.map_err(|error| format!("{} cannot be filled: {error}", staging.path.display()))?;
        Ok(staging)
    }

    pub fn archive(&self) -> PathBuf {
        self.path.join(ARCHIVE)
    }

    pub fn tree(&self) -> PathBuf {
        self.path.join(TREE)
    }

    /// Where a tree is that is being replaced.
    pub fn old(&self) -> PathBuf {
        self.path.join(OLD)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        clean(&self.path, &self.dir);
    }
}

/// Removes what an agent that was killed left beside a tree, and puts the tree back that it had moved away.
pub(super) fn tidy(dir: &Path) {
    leftovers(dir).iter().for_each(|path| clean(path, dir));
}

/// Puts a tree back that an agent that was killed had moved away.
pub(super) fn put_back(dir: &Path) {
    leftovers(dir).iter().for_each(|path| _ = is_back(path, dir));
}

fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let begin = format!("{name}.new-");
    let is_name = |name: &str| {
        name.strip_prefix(&begin).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let named = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_name));
    let dirs = named.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).filter(|path| is_own(path)).collect()
}

/// Somebody else could have plugins of his put back.
fn is_own(path: &Path) -> bool {
    // Windows has access lists in their place.
    let is_own = falcon_sys::mode_bits(path).map_or(true, |bits| bits.is_own && bits.mode & OTHERS_WRITE == 0);
    is_own && path.join(MARK).is_file() && place::check_file(path).is_ok()
}

/// Whether nothing is in it that belongs in the directory.
fn is_back(path: &Path, dir: &Path) -> bool {
    let old = path.join(OLD);
    if fs::symlink_metadata(&old).is_err() {
        return true;
    }
    // Somebody may have made an empty one since.
    let _ = fs::remove_dir(dir);
    fs::symlink_metadata(dir).is_ok() || fs::rename(&old, dir).is_ok()
}

/// What is held still, as a program that runs is on Windows, stays until the next time, and the mark with it.
fn clean(path: &Path, dir: &Path) {
    if !is_back(path, dir) {
        return;
    }
    let mut is_empty = true;
    for entry in fs::read_dir(path).into_iter().flatten().flatten().filter(|entry| entry.file_name() != MARK) {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let gone = if is_dir { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        is_empty &= gone.is_ok();
    }
    if is_empty {
        let _ = fs::remove_dir_all(path);
    }
}
