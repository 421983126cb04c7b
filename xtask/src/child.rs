//! Child processes: standard input is always empty, every one has a time limit, and a limit ends the whole tree.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// What a child may take unless it says otherwise: three times the longest cold build seen on two cores.
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub struct Run {
    command: Command,
    limit: Option<Duration>,
}

impl Run {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self { command, limit: Some(LIMIT) }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// For a child that a person looks at.
    pub fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }

    /// The same command with this one in front of it, which starts it in the end.
    pub fn started_by(self, front: &str, args: &[&str]) -> Self {
        let mut command = Command::new(front);
        command.args(args).arg(self.command.get_program()).args(self.command.get_args()).stdin(Stdio::null());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = self.command.get_current_dir() {
            command.current_dir(dir);
        }
        Self { command, limit: self.limit }
    }

    /// Hands out the command for a child that its caller watches over.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs to the end with its output on this terminal.
    ///
    /// # Errors
    /// When it cannot start, ends with a failure or takes too long; the message holds the command line.
    pub fn show(mut self) -> Result<()> {
        self.finish(|_| Ok(()))
    }

    /// Runs to the end and gives its standard output.
    ///
    /// # Errors
    /// As [`Run::show`], or when the output is not UTF-8.
    pub fn output(mut self) -> Result<String> {
        self.command.stdout(Stdio::piped());
        let mut text = String::new();
        self.finish(|child| {
            if let Some(mut out) = child.stdout.take() {
                out.read_to_string(&mut text)?;
            }
            Ok(())
        })?;
        Ok(text)
    }

    /// Runs to the end, shows its standard output and hands each line to `see`.
    ///
    /// # Errors
    /// As [`Run::show`].
    pub fn watch(mut self, mut see: impl FnMut(&str)) -> Result<()> {
        self.command.stdout(Stdio::piped());
        self.finish(|child| {
            let Some(out) = child.stdout.take() else { return Ok(()) };
            let mut out = BufReader::new(out);
            let mut line = Vec::new();
            while out.read_until(b'\n', &mut line)? > 0 {
                let text = String::from_utf8_lossy(&line);
                print!("{text}");
                see(text.trim_end());
                line.clear();
            }
            Ok(())
        })
    }

    /// Runs to the end in silence and tells whether it succeeded; one that cannot start did not.
    pub fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.finish(|_| Ok(())).is_ok()
    }

    fn finish(&mut self, read: impl FnOnce(&mut Child) -> Result<()>) -> Result<()> {
        let shown = shown(&self.command);
        let mut child = self.command.spawn().with_context(|| format!("cannot start: {shown}"))?;
        let pid = child.id();
        let limit = self.limit;
        let (ended, watched) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            let limit = limit?;
            let late = watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            late.then(|| {
                end_tree(pid);
                limit
            })
        });
        let read = read(&mut child);
        let status: Result<ExitStatus> = child.wait().context("cannot wait for a child");
        drop(ended);
        if let Ok(Some(limit)) = watchdog.join() {
            bail!("took longer than {} s and was ended: {shown}", limit.as_secs());
        }
        let status = status?;
        if !status.success() {
            bail!("{status}: {shown}");
        }
        read.with_context(|| format!("reading the output of: {shown}"))
    }
}

/// Ends a process and everything below it, the root last, so that no orphan keeps a pipe open.
pub fn end_tree(root: u32) {
    for pid in descendants(root, &parents()) {
        end(pid);
    }
    end(root);
}

/// Ends every process below this one.
pub fn end_children() {
    for pid in descendants(std::process::id(), &parents()) {
        end(pid);
    }
}

fn end(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is what is wanted.
        kill_process(pid, Signal::KILL).ok();
    }
}

/// Every process and its parent, from /proc/PID/stat (proc(5)).
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let parent_of = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, parent_in_stat(&stat)?))
    };
    entries.filter_map(|entry| parent_of(entry.ok()?)).collect()
}

/// The command name in field 2 may hold blanks and brackets; the parent stands second after its last bracket.
fn parent_in_stat(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut below = vec![root];
    while let Some(pid) = below.pop() {
        for &(child, _) in parents.iter().filter(|(_, parent)| *parent == pid) {
            if child != root && !found.contains(&child) {
                found.push(child);
                below.push(child);
            }
        }
    }
    found
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        // Writing to a String cannot fail.
        write!(line, " {}", arg.to_string_lossy()).ok();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Run {
        Run::new("sh").args(["-c", script])
    }

    #[test]
    fn output_and_failure_are_told_apart() {
        assert_eq!(sh("echo one; echo two").output().unwrap(), "one\ntwo\n");
        let error = sh("exit 3").show().unwrap_err().to_string();
        assert_eq!(error, "exit status: 3: sh -c exit 3");
        assert!(sh("exit 0").succeeds());
        assert!(!Run::new("/nowhere/to/be/found").succeeds());
    }

    #[test]
    fn a_command_in_front_changes_nothing_else() {
        let run = sh("echo $A; pwd; cat").env("A", "1").dir("/").started_by("env", &["B=2"]);
        assert_eq!(run.output().unwrap(), "1\n/\n");
    }

    #[test]
    fn standard_input_is_empty() {
        assert_eq!(Run::new("cat").output().unwrap(), "");
    }

    #[test]
    fn a_limit_ends_grandchildren_too_so_that_their_pipe_closes() {
        let error = sh("sleep 1000 & sleep 1000; wait").limit(Duration::from_millis(100)).output().unwrap_err();
        assert!(error.to_string().starts_with("took longer than 0 s"), "{error}");
    }

    #[test]
    fn a_command_name_may_hold_brackets_and_blanks() {
        assert_eq!(parent_in_stat("42 (a) (b c) S 7 42 42 0"), Some(7));
        assert_eq!(parent_in_stat("42 broken"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_loops_end() {
        assert_eq!(descendants(1, &[(2, 1), (3, 2), (9, 8), (1, 3)]), vec![2, 3]);
    }
}
