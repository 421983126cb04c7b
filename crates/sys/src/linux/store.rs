//! Directories for what the agent keeps.

use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Makes a directory that only this user may enter, with those above it where they are missing. One that is there already
/// must belong to this user or root, and nobody else may write to it: who can, could put files there for the agent to read.
///
/// # Errors
/// Those of mkdir(2) and stat(2), and [`io::ErrorKind::PermissionDenied`] where others may write to it.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::metadata(path)?;
    if !meta.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let (owner, mode) = (meta.uid(), meta.mode());
    if owner != 0 && owner != geteuid().as_raw() || mode & 0o022 != 0 {
        let why =
            format!("others may write to it (owner {owner}, mode {:o}); chmod 700, or another state_dir", mode & 0o777);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// Makes the names in a directory durable (fsync(2)).
///
/// # Errors
/// Those of open(2) and fsync(2).
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether an error of a file may be gone in a moment because another program has the file: never, Linux lets everybody at
/// it.
#[must_use]
pub fn is_held(_error: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_is_made_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("var/queue");
        create_private_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        create_private_dir(&path).unwrap();
        sync_dir(&path).unwrap();
    }

    #[test]
    fn one_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let error = create_private_dir(dir.path()).unwrap_err();
        assert!(error.kind() == io::ErrorKind::PermissionDenied && error.to_string().contains("777"), "{error}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(create_private_dir(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
}
