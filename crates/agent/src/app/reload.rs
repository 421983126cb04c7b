//! Another configuration for a running agent: read, checked as far as that goes without using it, and only then taken. What
//! is wrong with it changes nothing. How it ended is logged, and left in `reload.json` for whoever asked and waits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::serves;
use super::aside::Aside;
use super::watch::Watch;
use crate::clock;
use crate::collect;
use crate::config::{self, Config, Loaded, Seen, Source};
use crate::http;
use crate::queue::storage::write_anew;

/// In the directory of the agent's notes.
const NAME: &str = "reload.json";
/// For reading the file, which may lie on a share.
const READ: Duration = Duration::from_secs(5);

/// How a reload ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The agent's process and the number of its reload: they tell a new outcome from the one before.
    pub pid: u32,
    pub number: u64,
    /// Unix seconds.
    pub at: i64,
    pub ok: bool,
    pub text: String,
    /// What of the file was replaced or left out.
    pub warnings: Vec<String>,
}

/// What is wrong with a configuration, and where its file says that the agent's notes are, if it could be read so far.
pub(super) struct Refused {
    pub error: anyhow::Error,
    pub notes: Option<PathBuf>,
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Refused {
        Refused { error, notes: None }
    }
}

/// The configuration that is to follow, checked.
///
/// # Errors
/// What is wrong with it, with file, line and key where it has one.
pub(super) async fn read(loaded: &Loaded, watch: &mut Watch, disk: &Aside) -> Result<Loaded, Refused> {
    let path = match &loaded.source {
        Source::File(path) => Some(path.clone()),
        Source::Standalone => None,
    };
    let ask = move || {
        // Before it is read, so that what changes meanwhile is a change.
        let seen = path.as_deref().map(Seen::look);
        (seen, config::load(path.as_deref(), &collect::known()))
    };
    let (seen, read) = disk.ask(READ, ask).await.context("the configuration cannot be read")?;
    if let Some(seen) = read.as_ref().map_or(seen, |new| new.seen.clone()) {
        watch.has_read(seen);
    }
    let new = read.map_err(|error| anyhow!("{error}"))?;
    match check(loaded, &new, disk).await {
        Ok(()) => Ok(new),
        Err(error) => Err(Refused { error, notes: new.notes_dir() }),
    }
}

/// What can be tried before it is used.
async fn check(old: &Loaded, new: &Loaded, disk: &Aside) -> anyhow::Result<()> {
    let (was, is, served) = (&old.config.http, &new.config.http, serves(&old.config));
    if !serves(&new.config) {
        return Ok(());
    }
    if is.listen != was.listen || !served {
        let held = if served { was.listen.as_str() } else { "" };
        let bound = tokio::time::timeout(READ, http::try_bind(&is.listen, held)).await;
        if let Err(error) = bound.with_context(|| format!("http.listen: {} is not resolved in time", is.listen))? {
            bail!("http.listen: cannot listen on {}: {error}", is.listen);
        }
    }
    if is.tls != was.tls || !served {
        let (config, base) = (new.config.clone(), new.base().to_owned());
        disk.ask(READ, move || http::Site::check_tls(&config, &base))
            .await
            .and_then(|checked| checked)
            .context("http.tls")?;
    }
    Ok(())
}

impl Outcome {
    pub(super) fn unchanged(loaded: &Loaded) -> Outcome {
        Outcome::of(loaded, "says what is in effect already")
    }

    pub(super) fn changed(old: &Loaded, new: &Loaded) -> Outcome {
        let keys = changes(&old.config, &new.config);
        Outcome::of(new, &format!("is in effect; changed: {}", keys.join(", ")))
    }

    fn of(loaded: &Loaded, what: &str) -> Outcome {
        let from = match &loaded.source {
            Source::File(path) => path.display().to_string(),
            Source::Standalone => "the built-in configuration".to_owned(),
        };
        let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
        Outcome { ok: true, text: format!("{from} {what}"), warnings, ..Outcome::default() }
    }

    pub(super) fn refused(error: &anyhow::Error) -> Outcome {
        Outcome { text: format!("{error:#}"), ..Outcome::default() }
    }

    pub(super) fn tell(&self) {
        match self.ok {
            true => crate::log::say!(Info, "F003", "reload: {}", self.text),
            false => crate::log::say!(Error, "F004", "reload: nothing was changed: {}", self.text),
        }
    }

    /// Puts it where [`Outcome::find`] looks for it.
    pub(super) async fn leave(mut self, number: u64, dir: &Path, disk: &Aside) {
        (self.pid, self.number, self.at) = (std::process::id(), number, clock::unix_s());
        let file = dir.join(NAME);
        let shown = file.display().to_string();
        let written = disk.ask(READ, move || self.write(&file)).await;
        if let Err(error) = written.and_then(|written| Ok(written?)) {
            crate::log::say!(
                Warn,
                "F005",
                "reload: {shown}: {error}; whoever waits for the outcome does not hear of it"
            );
        }
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(dir) = file.parent() {
            falcon_sys::create_private_dir(dir)?;
        }
        write_anew(file, &file.with_extension("new"), &serde_json::to_vec(self)?)
    }

    /// The last one of an agent that keeps its state there, if there is one.
    pub fn find(dir: &Path) -> Option<Outcome> {
        serde_json::from_slice(&fs::read(dir.join(NAME)).ok()?).ok()
    }

    /// Where it is left.
    pub fn file(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }
}

/// Names of the top-level keys whose values differ.
fn changes(old: &Config, new: &Config) -> Vec<String> {
    let object = |config: &Config| match config.to_value() {
        Value::Object(object) => object,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (object(old), object(new));
    let mut keys: Vec<String> =
        new.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(|(key, _)| key.clone()).collect();
    keys.extend(old.keys().filter(|key| !new.contains_key(*key)).cloned());
    if keys.is_empty() {
        // Secrets are not shown, so their change is not either.
        keys.push("a secret".to_owned());
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_found_by_who_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert_eq!(Outcome::find(&state), None);
        let outcome =
            Outcome { pid: 7, number: 2, at: 1, ok: true, text: "x".to_owned(), warnings: vec!["w".to_owned()] };
        outcome.write(&Outcome::file(&state)).unwrap();
        outcome.write(&Outcome::file(&state)).unwrap();
        assert_eq!(Outcome::find(&state), Some(outcome));
        fs::write(Outcome::file(&state), "{").unwrap();
        assert_eq!(Outcome::find(&state), None);
    }

    #[test]
    fn what_changed_is_told_by_its_keys_and_secrets_stay_secret() {
        let old = Config::standalone();
        let mut new = old.clone();
        (new.debug, new.transfer.interval) = (true, 77);
        assert_eq!(changes(&old, &new), ["debug", "transfer"]);
        let mut secret = old.clone();
        secret.http.token = config::Secret::new("abcdefghijklmnopqrstuvwxyz".to_owned());
        assert!(!changes(&old, &secret).concat().contains("abc"));
    }
}
