//! One run of a plugin from its file to the points that are sent: found, checked, started, read, decoded.
//!
//! As of the Go agent: a run that fails and says nothing on standard error sends nothing, one that says something there sends what
//! it printed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::launch::{self, Launch};
use super::run::{Bounds, Ran};
pub use super::run::{End, Stop};
use super::{Plugin, Settings, files, output, place, run, said};
use crate::clock;
use crate::push::{Batch, Rules};

/// Bytes of standard output.
pub const MOST_OUTPUT: usize = 4 << 20;
/// Bytes of standard error that are kept in its file.
const MOST_STDERR: usize = 64 << 10;
/// Characters of it that are shown.
const MOST_TOLD: usize = 4096;
/// Items of one run.
pub const MOST_ITEMS: usize = 100_000;
/// Before its next run a plugin has ended.
const SPARE: Duration = Duration::from_millis(500);

const STOPPED: &str = "was ended before it was over";

/// Waits until so many bytes of output may be decoded, whose points take several times as much; `false`: they are not wanted
/// any more.
pub type Room<'a> = &'a dyn Fn(usize) -> bool;

/// What plugins are told of the agent, and what their points are held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Of this host.
    pub endpoint: Arc<str>,
    /// See [`Rules::default_tags`].
    pub default_tags: usize,
}

/// What came of a run.
#[derive(Debug)]
pub struct Performed {
    /// Unix seconds.
    pub began_s: i64,
    pub took: Duration,
    pub end: End,
    /// Its beginning.
    pub stderr: String,
    /// `None`: it printed nothing. An error says why nothing is sent.
    pub batch: Result<Option<Batch>, String>,
    /// What an administrator should know though it ran.
    pub remark: Option<String>,
}

/// Runs a plugin, and keeps nothing of what it says. It waits for the end of the run, and for the disk.
pub fn perform(plugin: &Plugin, settings: &Settings, terms: &Terms, stop: &Stop) -> Performed {
    perform_within(plugin, settings, terms, stop, most_time(plugin.cycle_s), false, &|_| true)
}

/// The same beside others, and what it says on standard error is kept below `plugin.logs`.
pub fn perform_and_keep(plugin: &Plugin, settings: &Settings, terms: &Terms, stop: &Stop, room: Room<'_>) -> Performed {
    perform_within(plugin, settings, terms, stop, most_time(plugin.cycle_s), true, room)
}

/// How long a plugin of this cycle may run.
pub fn most_time(cycle_s: u32) -> Duration {
    Duration::from_secs(u64::from(cycle_s)).saturating_sub(SPARE)
}

fn perform_within(
    plugin: &Plugin,
    settings: &Settings,
    terms: &Terms,
    stop: &Stop,
    time: Duration,
    keeps: bool,
    room: Room<'_>,
) -> Performed {
    let (began_s, begun) = (clock::unix_s(), Instant::now());
    let mut remarks = Vec::new();
    let ran = match prepared(plugin, settings) {
        Ok(launch) => {
            remarks.extend(launch.interpreter().and_then(|program| place::check_file(program).err()));
            let mut command = launch.command();
            command.env("FALCON_ENDPOINT", &*terms.endpoint).env("FALCON_STEP", plugin.cycle_s.to_string());
            if !settings.cwd.as_os_str().is_empty() {
                command.current_dir(&settings.cwd);
            }
            let bounds = Bounds { time, stdout: MOST_OUTPUT, stderr: MOST_STDERR, memory_bytes: settings.memory_bytes };
            run::run(&plugin.key, &mut command, &bounds, stop, &|error| launch.explain(error, &settings.cwd))
        }
        Err(why) => Ran::not_started(why),
    };
    let took = begun.elapsed();
    let oem = &falcon_sys::oem_text;
    let stderr = output::text(&ran.stderr, ran.dropped > 0, oem);
    if keeps
        && !stderr.is_empty()
        && let Err(why) = said::keep(&settings.logs, plugin, &stderr, ran.dropped)
    {
        remarks.push(why);
    }
    let batch = match refused(&ran, time, stderr.is_empty()) {
        Some(why) => Err(why),
        None if !room(ran.stdout.len()) => Err(STOPPED.to_owned()),
        None => {
            let rules = Rules { now: clock::unix_s(), items: MOST_ITEMS, default_tags: terms.default_tags };
            output::points(&ran.stdout, oem, &rules)
        }
    };
    let stderr = stderr.chars().take(MOST_TOLD).collect();
    let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
    Performed { began_s, took, end: ran.end, stderr, batch, remark }
}

/// Looked for again: since it was listed it may have been changed, or a link put in its place.
pub fn prepared(plugin: &Plugin, settings: &Settings) -> Result<Launch, String> {
    let parts: Vec<String> = plugin.path.split('/').map(str::to_owned).collect();
    launch::launch(&files::find(&settings.dir, &parts)?, &plugin.args)
}

/// Why nothing of what it printed is sent.
fn refused(ran: &Ran, time: Duration, is_silent: bool) -> Option<String> {
    let seconds = time.as_secs_f64();
    match &ran.end {
        End::Exited(0) => None,
        End::Exited(code) => is_silent.then(|| {
            format!(
                "exited with code {code} and said nothing on standard error, so that what it printed is not sent: let it exit \
                 with 0, or say there what is wrong"
            )
        }),
        End::Killed(signal) => is_silent.then(|| {
            format!(
                "was ended by signal {signal}, which the agent did not send, and said nothing on standard error: nothing is \
                 sent"
            )
        }),
        End::Late if ran.has_ended => Some(format!(
            "has ended, but what it started held its output open for {seconds} s and was ended: let it close what it inherits, \
             or be a service of its own"
        )),
        End::Late => Some(format!(
            "still ran after {seconds} s and was ended with all that it started: make it quicker, or its cycle longer (the \
             number in front of its name)"
        )),
        End::Stopped => Some(STOPPED.to_owned()),
        End::TooMuch => Some(format!(
            "printed more than {} MB and was ended with all that it started: let it print its points and nothing else",
            MOST_OUTPUT >> 20
        )),
        End::NotStarted(why) => Some(why.clone()),
    }
}

#[cfg(test)]
mod tests;
