//! `cfg.d`: what a role adds to `cfg.json`, a file each, put there by a group policy or by Ansible.
//!
//! * The directory lies beside `cfg.json`. Of its files those count that end in `.json`, in any case, and do not begin with a dot, as
//!   files do that are about to be renamed. They are read in the order of the bytes of their names, [`MOST_FILES`] at most, with
//!   4 MiB in all.
//! * Each is read over what is there as Go reads a key that is given twice; see [`super::raw`].
//! * One that cannot be read, or with which there would be no valid configuration, is skipped whole: what it says nowhere counts,
//!   and one warning says why. What is wrong with `cfg.json` itself no overlay mends.
//! * Which agent's file it is, and so which names are sent by default, is told by `cfg.json` alone.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::load::{FILE_LIMIT, read};
use super::raw::Raw;
use super::report::{ConfigError, Report, Warning};
use super::validate::validate;
use super::{Config, Known, encoding};
use crate::gojson::{Node, Value};

/// The directory, beside `cfg.json`.
pub const OVERLAY_DIR: &str = "cfg.d";

/// Files of it that are read.
const MOST_FILES: usize = 64;

/// Entries of it that are looked at.
const MOST_ENTRIES: usize = 10_000;

/// A file of `cfg.d`.
#[derive(Debug)]
pub struct Overlay {
    /// For messages.
    pub file: String,
    pub bytes: Result<Vec<u8>, ConfigError>,
}

/// `cfg.json` with what lies over it.
#[derive(Debug)]
pub struct Parsed {
    pub config: Config,
    pub warnings: Vec<Warning>,
    /// Overlays that were taken.
    pub overlays: Vec<String>,
}

/// What tells a file from what it was: whether it is a regular one, its bytes and when it was written; or why nothing is told.
type Stamp = Result<(bool, u64, Option<SystemTime>), io::ErrorKind>;

/// What `cfg.json` and its overlays look like from outside. A change that keeps size and time is not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    main: Stamp,
    overlays: Result<Vec<(OsString, Stamp)>, io::ErrorKind>,
}

impl Seen {
    /// Looks at the files without opening them.
    pub fn look(main: &Path) -> Seen {
        let stamp = |path: &Path| -> Stamp {
            let of = fs::metadata(path).map_err(|error| error.kind())?;
            Ok((of.is_file(), of.len(), of.modified().ok()))
        };
        let dir = dir(main);
        let overlays = list(&dir).map_err(|error| error.kind()).map(|names| {
            // Those beyond the most are told of, so their number counts.
            names.into_iter().map(|name| (name.clone(), stamp(&dir.join(name)))).collect()
        });
        Seen { main: stamp(main), overlays }
    }
}

fn dir(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join(OVERLAY_DIR)
}

/// Names of the files that count, in their order.
fn list(dir: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for (n, entry) in entries.enumerate() {
        if n >= MOST_ENTRIES {
            return Err(io::Error::other(format!("more than {MOST_ENTRIES} files")));
        }
        let name = entry?.file_name();
        let is_json = Path::new(&name).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        if is_json && !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_by(|a, b| OsStr::as_encoded_bytes(a).cmp(b.as_encoded_bytes()));
    Ok(names)
}

/// The files beside `main`, and what is to be said of the directory as a whole.
pub(super) fn read_all(main: &Path) -> (Vec<Overlay>, Option<Warning>) {
    let dir = dir(main);
    let of_all = |text| Warning {
        file: dir.display().to_string(),
        line: None,
        column: None,
        path: String::new(),
        text,
        is_skipped: true,
    };
    let mut names = match list(&dir) {
        Ok(names) => names,
        Err(error) => {
            return (Vec::new(), Some(of_all(format!("cannot be read: {error}; none of its files is used"))));
        }
    };
    let over = names.len().saturating_sub(MOST_FILES);
    names.truncate(MOST_FILES);
    let remark = (over > 0).then(|| {
        let last = names.last().map(|name| name.display().to_string()).unwrap_or_default();
        of_all(format!("more than {MOST_FILES} files; {over} after {last} are left out"))
    });
    let mut left = FILE_LIMIT;
    let files = names.into_iter().map(|name| {
        let path = dir.join(name);
        let file = path.display().to_string();
        let bytes = read(&path, &file).and_then(|bytes| match left.checked_sub(bytes.len()) {
            Some(rest) => {
                left = rest;
                Ok(bytes)
            }
            None => Err(ConfigError::TooBig { file: file.clone(), limit: FILE_LIMIT }),
        });
        Overlay { file, bytes }
    });
    (files.collect(), remark)
}

/// Reads a file's bytes, and those of the files over it; `file` is its name for messages.
///
/// # Errors
/// `cfg.json` is none that can be used. Overlays are no reason.
pub fn parse_over(bytes: &[u8], file: &str, overlays: &[Overlay], known: &Known) -> Result<Parsed, ConfigError> {
    let texts: Vec<_> = overlays.iter().map(Overlay::text).collect();
    let (below, remark) = text(bytes, file)?;
    let mut report = Report::new(file, &below);
    if let Some(remark) = remark {
        report.remark(remark);
    }
    let node = Node::parse(below.as_bytes()).map_err(|error| report.syntax(&error))?;
    let mut raw = Raw::default();
    raw.read(&node, known, &mut report)?;
    drop(node);
    let dialect = raw.dialect();
    // Whether it is valid; what is said of it is said when all is there.
    let check = |raw: &Raw, report: &mut Report<'_>| {
        let mark = report.mark();
        let checked = validate(raw.clone(), dialect, known, report);
        report.back_to(mark);
        checked.map(drop)
    };
    if !overlays.is_empty() {
        check(&raw, &mut report)?;
    }
    let (mut taken, mut skipped) = (Vec::new(), Vec::new());
    for (Overlay { file, .. }, text) in overlays.iter().zip(&texts) {
        let (text, remark) = match text {
            Ok(text) => text,
            Err(why) => {
                skipped.push(why.clone());
                continue;
            }
        };
        let mark = report.mark();
        let start = report.lay(file, text);
        if let Some(remark) = remark {
            report.remark(remark.clone());
        }
        let mut over = raw.clone();
        let laid = Node::parse(text.as_bytes())
            .map_err(|error| report.syntax(&error))
            .and_then(|mut node| {
                shift(&mut node, start);
                over.read(&node, known, &mut report)
            })
            .and_then(|()| check(&over, &mut report));
        match laid {
            Ok(()) => {
                raw = over;
                taken.push(file.clone());
            }
            Err(error) => {
                report.back_to(mark);
                skipped.push(Warning::skipped(file, &error));
            }
        }
    }
    let config = validate(raw, dialect, known, &mut report)?;
    let mut warnings = report.into_warnings();
    warnings.extend(skipped);
    Ok(Parsed { config, warnings, overlays: taken })
}

/// With what is to be said of its encoding.
type Text<'a> = (Cow<'a, str>, Option<String>);

impl Overlay {
    fn text(&self) -> Result<Text<'_>, Warning> {
        let skipped = |error: &ConfigError| Warning::skipped(&self.file, error);
        let bytes = self.bytes.as_ref().map_err(skipped)?;
        text(bytes, &self.file).map_err(|error| skipped(&error))
    }
}

fn text<'a>(bytes: &'a [u8], file: &str) -> Result<Text<'a>, ConfigError> {
    if bytes.len() > FILE_LIMIT {
        return Err(ConfigError::TooBig { file: file.to_owned(), limit: FILE_LIMIT });
    }
    let text = encoding::decode(bytes);
    if text.0.trim().is_empty() {
        return Err(ConfigError::Empty { file: file.to_owned() });
    }
    Ok(text)
}

/// The tree of a text that stands behind others.
fn shift(node: &mut Node<'_>, by: usize) {
    node.offset += by;
    node.end += by;
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Object(members) => {
            for member in members {
                member.offset += by;
                shift(&mut member.value, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
