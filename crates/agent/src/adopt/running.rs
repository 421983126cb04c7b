//! The agent of another directory while it runs, and what starts it: as `/proc` and a few files of `/etc` have it.
//!
//! The program that a process runs says that it is of the directory; a command line is what somebody wrote, and counts only where the
//! other is closed to us. How it was started counts where root did that, this user, or the one whose directory it is: anybody else
//! may run the program, with a configuration of his own, for root to take over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::service::{Command, Failure};

/// What the programs of agents are called.
const NAMES: [&str; 2] = ["falcon-agent", "windows-agent"];
const ROOT: u32 = 0;
const ENDS_WITHIN: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(50);

/// What may start it again, below the root: files, and directories of them.
const STARTERS: [&str; 12] = [
    "etc/systemd/system",
    "etc/init.d",
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
    "etc/crontab",
    "etc/rc.local",
    "etc/rc.d/rc.local",
    "var/spool/cron/root",
    "var/spool/cron/crontabs/root",
];
/// No larger one is a crontab or a unit.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    args: Vec<String>,
    pub cwd: Option<PathBuf>,
    /// `FALCON_ENDPOINT`.
    pub endpoint: Option<String>,
    /// How it was started counts.
    pub is_certain: bool,
}

impl Process {
    pub fn program(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// For a shell.
    pub fn command(&self) -> String {
        let endpoint = self.endpoint.as_ref().map(|endpoint| ["FALCON_ENDPOINT=", &quoted(endpoint)].concat());
        endpoint.into_iter().chain(self.args.iter().map(|arg| quoted(arg))).collect::<Vec<_>>().join(" ")
    }

    /// The configuration that it was started with.
    pub fn config(&self) -> Option<PathBuf> {
        let command = Command { program: String::new(), arguments: self.args.get(1..)?.to_vec() };
        let file = command.option("-c").unwrap_or("cfg.json");
        self.cwd.as_ref().filter(|_| self.is_certain).map(|cwd| cwd.join(file))
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It is another user's, or does not end.
    pub fn stop(&self, root: &Path) -> Result<(), Failure> {
        let line = root.join("proc").join(self.pid.to_string()).join("cmdline");
        // Empty until its parent has heard of its end.
        let has_ended = || fs::read(&line).map_or(true, |line| line.is_empty());
        match falcon_sys::end_process(self.pid, false) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(Failure::NotAdministrator),
            Err(_) if has_ended() => return Ok(()),
            asked => asked?,
        }
        let deadline = Instant::now() + ENDS_WITHIN;
        while !has_ended() {
            if Instant::now() >= deadline {
                return Err(Failure::Failed(anyhow!(
                    "{}, pid {}, did not end within {} s; end it with `kill -9 {}` and give the command again",
                    self.program(),
                    self.pid,
                    ENDS_WITHIN.as_secs(),
                    self.pid
                )));
            }
            sleep(GLANCE);
        }
        Ok(())
    }
}

/// The agents that run from a directory, but for this program.
pub(super) fn of(root: &Path, dir: &Path) -> Vec<Process> {
    let dirs = [dir.to_owned(), fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())];
    let own = std::env::current_exe().unwrap_or_default();
    let entries = fs::read_dir(root.join("proc")).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<Process> = pids.filter_map(|pid| process(root, &dirs, &own, pid)).collect();
    found.sort_by_key(|process| (!process.is_certain, process.pid));
    found
}

fn process(root: &Path, dirs: &[PathBuf], own: &Path, pid: u32) -> Option<Process> {
    let of = root.join("proc").join(pid.to_string());
    let texts = |name: &str| -> Vec<String> {
        let bytes = fs::read(of.join(name)).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        bytes.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    };
    let is_agent = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        NAMES.iter().any(|agent| name == *agent) && dirs.iter().any(|dir| path.starts_with(dir))
    };
    let args = texts("cmdline");
    let is_seen = match fs::read_link(of.join("exe")) {
        // A program that was replaced while it runs.
        Ok(exe) => {
            let shown = exe.display().to_string();
            let gone = shown.strip_suffix(" (deleted)").map(PathBuf::from);
            let is_own = gone.is_none() && exe == own;
            if is_own || !is_agent(gone.as_deref().unwrap_or(&exe)) {
                return None;
            }
            true
        }
        Err(_) if args.first().is_some_and(|program| is_agent(Path::new(program))) => false,
        Err(_) => return None,
    };
    let owner = dirs.first().and_then(|dir| falcon_sys::mode_bits(dir).ok()).map(|bits| bits.owner);
    let by = falcon_sys::mode_bits(&of).ok();
    let is_certain = is_seen && by.is_some_and(|by| by.is_own || by.owner == ROOT || Some(by.owner) == owner);
    if !is_certain {
        return Some(Process { pid, args, cwd: None, endpoint: None, is_certain });
    }
    let endpoint = texts("environ").iter().find_map(|text| text.strip_prefix("FALCON_ENDPOINT=").map(str::to_owned));
    let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
    Some(Process { pid, args, cwd: fs::read_link(of.join("cwd")).ok(), endpoint, is_certain })
}

/// Files that name one of these directories and start things when the system does, or by the clock.
pub(super) fn starters(root: &Path, dirs: &[&Path]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in STARTERS {
        let place = root.join(place);
        let mut files: Vec<PathBuf> = match fs::read_dir(&place) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![place],
        };
        files.sort();
        files.retain(|file| fs::metadata(file).is_ok_and(|of| of.is_file() && of.len() <= MOST_BYTES));
        files.retain(|file| fs::read(file).is_ok_and(|text| dirs.iter().any(|dir| names(&text, dir))));
        found.extend(files);
    }
    found
}

/// Whether a text has this path in it, or one below it.
fn names(text: &[u8], dir: &Path) -> bool {
    let (text, dir) = (String::from_utf8_lossy(text), dir.display().to_string());
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    dir.len() > 1 && text.split(&dir).skip(1).any(|behind| !behind.starts_with(goes_on))
}

/// One word of a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    ["'", &word.replace('\'', r"'\''"), "'"].concat()
}
