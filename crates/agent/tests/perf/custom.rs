//! Counters that the configuration names: every type, and objects of every odd form.

use falcon_perf_fixture::kind;
use falcon_perf_fixture::product::Shape;
use falcon_perf_fixture::script::{Definition, Object, Patch, Row, Value, at};
use serde_json::{Value as Json, json};

use crate::harness::peer::Peer;
use crate::seen::{Number, arrive, config, deaths, is, series};
use crate::windows::{Provider, Windows};

/// A configuration that asks for these entries.
pub fn asking(peer: &Peer, entries: &[Json]) -> Json {
    let mut config = config(peer);
    config["collector"]["counters"] = json!(entries);
    config
}

const S: u64 = 10_000_000;

type Typed = (&'static str, u32, Value, Value, Option<(&'static str, Number)>);

/// Name, type, number at first, number after a step; the metric's type with what must arrive after the step. Bases stand
/// behind what they belong to. The object's clock steps by 10 s, of 10,000,000 ticks each.
#[rustfmt::skip]
const TYPES: &[Typed] = {
    use Number::{About, Is};
    const fn v(value: u64) -> Value { Value::Is(value) }
    &[
        ("rawcount", kind::RAWCOUNT, v(7), v(4_000_000_000), Some(("GAUGE", Is(4e9)))),
        ("large_rawcount", kind::LARGE_RAWCOUNT, v(7), v(1 << 45), Some(("GAUGE", Is(35_184_372_088_832.0)))),
        ("rawcount_hex", kind::RAWCOUNT_HEX, v(7), v(255), Some(("GAUGE", Is(255.0)))),
        ("large_rawcount_hex", kind::LARGE_RAWCOUNT_HEX, v(7), v(1 << 33), Some(("GAUGE", Is(8_589_934_592.0)))),
        // The bits of -2.5.
        ("double_raw", kind::DOUBLE_RAW, v(0), v(0xC004_0000_0000_0000), Some(("GAUGE", Is(-2.5)))),
        ("text", kind::TEXT, v(0), v(1), None),
        ("delta", kind::DELTA, v(100), v(130), Some(("GAUGE", Is(30.0)))),
        ("large_delta", kind::LARGE_DELTA, v(1 << 40), v((1 << 40) + 31), Some(("GAUGE", Is(31.0)))),
        // Beyond its 32 bits by 11: 2^32 + 10.
        ("counter", kind::COUNTER, v(4_294_967_295), v(10), Some(("COUNTER", Is(4_294_967_306.0)))),
        ("bulk_count", kind::BULK_COUNT, v(1), v(1 << 50), Some(("COUNTER", Is(1_125_899_906_842_624.0)))),
        ("sample_counter", kind::SAMPLE_COUNTER, v(5), v(6), Some(("COUNTER", Is(6.0)))),
        ("queuelen", kind::QUEUELEN, Value::Grows(0, 3 * S), Value::Grows(0, 3 * S), Some(("GAUGE", About(3.0)))),
        ("large_queuelen", kind::LARGE_QUEUELEN, Value::Grows(0, 5 * S), Value::Grows(0, 5 * S), Some(("GAUGE", About(5.0)))),
        ("ns100_queuelen", kind::NS100_QUEUELEN, Value::Grows(0, 2 * S), Value::Grows(0, 2 * S), Some(("GAUGE", About(2.0)))),
        ("obj_time_queuelen", kind::OBJ_TIME_QUEUELEN, v(0), v(40 * S), Some(("GAUGE", Is(4.0)))),
        ("timer", kind::TIMER, Value::Grows(0, S / 4), Value::Grows(0, S / 4), Some(("GAUGE", About(25.0)))),
        ("timer_inv", kind::TIMER_INV, Value::Grows(0, S / 4), Value::Grows(0, S / 4), Some(("GAUGE", About(75.0)))),
        ("ns100_timer", kind::NS100_TIMER, Value::Grows(0, S / 5), Value::Grows(0, S / 5), Some(("GAUGE", About(20.0)))),
        ("ns100_timer_inv", kind::NS100_TIMER_INV, Value::Grows(0, S / 5), Value::Grows(0, S / 5), Some(("GAUGE", About(80.0)))),
        ("obj_time_timer", kind::OBJ_TIME_TIMER, v(0), v(4 * S), Some(("GAUGE", Is(40.0)))),
        ("precision_system_timer", kind::PRECISION_SYSTEM_TIMER, v(0), v(25), Some(("GAUGE", Is(25.0)))),
        ("b1", kind::LARGE_RAW_BASE, v(1000), v(1100), None),
        ("precision_100ns_timer", kind::PRECISION_100NS_TIMER, v(10), v(40), Some(("GAUGE", Is(60.0)))),
        ("b2", kind::LARGE_RAW_BASE, v(50), v(100), None),
        ("precision_object_timer", kind::PRECISION_OBJECT_TIMER, v(0), v(3), Some(("GAUGE", Is(75.0)))),
        ("b3", kind::LARGE_RAW_BASE, v(0), v(4), None),
        ("raw_fraction", kind::RAW_FRACTION, v(1), v(3), Some(("GAUGE", Is(37.5)))),
        ("b4", kind::RAW_BASE, v(4), v(8), None),
        ("large_raw_fraction", kind::LARGE_RAW_FRACTION, v(1), v(3 << 40), Some(("GAUGE", Is(75.0)))),
        ("b5", kind::LARGE_RAW_BASE, v(4), v(4 << 40), None),
        ("sample_fraction", kind::SAMPLE_FRACTION, v(10), v(40), Some(("GAUGE", Is(75.0)))),
        ("b6", kind::SAMPLE_BASE, v(10), v(50), None),
        // Half a second of ticks for two operations.
        ("average_timer", kind::AVERAGE_TIMER, v(0), v(5_000_000), Some(("GAUGE", Is(0.25)))),
        ("b7", kind::AVERAGE_BASE, v(7), v(9), None),
        ("average_bulk", kind::AVERAGE_BULK, v(1 << 40), v((1 << 40) + 300), Some(("GAUGE", Is(75.0)))),
        ("b8", kind::AVERAGE_BASE, v(1), v(5), None),
        ("multi_timer", kind::MULTI_TIMER, Value::Grows(0, 3_000_000), Value::Grows(0, 3_000_000), Some(("GAUGE", About(75.0)))),
        ("b9", kind::MULTI_BASE, v(4_000_000), v(4_000_000), None),
        ("ns100_multi_timer", kind::NS100_MULTI_TIMER, Value::Grows(0, 5 * S / 2), Value::Grows(0, 5 * S / 2), Some(("GAUGE", About(62.5)))),
        ("b10", kind::MULTI_BASE, v(4), v(4), None),
        ("ns100_multi_timer_inv", kind::NS100_MULTI_TIMER_INV, Value::Grows(0, S), Value::Grows(0, S), Some(("GAUGE", About(300.0)))),
        ("b11", kind::MULTI_BASE, v(4), v(4), None),
        // Since 400 s on a clock that stands at 1,010 s.
        ("elapsed_time", kind::ELAPSED_TIME, v(400 * S), v(400 * S), Some(("GAUGE", Is(610.0)))),
        ("nodata", kind::NODATA, v(0), v(0), None),
    ]
};

/// One step of all, so that what is made of two readings is known to the last digit where no clock is in it.
#[test]
fn every_type_of_counter_arrives_as_its_formula_says() {
    let mut providers = [Provider::new(0, "Fixture")];
    let named: Vec<_> = TYPES.iter().map(|(name, kind, ..)| (*name, *kind)).collect();
    let shape = providers[0].object("Fixture Types", &named);
    let windows = Windows::new(&providers, |file| file);
    let scripted = |is_after: bool| {
        let value = |(name, _, before, after, _): &Typed| (*name, if is_after { *after } else { *before });
        let values: Vec<(&str, Value)> = TYPES.iter().map(value).collect();
        let mut object = shape.one(&values);
        object.clock = Some((if is_after { 1010 * S } else { 1000 * S }, S));
        vec![object]
    };
    windows.script("Fixture", scripted(false));
    let peer = Peer::start();
    let agent = windows.start(&asking(&peer, &[json!({ "object": "Fixture Types", "metric": "fx" })]));
    arrive(
        &peer,
        &agent,
        &[("fx.rawcount GAUGE", is(7)), ("fx.timer GAUGE", Number::About(25.0)), ("fx.delta GAUGE", is(0))],
    );
    windows.script("Fixture", scripted(true));
    let named = |name: &str, kind: &str| format!("fx.{name} {kind}");
    let told = TYPES.iter().filter_map(|(name, .., told)| told.map(|(kind, number)| (named(name, kind), number)));
    let told: Vec<(String, Number)> = told.collect();
    let expected: Vec<(&str, Number)> = told.iter().map(|(series, number)| (series.as_str(), *number)).collect();
    arrive(&peer, &agent, &expected);
    let (all, known) = (series(&peer, "fx."), told.into_iter().map(|(series, _)| series).collect());
    assert_eq!(all, known, "bases, texts and what has no number are not told of");
    assert_eq!(agent.terminate().code, Some(0));
}

fn rows(shape: &Shape, names: &[&str]) -> Vec<Row> {
    (1..).zip(names).map(|(n, name)| shape.row(name, &[("x", Value::Is(n))])).collect()
}

/// No instances at all, names twice, of other languages, empty, and of another code page; two objects of one name.
#[test]
fn objects_of_odd_forms_arrive_as_far_as_they_mean_something() {
    let mut providers = [Provider::new(0, "Fixture")];
    let counters: &[(&str, u32)] = &[("x", kind::RAWCOUNT)];
    let mut shape = |name: &str| providers[0].object(name, counters);
    let (single, nobody, twice) = (shape("Fx Single"), shape("Fx Nobody"), shape("Fx Twice"));
    let (tongues, latin, grown) = (shape("Fx Tongues"), shape("Fx Latin"), shape("Fx Grown"));
    let unserved = shape("Fx Unserved");
    let windows = Windows::new(&providers, |file| file);
    let mut in_latin = latin.many(rows(&latin, &["Straße"]));
    in_latin.code_page = 1252;
    let scripted = |some: &[&str]| {
        vec![
            single.one(&[("x", Value::Is(41))]),
            nobody.many(Vec::new()),
            twice.many(rows(&twice, &["same", "other", "same"])),
            tongues.many(rows(&tongues, &["数据 库", "a,b=c", "Ωmega 😀", "_Total"])),
            in_latin.clone(),
            grown.many(rows(&grown, some)),
        ]
    };
    windows.script("Fixture", scripted(&[]));
    let entry = |name: &str, object: &str| json!({ "object": object, "metric": format!("fx.{name}") });
    let peer = Peer::start();
    let agent = windows.start(&asking(
        &peer,
        &[
            entry("single", "Fx Single"),
            entry("nobody", "Fx Nobody"),
            entry("twice", "Fx Twice"),
            entry("tongues", "Fx Tongues"),
            entry("latin", "Fx Latin"),
            entry("grown", "Fx Grown"),
            entry("unserved", "Fx Unserved"),
            entry("unknown", "Fx Unknown"),
        ],
    ));
    let expected = [
        ("fx.single.x GAUGE", is(41)),
        ("fx.twice.x/instance=same GAUGE", is(1)),
        ("fx.twice.x/instance=other GAUGE", is(2)),
        ("fx.latin.x/instance=Straße GAUGE", is(1)),
    ];
    arrive(&peer, &agent, &expected);
    let names = series(&peer, "fx.tongues.");
    assert_eq!(names.len(), 3, "without the sum: {names:?}");
    assert!(names.iter().any(|series| series.contains("数据")), "{names:?}");
    assert!(names.iter().any(|series| series.contains("Ωmega")), "{names:?}");
    assert!(names.iter().all(|series| series.matches('=').count() == 1), "{names:?}");
    for absent in ["fx.nobody.", "fx.grown.", "fx.unserved.", "fx.unknown."] {
        assert!(series(&peer, absent).is_empty(), "{absent}");
    }
    // What comes and goes with its instances costs nobody a series or a start.
    windows.script("Fixture", scripted(&["a", "b"]));
    arrive(&peer, &agent, &[("fx.grown.x/instance=a GAUGE", is(1)), ("fx.grown.x/instance=b GAUGE", is(2))]);
    for object in ["Fx Unserved", "Fx Unknown"] {
        assert_eq!(agent.lines(object).len(), 1, "one line for {object}\n{}", agent.state());
    }
    assert_eq!(deaths(&peer, &agent), 0.0);
    assert!(!windows.asked("Fixture").contains_key(&0) && unserved.index > 0);
    assert_eq!(agent.terminate().code, Some(0));
}

/// An object whose lengths lie, each in another way.
fn lies(shape: &Shape) -> Vec<(&'static str, Object)> {
    const INSTANCE: usize = at::FIRST_COUNTER + 40;
    let whole = || shape.many(rows(shape, &["one", "two"]));
    let patched = |place: usize, value: u32| {
        let mut object = whole();
        object.patches = vec![Patch { at: place, value }];
        object
    };
    let mut wide = whole();
    // 4 bytes that the type has, 64 that the definition says.
    wide.counters = vec![Definition { size: 64, ..shape.counters[0] }];
    vec![
        ("no length", patched(at::TOTAL_BYTES, 0)),
        ("a length beyond the answer", patched(at::TOTAL_BYTES, u32::MAX)),
        ("definitions beyond the object", patched(at::DEFINITION_BYTES, 1 << 30)),
        ("a header of nothing", patched(at::HEADER_BYTES, 0)),
        ("counters without end", patched(at::COUNTERS, u32::MAX)),
        ("instances without end", patched(at::INSTANCES, i32::MAX.cast_unsigned())),
        ("a negative number of instances", patched(at::INSTANCES, (-77i32).cast_unsigned())),
        ("a definition of no length", patched(at::FIRST_COUNTER, 0)),
        ("a value outside", patched(at::FIRST_COUNTER + at::COUNTER_OFFSET, 1 << 20)),
        ("a value of no size", patched(at::FIRST_COUNTER + at::COUNTER_SIZE, 0)),
        ("a value of many bytes", wide),
        ("an instance of no length", patched(INSTANCE, 0)),
        ("a name outside", patched(INSTANCE + 16, u32::MAX - 8)),
        ("a name without end", patched(INSTANCE + 20, u32::MAX)),
    ]
}

/// The worker lives through all of them, what is asked for besides arrives throughout, and so does the object when it is whole
/// again.
#[test]
fn wrong_lengths_cost_the_object_alone() {
    let mut providers = [Provider::new(0, "Liar"), Provider::new(1, "Honest")];
    let counters: &[(&str, u32)] = &[("x", kind::RAWCOUNT)];
    let liar = providers[0].object("Fx Liar", counters);
    let honest = providers[1].object("Fx Honest", counters);
    let windows = Windows::new(&providers, |file| file);
    let truth = |n| vec![liar.many(vec![liar.row("one", &[("x", Value::Is(n))])])];
    let script = |objects, n| {
        windows.script("Liar", objects);
        windows.script("Honest", vec![honest.one(&[("x", Value::Is(n))])]);
    };
    let asked = || windows.asked("Liar").get(&liar.index).copied().unwrap_or(0);
    script(truth(100), 100);
    let peer = Peer::start();
    let entries =
        [json!({ "object": "Fx Liar", "metric": "fx.liar" }), json!({ "object": "Fx Honest", "metric": "fx.honest" })];
    let agent = windows.start(&asking(&peer, &entries));
    let both = |n| [("fx.liar.x/instance=one GAUGE", is(n)), ("fx.honest.x GAUGE", is(n))];
    arrive(&peer, &agent, &both(100));
    for (n, (lie, object)) in (1..).zip(lies(&liar)) {
        println!("{lie}");
        let before = asked();
        script(vec![object], n);
        let number = u32::try_from(n).expect("few");
        arrive(&peer, &agent, &[("fx.honest.x GAUGE", is(number))]);
        agent.wait(lie, || (asked() > before).then_some(()));
        script(truth(n + 1000), n + 1000);
        arrive(&peer, &agent, &both(number + 1000));
    }
    assert_eq!(deaths(&peer, &agent), 0.0, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}
