//! The agent of a Linux: who stops and starts it.
//!
//! A unit of systemd whose main process it is; else the `control` script of the Open-Falcon layout, where its `var/app.pid` is
//! that process; else it was started by the open-falcon CLI or by hand, and is started again just as it was.

mod found;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use falcon_sys::types::Started;

use super::Manager;
use crate::config::Loaded;
pub(super) use found::find;

/// The agent takes 5 s.
const STOP: Duration = Duration::from_secs(20);
const KILLED: Duration = Duration::from_secs(5);
/// For its process to be found, when what starts it says that it did.
const START: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(50);
/// What the kernel adds to the name of a program that was replaced.
const DELETED: &str = " (deleted)";

enum How {
    Unit(String),
    Control(PathBuf),
    Alone(Started),
}

struct Linux {
    program: PathBuf,
    how: How,
    pid: Option<u32>,
    /// Of the process that ran, for who is started by a script.
    started: Option<Started>,
}

impl Linux {
    /// Has a program do something with the agent.
    fn have(&self, program: &Path, words: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(program);
        // What a script starts in the background would have a pipe for as long as it lives.
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let How::Control(root) = &self.how {
            command.current_dir(root);
            if let Some(started) = &self.started {
                command.env_clear().envs(started.environment.iter().map(|(name, value)| (name, value)));
            }
        }
        // The Ctrl-C that this program does not heed would end it.
        falcon_sys::set_apart(&mut command);
        let shown = format!("`{} {}`", program.display(), words.join(" "));
        let status = command.status().with_context(|| format!("{shown} cannot be run"))?;
        ensure!(status.success(), "{shown} ended with {status}");
        Ok(())
    }

    fn now(&self) -> Option<u32> {
        match &self.how {
            How::Unit(unit) => unit::main_pid(unit),
            How::Control(root) => pid_in(root),
            How::Alone(_) => self.pid,
        }
    }
}

impl Manager for Linux {
    fn stop(&mut self) -> anyhow::Result<()> {
        let pids: Vec<u32> =
            [self.pid, self.now()].into_iter().flatten().filter(|pid| is_of(*pid, &self.program)).collect();
        let asked = match &self.how {
            How::Unit(unit) => self.have(Path::new("systemctl"), &["stop", unit]),
            // A script says that nothing runs by its exit code, too.
            How::Control(root) if !pids.is_empty() => self.have(&root.join("control"), &["stop"]),
            How::Control(_) => Ok(()),
            How::Alone(_) => pids
                .iter()
                .try_for_each(|pid| falcon_sys::end_process(*pid, false))
                .context("the agent cannot be told to end"),
        };
        // It was not told to end, and goes on.
        if let (How::Unit(_), Err(error)) = (&self.how, asked) {
            return Err(error);
        }
        // Whose process is gone has stopped, whatever its script says of it.
        for pid in pids {
            if !is_gone(pid, &self.program, STOP) {
                let killed = falcon_sys::end_process(pid, true).map_err(anyhow::Error::from);
                let killed = killed.and_then(|()| {
                    if is_gone(pid, &self.program, KILLED) { Ok(()) } else { Err(anyhow!("it was killed")) }
                });
                killed.with_context(|| format!("pid {pid} does not end"))?;
            }
        }
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<u32> {
        match &self.how {
            How::Unit(unit) => self.have(Path::new("systemctl"), &["start", unit])?,
            How::Control(root) => self.have(&root.join("control"), &["start"])?,
            How::Alone(started) => {
                let pid = falcon_sys::start_like(&self.program, started);
                self.pid = Some(pid.with_context(|| format!("{} cannot be started", self.program.display()))?);
            }
        }
        let begun = Instant::now();
        loop {
            if let Some(pid) = self.now().filter(|pid| self.runs(*pid)) {
                self.pid = Some(pid);
                return Ok(pid);
            }
            // Nobody starts it again.
            let is_over = matches!(self.how, How::Alone(_)) && !self.pid.is_some_and(falcon_sys::is_alive);
            ensure!(!is_over, "it ended at once");
            ensure!(begun.elapsed() < START, "it was started, and no process of {} runs", self.program.display());
            sleep(GLANCE);
        }
    }

    fn runs(&self, pid: u32) -> bool {
        falcon_sys::image_path(pid).is_ok_and(|image| image == self.program)
    }

    fn give_rights(&self, to: &Path) -> anyhow::Result<()> {
        falcon_sys::take_rights(&self.program, to).with_context(|| {
            format!(
                "nothing was changed: {} cannot have the owner and mode of {}",
                to.display(),
                self.program.display()
            )
        })
    }

    fn notes(&self, pid: u32, loaded: &Loaded) -> Option<PathBuf> {
        let started = falcon_sys::started_as(pid).ok()?;
        // Relative ones count from its working directory.
        Some(started.dir.join(loaded.notes_dir_with(started.variable("STATE_DIRECTORY"))?))
    }
}

fn pid_in(root: &Path) -> Option<u32> {
    fs::read_to_string(root.join("var/app.pid")).ok()?.trim().parse().ok()
}

/// Whether a process runs this program, or one that had its name.
fn is_of(pid: u32, program: &Path) -> bool {
    falcon_sys::image_path(pid).is_ok_and(|image| {
        let shown = image.to_string_lossy();
        Path::new(shown.strip_suffix(DELETED).unwrap_or(&shown)) == program
    })
}

fn is_gone(pid: u32, program: &Path, within: Duration) -> bool {
    let begun = Instant::now();
    while is_of(pid, program) {
        if begun.elapsed() >= within {
            return false;
        }
        sleep(GLANCE);
    }
    true
}
