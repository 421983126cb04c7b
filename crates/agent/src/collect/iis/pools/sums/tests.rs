use super::*;
use crate::model::Sets;
use crate::perf::fake::table;

const NUMBER: u32 = 0x0001_0000;
const LARGE: u32 = 0x0001_0100;

const fn line(of: Of, counter: &'static str) -> Line {
    Line::new(Metric::gauge("x", "1", Sets::EXTENDED, "x"), of, counter)
}

static LINES: [Line; 4] = [
    line(Of::Total, "Served"),
    line(Of::Sum, "Active"),
    line(Of::Each, "State"),
    line(Of::Most { unless_zero: "Active" }, "Age"),
];
const COLUMNS: [(&str, u32); 4] = [("Served", LARGE), ("Active", NUMBER), ("State", NUMBER), ("Age", LARGE)];

fn parts(table: &Table) -> Vec<Part<'_>> {
    let name = |row: &Row| row.instance.clone();
    table.rows.iter().map(|row| Part { row, key: name(row), pool: name(row), process: None }).collect()
}

fn advance(sums: &mut Sums, table: &Table) -> Summed {
    sums.pass(Some(Duration::from_secs(60)));
    sums.advance(table, &parts(table))
}

#[test]
fn pools_begin_with_what_they_counted_and_the_total_outlives_them() {
    let mut sums = Sums::new(Kind::Pools, &LINES);
    let said = advance(&mut sums, &table(0, &COLUMNS, &[("a", &[100, 2, 3, 7]), ("b", &[5, 0, 1, 9])]));
    assert_eq!(said.of("a"), [Some(100.0), Some(2.0), Some(3.0), Some(7.0)]);
    assert_eq!(said.of("b"), [Some(5.0), Some(0.0), Some(1.0), Some(0.0)], "the age of nothing is 0");
    assert_eq!(said.all, [Some(105.0), Some(2.0), None, Some(7.0)]);
    // One is removed, one is made, and the other's numbers begin anew with its service.
    let said = advance(&mut sums, &table(60, &COLUMNS, &[("a", &[4, 1, 3, 8]), ("c", &[6, 1, 3, 1])]));
    assert_eq!((said.of("a")[0], said.of("c")[0], said.of("b")[1]), (Some(100.0), Some(6.0), None));
    assert_eq!(said.all, [Some(111.0), Some(2.0), None, Some(8.0)]);
    let said = advance(&mut sums, &table(120, &COLUMNS, &[("a", &[14, 1, 3, 8])]));
    assert_eq!((said.of("a")[0], said.all[0]), (Some(110.0), Some(121.0)));
}

/// A pool whose row was missing in one answer came back with all that it had ever counted, as if that had been done since.
#[test]
fn a_pool_that_was_forgotten_too_early_makes_no_jump() {
    let mut sums = Sums::new(Kind::Pools, &LINES);
    advance(&mut sums, &table(0, &COLUMNS, &[("a", &[1000, 0, 3, 0])]));
    advance(&mut sums, &table(60, &COLUMNS, &[]));
    sums.keep(&HashSet::new());
    let said = advance(&mut sums, &table(120, &COLUMNS, &[("a", &[1003, 0, 3, 0])]));
    assert_eq!(said.all[0], Some(1003.0));
}

/// A queue was there before any source said that it is a pool's: all that it had ever taken was growth of the total.
#[test]
fn what_was_watched_before_its_pool_was_known_makes_no_jump() {
    let mut sums = Sums::new(Kind::Pools, &LINES);
    let both = |second, a: u64, b: u64| table(second, &COLUMNS, &[("a", &[a, 0, 3, 0]), ("b", &[b, 0, 3, 0])]);
    for (second, a, b) in [(0, 10, 5000), (60, 11, 5100)] {
        let answer = both(second, a, b);
        sums.pass(Some(Duration::from_secs(60)));
        assert_eq!(sums.advance(&answer, &parts(&answer)[..1]).all[0], Some(float(a)));
        sums.watch(&answer, &parts(&answer)[1..]);
    }
    let said = advance(&mut sums, &both(120, 12, 5107));
    assert_eq!((said.of("b")[0], said.all[0]), (Some(5107.0), Some(12.0 + 7.0)));
}

#[test]
fn what_one_row_keeps_to_itself_leaves_no_sum_and_what_no_row_has_none() {
    let mut sums = Sums::new(Kind::Workers, &LINES);
    let mut answer = table(0, &COLUMNS, &[("a", &[1, 2, 3, 4]), ("b", &[1, 2, 3, 4])]);
    answer.rows[1].values[1] = None;
    let said = advance(&mut sums, &answer);
    assert_eq!((said.of("a")[1], said.of("b")[1], said.all[1]), (Some(2.0), None, None));
    assert_eq!(said.of("none"), [Some(0.0), Some(0.0), None, None], "a pool without a worker serves nothing");
    let narrow = table(60, &COLUMNS[..1], &[("a", &[1])]);
    assert_eq!(advance(&mut sums, &narrow).of("a"), [Some(0.0), None, None, None]);
}

#[test]
fn rows_are_remembered_for_an_hour_and_a_key_counts_once() {
    let mut sums = Sums::new(Kind::Workers, &LINES);
    advance(&mut sums, &table(0, &COLUMNS, &[("a", &[10, 1, 0, 0])]));
    for n in 0..u64::from(REMEMBERED) {
        advance(&mut sums, &table(n, &COLUMNS, &[]));
    }
    assert_eq!(sums.rows.len(), 1);
    let twice = table(0, &COLUMNS, &[("a", &[15, 1, 0, 0]), ("a", &[99, 1, 0, 0])]);
    assert_eq!(advance(&mut sums, &twice).of("a")[..2], [Some(5.0), Some(1.0)]);
    for n in 0..=u64::from(REMEMBERED) {
        advance(&mut sums, &table(n, &COLUMNS, &[]));
    }
    assert_eq!(sums.rows.len(), 0);
}
