//! From English names to tables: one query of the system for all objects of a call, and what it says of them.
//!
//! Only the wanted objects are asked for, by all the indexes that their names have until one is answered: what else is
//! asked for has libraries loaded that nobody needs. Names are English ones. The table of the host's language is a last resort,
//! for what a product registered in one language alone: it says what the English one says nothing of, and must say the very
//! name that is asked for.

mod book;

use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

use falcon_sys::types::PerfNames;
use falcon_sys::{PerfData, perf_disabled, perf_last_counter, perf_names};

use super::client::{ObjectQuery, Tables, Unanswered};
use super::parse::{parse, table};
use super::rows::Missing;
use book::Book;

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
    pub fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, Unanswered> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        self.prepare(|book| objects.iter().all(|query| book.has(&query.object)));
        let Reader { system, book, .. } = self;
        let indexes: Vec<Vec<u32>> = objects.iter().map(|query| book.to_ask(&query.object)).collect();
        let what = what(&indexes);
        if what.is_empty() {
            return match &book.unreadable {
                Some(why) => Err(Unanswered::NoNames(why.clone())),
                None => Ok(objects.iter().map(|_| Err(Missing::Unnamed)).collect()),
            };
        }
        let failed = |why: &dyn Display| Unanswered::Failed(format!("{}: {why}", listed(objects)));
        let bytes = system.query(&what).map_err(|error| failed(&error))?;
        let answer = parse(bytes).map_err(|error| failed(&error))?;
        // Of the indexes of a name the one that counts from here on.
        let best = |(query, indexes): (&ObjectQuery, &Vec<u32>)| {
            let wanted = book.wanted(query);
            let best = answer.best(indexes, |index| wanted(index).is_some());
            best.map_or_else(|| indexes.clone(), |object| vec![object.index])
        };
        let indexes: Vec<Vec<u32>> = objects.iter().zip(&indexes).map(best).collect();
        let asked = objects.iter().zip(&indexes);
        let tables: Tables =
            asked.clone().map(|(query, indexes)| table(&answer, indexes, book.wanted(query))).collect();
        let unknown = asked.clone().any(|(query, indexes)| book.misses_names(query, &answer, indexes));
        book.is_stale |= unknown;
        for ((query, indexes), table) in objects.iter().zip(&indexes).zip(&tables) {
            let is_it = table.as_ref().is_ok_and(|table| !table.columns.is_empty());
            book.learn(&query.object, indexes.first().copied().filter(|_| is_it));
        }
        Ok(tables)
    }

    /// Names of objects and counters that begin so, in any case of letters; each once, sorted.
    ///
    /// # Errors
    /// Where no table of names can be read.
    pub fn names(&mut self, prefix: &str) -> Result<Vec<String>, Unanswered> {
        self.prepare(|book| !book.beginning(prefix).is_empty());
        match &self.book.unreadable {
            Some(why) => Err(Unanswered::NoNames(why.clone())),
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

    /// Lets go of what queries loaded; the next one loads it anew, and reads the names anew.
    pub fn close(&mut self) {
        self.system.close();
        self.book.expire();
    }

    /// Has the tables of names read as far as it takes.
    fn prepare(&mut self, knows: impl Fn(&Book) -> bool) {
        let now = (self.elapsed)();
        self.book.prepare(&mut self.system, now, knows);
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

#[cfg(test)]
mod tests;
