//! From the start of the agent to its end: signals, reloads, the guard, and that nothing keeps it from ending in time.

use std::sync::Arc;

use anyhow::Context as _;
use falcon_sys::EventSource;
use tokio::sync::mpsc;

use super::agent::Agent;
use super::reload::{self, Outcome};
use super::{LOG_FILE, LOGS_DIR, STOP, runtime};
use crate::config::Loaded;
use crate::{guard, log};

/// What is asked of a running agent from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To end, and why.
    Stop(&'static str),
    /// To read its configuration again.
    Reload,
}

/// Ends the process at once with this code.
pub type Exit = Arc<dyn Fn(u8) + Send + Sync>;

/// Where the log goes, if the configuration does not say.
#[derive(Debug)]
pub enum LogTo {
    /// Standard error, and a file only where one is named.
    Console,
    /// A file in the state directory; of what an administrator must see, also the event log.
    Service(Option<EventSource>),
}

/// What the agent runs in: a terminal, a service manager.
pub struct Host {
    /// Asked for inside the runtime.
    pub signals: Box<dyn FnOnce() -> std::io::Result<mpsc::Receiver<Signal>> + Send>,
    pub log: LogTo,
    /// Somebody starts the agent again when it fails.
    pub managed: bool,
    /// For when something hangs.
    pub exit: Exit,
}

/// Runs the agent until a signal or the guard says why it ends; answers the exit code.
pub fn run(loaded: Loaded, host: Host) -> anyhow::Result<u8> {
    falcon_sys::limit_heap_growth();
    let level = loaded.config.log_level();
    let (setup, as_service) = match host.log {
        LogTo::Console => (log::Setup::console(level), false),
        LogTo::Service(event_source) => (log::Setup { level, console: None, file: None, event_source }, true),
    };
    log::init(log::Setup { file: log_file(&loaded, as_service), ..setup });
    let host = Host { log: LogTo::Console, ..host };
    let runtime = runtime().context("the system gives no event loop")?;
    let code = runtime.block_on(live(loaded, host, as_service))?;
    // Threads that hang in a dead mount or a resolver are not waited for.
    runtime.shutdown_background();
    log::drain();
    Ok(code)
}

/// What is asked from outside, one after the other. A reload that is asked for while there is one is done after it: the file
/// may have been read already.
struct Asked {
    signals: mpsc::Receiver<Signal>,
    again: bool,
}

impl Asked {
    async fn next(&mut self) -> Signal {
        if std::mem::take(&mut self.again) {
            return Signal::Reload;
        }
        match self.signals.recv().await {
            Some(signal) => signal,
            // Whoever could send one is gone.
            None => std::future::pending().await,
        }
    }

    /// Why the agent is to end, as soon as it is.
    async fn stop(&mut self) -> &'static str {
        loop {
            match self.signals.recv().await {
                Some(Signal::Stop(why)) => return why,
                Some(Signal::Reload) => self.again = true,
                None => return std::future::pending().await,
            }
        }
    }
}

async fn live(mut loaded: Loaded, host: Host, as_service: bool) -> anyhow::Result<u8> {
    let signals = (host.signals)().context("signals cannot be received")?;
    let mut asked = Asked { signals, again: false };
    let mut agent = Agent::start(&loaded);
    tell_warnings(&loaded);
    let (end, mut ended) = mpsc::channel(1);
    let mut guard = guard::start(&loaded, agent.stats(), host.managed, end.clone(), host.exit.clone());
    let mut reloads = 0;
    let (why, code) = loop {
        let signal = tokio::select! {
            signal = asked.next() => signal,
            Some(code) = ended.recv() => break ("guard", code),
        };
        if let Signal::Stop(why) = signal {
            break (why, 0);
        }
        let read = tokio::select! {
            read = reload::read(&loaded) => read,
            why = asked.stop() => break (why, 0),
        };
        let notes = loaded.notes_dir();
        let outcome = match read {
            Ok(new) if new.config == loaded.config => {
                loaded.warnings = new.warnings;
                Outcome::unchanged(&loaded)
            }
            Ok(new) => {
                let outcome = Outcome::changed(&loaded, &new);
                agent = {
                    let mut going_on = Box::pin(agent.reload(&new));
                    let going = tokio::select! {
                        agent = &mut going_on => Ok(agent),
                        why = asked.stop() => Err(why),
                    };
                    match going {
                        Ok(agent) => agent,
                        Err(why) => {
                            // The time for a stop counts from when it is asked for.
                            tell_stop(why);
                            end_in_time(&host.exit, 0)?;
                            going_on.await.stop().await;
                            return Ok(0);
                        }
                    }
                };
                log::reconfigure(new.config.log_level(), log_file(&new, as_service));
                if new.config.guard != loaded.config.guard || new.notes_dir() != notes {
                    drop(guard);
                    guard = guard::start(&new, agent.stats(), host.managed, end.clone(), host.exit.clone());
                }
                loaded = new;
                tell_warnings(&loaded);
                outcome
            }
            Err(error) => Outcome::refused(&error),
        };
        outcome.tell();
        reloads += 1;
        // Who asked may have read the new file or the old one.
        let mut dirs: Vec<_> = [notes, loaded.notes_dir()].into_iter().flatten().collect();
        dirs.dedup();
        for dir in dirs {
            outcome.clone().leave(reloads, &dir).await;
        }
    };
    tell_stop(why);
    end_in_time(&host.exit, code)?;
    agent.stop().await;
    Ok(code)
}

fn tell_warnings(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(code = "F002", "{warning}");
    }
}

fn tell_stop(why: &str) {
    tracing::info!(code = "A005", "{why}: stopping");
}

/// The file of the log: the configured one; a service has one in any case.
fn log_file(loaded: &Loaded, as_service: bool) -> Option<log::FileTarget> {
    let log = &loaded.config.log;
    let by_default = || loaded.state_dir().filter(|_| as_service).map(|state| state.join(LOGS_DIR).join(LOG_FILE));
    let path = if log.file.is_empty() { by_default()? } else { loaded.base().join(&log.file) };
    Some(log::file(log, path))
}

/// Whatever hangs, this ends the process in time.
fn end_in_time(exit: &Exit, code: u8) -> std::io::Result<()> {
    let exit = exit.clone();
    std::thread::Builder::new().name("stop".to_owned()).spawn(move || {
        std::thread::sleep(STOP);
        log::drain();
        exit(code);
    })?;
    Ok(())
}
