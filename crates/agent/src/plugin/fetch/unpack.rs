//! What is in an archive, as files below one directory that was empty: whatever the archive says, nothing is written elsewhere, and
//! no more than the limits allow.
//!
//! Names are held to what is the same on every system ([`spec::fit`]); the first entry that does not fit refuses the archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::inflate::Gzip;
use super::marker::{LIST, MARKER};
use super::{Job, tar, zip};
use crate::plugin::spec::{self, Cycle};

/// Of directories within each other.
const MOST_DEPTH: usize = 16;
/// Bytes of a path: with `plugin.dir` before it, it is to fit into the 260 of Windows.
const MOST_PATH: usize = 180;
const CHUNK: usize = 64 * 1024;
/// Anybody may run it.
const RUNS: u32 = 0o111;

/// Unpacks an archive, whose kind its first bytes tell, and gives the directory with all of it: where all is below a single
/// directory, as in what GitHub makes of a repository, that one, unless plugins lie directly in it. With it come the paths below
/// it, those of directories with `/` at their ends.
///
/// # Errors
/// Why it is not unpacked; half of it may be.
pub(super) fn unpack(job: &Job<'_>, archive: &Path, into: &Path) -> Result<(PathBuf, Vec<String>), String> {
    let failed = |error: io::Error| format!("it cannot be read again: {error}");
    let mut file = File::open(archive).map_err(failed)?;
    let mut magic = [0; 4];
    let count = file.read(&mut magic).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let mut tree = Tree {
        job,
        root: into,
        names: BTreeMap::new(),
        bytes: job.limits.unpacked,
        entries: job.limits.entries,
        buffer: vec![0; CHUNK],
    };
    match magic.get(..count).unwrap_or_default() {
        [0x1f, 0x8b, ..] => {
            let mut gzip = Gzip::new(&mut file).map_err(|error| error.to_string())?;
            tar::read(&mut gzip, &mut tree)?;
        }
        b"PK\x03\x04" | b"PK\x05\x06" => zip::read(&mut file, &mut tree)?,
        _ => return Err("it is neither a .zip nor a .tar.gz".to_owned()),
    }
    tree.whole()
}

/// What is unpacked.
pub(super) struct Tree<'a> {
    job: &'a Job<'a>,
    root: &'a Path,
    /// Every path, by itself in small letters; that of a directory ends in `/`.
    names: BTreeMap<String, String>,
    /// That may still come.
    bytes: u64,
    entries: usize,
    buffer: Vec<u8>,
}

/// What was written of a file.
pub(super) struct Written {
    pub bytes: u64,
    pub crc: u32,
}

impl Tree<'_> {
    pub fn dir(&mut self, name: &[u8]) -> Result<(), String> {
        self.add(name, true).map(drop)
    }

    /// `mode`: as Linux has it; `None`: not known, and what begins as a program does is one.
    pub fn file(&mut self, name: &[u8], mode: Option<u32>, content: &mut dyn Read) -> Result<Written, String> {
        let path = self.add(name, false)?.ok_or("it has no name")?;
        let failed = |error: io::Error| format!("it cannot be written: {error}");
        let mut file = File::create_new(&path).map_err(failed)?;
        let (mut crc, mut bytes, mut runs) = (crc32fast::Hasher::new(), 0, mode.is_some_and(|mode| mode & RUNS != 0));
        loop {
            self.job.goes_on()?;
            let count = content.read(&mut self.buffer).map_err(|error| error.to_string())?;
            let chunk = self.buffer.get(..count).unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            if mode.is_none() && bytes == 0 {
                runs = chunk.starts_with(b"#!") || chunk.starts_with(b"\x7fELF");
            }
            bytes += count as u64;
            self.bytes = self.bytes.checked_sub(count as u64).ok_or_else(|| self.too_large())?;
            crc.update(chunk);
            file.write_all(chunk).map_err(failed)?;
        }
        drop(file);
        falcon_sys::publish(&path, runs).map_err(failed)?;
        Ok(Written { bytes, crc: crc.finalize() })
    }

    fn too_large(&self) -> String {
        format!("the archive has more than {} bytes unpacked", self.job.limits.unpacked)
    }

    /// Of each thing that takes time, or a file of the disk.
    ///
    /// # Errors
    /// It is one too many.
    pub fn count(&mut self) -> Result<(), String> {
        self.job.goes_on()?;
        let left = self.entries.checked_sub(1);
        self.entries = left.ok_or_else(|| format!("the archive has more than {} entries", self.job.limits.entries))?;
        Ok(())
    }

    /// Where an entry belongs, with the directories above it made; `None`: it is the root.
    fn add(&mut self, name: &[u8], is_dir: bool) -> Result<Option<PathBuf>, String> {
        self.count()?;
        let name = std::str::from_utf8(name).map_err(|_| "its name is no UTF-8")?;
        if name.starts_with(['/', '\\']) {
            return Err("its name is a path from the root".to_owned());
        }
        let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.len() > MOST_DEPTH || name.len() > MOST_PATH {
            return Err(format!("its path has more than {MOST_DEPTH} parts or {MOST_PATH} bytes"));
        }
        let (mut path, mut known) = (self.root.to_owned(), String::new());
        for (n, part) in parts.iter().enumerate() {
            spec::fit(part).map_err(|why| format!("its path {why}"))?;
            path.push(part);
            known.push_str(part);
            let (lower, is_dir) = (known.to_lowercase(), is_dir || n + 1 < parts.len());
            known.push('/');
            let own = if is_dir { known.as_str() } else { known.trim_end_matches('/') };
            match self.names.get(&lower).map(String::as_str) {
                Some(other) if other == own && is_dir => {}
                Some(other) if other.trim_end_matches('/') == own.trim_end_matches('/') => {
                    return Err("it is there twice".to_owned());
                }
                Some(other) => {
                    let other = other.trim_end_matches('/');
                    return Err(format!("it differs from {other:?} by upper and lower case alone"));
                }
                None => {
                    if n + 1 < parts.len() {
                        self.count()?;
                    }
                    if is_dir {
                        let failed = |error: io::Error| format!("it cannot be made: {error}");
                        fs::create_dir(&path).map_err(failed)?;
                        falcon_sys::publish(&path, true).map_err(failed)?;
                    }
                    self.names.insert(lower, own.to_owned());
                }
            }
        }
        Ok((!parts.is_empty()).then_some(path))
    }

    /// Whether plugins lie directly in a directory, whose path ends in `/`: then hbs binds it under its name.
    fn has_plugins(&self, dir: &str) -> bool {
        let mut names = self.names.values().filter_map(|name| name.strip_prefix(dir));
        names.any(|name| !name.contains('/') && Cycle::of_listed(name) != Cycle::No)
    }

    /// The directory with all of it, and the paths below it.
    fn whole(self) -> Result<(PathBuf, Vec<String>), String> {
        let mut tops = self.names.values().filter(|name| !name.trim_end_matches('/').contains('/'));
        let top = match (tops.next(), tops.next()) {
            (None, _) => return Err("it is empty".to_owned()),
            (Some(only), None) if only.ends_with('/') && !self.has_plugins(only) => only.as_str(),
            _ => "",
        };
        let root = self.root.join(top.trim_end_matches('/'));
        for own in [".git", MARKER, LIST] {
            if fs::symlink_metadata(root.join(own)).is_ok() {
                return Err(format!("it has {own}, which has a meaning of its own there"));
            }
        }
        falcon_sys::publish(&root, true).map_err(|error| format!("it cannot be made readable: {error}"))?;
        let below = self.names.values().filter_map(|name| name.strip_prefix(top)).filter(|name| !name.is_empty());
        Ok((root, below.map(str::to_owned).collect()))
    }
}
