//! `PluginVersion` of the report: what is in `plugin.dir`, asked on a thread of its own, as the disk may hang.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::app::aside::Aside;

/// For the disk; a report waits no longer.
const SOON: Duration = Duration::from_secs(2);
/// Characters: hbs has room for 128 bytes.
const MOST: usize = 128;

/// What is known of versions, and who asks for them: shared by reporters that follow one another, as a directory that hangs
/// keeps a thread.
#[derive(Clone)]
pub struct Versions {
    aside: Aside,
    /// Of this directory, as it was found last: also by who was late.
    known: Arc<Mutex<Option<(PathBuf, String)>>>,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions { aside: Aside::new("plugin version"), known: Arc::default() }
    }
}

#[derive(Clone)]
pub struct Plugins {
    dir: PathBuf,
    version: fn(&Path) -> String,
    versions: Versions,
}

impl Plugins {
    /// `version` tells what is in a directory that is there.
    pub fn new(dir: PathBuf, version: fn(&Path) -> String, versions: &Versions) -> Plugins {
        Plugins { dir, version, versions: versions.clone() }
    }

    pub(super) async fn version(&self) -> String {
        let (dir, version, known) = (self.dir.clone(), self.version, self.versions.known.clone());
        let ask = move || {
            let found = if dir.exists() { version(&dir) } else { "plugin dir not existent".to_owned() };
            *lock(&known) = Some((dir, fit(&found)));
        };
        // Who is late is heard with the next report.
        let _ = self.versions.aside.ask(SOON, ask).await;
        let known = lock(&self.versions.known);
        let own = known.as_ref().filter(|(dir, _)| *dir == self.dir);
        own.map_or("Error:not known yet", |(_, version)| version).to_owned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As hbs can take it: it pastes the report into SQL as it is.
fn fit(version: &str) -> String {
    let mut fit: String = version.chars().filter(|c| !c.is_control() && !matches!(c, '\'' | '"' | '\\')).collect();
    fit.truncate(fit.floor_char_boundary(MOST));
    fit
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    #[tokio::test]
    async fn the_version_is_that_of_a_directory_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions::default();
        let plugins = |dir: &Path| Plugins::new(dir.to_owned(), |_| "0123abcd".to_owned(), &versions);
        // Of the one what is known says nothing of the other.
        for (dir, expected) in [(dir.path(), "0123abcd"), (&dir.path().join("none"), "plugin dir not existent")] {
            assert_eq!(until(&plugins(dir), |version| !version.starts_with("Error")).await, expected);
        }
    }

    /// A heartbeat that waits for a share is a host that is down.
    #[tokio::test(start_paused = true)]
    async fn a_directory_that_hangs_keeps_no_report_and_what_was_known_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let hangs = |_: &Path| loop {
            std::thread::park();
        };
        let versions = Versions::default();
        *lock(&versions.known) = Some((dir.path().to_owned(), "0123abcd".to_owned()));
        for _ in 0..3 {
            let plugins = Plugins::new(dir.path().to_owned(), hangs, &versions);
            assert_eq!(plugins.version().await, "0123abcd");
        }
    }

    /// A disk that needs three seconds was not known for ever, for each answer came too late.
    #[tokio::test]
    async fn an_answer_that_is_late_is_known_by_the_next_report_also_of_another_reporter() {
        static GO_ON: AtomicBool = AtomicBool::new(false);
        let slow = |_: &Path| {
            while !GO_ON.load(SeqCst) {
                std::thread::yield_now();
            }
            "0123abcd".to_owned()
        };
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions::default();
        let plugins = || Plugins::new(dir.path().to_owned(), slow, &versions);
        tokio::time::pause();
        assert_eq!(plugins().version().await, "Error:not known yet");
        GO_ON.store(true, SeqCst);
        assert_eq!(until(&plugins(), |version| !version.starts_with("Error")).await, "0123abcd");
    }

    async fn until(plugins: &Plugins, is_so: fn(&str) -> bool) -> String {
        loop {
            let version = plugins.version().await;
            if is_so(&version) {
                return version;
            }
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn what_hbs_cannot_take_is_left_out() {
        assert_eq!(fit("Error:exit 'status' \"128\"\\\n"), "Error:exit status 128");
        assert_eq!(fit(&"版".repeat(100)).len(), 126);
    }
}
