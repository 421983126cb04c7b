//! From an object to the rows that were asked for: columns by name, each with the base that belongs to it.

use std::collections::HashSet;

use super::super::formula::{Formula, is_base};
use super::super::rows::{Clocks, Column, Missing, Raw, Row, Table};
use super::{Answer, Counter, Instance, MOST_COUNTERS, Object};

/// Values of one table: counters may share bytes, so that few bytes could be read as very many values.
const MOST_VALUES: usize = 1 << 19;

/// CounterType: a text, or nothing at all; and a base for the multiplier of another counter.
const KIND: u32 = 0xC00;
const KIND_TEXT: u32 = 0x800;
const KIND_ZERO: u32 = 0xC00;
const SIZE: u32 = 0x300;
const SIZE_ZERO: u32 = 0x200;
const MULTI: u32 = 0x0200_0000;

/// The rows of the object that has one of these indexes. `wanted` tells the English name under which a counter is asked for;
/// of several counters of one name the first one counts. Instances without a name and without a number are no rows.
///
/// # Errors
/// Where the answer has no such object, or has it with bytes that are none.
pub fn table<'n>(
    answer: &Answer<'_>,
    indexes: &[u32],
    wanted: impl Fn(u32) -> Option<&'n str>,
) -> Result<Table, Missing> {
    if indexes.is_empty() {
        return Err(Missing::Unnamed);
    }
    let missing = if answer.is_damaged(indexes) { Missing::Damaged } else { Missing::Unserved };
    let object = answer.object(indexes).ok_or(missing)?;
    let (places, mut left_out) = places(object, wanted);
    let mut instances = object.instances();
    let mut rows = Vec::new();
    for instance in instances.by_ref() {
        if instance.name.is_empty() && !object.is_single() {
            continue;
        }
        if (rows.len() + 1).saturating_mul(places.len()) > MOST_VALUES {
            left_out = left_out.saturating_add(1);
            continue;
        }
        let values = places.iter().map(|place| place.value(&instance)).collect();
        rows.push(Row { instance: instance.name, values });
    }
    Ok(Table {
        clocks: Clocks {
            ticks: answer.ticks,
            ticks_per_s: answer.ticks_per_s,
            ns100: answer.ns100,
            object_ticks: object.ticks,
            object_ticks_per_s: object.ticks_per_s,
        },
        columns: places.into_iter().map(|place| place.column).collect(),
        rows,
        left_out: left_out.saturating_add(instances.left_out()),
    })
}

/// A column, and where its numbers are in a block.
struct Place {
    column: Column,
    offset: u32,
    base_offset: u32,
}

impl Place {
    fn value(&self, instance: &Instance<'_>) -> Option<Raw> {
        let value = instance.value(self.offset, self.column.size)?;
        Some(Raw { value, base: instance.value(self.base_offset, self.column.base_size) })
    }
}

/// The counters that are wanted, and how many counters could not be read.
fn places<'n>(object: &Object<'_>, wanted: impl Fn(u32) -> Option<&'n str>) -> (Vec<Place>, u32) {
    let counters: Vec<Counter> = object.counters().collect();
    let read = u32::try_from(counters.len()).unwrap_or(MOST_COUNTERS);
    let mut left_out = object.announced.saturating_sub(read);
    let (mut places, mut names, mut base) = (Vec::new(), HashSet::new(), bases(&counters).into_iter());
    for counter in &counters {
        let base = base.next().flatten();
        if is_base(counter.kind) || !has_number(counter.kind) {
            continue;
        }
        let Some(name) = wanted(counter.index) else { continue };
        let Some(size) = width(counter) else {
            left_out = left_out.saturating_add(1);
            continue;
        };
        if names.insert(name) {
            let (base_offset, base_size) = base_of(counter, base);
            let column = Column { counter: name.to_owned(), kind: counter.kind, size, base_size };
            places.push(Place { column, offset: counter.offset, base_offset });
        }
    }
    (places, left_out)
}

/// For each counter the first base behind it, by position: the texts of bases follow no rule, and two counters may share one
/// (`% Processor Utility` and `% Privileged Utility`).
fn bases(counters: &[Counter]) -> Vec<Option<Counter>> {
    let mut next = None;
    let mut bases: Vec<Option<Counter>> = Vec::with_capacity(counters.len());
    for counter in counters.iter().rev() {
        bases.push(next);
        if is_base(counter.kind) && counter.kind & MULTI == 0 {
            next = Some(*counter);
        }
    }
    bases.reverse();
    bases
}

/// Where the base of a counter is and how long; 0 bytes: it has none.
fn base_of(counter: &Counter, base: Option<Counter>) -> (u32, u8) {
    match Formula::of(counter.kind) {
        // The multiplier lies behind the value, whether a definition tells of it or not.
        Some(formula) if formula.is_multi() => (counter.offset.saturating_add(counter.size), 4),
        Some(formula) if formula.has_base() => {
            base.and_then(|base| Some((base.offset, width(&base)?))).unwrap_or_default()
        }
        _ => (0, 0),
    }
}

fn has_number(kind: u32) -> bool {
    kind & KIND != KIND_TEXT && kind & KIND != KIND_ZERO && kind & SIZE != SIZE_ZERO
}

/// CounterSize is what counts: the size in CounterType is wrong for a double, and elsewhere.
fn width(counter: &Counter) -> Option<u8> {
    u8::try_from(counter.size).ok().filter(|size| matches!(size, 4 | 8))
}
