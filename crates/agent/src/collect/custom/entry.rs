//! One entry of `collector.counters`: which counters and instances it means, and what is remembered of them.
//!
//! * `*`, or nothing, means no sum (`_Total`, `_Global_`): who adds up the instances would count everything twice.
//! * Of instances of one name the first one counts: their order is all that tells them apart, and it changes.
//! * What is not there for an hour is forgotten.

use std::collections::{HashMap, HashSet};

use super::claims::Claims;
use super::naming;
use crate::collect::Cx;
use crate::collect::pattern::{Choice, Pattern};
use crate::config::{CounterSet, INSTANCE};
use crate::model::{Kind, Tags};
use crate::perf::formula::Formula;
use crate::perf::meter::{How, Memory, reading};
use crate::perf::rows::{Row, Table};
use crate::stats::Stats;

/// Cycles for which a row that is not there is remembered.
const REMEMBERED: u8 = 60;

pub(super) struct Entry {
    set: CounterSet,
    /// With the texts that they were made of.
    counters: Vec<(String, Pattern)>,
    instances: Vec<(String, Pattern)>,
    choice: Choice,
    /// Which sums are meant; `None`: none of them.
    sums: Option<Choice>,
    rows: HashMap<String, Remembered>,
}

struct Remembered {
    tags: Tags,
    /// By the metric's name.
    counters: HashMap<String, Memory>,
    absent: u8,
}

/// What an answer has of an entry.
#[derive(Default)]
pub(super) struct Found {
    pub rows: Vec<FoundRow>,
    pub columns: Vec<FoundColumn>,
}

pub(super) struct FoundRow {
    /// In the table.
    place: usize,
    pub tags: Tags,
}

pub(super) struct FoundColumn {
    /// In a row.
    place: usize,
    pub metric: String,
    kind: Kind,
}

impl Entry {
    pub(super) fn new(set: &CounterSet) -> Entry {
        let patterns = |texts: &[String]| texts.iter().map(|text| (text.clone(), Pattern::caseless(text))).collect();
        let named: Vec<String> =
            set.instances.iter().filter(|text| !Pattern::caseless(text).is_any()).cloned().collect();
        Entry {
            counters: patterns(&set.counters),
            instances: patterns(&set.instances),
            choice: Choice::new(&set.instances, &set.exclude),
            sums: (!named.is_empty()).then(|| Choice::new(&named, &set.exclude)),
            rows: HashMap::new(),
            set: set.clone(),
        }
    }

    /// What the object is to be asked for; `None`: for all that it has.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let is_plain = !self.counters.is_empty() && !self.counters.iter().any(|(_, pattern)| pattern.is_open());
        is_plain.then(|| self.set.counters.clone())
    }

    /// What is meant of an answer. What is written and fits nothing is told, and what cannot be told of.
    pub(super) fn look(
        &mut self,
        cx: &mut Cx<'_>,
        object: &str,
        table: &Table,
        claims: &mut Claims,
        stats: &Stats,
    ) -> Found {
        for row in self.rows.values_mut() {
            row.absent = row.absent.saturating_add(1);
        }
        self.rows.retain(|_, row| row.absent <= REMEMBERED);
        let columns = self.columns(cx, object, table, claims);
        let (mut rows, mut seen, mut doubles) = (Vec::new(), HashSet::new(), 0);
        for (place, row) in table.rows.iter().enumerate() {
            if !self.means(&row.instance) {
                continue;
            }
            let tags = self.recall(&row.instance).tags.clone();
            // As the transfer reads them.
            if seen.insert(tags.as_str().replace(' ', "")) {
                rows.push(FoundRow { place, tags });
            } else {
                doubles += 1;
            }
        }
        if doubles > 0 {
            stats.collided.add(doubles * columns.len());
            cx.remark(
                format!("instances of {object}"),
                "several have the same name and cannot be told apart over time; the first one counts",
            );
        }
        self.tell_unfitting(cx, object, table);
        Found { rows, columns }
    }

    fn columns(&self, cx: &mut Cx<'_>, object: &str, table: &Table, claims: &mut Claims) -> Vec<FoundColumn> {
        let mut columns = Vec::new();
        for (place, column) in table.columns.iter().enumerate() {
            let meant =
                self.counters.is_empty() || self.counters.iter().any(|(_, pattern)| pattern.fits(&column.counter));
            let Some(kind) = Formula::of(column.kind).filter(|_| meant).map(Formula::kind) else { continue };
            let named = naming::metric(&self.set.metric, object, &column.counter);
            let named = named.ok_or_else(|| "left out: nothing of its name makes a metric's".to_owned());
            let claimed = named.and_then(|metric| {
                claims.claim(&metric, kind, object, &column.counter)?;
                Ok(metric)
            });
            match claimed {
                Ok(metric) => columns.push(FoundColumn { place, metric, kind }),
                Err(why) => cx.remark(format!("counter {} of {object}", column.counter), why),
            }
        }
        columns
    }

    fn means(&self, instance: &str) -> bool {
        if instance.is_empty() {
            return true;
        }
        match &self.sums {
            None if is_sum(instance) => false,
            Some(sums) if is_sum(instance) => sums.fits(instance),
            _ => self.choice.fits(instance),
        }
    }

    fn tell_unfitting(&self, cx: &mut Cx<'_>, object: &str, table: &Table) {
        let has_number = |kind: u32| Formula::of(kind).is_some();
        for (text, pattern) in &self.counters {
            if !table.columns.iter().any(|column| has_number(column.kind) && pattern.fits(&column.counter)) {
                cx.remark(format!("counter {text} of {object}"), "there is none on this host that has a number");
            }
        }
        // An object without instances has one row without a name.
        if !table.rows.iter().any(|row| row.instance.is_empty()) {
            for (text, pattern) in &self.instances {
                if !table.rows.iter().any(|row| pattern.fits(&row.instance)) {
                    cx.remark(format!("instance {text} of {object}"), "there is none on this host");
                }
            }
        }
    }

    fn recall(&mut self, instance: &str) -> &mut Remembered {
        let tags = &self.set.tags;
        let remembered = self.rows.entry(instance.to_owned()).or_insert_with(|| {
            let own = Some((INSTANCE, instance)).filter(|(_, name)| !name.is_empty());
            let fixed = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let pairs: Vec<(&str, &str)> = own.into_iter().chain(fixed).collect();
            Remembered { tags: Tags::of(&pairs), counters: HashMap::new(), absent: 0 }
        });
        remembered.absent = 0;
        remembered
    }

    pub(super) fn emit(&mut self, cx: &mut Cx<'_>, table: &Table, row: &FoundRow, column: &FoundColumn) {
        let Some(now) = table.rows.get(row.place).and_then(|row| reading(table, row, column.place)) else { return };
        let Some(instance) = table.rows.get(row.place).map(|row: &Row| row.instance.as_str()) else { return };
        let counters = &mut self.recall(instance).counters;
        if !counters.contains_key(&column.metric) {
            counters.insert(column.metric.clone(), Memory::default());
        }
        let how = if column.kind == Kind::Counter { How::Total } else { How::Shown };
        if let Some(value) = counters.get_mut(&column.metric).and_then(|memory| memory.value(how, now)) {
            cx.emit_named(&column.metric, column.kind, &row.tags, value);
        }
    }
}

/// Of all instances, or of all parts of one (`0,_Total` of a node's processors). ASP.NET has `__Total__`, .NET `_Global_`.
fn is_sum(instance: &str) -> bool {
    let last = instance.rsplit(',').next().unwrap_or(instance);
    let word = last.trim_matches('_');
    last.starts_with('_') && ["total", "global"].iter().any(|sum| word.eq_ignore_ascii_case(sum))
}
