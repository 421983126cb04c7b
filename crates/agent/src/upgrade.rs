//! `falcon-agent upgrade FILE --sha256 H`: another executable in the place of the agent's, or the old one back.
//!
//! What can be found wrong is found before the agent is stopped: the hash, the new executable's own opinion of the
//! configuration and of this host, and that a transfer acknowledges calls, without which nothing could be judged. Then the
//! agent is stopped, which puts its queue on disk, the files are exchanged ([`files`]) and it is started. It has proved itself
//! when it runs, as the same process, and has noted that a transfer acknowledged a call of it ([`sent`]); else the old
//! executable is put back and started.
//!
//! At each moment of a power cut or of the end of this program a startable file has the agent's name:
//! * up to the exchange it is the old one, beside `falcon-agent.new`, which the next upgrade removes;
//! * Linux exchanges them in one step. Windows has no such step for a program that may run: between two renames, a moment long,
//!   there is `falcon-agent.old.exe` and no `falcon-agent.exe`; the next upgrade begins by renaming it back;
//! * from then on it is the new one, which nobody judges any more, and `falcon-agent.unproven` says so: the next upgrade with the
//!   same file judges it, and one with another keeps `.old`, to which both go back.
//!
//! How an agent is stopped and started is its [`Manager`]'s: the service control manager of Windows, or what [`linux`] finds.

mod ask;
mod files;
mod linux;
mod trial;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use crate::app::{LOG_FILE, LOGS_DIR, sent};
use crate::collect;
use crate::config::{self, Loaded};
use crate::model::Platform;
use crate::plugin;
use crate::say::say;
use crate::service::{self, Failure};
use files::Files;
pub use files::parse_hash;

/// What a [`Failure::Upgrade`] ends with.
pub mod code {
    /// The file is not what the hash says, or cannot be read.
    pub const NOT_THE_FILE: u8 = 10;
    /// The new executable refused; nothing was changed.
    pub const REFUSED: u8 = 11;
    /// No transfer acknowledges anything now; nothing was changed.
    pub const NO_TRANSFER: u8 = 12;
    /// The old executable runs again.
    pub const PUT_BACK: u8 = 13;
    /// Somebody has to look after the agent.
    pub const BROKEN: u8 = 14;
}

/// For an acknowledged call, unless the configuration lets more time go by before the first.
const WITHIN: Duration = Duration::from_secs(120);
/// Beyond what the configuration lets go by.
const MARGIN: Duration = Duration::from_secs(60);
/// An agent without a transfer has only to run.
const RUNS: Duration = Duration::from_secs(30);
/// One that ends right after a transfer answered did not stay.
const STAYS: Duration = Duration::from_secs(3);
const GLANCE: Duration = Duration::from_millis(200);
/// Between two lines about what is waited for.
const TELL: Duration = Duration::from_secs(10);
/// Lines of the log that are shown.
const LAST_LINES: usize = 5;
/// With what systemd says between them.
const JOURNAL_LINES: u32 = 20;

/// What the verb is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub file: PathBuf,
    pub sha256: [u8; 32],
    pub within: Option<Duration>,
}

/// How the agent is stopped and started.
pub(crate) trait Manager {
    /// Until no process of it is left; one that does not end is killed. It may be stopped already.
    fn stop(&mut self) -> anyhow::Result<()>;

    /// Answers the process that runs.
    fn start(&mut self) -> anyhow::Result<u32>;

    /// Whether the agent is still this process, and that of the file that has the agent's name.
    fn runs(&self, pid: u32) -> bool;

    /// Gives a copy the rights that the program has.
    fn give_rights(&self, to: &Path) -> anyhow::Result<()>;

    /// Where that process leaves its notes.
    fn notes(&self, pid: u32, loaded: &Loaded) -> Option<PathBuf>;
}

/// The agent that is to be upgraded.
pub(crate) struct Agent {
    pub manager: Box<dyn Manager>,
    /// The file that has its name.
    pub program: PathBuf,
    pub config: Option<PathBuf>,
    /// Where it runs.
    pub pid: Option<u32>,
    /// Its program was replaced since it was started.
    pub is_stale: bool,
    /// Where it was started, and with which environment; `None`: as this program.
    pub dir: Option<PathBuf>,
    pub environment: Option<Vec<(OsString, OsString)>>,
    pub log: Option<PathBuf>,
    /// The unit whose journal has it otherwise.
    pub unit: Option<String>,
}

fn failed(code: u8, error: anyhow::Error) -> Failure {
    Failure::Upgrade(code, error)
}

/// `file` is the configuration, where it is named.
pub fn run(file: Option<&Path>, wanted: &Wanted) -> Result<(), Failure> {
    if std::env::var_os(plugin::run::MARK).is_some() {
        return Err(anyhow!(
            "nothing was changed: a plugin ends when its agent is stopped, and this would with it; start the upgrade as a task of \
             its own (systemd-run, schtasks)"
        )
        .into());
    }
    // A window that is closed ends what lives in it, so the work is done in one that nobody sees.
    if let Some(code) = trial::set_apart()? {
        std::process::exit(code);
    }
    let mut agent = match Platform::CURRENT {
        Platform::Windows => service::managed(file)?,
        Platform::Linux => linux::find(file, &wanted.file)?,
    };
    let program = agent.program.clone();
    let files = Files::of(&program);
    let _alone = falcon_sys::hold_alone(files.dir()).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            anyhow!("another upgrade of {} is under way; wait for its end", program.display()).into()
        }
        std::io::ErrorKind::PermissionDenied => Failure::NotAdministrator,
        _ => Failure::Failed(anyhow!("nothing was changed: {}: {error}", files.dir().display())),
    })?;
    // Before anything is put in order: what lies there may be what is asked for.
    let bytes = files::read(&wanted.file, &wanted.sha256).map_err(|error| failed(code::NOT_THE_FILE, error))?;
    if files.is_new(&wanted.file) {
        return Err(anyhow!(
            "nothing was changed: upgrades write to {} themselves; give the file another name",
            files.new.display()
        )
        .into());
    }
    files.clean()?;
    let before = files::hash_of(&program)?;
    let (is_there, is_unproven) = (before == wanted.sha256, files.is_unproven(&before));
    let running = agent.pid.filter(|_| is_there && !agent.is_stale);
    if running.is_some() && !is_unproven {
        say(&format!("{} is this file already, and it runs: nothing to do", program.display()));
        return Ok(());
    }
    // What this executable cannot read the new one may: it is asked.
    let loaded = config::load(agent.config.as_deref(), &collect::known());
    let loaded = loaded.inspect_err(|error| say(&format!("this executable refuses the configuration: {error}"))).ok();
    let loaded = loaded.as_ref();
    agent.log = loaded.and_then(log_of).or(agent.log);
    if !is_there {
        files.stage(&bytes).and_then(|()| agent.manager.give_rights(&files.new)).inspect_err(|_| files.drop_new())?;
    }
    drop(bytes);
    let candidate = if is_there { &program } else { &files.new };
    let noted = loaded.and_then(|loaded| agent.manager.notes(agent.pid.unwrap_or_default(), loaded));
    let ready = || {
        let new = trial::check(candidate, &agent).map_err(|error| failed(code::REFUSED, error))?;
        let old = if is_there { new.clone() } else { trial::version(&program, &agent).unwrap_or_default() };
        loaded.map_or(Ok(()), asks_transfer)?;
        noted.as_deref().map_or(Ok(()), sent::can_be_noted).context("nothing was changed: the agent's notes")?;
        Ok::<_, Failure>((old, new))
    };
    let (old, new) = ready().inspect_err(|_| files.drop_new())?;

    falcon_sys::heed_no_stop();
    let shown = program.display();
    if !is_there {
        exchange(&mut agent, &files, &before, &wanted.sha256)?;
        say(&format!("{shown} is replaced"));
    } else if running.is_some() {
        say(&format!("{shown} is this file already, and no upgrade has judged it"));
    } else {
        say(&format!("{shown} is this file already, and it does not run"));
        // What runs is what had its name before.
        agent.manager.stop().context("nothing was changed: the agent does not stop")?;
    }
    if let Some(notes) = noted.filter(|_| running.is_none()) {
        // A pid is given again, and this note would be taken for that of the new process.
        let _ = std::fs::remove_file(sent::file(&notes));
    }
    let started = running.map_or_else(|| agent.manager.start(), Ok);
    match started.and_then(|pid| judge(&agent, pid, loaded, wanted.within)) {
        Ok(()) => {
            files.is_judged();
            if is_there {
                say("it runs now");
                return Ok(());
            }
            let mut text = format!("upgraded: {old}\n      to: {new}\n");
            // Not what was replaced, where nobody had judged that.
            let hash = files::hash_of(&files.old).map_or_else(|_| String::new(), |hash| files::shown(&hash));
            let (quoted, kept) = (quoted(&program), quoted(&files.old));
            let _ = write!(text, "to go back: {quoted} upgrade {kept} --sha256 {hash}");
            say(&text);
            Ok(())
        }
        Err(error) if is_there && !is_unproven => Err(failed(
            code::BROKEN,
            error.context(format!(
                "{shown} was this file already and does not prove itself; it stays, for what ran before it is not known{}",
                last_lines(&agent)
            )),
        )),
        Err(error) => {
            let last = last_lines(&agent);
            Err(put_back(&mut agent, &files, error.context("the new executable did not prove itself"), &last))
        }
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// # Errors
/// Nothing that the new executable did could be judged.
fn asks_transfer(loaded: &Loaded) -> Result<(), Failure> {
    if !sends(loaded) {
        return Ok(());
    }
    ask::any_acknowledges(&loaded.config.transfer.addrs).map_err(|why| {
        failed(
            code::NO_TRANSFER,
            anyhow!("nothing was changed: no transfer acknowledges a call now ({why:#}), so the new executable could not be judged; try again when one does"),
        )
    })
}

/// Whether calls of it are to be expected.
fn sends(loaded: &Loaded) -> bool {
    let transfer = &loaded.config.transfer;
    transfer.enabled && !transfer.addrs.is_empty()
}

/// Stops the agent and gives its name to the new file.
fn exchange(agent: &mut Agent, files: &Files, before: &[u8; 32], new: &[u8; 32]) -> Result<(), Failure> {
    let done = agent.manager.stop().context("the agent does not stop").and_then(|()| files.replace(before, new));
    // What starts what has failed may have started the old file in between; from here on it starts the new one.
    let Err(error) = done.and_then(|()| agent.manager.stop()) else { return Ok(()) };
    if files.is_replaced() {
        return Err(put_back(agent, files, error, ""));
    }
    files.drop_new();
    files.is_judged();
    if !files.program.exists() {
        let program = files.program.display();
        return Err(failed(
            code::BROKEN,
            anyhow!("{error:#}; nothing is called {program} now: rename it by hand, and start the agent"),
        ));
    }
    let error = error.context("nothing was changed");
    match agent.manager.start() {
        Ok(_) => Err(Failure::Failed(error)),
        Err(also) => Err(failed(
            code::BROKEN,
            anyhow!("{error:#}; and the agent does not start again: {also:#}; start it by hand"),
        )),
    }
}

/// Waits until the new process has proved itself.
fn judge(agent: &Agent, pid: u32, loaded: Option<&Loaded>, within: Option<Duration>) -> anyhow::Result<()> {
    let sending = loaded.filter(|loaded| sends(loaded));
    let notes = sending.and_then(|loaded| agent.manager.notes(pid, loaded));
    let first = sending.map_or(0, |loaded| loaded.config.transfer.interval.max(loaded.config.transfer.replay_delay));
    let first = Duration::from_secs(u64::from(first)) + MARGIN;
    let limit = within.unwrap_or_else(|| WITHIN.max(first));
    let needed = if notes.is_some() { STAYS } else { RUNS.min(limit) };
    match &notes {
        Some(_) => say(&format!(
            "pid {pid} runs; waiting for a transfer to acknowledge a call of it, {} s at most",
            limit.as_secs()
        )),
        None => say(&format!(
            "pid {pid} runs; {}, so it only has to run for {} s",
            match (sending, loaded) {
                (Some(_), _) => "where it notes what it has sent is not known",
                (None, Some(_)) => "it has no transfer to send to",
                (None, None) => "this executable cannot say where it sends to",
            },
            needed.as_secs()
        )),
    }
    let (begun, mut told) = (Instant::now(), TELL);
    loop {
        if !agent.manager.runs(pid) {
            return Err(anyhow!("it ended, {} s after it was started", begun.elapsed().as_secs()));
        }
        let acknowledged = notes.as_deref().is_none_or(|notes| sent::by(notes) == Some(pid));
        let waited = begun.elapsed();
        if acknowledged && waited >= needed {
            return Ok(());
        }
        if waited >= limit.max(needed) {
            return Err(anyhow!("it runs, and no transfer acknowledged a call of it within {} s", limit.as_secs()));
        }
        if waited >= told {
            told += TELL;
            say(&format!("still waiting, for {} s of {}", waited.as_secs(), limit.as_secs()));
        }
        sleep(GLANCE);
    }
}

/// The old file has its name again, and runs.
fn put_back(agent: &mut Agent, files: &Files, why: anyhow::Error, last: &str) -> Failure {
    say(&format!("{why:#}; putting the old executable back"));
    if !files.old.exists() {
        return failed(code::BROKEN, anyhow!("{why:#}, and there is no {} to put back{last}", files.old.display()));
    }
    let back = agent.manager.stop().and_then(|()| files.put_back());
    let started = back.and_then(|()| agent.manager.stop()).and_then(|()| agent.manager.start()).and_then(|pid| {
        let begun = Instant::now();
        while begun.elapsed() < STAYS {
            anyhow::ensure!(agent.manager.runs(pid), "it ended at once");
            sleep(GLANCE);
        }
        Ok(())
    });
    match started {
        Ok(()) => {
            files.is_judged();
            failed(
                code::PUT_BACK,
                anyhow!("the old executable runs again, the new one lies in {}: {why:#}{last}", files.failed.display()),
            )
        }
        Err(error) => failed(
            code::BROKEN,
            anyhow!(
                "{why:#}; and the old executable could not be put back: {error:#}. By hand: stop the agent, see that {} is the \
                 old executable (it is in {} otherwise), start the agent{last}",
                files.program.display(),
                files.old.display()
            ),
        ),
    }
}

/// Where an agent of this configuration logs; a service has a file in any case.
fn log_of(loaded: &Loaded) -> Option<PathBuf> {
    let named = &loaded.config.log.file;
    if !named.is_empty() {
        return Some(loaded.base().join(named));
    }
    loaded
        .state_dir()
        .filter(|_| Platform::CURRENT == Platform::Windows)
        .map(|state| state.join(LOGS_DIR).join(LOG_FILE))
}

/// Of the log, for whoever reads why.
fn last_lines(agent: &Agent) -> String {
    let Some((log, text)) = agent.log.as_ref().and_then(|log| Some((log, files::tail(log)?))) else {
        let unit = agent.unit.as_deref();
        return unit.map_or_else(String::new, |unit| format!("\nits log: journalctl -u {unit} -n {JOURNAL_LINES}"));
    };
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    format!("\nthe end of {}:\n  {}", log.display(), lines.get(from..).unwrap_or_default().join("\n  "))
}
