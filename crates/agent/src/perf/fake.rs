//! Tables without a provider, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::client::{ObjectQuery, Perf, Refused, Source, Tables};
use super::formula::Formula;
use super::rows::{Clocks, Column, Missing, Raw, Row, Table};

const LARGE: u32 = 0x100;

/// A table that was read so many seconds after an arbitrary moment; counters with their types, instances with their values.
/// A value has no base.
pub(crate) fn table(second: u64, columns: &[(&str, u32)], rows: &[(&str, &[u64])]) -> Table {
    let width = |kind: u32| if kind & LARGE == 0 { 4 } else { 8 };
    let column = |&(counter, kind): &(&str, u32)| {
        let base_size = if Formula::of(kind).is_some_and(Formula::has_base) { width(kind) } else { 0 };
        Column { counter: counter.to_owned(), kind, size: width(kind), base_size }
    };
    let row = |(instance, values): &(&str, &[u64])| Row {
        instance: (*instance).to_owned(),
        values: values.iter().map(|&value| Some(Raw { value, base: None })).collect(),
    };
    let ticks = (1000 + second) * 10_000_000;
    Table {
        clocks: Clocks {
            ticks,
            ticks_per_s: 10_000_000,
            ns100: ticks,
            object_ticks: ticks,
            object_ticks_per_s: 10_000_000,
        },
        columns: columns.iter().map(column).collect(),
        rows: rows.iter().map(row).collect(),
        left_out: 0,
    }
}

/// Answers that a test sets, and what it was asked. What is not set is not installed.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    tables: BTreeMap<String, Result<Table, Missing>>,
    refused: BTreeMap<String, Refused>,
    asked: Vec<(String, Vec<ObjectQuery>)>,
    open: usize,
}

impl Fake {
    pub(crate) fn perf(&self) -> Perf {
        Perf::new(self.clone())
    }

    pub(crate) fn set(&self, object: &str, table: Result<Table, Missing>) {
        self.0.lock().unwrap().tables.insert(object.to_owned(), table);
    }

    pub(crate) fn remove(&self, object: &str) {
        self.0.lock().unwrap().tables.remove(object);
    }

    /// What every query of a group is answered with, until it is taken back.
    pub(crate) fn refuse(&self, group: &str, why: Option<Refused>) {
        let mut state = self.0.lock().unwrap();
        match why {
            Some(why) => state.refused.insert(group.to_owned(), why),
            None => state.refused.remove(group),
        };
    }

    /// Groups and objects of the queries since the last call.
    pub(crate) fn asked(&self) -> Vec<(String, Vec<ObjectQuery>)> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// Groups that are open.
    pub(crate) fn open_groups(&self) -> usize {
        self.0.lock().unwrap().open
    }
}

impl Source for Fake {
    /// Of a table that is set only the columns that are asked for, as the worker does it.
    fn ask(&self, group: &str, objects: &[ObjectQuery]) -> Result<Tables, Refused> {
        let mut state = self.0.lock().unwrap();
        state.asked.push((group.to_owned(), objects.to_vec()));
        if let Some(why) = state.refused.get(group) {
            return Err(why.clone());
        }
        let answer = |query: &ObjectQuery| state.tables.get(&query.object).cloned().unwrap_or(Err(Missing::Unnamed));
        Ok(objects.iter().map(|query| answer(query).map(|table| narrowed(table, &query.counters))).collect())
    }

    fn names(&self, group: &str, prefix: &str) -> Result<Vec<String>, Refused> {
        let state = self.0.lock().unwrap();
        match state.refused.get(group) {
            Some(why) => Err(why.clone()),
            None => Ok(state.tables.keys().filter(|name| begins(name, prefix)).cloned().collect()),
        }
    }

    fn opened(&self) {
        self.0.lock().unwrap().open += 1;
    }

    fn closed(&self, _: &str) {
        self.0.lock().unwrap().open -= 1;
    }
}

fn begins(name: &str, prefix: &str) -> bool {
    name.to_lowercase().starts_with(&prefix.to_lowercase())
}

fn narrowed(table: Table, counters: &[String]) -> Table {
    let stays =
        |column: &Column| counters.is_empty() || counters.iter().any(|c| c.eq_ignore_ascii_case(&column.counter));
    let keep: Vec<bool> = table.columns.iter().map(stays).collect();
    let kept = |n: &usize| keep[*n];
    let row = |row: Row| Row {
        values: (0..row.values.len()).filter(kept).map(|n| row.values[n]).collect(),
        instance: row.instance,
    };
    Table {
        columns: table.columns.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(column, _)| column.clone()).collect(),
        rows: table.rows.into_iter().map(row).collect(),
        ..table
    }
}
