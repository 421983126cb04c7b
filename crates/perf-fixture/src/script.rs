//! What a provider does, as a file says: objects with values that stand or grow, and faults.
//!
//! The file is JSON; a test writes it with [`Script::write`], which replaces the one before in one step, so that no query sees
//! half of it. A value grows with the time since the first script was written: one that comes later goes on from there.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::layout::{Counter, Instance, Instances};
use crate::{kind, layout};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Script {
    pub objects: Vec<Object>,
    /// Instead of an answer, or beside one, when one of the objects is asked for. Wine opens every provider at every query, so
    /// nothing but an object that is asked for may have it fail.
    pub fault: Option<Fault>,
    /// Unix nanoseconds of the moment that values grow from.
    pub began_ns: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    pub index: u32,
    pub counters: Vec<Definition>,
    pub rows: Rows,
    /// PerfTime and PerfFreq; none: the system's counter.
    pub clock: Option<(u64, u64)>,
    /// 0: names of instances are UTF-16, else ISO 8859-1.
    pub code_page: u32,
    /// Bytes to be wrong.
    pub patches: Vec<Patch>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Definition {
    pub index: u32,
    pub kind: u32,
    pub size: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Rows {
    /// An object without instances.
    One(Vec<Value>),
    Many(Vec<Row>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub unique_id: i32,
    pub values: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Is(u64),
    /// From a number, by so much a second.
    Grows(u64, u64),
}

/// Four bytes of an object, from its begin.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Patch {
    pub at: usize,
    pub value: u32,
}

/// Places for [`Patch`].
pub mod at {
    pub const TOTAL_BYTES: usize = 0;
    pub const DEFINITION_BYTES: usize = 4;
    pub const HEADER_BYTES: usize = 8;
    pub const COUNTERS: usize = 32;
    pub const INSTANCES: usize = 40;
    pub const FIRST_COUNTER: usize = 64;
    /// Within a counter's definition, each of which has 40 bytes.
    pub const COUNTER_SIZE: usize = 32;
    pub const COUNTER_OFFSET: usize = 36;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Never comes back.
    Hang,
    /// Reads what is not there.
    Crash,
    /// Ends the process, and says that all was well.
    Exit,
    /// Answers, and keeps so many bytes for ever.
    Leak(usize),
    /// Answers, and writes to the standard output and the standard error.
    Print,
    /// Answers so many bytes that mean nothing.
    Garbage(usize),
    /// Wants more room, however much there is.
    Insatiable,
    /// Answers this code.
    Error(u32),
}

/// When a query is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    pub unix_ns: u64,
    pub ticks: u64,
    pub ticks_per_s: u64,
}

impl Now {
    /// Without a counter of the system, whose ticks are nanoseconds then.
    pub fn of_clock() -> Now {
        let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let unix_ns = u64::try_from(unix_ns).unwrap_or(u64::MAX);
        Now { unix_ns, ticks: unix_ns, ticks_per_s: 1_000_000_000 }
    }
}

impl Value {
    fn at(self, elapsed_ns: u64) -> u64 {
        match self {
            Value::Is(value) => value,
            Value::Grows(from, per_s) => {
                let grown = u128::from(per_s) * u128::from(elapsed_ns) / 1_000_000_000;
                from.wrapping_add(u64::try_from(grown).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Object {
    fn bytes(&self, now: Now, elapsed_ns: u64) -> Vec<u8> {
        let values = |values: &[Value]| values.iter().map(|value| value.at(elapsed_ns)).collect::<Vec<u64>>();
        let instances = match &self.rows {
            Rows::One(row) => Instances::None(values(row)),
            Rows::Many(rows) => {
                Instances::Many(rows.iter().map(|row| self.instance(row, &values(&row.values))).collect())
            }
        };
        let (ticks, ticks_per_s) = self.clock.unwrap_or((now.ticks, now.ticks_per_s));
        let counter = |of: &Definition| Counter { index: of.index, kind: of.kind, size: of.size };
        let counters = self.counters.iter().map(counter).collect();
        let object =
            layout::Object { index: self.index, counters, instances, ticks, ticks_per_s, code_page: self.code_page };
        let mut bytes = object.bytes();
        for patch in &self.patches {
            if let Some(place) = bytes.get_mut(patch.at..patch.at + 4) {
                place.copy_from_slice(&patch.value.to_le_bytes());
            }
        }
        bytes
    }

    fn instance(&self, row: &Row, values: &[u64]) -> Instance {
        let mut instance = Instance::new(&row.name, values);
        if self.code_page != 0 {
            instance.name = row.name.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        }
        instance.unique_id = row.unique_id;
        instance
    }
}

impl Definition {
    /// As wide as the type says.
    pub fn new(index: u32, kind: u32) -> Definition {
        Definition { index, kind, size: kind::size(kind) }
    }
}

impl Script {
    /// # Errors
    /// Where the file cannot be read, or is no script.
    pub fn read(file: &Path) -> io::Result<Script> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Writes it; values grow from now on, or go on to grow where there was a script.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let began_ns = Script::read(file).map_or_else(|_| Now::of_clock().unix_ns, |before| before.began_ns);
        let whole = Script { began_ns, ..self.clone() };
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_vec(&whole)?)?;
        fs::rename(new, file)
    }

    /// The objects that a query is for: it names indexes with blanks between them, or all that do not cost much.
    pub fn asked<'a>(&'a self, query: &'a str) -> impl Iterator<Item = &'a Object> {
        let all = query.eq_ignore_ascii_case("Global");
        self.objects.iter().filter(move |object| {
            let is_named = |word: &str| word.parse() == Ok(object.index);
            all || query.split_ascii_whitespace().any(is_named)
        })
    }

    /// Each object that a query is for, as bytes.
    pub fn answer(&self, query: &str, now: Now) -> Vec<Vec<u8>> {
        let elapsed = now.unix_ns.saturating_sub(self.began_ns);
        self.asked(query).map(|object| object.bytes(now, elapsed)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn object(index: u32, rows: Rows) -> Object {
        let counters = vec![Definition::new(index + 2, kind::BULK_COUNT)];
        Object { index, counters, rows, clock: Some((7, 10)), code_page: 0, patches: Vec::new() }
    }

    #[test]
    fn a_script_comes_back_from_its_file_and_grows_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        let rows = Rows::One(vec![Value::Grows(100, 10)]);
        let script = Script { objects: vec![object(10, rows)], fault: Some(Fault::Leak(3)), began_ns: 0 };
        script.write(&file).unwrap();
        let read = Script::read(&file).unwrap();
        assert_eq!(read.fault, Some(Fault::Leak(3)));
        Script::default().write(&file).unwrap();
        assert_eq!(Script::read(&file).unwrap().began_ns, read.began_ns);
        let now = Now { unix_ns: read.began_ns + 2_500_000_000, ticks: 1, ticks_per_s: 1 };
        let bytes = &read.answer("10", now)[0];
        // Header, one definition, the length of the block, and four bytes to the next multiple of eight.
        let at = 64 + 40 + 8;
        assert_eq!(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()), 125);
        assert_eq!(bytes[48..64], [7, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0], "the clock of the object");
    }

    #[test]
    fn only_what_is_asked_for_is_answered() {
        let script = Script {
            objects: vec![object(10, Rows::One(vec![Value::Is(1)])), object(20, Rows::Many(Vec::new()))],
            ..Script::default()
        };
        let count = |query: &str| script.answer(query, Now::of_clock()).len();
        assert_eq!(["10", "30 20", "20 10", "global", "100", "", "Costly"].map(count), [1, 1, 2, 2, 0, 0, 0]);
    }

    #[test]
    fn patches_and_code_pages_reach_the_bytes() {
        let row = Row { name: "é".to_owned(), unique_id: 5, values: vec![Value::Is(1)] };
        let mut one = object(10, Rows::Many(vec![row]));
        one.code_page = 1252;
        one.patches = vec![Patch { at: at::TOTAL_BYTES, value: 0 }, Patch { at: 1 << 20, value: 1 }];
        let script = Script { objects: vec![one], ..Script::default() };
        let bytes = &script.answer("10", Now::of_clock())[0];
        assert_eq!(bytes[..4], [0; 4]);
        assert_eq!(bytes[104 + 24..104 + 26], [0xE9, 0]);
    }
}
