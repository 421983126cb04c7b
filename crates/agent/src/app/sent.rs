//! A note of the agent that a transfer acknowledged a call of it, made once in its life: whoever upgrades it waits for that,
//! and needs neither its port nor its log. It stands in `sent.json` among the agent's notes, with the process that made it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::aside::Aside;
use super::{VERSION, task};
use crate::clock;
use crate::config::Loaded;
use crate::queue::storage::write_anew;
use crate::stats::Stats;

const NAME: &str = "sent.json";
/// Between two looks, until there is something to note.
const GLANCE: Duration = Duration::from_secs(1);
/// Until it is tried again: a disk that was full for a moment makes no agent mute.
const AGAIN: Duration = Duration::from_secs(5);
/// For writing it, on a disk that may hang.
const WRITE: Duration = Duration::from_secs(5);

/// Makes the note when it is time, for an agent that keeps notes and has a transfer.
pub(super) fn note(loaded: &Loaded, stats: Arc<Stats>) {
    let Some(dir) = loaded.notes_dir().filter(|_| !loaded.config.transfer.addrs.is_empty()) else { return };
    task::spawn(async move {
        while stats.sent.get() == 0 {
            tokio::time::sleep(GLANCE).await;
        }
        let (aside, mut is_told) = (Aside::new("sent"), false);
        loop {
            let to = dir.clone();
            let written = aside.ask(WRITE, move || write(&to)).await;
            let Err(error) = written.and_then(|written| Ok(written?)) else { break };
            if !is_told {
                let shown = file(&dir);
                let shown = shown.display();
                crate::log::say!(Warn, "F007", "{shown}: {error}; an upgrade would not hear that this agent sends");
            }
            is_told = true;
            tokio::time::sleep(AGAIN).await;
        }
    });
}

fn write(dir: &Path) -> std::io::Result<()> {
    falcon_sys::create_private_dir(dir)?;
    let text = format!(r#"{{"pid":{},"version":"{VERSION}","at":{}}}"#, std::process::id(), clock::unix_s());
    let file = file(dir);
    write_anew(&file, &file.with_extension("new"), text.as_bytes())
}

/// # Errors
/// What keeps a note from being written there. Who is to make the directory makes it.
pub(crate) fn can_be_noted(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        let probe = dir.join("sent.probe");
        // New, and so never through a link: the directory may be another user's.
        let written = fs::File::create_new(&probe).and_then(|mut file| std::io::Write::write_all(&mut file, b"note"));
        let _ = fs::remove_file(&probe);
        written.with_context(|| probe.display().to_string())?;
    }
    Ok(())
}

/// Where it stands.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// The process that made the note which is there.
pub(crate) fn by(dir: &Path) -> Option<u32> {
    let note: Value = serde_json::from_slice(&fs::read(file(dir)).ok()?).ok()?;
    u32::try_from(note.get("pid")?.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};

    #[tokio::test(start_paused = true)]
    async fn the_first_acknowledged_point_leaves_a_note_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::standalone();
        config.transfer.addrs = vec!["127.0.0.1:1".to_owned()];
        config.state_dir = dir.path().join("state").display().to_string();
        let loaded = Loaded::new(config, Source::Standalone, Vec::new());
        let (notes, stats) = (loaded.notes_dir().unwrap(), Arc::new(Stats::default()));
        note(&loaded, stats.clone());
        tokio::time::sleep(GLANCE * 5).await;
        assert_eq!(by(&notes), None);
        // A disk that was full when the first point went out kept a good agent from ever being taken for one.
        fs::create_dir_all(notes.parent().unwrap()).unwrap();
        fs::write(&notes, "in the way").unwrap();
        assert!(can_be_noted(&notes).is_err());
        stats.sent.add(1);
        tokio::time::sleep(GLANCE * 5).await;
        assert_eq!(by(&notes), None);
        fs::remove_file(&notes).unwrap();
        while by(&notes).is_none() {
            tokio::time::sleep(GLANCE).await;
        }
        assert_eq!(by(&notes), Some(std::process::id()));
        can_be_noted(&notes).unwrap();
        assert_eq!(fs::read_dir(&notes).unwrap().count(), 1);
        fs::write(file(&notes), "{").unwrap();
        assert_eq!(by(&notes), None);
    }
}
