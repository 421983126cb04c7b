//! What a new tree of plugins has of the old one: files that came in no archive, which an administrator or a plugin has put there,
//! and the times of those that the new archive has not changed, so that nothing begins its period anew for it.
//!
//! The old tree stays as it is: a file is in both by a hard link, or copied where the file system has none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::Job;
use super::marker::{LIST, MARKER};

/// Of directories within each other.
const MOST_DEPTH: usize = 64;

/// One tree that follows another.
pub(super) struct Keep<'a> {
    pub job: &'a Job<'a>,
    pub old: &'a Path,
    pub new: &'a Path,
    /// Paths of the old archive.
    pub listed: &'a BTreeSet<String>,
}

impl Keep<'_> {
    /// Takes over what came in no archive.
    ///
    /// # Errors
    /// Something cannot be, and the way out.
    pub fn others(&self) -> Result<(), String> {
        let mut left = self.job.limits.entries;
        self.below(Path::new(""), 0, &mut left)
    }

    fn below(&self, dir: &Path, depth: usize, left: &mut usize) -> Result<(), String> {
        let told = |error: io::Error| failed(dir, &format!("cannot be read: {error}"));
        for entry in fs::read_dir(self.old.join(dir)).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = dir.join(entry.file_name());
            if [MARKER, LIST].iter().any(|own| path == Path::new(own)) {
                continue;
            }
            self.job.goes_on()?;
            let is_dir = entry.file_type().map_err(told)?.is_dir();
            if !self.is_listed(&path, is_dir) {
                *left = left.checked_sub(1).ok_or_else(|| {
                    failed(&path, "is one of too many things that came in no archive: move them away")
                })?;
                self.take(&path, is_dir)?;
            }
            if is_dir {
                if depth == MOST_DEPTH {
                    return Err(failed(&path, "is a directory too deep"));
                }
                self.below(&path, depth + 1, left)?;
            }
        }
        Ok(())
    }

    fn is_listed(&self, path: &Path, is_dir: bool) -> bool {
        let mut name = String::new();
        for part in path {
            // What is no text is of no archive.
            let Some(part) = part.to_str() else { return false };
            name.push_str(part);
            name.push('/');
        }
        self.listed.contains(if is_dir { name.as_str() } else { name.trim_end_matches('/') })
    }

    fn take(&self, path: &Path, is_dir: bool) -> Result<(), String> {
        let (old, new) = (self.old.join(path), self.new.join(path));
        if is_dir {
            return self.dir(path);
        }
        if fs::symlink_metadata(&new).is_ok() {
            return Err(failed(path, "came in no archive, and this one has it too: move it away"));
        }
        if let Some(above) = path.parent() {
            self.dir(above)?;
        }
        let linked = fs::hard_link(&old, &new).or_else(|error| copy(&old, &new).map_err(|_| error));
        linked.map_err(|error| {
            failed(path, &format!("came in no archive, and cannot be taken over: {error}; move it away"))
        })
    }

    /// Makes a directory, and those above it, with the rights that they had.
    fn dir(&self, path: &Path) -> Result<(), String> {
        let (mut old, mut new) = (self.old.to_owned(), self.new.to_owned());
        for part in path {
            old.push(part);
            new.push(part);
            if fs::symlink_metadata(&new).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            let made = fs::create_dir(&new)
                .and_then(|()| fs::metadata(&old))
                .and_then(|meta| fs::set_permissions(&new, meta.permissions()));
            made.map_err(|error| failed(path, &format!("came in no archive, and cannot be taken over: {error}")))?;
        }
        Ok(())
    }

    /// Gives files that are as they were the time of then.
    ///
    /// # Errors
    /// It is to go on no longer.
    pub fn times(&self, files: &[String]) -> Result<(), String> {
        for name in files.iter().filter(|name| !name.ends_with('/')) {
            self.job.goes_on()?;
            let path: PathBuf = name.split('/').collect();
            // What is not the same has the time at which it came.
            let _ = keep_time(&self.old.join(&path), &self.new.join(&path));
        }
        Ok(())
    }
}

fn copy(old: &Path, new: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(old)?;
    if !meta.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    fs::copy(old, new)?;
    File::options().append(true).open(new)?.set_modified(meta.modified()?)
}

fn keep_time(old: &Path, new: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(old)?;
    if meta.is_file() && meta.len() == fs::metadata(new)?.len() && is_same(File::open(old)?, File::open(new)?)? {
        File::options().append(true).open(new)?.set_modified(meta.modified()?)?;
    }
    Ok(())
}

fn is_same(one: File, other: File) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let count = a.len().min(b.len());
        if count == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a.get(..count) != b.get(..count) {
            return Ok(false);
        }
        one.consume(count);
        other.consume(count);
    }
}

fn failed(path: &Path, why: &str) -> String {
    format!("{}: {why}", path.display())
}
