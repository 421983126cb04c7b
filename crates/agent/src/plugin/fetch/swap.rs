//! One tree of plugins in the place of another, in one step: the old one or the new one is there, whatever fails.
//!
//! Names beside `plugin.dir`: `DIR.new-N` is where an archive is unpacked or a repository cloned, `DIR.old-N` what it replaces,
//! N being the agent's process id. Either is taken for a leftover of an agent that was killed only if it looks as this file
//! leaves it: an administrator's `plugin.old` is his.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Job;

/// In every tree that came in an archive.
pub(super) const MARKER: &str = ".falcon-plugin.json";
const MOST_MARKER: u64 = 64 * 1024;
/// In a directory where an archive is unpacked, or a repository cloned.
const ARCHIVE: &str = "archive";
const TREE: &str = "tree";

/// What a tree came from.
#[derive(Debug, PartialEq)]
pub(super) struct Marker {
    /// Without credentials.
    pub url: String,
    pub sha256: String,
}

impl Marker {
    pub fn read(dir: &Path) -> Option<Marker> {
        let mut text = String::new();
        let file = File::open(dir.join(MARKER)).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
        file.take(MOST_MARKER).read_to_string(&mut text).ok()?;
        let said: Value = serde_json::from_str(&text).ok()?;
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Marker { url: text("url")?, sha256: text("sha256")? })
    }

    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let when = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let text = json!({ "url": self.url, "sha256": self.sha256, "unpacked_s": when }).to_string();
        let file = dir.join(MARKER);
        fs::write(&file, text)?;
        falcon_sys::publish(&file, false)
    }
}

/// What is where an archive is to be.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing, or an empty directory.
    Nothing,
    Ours(Marker),
}

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

/// As other programs take it: Windows tells where a link leads with a prefix of its own.
fn plain(path: PathBuf) -> PathBuf {
    let drive = path.to_str().and_then(|path| path.strip_prefix(r"\\?\")).filter(|rest| !rest.starts_with("UNC"));
    drive.map(PathBuf::from).unwrap_or(path)
}

/// # Errors
/// There is what no archive brought, and the way out.
pub(super) fn found(dir: &Path) -> Result<Found, String> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(format!("it cannot be read: {error}")),
    };
    let mut first = None;
    for entry in entries {
        let name = entry.map_err(|error| format!("it cannot be read: {error}"))?.file_name();
        if name == ".git" {
            return Err("it is a clone of git, which the archive would replace: move it away, or take plugin.url out \
                        of the configuration"
                .to_owned());
        }
        first.get_or_insert(name);
    }
    match (first, Marker::read(dir)) {
        (None, _) => Ok(Found::Nothing),
        (_, Some(marker)) => Ok(Found::Ours(marker)),
        (Some(name), None) => Err(format!(
            "there are things in it that came in no archive ({}), and they would be gone: move them away",
            name.display()
        )),
    }
}

/// A directory of the agent's own beside a tree, gone with this.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// # Errors
    /// It cannot be made.
    pub fn beside(dir: &Path) -> Result<Staging, String> {
        let path = sibling(dir, "new", &std::process::id().to_string());
        let failed = |error: io::Error| format!("{} cannot be made: {error}", path.display());
        falcon_sys::create_private_dir(&path).map_err(failed)?;
        fs::create_dir(path.join(TREE)).map_err(failed)?;
        Ok(Staging(path))
    }

    pub fn archive(&self) -> PathBuf {
        self.0.join(ARCHIVE)
    }

    pub fn tree(&self) -> PathBuf {
        self.0.join(TREE)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is a leftover of the next time.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what an agent that was killed left beside a tree, and puts the tree back that it had moved away.
pub(super) fn tidy(dir: &Path) {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) else { return };
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let (path, found) = (entry.path(), entry.file_name());
        let rest = found.to_str().and_then(|found| found.strip_prefix(name));
        let is = |kind: &str| {
            let number = rest.and_then(|rest| rest.strip_prefix(kind));
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if is(".old-") {
            put_away(&path, dir);
        } else if is(".new-") && holds_only(&path, &[ARCHIVE, TREE]) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn put_away(old: &Path, dir: &Path) {
    if Marker::read(old).is_none() {
        // An empty one, or somebody else's.
        let _ = fs::remove_dir(old);
        return;
    }
    // Somebody may have made an empty one since.
    let _ = fs::remove_dir(dir);
    let _ = if fs::symlink_metadata(dir).is_ok() { fs::remove_dir_all(old) } else { fs::rename(old, dir) };
}

fn holds_only(dir: &Path, names: &[&str]) -> bool {
    fs::read_dir(dir)
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|e| names.iter().any(|n| e.file_name() == *n))))
}

/// Puts a tree in the place of what is there.
///
/// # Errors
/// It cannot be; what was there is there still.
pub(super) fn swap(job: &Job<'_>, new: &Path, dir: &Path) -> Result<(), String> {
    let old = sibling(dir, "old", &std::process::id().to_string());
    let failed = |error: io::Error| {
        format!(
            "the old plugins stay, for they cannot be replaced: {error}; on Windows one of them may be running or \
             another program have a file of theirs open: try again"
        )
    };
    let had_one = fs::symlink_metadata(dir).is_ok();
    if had_one {
        patiently(job, || fs::rename(dir, &old)).map_err(failed)?;
    }
    if let Err(error) = patiently(job, || fs::rename(new, dir)) {
        if had_one {
            fs::rename(&old, dir).map_err(|again| {
                format!(
                    "the new plugins cannot be put there: {error}, nor the old ones back: {again}; they are in {}",
                    old.display()
                )
            })?;
        }
        return Err(failed(error));
    }
    if had_one {
        // What is held still is a leftover of the next time.
        let _ = fs::remove_dir_all(&old);
    }
    Ok(())
}

/// Tries again while another program holds a file.
fn patiently(job: &Job<'_>, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    const BETWEEN: std::time::Duration = std::time::Duration::from_millis(200);
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

fn sibling(dir: &Path, kind: &str, number: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{kind}-{number}"));
    dir.with_file_name(name)
}
