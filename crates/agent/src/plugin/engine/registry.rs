//! Which plugins there are, when each is to run, and which run now: pure, with the time as a value.
//!
//! * The first run of a plugin is due one cycle after it was registered, and one more every cycle. What is due while the run
//!   before waits, runs, or has points to deliver is skipped.
//! * At most `at_once` run or have points to deliver: who was due first begins first, and of those due together the first by key.
//! * What is no longer bound is gone at once and its run is ended; a file that has changed begins a new period, and a run of
//!   the old one goes on. Nothing runs twice at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::super::perform::Stop;
use super::super::{Plugin, spec};
use super::record::Record;

pub(super) struct Registry {
    at_once: usize,
    entries: BTreeMap<String, Entry>,
    /// Runs that are not over, by number: also of what is no longer bound, and those whose points are on their way.
    out: BTreeMap<u64, Run>,
    numbers: u64,
}

struct Run {
    key: String,
    stop: Stop,
    /// It has ended, and its points wait.
    sends: bool,
}

pub(super) struct Entry {
    pub plugin: Plugin,
    /// When it is due again.
    pub next: Instant,
    pub stage: Stage,
    pub record: Record,
}

pub(super) enum Stage {
    Idle,
    /// Since then; others run.
    Due(Instant),
    Running(u64),
    /// The points of this run.
    Sending(u64),
}

/// A run that is to begin.
pub(super) struct Start {
    pub number: u64,
    pub plugin: Plugin,
    pub stop: Stop,
}

impl Registry {
    pub fn new(at_once: usize) -> Registry {
        Registry { at_once, entries: BTreeMap::new(), out: BTreeMap::new(), numbers: 0 }
    }

    pub fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Processes, or those who wait for their end.
    pub fn running(&self) -> usize {
        self.out.values().filter(|run| !run.sends).count()
    }

    /// Whether no other run may begin.
    pub fn is_full(&self) -> bool {
        self.out.len() >= self.at_once
    }

    /// Keys of runs that are not over.
    pub fn out(&self) -> impl Iterator<Item = &str> {
        self.out.values().map(|run| run.key.as_str())
    }

    /// These plugins are bound, and no others; whether that is news.
    pub fn register(&mut self, now: Instant, plugins: Vec<Plugin>) -> bool {
        let wanted: BTreeSet<&str> = plugins.iter().map(|plugin| plugin.key.as_str()).collect();
        let gone: Vec<String> = self.entries.keys().filter(|key| !wanted.contains(key.as_str())).cloned().collect();
        let mut news = !gone.is_empty();
        gone.iter().for_each(|key| self.remove(key));
        for plugin in plugins {
            let next = now + cycle(&plugin);
            match self.entries.get_mut(&plugin.key) {
                Some(entry) if entry.plugin == plugin => continue,
                Some(entry) => {
                    if let Stage::Due(_) = entry.stage {
                        entry.stage = Stage::Idle;
                    }
                    entry.record.forget_told();
                    (entry.plugin, entry.next) = (plugin, next);
                }
                None => {
                    let entry = Entry { plugin: plugin.clone(), next, stage: Stage::Idle, record: Record::default() };
                    self.entries.insert(plugin.key, entry);
                }
            }
            news = true;
        }
        news
    }

    /// Ends what none of these bindings can mean, whatever files there are: the directory may not answer.
    pub fn keep_bound(&mut self, bound: &Bound) {
        let gone: Vec<String> = self
            .entries
            .values()
            .map(|entry| &entry.plugin)
            .filter(|p| !bound.runs(p))
            .map(|p| p.key.clone())
            .collect();
        gone.iter().for_each(|key| self.remove(key));
    }

    fn remove(&mut self, key: &str) {
        if let Some(Stage::Running(number) | Stage::Sending(number)) = self.entries.remove(key).map(|entry| entry.stage)
            && let Some(run) = self.out.get(&number)
        {
            run.stop.stop();
        }
    }

    /// Ends every run; nothing is due any more.
    pub fn clear(&mut self) {
        let keys: Vec<String> = self.entries.keys().cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        self.entries.values().map(|entry| entry.next).min()
    }

    /// What is to begin now, in this order, and how many runs are skipped.
    /// `held`: keys of which a run of an engine before has not ended.
    pub fn tick(&mut self, now: Instant, held: &BTreeSet<String>) -> (Vec<Start>, usize) {
        let mut skipped = 0;
        for entry in self.entries.values_mut() {
            let first = entry.next;
            let mut ticks: usize = 0;
            while entry.next <= now {
                entry.next += cycle(&entry.plugin);
                ticks += 1;
            }
            if ticks > 0 && matches!(entry.stage, Stage::Idle) {
                entry.stage = Stage::Due(first);
                ticks -= 1;
            }
            entry.record.skipped += ticks as u64;
            skipped += ticks;
        }
        let mut starts = Vec::new();
        while !self.is_full() {
            let Some(start) = self.begin(held) else { break };
            starts.push(start);
        }
        (starts, skipped)
    }

    fn begin(&mut self, held: &BTreeSet<String>) -> Option<Start> {
        let ends: BTreeSet<&str> = self.out().chain(held.iter().map(String::as_str)).collect();
        let due = |(key, entry): (&String, &Entry)| match entry.stage {
            // A run of what was bound before under this key may not have ended yet.
            Stage::Due(since) if !ends.contains(key.as_str()) => Some((since, key.clone())),
            _ => None,
        };
        let (_, key) = self.entries.iter().filter_map(due).min()?;
        let entry = self.entries.get_mut(&key)?;
        self.numbers += 1;
        let (number, stop) = (self.numbers, Stop::default());
        entry.stage = Stage::Running(number);
        self.out.insert(number, Run { key, stop: stop.clone(), sends: false });
        Some(Start { number, plugin: entry.plugin.clone(), stop })
    }

    /// A run has ended, and whether it has points to deliver; its plugin, if that is still bound.
    pub fn ran(&mut self, number: u64, sends: bool) -> Option<&mut Entry> {
        let run = self.out.get_mut(&number)?;
        run.sends = sends;
        let entry = self.entries.get_mut(&run.key)?;
        matches!(entry.stage, Stage::Running(own) if own == number).then(|| {
            if sends {
                entry.stage = Stage::Sending(number);
            }
            entry
        })
    }

    /// Nothing is left of a run.
    pub fn over(&mut self, number: u64) {
        let entry = self.out.remove(&number).and_then(|run| self.entries.get_mut(&run.key));
        if let Some(entry) = entry
            && matches!(entry.stage, Stage::Running(own) | Stage::Sending(own) if own == number)
        {
            entry.stage = Stage::Idle;
        }
    }
}

/// What a list of bindings can mean.
pub(super) struct Bound<'a> {
    written: BTreeSet<&'a str>,
    paths: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl Bound<'_> {
    pub fn of(bindings: &[String]) -> Bound<'_> {
        let read: Vec<spec::Binding> = bindings.iter().filter_map(|binding| spec::parse(binding).ok()).collect();
        let (paths, keys) =
            (read.iter().map(spec::Binding::path).collect(), read.iter().map(spec::Binding::key).collect());
        Bound { written: bindings.iter().map(String::as_str).collect(), paths, keys }
    }

    fn runs(&self, plugin: &Plugin) -> bool {
        self.keys.contains(&plugin.key) || (plugin.key == plugin.path && self.lists(&plugin.path))
    }

    /// Whether what does not run is one of them, or lies in one of their directories.
    pub fn names(&self, what: &str) -> bool {
        self.is_one(what) || self.lists(what)
    }

    /// Whether it is bound itself, and not only the directory in which it lies.
    pub fn is_one(&self, what: &str) -> bool {
        self.written.contains(what) || self.keys.contains(what) || self.paths.contains(what)
    }

    fn lists(&self, path: &str) -> bool {
        path.rsplit_once('/').is_some_and(|(dir, _)| self.paths.contains(dir))
    }
}

fn cycle(plugin: &Plugin) -> Duration {
    Duration::from_secs(plugin.cycle_s.max(1).into())
}
