//! The tables of names of one reader: when they are read, and what they say together.
//!
//! They are read when they are needed, and again when the system's last index changed, and after what was open was closed:
//! `lodctr /R` gives names other indexes, and may end at the same last one. Where a name or an index is in none, they are read
//! again too, after a while that grows: what is not installed stays unknown.

use std::collections::HashMap;
use std::time::Duration;

use falcon_sys::types::PerfNames;

use super::super::client::ObjectQuery;
use super::super::formula::is_base;
use super::super::names::{Names, same};
use super::super::parse::Answer;
use super::System;

/// Before tables of names are read again for what none of them has: the first time, and at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const MOST_PATIENCE: Duration = Duration::from_secs(16 * 60);

/// Of one name: a query is the name of a value in the registry, which has 16,383 characters.
const MOST_INDEXES: usize = 32;

/// The tables of names.
pub(super) struct Book {
    english: Names,
    /// Of the host's language, where they say something else; absent: not read yet.
    local: Option<Names>,
    /// Why the English ones are only those that never change.
    pub(super) unreadable: Option<String>,
    /// Of an object whose name has several indexes the one that is answered with counters that are wanted: the others may be
    /// names of what others serve.
    served: HashMap<String, u32>,
    /// An answer has indexes that are in none, or reading them again failed.
    pub(super) is_stale: bool,
    /// To be read before the next use, whatever else is known.
    is_over: bool,
    last_counter: Option<u32>,
    read_at: Duration,
    patience: Duration,
}

impl Default for Book {
    /// To be read before its first use.
    fn default() -> Book {
        Book {
            english: Names::default(),
            local: Some(Names::default()),
            unreadable: None,
            served: HashMap::new(),
            is_stale: true,
            is_over: false,
            last_counter: None,
            read_at: Duration::ZERO,
            patience: Duration::ZERO,
        }
    }
}

impl Book {
    /// Reads what is not read yet, or is worth to be read again. `knows`: whether it has what is asked for.
    pub(super) fn prepare(&mut self, system: &mut impl System, now: Duration, knows: impl Fn(&Book) -> bool) {
        let last = system.last_counter().ok().flatten();
        let changed = last.is_some() && last != self.last_counter;
        if changed && self.last_counter.is_some() {
            // Libraries that are loaded serve their objects under the indexes that they had when they were.
            system.close();
        }
        let is_over = std::mem::take(&mut self.is_over);
        if !changed && !is_over {
            self.complete(system, &knows);
        }
        let is_wanting = self.is_stale || !knows(self);
        if changed || is_over || is_wanting && now.saturating_sub(self.read_at) >= self.patience {
            self.patience = match (changed, is_over) {
                (true, _) => PATIENCE,
                (_, true) => self.patience.max(PATIENCE),
                _ => (2 * self.patience).clamp(PATIENCE, MOST_PATIENCE),
            };
            self.read_at = now;
            self.last_counter = last.or(self.last_counter);
            self.read(system);
            self.complete(system, &knows);
        }
    }

    /// Has the tables read before they are used again.
    pub(super) fn expire(&mut self) {
        self.is_over = true;
    }

    /// The first table that has names. Those that were read before stay where there is none now.
    fn read(&mut self, system: &mut impl System) {
        let mut why = None;
        for source in [PerfNames::Text, PerfNames::Data, PerfNames::Registry] {
            match system.names(source).map(|units| Names::parse(&units)) {
                Ok(names) if !names.is_empty() => {
                    (self.english, self.local, self.unreadable) = (names, None, None);
                    self.served.clear();
                    self.is_stale = false;
                    return;
                }
                Ok(_) => why = why.or_else(|| Some("the table is empty".to_owned())),
                Err(error) => why = why.or_else(|| Some(error.to_string())),
            }
        }
        self.is_stale = true;
        if self.english.is_empty() || self.unreadable.is_some() {
            self.english = Names::fixed();
            self.local = None;
            self.unreadable = why;
        }
    }

    /// Looks into the host's language for what is not known. On an English host that is the same table.
    fn complete(&mut self, system: &mut impl System, knows: impl Fn(&Book) -> bool) {
        if self.local.is_none() && !knows(self) {
            let local = system.names(PerfNames::CurrentLanguage).map(|units| Names::parse(&units)).unwrap_or_default();
            self.local = Some(local).filter(|local| *local != self.english).or_else(|| Some(Names::default()));
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.in_english(name) || self.local.as_ref().is_some_and(|local| local.indexes(name).next().is_some())
    }

    fn in_english(&self, name: &str) -> bool {
        self.english.indexes(name).next().is_some()
    }

    fn indexes(&self, name: &str) -> Vec<u32> {
        let local = self.local.iter().filter(|_| !self.in_english(name));
        self.english.indexes(name).chain(local.flat_map(|local| local.indexes(name))).take(MOST_INDEXES).collect()
    }

    pub(super) fn to_ask(&self, object: &str) -> Vec<u32> {
        self.served.get(&object.to_lowercase()).map_or_else(|| self.indexes(object), |index| vec![*index])
    }

    /// Under which index an object was answered. One that is not is asked for by all its indexes again.
    pub(super) fn learn(&mut self, object: &str, index: Option<u32>) {
        let object = object.to_lowercase();
        match index {
            Some(index) => self.served.insert(object, index),
            None => self.served.remove(&object),
        };
    }

    pub(super) fn beginning(&self, prefix: &str) -> Vec<&str> {
        let english = self.english.beginning(prefix);
        let local = self.local.as_ref().filter(|_| english.is_empty());
        local.map_or(english, |local| local.beginning(prefix))
    }

    /// What an index is called. A counter may have its name from the host's language where its object has.
    fn name(&self, index: u32, is_local: bool) -> Option<&str> {
        let local = self.local.as_ref().filter(|_| is_local);
        self.english.name(index).or_else(|| local?.name(index))
    }

    /// Under which name a counter of an object is wanted, if it is.
    pub(super) fn wanted<'a>(&'a self, query: &'a ObjectQuery) -> impl Fn(u32) -> Option<&'a str> {
        let is_local = !self.in_english(&query.object);
        move |index| {
            if query.counters.is_empty() {
                return self.name(index, is_local);
            }
            let name = self.name(index, true)?;
            query.counters.iter().find(|counter| same(counter.trim(), name)).map(String::as_str)
        }
    }

    /// Whether the object has counters that nobody knows.
    pub(super) fn misses_names(&self, query: &ObjectQuery, answer: &Answer<'_>, indexes: &[u32]) -> bool {
        let is_local = !self.in_english(&query.object);
        answer.object(indexes).is_some_and(|object| {
            let mut counters = object.counters().filter(|counter| counter.index != 0 && !is_base(counter.kind));
            counters.any(|counter| self.name(counter.index, is_local).is_none())
        })
    }
}
