//! What a tree of plugins came from, in files of its own in it: `.falcon-plugin.json` tells which archive, `.falcon-plugin.files`
//! has each path that the archive brought, one a line, that of a directory with `/` at its end. What is in neither is an
//! administrator's, or a plugin's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

pub(super) const MARKER: &str = ".falcon-plugin.json";
pub(super) const LIST: &str = ".falcon-plugin.files";
const MOST_MARKER: u64 = 64 * 1024;
/// 20,000 paths of 180 bytes fit.
const MOST_LIST: u64 = 8 << 20;

/// What a tree came from.
#[derive(Debug, PartialEq)]
pub(super) struct Marker {
    /// Without credentials.
    pub url: String,
    pub sha256: String,
}

impl Marker {
    pub fn read(dir: &Path) -> Option<Marker> {
        let said: Value = serde_json::from_str(&text(&dir.join(MARKER), MOST_MARKER)?).ok()?;
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Marker { url: text("url")?, sha256: text("sha256")? })
    }

    /// With the paths of the archive.
    pub fn write(&self, dir: &Path, files: &[String]) -> io::Result<()> {
        let when = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let text = json!({ "url": self.url, "sha256": self.sha256, "unpacked_s": when }).to_string();
        for (name, text) in [(LIST, files.join("\n")), (MARKER, text)] {
            let file = dir.join(name);
            fs::write(&file, text)?;
            falcon_sys::publish(&file, false)?;
        }
        Ok(())
    }
}

/// The paths of the archive that a tree came in.
///
/// # Errors
/// They are not known.
pub(super) fn listed(dir: &Path) -> Result<BTreeSet<String>, String> {
    let text = text(&dir.join(LIST), MOST_LIST).ok_or_else(|| {
        format!(
            "{LIST} in it cannot be read, so that nothing tells what is an administrator's: move the directory away"
        )
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn text(file: &Path, most: u64) -> Option<String> {
    let mut text = String::new();
    let file = File::open(file).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    file.take(most).read_to_string(&mut text).ok()?;
    Some(text)
}

/// What is where an archive is to be.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing, or an empty directory.
    Nothing,
    Ours(Marker),
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
