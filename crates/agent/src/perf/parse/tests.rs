//! Against the writer of the documented layout, and against its bytes with damage.

use std::collections::HashMap;

use falcon_perf_fixture::layout::{self, Counter as Written, Instance as WrittenInstance, Instances as Served, Times};
use proptest::prelude::*;

use super::super::rows::{Clocks, Missing, Raw, Row, Table};
use super::*;

const NUMBER: u32 = 0x0001_0000;
const LARGE: u32 = 0x0001_0100;
const FRACTION: u32 = 0x2002_0400;
const FRACTION_BASE: u32 = 0x4003_0403;
const LARGE_BASE: u32 = 0x4003_0500;
const TIMES: Times = Times { ticks: 7000, ticks_per_s: 1000, ns100: 132_000_000_000_000_000 };

fn counter(index: u32, kind: u32, size: u32) -> Written {
    Written { index, kind, size }
}

fn object(index: u32, counters: &[Written], instances: Served) -> layout::Object {
    let counters = counters.to_vec();
    layout::Object { index, counters, instances, ticks: 77, ticks_per_s: 10, code_page: 0 }
}

fn many(instances: &[(&str, &[u64])]) -> Served {
    Served::Many(instances.iter().map(|(name, values)| WrittenInstance::new(name, values)).collect())
}

fn answer(objects: &[layout::Object]) -> Vec<u8> {
    layout::answer(TIMES, &objects.iter().map(layout::Object::bytes).collect::<Vec<_>>())
}

/// Every counter under its index.
fn read(bytes: &[u8], index: u32) -> Result<Table, Missing> {
    let names: HashMap<u32, String> = (0..20).map(|index| (index, index.to_string())).collect();
    table(&parse(bytes).unwrap(), &[index], |index| names.get(&index).map(String::as_str))
}

/// The rows as `instance value/base value/base`; `-` is a value whose bytes are not there.
fn rows(table: &Table) -> Vec<String> {
    let base = |raw: Raw| raw.base.map(|base| format!("/{base}")).unwrap_or_default();
    let value = |raw: &Option<Raw>| raw.map_or("-".to_owned(), |raw| format!("{}{}", raw.value, base(raw)));
    let row = |row: &Row| [vec![row.instance.clone()], row.values.iter().map(value).collect()].concat().join(" ");
    table.rows.iter().map(row).collect()
}

#[test]
fn objects_with_and_without_instances_are_read_with_their_clocks() {
    let counters = [counter(12, NUMBER, 4), counter(14, LARGE, 8)];
    let bytes = answer(&[
        object(10, &counters, many(&[("Default Web Site", &[3, 1 << 40]), ("网站", &[4, 5])])),
        object(20, &counters, Served::None(vec![8, 9])),
    ]);
    let sites = read(&bytes, 10).unwrap();
    assert_eq!(rows(&sites), ["Default Web Site 3 1099511627776", "网站 4 5"]);
    let clocks = Clocks {
        ticks: 7000,
        ticks_per_s: 1000,
        ns100: 132_000_000_000_000_000,
        object_ticks: 77,
        object_ticks_per_s: 10,
    };
    assert_eq!((sites.clocks, sites.left_out), (clocks, 0));
    assert_eq!(
        sites.columns.iter().map(|c| (c.kind, c.size, c.base_size)).collect::<Vec<_>>(),
        [(NUMBER, 4, 0), (LARGE, 8, 0)]
    );
    assert_eq!(rows(&read(&bytes, 20).unwrap()), [" 8 9"]);
    assert_eq!(read(&bytes, 30), Err(Missing::Unserved));
    assert_eq!(table(&parse(&bytes).unwrap(), &[], |_| None), Err(Missing::Unnamed));
}

/// Base texts follow no rule, and Processor Information has one base for two counters.
#[test]
fn a_base_is_the_first_one_behind_and_may_be_shared_or_missing() {
    const AVERAGE: u32 = 0x4002_0500;
    const MULTI: u32 = 0x2241_0500;
    let counters = [
        counter(2, FRACTION, 4),
        counter(4, FRACTION, 4),
        counter(0, FRACTION_BASE, 4),
        counter(6, NUMBER, 4),
        counter(8, AVERAGE, 8),
        counter(9, LARGE_BASE, 8),
        // The multiplier of 4 bytes follows its value, with no definition of its own.
        counter(10, MULTI, 8),
        counter(12, NUMBER, 4),
        counter(14, FRACTION, 4),
    ];
    let values = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    let bytes = answer(&[object(1, &counters, many(&[("a", &values)]))]);
    let table = read(&bytes, 1).unwrap();
    assert_eq!(rows(&table), ["a 1/3 2/3 4 5/6 7/8 8 9"]);
    let names: Vec<&str> = table.columns.iter().map(|column| column.counter.as_str()).collect();
    assert_eq!(names, ["2", "4", "6", "8", "10", "12", "14"]);
}

#[test]
fn metadata_and_objects_without_an_instance_now_have_no_rows() {
    let counters = [counter(2, NUMBER, 4)];
    for instances in [Served::Many(vec![]), Served::Metadata(-2), Served::Metadata(-3)] {
        let bytes = answer(&[object(1, &counters, instances), object(3, &counters, Served::None(vec![7]))]);
        let table = read(&bytes, 1).unwrap();
        assert_eq!((table.rows.len(), table.columns.len(), table.left_out), (0, 1, 0));
        assert_eq!(rows(&read(&bytes, 3).unwrap()), [" 7"]);
    }
}

#[test]
fn names_are_as_they_are_served_twice_nameless_or_in_a_code_page() {
    let counters = [counter(2, NUMBER, 4)];
    let numbered = WrittenInstance { unique_id: 12, ..WrittenInstance::new("", &[3]) };
    let mut served = vec![WrittenInstance::new("a", &[1]), WrittenInstance::new("a", &[2]), numbered];
    served.push(WrittenInstance::new("", &[4]));
    let bytes = answer(&[object(1, &counters, Served::Many(served))]);
    assert_eq!(rows(&read(&bytes, 1).unwrap()), ["a 1", "a 2", "#12 3"]);
    let chinese = WrittenInstance { name: vec![0xCD, 0xF8, 0xD5, 0xBE], ..WrittenInstance::new("", &[5]) };
    let object = layout::Object { code_page: 936, ..object(1, &counters, Served::Many(vec![chinese])) };
    assert_eq!(rows(&read(&answer(&[object]), 1).unwrap()), ["网站 5"]);
}

/// A length of 0 would have been walked for ever, and a count of two thousand million believed.
#[test]
fn lengths_and_counts_are_believed_as_far_as_they_can_be() {
    let counters = [counter(2, NUMBER, 4)];
    let sound = answer(&[object(1, &counters, many(&[("a", &[1]), ("b", &[2])])), object(3, &counters, many(&[]))]);
    let first = length_at(&sound, 24).unwrap();
    let with = |at: usize, value: u32| {
        let mut bytes = sound.clone();
        bytes[first + at..first + at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    // TotalByteLength of the object, DefinitionLength, HeaderLength, NumInstances.
    for (at, value) in [(0, 0), (0, u32::MAX), (4, 0), (4, u32::MAX), (8, 8), (40, 1 << 31), (40, 70_000)] {
        assert_eq!(read(&with(at, value), 1), Err(Missing::Damaged), "{value} at {at}");
    }
    // The chain goes on behind an object whose length can be believed.
    assert!(read(&with(40, 70_000), 3).is_ok());
    let counted = read(&with(32, u32::MAX), 1).unwrap();
    assert_eq!((counted.columns.len(), counted.left_out), (1, u32::MAX - 1));
    let definition = first + OBJECT;
    for (at, value) in [(0, 0), (32, 3), (36, 0), (36, u32::MAX), (36, 4096)] {
        let mut bytes = sound.clone();
        bytes[definition + at..definition + at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let table = read(&bytes, 1).unwrap();
        assert!(table.columns.is_empty() || table.rows.iter().all(|row| row.values == [None]), "{value} at {at}");
    }
    assert_eq!(parse(&[]).unwrap_err(), Malformed::Short);
    assert_eq!(parse(&[0; 200]).unwrap_err(), Malformed::Signature);
}

fn large() -> Vec<u8> {
    let counters: Vec<Written> = (1..=6)
        .map(|n| counter(2 * n, if n % 2 == 0 { LARGE } else { FRACTION }, if n % 2 == 0 { 8 } else { 4 }))
        .collect();
    let names: Vec<String> = (0..12).map(|n| format!("网站 {n}")).collect();
    let rows: Vec<(&str, &[u64])> = names.iter().map(|name| (name.as_str(), &[1, 2, 3, 4, 5, 6][..])).collect();
    let single = Served::None(vec![9; 6]);
    answer(&[object(1, &counters, many(&rows)), object(3, &counters, single), object(5, &counters, many(&rows))])
}

/// What is beyond the objects that are read is not said to be served by nobody.
#[test]
fn more_objects_than_are_read_of_an_answer_may_be_there() {
    let mut bytes = layout::answer(Times::default(), &[object(10, &[], Served::None(vec![])).bytes()]);
    assert_eq!(read(&bytes, 99), Err(Missing::Unserved));
    let one = bytes.split_off(88);
    (0..4097).for_each(|_| bytes.extend(&one));
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[20..24].copy_from_slice(&length.to_le_bytes());
    bytes[28..32].copy_from_slice(&4097_u32.to_le_bytes());
    assert_eq!(read(&bytes, 99), Err(Missing::Damaged));
    assert!(read(&bytes, 10).is_ok());
}

#[test]
fn a_buffer_that_was_cut_anywhere_has_what_lies_before_the_cut() {
    let whole = large();
    let sound = [1, 3, 5].map(|index| read(&whole, index).unwrap());
    for length in 0..whole.len() {
        let Ok(answer) = parse(&whole[..length]) else {
            assert!(length < DATA_BLOCK + 16, "{length}");
            continue;
        };
        assert!(answer.is_damaged(&[99]), "{length}");
        for (index, sound) in [1, 3, 5].into_iter().zip(&sound) {
            match read(&whole[..length], index) {
                Ok(table) => assert_eq!(&table, sound, "{length}"),
                Err(missing) => assert_eq!(missing, Missing::Damaged, "{length}"),
            }
        }
    }
}

fn any_object() -> impl Strategy<Value = layout::Object> {
    let kinds = prop::sample::select(vec![NUMBER, 0x1041_0400, 0x2051_0500, 0x0045_0400]);
    let counters = prop::collection::vec((kinds, prop::bool::ANY), 0..8);
    let rows = prop::collection::vec(("[a-z网 ]{1,12}", prop::collection::vec(any::<u64>(), 8)), 0..8);
    (counters, rows, any::<u64>()).prop_map(|(counters, rows, ticks)| {
        let place = |(n, (kind, is_large)): (u32, (u32, bool))| counter(2 * n, kind, if is_large { 8 } else { 4 });
        let counters = (1..).zip(counters).map(place).collect();
        let instances = rows.iter().map(|(name, values)| WrittenInstance::new(name, values)).collect();
        layout::Object { index: 7, counters, instances: Served::Many(instances), ticks, ticks_per_s: 3, code_page: 0 }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(written in any_object()) {
        let table = read(&answer(&[object(1, &[], many(&[])), written.clone()]), 7).unwrap();
        let Served::Many(instances) = &written.instances else { unreachable!() };
        prop_assert_eq!(table.rows.len(), instances.len());
        prop_assert_eq!((table.clocks.object_ticks, table.left_out), (written.ticks, 0));
        for (row, instance) in table.rows.iter().zip(instances) {
            let name: Vec<u8> = row.instance.encode_utf16().flat_map(u16::to_le_bytes).collect();
            prop_assert_eq!(&name, &instance.name);
            for ((read, value), counter) in row.values.iter().zip(&instance.values).zip(&written.counters) {
                let kept = if counter.size == 4 { value & u64::from(u32::MAX) } else { *value };
                prop_assert_eq!(read.map(|raw| raw.value), Some(kept));
            }
        }
    }

    #[test]
    fn no_bytes_stop_it(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut bytes = large();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(answer) = parse(&bytes) {
            for object in answer.objects() {
                prop_assert!(object.instances().count() <= bytes.len() / 4);
                let _ = table(&answer, &[object.index], |_| Some("x"));
            }
        }
    }
}
