//! Directories for what the agent keeps.

use crate::types::ModeBits;
use rustix::fs::{CWD, RenameFlags, getxattr, renameat_with};
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

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

/// Makes a directory that only this user may enter, and that was not there before: nobody has prepared it.
///
/// # Errors
/// Those of mkdir(2), [`io::ErrorKind::AlreadyExists`] among them.
pub fn create_new_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Puts each of two files or directories in the place of the other, in one step.
///
/// # Errors
/// Those of renameat2(2), which Linux has since 3.15 and not on every file system.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Opens a file to append to, and makes it where it is missing: then its group may read it and nobody else. A symbolic link is
/// refused, and so is what is no regular file: who may write to the directory could send what is logged elsewhere.
///
/// # Errors
/// Those of open(2), and [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_log(path: &Path) -> io::Result<File> {
    // A pipe that nobody reads would be waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().append(true).create(true).mode(0o640).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
    }
    Ok(file)
}

/// Makes a file that its group may read and nobody else, and that was not there before: nobody has it open, and no link leads
/// elsewhere.
///
/// # Errors
/// Those of open(2), [`io::ErrorKind::AlreadyExists`] among them.
pub fn create_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o640).open(path)
}

/// Where a file lies that may be a link. Those of this user and of root are followed: whoever else may write to the directory could
/// send what is written elsewhere.
///
/// # Errors
/// Those of readlink(2), and [`io::ErrorKind::InvalidInput`] for the link of another.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let meta = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            meta => meta?,
        };
        if !meta.is_symlink() {
            return Ok(path);
        }
        let leads = fs::read_link(&path)?;
        if ![0, geteuid().as_raw()].contains(&meta.uid()) {
            let (link, leads, owner) = (path.display(), leads.display(), meta.uid());
            let why = format!("{link} is a link of the user {owner}; name the file that is meant, as {leads}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        path = path.parent().unwrap_or(Path::new("")).join(leads);
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Puts a file in the place of another in one step, with the owner and the rights that the other has. There need be no other.
///
/// # Errors
/// Those of open(2), chown(2), chmod(2) and rename(2); `old` is as it was then.
pub fn take_place(new: &Path, old: &Path) -> io::Result<()> {
    match take_rights(old, new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !old.try_exists()? => {}
        taken => taken?,
    }
    fs::rename(new, old)
}

/// Gives a file the owner and the mode of another.
///
/// # Errors
/// Those of stat(2), open(2), chown(2) and chmod(2); where it is a link, ELOOP.
pub fn take_rights(of: &Path, to: &Path) -> io::Result<()> {
    let theirs = fs::metadata(of)?;
    // By its name it could be another file each time.
    let to = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(to)?;
    let ours = to.metadata()?;
    if (theirs.uid(), theirs.gid()) != (ours.uid(), ours.gid()) {
        fchown(&to, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    // After the owner: a change of that takes bits of the mode away.
    to.set_permissions(Permissions::from_mode(theirs.mode() & 0o7777))
}

/// Makes the names in a directory durable (fsync(2)).
///
/// # Errors
/// Those of open(2) and fsync(2).
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Lets everybody read a file or directory, and run or enter it where it `runs`; its owner alone may write.
///
/// # Errors
/// Those of chmod(2).
pub fn publish(path: &Path, runs: bool) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(if runs { 0o755 } else { 0o644 }))
}

/// Who owns a file or directory and who may do what with it; links are followed.
///
/// # Errors
/// Those of stat(2).
pub fn mode_bits(path: &Path) -> io::Result<ModeBits> {
    let meta = fs::metadata(path)?;
    // Which of the two it is, is of no use: where lists are not known there is none.
    let has_list = getxattr(path, "system.posix_acl_access", &mut [0u8; 0]).is_ok();
    let is_own = meta.uid() == geteuid().as_raw();
    Ok(ModeBits { owner: meta.uid(), group: meta.gid(), mode: meta.mode(), has_list, is_own })
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
    use std::io::Write as _;

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
    fn a_new_directory_is_none_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        create_new_private_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(create_new_private_dir(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_takes_the_place_of_another_with_its_rights() {
        let dir = tempfile::tempdir().unwrap();
        let [new, old] = ["new", "old"].map(|name| dir.path().join(name));
        for mode in [0o644, 0o600] {
            fs::write(&new, "new").unwrap();
            fs::set_permissions(&new, Permissions::from_mode(0o640)).unwrap();
            take_place(&new, &old).unwrap();
            assert_eq!(fs::read_to_string(&old).unwrap(), "new");
            assert!(!new.exists());
            fs::set_permissions(&old, Permissions::from_mode(mode)).unwrap();
            fs::write(&new, "newer").unwrap();
            take_place(&new, &old).unwrap();
            assert_eq!(fs::metadata(&old).unwrap().mode() & 0o777, mode);
        }
        assert_eq!(take_place(&new, &old).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_to_string(&old).unwrap(), "newer");
    }

    #[test]
    fn a_file_takes_the_mode_of_another_and_what_a_link_leads_to_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, link] = ["a", "b", "link"].map(|name| dir.path().join(name));
        create_file(&a).unwrap();
        create_file(&b).unwrap();
        fs::set_permissions(&a, Permissions::from_mode(0o751)).unwrap();
        std::os::unix::fs::symlink(&b, &link).unwrap();
        assert!(take_rights(&a, &link).is_err());
        assert_eq!(fs::metadata(&b).unwrap().mode() & 0o7777, 0o640);
        take_rights(&a, &b).unwrap();
        assert_eq!(fs::metadata(&b).unwrap().mode() & 0o7777, 0o751);
        assert_eq!(create_file(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// Root wrote a configuration where a link led that the user had made whose directory it was.
    #[test]
    fn only_our_own_links_and_roots_lead_on() {
        let dir = tempfile::tempdir().unwrap();
        let [none, one, two] = ["none", "one", "two"].map(|name| dir.path().join(name));
        std::os::unix::fs::symlink("none", &one).unwrap();
        std::os::unix::fs::symlink(&one, &two).unwrap();
        assert_eq!(behind_links(&two).unwrap(), none);
        std::os::unix::fs::symlink(&none, &none).unwrap();
        assert!(behind_links(&two).is_err());
        // Whoever is not root can give nothing away, and is spared this.
        if std::os::unix::fs::lchown(&one, Some(65534), None).is_ok() {
            let why = behind_links(&two).unwrap_err().to_string();
            assert!(why.contains("link of the user 65534"), "{why}");
        }
    }

    #[test]
    fn two_directories_are_exchanged() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        for path in [&a, &b] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("was"), path.to_str().unwrap()).unwrap();
        }
        exchange(&a, &b).unwrap();
        assert_eq!(fs::read_to_string(a.join("was")).unwrap(), b.to_str().unwrap());
        assert_eq!(fs::read_to_string(b.join("was")).unwrap(), a.to_str().unwrap());
        assert_eq!(exchange(&a, &dir.path().join("c")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_published_is_its_owners_to_write() {
        let dir = tempfile::tempdir().unwrap();
        for (runs, mode) in [(true, 0o755), (false, 0o644)] {
            let file = dir.path().join(format!("{mode}"));
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o6777)).unwrap();
            publish(&file, runs).unwrap();
            assert_eq!(mode_bits(&file).unwrap().mode & 0o7777, mode);
        }
        assert!(publish(&dir.path().join("none"), true).is_err());
    }

    #[test]
    fn who_may_do_what_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1751)).unwrap();
        let bits = mode_bits(dir.path()).unwrap();
        assert!(bits.is_own && !bits.has_list && bits.mode & 0o7777 == 0o1751, "{bits:?}");
        assert_eq!(mode_bits(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_log_is_appended_to_and_never_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.log");
        for line in [b"a", b"b"] {
            open_log(&path).unwrap().write_all(line).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o007, 0);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(open_log(&link).is_err() && open_log(dir.path()).is_err() && open_log(Path::new("/dev/null")).is_err());
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
