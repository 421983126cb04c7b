//! From English names to tables: one query of the system for all objects of a call, and what it says of them.
//!
//! Only the wanted objects are asked for, by all the indexes that their names have until one is answered: what else is asked for
//! has libraries loaded that nobody needs. Names are English ones. The table of the host's language is looked into where those have not what is asked
//! for, and counts only where it has the very same name: a host where a product registered itself in one language alone.
//!
//! Tables of names are read when they are needed, and again when the system's last index changed. Where a name or an index is in
//! none, they are read again too, after a while that grows: what is not installed stays unknown.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use falcon_sys::types::PerfNames;
use falcon_sys::{PerfData, perf_disabled, perf_last_counter, perf_names};

use super::client::{ObjectQuery, Tables};
use super::formula::is_base;
use super::names::{Names, same};
use super::parse::{Answer, parse, table};
use super::rows::Missing;

/// Before tables of names are read again for what none of them has: the first time, and at most.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST_PATIENCE: Duration = Duration::from_secs(16 * 60);

/// Who has performance counters.
pub trait System {
    /// An answer to indexes in decimal, with blanks between them.
    ///
    /// # Errors
    /// Those of the system.
    fn query(&mut self, indexes: &str) -> io::Result<&[u8]>;

    /// Lets go of what queries loaded.
    fn close(&mut self);

    /// A table of names, as UTF-16 text with a NUL behind each.
    ///
    /// # Errors
    /// Those of the system, also where there is no such table.
    fn names(&mut self, source: PerfNames) -> io::Result<Vec<u16>>;

    /// What changes where counters are installed or removed, if the system has it.
    ///
    /// # Errors
    /// Those of the system.
    fn last_counter(&mut self) -> io::Result<Option<u32>>;

    /// Services whose counters are switched off.
    ///
    /// # Errors
    /// Those of the system.
    fn disabled(&mut self) -> io::Result<Vec<String>>;
}

/// This host.
#[derive(Debug, Default)]
pub struct Registry(PerfData);

impl System for Registry {
    fn query(&mut self, indexes: &str) -> io::Result<&[u8]> {
        self.0.query(indexes)
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn names(&mut self, source: PerfNames) -> io::Result<Vec<u16>> {
        perf_names(source)
    }

    fn last_counter(&mut self) -> io::Result<Option<u32>> {
        perf_last_counter()
    }

    fn disabled(&mut self) -> io::Result<Vec<String>> {
        perf_disabled()
    }
}

/// Time since some moment.
type Elapsed = Box<dyn Fn() -> Duration + Send>;

pub struct Reader<S: System> {
    system: S,
    elapsed: Elapsed,
    book: Book,
}

impl<S: System> Reader<S> {
    /// Nothing is asked before the first call.
    pub fn new(system: S) -> Reader<S> {
        let start = Instant::now();
        Reader::with_clock(system, Box::new(move || start.elapsed()))
    }

    fn with_clock(system: S, elapsed: Elapsed) -> Reader<S> {
        Reader { system, elapsed, book: Book::default() }
    }

    /// One table for each object, in this order; of a table only the wanted counters, called as they are asked for.
    ///
    /// # Errors
    /// Where the system answers nothing, or nothing that can be read, or has neither a table of names nor what goes without one.
    pub fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, String> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        self.prepare(|book| objects.iter().all(|query| book.has(&query.object)));
        let Reader { system, book, .. } = self;
        let indexes: Vec<Vec<u32>> = objects.iter().map(|query| book.to_ask(&query.object)).collect();
        let what = what(&indexes);
        if what.is_empty() {
            return match &book.unreadable {
                Some(why) => Err(no_names(why)),
                None => Ok(objects.iter().map(|_| Err(Missing::Unnamed)).collect()),
            };
        }
        let bytes = system.query(&what).map_err(|error| format!("{}: {error}", listed(objects)))?;
        let answer = parse(bytes).map_err(|error| format!("{}: {error}", listed(objects)))?;
        let asked = objects.iter().zip(&indexes);
        let tables = asked.clone().map(|(query, indexes)| table(&answer, indexes, book.wanted(query))).collect();
        let unknown = asked.clone().any(|(query, indexes)| book.misses_names(query, &answer, indexes));
        book.is_stale |= unknown;
        for (query, indexes) in objects.iter().zip(&indexes) {
            book.learn(&query.object, answer.object(indexes).map(|object| object.index));
        }
        Ok(tables)
    }

    /// Names of objects and counters that begin so, in any case of letters; each once, sorted.
    ///
    /// # Errors
    /// Where no table of names can be read.
    pub fn names(&mut self, prefix: &str) -> Result<Vec<String>, String> {
        self.prepare(|book| !book.beginning(prefix).is_empty());
        match &self.book.unreadable {
            Some(why) => Err(no_names(why)),
            None => Ok(self.book.beginning(prefix).into_iter().map(str::to_owned).collect()),
        }
    }

    /// Services whose counters are switched off: why an object has a name, and nobody answers for it.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn disabled(&mut self) -> Result<Vec<String>, String> {
        self.system.disabled().map_err(|error| error.to_string())
    }

    /// Lets go of what queries loaded; the next one loads it anew.
    pub fn close(&mut self) {
        self.system.close();
    }

    /// Has the tables of names read as far as it takes.
    fn prepare(&mut self, knows: impl Fn(&Book) -> bool) {
        let now = (self.elapsed)();
        let Reader { system, book, .. } = self;
        let last = system.last_counter().ok().flatten();
        let changed = last.is_some() && last != book.last_counter;
        if !changed {
            book.complete(system, &knows);
        }
        let is_wanting = book.is_stale || !knows(book);
        if changed || is_wanting && now.saturating_sub(book.read_at) >= book.patience {
            book.patience = if changed { PATIENCE } else { (2 * book.patience).clamp(PATIENCE, MOST_PATIENCE) };
            book.read_at = now;
            book.last_counter = last;
            book.read(system);
            book.complete(system, &knows);
        }
    }
}

/// The query for all of these; empty: there is nothing to ask for.
fn what(indexes: &[Vec<u32>]) -> String {
    let mut indexes: Vec<u32> = indexes.iter().flatten().copied().collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn listed(objects: &[ObjectQuery]) -> String {
    objects.iter().map(|query| query.object.as_str()).collect::<Vec<_>>().join(", ")
}

fn no_names(why: &str) -> String {
    format!("the names of performance counters: {why}")
}

/// The tables of names.
struct Book {
    english: Names,
    /// Of the host's language, where they say something else; absent: not read yet.
    local: Option<Names>,
    /// Why the English ones are only those that never change.
    unreadable: Option<String>,
    /// Of an object whose name has several indexes the one that is answered: the others may be names of what others serve.
    served: HashMap<String, u32>,
    /// An answer has indexes that are in none, or reading them again failed.
    is_stale: bool,
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
            last_counter: None,
            read_at: Duration::ZERO,
            patience: Duration::ZERO,
        }
    }
}

impl Book {
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

    fn has(&self, name: &str) -> bool {
        self.in_english(name) || self.local.as_ref().is_some_and(|local| local.indexes(name).next().is_some())
    }

    fn in_english(&self, name: &str) -> bool {
        self.english.indexes(name).next().is_some()
    }

    fn indexes(&self, name: &str) -> Vec<u32> {
        self.english.indexes(name).chain(self.local.iter().flat_map(|local| local.indexes(name))).collect()
    }

    fn to_ask(&self, object: &str) -> Vec<u32> {
        self.served.get(&object.to_lowercase()).map_or_else(|| self.indexes(object), |index| vec![*index])
    }

    /// Under which index an object was answered. One that is not is asked for by all its indexes again.
    fn learn(&mut self, object: &str, index: Option<u32>) {
        let object = object.to_lowercase();
        match index {
            Some(index) => self.served.insert(object, index),
            None => self.served.remove(&object),
        };
    }

    fn beginning(&self, prefix: &str) -> Vec<&str> {
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
    fn wanted<'a>(&'a self, query: &'a ObjectQuery) -> impl Fn(u32) -> Option<&'a str> {
        let is_local = !self.in_english(&query.object);
        move |index| {
            if query.counters.is_empty() {
                return self.name(index, is_local);
            }
            let local = self.local.as_ref().and_then(|local| local.name(index));
            let mut names = [self.english.name(index), local].into_iter().flatten();
            names.find_map(|name| query.counters.iter().find(|counter| same(counter.trim(), name))).map(String::as_str)
        }
    }

    /// Whether the object has counters that nobody knows.
    fn misses_names(&self, query: &ObjectQuery, answer: &Answer<'_>, indexes: &[u32]) -> bool {
        let is_local = !self.in_english(&query.object);
        answer.object(indexes).is_some_and(|object| {
            let mut counters = object.counters().filter(|counter| counter.index != 0 && !is_base(counter.kind));
            counters.any(|counter| self.name(counter.index, is_local).is_none())
        })
    }
}

#[cfg(test)]
mod tests;
