//! `uninstall`: the service and its traces in Windows go; configuration, queue and logs stay, unless they are to go too.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::command::Command;
use super::control::{configuration, stop_service};
use super::place::{NOTES, Place, beside_program};
use super::replaced::Replaced;
use super::{Failure, NAME, Removal, code, on_windows, told};
use crate::app::{LOG_FILE, LOGS_DIR, QUEUE_DIR};
use crate::config::NOTES_DIR;
use crate::queue;
use crate::say::say;

/// A service is gone when nobody has it open any more.
const GONE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(100);
/// What `upgrade` calls its files beside the program.
const UPGRADES: [&str; 4] = [".new", ".old", ".failed", ".unproven"];

/// Stops and removes the service.
pub fn uninstall(file: Option<&Path>, removal: &Removal) -> Result<(), Failure> {
    on_windows()?;
    if !falcon_sys::is_administrator()? {
        return Err(Failure::NotAdministrator);
    }
    let registration = told(falcon_sys::service_registration(NAME), "the service cannot be looked at")?;
    let command = registration.map(|registration| Command::parse(&registration.image_path));
    let config = match &command {
        Some(command) => command.own_config().ok_or_else(|| {
            anyhow!("the service {NAME} is not this agent but {}: nothing was changed", command.program)
        })?,
        // Removed before: what is left lies beside this program, or where it is said.
        None => match file {
            Some(file) => std::path::absolute(file)?,
            None => beside_program().context("this program's own path is not known")?,
        },
    };
    let by_config = Command {
        arguments: ["service", "-c"].map(str::to_owned).into_iter().chain([config.display().to_string()]).collect(),
        program: "falcon-agent.exe".to_owned(),
    };
    let loaded = match configuration(&by_config) {
        Ok(loaded) => Some(loaded),
        // It alone knows where the state is.
        Err(error) if config.exists() && (removal.restore || removal.purge) => {
            return Err(Failure::Failed(error.context("nothing was changed: where queue and logs are is not known")));
        }
        Err(_) => None,
    };
    let program = command.as_ref().map_or_else(std::env::current_exe, |command| Ok(command.program.clone().into()))?;
    let place = Place::new(program, config, loaded.as_ref());
    let replaced = if removal.restore { Replaced::load_own(&place.state)? } else { Replaced::load(&place.state)? };

    if command.is_some() {
        if stop_service(NAME)? {
            say(&format!("stopped {NAME}"));
        }
        delete()?;
        say(&format!("removed {NAME}"));
    } else {
        say(&format!("there is no service {NAME}"));
    }
    if let Err(error) = falcon_sys::event_source_remove(NAME) {
        say(&format!("not removed: the source of events: {error}"));
    }
    remove_from(&place.state.join(NOTES_DIR), |name| NOTES.contains(&name))?;
    match (removal.restore, replaced.is_empty()) {
        (true, true) => say("no older agent was taken over: there is nothing to restore"),
        (true, false) => {
            restore(&replaced, &place.state)?;
        }
        (false, true) => {}
        (false, false) if removal.purge => {}
        (false, false) => say("the older agent stays disabled; `falcon-agent uninstall --restore` puts it back"),
    }
    remove_upgrades(&place.program);
    if removal.purge {
        let log = loaded.as_ref().map(|loaded| (&loaded.config.log.file, loaded.base()));
        let log = log.filter(|(file, _)| !file.is_empty()).map(|(file, base)| base.join(file));
        purge(&place, log.as_deref())?;
    }
    Ok(())
}

/// Each for itself; one that cannot be put back now stays in the record.
fn restore(replaced: &[Replaced], state: &Path) -> Result<(), Failure> {
    let mut left = Vec::new();
    let mut failure = None;
    for old in replaced {
        match old.restore() {
            Ok(told_also) => {
                say(&format!("{} is as it was", old.describe()));
                told_also.iter().for_each(|remark| say(remark));
            }
            Err(error) => {
                left.push(old.clone());
                failure = Some(error.context(format!("{} could not be put back", old.describe())));
            }
        }
    }
    Replaced::keep(&left, state)?;
    failure.map_or(Ok(()), |error| Err(Failure::Failed(error)))
}

/// And waits until it is gone: registered anew before that it would be refused.
fn delete() -> Result<(), Failure> {
    match falcon_sys::service_delete(NAME) {
        Err(error) if error.raw_os_error() == Some(code::MARKED_FOR_DELETE) => {}
        Err(error) if error.raw_os_error() == Some(code::NO_SUCH_SERVICE) => return Ok(()),
        done => told(done, "the service cannot be removed")?,
    }
    let deadline = Instant::now() + GONE;
    while falcon_sys::service_registration(NAME).is_ok_and(|found| found.is_some()) {
        if Instant::now() >= deadline {
            return Err(Failure::Failed(anyhow!(
                "{NAME} is marked for deletion and goes when nobody has it open any more: close services.msc and Task Manager; where it \
                 had failed, wait 5 minutes for the restart that Windows had planned"
            )));
        }
        sleep(GLANCE);
    }
    Ok(())
}

/// What `upgrade` left beside the program. The program itself is whoever's who put it there.
fn remove_upgrades(program: &Path) {
    let stem = program.file_stem().unwrap_or_default();
    for what in UPGRADES {
        let mut name = stem.to_owned();
        name.push(what);
        if let Some(end) = program.extension() {
            name.push(".");
            name.push(end);
        }
        let path = program.with_file_name(name);
        // It may run: this is a removal by the old one, say.
        if let Err(error) = remove(&path) {
            say(&format!("not removed: {error:#}"));
        }
    }
}

/// Configuration, and of queue and logs what the agent made; the directories where nothing else is in them.
fn purge(place: &Place, log: Option<&Path>) -> Result<(), Failure> {
    Replaced::forget(&place.state)?;
    if let Some((log, (dir, name))) = log.and_then(|log| Some((log, (log.parent()?, log.file_name()?.to_str()?)))) {
        // Its older parts have a number behind the name.
        let is_part = |file: &str| {
            let number = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            file == name || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        remove_files(dir, is_part)?;
        say(&format!("removed {}", log.display()));
    }
    remove_from(&place.state.join(LOGS_DIR), |name| name.starts_with(LOG_FILE))?;
    remove_from(&place.state.join(QUEUE_DIR), queue::log::is_own_file)?;
    remove(&place.config)?;
    for dir in [Some(place.state.as_path()), place.config.parent()].into_iter().flatten() {
        if place.program.parent() != Some(dir) {
            // What is not ours keeps it.
            let _ = fs::remove_dir(dir);
        }
    }
    say(&format!("removed {}, and queue and logs in {}", place.config.display(), place.state.display()));
    Ok(())
}

/// Files with such names, and then the directory if it is empty.
fn remove_from(dir: &Path, is_ours: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    remove_files(dir, is_ours)?;
    match fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            say(&format!("{} is not empty and stays: {error}", dir.display()));
        }
        _ => {}
    }
    Ok(())
}

fn remove_files(dir: &Path, is_ours: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    // Who may write there could have put a link in its place.
    if falcon_sys::is_reparse_point(dir).unwrap_or(false) {
        say(&format!("{} is a link and stays", dir.display()));
        return Ok(());
    }
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| dir.display().to_string())?,
    };
    for entry in entries {
        let entry = entry.with_context(|| dir.display().to_string())?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name().to_str().is_some_and(&is_ours) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// A file, if it is there; a link itself, never what it leads to.
fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| path.display().to_string()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_upgrade_left_beside_the_program_goes_with_the_service() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["falcon-agent.exe", "falcon-agent.old.exe", "falcon-agent.failed.exe", "falcon-agent.old.exe.bak"];
        for name in names {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        remove_upgrades(&dir.path().join("falcon-agent.exe"));
        assert_eq!(names.map(|name| dir.path().join(name).exists()), [true, false, false, true]);
    }

    /// `state_dir` may have become a directory of others since: `logs` in it were theirs.
    #[test]
    fn what_the_agent_did_not_make_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (state, config) = (dir.path().join("state"), dir.path().join("etc").join("cfg.json"));
        let files = [
            "logs/agent.log",
            "logs/agent.log.3",
            "queue/0000000000000001.log",
            "queue/cursor",
            "queue/lock",
            "logs/iis.log",
            "queue/notes.txt",
            "other.txt",
        ];
        for file in files.map(|name| state.join(name)).iter().chain([&config]) {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        let log = dir.path().join("etc").join("wa.log");
        for file in ["wa.log", "wa.log.1", "wa.log.bak", "wa.logs"] {
            fs::write(log.with_file_name(file), "x").unwrap();
        }
        let place = Place::of(dir.path().join("falcon-agent.exe"), config, state);
        purge(&place, Some(&log)).unwrap();
        let there = |file: &&str| place.state.join(file).exists();
        let left: Vec<&str> = files.iter().copied().filter(there).collect();
        assert_eq!(left, ["logs/iis.log", "queue/notes.txt", "other.txt"]);
        let mut left: Vec<_> =
            fs::read_dir(place.config.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["wa.log.bak", "wa.logs"]);
        purge(&place, None).unwrap();
    }
}
