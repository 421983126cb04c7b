//! Rows of an object: raw numbers with the clocks of their reading, from which values are computed where the earlier reading is.

use serde::{Deserialize, Serialize};

/// Why an object is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// No table of names has it: it is not installed.
    Unnamed,
    /// It has a name, and no provider answers for it.
    Unserved,
    /// A provider answered with bytes that are no object.
    Damaged,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Missing::Unnamed => "is not installed",
            Missing::Unserved => {
                "has a name, and no provider answers for it; `lodctr /R` rebuilds the list of providers"
            }
            Missing::Damaged => "is answered with bytes that are no object of performance counters",
        })
    }
}

/// One object's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub clocks: Clocks,
    /// Of the counters that were asked for those that the object has.
    pub columns: Vec<Column>,
    /// One for an object without instances, with an empty name. Names are as the provider has them: not unique.
    pub rows: Vec<Row>,
    /// Rows and counters that were damaged, or beyond what is read of one object.
    pub left_out: u32,
}

impl Table {
    /// The place of a counter in every row.
    pub fn column(&self, counter: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.counter.eq_ignore_ascii_case(counter))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// English name.
    pub counter: String,
    /// `CounterType` of PERF_COUNTER_DEFINITION.
    pub kind: u32,
    /// Bytes of the value, 4 or 8, and of what it is divided by; 0 there where it is divided by nothing.
    pub size: u8,
    pub base_size: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub instance: String,
    /// One for each column; absent: its bytes are not there.
    pub values: Vec<Option<Raw>>,
}

/// A counter's number with the one it is divided by. It is sent as these two alone, as there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, Option<u64>)", into = "(u64, Option<u64>)")]
pub struct Raw {
    pub value: u64,
    /// Of the base, time stamp or multiplier that belongs to it; absent where its type has none or it is missing.
    pub base: Option<u64>,
}

impl From<(u64, Option<u64>)> for Raw {
    fn from((value, base): (u64, Option<u64>)) -> Raw {
        Raw { value, base }
    }
}

impl From<Raw> for (u64, Option<u64>) {
    fn from(Raw { value, base }: Raw) -> (u64, Option<u64>) {
        (value, base)
    }
}

/// The clocks of one answer, taken with its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// PerfTime and PerfFreq of the answer.
    pub ticks: u64,
    pub ticks_per_s: u64,
    /// PerfTime100nSec: 100 ns since 1601.
    pub ns100: u64,
    /// PerfTime and PerfFreq of the object.
    pub object_ticks: u64,
    pub object_ticks_per_s: u64,
}
