//! When packed files count as written: the time of the commit, so that packing twice gives one archive.

use anyhow::{Context, Result, ensure};

use crate::child::Run;
use crate::workspace::Workspace;

pub struct Stamp {
    pub unix: u64,
    pub zip: zip::DateTime,
}

impl Stamp {
    /// Of a source archive, which has no commit, the oldest time that all formats can hold.
    ///
    /// # Errors
    /// When git does not tell the commit's: what would come out else is not what others make of this commit.
    pub fn of(ws: &Workspace) -> Result<Self> {
        if !ws.path(".git").exists() {
            return Ok(Self { unix: 315_532_800, zip: zip::DateTime::default() });
        }
        let git =
            Run::new("git").args(["show", "-s", "--date=format-local:%Y %m %d %H %M %S", "--format=%ct %cd", "HEAD"]);
        Self::parse(&git.dir(&ws.root).env("TZ", "UTC").output().context("the time of the commit")?)
    }

    pub fn rfc3339(&self) -> String {
        let zip = &self.zip;
        let (year, month, day) = (zip.year(), zip.month(), zip.day());
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", zip.hour(), zip.minute(), zip.second())
    }

    /// `UNIX YEAR MONTH DAY HOUR MINUTE SECOND`
    pub fn parse(line: &str) -> Result<Self> {
        let fields: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[unix, year, month, day, hour, minute, second] = fields.as_slice() else {
            anyhow::bail!("not a commit time: {line}");
        };
        let byte = |number: u64| u8::try_from(number);
        let time = (byte(month)?, byte(day)?, byte(hour)?, byte(minute)?, byte(second)?);
        let zip = zip::DateTime::from_date_and_time(u16::try_from(year)?, time.0, time.1, time.2, time.3, time.4)?;
        ensure!(unix > 0, "not a commit time: {line}");
        Ok(Self { unix, zip })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a clone of another owner git says nothing, and packages of 1980 came out that looked like all others.
    #[test]
    fn a_git_that_fails_is_no_source_archive() {
        let dir = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let ws = Workspace { root: dir.clone() };
        std::fs::create_dir_all(&dir).unwrap();
        assert_eq!(Stamp::of(&ws).unwrap().rfc3339(), "1980-01-01T00:00:00Z");
        std::fs::write(ws.path(".git"), "gone").unwrap();
        assert!(Stamp::of(&ws).is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_line_that_is_no_commit_time_is_refused() {
        assert!(Stamp::parse("fatal: not a git repository").is_err());
        assert!(Stamp::parse("1 2026 13 40 1 1 1").is_err());
    }
}
