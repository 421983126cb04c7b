//! What fills `plugin.dir`: a clone of git, as the Go agent has it, or the archive of `plugin.url` where one is configured.
//!
//! Both are bounded in time and size, and both leave what is there as it was where they fail. Of an archive nothing is replaced but
//! what an archive brought; git deletes what git deletes, which for a pull and a reset is nothing that it does not know. All of it
//! blocks, and one fetch runs at a time. Sources: falcon-plus, modules/agent/http/plugin.go and modules/agent/g/tool.go.

mod archive;
mod checksum;
mod download;
mod git;
mod inflate;
mod keep;
mod marker;
mod reason;
mod staging;
mod swap;
mod tar;
#[cfg(test)]
mod tests;
mod unpack;
mod version;
mod watch;
mod zip;

use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::Settings;
use crate::config::{Config, PageUrl, RepoUrl};
use crate::web::client::Client;

pub use version::version;

/// Where plugins come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Cloned where there is no `url`.
    pub git: RepoUrl,
    /// Of an archive.
    pub url: PageUrl,
    /// Of the archive, 64 hexadecimal digits in small letters; empty: what is signed with `key` tells it.
    pub sha256: String,
    /// A public key of minisign.
    pub key: String,
}

impl Source {
    pub fn of(config: &Config) -> Source {
        let plugin = &config.plugin;
        Source {
            git: plugin.git.clone(),
            url: plugin.url.clone(),
            sha256: plugin.sha256.clone(),
            key: plugin.key.trim().to_owned(),
        }
    }
}

/// Brings the plugins to what their source has now.
///
/// # Errors
/// What failed and where, as the Go agent tells it for git; without credentials.
pub fn update(source: &Source, settings: &Settings, stop: &AtomicBool) -> Result<(), String> {
    let _one = begun()?;
    Job::new(source, settings, stop).update()
}

/// Puts the plugins back to what was fetched. A directory that is not there is as it should be.
///
/// # Errors
/// As of [`update`].
pub fn reset(source: &Source, settings: &Settings, stop: &AtomicBool) -> Result<(), String> {
    let _one = begun()?;
    Job::new(source, settings, stop).reset()
}

/// Puts plugins back that an agent which was killed had moved away to replace them.
pub fn recover(dir: &Path) {
    let _recovering = lock(&RECOVERIES);
    // Whoever fetches at this moment has moved them himself.
    if let Ok(_one) = alone()
        && let Ok(dir) = swap::place(&whole(dir))
    {
        staging::put_back(&dir);
    }
}

/// One fetch at a time, also of those of two configurations.
static FETCHES: Mutex<()> = Mutex::new(());
/// Held by [`recover`], which takes a moment: a fetch waits for it, and is not refused for its sake.
static RECOVERIES: Mutex<()> = Mutex::new(());

fn begun() -> Result<MutexGuard<'static, ()>, String> {
    let _recovered = lock(&RECOVERIES);
    alone()
}

fn lock(one: &'static Mutex<()>) -> MutexGuard<'static, ()> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

fn alone() -> Result<MutexGuard<'static, ()>, String> {
    match FETCHES.try_lock() {
        Ok(one) => Ok(one),
        // Nothing is behind it that a panic could leave half done.
        Err(TryLockError::Poisoned(one)) => Ok(one.into_inner()),
        Err(TryLockError::WouldBlock) => {
            Err("an update of before is still under way; ask again when it is done".to_owned())
        }
    }
}

/// From the root, whatever the directory that a program is in; without a slash at its end.
fn whole(dir: &Path) -> PathBuf {
    absolute(dir).unwrap_or_else(|_| dir.to_owned()).components().collect()
}

/// What a fetch may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// All of it.
    time: Duration,
    /// Bytes of an archive.
    archive: u64,
    /// Bytes and number of what is in it.
    unpacked: u64,
    entries: usize,
    /// Bytes and files of a clone with its history.
    clone: u64,
    files: usize,
    /// How long it is tried to move a directory in which Windows holds a file.
    patience: Duration,
}

const LIMITS: Limits = Limits {
    time: Duration::from_secs(300),
    archive: 64 << 20,
    unpacked: 256 << 20,
    entries: 20_000,
    clone: 512 << 20,
    files: 20_000,
    patience: Duration::from_secs(10),
};

/// One fetch.
struct Job<'a> {
    source: &'a Source,
    /// `plugin.dir` from the root, without a slash at its end.
    dir: PathBuf,
    stop: &'a AtomicBool,
    limits: Limits,
    end: Instant,
    client: Client,
    /// `None`: not installed.
    git: Option<PathBuf>,
}

impl<'a> Job<'a> {
    fn new(source: &'a Source, settings: &Settings, stop: &'a AtomicBool) -> Job<'a> {
        Job {
            source,
            dir: whole(&settings.dir),
            stop,
            limits: LIMITS,
            end: Instant::now() + LIMITS.time,
            client: Client::of_system(),
            git: git::installed(|name| std::env::var_os(name)),
        }
    }

    fn update(&self) -> Result<(), String> {
        if self.source.url.is_empty() { git::update(self) } else { archive::update(self, false) }
    }

    fn reset(&self) -> Result<(), String> {
        if std::fs::symlink_metadata(&self.dir).is_err() {
            return Ok(());
        }
        if self.source.url.is_empty() { git::reset(self) } else { archive::update(self, true) }
    }

    /// # Errors
    /// It is to go on no longer.
    fn goes_on(&self) -> Result<(), String> {
        if self.stop.load(Ordering::Relaxed) {
            return Err("stopped, for the agent stops".to_owned());
        }
        if Instant::now() >= self.end {
            return Err(format!("it takes longer than {} s", self.limits.time.as_secs()));
        }
        Ok(())
    }
}
