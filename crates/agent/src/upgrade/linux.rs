//! The agent of a Linux: which process it is, and who stops and starts it.
//!
//! A unit of systemd whose main process it is; else the `control` script of the Open-Falcon layout, where its `var/app.pid` is
//! that process; else it was started by the open-falcon CLI or by hand, and is started again just as it was.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use falcon_sys::types::Started;

use super::{Agent, Manager};
use crate::cli;
use crate::config::Loaded;
use crate::service::Failure;

/// The agent takes 5 s.
const STOP: Duration = Duration::from_secs(20);
const KILLED: Duration = Duration::from_secs(5);
/// For its process to be found, when what starts it says that it did.
const START: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(50);
const UNIT: &str = "falcon-agent.service";
/// What the kernel adds to the name of a program that was replaced.
const DELETED: &str = " (deleted)";

/// A process that is an agent, not one of its short-lived verbs.
struct Process {
    pid: u32,
    program: PathBuf,
    is_stale: bool,
    started: Started,
    config: Option<PathBuf>,
}

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

/// Finds the agent of this program or, where this program is the new one, the agent that runs.
pub(super) fn find(config: Option<&Path>, new: &Path) -> Result<Agent, Failure> {
    let own = std::env::current_exe().context("this program's own path is not known")?;
    let config = config.map(std::path::absolute).transpose()?;
    let mut running = processes();
    let has_own = running.iter().any(|process| process.program == own);
    let is_new = !has_own && fs::canonicalize(new).is_ok_and(|new| new == own);
    running.retain(|process| if is_new { process.program != own } else { process.program == own });
    if config.is_some() {
        running.retain(|process| process.config == config);
    }
    if let [_, _, ..] = running.as_slice() {
        let pids: Vec<String> = running.iter().map(|process| process.pid.to_string()).collect();
        return Err(anyhow!(
            "nothing was changed: {} agents run (pids {}); `-c CFG` says which is meant",
            pids.len(),
            pids.join(", ")
        )
        .into());
    }
    let Some(process) = running.pop() else {
        let shown = own.display().to_string();
        return Ok(resting(own, config).or_else(|error| ensure_known(is_new, &shown).and(Err(error)))?);
    };
    let how = how_it_runs(&process);
    let Process { pid, program, is_stale, started, config: its } = process;
    let log = started.outputs.iter().flatten().next_back().cloned();
    let (dir, environment) = (Some(started.dir.clone()), Some(started.environment.clone()));
    let manager = Linux { program: program.clone(), how, pid: Some(pid), started: Some(started) };
    Ok(Agent { config: config.or(its), pid: Some(pid), is_stale, dir, environment, log, ..agent(program, manager) })
}

fn ensure_known(is_new: bool, own: &str) -> anyhow::Result<()> {
    ensure!(
        !is_new,
        "nothing was changed: {own} is the new executable, and no agent runs that it could follow; give the command to the \
         one that is there: /PATH/TO/falcon-agent upgrade {own}"
    );
    Ok(())
}

fn agent(program: PathBuf, manager: Linux) -> Agent {
    Agent {
        manager: Box::new(manager),
        program,
        config: None,
        pid: None,
        is_stale: false,
        dir: None,
        environment: None,
        log: None,
    }
}

/// An agent that does not run, and that something can start.
fn resting(program: PathBuf, config: Option<PathBuf>) -> anyhow::Result<Agent> {
    let shown = show(UNIT, "ExecStart");
    if let Some(words) = shown.as_deref().and_then(|line| command_of_unit(line, &program)) {
        let file = cli::agent_of(words).flatten();
        let dir = show(UNIT, "WorkingDirectory").filter(|dir| dir.starts_with('/')).unwrap_or_else(|| "/".to_owned());
        let file = config.or_else(|| config_in(file, Path::new(&dir), &program));
        let manager = Linux { program: program.clone(), how: How::Unit(UNIT.to_owned()), pid: None, started: None };
        return Ok(Agent { config: file, dir: Some(dir.into()), ..agent(program, manager) });
    }
    if let Some(root) = layout(&program) {
        let file = config.or_else(|| Some(root.join("config/cfg.json")).filter(|file| file.exists()));
        let log = Some(root.join("var/app.log"));
        let manager = Linux { program: program.clone(), how: How::Control(root.clone()), pid: None, started: None };
        return Ok(Agent { config: file, dir: Some(root), log, ..agent(program, manager) });
    }
    bail!(
        "nothing was changed: no agent runs from {}, and neither a unit {UNIT} nor a `control` script starts it; an executable \
         that does not run is upgraded by copying the new one over it",
        program.display()
    )
}

/// The arguments in what `systemctl show` says of ExecStart, where the program is this one:
/// `{ path=/usr/bin/falcon-agent ; argv[]=/usr/bin/falcon-agent -c /etc/x ; ignore_errors=no ; ... }`.
fn command_of_unit(line: &str, program: &Path) -> Option<Vec<OsString>> {
    let argv = line.split(" ; ").find_map(|part| part.trim().strip_prefix("argv[]="))?;
    let words: Vec<OsString> = argv.split_whitespace().map(OsString::from).collect();
    let first = fs::canonicalize(words.first()?).ok()?;
    (first == program).then_some(words)
}

/// The root of the Open-Falcon layout.
fn layout(program: &Path) -> Option<PathBuf> {
    let bin = program.parent().filter(|bin| bin.ends_with("bin"))?;
    bin.parent().filter(|root| root.join("control").is_file()).map(Path::to_owned)
}

/// As the agent itself finds it.
fn config_in(given: Option<PathBuf>, dir: &Path, program: &Path) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(dir.join(given));
    }
    [dir.join("cfg.json"), program.with_file_name("cfg.json")].into_iter().find(|file| file.is_file())
}

fn processes() -> Vec<Process> {
    let own = std::process::id();
    let look = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok().filter(|pid| *pid != own)?;
        let image = falcon_sys::image_path(pid).ok()?;
        let shown = image.to_str()?;
        let program = PathBuf::from(shown.strip_suffix(DELETED).unwrap_or(shown));
        let is_stale = program != image;
        let names = ["falcon-agent", "falcon-agent.old", "falcon-agent.failed"];
        program.file_name().filter(|name| names.iter().any(|known| name == known))?;
        let started = falcon_sys::started_as(pid).ok()?;
        let file = cli::agent_of(started.arguments.clone())?;
        let config = config_in(file, &started.dir, &program);
        Some(Process { pid, program, is_stale, started, config })
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(look).collect()
}

fn how_it_runs(process: &Process) -> How {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
    let named = groups.lines().filter_map(|line| unit_in(line)).map(str::to_owned);
    // A session of sshd or cron may be a part of their unit: only whose main process it is, is its unit.
    let unit = named.chain([UNIT.to_owned()]).find(|unit| main_pid(unit) == Some(process.pid));
    if let Some(unit) = unit {
        return How::Unit(unit);
    }
    match layout(&process.program).filter(|root| pid_in(root) == Some(process.pid)) {
        Some(root) => How::Control(root),
        None => How::Alone(process.started.clone()),
    }
}

/// `0::/system.slice/falcon-agent.service`
fn unit_in(line: &str) -> Option<&str> {
    line.rsplit(['/', ':']).find(|part| part.ends_with(".service"))
}

fn pid_in(root: &Path) -> Option<u32> {
    fs::read_to_string(root.join("var/app.pid")).ok()?.trim().parse().ok()
}

fn main_pid(unit: &str) -> Option<u32> {
    show(unit, "MainPID")?.parse().ok().filter(|pid| *pid != 0)
}

/// One property of a unit; `None` where there is no systemd, or nothing is told.
fn show(unit: &str, property: &str) -> Option<String> {
    let mut command = Command::new("systemctl");
    command.args(["show", "-p", property, unit]).stdin(Stdio::null()).stderr(Stdio::null());
    let told = command.output().ok().filter(|told| told.status.success())?;
    let text = String::from_utf8_lossy(&told.stdout);
    let value = text.trim().strip_prefix(property)?.strip_prefix('=')?.trim();
    (!value.is_empty()).then(|| value.to_owned())
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
            falcon_sys::set_apart(&mut command);
        }
        let shown = format!("`{} {}`", program.display(), words.join(" "));
        let status = command.status().with_context(|| format!("{shown} cannot be run"))?;
        ensure!(status.success(), "{shown} ended with {status}");
        Ok(())
    }

    fn now(&self) -> Option<u32> {
        match &self.how {
            How::Unit(unit) => main_pid(unit),
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
        for pid in pids {
            if !is_gone(pid, &self.program, STOP) {
                let killed = falcon_sys::end_process(pid, true).map_err(anyhow::Error::from);
                let killed = killed.and_then(|()| {
                    if is_gone(pid, &self.program, KILLED) { Ok(()) } else { Err(anyhow!("it was killed")) }
                });
                killed.with_context(|| format!("pid {pid} does not end"))?;
            } else if let (How::Unit(_), Err(_)) = (&self.how, &asked) {
                break;
            }
        }
        // Whose process is gone has stopped, whatever its script says of it.
        match (&self.how, asked) {
            (How::Unit(_), Err(error)) => Err(error),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_in_every_form_of_cgroups() {
        for (line, unit) in [
            ("0::/system.slice/falcon-agent.service", Some("falcon-agent.service")),
            ("1:name=systemd:/system.slice/system-x.slice/x@1.service/payload", Some("x@1.service")),
            ("0::/user.slice/user-1000.slice/session-2.scope", None),
            ("2:cpu,cpuacct:/", None),
        ] {
            assert_eq!(unit_in(line), unit, "{line}");
        }
    }

    #[test]
    fn the_command_of_a_unit_is_read_where_it_is_this_program() {
        let line = "{ path=/bin/sh ; argv[]=/bin/sh -c /etc/falcon-agent/cfg.json ; ignore_errors=no ; pid=0 }";
        let sh = fs::canonicalize("/bin/sh").unwrap_or_default();
        let words = command_of_unit(line, &sh).unwrap_or_default();
        if sh.is_absolute() {
            assert_eq!(cli::agent_of(words).flatten(), Some("/etc/falcon-agent/cfg.json".into()));
        }
        assert_eq!(command_of_unit(line, Path::new("/usr/bin/falcon-agent")), None);
        assert_eq!(command_of_unit("", &sh), None);
    }

    #[test]
    fn an_agent_is_told_from_its_verbs() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(cli::agent_of(words("falcon-agent -c a.json")), Some(Some("a.json".into())));
        assert_eq!(cli::agent_of(words("./bin/falcon-agent run")), Some(None));
        for verb in ["falcon-agent collect", "falcon-agent -v", "falcon-agent queue -c a", "falcon-agent --nonsense"] {
            assert_eq!(cli::agent_of(words(verb)), None, "{verb}");
        }
    }
}
