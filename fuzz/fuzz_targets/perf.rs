//! What libraries of other vendors answer for performance counters, and the names that products leave in the registry: any bytes
//! become rows within bounds, and whatever is computed of them is a finite number or none.
#![no_main]

use std::collections::BTreeMap;
use std::io;

use falcon_agent::perf::client::ObjectQuery;
use falcon_agent::perf::formula::{Formula, Reading, displayed};
use falcon_agent::perf::meter::reading;
use falcon_agent::perf::names::Names;
use falcon_agent::perf::parse::{parse, table};
use falcon_agent::perf::reader::{Reader, System};
use falcon_agent::perf::rows::Table;
use falcon_sys::types::PerfNames;
use libfuzzer_sys::fuzz_target;

const MOST_VALUES: usize = 1 << 19;
/// Objects that are asked for by their names.
const ASKED: usize = 4;

/// A host with these bytes for an answer. What lies behind the answer is its table of names.
struct Host<'a>(&'a [u8]);

impl Host<'_> {
    fn units(&self) -> Vec<u16> {
        let length = self.0.get(20..24).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        let names = self.0.get(length as usize..).unwrap_or_default();
        names.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect()
    }
}

impl System for Host<'_> {
    fn query(&mut self, indexes: &str) -> io::Result<&[u8]> {
        assert!(indexes.split(' ').all(|index| index.parse::<u32>().is_ok()), "{indexes:?}");
        Ok(self.0)
    }

    fn close(&mut self) {}

    fn names(&mut self, _: PerfNames) -> io::Result<Vec<u16>> {
        Ok(self.units())
    }

    fn last_counter(&mut self) -> io::Result<Option<u32>> {
        Ok(None)
    }

    fn disabled(&mut self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fuzz_target!(|data: &[u8]| {
    let names = Names::parse(&Host(data).units());
    let all = names.beginning("");
    for name in &all {
        assert!(names.indexes(name).all(|index| names.name(index).is_some()), "{name:?}");
        assert!(names.indexes(name).next().is_some(), "{name:?}");
    }

    // Every counter of every object, known or not.
    if let Ok(answer) = parse(data) {
        let objects: BTreeMap<u32, _> = answer.objects().map(|object| (object.index, object)).collect();
        for index in objects.into_keys() {
            let object = answer.object(&[index]).expect("it is one of them");
            let texts: BTreeMap<u32, String> = object.counters().map(|c| (c.index, c.index.to_string())).collect();
            if let Ok(table) = table(&answer, &[index], |index| texts.get(&index).map(String::as_str)) {
                compute(&table);
            }
        }
    }

    let object = |name: &&str| ObjectQuery::new(*name, Vec::new());
    let mut queries: Vec<ObjectQuery> = all.iter().take(ASKED).map(object).collect();
    if let [first, .., last] = all.as_slice() {
        queries.push(ObjectQuery::new(*first, vec![(*last).to_owned()]));
    }
    let mut reader = Reader::new(Host(data));
    if let Ok(tables) = reader.ask(&queries) {
        assert_eq!(tables.len(), queries.len());
        tables.iter().flatten().for_each(compute);
    }
});

/// Each number with the one of the row before as its earlier reading, taken at half the time.
fn compute(table: &Table) {
    assert!(table.rows.len() * table.columns.len() <= MOST_VALUES);
    for column in 0..table.columns.len() {
        let mut before: Option<Reading> = None;
        for row in &table.rows {
            assert_eq!(row.values.len(), table.columns.len());
            let Some((kind, now)) = reading(table, row, column) else { continue };
            if let Some(value) = Formula::of(kind).and_then(|formula| displayed(formula, before.as_ref(), &now)) {
                assert!(value.is_finite(), "{value} of {kind:#x}: {before:?}, {now:?}");
            }
            let mut earlier = now;
            earlier.clocks.ticks /= 2;
            earlier.clocks.ns100 /= 2;
            earlier.clocks.object_ticks /= 2;
            before = Some(earlier);
        }
    }
}
