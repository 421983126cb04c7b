//! The `cfg.json` that `install` makes where there is none: a copy of an older agent's, or the first configuration, with the values in
//! it that were given.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::Failure;
use super::old::Old;
use crate::collect;
use crate::config;
use crate::config::edit::{Edited, Values};
use crate::say::say;

/// A configuration for a host that has none of this agent's.
pub(super) struct First {
    pub edited: Edited,
    /// For people: where it is from, and what was put into it.
    pub from: String,
}

/// `None`: there is one, which stays as it is.
///
/// # Errors
/// It would be none that the service starts with.
pub(super) fn first_config(config: &Path, older: &[Old], mut values: Values) -> Result<Option<First>, Failure> {
    if config.exists() {
        for old in older.iter().filter(|old| old.config != config) {
            say(&format!("{} is there already: {} is not copied", config.display(), old.config.display()));
        }
        return Ok(None);
    }
    let (file, known) = (config.display().to_string(), collect::known());
    let given = values.keys();
    let (bytes, mut from) = match older.first() {
        Some(old) => {
            let bytes = fs::read(&old.config).with_context(|| {
                format!(
                    "nothing was changed: the configuration of {} cannot be read; put one at {file}",
                    old.describe()
                )
            })?;
            (bytes, format!(": a copy of {}", old.config.display()))
        }
        None => (config::FIRST.as_bytes().to_vec(), String::new()),
    };
    if !older.is_empty() {
        values.keep_endpoint(&bytes, &file, &known, falcon_sys::hostname().ok());
    }
    let edited = values
        .put(&bytes, &file, &known)
        .with_context(|| format!("nothing was changed: what would be written{from}"))?;
    match (older.is_empty(), edited.config.hostname.as_str()) {
        (true, _) => {}
        (_, "") => from.push_str(", without a `hostname`"),
        (_, endpoint) => from.extend([", endpoint ", endpoint]),
    }
    if !given.is_empty() {
        from.extend([", with ", &given.join(", ")]);
    } else if older.is_empty() {
        from.push_str("; set `transfer.addrs` and `heartbeat.addrs` in it");
    }
    Ok(Some(First { edited, from }))
}
