//! `uninstall`: the service and its traces in Windows go; configuration, queue and logs stay, unless they are to go too.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::command::Command;
use super::control::{configuration, stop_service};
use super::old::Replaced;
use super::place::{DIRECTORIES, FILES, Place, beside_program};
use super::{Failure, NAME, Removal, code, on_windows, told};

/// A service is gone when nobody has it open any more.
const GONE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(100);

/// Stops and removes the service.
pub fn uninstall(removal: &Removal) -> Result<(), Failure> {
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
        // Removed before: what is left lies beside this program.
        None => beside_program().context("this program's own path is not known")?,
    };
    let by_config = Command {
        arguments: ["service", "-c"].map(str::to_owned).into_iter().chain([config.display().to_string()]).collect(),
        program: "falcon-agent.exe".to_owned(),
    };
    let loaded = configuration(&by_config).ok();
    let place = Place::new(std::env::current_exe()?, config, loaded.as_ref());
    let replaced = Replaced::load(&place.state)?;

    if command.is_some() {
        if stop_service(NAME)? {
            println!("stopped {NAME}");
        }
        delete()?;
        println!("removed {NAME}");
    } else {
        println!("there is no service {NAME}");
    }
    if let Err(error) = falcon_sys::event_source_remove(NAME) {
        println!("not removed: the source of events: {error}");
    }
    for name in FILES {
        remove(&place.state.join(name))?;
    }
    match (removal.restore, replaced.is_empty()) {
        (true, true) => println!("no older agent was taken over: there is nothing to restore"),
        (true, false) => {
            for old in replaced {
                let what = old.describe();
                let told_also = old.restore()?;
                println!("{what} is as it was");
                told_also.iter().for_each(|remark| println!("{remark}"));
            }
            Replaced::forget(&place.state)?;
        }
        (false, true) => {}
        (false, false) if removal.purge => {}
        (false, false) => println!("the older agent stays disabled; `falcon-agent uninstall --restore` puts it back"),
    }
    if removal.purge {
        purge(&place)?;
    }
    Ok(())
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
                "{NAME} is marked for deletion and goes when other programs have closed it: close services.msc and Task Manager"
            )));
        }
        sleep(GLANCE);
    }
    Ok(())
}

/// Configuration, queue, logs; the state directory itself where nothing else is in it.
fn purge(place: &Place) -> Result<(), Failure> {
    Replaced::forget(&place.state)?;
    for name in DIRECTORIES {
        remove(&place.state.join(name))?;
    }
    remove(&place.config)?;
    for dir in [Some(place.state.as_path()), place.config.parent()].into_iter().flatten() {
        if place.program.parent() != Some(dir) {
            // What is not ours keeps it.
            let _ = fs::remove_dir(dir);
        }
    }
    println!("removed {}, and queue and logs in {}", place.config.display(), place.state.display());
    Ok(())
}

/// A file or a directory, if it is there; a link itself, never what it leads to.
fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| path.display().to_string()),
        _ => Ok(()),
    }
}
