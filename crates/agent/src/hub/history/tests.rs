use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::bits::{Bits, unzigzag, zigzag};
use super::thin::MOST;
use super::*;

const NOW: i64 = 1_700_000_000;

/// What the ring has of every series of `ids`, in the order in which it came.
fn all(ring: &Ring, ids: &[u32]) -> BTreeMap<u32, Vec<(i64, u64)>> {
    let mut read: BTreeMap<u32, Vec<(i64, u64)>> = BTreeMap::new();
    ring.view().read(ids, |place, at, value| read.entry(ids[place]).or_default().push((at, value.to_bits())));
    read
}

/// Who names the series.
#[derive(Default)]
struct Host(HashMap<u32, Track>);

impl Host {
    fn say(&mut self, ring: &mut Ring, id: u32, value: f64, at: i64, now: i64) {
        ring.append(id, self.0.entry(id).or_default(), value, at, now);
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
        (-1000_i64..1000).prop_map(|n| n as f64),
        any::<i64>().prop_map(|n| n as f64),
        (0..100_u32).prop_map(|n| f64::from(n) / 7.0),
    ]
}

fn stamp() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0_i64), 2 => -4000_i64..4000, 1 => any::<i64>()]
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..8_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

proptest! {
    #[test]
    fn what_is_still_in_comes_out_as_it_was_put_in(
        points in prop::collection::vec((id(), value(), stamp()), 1..400),
        cap in 0_usize..20_000,
        smaller in 0_usize..20_000,
    ) {
        let (mut ring, mut host) = (Ring::new(cap), Host::default());
        let mut said: BTreeMap<u32, Vec<(i64, u64)>> = BTreeMap::new();
        for (n, (id, value, off)) in points.iter().enumerate() {
            let now = NOW + n as i64;
            let at = if off.unsigned_abs() > 4000 { *off } else { now + off };
            host.say(&mut ring, *id, *value, at, now);
            said.entry(*id).or_default().push((if at.abs_diff(now) > 3600 { now } else { at }, value.to_bits()));
            prop_assert!(ring.bytes <= cap);
        }
        let ids: Vec<u32> = said.keys().copied().collect();
        let mut in_all = 0;
        for (id, read) in all(&ring, &ids) {
            prop_assert!(said[&id].ends_with(&read), "{id}: {:?} is not the end of {:?}", read, said[&id]);
            in_all += read.len() as u64;
        }
        let facts = ring.facts(ids.len());
        prop_assert_eq!((facts.points, facts.bytes <= cap), (in_all, true));
        if cap >= 64 * 1024 {
            prop_assert_eq!(in_all, points.len() as u64);
        }
        // Of a smaller cap the newest are kept, and those that come are.
        ring.resize(smaller);
        prop_assert!(ring.bytes <= smaller);
        for (id, read) in all(&ring, &ids) {
            prop_assert!(said[&id].ends_with(&read));
        }
        host.say(&mut ring, 5, 1.25, NOW, NOW);
        prop_assert!(ring.bytes <= smaller);
        let newest = all(&ring, &[5]).get(&5).and_then(|read| read.last().copied());
        if smaller >= 4 * (EACH + 64) {
            prop_assert_eq!(newest, Some((NOW, 1.25_f64.to_bits())));
        }
    }

    #[test]
    fn whatever_the_bits_are_reading_ends(words in prop::collection::vec(any::<u64>(), 8..40), ids in prop::collection::btree_set(id(), 1..8)) {
        let mut bits = Bits::new(words.len());
        words.iter().for_each(|word| bits.put(*word, 64));
        let segment = Segment::of(bits);
        let ids: Vec<u32> = ids.into_iter().collect();
        segment.read(&ids, &mut vec![0; ids.len()], |place, _, _| assert!(place < ids.len()));
    }

    #[test]
    fn bits_come_out_as_they_went_in(numbers in prop::collection::vec((any::<u64>(), 1_u32..=64), 1..50)) {
        let mut bits = Bits::new(numbers.len() * 3);
        for (number, count) in &numbers {
            bits.put(number & (u64::MAX >> (64 - count)), *count);
            bits.put_number(*number);
        }
        let mut read = bits.read();
        for (number, count) in &numbers {
            prop_assert_eq!(read.take(*count), Some(number & (u64::MAX >> (64 - count))));
            prop_assert_eq!(read.take_number(), Some(*number));
            prop_assert_eq!(unzigzag(zigzag(number.cast_signed())), number.cast_signed());
        }
        prop_assert_eq!(read.take(1), None);
    }
}

/// As a host says them: nine in ten are whole numbers, a third of all never changes.
fn typical(n: u32, cycle: u32, noise: &mut impl FnMut(u32) -> u32) -> f64 {
    match n % 10 {
        // What is switched off, full, or without an error.
        0..=2 => f64::from(n * 7),
        // Errors, states: they change seldom.
        3 => f64::from(cycle / 50),
        // Bytes and calls since the start.
        4..=6 => f64::from(1_000_000 + n) * 3000.0 + f64::from(cycle) * 90_000.0 + f64::from(noise(20_000)),
        // Memory, sockets, threads.
        7 => 4096.0 * f64::from(900_000 + noise(3000)),
        8 => f64::from(120 + noise(30)),
        // Percent.
        _ => f64::from(noise(10_000)) / 10_007.0 * 100.0,
    }
}

#[test]
fn a_point_of_an_ordinary_host_takes_less_than_three_bytes() {
    const SERIES: u32 = 300;
    let (mut ring, mut host, mut state) = (Ring::new(1 << 20), Host::default(), 1_u32);
    let mut noise = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut cycle = 0;
    while ring.parts <= 16 {
        let now = NOW + 60 * i64::from(cycle);
        (0..SERIES).for_each(|n| host.say(&mut ring, n, typical(n, cycle, &mut noise), now, now));
        cycle += 1;
    }
    let facts = ring.facts(300);
    let each = facts.bytes as f64 / facts.points as f64;
    assert!(each < 3.0, "{each} bytes a point");
    let hours = (NOW + 60 * i64::from(cycle) - facts.from.expect("points")) / 3600;
    assert!(hours >= 18, "{hours} hours of 300 series each minute");
}

#[test]
fn the_oldest_makes_room_and_the_rest_is_whole() {
    let (mut ring, mut host) = (Ring::new(64 * 1024), Host::default());
    for n in 0..100_000 {
        host.say(&mut ring, n % 7, f64::from(n).sqrt(), NOW + i64::from(n), NOW + i64::from(n));
        assert!(ring.bytes <= 64 * 1024);
    }
    let read = all(&ring, &[3]);
    let points = &read[&3];
    let expected: Vec<_> =
        (0..100_000).filter(|n| n % 7 == 3).map(|n| (NOW + i64::from(n), f64::from(n).sqrt().to_bits())).collect();
    assert!(points.len() > 500 && expected.ends_with(points), "{}", points.len());
    assert!(ring.facts(7).from.is_some_and(|from| from > NOW + 50_000), "the oldest went first");
}

/// Who reads has what was there; what comes meanwhile goes on.
#[test]
fn a_reader_holds_up_nobody() {
    let (mut ring, mut host) = (Ring::new(8192), Host::default());
    host.say(&mut ring, 1, 1.0, NOW, NOW);
    let view = ring.view();
    (0..5000).for_each(|n| host.say(&mut ring, 1, f64::from(n) / 3.0, NOW, NOW));
    assert_eq!(view.series(&[(1, true)], i64::MIN), [[(NOW, 1.0)]]);
    assert!(ring.bytes <= 8192 && ring.facts(1).points > 100);
}

#[test]
fn many_points_are_as_few_as_a_chart_shows() {
    let (mut ring, mut host) = (Ring::new(1 << 20), Host::default());
    for n in 0..10_000 {
        let at = NOW + i64::from(n);
        host.say(&mut ring, 0, f64::from(n), at, at);
        host.say(&mut ring, 1, f64::from(n), at, at);
    }
    let series = ring.view().series(&[(0, true), (1, false)], i64::MIN);
    let (gauge, counter) = (&series[0], &series[1]);
    assert_eq!((gauge.len(), counter.len()), (625, 625));
    assert_eq!((gauge[0], counter[0]), ((NOW + 15, 7.5), (NOW + 15, 15.0)));
    assert_eq!((gauge[624], counter[624]), ((NOW + 9999, 9991.5), (NOW + 9999, 9999.0)));
    assert!(gauge.len() <= MOST && gauge.is_sorted());
    let late = ring.view().series(&[(0, true)], NOW + 9_500);
    assert_eq!((late[0].len(), late[0][0]), (500, (NOW + 9_500, 9500.0)));
}

#[test]
fn a_mean_of_the_largest_numbers_is_one() {
    let mut thinned = Thinned::new(true);
    (0..5000).for_each(|n| thinned.add(n, f64::MAX));
    assert!(thinned.points().iter().all(|(_, value)| value.is_finite() && *value > f64::MAX / 2.0));
}

#[test]
fn points_that_come_in_disorder_are_told_in_order_and_a_stamp_once() {
    let mut thinned = Thinned::new(true);
    [(5, 1.0), (3, 2.0), (5, 3.0), (4, 4.0)].into_iter().for_each(|(at, value)| thinned.add(at, value));
    assert_eq!(thinned.points(), [(3, 2.0), (4, 4.0), (5, 3.0)]);
}
