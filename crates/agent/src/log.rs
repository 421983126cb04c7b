//! What the console says: one line a fact, local time, and nothing twice.
//!
//! Lines are written by a thread of their own from a bounded channel: a terminal that is stopped or a pipe that nobody reads
//! must not stop the agent. Lines that find no room are counted and told.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock;

/// `2026-11-22 18:00:00`, in the host's time zone.
struct LocalClock;

impl FormatTime for LocalClock {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let t = falcon_sys::local_time(clock::wall_s());
        write!(w, "{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second)
    }
}

/// Lines that wait for a console that does not take them.
const MOST_LINES: usize = 1024;

static CONSOLE: OnceLock<Console> = OnceLock::new();

#[derive(Clone)]
struct Console {
    lines: SyncSender<Line>,
    lost: Arc<AtomicUsize>,
}

enum Line {
    Text(Vec<u8>),
    /// Everything before it is written; the receiver is told so.
    Mark(SyncSender<()>),
}

impl Console {
    fn start(to: impl Write + Send + 'static) -> Console {
        let (lines, waiting) = sync_channel(MOST_LINES);
        let lost = Arc::<AtomicUsize>::default();
        let counted = lost.clone();
        let writer = move || write_lines(&waiting, &counted, to);
        // Without a thread for it there is no log; the agent's work goes on.
        let _ = std::thread::Builder::new().name("log".to_owned()).stack_size(256 * 1024).spawn(writer);
        Console { lines, lost }
    }
}

fn write_lines(waiting: &Receiver<Line>, lost: &AtomicUsize, mut to: impl Write) {
    for line in waiting {
        match line {
            Line::Text(text) => {
                let missing = lost.swap(0, Relaxed);
                if missing > 0 {
                    let _ = writeln!(to, "({missing} lines were lost here: the console did not take them)");
                }
                let _ = to.write_all(&text);
            }
            Line::Mark(reached) => {
                let _ = to.flush();
                let _ = reached.try_send(());
            }
        }
    }
}

impl Write for Console {
    /// tracing-subscriber writes one whole line at a time.
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        if self.lines.try_send(Line::Text(text.to_vec())).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits a moment until what was logged is written: before the process ends.
pub fn drain() {
    let Some(console) = CONSOLE.get() else { return };
    let (reached, mark) = sync_channel(1);
    if console.lines.try_send(Line::Mark(reached)).is_ok() {
        let _ = mark.recv_timeout(Duration::from_millis(300));
    }
}

/// Sends the log to standard error; `debug` as the configuration says it. A panic becomes one line there too.
pub fn init(debug: bool) {
    let level = if debug { tracing::Level::DEBUG } else { tracing::Level::INFO };
    let console = CONSOLE.get_or_init(|| Console::start(std::io::stderr())).clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(false)
        .with_timer(LocalClock)
        .with_writer(move || console.clone())
        .finish();
    // Only a second call can fail, and then the first stays in force.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let what = info.payload_as_str().unwrap_or("panic");
        let place = info.location().map_or_else(String::new, ToString::to_string);
        tracing::error!("defect in thread {}: {what} ({place})", thread.name().unwrap_or("?"));
    }));
}

/// A span of time for people: `42 s`, `7 min`, `3 h 20 min`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Problems that last: each is logged when it begins or changes, and once more when it is over: when it did not come back
/// for some cycles, so that one that comes and goes is not told for ever.
#[derive(Debug, Default)]
pub struct Repeats(BTreeMap<String, Told>);

#[derive(Debug)]
struct Told {
    why: String,
    /// Cycles since it was last there.
    calm: u8,
}

impl Repeats {
    /// Bounded: a source that invents new names of problems for ever must not grow this.
    const MOST: usize = 256;
    /// After so many cycles without it a problem is over.
    pub const CALM: u8 = 3;

    /// Whether it is news; if so it is logged.
    pub fn warn(&mut self, who: &str, what: &str, why: &str) -> bool {
        let full = self.0.len() >= Self::MOST;
        match self.0.get_mut(what) {
            Some(told) if told.why == why => {
                told.calm = 0;
                return false;
            }
            None if full => return false,
            _ => {}
        }
        tracing::warn!("{who}: {what}: {why}");
        self.0.insert(what.to_owned(), Told { why: why.to_owned(), calm: 0 });
        true
    }

    /// Tells a thing whose words change (a list of names) only when it begins.
    pub fn once(&mut self, who: &str, what: &str, why: &str) -> bool {
        match self.0.get_mut(what) {
            Some(told) => {
                told.calm = 0;
                false
            }
            None => self.warn(who, what, why),
        }
    }

    /// A cycle went by: forgets the problems that have not held for [`Self::CALM`] cycles, with a line each.
    pub fn resolve(&mut self, who: &str, holds: impl Fn(&str) -> bool) {
        self.0.retain(|what, told| {
            told.calm = if holds(what) { 0 } else { told.calm + 1 };
            let over = told.calm >= Self::CALM;
            if over {
                tracing::info!("{who}: {what}: over");
            }
            !over
        });
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
    fn a_lasting_problem_is_told_once_and_told_again_after_it_was_over() {
        let mut repeats = Repeats::default();
        assert!(repeats.warn("df", "mount /a", "does not answer"));
        assert!(!repeats.warn("df", "mount /a", "does not answer"));
        assert!(repeats.warn("df", "mount /a", "Stale file handle"));
        assert!(!repeats.once("df", "mount /a", "does not answer again"));
        (0..Repeats::CALM).for_each(|_| repeats.resolve("df", |_| false));
        assert!(repeats.once("df", "mount /a", "does not answer"));
    }

    /// A table that could be read every other time filled the log with warnings and all-clears.
    #[test]
    fn what_comes_and_goes_is_told_once() {
        let mut repeats = Repeats::default();
        let told = (0..100).filter(|cycle| {
            let fails = cycle % 2 == 0;
            let news = fails && repeats.warn("ss", "states", "bad address");
            repeats.resolve("ss", |_| fails);
            news
        });
        assert_eq!(told.count(), 1);
    }

    /// A Go agent was seen at 781 MB because nobody read its pipe.
    #[test]
    fn a_console_that_takes_nothing_holds_nobody_up() {
        struct Stuck(SyncSender<()>, Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
                let _ = self.0.try_send(());
                let _ = self.1.recv();
                Ok(text.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, held) = sync_channel::<()>(0);
        let (stuck, is_stuck) = sync_channel(1);
        let mut console = Console::start(Stuck(stuck, held));
        console.write_all(b"first").expect("taken");
        is_stuck.recv().expect("the writer stands in its first line");
        for _ in 0..MOST_LINES + 7 {
            console.write_all(b"line").expect("taken");
        }
        assert_eq!(console.lost.load(Relaxed), 7);
        drop(release);
    }

    #[test]
    fn the_memory_of_problems_is_bounded() {
        let mut repeats = Repeats::default();
        let told = (0..10_000).filter(|n| repeats.warn("x", &n.to_string(), "bad")).count();
        assert_eq!(told, Repeats::MOST);
    }
}
