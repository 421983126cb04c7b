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

/// A push with stamps of an hour ago made an hour of history of an agent that was up for two minutes.
#[test]
fn the_history_begins_when_its_first_point_came_in() {
    let (mut ring, mut host) = (Ring::new(8192), Host::default());
    assert_eq!(ring.facts(0).from, None);
    (0..3).for_each(|n| host.say(&mut ring, 1, n as f64, NOW - 3000 + n, NOW + n));
    assert_eq!((ring.facts(1).from, ring.view().from), (Some(NOW), Some(NOW)));
    assert_eq!(ring.view().series(&[(1, true)], i64::MIN)[0].len(), 3);
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
    let begin = NOW - NOW % 16;
    for n in 0..10_000 {
        let at = begin + i64::from(n);
        host.say(&mut ring, 0, f64::from(n), at, at);
        host.say(&mut ring, 1, f64::from(n), at, at);
    }
    let series = ring.view().series(&[(0, true), (1, false)], i64::MIN);
    let (gauge, counter) = (&series[0], &series[1]);
    assert_eq!((gauge.len(), counter.len()), (625, 625));
    assert_eq!((gauge[0], counter[0]), ((begin + 15, 7.5), (begin + 15, 15.0)));
    assert_eq!((gauge[624], counter[624]), ((begin + 9999, 9991.5), (begin + 9999, 9999.0)));
    assert!(gauge.len() <= MOST && gauge.is_sorted());
    let late = ring.view().series(&[(0, true)], begin + 9_500);
    assert_eq!((late[0].len(), late[0][0]), (500, (begin + 9_500, 9500.0)));
}

/// Two cards of which one missed a cycle: thinned by count they had two stamps of a thousand in common, and a chart of their sum
/// showed one of them at each.
#[test]
fn series_that_speak_together_have_the_same_stamps_also_where_one_was_silent() {
    let (mut ring, mut host) = (Ring::new(1 << 20), Host::default());
    for n in 0..2000 {
        let at = NOW + 10 * n;
        host.say(&mut ring, 0, n as f64, at, at);
        if !(500..=520).contains(&n) {
            host.say(&mut ring, 1, n as f64, at, at);
        }
    }
    let series = ring.view().series(&[(0, false), (1, true)], i64::MIN);
    let stamps = |points: &Points| points.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    let (all, some) = (stamps(&series[0]), stamps(&series[1]));
    assert!((500..=MOST).contains(&all.len()), "{}", all.len());
    let spoken = |at: &&i64| !(NOW + 4980..=NOW + 5230).contains(*at);
    assert!(all.iter().filter(spoken).eq(some.iter().filter(spoken)));
    assert!(all.len() > some.len() && all.len() - some.len() < 12);
    // The stamps are those of points: no rate of a counter is a wrong one.
    assert!(series[0].iter().all(|(at, value)| *value == ((at - NOW) / 10) as f64));
}

fn thinned(mean: bool, points: impl IntoIterator<Item = (i64, f64)>) -> Points {
    let mut thinned = Thinned::new([mean].into_iter());
    points.into_iter().for_each(|(at, value)| thinned.add(0, at, value));
    thinned.points().remove(0)
}

#[test]
fn a_mean_of_the_largest_numbers_is_one() {
    let points = thinned(true, (0..5000).map(|n| (n, f64::MAX)));
    assert!(points.iter().all(|(_, value)| value.is_finite() && *value > f64::MAX / 2.0));
}

/// Each of its points counts the same, however often they were put together.
#[test]
fn a_mean_is_of_all_its_points() {
    // Of each 8 seconds one has no point.
    let points = thinned(true, (0..8000).filter(|n| n % 8 != 3).map(|n| (n, n as f64)));
    assert_eq!(points.len(), 1000);
    let mean = 25.0 / 7.0;
    assert!(
        points
            .iter()
            .enumerate()
            .all(|(n, (at, value))| { *at == 8 * n as i64 + 7 && (value - (8.0 * n as f64 + mean)).abs() < 1e-9 })
    );
}

#[test]
fn points_that_come_in_disorder_are_told_in_order_and_a_stamp_once() {
    let points = [(5, 1.0), (3, 2.0), (5, 3.0), (4, 4.0)];
    assert_eq!(thinned(true, points), [(3, 2.0), (4, 4.0), (5, 3.0)]);
    // Two programs of one series, of which one is an hour behind.
    let late = |n: i64| [(4000 + n, 1.0), (n, 2.0)];
    for mean in [true, false] {
        let points = thinned(mean, (0..3000).flat_map(late));
        assert!(points.len() <= MOST && points.is_sorted_by(|a, b| a.0 < b.0));
        assert!(points.iter().all(|(at, value)| *value == if *at < 4000 { 2.0 } else { 1.0 }));
    }
}
