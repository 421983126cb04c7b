//! Which process the agent is, whether it may be upgraded by who asks, and what would start it where none runs.
//!
//! Who gives the command may be root, and then runs what a process says of itself: only one of the same user is believed, none
//! of another user is started, and nothing is run that another user may write to. Processes of others and of containers are not
//! seen at all, or any user could stand in the way of an upgrade.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use falcon_sys::types::Started;

use super::super::Agent;
use super::{DELETED, How, Linux, is_of, pid_in, unit};
use crate::cli;
use crate::service::Failure;

/// Who starts something and does not start it again. A process whose parent has ended is that of 1.
const STARTERS: [&str; 10] = ["sh", "bash", "dash", "ash", "busybox", "zsh", "ksh", "fish", "sudo", "open-falcon"];

/// A process that is an agent, not one of its short-lived verbs.
struct Process {
    pid: u32,
    program: PathBuf,
    is_stale: bool,
    started: Started,
    config: Option<PathBuf>,
}

/// Finds the agent of this program or, where this program is the new one, the agent that runs.
pub(in super::super) fn find(config: Option<&Path>, new: &Path) -> Result<Agent, Failure> {
    let own = std::env::current_exe().context("this program's own path is not known")?;
    let me = falcon_sys::started_as(std::process::id()).context("this program's own user is not known")?.uid;
    let config = config.map(std::path::absolute).transpose()?;
    let owner = falcon_sys::mode_bits(&own).map_or(me, |bits| bits.owner);
    let mut running = processes(&own);
    running.retain(|Process { pid, program, started, .. }| {
        let is_trusted = || [0, owner].contains(&started.uid) || unit::of(*pid).is_some();
        started.uid == me || *program == own && is_trusted()
    });
    let has_own = running.iter().any(|process| process.program == own);
    let is_new = !has_own && fs::canonicalize(new).is_ok_and(|new| new == own);
    running.retain(|process| if is_new { process.program != own } else { process.program == own });
    if let Some(config) = &config {
        // The same file has many names.
        let same = |file: &PathBuf| file == config || fs::canonicalize(file).ok() == fs::canonicalize(config).ok();
        running.retain(|process| process.config.as_ref().is_some_and(same));
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
    let Some(mut process) = running.pop() else {
        // Of another user's processes nothing is known.
        if me != 0 && (is_new || is_closed(&own)) {
            return Err(Failure::NotAdministrator);
        }
        ensure_own(me, &own)?;
        let shown = own.display().to_string();
        return Ok(resting(own, config).or_else(|error| ensure_known(is_new, &shown).and(Err(error)))?);
    };
    ensure_own(me, &process.program)?;
    let how = how_it_runs(&process);
    let is_mine = process.started.uid == me;
    ensure_startable(&process, &how, is_mine)?;
    // What the linker makes of them is run by whoever gives the command.
    process.started.environment.retain(|(name, _)| is_kept(name, is_mine));
    if !is_mine {
        process.started.environment.extend(std::env::var_os("PATH").map(|path| ("PATH".into(), path)));
    }
    let unit = match &how {
        How::Unit(unit) => Some(unit.clone()),
        _ => None,
    };
    let Process { pid, program, is_stale, started, config: its } = process;
    let log = started.outputs.iter().flatten().next_back().cloned();
    let (dir, environment) = (Some(started.dir.clone()), Some(started.environment.clone()));
    let manager = Linux { program: program.clone(), how, pid: Some(pid), started: Some(started) };
    Ok(Agent {
        config: config.or(its),
        pid: Some(pid),
        is_stale,
        dir,
        environment,
        log,
        unit,
        ..agent(program, manager)
    })
}

/// Whether this user has no right to replace it.
fn is_closed(program: &Path) -> bool {
    let held = falcon_sys::hold_alone(program.parent().unwrap_or(Path::new("/")));
    held.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// # Errors
/// Root would run what somebody else may exchange at any moment.
fn ensure_own(me: u32, program: &Path) -> anyhow::Result<()> {
    let dir = program.parent().unwrap_or(Path::new("/"));
    for path in [dir, program].into_iter().filter(|_| me == 0) {
        // An upgrade that was cut short may have left no program.
        let Ok(bits) = falcon_sys::mode_bits(path) else { continue };
        let is_open = bits.mode & 0o002 != 0 || bits.mode & 0o020 != 0 && bits.group != 0;
        ensure!(
            bits.owner == 0 && !is_open,
            "nothing was changed: others than root may write to {} (owner {}, mode {:o}); where the agent runs as that user, give \
             the command as that user (sudo -u '#{}' ...), else chown and chmod it first",
            path.display(),
            bits.owner,
            bits.mode & 0o7777,
            bits.owner
        );
    }
    Ok(())
}

/// # Errors
/// It would be started as another user, not at all, or twice.
fn ensure_startable(process: &Process, how: &How, is_mine: bool) -> anyhow::Result<()> {
    let (pid, uid, parent) = (process.pid, process.started.uid, process.started.parent);
    if let How::Unit(unit) = how {
        let is_masked = unit::show(unit, "LoadState").is_some_and(|state| state == "masked");
        ensure!(
            !is_masked,
            "nothing was changed: {unit} is masked, and would not start again: systemctl unmask {unit}"
        );
        return Ok(());
    }
    ensure!(
        is_mine,
        "nothing was changed: the agent (pid {pid}) is that of user {uid}; give the command as that user: sudo -u '#{uid}' {} \
         upgrade ...",
        process.program.display()
    );
    let How::Alone(_) = how else { return Ok(()) };
    let by = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap_or_default();
    let by = by.trim();
    let unit = unit::all_of(pid).find(|unit| unit::main_pid(unit) == Some(parent));
    ensure!(
        unit.is_none() && (parent <= 1 || STARTERS.contains(&by)),
        "nothing was changed: {} (pid {parent}) keeps the agent running, and would start it a second time; stop the agent there, \
         copy the new executable over {}, and start it there",
        unit.as_deref().unwrap_or(by),
        process.program.display()
    );
    Ok(())
}

/// Of the environment of an agent, what it is asked in and started again with.
fn is_kept(name: &OsStr, is_mine: bool) -> bool {
    let name = name.to_string_lossy();
    let is_plain = ["STATE_DIRECTORY", "TZ", "LANG"].contains(&&*name);
    !name.starts_with("LD_") && (is_mine || is_plain || name.starts_with("LC_") || name.starts_with("FALCON_"))
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
        unit: None,
    }
}

/// An agent that does not run, and that something can start.
fn resting(program: PathBuf, config: Option<PathBuf>) -> anyhow::Result<Agent> {
    let shown = unit::show(unit::UNIT, "ExecStart");
    if let Some(words) = shown.as_deref().and_then(|line| unit::command_of(line, &program)) {
        let file = cli::agent_of(words).flatten();
        let dir = unit::show(unit::UNIT, "WorkingDirectory")
            .filter(|dir| dir.starts_with('/'))
            .unwrap_or_else(|| "/".to_owned());
        let file = config.or_else(|| config_in(file, Path::new(&dir), &program));
        let manager =
            Linux { program: program.clone(), how: How::Unit(unit::UNIT.to_owned()), pid: None, started: None };
        let unit = Some(unit::UNIT.to_owned());
        return Ok(Agent { config: file, dir: Some(dir.into()), unit, ..agent(program, manager) });
    }
    if let Some(root) = layout(&program) {
        let pid = pid_in(&root).filter(|pid| is_of(*pid, &program));
        ensure!(
            pid.is_none(),
            "nothing was changed: {} has pid {}, an agent of another user or with another configuration: give the command as that \
             user, or with that",
            root.join("var/app.pid").display(),
            pid.unwrap_or_default()
        );
        let file = config.or_else(|| Some(root.join("config/cfg.json")).filter(|file| file.exists()));
        let log = Some(root.join("var/app.log"));
        let manager = Linux { program: program.clone(), how: How::Control(root.clone()), pid: None, started: None };
        return Ok(Agent { config: file, dir: Some(root), log, ..agent(program, manager) });
    }
    bail!(
        "nothing was changed: no agent runs from {}, and neither a unit {} nor a `control` script starts it; an executable \
         that does not run is upgraded by copying the new one over it",
        program.display(),
        unit::UNIT
    )
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

/// Those of `program`, and those that are called as agents are.
fn processes(program_here: &Path) -> Vec<Process> {
    let own = std::process::id();
    let look = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok().filter(|pid| *pid != own)?;
        let image = falcon_sys::image_path(pid).ok()?;
        let shown = image.to_str()?;
        let program = PathBuf::from(shown.strip_suffix(DELETED).unwrap_or(shown));
        let is_stale = program != image;
        let names = ["falcon-agent", "falcon-agent.old", "falcon-agent.failed"];
        program.file_name().filter(|name| program == program_here || names.iter().any(|known| name == known))?;
        let started = falcon_sys::started_as(pid).ok().filter(|started| !started.is_elsewhere)?;
        let file = cli::agent_of(started.arguments.clone())?;
        let config = config_in(file, &started.dir, &program);
        Some(Process { pid, program, is_stale, started, config })
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(look).collect()
}

fn how_it_runs(process: &Process) -> How {
    if let Some(unit) = unit::of(process.pid) {
        return How::Unit(unit);
    }
    match layout(&process.program).filter(|root| pid_in(root) == Some(process.pid)) {
        Some(root) => How::Control(root),
        None => How::Alone(process.started.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn what_changes_how_a_program_is_loaded_is_not_taken_over() {
        for (name, mine, others) in [
            ("STATE_DIRECTORY", true, true),
            ("FALCON_ENDPOINT", true, true),
            ("LC_ALL", true, true),
            ("PATH", true, false),
            ("http_proxy", true, false),
            ("LD_PRELOAD", false, false),
        ] {
            assert_eq!((is_kept(name.as_ref(), true), is_kept(name.as_ref(), false)), (mine, others), "{name}");
        }
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
