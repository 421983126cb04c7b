//! A `cfg.json` that is written: whole, or not at all, with the owner and the rights of the one whose place it takes.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::queue::storage::patiently;

/// A text that lies beside the file, ready to take its place. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    new: PathBuf,
    file: PathBuf,
    /// It is all that there is.
    stays: bool,
}

impl Staged {
    /// The directory is made where it is missing.
    ///
    /// # Errors
    /// Those of the file system: whoever gets through may also put it in its place.
    pub fn new(file: &Path, text: &str) -> io::Result<Staged> {
        // A link goes on leading where it leads.
        let file = falcon_sys::behind_links(file)?;
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let staged = Staged { new: file.with_file_name(name), file, stays: false };
        if let Some(dir) = staged.file.parent() {
            fs::create_dir_all(dir)?;
        }
        // What a write left that was cut short, or a link that somebody put there.
        let _ = fs::remove_file(&staged.new);
        let write = || {
            let mut new = falcon_sys::create_file(&staged.new)?;
            new.write_all(text.as_bytes())?;
            new.sync_all()
        };
        write().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", staged.new.display())))?;
        Ok(staged)
    }

    /// # Errors
    /// The file is as it was; or it is gone ([`io::ErrorKind::Other`]), and the error says where the text lies.
    pub fn commit(self) -> io::Result<()> {
        self.commit_by(|new, file| patiently(falcon_sys::is_held, || falcon_sys::take_place(new, file)))
    }

    fn commit_by(mut self, take_place: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let was_there = self.file.exists();
        take_place(&self.new, &self.file).map_err(|error| {
            self.stays = was_there && !self.file.exists();
            if !self.stays {
                return error;
            }
            let (file, new) = (self.file.display(), self.new.display());
            io::Error::other(format!("{file} is gone, rename {new} to it: {error}"))
        })?;
        // Not known to be on the disk is no reason to call it undone.
        let _ = self.file.parent().map(falcon_sys::sync_dir);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config").join("cfg.json");
        let left = |text: Option<&str>| {
            assert_eq!(fs::read_to_string(&file).ok().as_deref(), text);
            let names = fs::read_dir(file.parent().unwrap()).unwrap();
            assert_eq!(names.count(), usize::from(text.is_some()));
        };
        drop(Staged::new(&file, "{}").unwrap());
        left(None);
        Staged::new(&file, "{}").unwrap().commit().unwrap();
        left(Some("{}"));
        drop(Staged::new(&file, "[]").unwrap());
        left(Some("{}"));
        // What a power cut left.
        fs::write(file.with_file_name("cfg.json.new"), "half").unwrap();
        Staged::new(&file, "[1]").unwrap().commit().unwrap();
        left(Some("[1]"));
        let refused = |_: &Path, _: &Path| Err(io::ErrorKind::PermissionDenied.into());
        assert!(Staged::new(&file, "[2]").unwrap().commit_by(refused).is_err());
        left(Some("[1]"));
    }

    /// ReplaceFileW may end (1176) when the old file is gone and the new one not yet there.
    #[test]
    fn what_is_all_that_there_is_of_a_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cfg.json");
        fs::write(&file, "{}").unwrap();
        let half = |_: &Path, old: &Path| fs::remove_file(old).and(Err(io::ErrorKind::PermissionDenied.into()));
        let why = Staged::new(&file, "[]").unwrap().commit_by(half).unwrap_err().to_string();
        assert!(why.contains("cfg.json is gone, rename"), "{why}");
        assert_eq!(fs::read_to_string(dir.path().join("cfg.json.new")).unwrap(), "[]");
    }
}
