//! `mssql.wait.*`: what sessions wait for.
//!
//! The object `Wait Statistics` has it the other way round: its counters are kinds of waits, all of one declared type, and its
//! instances are what is counted of them. [`transposed`] turns it, and types say nothing then.

use super::table::{Label, Object, Rows, of, total};
use crate::model::{Metric, On, Sets};
use crate::perf::meter::{How, Line};
use crate::perf::rows::{Column, Row, Table};

const WAITS: &str = "Wait Statistics";
const TAGS: &[&str] = &["instance", "wait"];

pub(super) const OBJECTS: &[Object] = &[Object::new(WAITS, &LINES).rows(Rows::Waits, Label::With("wait", wait))];

const CURRENT: Metric =
    Metric::gauge("mssql.wait.current", "waits", Sets::EXTENDED, "Wait Statistics: Waits in progress")
        .on(On::Windows)
        .tags(TAGS);

const LINES: [Line; 3] = [
    total("mssql.wait.time", "ms", of!("Wait Statistics", "Cumulative wait time (ms) per second"))
        .tagged(TAGS)
        .meaning("the graph shows milliseconds that were waited in a second; over mssql.wait.started: of one wait"),
    total("mssql.wait.started", "waits", of!("Wait Statistics", "Waits started per second")).tagged(TAGS),
    Line::new(CURRENT, How::Number, &["Waits in progress"]),
];

/// Counters, and their tag.
const KINDS: [(&str, &str); 12] = [
    ("Lock waits", "lock"),
    ("Log buffer waits", "log_buffer"),
    ("Log write waits", "log_write"),
    ("Memory grant queue waits", "memory_grant_queue"),
    ("Network IO waits", "network_io"),
    ("Non-Page latch waits", "non_page_latch"),
    ("Page IO latch waits", "page_io_latch"),
    ("Page latch waits", "page_latch"),
    ("Thread-safe memory objects waits", "thread_safe_memory_objects"),
    ("Transaction ownership waits", "transaction_ownership"),
    ("Wait for the worker", "worker"),
    ("Workspace synchronization waits", "workspace_synchronization"),
];

pub(super) fn counters() -> Vec<String> {
    KINDS.iter().map(|(counter, _)| (*counter).to_owned()).collect()
}

fn wait(counter: &str) -> String {
    let kind = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(counter));
    kind.map_or_else(|| super::table::small(counter), |(_, tag)| (*tag).to_owned())
}

/// Rows for columns.
pub(super) fn transposed(table: &Table) -> Table {
    let Some(Column { kind, size, base_size, .. }) = table.columns.first().cloned() else { return Table::default() };
    let column = |row: &Row| Column { counter: row.instance.clone(), kind, size, base_size };
    let row = |(place, column): (usize, &Column)| Row {
        instance: column.counter.clone(),
        values: table.rows.iter().map(|row| row.values.get(place).copied().flatten()).collect(),
    };
    Table {
        clocks: table.clocks,
        columns: table.rows.iter().map(column).collect(),
        rows: table.columns.iter().enumerate().map(row).collect(),
        left_out: table.left_out,
    }
}
