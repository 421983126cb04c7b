//! The guard: an agent that takes more of its host than it may is ended, and its service manager starts it anew.
//!
//! A thread of its own looks every ten seconds, for an event loop that spins would look no more. Over a limit
//! ([`watch`]) the agent stops in good order and exits with [`AGAIN`]. The ends are kept in `guard.json` ([`record`]): after
//! three within an hour the next one is with [`STAY`], and the agent stays down until somebody starts it.
//!
//! It only warns, once for each time that the agent comes over a limit, where an end would do harm: where no service manager
//! runs the agent, for the host would be left unwatched; and where the end cannot be recorded, for then it could be repeated
//! for ever. The record is opened in that thread: the directory may be on a mount that hangs, and then it is the guard
//! alone that waits for it.

mod record;
mod watch;

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::record::Record;
use self::watch::{Reading, Watch};
use crate::config::Loaded;
use crate::stats::Stats;
use crate::{app, clock, log};

/// Exit code of an agent that is to be started again.
pub const AGAIN: u8 = 75;
/// Exit code of one that is not.
pub const STAY: u8 = 76;

const PERIOD: Duration = Duration::from_secs(10);
/// Within [`record::HOUR_S`]; the next one is the last.
const MOST_ENDS: usize = 3;

struct Guard {
    watch: Watch,
    /// `None`: nothing is kept of this agent.
    record: Option<Record>,
    /// A service manager starts the agent again.
    managed: bool,
    stats: Arc<Stats>,
    /// The last look found the agent over a limit: that was counted and told.
    over: bool,
}

/// Dropped, the guard looks no more.
pub struct Watching(#[allow(dead_code, reason = "its thread asks whether it is still there")] Arc<()>);

/// Starts it, unless it is switched off. `managed`: a service manager starts the agent again. `end` is told the exit code when
/// the agent is to stop; where that does not end it, `exit` does.
pub fn start(
    loaded: &Loaded,
    stats: Arc<Stats>,
    managed: bool,
    end: mpsc::Sender<u8>,
    exit: app::Exit,
) -> Option<Watching> {
    let config = &loaded.config.guard;
    if !config.enabled || (config.memory_mb == 0 && config.cpu_percent == 0) {
        return None;
    }
    let watching = Arc::new(());
    let watched = Arc::downgrade(&watching);
    let state = loaded.notes_dir();
    let mut guard = Guard { watch: Watch::new(config), record: None, managed, stats, over: false };
    let run = move || {
        guard.record = state.map(|dir| Record::open(&dir, clock::unix_s()));
        let Some(code) = guard.run(&watched) else { return };
        // Without a receiver the agent is stopping already.
        let _ = end.try_send(code);
        // An event loop that spins hears of nothing.
        std::thread::sleep(app::STOP + Duration::from_secs(1));
        log::drain();
        exit(code);
    };
    if let Err(error) = std::thread::Builder::new().name("guard".to_owned()).stack_size(256 * 1024).spawn(run) {
        crate::log::say!(
            Warn,
            "G001",
            "guard: no thread for it ({error}): the agent is not held to the limits of `guard`"
        );
    }
    Some(Watching(watching))
}

/// Whether somebody starts the agent again when it ends: systemd, or whoever says so with `FALCON_SERVICE`.
pub fn is_managed() -> bool {
    is_managed_by(|name| std::env::var_os(name))
}

fn is_managed_by(var: impl Fn(&str) -> Option<OsString>) -> bool {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    match var("FALCON_SERVICE") {
        Some(told) => told != "0",
        // A shell has the INVOCATION_ID of the service that its terminal belongs to: newer systemd tells which process it
        // meant.
        None => {
            let own = std::process::id().to_string();
            var("INVOCATION_ID").is_some() && var("SYSTEMD_EXEC_PID").is_none_or(|pid| pid == OsStr::new(&own))
        }
    }
}

impl Guard {
    /// Looks until the agent is to end, and answers the exit code, or until nobody wants it to look.
    fn run(&mut self, watched: &Weak<()>) -> Option<u8> {
        let begun = Instant::now();
        while watched.strong_count() > 0 {
            // What cannot be read is told by the collector of `agent.*`.
            if let Ok(usage) = falcon_sys::self_usage() {
                let replaying = self.stats.replay_left.get() > 0;
                let reading =
                    Reading { at: begun.elapsed(), rss_bytes: usage.rss_bytes, cpu_us: usage.cpu_us, replaying };
                if let Some(code) = self.look(reading, clock::unix_s()) {
                    return Some(code);
                }
            }
            std::thread::sleep(PERIOD);
        }
        None
    }

    /// One look at `now` (Unix seconds); the exit code if the agent is to end.
    fn look(&mut self, reading: Reading, now: i64) -> Option<u8> {
        let ends = self.record.as_ref().map_or(0, |record| record.recent(now));
        self.stats.guard_ends.set(ends);
        let Some(excess) = self.watch.look(reading) else {
            self.over = false;
            return None;
        };
        let newly = !std::mem::replace(&mut self.over, true);
        if newly {
            self.stats.guard_exceeded.add(1);
        }
        let why_not = match &mut self.record {
            _ if !self.managed => "no service manager would start it again".to_owned(),
            None => "there is no directory to count its ends in (`state_dir`)".to_owned(),
            Some(_) if ends >= MOST_ENDS => {
                crate::log::say!(
                    Error,
                    "G002",
                    "guard: {excess}; this agent was ended {ends} times within an hour and now stays down, exit code {STAY}. \
                     See what it is asked to do, raise the limit (0: none) in cfg.json, and start it again"
                );
                return Some(STAY);
            }
            Some(record) => match record.add(now) {
                Ok(()) => {
                    crate::log::say!(
                        Error,
                        "G003",
                        "guard: {excess}; ended, to be started again, exit code {AGAIN} ({} of {MOST_ENDS} within an hour)",
                        ends + 1
                    );
                    return Some(AGAIN);
                }
                Err(error) => format!("its end cannot be recorded: {error}"),
            },
        };
        if newly {
            crate::log::say!(Warn, "G004", "guard: {excess}; the agent goes on: {why_not}");
        }
        None
    }
}

#[cfg(test)]
mod tests;
