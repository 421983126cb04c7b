//! The file of the log, and its older parts: `agent.log`, `agent.log.1`, `agent.log.2` and so on, the highest the oldest.
//!
//! Invariants: all parts together stay within twice the sizes asked for, whatever is refused; no older part is given up for
//! a rename that then fails; an error costs the lines that come within [`AGAIN`], which are counted, and nothing else. Virus
//! scanners and viewers hold files open on Windows, so that a rename may be refused for as long as they do; administrators and
//! logrotate move files away. UTF-8 without a mark, with the line break of the platform: Notepad before Windows 10 1809 knows
//! no other.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Platform;

/// Before a file is tried again that could not be written or renamed.
pub(super) const AGAIN: Duration = Duration::from_secs(5);

/// What parts with higher numbers an earlier configuration may have left.
const MOST_KEPT: u32 = 1000;

/// Where the log goes, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTarget {
    pub path: PathBuf,
    /// Of one part.
    pub max_bytes: u64,
    /// Parts, with the one that is written; at least 1.
    pub keep: u32,
    /// It is what standard error is appended to, which goes with it.
    pub is_stderr: bool,
}

/// What the other places where the log goes are told of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Fails(String),
    /// Again; so many lines are missing in it.
    Works(u64),
}

#[derive(Debug)]
pub(super) struct Rotating {
    target: FileTarget,
    open: Option<File>,
    /// Of the open file, as far as is known.
    len: u64,
    /// It ends in the middle of a line.
    torn: bool,
    trouble: Option<(String, Duration)>,
    lost: u64,
    rename_at: Duration,
}

impl Rotating {
    /// Nothing is opened before the first line.
    pub fn new(target: FileTarget) -> Rotating {
        let rename_at = Duration::ZERO;
        Rotating { target, open: None, len: 0, torn: false, trouble: None, lost: 0, rename_at }
    }

    pub fn target(&self) -> &FileTarget {
        &self.target
    }

    /// Whether standard error can do without a line: it is this file, or this file takes lines.
    pub fn is_enough(&self) -> bool {
        self.target.is_stderr || self.trouble.is_none()
    }

    /// Adds a line, at `now` of a clock that never goes back; tells a change.
    pub fn write(&mut self, line: &str, now: Duration) -> Option<News> {
        if self.trouble.as_ref().is_some_and(|(_, again)| now < *again) {
            self.lost += 1;
            return None;
        }
        match self.add(line, now) {
            Ok(()) => self.trouble.take().map(|_| News::Works(std::mem::take(&mut self.lost))),
            Err(error) => {
                self.open = None;
                self.lost += 1;
                let why = format!("{}: {error}", self.target.path.display());
                let is_news = self.trouble.as_ref().is_none_or(|(told, _)| *told != why);
                self.trouble = Some((why.clone(), now + AGAIN));
                is_news.then_some(News::Fails(why))
            }
        }
    }

    fn add(&mut self, line: &str, now: Duration) -> io::Result<()> {
        let line_break = if Platform::CURRENT == Platform::Windows { "\r\n" } else { "\n" };
        let before = if self.torn { line_break } else { "" };
        let text = format!("{before}{line}{line_break}");
        let bytes = text.len() as u64;
        self.reopen()?;
        if self.len > 0 && self.len + bytes > self.target.max_bytes && now >= self.rename_at {
            // Refused, the file grows on for a while: better one that is too long than lines that are missing.
            if self.rotate().is_err() {
                self.rename_at = now + AGAIN;
            }
            self.reopen()?;
        }
        if self.len > 0 && self.len + bytes > self.target.max_bytes.saturating_mul(2) {
            return Err(io::Error::other("it is full, and another program does not let it be renamed"));
        }
        let Some(file) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        self.torn = true;
        file.write_all(text.as_bytes())?;
        self.torn = false;
        self.len += bytes;
        Ok(())
    }

    /// Makes sure that what is open is what has the name, and what has the size it should have: else somebody moved it away,
    /// cut it, or writes to it too.
    fn reopen(&mut self) -> io::Result<()> {
        let path = &self.target.path;
        if self.open.is_some() && fs::metadata(path).is_ok_and(|meta| meta.len() == self.len) {
            return Ok(());
        }
        self.open = None;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()) {
            falcon_sys::create_private_dir(dir)?;
        }
        let file = falcon_sys::open_log(path)?;
        self.len = file.metadata()?.len();
        self.torn &= self.len > 0;
        if self.target.is_stderr {
            // Else what is not logged, as the last words of a crash, would go to an older part.
            let _ = falcon_sys::redirect_stderr(&file);
        }
        self.open = Some(file);
        Ok(())
    }

    /// Makes every part older by one, from the first number that is free: where an attempt before has stopped.
    fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        let path = &self.target.path;
        let last = self.target.keep.clamp(1, MOST_KEPT) - 1;
        // Beside standard error's file may lie another program's.
        let most = if self.target.is_stderr { last } else { MOST_KEPT };
        for beyond in last + 1..=most {
            if fs::remove_file(part(path, beyond)).is_err() {
                break;
            }
        }
        if last == 0 {
            // Windows keeps the name of a file that somebody has open until he is done: not the one that is needed.
            let gone = part(path, 1);
            fs::rename(path, &gone)?;
            let _ = fs::remove_file(gone);
            return Ok(());
        }
        let free = (1..last).find(|n| !part(path, *n).exists()).unwrap_or(last);
        for n in (0..free).rev() {
            fs::rename(part(path, n), part(path, n + 1))?;
        }
        Ok(())
    }
}

fn part(path: &Path, n: u32) -> PathBuf {
    let mut name = OsString::from(path);
    if n > 0 {
        name.push(format!(".{n}"));
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const LINE: &str = "eight by";

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn rotating(dir: &Path, lines: u64, keep: u32) -> Rotating {
        let line = if Platform::CURRENT == Platform::Windows { 10 } else { 9 };
        Rotating::new(FileTarget {
            path: dir.join("logs").join("agent.log"),
            max_bytes: lines * line,
            keep,
            is_stderr: false,
        })
    }

    /// What lies in the directory: of each file its lines.
    fn found(dir: &Path) -> BTreeMap<String, Vec<String>> {
        let entries = fs::read_dir(dir.join("logs")).unwrap().map(|entry| entry.unwrap());
        let lines = |path: PathBuf| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|entry| (entry.file_name().into_string().unwrap(), lines(entry.path()))).collect()
    }

    fn write(file: &mut Rotating, from: usize, to: usize) {
        for n in from..=to {
            assert_eq!(file.write(&format!("line {n:3}"), at(n as u64)), None);
        }
    }

    #[test]
    fn a_full_file_becomes_the_first_of_the_older_ones_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 2, 3);
        write(&mut file, 1, 9);
        let parts = [("agent.log", vec!["line   9"]), ("agent.log.1", vec!["line   7", "line   8"])];
        let parts = parts.into_iter().chain([("agent.log.2", vec!["line   5", "line   6"])]);
        let expected = parts.map(|(name, lines)| (name.to_owned(), lines.into_iter().map(str::to_owned).collect()));
        assert_eq!(found(dir.path()), expected.collect());
        // Fewer are kept from now on; what is there goes on.
        drop(file);
        let mut file = rotating(dir.path(), 2, 1);
        write(&mut file, 10, 11);
        assert_eq!(found(dir.path()), [("agent.log".to_owned(), vec!["line  11".to_owned()])].into());
    }

    /// `>> app.log` beside `app.log.1` to `app.log.7` of a logrotate: those after the agent's own were removed.
    #[test]
    fn beside_standard_error_no_number_is_removed_that_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 2, 2);
        write(&mut file, 1, 1);
        fs::write(part(&file.target.path, 2), "another's").unwrap();
        // Standard error of this process stays where it is: the file is open already.
        file.target.is_stderr = true;
        file.rotate().unwrap();
        assert_eq!(found(dir.path())["agent.log.1"], ["line   1"]);
        assert_eq!(found(dir.path())["agent.log.2"], ["another's"]);
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_is_written_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 1, 2);
        let long = "x".repeat(1000);
        assert_eq!((file.write(&long, at(0)), file.write(&long, at(1))), (None, None));
        assert_eq!(found(dir.path()).len(), 2);
    }

    #[test]
    fn a_file_that_is_moved_away_cut_or_removed_with_its_directory_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 100, 2);
        let path = file.target.path.clone();
        write(&mut file, 1, 1);
        fs::rename(&path, path.with_file_name("moved")).unwrap();
        write(&mut file, 2, 2);
        fs::write(&path, "").unwrap();
        write(&mut file, 3, 3);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), "line   3");
        // Windows removes no directory with an open file in it.
        file.open = None;
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        write(&mut file, 4, 4);
        assert_eq!(found(dir.path()), [("agent.log".to_owned(), vec!["line   4".to_owned()])].into());
    }

    #[test]
    fn a_rename_that_is_refused_lets_the_file_grow_to_twice_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 2, 2);
        let path = file.target.path.clone();
        // A directory with something in it cannot be replaced by a file.
        let held = part(&path, 1);
        fs::create_dir_all(held.join("x")).unwrap();
        let news: Vec<_> = (0..4).filter_map(|n| file.write(LINE, at(n))).collect();
        assert_eq!((news, fs::read_to_string(&path).unwrap().lines().count()), (vec![], 4));
        assert!(
            matches!(file.write(LINE, at(4)), Some(News::Fails(why)) if why.contains("does not let it be renamed"))
        );
        assert_eq!((file.write(LINE, at(5)), file.write(LINE, at(60))), (None, None));
        fs::remove_dir_all(&held).unwrap();
        assert_eq!(file.write(LINE, at(65)), Some(News::Works(3)));
        let lines = found(dir.path());
        assert_eq!((lines["agent.log"].len(), lines["agent.log.1"].len()), (1, 4));
    }

    /// A scanner that held `agent.log` would have cost every older part, one with each attempt.
    #[test]
    fn an_attempt_that_stopped_halfway_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 2, 5);
        write(&mut file, 1, 2);
        for n in [2, 3, 4] {
            fs::write(part(&file.target.path, n), format!("old {n}")).unwrap();
        }
        write(&mut file, 3, 3);
        let lines = found(dir.path());
        assert_eq!(lines["agent.log.1"], ["line   1", "line   2"]);
        assert!([2, 3, 4].iter().all(|n| lines[&format!("agent.log.{n}")] == [format!("old {n}")]), "{lines:?}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_again_and_what_is_lost_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 100, 2);
        // A file where the directory should be.
        fs::write(dir.path().join("logs"), "").unwrap();
        assert!(matches!(file.write(LINE, at(0)), Some(News::Fails(why)) if why.contains("agent.log")));
        assert!((0..10).all(|ms| file.write(LINE, Duration::from_millis(ms)).is_none()));
        assert_eq!(file.write(LINE, at(5)), None, "the same is not said twice");
        fs::remove_file(dir.path().join("logs")).unwrap();
        assert_eq!(file.write(LINE, at(9)), None);
        assert_eq!((file.write(LINE, at(10)), file.write(LINE, at(11))), (Some(News::Works(13)), None));
        assert_eq!(found(dir.path())["agent.log"], [LINE, LINE]);
    }

    /// As on a disk that is full: the write fails, not the opening.
    #[test]
    fn a_line_that_was_torn_does_not_run_into_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = rotating(dir.path(), 100, 2);
        write(&mut file, 1, 1);
        file.open = Some(File::open(&file.target.path).unwrap());
        assert!(matches!(file.write(LINE, at(2)), Some(News::Fails(_))));
        fs::write(&file.target.path, "line 1\nhalf").unwrap();
        assert_eq!(file.write(LINE, at(10)), Some(News::Works(1)));
        assert_eq!(found(dir.path())["agent.log"], ["line 1", "half", LINE]);
    }
}
