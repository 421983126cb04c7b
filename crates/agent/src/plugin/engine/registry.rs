//! Which plugins there are, when each is to run, and which run now: pure, with the time as a value.
//!
//! * The first run of a plugin is due one cycle after it was registered, and one more every cycle. What is due while the run
//!   before waits, runs, or has points to deliver is skipped.
//! * At most `at_once` run: who was due first begins first, and of those due together the first by key.
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
    /// Runs that are not over, by number: also of what is no longer bound.
    out: BTreeMap<u64, Run>,
    numbers: u64,
}

struct Run {
    key: String,
    stop: Stop,
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
    /// So many points of this run.
    Sending(u64, usize, Stop),
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

    pub fn running(&self) -> usize {
        self.out.len()
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
    pub fn keep_bound(&mut self, bindings: &[String]) {
        let bindings: Vec<spec::Binding> = bindings.iter().filter_map(|binding| spec::parse(binding).ok()).collect();
        let paths: BTreeSet<String> = bindings.iter().map(spec::Binding::path).collect();
        let keys: BTreeSet<String> = bindings.iter().map(spec::Binding::key).collect();
        let is_bound = |plugin: &Plugin| {
            let in_dir = || plugin.path.rsplit_once('/').is_some_and(|(dir, _)| paths.contains(dir));
            keys.contains(&plugin.key) || (plugin.key == plugin.path && in_dir())
        };
        let gone: Vec<String> =
            self.entries.values().filter(|entry| !is_bound(&entry.plugin)).map(|e| e.plugin.key.clone()).collect();
        gone.iter().for_each(|key| self.remove(key));
    }

    fn remove(&mut self, key: &str) {
        match self.entries.remove(key).map(|entry| entry.stage) {
            Some(Stage::Running(number)) => {
                if let Some(run) = self.out.get(&number) {
                    run.stop.stop();
                }
            }
            Some(Stage::Sending(_, _, stop)) => stop.stop(),
            _ => {}
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
    pub fn tick(&mut self, now: Instant) -> (Vec<Start>, usize) {
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
        while self.out.len() < self.at_once {
            let Some(start) = self.begin() else { break };
            starts.push(start);
        }
        (starts, skipped)
    }

    fn begin(&mut self) -> Option<Start> {
        let ends: BTreeSet<&str> = self.out.values().map(|run| run.key.as_str()).collect();
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
        self.out.insert(number, Run { key, stop: stop.clone() });
        Some(Start { number, plugin: entry.plugin.clone(), stop })
    }

    /// A run is over; its plugin, if that is still bound.
    pub fn ended(&mut self, number: u64) -> Option<(&mut Entry, Stop)> {
        let run = self.out.remove(&number)?;
        let entry = self.entries.get_mut(&run.key)?;
        matches!(entry.stage, Stage::Running(own) if own == number).then(|| {
            entry.stage = Stage::Idle;
            (entry, run.stop)
        })
    }

    /// The points of a run are delivered.
    pub fn sent(&mut self, number: u64) {
        let sends = |entry: &&mut Entry| matches!(entry.stage, Stage::Sending(own, ..) if own == number);
        if let Some(entry) = self.entries.values_mut().find(sends) {
            entry.stage = Stage::Idle;
        }
    }

    /// Points that wait for room in the queue.
    pub fn undelivered(&self) -> usize {
        let points = |entry: &Entry| if let Stage::Sending(_, points, _) = entry.stage { points } else { 0 };
        self.entries.values().map(points).sum()
    }
}

fn cycle(plugin: &Plugin) -> Duration {
    Duration::from_secs(plugin.cycle_s.max(1).into())
}
