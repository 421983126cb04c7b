//! The command line: the Go agent's flags and our verbs.

mod args;
mod check;
mod collect;
mod help;
mod plugin;
mod queue;
mod table;
mod verbs;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::app::{self, LogTo, Signal};
use crate::collect as collectors;
use crate::perf::reader::{Reader, Registry};
use crate::perf::worker;
use crate::say::say;
use crate::service::Wanted;
use crate::{adopt, clock, config, guard, service, upgrade};
use args::Ended;
use verbs::Verb;

/// The whole program. `signals` are asked for inside the runtime.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    signals: impl FnOnce() -> io::Result<mpsc::Receiver<Signal>> + Send + 'static,
) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.len() <= 1 && falcon_sys::started_by_double_click() {
        return service::explain();
    }
    let (file, verb) = match verbs::parse(args) {
        Ok(parsed) => parsed,
        Err(Ended::Help(text)) => return done(show(&text)),
        Err(wrong) => {
            eprint!("{wrong}");
            return ExitCode::from(wrong.exit_code());
        }
    };
    if let Verb::Install(Wanted { log: Some(log), .. }) | Verb::Start { log: Some(log) } = &verb
        && let Err(error) = say_to(log)
    {
        // What is asked for matters more than where it is told.
        let _ = writeln!(io::stderr(), "falcon-agent: what follows is not in the log: {error:#}");
    }
    let told = match &verb {
        Verb::Version => {
            let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("FALCON_BUILD_COMMIT"));
            return done(show(&format!("Open-Falcon falcon-agent version {version}, build {commit}\n")));
        }
        Verb::Check => return done(check::run()),
        Verb::Service => return service::run(file),
        Verb::PerfWorker => return worker_main(),
        Verb::Install(wanted) => service::install(file.as_deref(), wanted),
        Verb::Update(wanted) => service::update(file.as_deref(), wanted),
        Verb::Uninstall(removal) => service::uninstall(file.as_deref(), removal),
        Verb::Configure(asked) => adopt::configure(file.as_deref(), asked),
        Verb::Adopt { dir, keep_running } => adopt::adopt(Path::new(dir), file.as_deref(), *keep_running),
        Verb::Start { .. } => service::start(),
        Verb::Stop => service::stop(),
        Verb::Restart => service::restart(),
        Verb::Reload => service::reload(),
        Verb::Status => service::status(),
        Verb::Upgrade(wanted) => upgrade::run(file.as_deref(), wanted),
        Verb::Run | Verb::Debug | Verb::Collect { .. } | Verb::Queue { .. } | Verb::Plugin(_) | Verb::Config => {
            return on_configuration(file, verb, signals);
        }
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The code counts also where nobody reads any more.
            let _ = writeln!(io::stderr(), "falcon-agent: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// Whether these words, the first of them the program's name, start the agent; and the configuration that they name.
#[allow(clippy::option_option, reason = "no agent, and none named")]
pub(crate) fn agent_of(words: Vec<OsString>) -> Option<Option<PathBuf>> {
    match verbs::parse(words) {
        Ok((file, Verb::Run | Verb::Debug)) => Some(file),
        _ => None,
    }
}

/// With the time in front: what was said before is kept.
fn say_to(log: &Path) -> anyhow::Result<()> {
    falcon_sys::say_to(log).with_context(|| log.display().to_string())?;
    let now = falcon_sys::local_time(clock::unix_s());
    say(&format!("{}-{:02}-{:02} {:02}:{:02}:{:02}", now.year, now.month, now.day, now.hour, now.minute, now.second));
    Ok(())
}

/// What `perf::link` starts.
fn worker_main() -> ExitCode {
    worker::run(|| Reader::new(Registry::default()))
}

fn on_configuration(
    file: Option<PathBuf>,
    verb: Verb,
    signals: impl FnOnce() -> io::Result<mpsc::Receiver<Signal>> + Send + 'static,
) -> ExitCode {
    let loaded = match config::load(file.as_deref(), &collectors::known()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("falcon-agent: {error}");
            return ExitCode::FAILURE;
        }
    };
    match verb {
        Verb::Collect { format, only } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(collect::run(loaded, format, only.as_deref()))
        }
        Verb::Queue { what } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(queue::run(&loaded, what).and_then(|text| show(&text)))
        }
        Verb::Plugin(plugin::What::Run { format, path, args }) => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(plugin::run(loaded, format, &path, args, Box::new(signals)))
        }
        Verb::Config => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            loaded.overlays.iter().for_each(|file| eprintln!("with {file}"));
            eprintln!("agent.config.crc: {}", loaded.config.crc());
            done(show(&format!("{}\n", loaded.config.to_json())))
        }
        _ => {
            let exit = Arc::new(|code: u8| std::process::exit(code.into()));
            let host =
                app::Host { signals: Box::new(signals), log: LogTo::Console, managed: guard::is_managed(), exit };
            app::run(loaded, host).map_or_else(|error| done(Err(error)), ExitCode::from)
        }
    }
}

/// To standard output. A reader that has seen enough (`| head`) is no fault; a full disk is.
fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

fn done(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("falcon-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;
