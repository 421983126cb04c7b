//! What plugins say on standard error: the last of each in a file below `plugin.logs`, as of the Go agent.
//!
//! What hbs says leads nowhere in it, and no link below it is followed: whoever could make one there would have the agent write
//! elsewhere. Each binding has a file, and those hbs makes up are without number, so that the oldest give way.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::Plugin;
use crate::model::fnv1a;

/// Bytes of a file's name without its end: file systems have room for 255.
const MOST_NAME: usize = 200;
const END: &str = ".stderr.log";
/// In one directory.
const MOST_FILES: usize = 1000;

/// Writes what a plugin said, beside the old file and then in its place: so nothing is written through a link.
///
/// # Errors
/// Why it is not kept.
pub fn keep(logs: &Path, plugin: &Plugin, said: &str, dropped: u64) -> Result<(), String> {
    let (above, name) = plugin.path.rsplit_once('/').unwrap_or(("", &plugin.path));
    let dir = directory(logs, above)?;
    let file = dir.join(file_name(name, &plugin.written_args));
    let is_new = fs::symlink_metadata(&file).is_err();
    let mut fresh = file.clone().into_os_string();
    fresh.push(".new");
    let write = || {
        // Left by an agent that was ended.
        let _ = fs::remove_file(&fresh);
        let mut log = falcon_sys::open_log(Path::new(&fresh))?;
        log.write_all(said.as_bytes())?;
        if dropped > 0 {
            write!(log, "\n... and {dropped} bytes more\n")?;
        }
        drop(log);
        fs::rename(&fresh, &file)
    };
    write().map_err(|error| not_kept(&file, &error))?;
    if is_new && thin(&dir, MOST_FILES) {
        static IS_TOLD: AtomicBool = AtomicBool::new(false);
        if !IS_TOLD.swap(true, Ordering::Relaxed) {
            crate::log::say!(
                Info,
                "U001",
                "plugins: more than {MOST_FILES} files of what they said in {}; the oldest are removed (told once)",
                dir.display()
            );
        }
    }
    Ok(())
}

fn not_kept(path: &Path, error: &io::Error) -> String {
    format!("what it said on standard error is not kept: {}: {error}; see plugin.logs", path.display())
}

/// Made where it is missing, for this user alone.
fn directory(logs: &Path, above: &str) -> Result<PathBuf, String> {
    let mut dir = logs.to_owned();
    if !dir.is_dir() {
        falcon_sys::create_private_dir(&dir).map_err(|error| not_kept(&dir, &error))?;
    }
    for part in above.split('/').filter(|part| !part.is_empty()) {
        dir.push(part);
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                let error = io::Error::new(io::ErrorKind::NotADirectory, "is no directory, and no link is followed");
                return Err(not_kept(&dir, &error));
            }
            Err(_) => falcon_sys::create_private_dir(&dir).map_err(|error| not_kept(&dir, &error))?,
        }
    }
    Ok(dir)
}

/// `<name>(<args>).stderr.log`.
fn file_name(name: &str, written_args: &str) -> String {
    let written = format!("{name}({written_args})");
    let is_odd = |c: char| c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*');
    let mut fit: String = written.chars().map(|c| if is_odd(c) { '_' } else { c }).collect();
    if fit.len() > MOST_NAME {
        fit.truncate(fit.floor_char_boundary(MOST_NAME));
    }
    // Two that differ in what was replaced or cut have two files.
    if fit != written {
        fit = format!("{fit}~{:016x}", fnv1a(written.bytes()));
    }
    fit + END
}

/// Removes the oldest files of a directory beyond this number; whether there were any.
fn thin(dir: &Path, most: usize) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    let kept = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(END));
    let mut kept: Vec<PathBuf> = kept.map(|entry| entry.path()).collect();
    let Some(spare) = kept.len().checked_sub(most).filter(|spare| *spare > 0) else { return false };
    let written = |file: &PathBuf| fs::symlink_metadata(file).and_then(|meta| meta.modified());
    kept.sort_by_cached_key(|file| written(file).unwrap_or(SystemTime::UNIX_EPOCH));
    kept.into_iter().take(spare).filter(|file| fs::remove_file(file).is_ok()).count() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn plugin(path: &str, args: &str) -> Plugin {
        Plugin {
            key: String::new(),
            path: path.to_owned(),
            args: Vec::new(),
            written_args: args.to_owned(),
            cycle_s: 60,
            mtime_s: 0,
        }
    }

    #[test]
    fn what_hbs_writes_leads_nowhere_among_the_logs() {
        let name = |args: &str| file_name("60_x", args);
        assert_eq!(name("a, b"), "60_x(a, b).stderr.log");
        for hostile in ["/../../etc/x", r"..\..\x", "C:x", "a:b", "\u{7}", "a\"b<c>|?*"] {
            let name = name(hostile);
            assert!(name.starts_with("60_x(") && !name.contains(['/', '\\', ':', '"', '*', '\u{7}']), "{name}");
        }
        assert_ne!(name("a/b"), name("a_b"));
        assert_ne!(name("a/b"), name("a:b"));
        let long = "长".repeat(200);
        assert!(name(&long).len() < 240 && name(&long) != name(&format!("{long}x")));
    }

    #[test]
    fn what_was_said_last_takes_the_place_of_what_was_said_before() {
        let logs = tempfile::tempdir().unwrap();
        let logs = logs.path().join("state/logs");
        let plugin = plugin("a/b/60_x", "1");
        keep(&logs, &plugin, "first", 0).unwrap();
        keep(&logs, &plugin, "last", 7).unwrap();
        let dir = logs.join("a/b");
        assert_eq!(fs::read_to_string(dir.join("60_x(1).stderr.log")).unwrap(), "last\n... and 7 bytes more\n");
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
    }

    /// hbs that hands out an argument of its own each minute filled the disk.
    #[test]
    fn the_oldest_files_give_way() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..5_u64 {
            let file = fs::File::create(dir.path().join(format!("{index}{END}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(10 - index)).unwrap();
        }
        fs::write(dir.path().join("falcon-agent.log"), "").unwrap();
        assert!(!thin(dir.path(), 5) && thin(dir.path(), 3) && !thin(dir.path(), 3));
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["0.stderr.log", "1.stderr.log", "2.stderr.log", "falcon-agent.log"]);
    }

    #[test]
    fn what_cannot_be_kept_says_where() {
        let logs = tempfile::tempdir().unwrap();
        fs::write(logs.path().join("sys"), "a file").unwrap();
        let why = keep(logs.path(), &plugin("sys/60_x", ""), "disk", 0).unwrap_err();
        assert!(
            why.starts_with("what it said on standard error is not kept: ") && why.contains("no directory"),
            "{why}"
        );
    }
}
