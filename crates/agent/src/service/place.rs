//! Where the program and its files lie, and who may change them there.
//!
//! A folder below `C:\` lets every user write into it, and the service runs as SYSTEM: whoever can change the program, the
//! configuration or a plugin is the administrator. So the directories are given to SYSTEM and the administrators; and what
//! somebody else prepared, as owner or with a link, is refused, for a list of rights is no help against its owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use falcon_sys::types::{Grant, Rights};

use super::sddl::{self, ADD_DIRECTORY, ADD_FILE};
use crate::config::Loaded;

/// Everybody who can log on: may start the program, to ask for `status`.
const USERS: &str = "S-1-5-32-545";
/// What the agent makes in its state directory.
pub(super) const DIRECTORIES: [&str; 2] = ["logs", "queue"];
pub(super) const FILES: [&str; 4] = ["guard.json", "guard.new", "reload.json", "reload.new"];
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
/// It lies where no service should run from.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let text = program.display().to_string();
    // Only the prefix of long paths is taken off: without it the path is what people and other programs write.
    let program = text.strip_prefix(r"\\?\").map_or(program, PathBuf::from);
    let dir = program.parent().unwrap_or(&program);
    let advice = r"put it into a directory of its own, such as C:\Program Files\falcon-agent";
    ensure!(dir.parent().is_some(), "{}: the agent must not run from the root of a drive; {advice}", program.display());
    ensure!(
        !program.display().to_string().starts_with(r"\\"),
        "{}: a service must not run from a share, which may be away; {advice}",
        program.display()
    );
    for name in ["SystemRoot", "TEMP", "TMP"] {
        if let Some(other) = std::env::var_os(name).map(PathBuf::from)
            && starts_with(dir, &other)
        {
            bail!("{}: the agent must not run from {}; {advice}", program.display(), other.display());
        }
    }
    Ok(program)
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
}

impl Place {
    /// For this program and a configuration, which need not exist yet.
    pub fn new(program: PathBuf, config: PathBuf, loaded: Option<&Loaded>) -> Place {
        let beside = || config.parent().unwrap_or(&config).to_owned();
        let state = loaded.and_then(Loaded::state_dir).unwrap_or_else(beside);
        Place { program, config, state }
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
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// Files and directories of ours that are there.
    fn own(&self) -> Vec<PathBuf> {
        let state = DIRECTORIES.iter().chain(&FILES).chain(&[PLUGIN]).map(|name| self.state.join(name));
        let all = [self.program.clone(), self.config.clone()].into_iter().chain(state);
        all.filter(|path| path.symlink_metadata().is_ok()).collect()
    }

    /// Refuses links on the way, what belongs to somebody else, and programs beside ours that somebody else put there. Changes
    /// nothing.
    ///
    /// # Errors
    /// Names the path, who has it, and the way out.
    pub fn check(&self) -> anyhow::Result<()> {
        for dir in self.dirs() {
            for part in dir.ancestors().filter(|part| part.exists() && part.parent().is_some()) {
                refuse_link(part)?;
            }
            if dir.exists() {
                refuse_foreign(dir)?;
            }
        }
        for path in self.own() {
            refuse_link(&path)?;
            refuse_foreign(&path)?;
        }
        for entry in fs::read_dir(self.program_dir())?.take(MOST_ENTRIES) {
            let path = entry?.path();
            // Windows loads libraries from the program's directory first.
            let loads =
                path.extension().is_some_and(|end| end.eq_ignore_ascii_case("dll") || end.eq_ignore_ascii_case("exe"));
            if loads {
                refuse_link(&path)?;
                refuse_foreign(&path)?;
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
        if is_elsewhere_safe(self.program_dir(), &self.dirs()) {
            remarks.push(format!("{}: only administrators can change it; left as it is", self.program_dir().display()));
        } else {
            // Program and configuration are taken out of what is inherited, below.
            let beside = self.state == self.program_dir();
            let service = if beside { service(Rights::Modify, true) } else { service(Rights::Read, false) };
            let users = Some(grant(USERS, Rights::Read, false));
            set(self.program_dir(), users.into_iter().chain(service).collect())?;
        }
        for dir in self.dirs().into_iter().filter(|dir| *dir != self.program_dir()) {
            falcon_sys::create_private_dir(dir).with_context(|| dir.display().to_string())?;
            set(dir, service(Rights::Modify, true).into_iter().collect())?;
        }
        let users = [Some(grant(USERS, Rights::Read, false)), service(Rights::Read, false)];
        set(&self.program, users.into_iter().flatten().collect())?;
        if self.config.exists() {
            set(&self.config, service(Rights::Read, false).into_iter().collect())?;
        }
        for name in DIRECTORIES.iter().chain(&[PLUGIN]) {
            let dir = self.state.join(name);
            if dir.is_dir() {
                let rights = if *name == PLUGIN { Rights::Read } else { Rights::Modify };
                set(&dir, service(rights, true).into_iter().collect())?;
            }
        }
        for dir in self.program_dir().ancestors().skip(1).filter(|dir| dir.parent().is_some()) {
            let access = falcon_sys::access_of(dir).unwrap_or_default();
            let owner = falcon_sys::owner_of(dir).ok().filter(|owner| owner.trusted);
            let known: Vec<&str> = owner.iter().map(|owner| owner.sid.as_str()).collect();
            // Who may add to it changes nothing of what is there; who may rename it puts another in its place.
            let others = sddl::writers(&access, &known, ADD_DIRECTORY | ADD_FILE);
            if !access.is_empty() && !others.is_empty() {
                remarks.push(format!(
                    "{}: can be renamed or deleted, with the agent in it, by {}; Program Files is a safer place",
                    dir.display(),
                    others.iter().map(|account| sddl::name(account)).collect::<Vec<_>>().join(", ")
                ));
            }
        }
        Ok(remarks)
    }
}

/// A directory that nothing of the state is in, and that only administrators can change already: Program Files.
fn is_elsewhere_safe(program_dir: &Path, dirs: &[&Path]) -> bool {
    let alone = dirs.len() > 1 && dirs.iter().skip(1).all(|dir| *dir != program_dir);
    let access = falcon_sys::access_of(program_dir).unwrap_or_default();
    alone && !access.is_empty() && sddl::writers(&access, &[], 0).is_empty()
}

fn refuse_link(path: &Path) -> anyhow::Result<()> {
    let is_link = falcon_sys::is_reparse_point(path).with_context(|| path.display().to_string())?;
    ensure!(
        !is_link,
        "{}: is a link or mount point, which could be led somewhere else; use the directory that it leads to",
        path.display()
    );
    Ok(())
}

fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    let owner = match falcon_sys::owner_of(path) {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{}: its owner cannot be read", path.display())),
    };
    ensure!(
        owner.trusted,
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
    fn the_state_lies_by_the_configuration_unless_that_says_otherwise() {
        let root = std::path::absolute("/").unwrap();
        let (program, config) = (root.join("p").join("falcon-agent.exe"), root.join("d").join("cfg.json"));
        let place = Place::new(program, config, None);
        assert_eq!(place.state, root.join("d"));
        assert_eq!(place.dirs(), [root.join("p"), root.join("d")]);
    }
}
