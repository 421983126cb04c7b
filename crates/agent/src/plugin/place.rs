//! Who else could change what runs: plugins run as the agent's user, which is the system's administrator mostly, so that whoever
//! may write to their directory would be that too.
//!
//! Looked at are the directory, everything between it and a file, and the file. On Linux their owner may change them, as may root;
//! on Windows an owner who is no administrator is one of the others, as for `install`. On Linux the directories above are looked at
//! too, also those of a link that leads there: who may write to one puts another `plugin.dir` in its place.

use std::io;
use std::path::{Path, PathBuf};

use falcon_sys::types::{ModeBits, Owner};

use super::plain;
use crate::model::Platform;
use crate::service::writers;

/// For the group and for everybody.
const GROUP: u32 = 0o020;
const EVERYBODY: u32 = 0o002;
/// Who may write to such a directory may not rename or delete what is another's.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Whether plugins may run from a directory: as it is written, and what that leads to.
///
/// # Errors
/// Who could change them, and the way out.
pub fn check(written: &Path, real: &Path) -> Result<(), String> {
    match Platform::CURRENT {
        Platform::Linux => {
            let owner = bits(real)?.owner;
            let written = std::path::absolute(written).unwrap_or_else(|_| written.to_owned());
            let mut above = written.ancestors().skip(1).chain(real.ancestors().skip(1));
            above.try_for_each(|above| check_above(above, owner))?;
            check_modes(real, owner)
        }
        Platform::Windows => check_access(real),
    }
}

/// Whether a file may run that is below a directory, for which [`check`] has been asked.
///
/// # Errors
/// Who could change it, and the way out.
pub fn check_below(dir: &Path, file: &Path) -> Result<(), String> {
    let steps = steps(dir, file);
    match Platform::CURRENT {
        Platform::Linux => {
            let owner = bits(dir)?.owner;
            steps.iter().try_for_each(|path| check_modes(path, owner))
        }
        Platform::Windows => steps.iter().try_for_each(|path| check_access(path)),
    }
}

/// What is below a directory on the way to a file, and the file.
fn steps(dir: &Path, file: &Path) -> Vec<PathBuf> {
    let mut path = dir.to_owned();
    let step = |part| {
        path.push(part);
        path.clone()
    };
    file.components().map(step).collect()
}

/// Whether only administrators can change an interpreter. Those of Windows lie where their installers put them, some of them
/// below the root of the drive, where others may write: that is told, and they run.
///
/// # Errors
/// Who else can.
pub fn check_file(path: &Path) -> Result<(), String> {
    match Platform::CURRENT {
        // There they belong to the system.
        Platform::Linux => Ok(()),
        Platform::Windows => others(path).map_or(Ok(()), |others| {
            Err(format!("{} can be changed by {others}, who would be this agent's user then", path.display()))
        }),
    }
}

fn check_access(path: &Path) -> Result<(), String> {
    let Some(others) = others(path) else { return Ok(()) };
    let shown = path.display().to_string();
    let shown = plain(&shown);
    Err(format!(
        "{shown}: can be changed by {others}, who would be this agent's user then; take that right away, as \
         `falcon-agent update` does for the directory `plugin` of the service"
    ))
}

/// Accounts that can change it, on Windows.
fn others(path: &Path) -> Option<String> {
    match writers(path, 0) {
        Ok(others) => with_owner(others, falcon_sys::owner_of(path)),
        Err(error) => Some(format!("whoever it may be: {error:#}")),
    }
}

fn with_owner(mut others: Vec<String>, owner: io::Result<Owner>) -> Option<String> {
    match owner {
        Ok(Owner { trusted: true, .. }) => {}
        Ok(Owner { sid, .. }) => others.push(format!("its owner ({sid})")),
        Err(error) => others.push(format!("its owner, who cannot be read: {error}")),
    }
    (!others.is_empty()).then(|| others.join(", "))
}

fn bits(path: &Path) -> Result<ModeBits, String> {
    falcon_sys::mode_bits(path).map_err(|error| format!("{}: its mode cannot be read: {error}", path.display()))
}

fn check_modes(path: &Path, owner: u32) -> Result<(), String> {
    let bits = bits(path)?;
    stranger(bits, owner).map_or(Ok(()), |who| Err(told(path, bits, &who)))
}

fn check_above(path: &Path, owner: u32) -> Result<(), String> {
    let bits = bits(path)?;
    // Of those who may write there, only the owner may put something in the place of another's.
    let seen = if bits.mode & STICKY == 0 { bits } else { ModeBits { mode: 0, ..bits } };
    stranger(seen, owner)
        .map_or(Ok(()), |who| Err(told(path, bits, &format!("{who}, who can put another plugin.dir there"))))
}

/// Who may change a file though he is neither root nor the directory's owner nor the agent's user.
fn stranger(bits: ModeBits, owner: u32) -> Option<String> {
    // A group with the number of its user is his own on most systems; behind an access list the bits do not say who.
    let is_known_group = [ROOT, bits.owner].contains(&bits.group) && !bits.has_list;
    if bits.mode & EVERYBODY != 0 {
        Some("everybody".to_owned())
    } else if bits.mode & GROUP != 0 && !is_known_group {
        Some(match bits.has_list {
            true => "those on its access list (getfacl)".to_owned(),
            false => format!("the members of its group {}", bits.group),
        })
    } else if ![ROOT, owner].contains(&bits.owner) && !bits.is_own {
        Some(format!("its owner, the user {}, who is not the owner of plugin.dir", bits.owner))
    } else {
        None
    }
}

fn told(path: &Path, bits: ModeBits, who: &str) -> String {
    let way_out = if bits.mode & (GROUP | EVERYBODY) == 0 { "chown" } else { "chmod go-w" };
    let shown = path.display();
    format!(
        "{shown}: can be changed by {who} (mode {:o}), who would be this agent's user then; `{way_out}` it",
        bits.mode & 0o7777
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = 65534;

    fn bits(owner: u32, group: u32, mode: u32) -> ModeBits {
        ModeBits { owner, group, mode, has_list: false, is_own: false }
    }

    #[test]
    fn only_the_directorys_owner_and_root_may_change_what_runs() {
        for bits in [bits(0, 0, 0o775), bits(1000, 1000, 0o755), bits(0, 1000, 0o755), bits(1000, 0, 0o664)] {
            assert_eq!(stranger(bits, 1000), None, "{bits:?}");
        }
        assert_eq!(stranger(bits(0, 0, 0o757), 0).unwrap(), "everybody");
        assert!(stranger(bits(0, 100, 0o775), 0).unwrap().contains("group 100"));
        // With umask 002, and a group for each user, as CentOS has it.
        assert_eq!(stranger(bits(1000, 1000, 0o775), 1000), None);
        // Then the bits of the group say what the list allows at most, to whomever.
        assert!(stranger(ModeBits { has_list: true, ..bits(0, 0, 0o775) }, 0).unwrap().contains("access list"));
        assert!(stranger(bits(NOBODY, 0, 0o755), 1000).unwrap().contains("user 65534"));
        assert_eq!(stranger(ModeBits { is_own: true, ..bits(NOBODY, 0, 0o755) }, 1000), None);
    }

    #[test]
    fn the_way_out_is_told() {
        let path = Path::new("/p");
        assert!(
            told(path, bits(0, 100, 0o775), "x")
                .ends_with("(mode 775), who would be this agent's user then; `chmod go-w` it")
        );
        assert!(told(path, bits(7, 0, 0o755), "x").ends_with("`chown` it"));
    }

    #[test]
    fn each_part_on_the_way_to_a_file_is_looked_at() {
        let dir = Path::new("d");
        assert_eq!(steps(dir, Path::new("")), Vec::<PathBuf>::new());
        assert_eq!(steps(dir, &Path::new("a").join("b")), [dir.join("a"), dir.join("a").join("b")]);
    }

    #[test]
    fn a_new_directory_of_ones_own_is_safe() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("60_a"), "").unwrap();
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(check(dir.path(), &real), Ok(()));
        assert_eq!(check_below(&real, Path::new("60_a")), Ok(()));
        assert!(check_below(&real, Path::new("60_b")).is_err());
    }

    /// Who owns a file can always give himself the right to change it: its access list does not say so.
    #[test]
    fn an_owner_who_is_no_administrator_is_one_of_the_others() {
        let owner = |trusted| Ok(Owner { sid: "S-1-5-21-1".to_owned(), trusted });
        assert_eq!(with_owner(Vec::new(), owner(true)), None);
        assert_eq!(with_owner(Vec::new(), owner(false)).unwrap(), "its owner (S-1-5-21-1)");
        assert_eq!(with_owner(vec!["Users".to_owned()], owner(false)).unwrap(), "Users, its owner (S-1-5-21-1)");
        let unread = Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert!(with_owner(Vec::new(), unread).unwrap().contains("cannot be read"));
    }
}
