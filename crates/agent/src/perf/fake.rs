//! Tables without a provider, for tests.

use super::formula::Formula;
use super::rows::{Clocks, Column, Raw, Row, Table};

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
