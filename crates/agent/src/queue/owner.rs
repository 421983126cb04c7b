//! The one who owns the log: opens it when it is needed, keeps it within its bounds, and says what the disk does.
//!
//! A disk that cannot be had or written costs nothing but the disk: it is tried again after [`AGAIN`], or
//! [`AGAIN_HELD`] where another agent has it, and meanwhile everything
//! waits in memory. A segment that cannot be read is given up and its points are counted.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::log::{Error, Log, Position, Verified};
use super::storage::{Directory, Storage, Unusable};
use crate::clock;
use crate::falcon::wire::Frame;
use crate::stats::{Lost, Stats};

/// Between two tries to use a disk that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// The same for a directory that another agent has: that one may be leaving.
const AGAIN_HELD: Duration = Duration::from_secs(5);
/// A file that could not be read for so long is given up: what waits behind it must go on some time.
const UNREADABLE: Duration = Duration::from_secs(600);

type Opened = Result<Option<Box<dyn Storage>>, Unusable>;

/// How a storage is come by; with `false` only one that is there already.
pub type Open = Box<dyn FnMut(bool) -> Opened + Send>;

/// What others may see of it.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// It has looked at what an earlier run left, and can take points.
    pub started: bool,
    pub points: usize,
    pub bytes: u64,
    /// When the oldest point came.
    pub oldest: Option<i64>,
    /// How far it is sent is not on disk yet.
    pub unsaved: bool,
    /// Why the disk is not written to at present.
    pub trouble: Option<String>,
}

/// The clocks by which points are judged when they are about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By [`clock::steady_s`]: for their age.
    pub steady_s: i64,
    /// By [`clock::unix_s`]: for their stamps.
    pub unix_s: i64,
}

/// The clock of a host and that of its servers are never quite the same.
const FUTURE_S: i64 = 60;

impl Now {
    pub fn look() -> Now {
        Now { steady_s: clock::steady_s(), unix_s: clock::unix_s() }
    }

    /// Why these points are not sent any more: they are too old, or were stamped by a clock that was ahead, and servers
    /// would drop all true points until that time has come.
    pub fn unfit(self, frame: &Frame, max_age: i64) -> Option<Lost> {
        if self.steady_s - frame.taken > max_age {
            return Some(Lost::Age);
        }
        (frame.newest > self.unix_s + FUTURE_S).then_some(Lost::Clock)
    }
}

pub struct Owner {
    open: Open,
    max_bytes: u64,
    /// Seconds.
    max_age: i64,
    log: Option<Log<Box<dyn Storage>>>,
    /// Where the log before this one would have gone on: what it gave out may still be acknowledged.
    next_id: u64,
    failed: Option<Instant>,
    again: Duration,
    /// Since when the oldest file cannot be read.
    unreadable: Option<Instant>,
    /// What was last said of it, so that each state is told once.
    told: Option<String>,
    told_cursor: bool,
    told_quota: bool,
    told_damage: bool,
    stats: Arc<Stats>,
    view: Arc<Mutex<View>>,
}

impl Owner {
    pub fn new(open: Open, max_bytes: u64, max_age: i64, stats: Arc<Stats>, view: Arc<Mutex<View>>) -> Owner {
        Owner {
            open,
            max_bytes,
            max_age,
            log: None,
            next_id: 0,
            failed: None,
            again: AGAIN,
            unreadable: None,
            told: None,
            told_cursor: false,
            told_quota: false,
            told_damage: false,
            stats,
            view,
        }
    }

    /// Reads what an earlier run left, if there is anything. Where this agent was restarted, the one before may need some
    /// seconds to leave: `patience` tells whether to ask again.
    pub fn start(&mut self, mut patience: impl FnMut() -> bool) {
        self.stats.queue_disk_ok.set(1);
        let opened = loop {
            match (self.open)(false) {
                Err(Unusable::Held(_)) if patience() => {}
                opened => break opened,
            }
        };
        self.took(opened);
        self.lock().started = true;
        self.show();
    }

    /// Writes frames so that they outlive a power cut; answers the places behind those that were written, all of them
    /// unless the disk fails. One that failed lately is tried only where this is the `last` time.
    pub fn append(&mut self, frames: &[Arc<Frame>], last: bool) -> Vec<Position> {
        let mut ends = Vec::with_capacity(frames.len());
        let waits = !last && self.failed.is_some_and(|failed| failed.elapsed() < self.again);
        while let Some(rest) = frames.get(ends.len()..).filter(|rest| !rest.is_empty() && !waits) {
            if !self.ensure(true) {
                break;
            }
            let Some(log) = &mut self.log else { break };
            let appended = log.append(rest);
            let evicted = log.take_evicted();
            self.stats.lose(Lost::Quota, evicted);
            if evicted > 0 && !std::mem::replace(&mut self.told_quota, true) {
                let mb = self.max_bytes >> 20;
                crate::log::say!(
                    Warn,
                    "Q006",
                    "queue: the disk has {mb} MB of points (queue.max_mb); the oldest are dropped"
                );
            }
            match appended {
                Ok(done) => {
                    self.stats.queue_disk_written.add(usize::try_from(done.bytes).unwrap_or(usize::MAX));
                    ends.extend(done.ends);
                    self.works();
                }
                // Somebody removed the directory or a file: what was in it is gone, what comes needs a new one.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.reopen() => {}
                Err(error) => {
                    self.fails(&error.to_string());
                    break;
                }
            }
        }
        self.show();
        ends
    }

    /// The oldest frames, with the places behind them; none when nothing is there that may be sent at `now`, or when it
    /// cannot be read now.
    pub fn peek(&mut self, max_bytes: usize, max_items: usize, now: Now) -> Vec<(Arc<Frame>, Position)> {
        let mut fresh = Vec::new();
        while let Some(log) = &mut self.log {
            let peeked = match log.peek(max_bytes, max_items) {
                Ok(peeked) => peeked,
                Err(error) => match self.cannot_read(&error) {
                    true => continue,
                    false => break,
                },
            };
            if self.unreadable.take().is_some() {
                self.works();
            }
            let Some(log) = &mut self.log else { break };
            let damaged = peeked.damaged;
            self.stats.queue_damaged.add(damaged.records);
            self.stats.lose(Lost::Damaged, damaged.points);
            if damaged.records > 0 && !std::mem::replace(&mut self.told_damage, true) {
                crate::log::say!(
                    Warn,
                    "Q007",
                    "queue: damaged records on disk are passed over (told once; agent.queue.damaged counts)"
                );
            }
            let unfit = |frame: &Frame| now.unfit(frame, self.max_age);
            let gone = peeked.frames.iter().map_while(|(frame, end)| Some((unfit(frame)?, frame.len(), *end)));
            let gone: Vec<_> = gone.collect();
            let Some((.., end)) = gone.last() else {
                // What is unfit behind these is met when it is the oldest.
                fresh = peeked.frames;
                fresh.truncate(fresh.iter().take_while(|(frame, _)| unfit(frame).is_none()).count());
                if !fresh.is_empty() || damaged.records == 0 {
                    break;
                }
                continue;
            };
            gone.iter().for_each(|(why, points, _)| self.stats.lose(*why, *points));
            log.acknowledge(*end);
        }
        if self.log.as_ref().is_some_and(Log::is_empty) {
            self.told_quota = false;
        }
        self.show();
        fresh
    }

    /// A transfer has everything up to there.
    pub fn acknowledge(&mut self, end: Position) {
        if let Some(log) = &mut self.log {
            log.acknowledge(end);
        }
        self.show();
    }

    /// The same for records that were sent from memory: places with the points before each.
    pub fn acknowledge_unread(&mut self, ends: &[(Position, usize)]) {
        if let Some(log) = &mut self.log {
            ends.iter().for_each(|(end, points)| log.acknowledge_unread(*end, *points));
        }
        self.show();
    }

    /// Once a second, and at the end.
    pub fn tick(&mut self) {
        if self.unreadable.is_none() && self.failed.is_some_and(|failed| failed.elapsed() >= self.again) {
            // Also where nothing has to be written: whoever looks wants to know whether the disk is well.
            if self.ensure(false) {
                match self.log.as_mut().map_or(Ok(()), Log::probe) {
                    Ok(()) => self.works(),
                    Err(error) => self.fails(&error.to_string()),
                }
            } else if self.failed.is_some_and(|failed| failed.elapsed() >= self.again) {
                // There is no directory to try: the next point makes one.
                self.works();
            }
        }
        // A full disk takes no cursor; after a crash some points then come again.
        match self.log.as_mut().map_or(Ok(()), Log::save) {
            Ok(()) => self.told_cursor = false,
            Err(error) => {
                if self.failed.is_none() && !std::mem::replace(&mut self.told_cursor, true) {
                    crate::log::say!(
                        Warn,
                        "Q008",
                        "queue: how far it is sent cannot be written: {error}; after a crash points come again"
                    );
                }
            }
        }
        self.show();
    }

    /// Lets go of the log and the lock of its directory, and never opens it again.
    pub fn release(&mut self) {
        self.open = Box::new(|_| Ok(None));
        if let Some(mut log) = self.log.take() {
            let _ = log.save();
            drop(log);
            self.show();
        }
    }

    pub fn purge(&mut self) -> io::Result<usize> {
        let purged = self.log.as_mut().map_or(Ok(0), Log::purge);
        self.stats.lose(Lost::Purged, *purged.as_ref().unwrap_or(&0));
        self.show();
        purged
    }

    pub fn segment_ids(&mut self) -> Vec<u64> {
        self.log.as_ref().map(Log::segment_ids).unwrap_or_default()
    }

    pub fn verify_segment(&mut self, id: u64) -> io::Result<Verified> {
        self.log.as_mut().map_or(Ok(Verified::default()), |log| log.verify_segment(id))
    }

    /// Whether there is a log; `make`: with a directory of its own where there is none.
    fn ensure(&mut self, make: bool) -> bool {
        if self.log.is_some() {
            return true;
        }
        let opened = (self.open)(make);
        self.took(opened)
    }

    fn took(&mut self, opened: Opened) -> bool {
        self.again = if matches!(opened, Err(Unusable::Held(_))) { AGAIN_HELD } else { AGAIN };
        let opened = opened.map_err(|error| error.to_string()).and_then(|storage| {
            let open = |storage| Log::open(storage, self.max_bytes);
            storage.map(open).transpose().map_err(|error: Error| error.to_string())
        });
        match opened {
            Ok(log) => {
                if let Some(log) = log.as_ref().filter(|log| log.points() > 0) {
                    crate::log::say!(
                        Info,
                        "Q009",
                        "queue: {} points from before are on disk ({} kB)",
                        log.points(),
                        log.bytes().div_ceil(1000)
                    );
                }
                self.log = log;
                if let Some(log) = &mut self.log {
                    log.begin_at(self.next_id);
                }
            }
            Err(why) => self.fails(&why),
        }
        self.log.is_some()
    }

    /// Looks again at what is there, after files were removed; `false` when there is no log.
    fn reopen(&mut self) -> bool {
        let Some(mut log) = self.log.take() else { return false };
        let _ = log.save();
        self.next_id = log.next_id();
        let before = log.points();
        // Its directory is locked as long as it lives.
        drop(log);
        self.ensure(true);
        let lost = before.saturating_sub(self.log.as_ref().map_or(0, Log::points));
        self.stats.lose(Lost::Damaged, lost);
        crate::log::say!(Error, "Q010", "queue: its files were removed while it ran; {lost} points are lost with them");
        true
    }

    /// `true` when the oldest file was given up: it is gone, or could not be read for long.
    fn cannot_read(&mut self, error: &io::Error) -> bool {
        let since = *self.unreadable.get_or_insert_with(Instant::now);
        let gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        if !gone && since.elapsed() < UNREADABLE {
            self.fails(&format!("a file on disk cannot be read: {error}"));
            return false;
        }
        let Some(log) = &mut self.log else { return false };
        let points = log.give_up_oldest();
        self.unreadable = None;
        self.stats.queue_damaged.add(1);
        self.stats.lose(Lost::Damaged, points);
        crate::log::say!(Error, "Q011", "queue: a file cannot be read ({error}); its {points} points are lost");
        true
    }

    fn fails(&mut self, why: &str) {
        self.failed = Some(Instant::now());
        self.stats.queue_disk_ok.set(0);
        self.tell(why);
        self.lock().trouble = Some(why.to_owned());
    }

    fn tell(&mut self, why: &str) {
        if self.told.as_deref() != Some(why) {
            let every = self.again.as_secs();
            crate::log::say!(Error, "Q012", "queue: {why}; points wait in memory alone (tried again every {every} s)");
            self.told = Some(why.to_owned());
        }
    }

    fn works(&mut self) {
        self.failed = None;
        self.stats.queue_disk_ok.set(1);
        self.lock().trouble = None;
        if self.told.take().is_some() {
            crate::log::say!(Info, "Q013", "queue: the disk is used again");
        }
    }

    fn show(&self) {
        let mut view = self.lock();
        let log = self.log.as_ref();
        view.points = log.map_or(0, Log::points);
        view.bytes = log.map_or(0, Log::bytes);
        view.oldest = log.and_then(Log::oldest);
        view.unsaved = log.is_some_and(Log::is_unsaved);
        self.stats.queue_disk_bytes.set(usize::try_from(view.bytes).unwrap_or(usize::MAX));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory as the place of the log.
pub fn directory(path: PathBuf) -> Open {
    Box::new(move |make| {
        let directory = if make { Directory::open(&path).map(Some)? } else { Directory::open_existing(&path)? };
        Ok(directory.map(|directory| Box::new(directory) as Box<dyn Storage>))
    })
}
