//! Plugins as a clone, by the git that is installed: cloned where nothing is, pulled where it is one.
//!
//! git asks nobody, has no terminal, runs no helper that an address names, and is told which clone it is for, so that it takes none
//! above the directory. What is in the clone's own configuration and hooks runs, as for anybody who calls git there: so the
//! directory must be nobody else's, as for plugins to run ([`place`]). It ends with all that it started when it takes too long or
//! fetches too much, and leaves no lock by which a later one is refused.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::reason::{hidden, last_words};
use super::staging::{Staging, tidy};
use super::watch::{Words, watch};
use super::{Job, swap};
use crate::plugin::place;

/// For it to remove its locks and ends of files when it is to end.
const GRACE: Duration = Duration::from_secs(1);
/// Whatever the system's configuration says: no other repository, nothing that outlives it.
const ALWAYS: [&str; 6] =
    ["-c", "submodule.recurse=false", "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"];
/// In a clone, by which git knows that another is at work.
const LOCKS: [&str; 3] = ["index.lock", "HEAD.lock", "packed-refs.lock"];
const ALWAYS_SET: [(&str, &str); 8] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("GCM_INTERACTIVE", "never"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    // No program as transport, whatever an address or a configuration says.
    ("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file"),
    // The reason is looked for in what it says.
    ("LC_ALL", "C"),
    ("LANGUAGE", "C"),
];
/// Of whoever started the agent, from within a clone.
const OF_ANOTHER: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"];
const MISSING: &str = "no git is found in PATH: install it, or have plugins come as an archive (plugin.url)";

/// The git of this host.
pub(super) fn installed(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let name = format!("git{}", std::env::consts::EXE_SUFFIX);
    let path = variable("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|dir| dir.join(&name));
    // Its installer can be told to leave PATH as it is.
    let of_windows = ["ProgramFiles", "ProgramW6432"].into_iter().filter_map(&variable);
    let of_windows = of_windows.map(|dir| Path::new(&dir).join("Git").join("cmd").join(&name));
    in_path.chain(of_windows).find(|git| git.is_absolute() && git.is_file())
}

pub(super) fn update(job: &Job<'_>) -> Result<(), String> {
    let dir = swap::place(&job.dir).map_err(|why| failed("pull", &job.dir, &why))?;
    if fs::symlink_metadata(dir.join(".git")).is_ok() {
        return run_there(job, &dir, &["pull"], true).map_err(|why| failed("pull", &job.dir, &why));
    }
    let parent = job.dir.parent().unwrap_or(Path::new(""));
    clone(job, &dir).map_err(|why| failed("clone", parent, &why))
}

pub(super) fn reset(job: &Job<'_>) -> Result<(), String> {
    let done = swap::place(&job.dir).and_then(|dir| run_there(job, &dir, &["reset", "--hard"], false));
    done.map_err(|why| failed("reset --hard", &job.dir, &why))
}

/// In the Go agent's words.
fn failed(what: &str, dir: &Path, why: &str) -> String {
    format!("git {what} in dir:{} fail. error: {why}", dir.display())
}

fn clone(job: &Job<'_>, dir: &Path) -> Result<(), String> {
    let url = job.source.git.expose().trim();
    if url.is_empty() {
        return Err("neither plugin.git nor plugin.url says where plugins come from".to_owned());
    }
    if url.starts_with('-') || names_helper(url) {
        return Err("plugin.git is no address of a repository".to_owned());
    }
    match fs::read_dir(dir).map(|mut entries| entries.next()) {
        Ok(None) => {}
        Ok(Some(_)) => {
            return Err(format!(
                "{} has things in it and is no clone of git: move them away, or clone there by hand",
                job.dir.display()
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{} cannot be read: {error}", job.dir.display())),
    }
    // A clone that was cut off would be one that cannot be pulled.
    tidy(dir);
    let staging = Staging::beside(dir)?;
    let tree = staging.tree();
    // As for the Go agent, a path of this disk counts from there.
    let parent = dir.parent().unwrap_or(dir);
    let git = Git { job, cwd: parent, tree: &tree };
    git.run(&["clone".as_ref(), "--".as_ref(), url.as_ref(), tree.as_os_str()], git.has_no_ssh()?)?;
    swap::swap(job, &staging, &tree, dir)
}

/// Whether an address is for a program that git starts, as `ext::sh -c ...` is.
fn names_helper(url: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    url.split_once("::").is_some_and(|(name, _)| name.bytes().all(of_name))
}

/// Runs git in a clone that is nobody else's.
fn run_there(job: &Job<'_>, dir: &Path, args: &[&str], connects: bool) -> Result<(), String> {
    let real = fs::canonicalize(dir).map_err(|error| format!("{} cannot be read: {error}", dir.display()))?;
    place::check(dir, &real)?;
    for own in [".git/config", ".git/hooks"] {
        if real.join(own).exists() {
            place::check_below(&real, Path::new(own))?;
        }
    }
    let real = swap::plain(real);
    let git = Git { job, cwd: &real, tree: &real };
    let is_batch = connects && git.has_no_ssh()?;
    let of_clone = git.of_clone();
    let args: Vec<&OsStr> = of_clone.iter().map(OsString::as_os_str).chain(args.iter().map(OsStr::new)).collect();
    git.run(&args, is_batch)
}

/// git, for one clone.
struct Git<'a> {
    job: &'a Job<'a>,
    cwd: &'a Path,
    /// What it fetches goes there.
    tree: &'a Path,
}

/// How it ended, and what it said last.
type Ended = (ExitStatus, String);

impl Git<'_> {
    /// By which it looks for no other.
    fn of_clone(&self) -> [OsString; 2] {
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        [option("--git-dir=", &self.tree.join(".git")), option("--work-tree=", self.tree)]
    }

    /// Whether nobody has said which ssh it takes, with a key of its own mostly.
    fn has_no_ssh(&self) -> Result<bool, String> {
        if ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some()) {
            return Ok(false);
        }
        let [git_dir, _] = self.of_clone();
        let (status, _) =
            self.call(&[&git_dir, "config".as_ref(), "--get".as_ref(), "core.sshCommand".as_ref()], false)?;
        Ok(!status.success())
    }

    fn run(&self, args: &[&OsStr], is_batch: bool) -> Result<(), String> {
        let (status, said) = self.call(args, is_batch)?;
        if status.success() {
            return Ok(());
        }
        let ended = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
        let source = &self.job.source.git;
        match last_words(&said) {
            Some(words) => Err(format!("{ended}: {}", hidden(&words, source.expose(), &source.shown()))),
            None => Err(ended),
        }
    }

    /// `is_batch`: ssh asks nobody.
    fn call(&self, args: &[&OsStr], is_batch: bool) -> Result<Ended, String> {
        let git = self.job.git.as_ref().ok_or(MISSING)?;
        place::check_file(git)?;
        let told = |error: io::Error| format!("{} cannot be started: {error}", git.display());
        let (heard, said) = io::pipe().map_err(told)?;
        let mut command = Command::new(git);
        command.args(ALWAYS).args(args).current_dir(self.cwd);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        for name in OF_ANOTHER {
            command.env_remove(name);
        }
        command.envs(ALWAYS_SET).env("GIT_CEILING_DIRECTORIES", self.tree.parent().unwrap_or(self.tree));
        if is_batch {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        let locks = LOCKS.map(|name| self.tree.join(".git").join(name));
        let of_others = locks.each_ref().map(|lock| lock.exists());
        let mut bound = falcon_sys::spawn_bound(&mut command).map_err(told)?;
        // The end that it writes to is its own alone.
        drop(command);
        let words = Words::listen(heard).map_err(told)?;
        let status = watch(self.job, &mut bound, self.tree).inspect_err(|_| {
            bound.end_gently(GRACE);
            for (lock, _) in locks.iter().zip(of_others).filter(|(_, is_other)| !is_other) {
                let _ = fs::remove_file(lock);
            }
        })?;
        bound.end();
        Ok((status, words.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_looked_for_where_nobody_else_decides() {
        let dir = tempfile::tempdir().unwrap();
        let name = format!("git{}", std::env::consts::EXE_SUFFIX);
        let (in_path, of_windows) = (dir.path().join("bin"), dir.path().join("Git").join("cmd"));
        for place in [&in_path, &of_windows] {
            fs::create_dir_all(place).unwrap();
            fs::write(place.join(&name), "").unwrap();
        }
        let path =
            std::env::join_paths([Path::new("."), Path::new("bin"), &dir.path().join("none"), &in_path]).unwrap();
        let of = |names: &'static [&'static str]| {
            let (path, dir) = (path.clone(), dir.path().as_os_str().to_owned());
            installed(move |name| {
                names.contains(&name).then(|| if name == "PATH" { path.clone() } else { dir.clone() })
            })
        };
        assert_eq!(of(&["PATH", "ProgramFiles"]), Some(in_path.join(&name)));
        assert_eq!(of(&["ProgramFiles"]), Some(of_windows.join(&name)));
        assert_eq!(of(&["ProgramW6432"]), Some(of_windows.join(&name)));
        assert_eq!(of(&[]), None);
    }
}
