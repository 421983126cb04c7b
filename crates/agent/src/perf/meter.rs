//! From rows to points: a declared series for every counter, and the earlier reading of each.
//!
//! A [`Line`] ties one metric to one counter. A [`Sheet`] has the lines of one object and remembers the rows that it has
//! seen, by a key that the collector chooses; what is not seen for sixty cycles is forgotten. A running total never steps
//! back by a wrap of its 32 bits, and one that may be held back is said from the zero before its first change on.

use std::collections::HashMap;

use super::formula::{Formula, Reading, displayed};
use super::rows::{Row, Table};
use crate::collect::{Cx, float};
use crate::model::{Metric, Tags, metrics_of};

/// Cycles for which a row that is not there is remembered.
const REMEMBERED: u8 = 60;

/// What becomes of a counter's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A running total, whatever its type is called.
    Total,
    /// The number as it stands.
    Number,
    /// As the counter's type says.
    Shown,
    /// A second over the interval, as a number of its own.
    Rate,
}

/// One metric of one counter.
#[derive(Debug)]
pub struct Line {
    pub metric: Metric,
    /// English names; the first one that the object has counts.
    pub counters: &'static [&'static str],
    pub how: How,
    /// From the counter's unit to the metric's.
    pub factor: f64,
    /// Of what stays 0 on most hosts: said from its first change on.
    pub quiet: bool,
}

impl Line {
    pub const fn new(metric: Metric, how: How, counters: &'static [&'static str]) -> Line {
        Line { metric, counters, how, factor: 1.0, quiet: false }
    }

    pub const fn times(self, factor: f64) -> Line {
        Line { factor, ..self }
    }

    pub const fn quiet(self) -> Line {
        Line { quiet: true, ..self }
    }
}

/// What lines declare; `N` is how many they are.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
pub const fn metrics<const N: usize>(lines: &[Line; N]) -> [Metric; N] {
    metrics_of!(lines, N)
}

/// Names of the counters that lines ask for, each once.
pub fn counters<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in lines.into_iter().flat_map(|line| line.counters) {
        if !names.iter().any(|known| known == name) {
            names.push((*name).to_owned());
        }
    }
    names
}

/// One object's lines, with what is remembered of its rows.
pub struct Sheet {
    lines: &'static [Line],
    rows: HashMap<String, Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// One for each line.
    pasts: Vec<Past>,
    absent: u8,
}

#[derive(Default)]
struct Past {
    memory: Memory,
    /// It was 0, and nothing of it was said yet.
    held_zero: bool,
    said: bool,
}

impl Sheet {
    pub fn new(lines: &'static [Line]) -> Sheet {
        Sheet { lines, rows: HashMap::new() }
    }

    /// To emit the rows of one answer.
    pub fn open<'a>(&'a mut self, table: &'a Table) -> Page<'a> {
        for row in self.rows.values_mut() {
            row.absent = row.absent.saturating_add(1);
        }
        self.rows.retain(|_, row| row.absent <= REMEMBERED);
        let place = |line: &Line| line.counters.iter().find_map(|counter| table.column(counter));
        let places = self.lines.iter().map(place).collect();
        Page { sheet: self, table, places }
    }
}

/// A sheet with the answer of one cycle.
pub struct Page<'a> {
    sheet: &'a mut Sheet,
    table: &'a Table,
    /// Of each line's counter in a row.
    places: Vec<Option<usize>>,
}

impl Page<'_> {
    /// Says every line of a row that is known under `key`.
    pub fn emit(&mut self, cx: &mut Cx<'_>, row: &Row, key: &str, tags: &Tags) {
        let lines = self.sheet.lines;
        if !self.sheet.rows.contains_key(key) {
            self.sheet.rows.insert(key.to_owned(), Remembered::default());
        }
        let Some(remembered) = self.sheet.rows.get_mut(key) else { return };
        remembered.absent = 0;
        remembered.pasts.resize_with(lines.len(), Past::default);
        for ((line, place), past) in lines.iter().zip(&self.places).zip(&mut remembered.pasts) {
            let Some(now) = place.and_then(|place| reading(self.table, row, place)) else { continue };
            let Some(value) = past.memory.value(line.how, now) else { continue };
            past.say(cx, line, tags, value * line.factor);
        }
    }
}

/// A row's number in a column, with what a formula needs.
pub fn reading(table: &Table, row: &Row, column: usize) -> Option<(u32, Reading)> {
    let raw = (*row.values.get(column)?)?;
    let column = table.columns.get(column)?;
    let (size, base_size) = (column.size, column.base_size);
    Some((column.kind, Reading { raw, size, base_size, clocks: table.clocks }))
}

/// The earlier reading of one counter of one row.
#[derive(Debug, Default)]
pub struct Memory {
    reading: Option<Reading>,
    total: u64,
}

impl Memory {
    /// What the next reading of a counter of this type tells.
    pub fn value(&mut self, how: How, (kind, now): (u32, Reading)) -> Option<f64> {
        let before = self.reading.replace(now);
        match how {
            How::Number => Some(float(now.raw.value)),
            How::Shown => displayed(Formula::of(kind)?, before.as_ref(), &now),
            How::Rate => displayed(Formula::PerSecond, before.as_ref(), &now),
            How::Total => {
                self.total = match before {
                    Some(before) if now.size == 4 => self.total.saturating_add(now.grown_since(&before).unwrap_or(0)),
                    _ => now.raw.value,
                };
                Some(float(self.total))
            }
        }
    }
}

impl Past {
    fn say(&mut self, cx: &mut Cx<'_>, line: &'static Line, tags: &Tags, value: f64) {
        if line.quiet && !self.said {
            if value == 0.0 {
                self.held_zero = true;
                return;
            }
            if self.held_zero {
                cx.emit_before(&line.metric, tags, 0.0);
            }
        }
        self.said = true;
        cx.emit(&line.metric, tags, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::table;
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::{On, Platform, Sets};

    const COUNTER: u32 = 0x1041_0400;
    const BULK: u32 = 0x1041_0500;
    const NUMBER: u32 = 0x0001_0000;
    const FRACTION: u32 = 0x2002_0400;

    const fn metric(name: &'static str) -> Metric {
        Metric::counter(name, "1", Sets::EXTENDED, "").on(On::Both)
    }

    static LINES: [Line; 5] = [
        Line::new(metric("gets"), How::Total, &["Total Gets", "Gets/sec"]),
        Line::new(metric("bytes"), How::Total, &["Bytes/sec"]),
        Line::new(Metric::gauge("rate", "1", Sets::EXTENDED, ""), How::Rate, &["Bytes/sec"]).times(8.0),
        Line::new(Metric::gauge("ratio", "%", Sets::EXTENDED, ""), How::Shown, &["Ratio"]),
        Line::new(metric("locks"), How::Total, &["Locks/sec"]).quiet(),
    ];

    /// What is said of one cycle, each as `name value`; what is said of the cycle before with its stamp.
    fn cycle(sheet: &mut Sheet, table: &Table) -> Vec<String> {
        let (_, said) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| {
            let mut page = sheet.open(table);
            for row in &table.rows {
                page.emit(cx, row, &row.instance, &Tags::of(&[("site", &row.instance)]));
            }
        });
        let of = |s: &crate::model::Sample| format!("{} {} at {}", s.metric, s.value.get(), s.at);
        let newest = said.samples.iter().map(|sample| sample.at).max().unwrap_or_default();
        said.samples.iter().map(|s| of(s).replace(&format!(" at {newest}"), "")).collect()
    }

    #[test]
    fn totals_go_on_over_a_wrap_and_a_step_back_and_rates_begin_with_the_second_reading() {
        let columns = [("gets/SEC", COUNTER), ("Bytes/sec", BULK)];
        let mut sheet = Sheet::new(&LINES);
        let wrap = u64::from(u32::MAX);
        assert_eq!(cycle(&mut sheet, &table(0, &columns, &[("a", &[wrap, 100])])), ["gets 4294967295", "bytes 100"]);
        assert_eq!(
            cycle(&mut sheet, &table(10, &columns, &[("a", &[4, 600])])),
            ["gets 4294967300", "bytes 600", "rate 400"]
        );
        // The provider began anew: the 64-bit number is sent as it is, and graph drops the one point.
        assert_eq!(cycle(&mut sheet, &table(20, &columns, &[("a", &[1, 7])])), ["gets 4294967300", "bytes 7"]);
        assert_eq!(
            cycle(&mut sheet, &table(30, &columns, &[("a", &[3, 17])])),
            ["gets 4294967302", "bytes 17", "rate 8"]
        );
    }

    /// The total of all sites above 2^31 lost a site, and what was left was taken for a wrap.
    #[test]
    fn what_a_sum_loses_is_no_growth() {
        let columns = [("Total Gets", NUMBER)];
        let mut sheet = Sheet::new(&LINES);
        let mut said = Vec::new();
        for (second, gets) in [(0, 3_000_000_000), (60, 600_000_000), (120, 600_000_007)] {
            said.extend(cycle(&mut sheet, &table(second, &columns, &[("_Total", &[gets])])));
        }
        assert_eq!(said, ["gets 3000000000", "gets 3000000000", "gets 3000000007"]);
    }

    #[test]
    fn a_fraction_has_its_base_and_without_one_there_is_none() {
        let mut sheet = Sheet::new(&LINES);
        let mut answer = table(0, &[("Ratio", FRACTION)], &[("", &[3])]);
        assert_eq!(cycle(&mut sheet, &answer), Vec::<String>::new());
        answer.rows[0].values[0].as_mut().unwrap().base = Some(4);
        assert_eq!(cycle(&mut sheet, &answer), ["ratio 75"]);
    }

    #[test]
    fn what_stays_zero_is_not_said_and_loses_nothing_at_its_first_change() {
        let columns = [("Locks/sec", COUNTER)];
        let mut sheet = Sheet::new(&LINES);
        for second in [0, 60] {
            assert_eq!(cycle(&mut sheet, &table(second, &columns, &[("a", &[0])])), Vec::<String>::new());
        }
        let said = cycle(&mut sheet, &table(120, &columns, &[("a", &[5])]));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("locks 0 at ") && said[1] == "locks 5", "{said:?}");
        assert_eq!(cycle(&mut sheet, &table(180, &columns, &[("a", &[5])])), ["locks 5"]);
        // One that is seen for the first time has no zero before it.
        assert_eq!(cycle(&mut sheet, &table(180, &columns, &[("b", &[9])])), ["locks 9"]);
    }

    #[test]
    fn a_row_that_is_away_for_a_while_goes_on_and_is_forgotten_after_sixty_cycles() {
        let columns = [("Gets/sec", COUNTER), ("Total Gets", NUMBER)];
        let mut sheet = Sheet::new(&LINES);
        let seen = |n: u64| table(n, &columns, &[("a", &[1, 10])]);
        cycle(&mut sheet, &seen(0));
        let none = table(1, &columns, &[]);
        for _ in 0..REMEMBERED {
            cycle(&mut sheet, &none);
        }
        assert_eq!(sheet.rows.len(), 1);
        cycle(&mut sheet, &none);
        assert_eq!(sheet.rows.len(), 0);
        assert_eq!(counters(&LINES), ["Total Gets", "Gets/sec", "Bytes/sec", "Ratio", "Locks/sec"]);
    }
}
