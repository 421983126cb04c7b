//! Files and directories as a walk sees them: neither links nor other reparse points that lead elsewhere are followed. Listing
//! a directory tells the length of each entry, so that none is opened.

use crate::types::FileUsage;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// What is at a path; of a link the link.
///
/// # Errors
/// The call's own.
pub fn file_usage(path: &Path) -> io::Result<FileUsage> {
    Ok(usage(&fs::symlink_metadata(path)?))
}

/// Calls `each` with every entry of a directory and what it takes, or why that is not known, until it answers `false`.
/// A directory that has become a link is an error.
///
/// # Errors
/// The directory cannot be listed.
pub fn list_usage(dir: &Path, each: &mut dyn FnMut(&OsStr, io::Result<FileUsage>) -> bool) -> io::Result<()> {
    if !file_usage(dir)?.is_dir {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !each(&entry.file_name(), entry.metadata().map(|meta| usage(&meta))) {
            break;
        }
    }
    Ok(())
}

fn usage(meta: &Metadata) -> FileUsage {
    let is_dir = meta.is_dir() && !meta.file_type().is_symlink();
    FileUsage { bytes: if meta.is_dir() { 0 } else { meta.len() }, is_dir, links: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_their_lengths() {
        let dir = std::env::temp_dir().join(format!("falcon-usage-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        fs::write(dir.join("file"), "12345").unwrap();
        let mut seen = Vec::new();
        list_usage(&dir, &mut |name, usage| {
            seen.push((name.to_str().unwrap().to_owned(), usage.unwrap()));
            true
        })
        .unwrap();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let file = FileUsage { bytes: 5, is_dir: false, links: None };
        assert_eq!(
            seen,
            [("file".to_owned(), file), ("sub".to_owned(), FileUsage { bytes: 0, is_dir: true, links: None })]
        );
        assert_eq!(file_usage(&dir.join("file")).unwrap(), file);
        assert!(list_usage(&dir.join("file"), &mut |_, _| true).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
