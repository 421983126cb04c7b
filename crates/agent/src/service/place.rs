//! Where the program and its files lie, and who may change them there.
//!
//! A folder below `C:\` lets every user write into it, and the service runs as SYSTEM: whoever can change the program, the
//! configuration or a plugin is the administrator. So the directories are given to SYSTEM and the administrators; and what
//! somebody else prepared, as owner or with a link, is refused, for a list of rights is no help against its owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use falcon_sys::types::{Grant, Rights};

use super::command::PROGRAM;
use super::old::RECORD;
use super::sddl::{self, ADD_DIRECTORY, ADD_FILE};
use crate::app::{LOGS_DIR, QUEUE_DIR};
use crate::config::{Loaded, NOTES_DIR};

/// Everybody who can log on: may start the program, to ask for `status`.
const USERS: &str = "S-1-5-32-545";
/// What the agent makes in its state directory.
const DIRECTORIES: [&str; 3] = [LOGS_DIR, QUEUE_DIR, NOTES_DIR];
/// What the agent leaves in [`NOTES_DIR`].
pub(super) const NOTES: [&str; 4] = ["guard.json", "guard.new", "reload.json", "reload.new"];
/// Of plugins, which the administrator puts there.
const PLUGIN: &str = "plugin";
/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 10_000;

/// cfg.json beside this program.
pub(super) fn beside_program() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.with_file_name("cfg.json"))
}

/// This program, as a service may be registered with it.
///
/// # Errors
/// Its own path is not known, or its name is not the agent's.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    // Only the prefix of long paths is taken off: without it the path is what people and other programs write.
    let text = program.display().to_string();
    let program = text.strip_prefix(r"\\?\").map_or(program, PathBuf::from);
    // By which the next `install`, `update` and `uninstall` know the service for this agent's.
    ensure!(
        program.file_name().is_some_and(|name| name.eq_ignore_ascii_case(PROGRAM)),
        "{}: must be called {PROGRAM} to be installed as a service",
        program.display()
    );
    Ok(program)
}

/// Refuses a directory that is Windows', everybody's or away: its access list is not for an agent to set.
fn refuse_common(dir: &Path) -> anyhow::Result<()> {
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
const KNOWN: [&str; 13] = [
    "falcon-agent",
    "cfg",
    "cfg.example",
    "readme",
    "readme.zh-cn",
    "license",
    "changelog",
    "docs",
    "var",
    "control",
    "config",
    "replaced",
    PLUGIN,
];

fn is_known(name: &str) -> bool {
    let lower = name.to_lowercase();
    let stem = lower.split_once('.').map_or(lower.as_str(), |(stem, _)| stem);
    let whole = lower.rsplit_once('.').map_or(lower.as_str(), |(whole, _)| whole);
    DIRECTORIES.contains(&lower.as_str()) || KNOWN.contains(&stem) || KNOWN.contains(&whole)
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Nothing else is in it, or it is not there yet: its access list is set.
    Own,
    /// Other things are in it, and only administrators can change it: left as it is.
    Safe,
}

/// # Errors
/// Other things are in it, and others can change it: neither it nor they could be left, or taken away.
fn use_of(dir: &Path) -> anyhow::Result<Use> {
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
fn writers(dir: &Path, except: u32) -> anyhow::Result<Vec<String>> {
    let access =
        falcon_sys::access_of(dir).with_context(|| format!("{}: its access list cannot be read", dir.display()))?;
    let owner = falcon_sys::owner_of(dir).ok().filter(|owner| owner.trusted);
    let known: Vec<&str> = owner.iter().map(|owner| owner.sid.as_str()).collect();
    let others = sddl::writers(&access, &known, except);
    Ok(others.iter().map(|account| sddl::name(account).to_owned()).collect())
}

/// Names of files are the same in any case.
fn starts_with(path: &Path, prefix: &Path) -> bool {
    let lower = |path: &Path| PathBuf::from(path.display().to_string().to_lowercase());
    !prefix.as_os_str().is_empty() && lower(path).starts_with(lower(prefix))
}

/// The directories of one installation.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub program: PathBuf,
    pub config: PathBuf,
    pub state: PathBuf,
    /// SIDs of the accounts that the service runs as and ran as: what it made is theirs.
    accounts: Vec<String>,
}

impl Place {
    /// For this program and a configuration, which need not exist yet.
    pub fn new(program: PathBuf, config: PathBuf, loaded: Option<&Loaded>) -> Place {
        let beside = || config.parent().unwrap_or(&config).to_owned();
        let state = loaded.and_then(Loaded::state_dir).unwrap_or_else(beside);
        // `..` and the like would be seen as what they are written as.
        let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Place::of(whole(program), whole(config), whole(state))
    }

    pub fn of(program: PathBuf, config: PathBuf, state: PathBuf) -> Place {
        Place { program, config, state, accounts: Vec::new() }
    }

    /// What the service's own accounts made is not a stranger's.
    #[must_use]
    pub fn run_as<'a>(self, accounts: impl IntoIterator<Item = &'a str>) -> Place {
        let sids = accounts.into_iter().filter_map(|account| falcon_sys::account_sid(account).ok());
        Place { accounts: sids.collect(), ..self }
    }

    fn program_dir(&self) -> &Path {
        self.program.parent().unwrap_or(&self.program)
    }

    fn config_dir(&self) -> &Path {
        self.config.parent().unwrap_or(&self.config)
    }

    /// Directories from the outermost to the state's, each once.
    fn dirs(&self) -> Vec<&Path> {
        let mut dirs: Vec<&Path> = Vec::new();
        for dir in [self.program_dir(), self.config_dir(), &self.state] {
            if !dirs.iter().any(|known| starts_with(known, dir) && starts_with(dir, known)) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// Refuses links on the way, what belongs to somebody else, and programs beside ours that somebody else put there. Changes
    /// nothing.
    ///
    /// # Errors
    /// Names the path, who has it, and the way out.
    pub fn check(&self) -> anyhow::Result<()> {
        for dir in self.dirs() {
            refuse_common(dir)?;
            // Whoever has a directory above can put another in this one's place.
            for part in dir.ancestors().filter(|part| part.exists() && part.parent().is_some()) {
                refuse_link(part)?;
                refuse_foreign(part, &[])?;
            }
            use_of(dir)?;
        }
        // What the record says is registered and started by `uninstall --restore`.
        for path in [&self.program, &self.config, &self.state.join(RECORD)] {
            refuse_link(path)?;
            refuse_foreign(path, &[])?;
        }
        for path in entries(self.program_dir())? {
            // Windows loads libraries from the program's directory first.
            let loads =
                path.extension().is_some_and(|end| end.eq_ignore_ascii_case("dll") || end.eq_ignore_ascii_case("exe"));
            if loads {
                refuse_link(&path)?;
                refuse_foreign(&path, &[])?;
            }
        }
        for (name, accounts) in
            DIRECTORIES.map(|name| (name, self.accounts.as_slice())).into_iter().chain([(PLUGIN, &[][..])])
        {
            let dir = self.state.join(name);
            refuse_link(&dir)?;
            refuse_foreign(&dir, accounts)?;
            for path in entries(&dir)? {
                refuse_link(&path)?;
                refuse_foreign(&path, accounts)?;
            }
        }
        Ok(())
    }

    /// Makes the state directory, and gives what is ours to SYSTEM and the administrators, and to the service's account what it
    /// needs: to read the configuration, to change the state. Users may start the program. Answers what the administrator should
    /// know.
    ///
    /// # Errors
    /// Names the path.
    pub fn protect(&self, account: Option<&str>) -> anyhow::Result<Vec<String>> {
        let grant = |account, rights, inherit| Grant { account, rights, inherit };
        let service = |rights, inherit| account.map(|account| grant(account, rights, inherit));
        let set = |path: &Path, grants: Vec<Grant<'_>>| {
            falcon_sys::protect(path, &grants)
                .with_context(|| format!("{}: its access list cannot be set", path.display()))
        };
        let mut remarks = Vec::new();
        for dir in self.dirs() {
            create_all(dir)?;
            if use_of(dir)? == Use::Safe {
                remarks.push(format!(
                    "{}: has other things in it and only administrators can change it; left as it is",
                    dir.display()
                ));
                continue;
            }
            // The service may not add to it: its program may lie there, and what is beside that is loaded.
            let users = (dir == self.program_dir()).then(|| grant(USERS, Rights::Read, false));
            set(dir, users.into_iter().chain(service(Rights::Read, false)).collect())?;
        }
        let users = [Some(grant(USERS, Rights::Read, false)), service(Rights::Read, false)];
        set(&self.program, users.into_iter().flatten().collect())?;
        if self.config.exists() {
            set(&self.config, service(Rights::Read, false).into_iter().collect())?;
        }
        if self.state.join(RECORD).exists() {
            set(&self.state.join(RECORD), Vec::new())?;
        }
        for name in DIRECTORIES {
            let dir = self.state.join(name);
            create_all(&dir)?;
            set(&dir, service(Rights::Modify, true).into_iter().collect())?;
        }
        if self.state.join(PLUGIN).is_dir() {
            set(&self.state.join(PLUGIN), service(Rights::Read, true).into_iter().collect())?;
        }
        let mut told: Vec<&Path> = Vec::new();
        for dir in self.dirs().into_iter().flat_map(|dir| dir.ancestors().skip(1)) {
            if dir.parent().is_none() || told.contains(&dir) {
                continue;
            }
            told.push(dir);
            // Who may add to it changes nothing of what is there; who may rename it puts another in its place.
            let others = writers(dir, ADD_DIRECTORY | ADD_FILE).unwrap_or_default();
            if !others.is_empty() {
                remarks.push(format!(
                    "{}: can be renamed or deleted, with the agent in it, by {}; Program Files is a safer place",
                    dir.display(),
                    others.join(", ")
                ));
            }
        }
        Ok(remarks)
    }
}

/// Makes a directory and those above it, for the system and its administrators alone.
fn create_all(dir: &Path) -> anyhow::Result<()> {
    let mut missing: Vec<&Path> = dir.ancestors().take_while(|part| !part.exists()).collect();
    missing.reverse();
    for part in missing {
        falcon_sys::create_private_dir(part).with_context(|| part.display().to_string())?;
    }
    Ok(())
}

/// Paths in a directory, which need not be there.
fn entries(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.with_context(|| dir.display().to_string())?,
    };
    let path = |entry: io::Result<fs::DirEntry>| Ok(entry.with_context(|| dir.display().to_string())?.path());
    found.take(MOST_ENTRIES).map(path).collect()
}

fn refuse_link(path: &Path) -> anyhow::Result<()> {
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
fn refuse_foreign(path: &Path, accounts: &[String]) -> anyhow::Result<()> {
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
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in ["agent.py", "notepad.exe", "logs.txt", "Windows", ".git", ""] {
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

    #[test]
    fn the_state_lies_by_the_configuration_unless_that_says_otherwise() {
        let root = std::path::absolute("/").unwrap();
        let (program, config) = (root.join("p").join("falcon-agent.exe"), root.join("d").join("cfg.json"));
        let place = Place::new(program, config, None);
        assert_eq!(place.state, root.join("d"));
        assert_eq!(place.dirs(), [root.join("p"), root.join("d")]);
    }
}
