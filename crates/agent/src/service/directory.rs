//! Whether a directory may be the agent's: not Windows' or everybody's, no link, no stranger's, and nobody else's things in it
//! where others can change it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::place::{DIRECTORIES, PLUGIN};
use super::sddl;

/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 10_000;

/// Refuses a directory that is Windows', everybody's or away: its access list is not for an agent to set.
pub(super) fn refuse_common(dir: &Path) -> anyhow::Result<()> {
    let advice = r"give the agent a directory of its own, such as C:\Program Files\falcon-agent";
    ensure!(dir.parent().is_some(), "{}: is the root of a drive; {advice}", dir.display());
    let shown = dir.display().to_string();
    // A letter may be that of a share, which a service does not have.
    let real = dir.ancestors().find_map(|part| fs::canonicalize(part).ok()).unwrap_or_default().display().to_string();
    ensure!(
        !shown.starts_with(r"\\") && !real.starts_with(r"\\?\UNC\"),
        "{shown}: is on a share, which may be away when the service starts; {advice}"
    );
    for (name, below) in COMMON {
        let Some(common) = std::env::var_os(name).map(PathBuf::from) else { continue };
        let is_it = starts_with(dir, &common) && (below || starts_with(&common, dir));
        ensure!(!is_it, "{shown}: belongs to the system or its users ({name}); {advice}");
    }
    let profiles = std::env::var_os("USERPROFILE").map(PathBuf::from);
    if let Some(profiles) = profiles.as_deref().and_then(Path::parent).filter(|profiles| profiles.parent().is_some()) {
        ensure!(!starts_with(dir, profiles), "{shown}: is below the profiles of users; {advice}");
    }
    Ok(())
}

/// Variables that name directories of others, and whether all below those is theirs too.
const COMMON: [(&str, bool); 8] = [
    ("SystemRoot", true),
    ("TEMP", true),
    ("TMP", true),
    ("ProgramFiles", false),
    ("ProgramFiles(x86)", false),
    ("ProgramW6432", false),
    ("ProgramData", false),
    ("CommonProgramFiles", true),
];

/// What may lie in a directory that is the agent's alone, apart from [`DIRECTORIES`]; without their ends.
const KNOWN: [&str; 14] = [
    "falcon-agent",
    "cfg",
    "cfg.example",
    "readme",
    "readme.zh-cn",
    "license",
    "changelog",
    "contributing",
    "docs",
    "var",
    "control",
    "config",
    "replaced",
    PLUGIN,
];

/// What the packages put there besides, and leave.
const PACKAGED: [&str; 3] = ["examples", "install.ps1", "install.log"];

fn is_known(name: &str) -> bool {
    let lower = name.to_lowercase();
    let stem = lower.split_once('.').map_or(lower.as_str(), |(stem, _)| stem);
    let whole = lower.rsplit_once('.').map_or(lower.as_str(), |(whole, _)| whole);
    DIRECTORIES.contains(&lower.as_str())
        || PACKAGED.contains(&lower.as_str())
        || KNOWN.contains(&stem)
        || KNOWN.contains(&whole)
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing else is in it, or it is not there yet: its access list is set.
    Own,
    /// Other things are in it, and only administrators can change it: left as it is.
    Safe,
}

/// # Errors
/// Other things are in it, and others can change it: neither it nor they could be left, or taken away.
pub(super) fn use_of(dir: &Path) -> anyhow::Result<Use> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Use::Own),
        entries => entries.with_context(|| dir.display().to_string())?,
    };
    let mut stranger = None;
    for entry in entries.take(MOST_ENTRIES) {
        let name = entry.with_context(|| dir.display().to_string())?.file_name().to_string_lossy().into_owned();
        if !is_known(&name) {
            stranger = Some(name);
            break;
        }
    }
    let Some(stranger) = stranger else { return Ok(Use::Own) };
    let others = writers(dir, 0)?;
    ensure!(
        others.is_empty(),
        "{}: other things are in it ({stranger}), and {} can change it: give the agent a directory of its own",
        dir.display(),
        others.join(", ")
    );
    Ok(Use::Safe)
}

/// Accounts, other than the system, its administrators and whoever of them owns it, that can change a directory.
pub(crate) fn writers(dir: &Path, except: u32) -> anyhow::Result<Vec<String>> {
    let access =
        falcon_sys::access_of(dir).with_context(|| format!("{}: its access list cannot be read", dir.display()))?;
    let owner = falcon_sys::owner_of(dir).ok().filter(|owner| owner.trusted);
    let known: Vec<&str> = owner.iter().map(|owner| owner.sid.as_str()).collect();
    let others = sddl::writers(&access, &known, except);
    Ok(others.iter().map(|account| sddl::name(account).to_owned()).collect())
}

/// Names of files are the same in any case.
pub(super) fn starts_with(path: &Path, prefix: &Path) -> bool {
    let lower = |path: &Path| PathBuf::from(path.display().to_string().to_lowercase());
    !prefix.as_os_str().is_empty() && lower(path).starts_with(lower(prefix))
}

/// Makes a directory and those above it, for the system and its administrators alone.
pub(super) fn create_all(dir: &Path) -> anyhow::Result<()> {
    let mut missing: Vec<&Path> = dir.ancestors().take_while(|part| !part.exists()).collect();
    missing.reverse();
    for part in missing {
        falcon_sys::create_private_dir(part).with_context(|| part.display().to_string())?;
    }
    Ok(())
}

/// Paths in a directory, which need not be there.
pub(super) fn entries(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.with_context(|| dir.display().to_string())?,
    };
    let path = |entry: io::Result<fs::DirEntry>| Ok(entry.with_context(|| dir.display().to_string())?.path());
    found.take(MOST_ENTRIES).map(path).collect()
}

pub(super) fn refuse_link(path: &Path) -> anyhow::Result<()> {
    let is_link = match falcon_sys::is_reparse_point(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        is_link => is_link.with_context(|| path.display().to_string())?,
    };
    ensure!(
        !is_link,
        "{}: is a link or mount point, which could be led somewhere else; use the directory that it leads to",
        path.display()
    );
    Ok(())
}

/// `accounts`: SIDs that may own it beside the system, its administrators and this user.
pub(super) fn refuse_foreign(path: &Path, accounts: &[String]) -> anyhow::Result<()> {
    let owner = match falcon_sys::owner_of(path) {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{}: its owner cannot be read", path.display())),
    };
    ensure!(
        owner.trusted || accounts.contains(&owner.sid),
        "{path}: belongs to another user ({sid}), who could have prepared it; look at what is in it, then take it over with \
         `takeown /f \"{path}\" /a /r`, or use a new directory",
        path = path.display(),
        sid = owner.sid
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_paths_are_compared_as_windows_does() {
        let starts = |path: &str, prefix: &str| starts_with(Path::new(path), Path::new(prefix));
        assert!(starts("/Windows/System32", "/windows"));
        assert!(!starts("/windows-agent", "/windows"));
        assert!(!starts("/x", ""));
    }

    #[test]
    fn a_directory_with_other_things_in_it_is_known_by_their_names() {
        for name in [
            "falcon-agent.exe",
            "Falcon-Agent.exe.old",
            "cfg.json",
            "CFG.JSON.bak",
            "cfg.example.json",
            "cfg.d",
            "README.md",
            "README.zh-CN.md",
            "LICENSE",
            "logs",
            "queue",
            "plugin",
            "run",
            "replaced.json",
            "docs",
            // The zip was refused where it was unpacked below `C:\\`: the script that it brings was a stranger.
            "CHANGELOG.md",
            "examples",
            "install.ps1",
            "install.log",
            "falcon-agent.old.exe",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in ["agent.py", "notepad.exe", "install.dll", "logs.txt", "Windows", ".git", ""] {
            assert!(!is_known(name), "{name}");
        }
    }

    /// A state directory of `C:\\` would have had the access list of the whole drive changed.
    #[test]
    fn roots_are_refused() {
        let root = std::path::absolute("/").unwrap();
        assert!(refuse_common(&root).unwrap_err().to_string().contains("root of a drive"));
        assert!(refuse_common(&root.join("falcon")).is_ok());
    }
}
