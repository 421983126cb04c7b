//! From the start of the agent to its end: signals, reloads, the guard, and that nothing keeps it from ending in time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use falcon_sys::EventSource;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::agent::Agent;
use super::aside::Aside;
use super::reload::{self, Outcome, Refused};
use super::watch::{Watch, look};
use super::{LOG_FILE, LOGS_DIR, STOP, runtime, sent, task};
use crate::config::{Loaded, Warning};
use crate::http::{self, Command, Reloaded};
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

/// The file of the log where the configuration names none.
enum OwnLog {
    None,
    /// In the state directory.
    Service,
    /// What standard error is appended to.
    Stderr(PathBuf),
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
    let (setup, own) = match host.log {
        LogTo::Service(event_source) => {
            (log::Setup { level, console: None, file: None, event_source }, OwnLog::Service)
        }
        LogTo::Console => match falcon_sys::appended_stderr() {
            Some(path) => (log::Setup::spare(level), OwnLog::Stderr(path)),
            None => (log::Setup::console(level), OwnLog::None),
        },
    };
    log::init(log::Setup { file: log_file(&loaded, &own), ..setup });
    let host = Host { log: LogTo::Console, ..host };
    let runtime = runtime().context("the system gives no event loop")?;
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(live(loaded, host, &own))));
    // Threads that hang in a dead mount or a resolver are not waited for.
    runtime.shutdown_background();
    // Also where this thread failed by a defect: then that is the last line.
    log::drain();
    ended.unwrap_or_else(|defect| resume_unwind(defect))
}

/// What is asked from outside, one after the other. A reload that is asked for while there is one is done after it: the file
/// may have been read already.
struct Asked {
    signals: mpsc::Receiver<Signal>,
    /// Through the agent's port.
    commands: mpsc::Receiver<Command>,
    /// Of the guard.
    ended: mpsc::Receiver<u8>,
    again: bool,
    /// Who waits for the end of the next reload.
    waiting: Vec<oneshot::Sender<Reloaded>>,
}

/// Why the agent ends, and its exit code.
type End = (&'static str, u8);

impl Asked {
    /// `None`: a reload.
    async fn next(&mut self) -> Option<End> {
        if std::mem::take(&mut self.again) {
            return None;
        }
        self.hear().await
    }

    async fn hear(&mut self) -> Option<End> {
        tokio::select! {
            Some(signal) = self.signals.recv() => match signal {
                Signal::Stop(why) => Some((why, 0)),
                Signal::Reload => None,
            },
            Some(command) = self.commands.recv() => match command {
                Command::Exit => Some(("/exit", 0)),
                Command::Reload(reply) => {
                    self.waiting.push(reply);
                    None
                }
            },
            Some(code) = self.ended.recv() => Some(("guard", code)),
            // Whoever could ask is gone.
            else => std::future::pending().await,
        }
    }

    async fn end(&mut self) -> End {
        loop {
            match self.hear().await {
                Some(end) => return end,
                None => self.again = true,
            }
        }
    }
}

async fn live(mut loaded: Loaded, host: Host, own: &OwnLog) -> anyhow::Result<u8> {
    let signals = (host.signals)().context("signals cannot be received")?;
    let (to_command, commands) = mpsc::channel(http::COMMANDS);
    let mut agent = Agent::start(&loaded, if matches!(own, OwnLog::None) { "; Ctrl-C ends" } else { "" }, to_command);
    tell_warnings(&loaded, &[]);
    agent.stats().configured.set(&loaded);
    sent::note(&loaded, agent.stats());
    let (to_end, ended) = mpsc::channel(1);
    let mut asked = Asked { signals, commands, ended, again: false, waiting: Vec::new() };
    let mut guard = guard::start(&loaded, agent.stats(), host.managed, to_end.clone(), host.exit.clone());
    let (reading, looking) = (Aside::new("config"), Aside::new("watch"));
    // An outcome is read as soon as it lies there, and the next one comes before its directory is synced: it waits, and is not lost.
    let leaving = Arc::new(Mutex::new(Aside::new("reload")));
    let mut watch = Watch::new(&loaded);
    let mut reloads = 0;
    let end = loop {
        let next = tokio::select! {
            next = asked.next() => next,
            () = watch.ripe(async || look(&loaded, &looking).await), if loaded.config.reload.watch => None,
        };
        if let Some(end) = next {
            break end;
        }
        // Who comes later waits for the next one.
        let waiting = std::mem::take(&mut asked.waiting);
        let read = tokio::select! {
            read = reload::read(&loaded, &mut watch, &reading) => read,
            end = asked.end() => break end,
        };
        // Who asked may have read the new file or the old one.
        let mut notes: Vec<_> = loaded.notes_dir().into_iter().collect();
        let outcome = match read {
            Ok(new) if new.config == loaded.config => {
                // Another overlay may be bad, or good and say what is in effect already.
                let before = std::mem::replace(&mut loaded, new);
                tell_warnings(&loaded, &before.warnings);
                agent.stats().configured.set(&loaded);
                Outcome::unchanged(&loaded)
            }
            Ok(new) => {
                let outcome = Outcome::changed(&loaded, &new);
                let (hurry, hurries) = watch::channel(false);
                agent = {
                    let mut going_on = Box::pin(agent.reload(&new, hurries));
                    let going = tokio::select! {
                        agent = &mut going_on => Ok(agent),
                        end = asked.end() => Err(end),
                    };
                    match going {
                        Ok(agent) => agent,
                        Err(end) => {
                            begin_end(end, &host.exit);
                            let _ = hurry.send(true);
                            going_on.await.stop().await;
                            return Ok(end.1);
                        }
                    }
                };
                log::reconfigure(new.config.log_level(), log_file(&new, own));
                if new.config.guard != loaded.config.guard || new.notes_dir() != loaded.notes_dir() {
                    drop(guard);
                    guard = guard::start(&new, agent.stats(), host.managed, to_end.clone(), host.exit.clone());
                }
                loaded = new;
                tell_warnings(&loaded, &[]);
                agent.stats().configured.set(&loaded);
                notes.extend(loaded.notes_dir());
                outcome
            }
            Err(Refused { error, notes: theirs }) => {
                notes.extend(theirs);
                agent.stats().configured.refuse();
                Outcome::refused(&error)
            }
        };
        outcome.tell();
        for who in waiting {
            let reply = if outcome.ok { Ok(Box::new(loaded.config.clone())) } else { Err(outcome.text.clone()) };
            // Who has hung up hears nothing.
            let _ = who.send(reply);
        }
        reloads += 1;
        notes.dedup();
        let leaving = leaving.clone();
        // Nobody here waits for a disk.
        task::spawn(async move {
            let disk = leaving.lock().await;
            for dir in notes {
                outcome.clone().leave(reloads, &dir, &disk).await;
            }
        });
    };
    begin_end(end, &host.exit);
    agent.stop().await;
    Ok(end.1)
}

/// Those that are not among the ones told `before`.
fn tell_warnings(loaded: &Loaded, before: &[Warning]) {
    for warning in loaded.warnings.iter().filter(|warning| !before.contains(warning)) {
        match warning.is_skipped {
            true => crate::log::say!(Warn, "F006", "overlay: {warning}"),
            false => crate::log::say!(Warn, "F002", "{warning}"),
        }
    }
}

/// The file of the log: the configured one, else the agent's own.
fn log_file(loaded: &Loaded, own: &OwnLog) -> Option<log::FileTarget> {
    let log = &loaded.config.log;
    if !log.file.is_empty() {
        let path = loaded.base().join(&log.file);
        let is_stderr = matches!(own, OwnLog::Stderr(of) if *of == path);
        return Some(log::FileTarget { is_stderr, ..log::file(log, path) });
    }
    match own {
        OwnLog::None => None,
        OwnLog::Service => Some(log::file(log, loaded.state_dir()?.join(LOGS_DIR).join(LOG_FILE))),
        OwnLog::Stderr(path) => Some(log::FileTarget { is_stderr: true, ..log::file(log, path.clone()) }),
    }
}

/// Says so, and sees to it that whatever hangs, the process ends in time.
fn begin_end((why, code): End, exit: &Exit) {
    crate::log::say!(Info, "A005", "{why}: stopping");
    let exit = exit.clone();
    let watch = std::thread::Builder::new().name("stop".to_owned()).spawn(move || {
        std::thread::sleep(STOP);
        log::drain();
        exit(code);
    });
    if let Err(error) = watch {
        crate::log::say!(Warn, "A017", "no thread to end what hangs: {error}");
    }
}
