//! How the tables of lines are written: one [`Object`] for the lines of a performance object that have the same rows and tags.

use crate::collect::Class;
use crate::model::{Metric, On, Sets};
use crate::perf::meter::{How, Line};

pub(super) const INSTANCE: &[&str] = &["instance"];

/// Keys of `collector` that switch on what is off by default.
pub(super) const DETAIL: &str = "mssqlDetail";
pub(super) const DATABASE_DETAIL: &str = "mssqlDatabaseDetail";
pub(super) const LOCK_RESOURCES: &str = "mssqlLockResources";
pub(super) const PLAN_CACHES: &str = "mssqlPlanCaches";
pub(super) const USER_COUNTERS: &str = "mssqlUserCounters";
/// Of no metric: pools are told of anyway where somebody made some.
pub(super) const POOLS: &str = "mssqlPools";

/// The row that is the sum of the others.
const TOTAL: &str = "_Total";

/// Lines of one object.
#[derive(Debug)]
pub(super) struct Object {
    /// Behind the instance's prefix.
    pub name: &'static str,
    pub rows: Rows,
    pub label: Label,
    pub class: Class,
    pub lines: &'static [Line],
}

/// Which rows of an object are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// That of an object without instances, or the sum.
    Total,
    /// All but the sum.
    Each,
    All,
    /// Databases that the configuration leaves, and their sum.
    Databases,
    /// The same without the sum.
    SingleDatabases,
    /// The sum, and databases that the configuration names.
    NamedDatabases,
    /// Databases that the configuration leaves; their sum where there is one of them.
    Replicas,
    /// All, where there are more than every instance has.
    Pools,
    /// Counters that stand where instances should, and the other way round.
    Waits,
}

/// The tags of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    None,
    Instance,
    /// `instance`, and the row's name under this key, as it is to be written.
    With(&'static str, fn(&str) -> String),
    /// The row's name alone.
    Only(&'static str),
}

impl Object {
    pub(super) const fn new(name: &'static str, lines: &'static [Line]) -> Object {
        Object { name, rows: Rows::Total, label: Label::Instance, class: Class::Totals, lines }
    }

    pub(super) const fn rows(self, rows: Rows, label: Label) -> Object {
        Object { rows, label, ..self }
    }

    pub(super) const fn class(self, class: Class) -> Object {
        Object { class, ..self }
    }
}

pub(super) fn is_total(row: &str) -> bool {
    row.eq_ignore_ascii_case(TOTAL)
}

/// A row's name as a tag has it: blanks would be lost on the way.
pub(super) fn underlined(name: &str) -> String {
    name.replace(' ', "_")
}

/// In small letters, other characters as one `_` each time: of names that Microsoft gave.
pub(super) fn small(name: &str) -> String {
    let words: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join("_")
}

/// Where a number comes from, in words, and its counters.
pub(super) type From = (&'static str, &'static [&'static str]);

/// `of!("Buffer Manager", "Page reads/sec")`: a counter of an object.
macro_rules! of {
    ($object:literal, $counter:literal) => {
        (concat!($object, ": ", $counter), &[$counter])
    };
}
pub(super) use of;

/// A running total, whatever its type is called.
pub(super) const fn total(name: &'static str, unit: &'static str, (source, counters): From) -> Line {
    let metric = Metric::counter(name, unit, Sets::EXTENDED, source).on(On::Windows).tags(INSTANCE);
    Line::new(metric, How::Total, counters)
}

/// A number as its type says it is shown.
pub(super) const fn shown(name: &'static str, unit: &'static str, (source, counters): From) -> Line {
    let metric = Metric::gauge(name, unit, Sets::EXTENDED, source).on(On::Windows).tags(INSTANCE);
    Line::new(metric, How::Shown, counters)
}

/// A number of kilobytes.
pub(super) const fn kilobytes(name: &'static str, from: From) -> Line {
    shown(name, "B", from).times(1024.0)
}

impl Line {
    pub(super) const fn tagged(self, tags: &'static [&'static str]) -> Line {
        Line { metric: self.metric.tags(tags), ..self }
    }

    pub(super) const fn option(self, option: &'static str) -> Line {
        Line { metric: self.metric.option(option), ..self }
    }

    pub(super) const fn meaning(self, help: &'static str) -> Line {
        Line { metric: self.metric.help(help), ..self }
    }
}
