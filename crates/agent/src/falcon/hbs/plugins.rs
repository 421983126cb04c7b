//! `PluginVersion` of the report: what is in `plugin.dir`, asked on a thread of its own, as the disk may hang.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::aside::Aside;

/// For the disk; a report waits no longer.
const SOON: Duration = Duration::from_secs(2);
/// Characters: hbs has room for 128 bytes.
const MOST: usize = 128;

pub struct Plugins {
    dir: PathBuf,
    version: fn(&Path) -> String,
    aside: Aside,
    /// As it was told last.
    last: String,
}

impl Plugins {
    /// `version` tells what is in a directory that is there.
    pub fn new(dir: PathBuf, version: fn(&Path) -> String) -> Plugins {
        Plugins { dir, version, aside: Aside::new("plugin version"), last: "Error:not known yet".to_owned() }
    }

    pub(super) async fn version(&mut self) -> String {
        let (dir, version) = (self.dir.clone(), self.version);
        let ask = move || if dir.exists() { version(&dir) } else { "plugin dir not existent".to_owned() };
        if let Ok(version) = self.aside.ask(SOON, ask).await {
            self.last = fit(&version);
        }
        self.last.clone()
    }
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

    #[tokio::test]
    async fn the_version_is_that_of_a_directory_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let version = async |dir: &Path| Plugins::new(dir.to_owned(), |_| "0123abcd".to_owned()).version().await;
        assert_eq!(version(dir.path()).await, "0123abcd");
        assert_eq!(version(&dir.path().join("none")).await, "plugin dir not existent");
    }

    /// A heartbeat that waits for a share is a host that is down.
    #[tokio::test(start_paused = true)]
    async fn a_directory_that_hangs_keeps_no_report_and_what_was_known_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut plugins = Plugins::new(dir.path().to_owned(), |_| {
            loop {
                std::thread::park();
            }
        });
        plugins.last = "0123abcd".to_owned();
        for _ in 0..3 {
            assert_eq!(plugins.version().await, "0123abcd");
        }
    }

    #[test]
    fn what_hbs_cannot_take_is_left_out() {
        assert_eq!(fit("Error:exit 'status' \"128\"\\\n"), "Error:exit status 128");
        assert_eq!(fit(&"版".repeat(100)).len(), 126);
    }
}
