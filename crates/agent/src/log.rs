//! What the agent says: one line an event, with a code that stays, in local time, and nothing twice.
//!
//! A call of [`say`] becomes a [`line`], which goes through a bounded channel to the thread that writes ([`writer`]): a
//! terminal that is stopped, a pipe that nobody reads or a disk that hangs must not stop the agent. That thread leaves out
//! what repeats ([`quiet`]) and writes the rest to the console, to a file ([`file`]) and, as a Windows service, to the event log
//! ([`event`]). `docs/log-codes.md` has every code; a test holds the calls to it.
//!
//! Of libraries nobody speaks here: those that could (hyper, rustls) are built without it.

mod event;
mod file;
mod line;
mod quiet;
mod recent;
mod repeats;
mod writer;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use falcon_sys::EventSource;

use crate::config::{self, Level};
use crate::model::Platform;
use writer::{Events, Sender, Writer};

pub use file::FileTarget;
pub(crate) use line::Line;
pub(crate) use recent::recent;
pub use repeats::Repeats;

static SENDER: OnceLock<Sender> = OnceLock::new();

/// The most that is said: a [`Level`].
static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Where the log goes, and how much of it there is.
#[derive(Debug)]
pub struct Setup {
    pub level: Level,
    /// Standard error.
    pub console: Option<Console>,
    pub file: Option<FileTarget>,
    /// Of a Windows service: what an administrator must see goes there too.
    pub event_source: Option<EventSource>,
}

impl Setup {
    /// Standard error alone, as it wants to be written to.
    pub fn console(level: Level) -> Setup {
        Setup { level, console: Some(Console::found()), file: None, event_source: None }
    }

    /// Standard error for what no file takes.
    pub fn spare(level: Level) -> Setup {
        let mut setup = Setup::console(level);
        setup.console.iter_mut().for_each(|console| console.spare = true);
        setup
    }
}

/// How lines look on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// The journal reads it: each line begins with its priority (`<4>`, sd-daemon(3)) and leaves the time to the journal.
    pub priorities: bool,
    pub colour: bool,
    /// For what no file takes: standard error is itself one, which else would grow for ever.
    pub spare: bool,
}

impl Console {
    /// As standard error of this process is.
    fn found() -> Console {
        Console::of(
            |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            falcon_sys::stderr_is,
            || std::io::stderr().is_terminal() && falcon_sys::enable_ansi(),
            Platform::CURRENT,
        )
    }

    fn of(
        var: impl Fn(&str) -> Option<String>,
        stderr_is: impl Fn(&str) -> bool,
        knows_ansi: impl Fn() -> bool,
        platform: Platform,
    ) -> Console {
        // Windows sets no TERM; without one a terminal of Linux is none that is known.
        let term = var("TERM").map_or(platform == Platform::Windows, |term| term != "dumb");
        Console {
            priorities: var("JOURNAL_STREAM").is_some_and(|stream| stderr_is(&stream)),
            colour: var("NO_COLOR").is_none() && term && knows_ansi(),
            spare: false,
        }
    }

    /// The line with its line break.
    fn dress(&self, line: &Line) -> String {
        let (priority, colour) = match line.level {
            Level::Error => (3, "\u{1b}[31m"),
            Level::Warn => (4, "\u{1b}[33m"),
            Level::Info => (6, ""),
            _ => (7, "\u{1b}[2m"),
        };
        if self.priorities {
            format!("<{priority}>{line}\n")
        } else if self.colour && !colour.is_empty() {
            format!("{colour}{}\u{1b}[0m\n", line.dated())
        } else {
            format!("{}\n", line.dated())
        }
    }
}

/// The file that the section `log` asks for, at this place.
pub fn file(config: &config::Log, path: PathBuf) -> FileTarget {
    FileTarget { path, max_bytes: u64::from(config.max_mb) << 20, keep: config.keep, is_stderr: false }
}

/// Starts the log. A panic becomes a line there too. Of a second call only the level counts.
pub fn init(setup: Setup) {
    let Setup { level, console, file, event_source } = setup;
    SENDER.get_or_init(|| {
        let to = |console| (console, Box::new(std::io::stderr()) as Box<dyn Write + Send>);
        let events = event_source.map(|source| -> Events {
            // A log that is full or stopped is the administrator's; the file has the line.
            Box::new(move |kind, id, text| _ = source.report(kind, id, text))
        });
        Sender::start(Writer::new(console.map(to), file, events))
    });
    set_level(level);
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let what = info.payload_as_str().unwrap_or("panic");
        let place = info.location().map_or_else(String::new, ToString::to_string);
        crate::log::say!(Error, "A013", "defect in thread {}: {what} ({place})", thread.name().unwrap_or("?"));
    }));
}

/// From now on so much is said.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Relaxed);
}

/// What a new configuration says of the log: the level, and the file from now on. Never waits; without [`init`] only the
/// level is noted.
pub fn reconfigure(level: Level, file: Option<FileTarget>) {
    set_level(level);
    if let Some(sender) = SENDER.get() {
        sender.file(file);
    }
}

/// Waits a moment until what was logged is written: before the process ends.
pub fn drain() {
    if let Some(sender) = SENDER.get() {
        sender.drain(Duration::from_millis(300));
    }
}

/// A configuration that the agent cannot run with; the error names file, line and key.
pub fn configuration_error(error: &impl Display) {
    crate::log::say!(Error, "F001", "configuration: {error:#}");
}

/// One line of the log: `say!(Warn, "A014", "no points are sent: {error:#}")`.
macro_rules! say {
    ($level:ident, $code:literal, $($text:tt)+) => {
        $crate::log::event($crate::config::Level::$level, $code, format_args!($($text)+))
    };
}
pub(crate) use say;

/// What [`say`] calls: whatever it has to say is formatted in one place, and only where it is wanted.
pub(crate) fn event(level: Level, code: &'static str, text: std::fmt::Arguments<'_>) {
    if level as u8 <= LEVEL.load(Relaxed)
        && let Some(sender) = SENDER.get()
    {
        sender.line(Line::new(level, code, text));
    }
}

/// A span of time for people: `42 s`, `7 min`, `3 h 20 min`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_in_the_unit_that_fits() {
        assert_eq!([span(119), span(120), span(7200 + 61 * 60)], ["119 s", "2 min", "3 h 1 min"]);
    }

    #[test]
    fn the_journal_is_told_priorities_and_terminals_see_colours_where_they_can() {
        let found = |vars: &[(&str, &str)], ansi: bool, platform| {
            let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let Console { priorities, colour, .. } = Console::of(var, |stream| stream == "8:77", || ansi, platform);
            (priorities, colour)
        };
        let (linux, windows) = (Platform::Linux, Platform::Windows);
        assert_eq!(found(&[("JOURNAL_STREAM", "8:77")], false, linux), (true, false));
        // Inherited by a shell whose standard error is a terminal.
        assert_eq!(found(&[("JOURNAL_STREAM", "8:78"), ("TERM", "xterm")], true, linux), (false, true));
        assert_eq!(found(&[("TERM", "xterm"), ("NO_COLOR", "1")], true, linux), (false, false));
        assert_eq!(found(&[("TERM", "dumb")], true, linux), (false, false));
        assert_eq!((found(&[], true, linux), found(&[], true, windows)), ((false, false), (false, true)));
        assert_eq!(found(&[], false, windows), (false, false));
    }

    #[test]
    fn a_line_is_dressed_for_who_reads_it() {
        let line = |level| Line::new(level, "Q003", format_args!("full"));
        let dressed = |priorities, colour, level| Console { priorities, colour, spare: false }.dress(&line(level));
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        let journal = levels.map(|level| dressed(true, true, level));
        assert_eq!(
            journal,
            ["<3>ERROR Q003 full\n", "<4>WARN Q003 full\n", "<6>INFO Q003 full\n", "<7>DEBUG Q003 full\n"]
        );
        let warning = dressed(false, true, Level::Warn);
        assert!(warning.starts_with("\u{1b}[33m2") && warning.ends_with(" WARN Q003 full\u{1b}[0m\n"), "{warning:?}");
        assert!(
            dressed(false, true, Level::Info).starts_with('2') && dressed(false, false, Level::Error).starts_with('2')
        );
    }

    #[test]
    fn the_level_is_changed_while_the_agent_runs() {
        for (config, level) in [(Level::Debug, Level::Debug), (Level::Error, Level::Error)] {
            set_level(config);
            assert_eq!(LEVEL.load(Relaxed), level as u8);
        }
        set_level(Level::Info);
        assert_eq!(LEVEL.load(Relaxed), Level::Info as u8);
    }
}
