//! Plugins as a clone, by the git that is installed: cloned where nothing is, pulled where it is one.
//!
//! git asks nobody, has no terminal, runs no helper that an address names, and looks for no clone above the directory. What is in
//! the clone's configuration and hooks runs, as for anybody who calls git there: so the directory must be nobody else's, as for
//! plugins to run ([`place`]). It ends with all that it started when it takes too long or fetches too much.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::swap::Staging;
use super::{Job, swap};
use crate::config::without_credentials;
use crate::isolate::Worker;
use crate::plugin::place;

/// Between two looks at whether it has ended, and at what it has fetched.
const LOOK: Duration = Duration::from_millis(50);
const MEASURE: Duration = Duration::from_secs(1);
/// How long what it said is waited for once it has ended: it may have left a process behind.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes of what it said last.
const MOST_SAID: usize = 16 * 1024;
/// Of directories within each other.
const MOST_DEPTH: usize = 64;
/// Whatever the system's configuration says: no program as transport, no other repository, nothing that outlives it.
const ALWAYS: [&str; 8] = [
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "submodule.recurse=false",
    "-c",
    "gc.autoDetach=false",
    "-c",
    "maintenance.autoDetach=false",
];
const ASKS_NOBODY: [(&str, &str); 5] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("GCM_INTERACTIVE", "never"),
    ("GIT_MERGE_AUTOEDIT", "no"),
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
        return run_there(job, &dir, &["pull"]).map_err(|why| failed("pull", &job.dir, &why));
    }
    let parent = job.dir.parent().unwrap_or(Path::new(""));
    clone(job, &dir).map_err(|why| failed("clone", parent, &why))
}

pub(super) fn reset(job: &Job<'_>) -> Result<(), String> {
    let done = swap::place(&job.dir).and_then(|dir| run_there(job, &dir, &["reset", "--hard"]));
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
    swap::tidy(dir);
    let staging = Staging::beside(dir)?;
    let tree = staging.tree();
    // As for the Go agent, a path of this disk counts from there.
    let parent = dir.parent().unwrap_or(dir);
    run(job, parent, &tree, &["clone".as_ref(), "--".as_ref(), url.as_ref(), tree.as_os_str()])?;
    swap::swap(job, &tree, dir)
}

/// Whether an address is for a program that git starts, as `ext::sh -c ...` is.
fn names_helper(url: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    url.split_once("::").is_some_and(|(name, _)| name.bytes().all(of_name))
}

/// Runs git in a clone that is nobody else's.
fn run_there(job: &Job<'_>, dir: &Path, args: &[&str]) -> Result<(), String> {
    let real = fs::canonicalize(dir).map_err(|error| format!("{} cannot be read: {error}", dir.display()))?;
    place::check(dir, &real)?;
    for own in [".git/config", ".git/hooks"] {
        if real.join(own).exists() {
            place::check_below(&real, Path::new(own))?;
        }
    }
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    run(job, dir, dir, &args)
}

/// Runs git in `cwd`; what it fetches goes to `dir`.
fn run(job: &Job<'_>, cwd: &Path, dir: &Path, args: &[&OsStr]) -> Result<(), String> {
    let git = job.git.as_ref().ok_or(MISSING)?;
    let told = |error: io::Error| format!("{} cannot be started: {error}", git.display());
    let (heard, said) = io::pipe().map_err(told)?;
    let mut command = Command::new(git);
    command.args(ALWAYS).args(args).current_dir(cwd).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    for (name, value) in ASKS_NOBODY {
        command.env(name, value);
    }
    command.env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap_or(dir));
    for name in OF_ANOTHER {
        command.env_remove(name);
    }
    if ["GIT_SSH_COMMAND", "GIT_SSH"].iter().all(|name| std::env::var_os(name).is_none()) {
        command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    let mut bound = falcon_sys::spawn_bound(&mut command).map_err(told)?;
    // The end that it writes to is its own alone.
    drop(command);
    let words = Words::listen(heard).map_err(told)?;
    let status = watch(job, &mut bound, dir);
    bound.end();
    let status = status?;
    if status.success() {
        return Ok(());
    }
    let ended = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    match last_words(&words.last()) {
        Some(words) => Err(format!("{ended}: {}", hidden(&words, job.source.git.expose(), &job.source.git.shown()))),
        None => Err(ended),
    }
}

/// What git said last.
#[derive(Default)]
struct Words {
    kept: Mutex<Vec<u8>>,
    is_over: AtomicBool,
}

impl Words {
    /// Hears all and keeps the end of it.
    fn listen(mut heard: io::PipeReader) -> io::Result<Arc<Words>> {
        let words = Arc::<Words>::default();
        let own = words.clone();
        Worker::spawn("git")?.run(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = heard.read(&mut chunk) {
                let mut kept = own.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
                if kept.len() > 2 * MOST_SAID {
                    let old = kept.len() - MOST_SAID;
                    kept.drain(..old);
                }
            }
            own.is_over.store(true, Ordering::Release);
        });
        Ok(words)
    }

    /// All that there is, once nobody speaks any more or a while has passed.
    fn last(&self) -> String {
        let begun = Instant::now();
        while !self.is_over.load(Ordering::Acquire) && begun.elapsed() < LAST_WORDS {
            thread::sleep(LOOK / 10);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

fn watch(job: &Job<'_>, bound: &mut falcon_sys::Bound, dir: &Path) -> Result<ExitStatus, String> {
    let mut measured = Instant::now();
    loop {
        if let Some(status) = bound.try_wait().map_err(|error| format!("its end is not known: {error}"))? {
            return Ok(status);
        }
        job.goes_on()?;
        if measured.elapsed() >= MEASURE {
            let (mut bytes, mut files) = (job.limits.clone, job.limits.files);
            if !fits(dir, &mut bytes, &mut files, 0) {
                return Err(format!(
                    "ended, for {} has more than {} bytes or {} files with its history",
                    job.dir.display(),
                    job.limits.clone,
                    job.limits.files
                ));
            }
            measured = Instant::now();
        }
        thread::sleep(LOOK);
    }
}

/// Whether what is in a directory is within what is left. Files come and go meanwhile.
fn fits(dir: &Path, bytes: &mut u64, files: &mut usize, depth: usize) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return true };
    for entry in entries.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        let (Some(left), Some(fewer)) = (bytes.checked_sub(meta.len()), files.checked_sub(1)) else { return false };
        (*bytes, *files) = (left, fewer);
        if meta.is_dir() && (depth == MOST_DEPTH || !fits(&entry.path(), bytes, files, depth + 1)) {
            return false;
        }
    }
    true
}

/// The reason among what git said: its last error, with the line before it, which is that of ssh where there is one; else
/// simply what came last.
fn last_words(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let is_error = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let Some(at) = lines.iter().rposition(is_error) else { return lines.last().map(|line| (*line).to_owned()) };
    let error = lines.get(at)?;
    let before = at.checked_sub(1).and_then(|before| lines.get(before));
    match before {
        Some(before) if error.starts_with("fatal: Could not read from remote") => Some(format!("{before} ({error})")),
        _ => Some((*error).to_owned()),
    }
}

/// Without the login of the address, and of any other.
fn hidden(words: &str, url: &str, shown: &str) -> String {
    let words = if url.is_empty() { words.to_owned() } else { words.replace(url, shown) };
    let word = |word: &str| match word.find("://") {
        Some(_) if word.contains('@') => {
            let start = word.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(0);
            let (before, address) = word.split_at_checked(start).unwrap_or(("", word));
            format!("{before}{}", without_credentials(address))
        }
        _ => word.to_owned(),
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_what_git_said() {
        for (said, reason) in [
            ("", None),
            (
                "Cloning into 'p'...\nfatal: repository '/x' does not exist\n",
                Some("fatal: repository '/x' does not exist"),
            ),
            (
                "fatal: detected dubious ownership in repository at '/p'\nTo add an exception, call:\n\n\tgit config\n",
                Some("fatal: detected dubious ownership in repository at '/p'"),
            ),
            (
                "Host key verification failed.\r\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
                Some("Host key verification failed. (fatal: Could not read from remote repository.)"),
            ),
            (
                "error: Your local changes would be overwritten by merge:\n\ta\nPlease commit\nAborting\n",
                Some("error: Your local changes would be overwritten by merge:"),
            ),
            ("sh: ssh: not found\n", Some("sh: ssh: not found")),
        ] {
            assert_eq!(last_words(said).as_deref(), reason, "{said}");
        }
    }

    #[test]
    fn no_login_is_told() {
        let url = "https://me:hunter2@h/p.git";
        for (words, told) in [
            ("unable to access 'https://me:hunter2@h/p.git/': x", "unable to access 'https://******@h/p.git/': x"),
            ("unable to access 'https://it:hunter2@i/q/': x", "unable to access 'https://******@i/q/': x"),
            ("git@h: Permission denied", "git@h: Permission denied"),
        ] {
            assert_eq!(hidden(words, url, "https://******@h/p.git"), told);
        }
    }

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
