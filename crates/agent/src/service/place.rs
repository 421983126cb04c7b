//! Where the program and its files lie, and who may change them there.
//!
//! A folder below `C:\` lets every user write into it, and the service runs as SYSTEM: whoever can change the program, the
//! configuration or a plugin is the administrator. So the directories are given to SYSTEM and the administrators; and what
//! somebody else prepared, as owner or with a link, is refused, for a list of rights is no help against its owner.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use falcon_sys::types::{Grant, Rights};

use super::command::PROGRAM;
use super::directory::{
    Use, create_all, entries, refuse_common, refuse_foreign, refuse_link, starts_with, use_of, writers,
};
use super::replaced::RECORD;
use super::sddl::{ADD_DIRECTORY, ADD_FILE};
use crate::app::{LOGS_DIR, QUEUE_DIR};
use crate::config::{Loaded, NOTES_DIR, OVERLAY_DIR};

/// Everybody who can log on: may start the program, to ask for `status`.
const USERS: &str = "S-1-5-32-545";
/// What the agent makes in its state directory.
pub(super) const DIRECTORIES: [&str; 3] = [LOGS_DIR, QUEUE_DIR, NOTES_DIR];
/// What the agent leaves in [`NOTES_DIR`].
pub(super) const NOTES: [&str; 10] = [
    "endpoint",
    "endpoint.new",
    "guard.json",
    "guard.new",
    "hbs.json",
    "hbs.new",
    "reload.json",
    "reload.new",
    "sent.json",
    "sent.new",
];
/// Of plugins, which the administrator puts there.
pub(super) const PLUGIN: &str = "plugin";

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

/// Gives a program the rights that [`Place::protect`] gives the one that is registered, for a service of this account.
///
/// # Errors
/// Names the path.
pub(super) fn protect_program(program: &Path, account: &str) -> anyhow::Result<()> {
    let is_system = account.eq_ignore_ascii_case("LocalSystem") || account.to_ascii_uppercase().ends_with(r"\SYSTEM");
    let sid = (!is_system).then(|| falcon_sys::account_sid(account).unwrap_or_else(|_| account.to_owned()));
    let read = |account| Grant { account, rights: Rights::Read, inherit: false };
    let grants: Vec<Grant<'_>> = sid.as_deref().into_iter().chain([USERS]).map(read).collect();
    falcon_sys::protect(program, &grants)
        .with_context(|| format!("nothing was changed: {}: its access list cannot be set", program.display()))
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

    /// What the administrator puts there for the agent to read.
    fn administrators_dirs(&self) -> [PathBuf; 2] {
        [self.state.join(PLUGIN), self.config_dir().join(OVERLAY_DIR)]
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
        let theirs = DIRECTORIES.map(|name| (self.state.join(name), self.accounts.as_slice()));
        for (dir, accounts) in theirs.into_iter().chain(self.administrators_dirs().map(|dir| (dir, &[][..]))) {
            refuse_link(&dir)?;
            refuse_foreign(&dir, accounts)?;
            for path in entries(&dir)? {
                refuse_link(&path)?;
                refuse_foreign(&path, accounts)?;
            }
        }
        Ok(())
    }

    /// Makes what is missing of the directories, for the system and its administrators alone.
    ///
    /// # Errors
    /// Names the path.
    pub fn make_dirs(&self) -> anyhow::Result<()> {
        self.dirs().into_iter().try_for_each(create_all)
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
        for dir in self.administrators_dirs().iter().filter(|dir| dir.is_dir()) {
            set(dir, service(Rights::Read, true).into_iter().collect())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lies_by_the_configuration_unless_that_says_otherwise() {
        let root = std::path::absolute("/").unwrap();
        let (program, config) = (root.join("p").join("falcon-agent.exe"), root.join("d").join("cfg.json"));
        let place = Place::new(program, config, None);
        assert_eq!(place.state, root.join("d"));
        assert_eq!(place.dirs(), [root.join("p"), root.join("d")]);
    }

    #[test]
    fn overlays_lie_by_the_configuration_and_plugins_in_the_state() {
        let root = std::path::absolute("/").unwrap();
        let [program, config, state] = ["p/falcon-agent.exe", "c/cfg.json", "s"].map(|path| root.join(path));
        let place = Place::of(program, config, state);
        assert_eq!(place.administrators_dirs(), [root.join("s").join("plugin"), root.join("c").join("cfg.d")]);
    }
}
