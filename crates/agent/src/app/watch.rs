//! Whether the files of the configuration have changed since they were read, seen from outside every [`LOOK`].
//!
//! A change is ripe when the next look finds it as it was: a file is not read while somebody writes it, or while a role puts down
//! one after the other. It is ripe once, whatever comes of it: what cannot be used is told once and not again every ten seconds.

use std::path::Path;
use std::time::Duration;

use super::aside::Aside;
use crate::config::{Loaded, Seen, Source};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// For a look, which may be at a share.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the files.
pub(super) struct Watch {
    /// As they were when they were read last; `None`: there are none, and none are looked for.
    read: Option<Seen>,
    /// As they were at the last look, if that was something else.
    changed: Option<Seen>,
}

impl Watch {
    pub fn new(loaded: &Loaded) -> Watch {
        Watch { read: loaded.seen.clone(), changed: None }
    }

    /// They were read again, for whatever reason.
    pub fn has_read(&mut self, seen: Seen) {
        *self = Watch { read: Some(seen), changed: None };
    }

    /// Waits for a change that is ripe. What a look does not tell in time, the next one may.
    pub async fn ripe(&mut self, look: impl AsyncFn() -> Option<Seen>) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.read.is_some()
                && let Some(seen) = look().await
                && self.is_ripe(seen)
            {
                return;
            }
        }
    }

    fn is_ripe(&mut self, seen: Seen) -> bool {
        if self.read.as_ref() == Some(&seen) {
            // Taken back.
            self.changed = None;
            return false;
        }
        if self.changed.as_ref() == Some(&seen) {
            self.has_read(seen);
            return true;
        }
        self.changed = Some(seen);
        false
    }
}

/// One look at the files of a configuration.
pub(super) async fn look(loaded: &Loaded, disk: &Aside) -> Option<Seen> {
    let Source::File(path) = &loaded.source else { return None };
    let path = path.clone();
    // One that hangs is asked no second time, and its change is seen when it is back.
    disk.ask(PATIENCE, move || Seen::look(Path::new(&path))).await.ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, Known, OVERLAY_DIR};

    struct Files {
        home: tempfile::TempDir,
        looks: Cell<u32>,
    }

    impl Files {
        fn new() -> Files {
            let home = tempfile::tempdir().unwrap();
            fs::write(home.path().join("cfg.json"), "{}").unwrap();
            fs::create_dir(home.path().join(OVERLAY_DIR)).unwrap();
            Files { home, looks: Cell::new(0) }
        }

        fn main(&self) -> PathBuf {
            self.home.path().join("cfg.json")
        }

        fn overlay(&self, name: &str, text: &str) {
            fs::write(self.home.path().join(OVERLAY_DIR).join(name), text).unwrap();
        }

        fn watch(&self) -> Watch {
            Watch::new(&config::load(Some(&self.main()), &Known::default()).unwrap())
        }

        /// After how many looks there is a ripe change; `None`: after none of a hundred.
        async fn looks(&self, watch: &mut Watch, at_each: impl Fn(u32)) -> Option<u32> {
            self.looks.set(0);
            let look = async || {
                self.looks.set(self.looks.get() + 1);
                at_each(self.looks.get());
                Some(Seen::look(&self.main()))
            };
            let ripe = tokio::time::timeout(LOOK * 100 + LOOK / 2, watch.ripe(look)).await;
            ripe.ok().map(|()| self.looks.get())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_as_it_is_is_not_read_again_and_a_change_is_read_once() {
        let files = Files::new();
        let mut watch = files.watch();
        assert_eq!(files.looks(&mut watch, |_| {}).await, None);
        assert_eq!(files.looks.get(), 100);
        fs::write(files.main(), "{\"debug\": tru").unwrap();
        assert_eq!(files.looks(&mut watch, |_| {}).await, Some(2));
        // It is a bad file; nobody wants to hear so every ten seconds.
        assert_eq!(files.looks(&mut watch, |_| {}).await, None);
        files.overlay("a.json", "{}");
        assert_eq!(files.looks(&mut watch, |_| {}).await, Some(2));
        fs::remove_file(files.home.path().join(OVERLAY_DIR).join("a.json")).unwrap();
        assert_eq!(files.looks(&mut watch, |_| {}).await, Some(2));
        assert_eq!(files.looks(&mut watch, |_| {}).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_waited_for() {
        let files = Files::new();
        let mut watch = files.watch();
        let written = |look: u32| {
            if look <= 7 {
                files.overlay("a.json", &" ".repeat(look as usize));
            }
        };
        assert_eq!(files.looks(&mut watch, written).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_back_or_was_read_when_somebody_asked_is_no_change() {
        let files = Files::new();
        let mut watch = files.watch();
        let gone = files.home.path().join(OVERLAY_DIR).join("a.json");
        let back = |look: u32| match look {
            1 => files.overlay("a.json", "{}"),
            2 => fs::remove_file(&gone).unwrap(),
            _ => {}
        };
        assert_eq!(files.looks(&mut watch, back).await, None);
        fs::write(files.main(), "{ }").unwrap();
        watch.has_read(Seen::look(&files.main()));
        assert_eq!(files.looks(&mut watch, |_| {}).await, None);
    }

    /// A share that hung was asked again every ten seconds, each time on another thread; and what is not there is not looked for.
    #[tokio::test(start_paused = true)]
    async fn a_look_without_an_answer_is_no_change_and_without_a_file_there_is_no_look() {
        let files = Files::new();
        let mut watch = files.watch();
        fs::write(files.main(), "{ }").unwrap();
        let waited = tokio::time::timeout(LOOK * 100, watch.ripe(async || None)).await;
        assert!(waited.is_err());
        let alone = Loaded::new(crate::config::Config::standalone(), Source::Standalone, Vec::new());
        let mut watch = Watch::new(&alone);
        assert_eq!(files.looks(&mut watch, |_| {}).await, None);
        assert_eq!(files.looks.get(), 0);
        assert_eq!(look(&alone, &Aside::new("test")).await, None);
    }

    #[tokio::test]
    async fn a_look_is_at_the_files_that_were_read() {
        let files = Files::new();
        let loaded = config::load(Some(&files.main()), &Known::default()).unwrap();
        let disk = Aside::new("test");
        assert_eq!(look(&loaded, &disk).await, loaded.seen);
        files.overlay("a.json", "{}");
        let seen = loop {
            match look(&loaded, &disk).await {
                None => tokio::task::yield_now().await,
                seen => break seen,
            }
        };
        assert!(seen.is_some() && seen != loaded.seen);
    }
}
