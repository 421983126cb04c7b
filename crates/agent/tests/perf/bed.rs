//! The fixture without the agent: where one of these fails, no other test of this target means anything.

use falcon_perf_fixture::kind;
use falcon_perf_fixture::script::{Now, Script, Value};

use crate::windows::{Provider, Windows};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two providers in one answer, byte for byte as they serve it alone, behind a header whose length counts both.
#[test]
fn the_systems_own_interface_carries_what_providers_serve() {
    let mut providers = [Provider::new(0, "FixtureA"), Provider::new(1, "FixtureB")];
    let one = providers[0].object("Fixture Alpha", &[("x", kind::RAWCOUNT), ("y", kind::BULK_COUNT)]);
    let two = providers[1].object("Fixture Beta", &[("x", kind::LARGE_RAWCOUNT)]);
    let windows = Windows::new(&providers, |file| file);
    let mut a = one.many(vec![one.row("Seite ä 中", &[("x", Value::Is(7)), ("y", Value::Is(1 << 40))])]);
    let mut b = two.one(&[("x", Value::Is(9))]);
    (a.clock, b.clock) = (Some((5, 10)), Some((6, 20)));
    windows.script("FixtureA", vec![a.clone()]);
    windows.script("FixtureB", vec![b.clone()]);
    let said = windows.tool("perf-reader.exe", &[&format!("{} {}", one.index, two.index)]).success();
    let (first, rest) = said.split_once('\n').expect("lines");
    let answer: String = rest.split_whitespace().collect();
    let whole = Script { objects: vec![a, b], ..Script::default() };
    let objects = hex(&whole.answer("Global", Now::of_clock()).concat());
    assert!(answer.ends_with(&objects), "{objects}\nis not the end of\n{answer}");
    let header = (answer.len() - objects.len()) / 2;
    assert!((88..600).contains(&header), "{header}");
    let length = answer.len() / 2;
    assert_eq!(first.trim_end(), format!("{length} bytes"));
    assert_eq!(answer[40..48], hex(&u32::try_from(length).unwrap().to_le_bytes()), "TotalByteLength");
    assert_eq!(answer[48..56], hex(&u32::try_from(header).unwrap().to_le_bytes()), "HeaderLength");
    assert_eq!(answer[56..64], hex(&2u32.to_le_bytes()), "NumObjectTypes");
    assert_eq!(windows.asked("FixtureB").into_iter().collect::<Vec<_>>(), [(one.index, 1), (two.index, 1)]);
    let names = windows.tool("perf-reader.exe", &["names"]).success().replace('\r', "");
    assert!(names.contains(&format!("\n{}\nFixture Beta\n{}\nx", two.index, two.index + 2)), "{names}");
}

/// An answer that does not fit is asked for again with more room, and so is one that grows.
#[test]
fn answers_may_be_larger_than_any_room_at_first() {
    let mut providers = [Provider::new(0, "FixtureA")];
    let shape = providers[0].object("Fixture Alpha", &[("x", kind::RAWCOUNT)]);
    let windows = Windows::new(&providers, |file| file);
    let rows = (0..5000).map(|n| shape.row(&format!("instance number {n}"), &[("x", Value::Is(n))])).collect();
    windows.script("FixtureA", vec![shape.many(rows)]);
    let said = windows.tool("perf-reader.exe", &[&shape.index.to_string()]).success();
    let bytes: usize = said.split_once(" bytes").and_then(|(bytes, _)| bytes.parse().ok()).expect("a length");
    assert!(bytes > 5000 * 60, "{bytes}");
    assert!(windows.queries("FixtureA").len() > 1);
}
