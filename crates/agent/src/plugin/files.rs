//! Which files hbs's bindings lead to, and for everything that they name and that does not run, why.
//!
//! Nothing outside the directory is found, whatever a binding says: names are plain ones ([`super::spec`]), and where a link or
//! a junction is on the way, what it leads to is looked at. Rules: falcon-plus, modules/agent/plugins/plugins.go.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::spec::{self, Binding, Cycle, MOST_CYCLE_S};
use super::{Plugin, place};

/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 10_000;
/// Plugins of one host.
pub const MOST_PLUGINS: usize = 1000;
/// Of what does not run, that is told.
const MOST_LEFT: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// In the order of their keys.
    pub plugins: Vec<Plugin>,
    pub left: Vec<Left>,
    /// Why nothing of the directory may run, where others can change it.
    pub unsafe_place: Option<String>,
    /// Why the directory could not be looked at: that says nothing of what is in it.
    pub away: Option<String>,
}

/// What is bound, or lies in a directory that is, and does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// A path below the directory, or the binding as it is.
    pub what: String,
    pub why: String,
}

/// Looks for what is bound. It asks the disk, and may hang with it.
pub fn scan(dir: &Path, bindings: &[String]) -> Scan {
    let mut found = Found::default();
    match fs::canonicalize(dir) {
        Ok(root) => match place::check(dir, &root) {
            Ok(()) => found.look(&root, bindings),
            Err(why) => {
                found.leave_all(bindings, &why);
                found.unsafe_place = Some(why);
            }
        },
        Err(error) => {
            let why = away(dir, &error);
            found.leave_all(bindings, &why);
            found.away = Some(why);
        }
    }
    found.end()
}

/// The file that a path below the directory leads to, every link followed, if it is one that may run.
///
/// # Errors
/// Why it may not.
pub fn find(dir: &Path, parts: &[String]) -> Result<PathBuf, String> {
    let root = fs::canonicalize(dir).map_err(|error| away(dir, &error))?;
    place::check(dir, &root)?;
    let (real, meta) = real(&root, parts)?;
    if meta.is_dir() {
        return Err("is a directory".to_owned());
    }
    runs(&root, &real, &meta, parts).map(|()| real)
}

fn away(dir: &Path, error: &io::Error) -> String {
    format!("plugin.dir: {}: {}", dir.display(), plain(error))
}

#[derive(Default)]
struct Found {
    plugins: BTreeMap<String, Plugin>,
    left: Vec<Left>,
    unsafe_place: Option<String>,
    away: Option<String>,
    /// Files that are bound by themselves, with what, and under which key. A file system may know one by several names.
    singly: BTreeMap<PathBuf, BTreeMap<Vec<String>, String>>,
}

impl Found {
    fn look(&mut self, root: &Path, bindings: &[String]) {
        let mut dirs: BTreeMap<PathBuf, Binding> = BTreeMap::new();
        for text in bindings {
            let binding = match spec::parse(text) {
                Ok(binding) => binding,
                Err(why) => {
                    self.leave(text, format!("the binding {why}"));
                    continue;
                }
            };
            match real(root, &binding.parts) {
                Ok((real, meta)) if meta.is_dir() => drop(dirs.entry(real).or_insert(binding)),
                Ok((real, meta)) => self.single(root, binding, real, &meta),
                Err(why) => self.leave(text, why),
            }
        }
        for (real, binding) in dirs {
            self.list(root, &binding, &real);
        }
    }

    /// A file that is bound by itself.
    fn single(&mut self, root: &Path, binding: Binding, real: PathBuf, meta: &Metadata) {
        let (key, path) = (binding.key(), binding.path());
        let name = binding.parts.last().map_or("", String::as_str);
        let no_cycle = "its name does not begin with the seconds of its cycle, as 60_name";
        let run =
            cycle(Cycle::of_named(name), no_cycle).and_then(|s| runs(root, &real, meta, &binding.parts).map(|()| s));
        // Also where it does not run: then the directory does not run it in another period either.
        let known = self.singly.entry(real).or_default();
        match known.get(&binding.args) {
            Some(other) if *other == key => return,
            Some(other) => {
                let why = format!("is {other} by another name, which is bound too");
                return self.leave(&key, why);
            }
            None => drop(known.insert(binding.args.clone(), key.clone())),
        }
        match run {
            Ok(cycle_s) => {
                let Binding { args, written_args, .. } = binding;
                self.take(Plugin { key, path, args, written_args, cycle_s, mtime_s: mtime_s(meta) });
            }
            Err(why) => self.leave(&key, why),
        }
    }

    /// What lies directly in a directory that is bound.
    fn list(&mut self, root: &Path, binding: &Binding, real_dir: &Path) {
        let dir = binding.path();
        let entries = match fs::read_dir(real_dir) {
            Ok(entries) => entries,
            Err(error) => return self.leave(&dir, plain(&error)),
        };
        let mut names: Vec<String> = Vec::new();
        for entry in entries {
            if names.len() == MOST_ENTRIES {
                self.leave(&dir, format!("has more than {MOST_ENTRIES} files: the others are not looked at"));
                break;
            }
            match entry {
                Ok(entry) => match entry.file_name().into_string() {
                    Ok(name) => names.push(name),
                    Err(name) => {
                        self.leave(&format!("{dir}/{}", name.display()), "its name is no Unicode".to_owned());
                    }
                },
                Err(error) => {
                    self.leave(&dir, plain(&error));
                    break;
                }
            }
        }
        names.sort_unstable();
        let mut is_directory = Vec::with_capacity(names.len());
        for name in &names {
            is_directory.push(self.entry(root, binding, name));
        }
        if names.is_empty() {
            self.leave(&dir, "is an empty directory".to_owned());
        } else if is_directory.into_iter().all(|is| is) {
            let why = "has directories in it and no file: what is in those is run where they are bound themselves";
            self.leave(&dir, why.to_owned());
        }
    }

    /// Whether it is a directory, with which nothing is done.
    fn entry(&mut self, root: &Path, dir: &Binding, name: &str) -> bool {
        let path = format!("{}/{name}", dir.path());
        if let Err(why) = spec::fit(name) {
            self.leave(&path, format!("its name {why}"));
            return false;
        }
        let parts: Vec<String> = dir.parts.iter().cloned().chain([name.to_owned()]).collect();
        let (real, meta) = match real(root, &parts) {
            Ok((_, meta)) if meta.is_dir() => return true,
            Ok(found) => found,
            Err(why) => {
                self.leave(&path, why);
                return false;
            }
        };
        if self.singly.contains_key(&real) {
            return false;
        }
        let no_cycle = "its name does not begin with the seconds of its cycle and a _, as 60_name";
        let run = cycle(Cycle::of_listed(name), no_cycle).and_then(|s| runs(root, &real, &meta, &parts).map(|()| s));
        match run {
            Ok(cycle_s) => self.take(Plugin {
                key: path.clone(),
                path,
                args: Vec::new(),
                written_args: String::new(),
                cycle_s,
                mtime_s: mtime_s(&meta),
            }),
            Err(why) => self.leave(&path, why),
        }
        false
    }

    fn take(&mut self, plugin: Plugin) {
        if self.plugins.len() < MOST_PLUGINS {
            self.plugins.insert(plugin.key.clone(), plugin);
        } else {
            self.leave(&plugin.key, format!("{MOST_PLUGINS} others run on this host, and no more"));
        }
    }

    fn leave(&mut self, what: &str, why: String) {
        if self.left.len() < MOST_LEFT {
            self.left.push(Left { what: what.to_owned(), why });
        }
    }

    fn leave_all(&mut self, bindings: &[String], why: &str) {
        bindings.iter().for_each(|binding| self.leave(binding, why.to_owned()));
    }

    fn end(self) -> Scan {
        let Found { plugins, left, unsafe_place, away, .. } = self;
        Scan { plugins: plugins.into_values().collect(), left, unsafe_place, away }
    }
}

fn cycle(cycle: Cycle, none: &str) -> Result<u32, String> {
    match cycle {
        Cycle::Every(cycle_s) => Ok(cycle_s),
        Cycle::No => Err(none.to_owned()),
        Cycle::Never(cycle_s) => {
            Err(format!("a cycle of {cycle_s} s is none: the number in front is to be 1 to {MOST_CYCLE_S}"))
        }
    }
}

/// Whether a file may run.
fn runs(root: &Path, real: &Path, meta: &Metadata, parts: &[String]) -> Result<(), String> {
    if !meta.is_file() {
        return Err("is no file that can be run".to_owned());
    }
    let written: PathBuf = parts.iter().collect();
    place::check_below(root, &written)?;
    // Where a link led, others may be able to change what it leads to.
    match real.strip_prefix(root) {
        Ok(below) if below != written => place::check_below(root, below),
        _ => Ok(()),
    }
}

/// What a path leads to, with every link followed; in no case out of the directory.
fn real(root: &Path, parts: &[String]) -> Result<(PathBuf, Metadata), String> {
    let path = joined(root, parts);
    let real = fs::canonicalize(&path).map_err(|error| plain(&error))?;
    if !real.starts_with(root) {
        return Err("is a link, or behind one, that leads out of plugin.dir".to_owned());
    }
    let meta = fs::metadata(&real).map_err(|error| plain(&error))?;
    Ok((real, meta))
}

fn joined(root: &Path, parts: &[String]) -> PathBuf {
    parts.iter().fold(root.to_owned(), |path, part| path.join(part))
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    }
}

/// 0 where the file system does not say, and before 1970.
fn mtime_s(meta: &Metadata) -> i64 {
    let since = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
