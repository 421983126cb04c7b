//! Lines of one object of one instance: which rows of an answer are told of, and under which tags.
//!
//! * Of rows of one name the first one counts: nothing tells them apart over time.
//! * Of rows that have the same tags once they are cleaned one counts, as long as it is there; the others are counted in
//!   `agent.series.collided`.

use std::collections::{HashMap, HashSet};

use super::instance::Wishes;
use super::pools;
use super::table::{Label, Object, Rows, is_total};
use super::waits;
use crate::collect::{Class, Cx};
use crate::model::Tags;
use crate::perf::meter::Sheet;
use crate::perf::rows::{Row, Table};
use crate::stats::Stats;

pub(super) struct Part {
    object: &'static Object,
    /// Where its answer stands.
    pub query: usize,
    sheet: Sheet,
    /// By the names of rows.
    tags: HashMap<String, Tags>,
    /// By tags as the transfer reads them, the name of the row that has them.
    owners: HashMap<String, String>,
}

/// What an instance's parts have in common in one cycle.
pub(super) struct View<'a> {
    pub instance: &'a str,
    pub own: &'a Tags,
    pub wishes: &'a Wishes,
    pub left_out: &'a HashSet<String>,
    pub stats: &'a Stats,
}

impl Part {
    pub(super) fn new(object: &'static Object, query: usize) -> Part {
        Part { object, query, sheet: Sheet::new(object.lines), tags: HashMap::new(), owners: HashMap::new() }
    }

    pub(super) fn say(&mut self, cx: &mut Cx<'_>, table: &Table, view: &View<'_>) {
        let object = self.object;
        let other = match object.rows {
            Rows::Waits => Some(waits::transposed(table)),
            Rows::Pools if !view.wishes.all_pools && !pools::are_more(table) => return,
            Rows::Pools => Some(pools::since_before(table.clone())),
            // A sum alone is that of nothing.
            Rows::Replicas if table.rows.iter().all(|row| is_total(&row.instance)) => return,
            _ => None,
        };
        let table = other.as_ref().unwrap_or(table);
        let rows = self.choose(cx, table, view);
        let mut page = self.sheet.open(table);
        for (row, tags) in rows {
            // The sum of a kind is a total of its instance.
            let is_sum = is_total(&row.instance) && object.class == Class::Databases;
            cx.class(if is_sum { Class::Totals } else { object.class });
            page.emit(cx, row, &row.instance, &tags);
        }
    }

    /// The rows that are told of, with their tags.
    fn choose<'a>(&mut self, cx: &mut Cx<'_>, table: &'a Table, view: &View<'_>) -> Vec<(&'a Row, Tags)> {
        let mut names = HashSet::new();
        let mut doubles: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        for row in table.rows.iter().filter(|row| is_told(self.object.rows, &row.instance, view)) {
            if names.insert(row.instance.as_str()) {
                rows.push(row);
            } else {
                doubles.push(&row.instance);
            }
        }
        self.tags.retain(|name, _| names.contains(name.as_str()));
        self.owners.retain(|_, name| names.contains(name.as_str()));
        let mut left_out = doubles.len();
        for name in doubles {
            cx.remark(thing(name, view), "is there more than once in one answer; the first one counts");
        }
        let mut chosen = Vec::new();
        for row in rows {
            let tags = self.tags_of(row, view);
            // As the transfer reads them.
            let owner = self.owners.entry(tags.as_str().replace(' ', "")).or_insert_with(|| row.instance.clone());
            if *owner == row.instance {
                chosen.push((row, tags));
                continue;
            }
            left_out += 1;
            cx.remark(thing(&row.instance, view), format!("is not told of, as {owner} has the same tags"));
        }
        if left_out > 0 {
            let has = |counters: &[&str]| counters.iter().any(|counter| table.column(counter).is_some());
            let lines = self.object.lines.iter().filter(|line| cx.wants(&line.metric) && has(line.counters));
            view.stats.collided.add(left_out * lines.count());
        }
        chosen
    }

    /// Made once.
    fn tags_of(&mut self, row: &Row, view: &View<'_>) -> Tags {
        let name = row.instance.as_str();
        let made = match self.object.label {
            Label::None => return Tags::NONE,
            Label::Instance => return view.own.clone(),
            _ if self.tags.contains_key(name) => return self.tags.get(name).cloned().unwrap_or_default(),
            Label::With(key, write) => Tags::of(&[("instance", view.instance), (key, &write(name))]),
            Label::Only(key) => Tags::of(&[(key, name)]),
        };
        self.tags.insert(name.to_owned(), made.clone());
        made
    }
}

/// How the log names a row.
fn thing(row: &str, view: &View<'_>) -> String {
    format!("{row} of SQL Server instance {}", view.instance)
}

fn is_told(rows: Rows, row: &str, view: &View<'_>) -> bool {
    let View { wishes, left_out, .. } = view;
    let is_single = || wishes.has(row) && !left_out.contains(row);
    match rows {
        Rows::Total => row.is_empty() || is_total(row),
        Rows::Each => !is_total(row),
        Rows::All | Rows::Waits | Rows::Pools => true,
        Rows::Databases | Rows::Replicas => is_total(row) || is_single(),
        Rows::SingleDatabases => is_single(),
        Rows::NamedDatabases => is_total(row) || wishes.choice.names(row) && is_single(),
    }
}
