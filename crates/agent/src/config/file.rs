//! A `cfg.json` that is written: whole, or not at all, with the owner and the rights of the one whose place it takes.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A text that lies beside the file, ready to take its place. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    new: PathBuf,
    file: PathBuf,
}

impl Staged {
    /// The directory is made where it is missing.
    ///
    /// # Errors
    /// Those of the file system: whoever gets through may also put it in its place.
    pub fn new(file: &Path, text: &str) -> io::Result<Staged> {
        // A link goes on leading where it leads.
        let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let staged = Staged { new: file.with_file_name(name), file };
        if let Some(dir) = staged.file.parent() {
            fs::create_dir_all(dir)?;
        }
        // What a write left that was cut short, or a link that somebody put there.
        let _ = fs::remove_file(&staged.new);
        // For its owner and its group, as a log is: tokens stand in it.
        let mut new = falcon_sys::open_log(&staged.new)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        Ok(staged)
    }

    /// # Errors
    /// The file is as it was; or the new text stays beside it, and the error says so.
    pub fn commit(self) -> io::Result<()> {
        let was_there = self.file.exists();
        if let Err(error) = falcon_sys::replace_file(&self.new, &self.file) {
            if !was_there || self.file.exists() {
                return Err(error);
            }
            // Windows may take the one away and then fail to name the other.
            let text = format!("{error}; rename {} to {} by hand", self.new.display(), self.file.display());
            std::mem::forget(self);
            return Err(io::Error::new(error.kind(), text));
        }
        self.file.parent().map_or(Ok(()), falcon_sys::sync_dir)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.new);
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
    }
}
