//! `perf.*`: performance counters that `collector.counters` names (Windows).
//!
//! Every object is asked for in a group of its own, so that a provider that fails spoils itself alone; entries of one object
//! share a query. What there is no time left for in a cycle comes first in the next one, see [`super::budget`]. What a name is
//! made of says [`naming`]; which counters and instances an entry means, and what is remembered of them,
//! [`entry`]. One name has one type as long as the agent runs, see [`claims`].
//!
//! Source: the objects of performance counters, by the documented types of their counters; see [`crate::perf::formula`].

mod claims;
mod entry;
mod naming;

use std::sync::Arc;

use super::budget::{Budget, SPENT};
use super::{Class, Collector, Context, Cx, Guard, Guarded, Lane, Opened, Spec};
use crate::config::{CounterSet, INSTANCE};
use crate::model::{Metric, On, Platform, Sets};
use crate::perf::client::{Counters, ObjectQuery};
use crate::perf::rows::{Missing, Table};
use crate::stats::Stats;
use claims::Claims;
use entry::{Entry, Found};

/// Stands for the names that the configuration makes: in every name set, as who lists a counter wants to hear of it.
const PERF: Metric = Metric::gauge("perf.*", "of the counter", Sets::ALL, "the counters of `collector.counters`")
    .tags(&[INSTANCE])
    .on(On::Windows)
    .help(
        "`perf.OBJECT.COUNTER`, or under the entry's own `metric`; a running total is a COUNTER, every other a GAUGE of what \
         perfmon shows; no `instance` where the object has none",
    );

pub(super) const SPEC: Spec = Spec {
    name: "custom",
    check: "",
    lane: Lane::Custom,
    rates: true,
    metrics: &[PERF],
    options: &[],
    open: |cx: &Context| open(cx, Platform::CURRENT),
};

fn open(cx: &Context, platform: Platform) -> Opened {
    Ok(new(cx, platform, Budget::new(&cx.config)).map(|custom| Box::new(custom) as Box<dyn Collector>))
}

fn new(cx: &Context, platform: Platform, budget: Budget) -> Option<Custom> {
    let sets = &cx.config.collector.counters;
    if platform != Platform::Windows || sets.is_empty() {
        return None;
    }
    let mut objects: Vec<Object> = Vec::new();
    for set in sets {
        match objects.iter_mut().find(|object| object.name.eq_ignore_ascii_case(&set.object)) {
            Some(object) => object.add(set),
            None => objects.push(Object::new(cx, set)),
        }
    }
    Some(Custom {
        budget,
        objects,
        first: 0,
        claims: Claims::new(super::ALL),
        guard: Guard::new(Guarded::Counters, &cx.config, &cx.stats),
        stats: cx.stats.clone(),
    })
}

struct Custom {
    budget: Budget,
    objects: Vec<Object>,
    /// The object that is asked for first.
    first: usize,
    claims: Claims,
    guard: Guard,
    stats: Arc<Stats>,
}

/// One object with the entries that name it.
struct Object {
    name: String,
    counters: Counters,
    query: ObjectQuery,
    entries: Vec<Entry>,
    /// The answer of this cycle.
    table: Option<Table>,
}

impl Object {
    fn new(cx: &Context, set: &CounterSet) -> Object {
        let entry = Entry::new(set);
        Object {
            name: set.object.clone(),
            counters: cx.perf.open(format!("custom:{}", set.object)),
            query: ObjectQuery::new(set.object.as_str(), entry.names().unwrap_or_default()),
            entries: vec![entry],
            table: None,
        }
    }

    fn add(&mut self, set: &CounterSet) {
        let entry = Entry::new(set);
        match entry.names() {
            // Everything is asked for already.
            _ if self.query.counters.is_empty() => {}
            None => self.query.counters.clear(),
            Some(names) => {
                for name in names {
                    if !self.query.counters.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                        self.query.counters.push(name);
                    }
                }
            }
        }
        self.entries.push(entry);
    }

    fn ask(&mut self, cx: &mut Cx<'_>) {
        let what = || format!("object {}", self.name);
        self.table = match self.counters.ask(std::slice::from_ref(&self.query)) {
            Ok(answers) => match answers.into_iter().next() {
                Some(Ok(table)) => Some(table),
                Some(Err(Missing::Unnamed)) => {
                    cx.remark(what(), "this host has no performance object of this (English) name");
                    None
                }
                Some(Err(Missing::Damaged)) => {
                    cx.problem(what(), Missing::Damaged);
                    None
                }
                Some(Err(missing)) => {
                    cx.remark(what(), missing);
                    None
                }
                None => None,
            },
            Err(refused) => {
                cx.problem(what(), &refused);
                None
            }
        };
        if self.table.as_ref().is_some_and(|table| table.left_out > 0) {
            cx.remark(what(), "some of its rows or counters are damaged, or are more than is read of one object");
        }
    }
}

impl Collector for Custom {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        self.budget.begin();
        cx.class(Class::Custom);
        self.ask(cx);
        let Custom { objects, claims, guard, stats, .. } = self;
        let mut pages: Vec<Page> = Vec::new();
        for (n, object) in objects.iter_mut().enumerate() {
            let Object { name, entries, table: Some(table), .. } = object else { continue };
            for (entry, looks) in entries.iter_mut().enumerate() {
                pages.push(Page { object: n, entry, found: looks.look(cx, name, table, claims, stats) });
            }
        }
        let mut series: Vec<Series> = Vec::new();
        for (page, Page { found, .. }) in pages.iter().enumerate() {
            let columns = 0..found.columns.len();
            let of_row = |row: usize| columns.clone().map(move |column| Series { page, row, column });
            series.extend((0..found.rows.len()).flat_map(of_row));
        }
        guard.apply(cx, &mut series, |series| series.name(&pages).unwrap_or_default(), |_| 0);
        for Series { page, row, column } in series {
            let Some(Page { object, entry, found }) = pages.get(page) else { continue };
            let Some(Object { entries, table: Some(table), .. }) = objects.get_mut(*object) else { continue };
            let (Some(entry), Some(row), Some(column)) =
                (entries.get_mut(*entry), found.rows.get(row), found.columns.get(column))
            else {
                continue;
            };
            entry.emit(cx, table, row, column);
        }
        Ok(())
    }
}

impl Custom {
    fn ask(&mut self, cx: &mut Cx<'_>) {
        let count = self.objects.len();
        self.objects.iter_mut().for_each(|object| object.table = None);
        for n in (0..count).cycle().skip(self.first).take(count) {
            if !self.budget.has_room() {
                self.first = n;
                cx.problem("the other objects", SPENT);
                return;
            }
            if let Some(object) = self.objects.get_mut(n) {
                object.ask(cx);
            }
        }
    }
}

/// Of one entry what this cycle has.
struct Page {
    object: usize,
    entry: usize,
    found: Found,
}

/// Places in a list of pages, and in what is found of its entry.
struct Series {
    page: usize,
    row: usize,
    column: usize,
}

impl Series {
    fn name(&self, pages: &[Page]) -> Option<String> {
        let found = &pages.get(self.page)?.found;
        let (row, column) = (found.rows.get(self.row)?, found.columns.get(self.column)?);
        Some(format!("{} {}", column.metric, row.tags.as_str()))
    }
}

#[cfg(test)]
mod tests;
