//! Who else could change what runs: plugins run as the agent's user, which is the system's administrator mostly, so that whoever
//! may write to their directory would be that too.
//!
//! Looked at are the directory, everything between it and a file, and the file. Their owner may change them, as may the
//! administrators; on Windows an owner who is none of these is one of the others, as for `install`. Of the directories above,
//! on Linux, those are looked at in which anybody could put another in its place.

use std::path::{Path, PathBuf};

use falcon_sys::types::ModeBits;

use crate::model::Platform;
use crate::service::writers;

/// For the group and for everybody.
const GROUP: u32 = 0o020;
const EVERYBODY: u32 = 0o002;
/// Who may write to such a directory may not rename or delete what is another's.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Whether the plugins in a directory, which is no link, may run; or one file below it, by its path with `/`.
///
/// # Errors
/// Who could change them, and the way out.
pub fn check(dir: &Path, file: Option<&str>) -> Result<(), String> {
    match Platform::CURRENT {
        Platform::Linux => check_modes(dir, file),
        Platform::Windows => steps(dir, file).iter().try_for_each(|path| check_access(path)),
    }
}

/// The directory itself, or what is below it on the way to a file, with the file.
fn steps(dir: &Path, file: Option<&str>) -> Vec<PathBuf> {
    match file {
        None => vec![dir.to_owned()],
        Some(file) => file
            .split('/')
            .scan(dir.to_owned(), |path, part| {
                path.push(part);
                Some(path.clone())
            })
            .collect(),
    }
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
    let shown = shown.strip_prefix(r"\\?\").unwrap_or(&shown);
    Err(format!(
        "{shown}: can be changed by {others}, who would be this agent's user then; take that right away, as \
         `falcon-agent update` does for the directory `plugin` of the service"
    ))
}

/// Accounts that can change it, on Windows.
fn others(path: &Path) -> Option<String> {
    match writers(path, 0) {
        Ok(others) if others.is_empty() => None,
        Ok(others) => Some(others.join(", ")),
        Err(error) => Some(format!("whoever it may be: {error:#}")),
    }
}

fn check_modes(dir: &Path, file: Option<&str>) -> Result<(), String> {
    let bits = |path: &Path| {
        falcon_sys::mode_bits(path).map_err(|error| format!("{}: its mode cannot be read: {error}", path.display()))
    };
    let whole = bits(dir)?;
    if file.is_none() {
        for above in dir.ancestors().skip(1) {
            let bits = bits(above)?;
            if bits.mode & EVERYBODY != 0 && bits.mode & STICKY == 0 {
                return Err(told(above, bits, "everybody, who can put another plugin.dir there"));
            }
        }
    }
    for path in steps(dir, file) {
        let bits = bits(&path)?;
        if let Some(who) = stranger(bits, whole.owner) {
            return Err(told(&path, bits, &who));
        }
    }
    Ok(())
}

/// Who may change a file though he is neither root nor the directory's owner nor the agent's user.
fn stranger(bits: ModeBits, owner: u32) -> Option<String> {
    if bits.mode & EVERYBODY != 0 {
        Some("everybody".to_owned())
    } else if bits.mode & GROUP != 0 && bits.group != ROOT {
        Some(format!("the members of its group {}", bits.group))
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
        ModeBits { owner, group, mode, is_own: false }
    }

    #[test]
    fn only_the_directorys_owner_and_root_may_change_what_runs() {
        for bits in [bits(0, 0, 0o775), bits(1000, 1000, 0o755), bits(0, 1000, 0o755), bits(1000, 0, 0o664)] {
            assert_eq!(stranger(bits, 1000), None, "{bits:?}");
        }
        assert_eq!(stranger(bits(0, 0, 0o757), 0).unwrap(), "everybody");
        assert!(stranger(bits(0, 100, 0o775), 0).unwrap().contains("group 100"));
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
        assert_eq!(steps(dir, None), [dir]);
        assert_eq!(steps(dir, Some("a/b")), [dir.join("a"), dir.join("a").join("b")]);
    }

    #[test]
    fn a_new_directory_of_ones_own_is_safe() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("60_a"), "").unwrap();
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(check(&real, None), Ok(()));
        assert_eq!(check(&real, Some("60_a")), Ok(()));
        assert!(check(&real, Some("60_b")).is_err());
    }
}
