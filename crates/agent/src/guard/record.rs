//! When the guard ended the agent: `guard.json` in the directory of what outlives it, `{"ends": [UNIX SECONDS, ...]}`.
//!
//! Only ends of the last hour count. A file that is damaged or missing is a file without ends, and an end in the future, as
//! a clock that was set back leaves it, did not happen: either allows a few ends more, and neither keeps the agent down.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::queue::storage::write_anew;

pub(super) const HOUR_S: i64 = 3600;

const NAME: &str = "guard.json";
/// A hundred times what is ever written.
const MOST_BYTES: u64 = 64 << 10;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    ends: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct Record {
    file: PathBuf,
    ends: Vec<i64>,
}

impl Record {
    /// Reads what is there; `now` and all other times are Unix seconds.
    pub fn open(dir: &Path, now: i64) -> Record {
        let file = dir.join(NAME);
        let ends = read(&file).unwrap_or_else(|error| {
            crate::log::say!(
                Warn,
                "G005",
                "guard: {}: {error}; what it told of earlier ends is not known",
                file.display()
            );
            Vec::new()
        });
        let mut record = Record { file, ends };
        record.forget(now);
        record
    }

    /// Ends within the last hour.
    pub fn recent(&self, now: i64) -> usize {
        self.ends.iter().filter(|end| is_recent(**end, now)).count()
    }

    /// Puts an end on disk.
    ///
    /// # Errors
    /// The directory or the file cannot be written; the end is not recorded then.
    pub fn add(&mut self, now: i64) -> io::Result<()> {
        self.forget(now);
        self.ends.push(now);
        let written = self.write();
        if written.is_err() {
            self.ends.pop();
        }
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.file.display())))
    }

    fn forget(&mut self, now: i64) {
        self.ends.retain(|end| is_recent(*end, now));
    }

    /// The file is the old one or the new one at every moment.
    fn write(&self) -> io::Result<()> {
        if let Some(dir) = self.file.parent() {
            falcon_sys::create_private_dir(dir)?;
        }
        let text = serde_json::to_string(&Contents { ends: self.ends.clone() })?;
        write_anew(&self.file, &self.file.with_extension("new"), text.as_bytes())
    }
}

fn is_recent(end: i64, now: i64) -> bool {
    end <= now && end > now.saturating_sub(HOUR_S)
}

fn read(file: &Path) -> io::Result<Vec<i64>> {
    let mut text = Vec::new();
    match File::open(file) {
        Ok(file) => file.take(MOST_BYTES).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let contents: Contents = serde_json::from_slice(&text)?;
    Ok(contents.ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn ends_outlive_the_agent_and_are_forgotten_after_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        // Made when it is needed.
        let state = dir.path().join("var").join("lib");
        for (minute, earlier) in [(0, 0), (10, 1), (59, 2), (60, 2), (65, 3), (70, 3)] {
            let now = NOW + minute * 60;
            let mut record = Record::open(&state, now);
            assert_eq!(record.recent(now), earlier, "{minute}");
            record.add(now).unwrap();
            assert_eq!(record.recent(now), earlier + 1);
        }
        assert_eq!(Record::open(&state, NOW + 24 * 3600).recent(NOW + 24 * 3600), 0);
        let names: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
    }

    #[test]
    fn a_damaged_file_is_one_without_ends() {
        let dir = tempfile::tempdir().unwrap();
        let huge = format!("{{\"ends\":[{}1]}}", "1,".repeat(100_000));
        for text in ["", "{", "[]", "{}", "{\"ends\":7}", "{\"ends\":[\"x\"]}", "\0\0\0\0", "{\"ends\":[1e99]}", &huge]
        {
            fs::write(dir.path().join(NAME), text).unwrap();
            let mut record = Record::open(dir.path(), NOW);
            assert_eq!(record.recent(NOW), 0, "{text:.20}");
            record.add(NOW).unwrap();
            assert_eq!(Record::open(dir.path(), NOW).recent(NOW), 1, "{text:.20}");
        }
    }

    /// A clock that was a year ahead left ends that kept the agent down until then.
    #[test]
    fn an_end_in_the_future_did_not_happen() {
        let dir = tempfile::tempdir().unwrap();
        let ends = [NOW + 1, NOW + 365 * 86_400, i64::MAX, i64::MIN, NOW, NOW - HOUR_S, NOW - HOUR_S + 1];
        fs::write(dir.path().join(NAME), serde_json::to_string(&Contents { ends: ends.to_vec() }).unwrap()).unwrap();
        let mut record = Record::open(dir.path(), NOW);
        assert_eq!(record.recent(NOW), 2);
        record.add(NOW).unwrap();
        assert_eq!(read(&dir.path().join(NAME)).unwrap(), [NOW, NOW - HOUR_S + 1, NOW]);
    }

    #[test]
    fn an_end_that_cannot_be_written_is_told_and_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        fs::write(&file, "no directory").unwrap();
        let mut record = Record::open(&file, NOW);
        let error = record.add(NOW).unwrap_err();
        assert!(error.to_string().contains(NAME), "{error}");
        assert_eq!(record.recent(NOW), 0);
    }
}
