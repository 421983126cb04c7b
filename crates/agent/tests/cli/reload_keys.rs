//! A reload of every key, one row each: the old value is at work, the file changes, the new one is at work, and nothing is
//! lost in between ([`bed::Bed::walk`]). Rows that can share an agent do.
//!
//! What a row looks at is what the key is there for, as a transfer, hbs or a client sees it. A key that has no effect on Linux,
//! or only one that takes hours or a clock, is looked for in `/config` ([`shown`]); what it does is tested where
//! it is implemented.

mod bed;
mod checks;
mod collected;
mod losses;
mod row;
mod servers;
mod shown;
mod site;
mod tls;

use std::collections::BTreeSet;

use bed::Bed;
use row::Row;

/// A key that was added without a row would be one that a reload may forget.
#[test]
fn every_key_has_a_row() {
    let bed = Bed::new();
    let tables: [Vec<Row>; 5] =
        [collected::rows(&bed), checks::rows(&bed), servers::rows(&bed), site::rows(&bed), shown::rows()];
    let rows: Vec<&str> = tables.iter().flatten().map(|row| row.key).collect();
    let unique: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(unique.len(), rows.len(), "a key has two rows");
    // Stands for the switch of every collector and option.
    let switch = "collector.mem";
    let keys: BTreeSet<String> = falcon_agent::config::keys().chain([switch.to_owned()]).collect();
    let missing: Vec<_> = keys.iter().filter(|key| !unique.contains(key.as_str())).collect();
    let unknown: Vec<_> = unique.iter().filter(|key| !keys.contains(**key)).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "without a row: {missing:?}; no keys: {unknown:?}");
}

#[test]
fn what_is_collected_and_how_it_is_named() {
    let bed = Bed::new();
    bed.walk(&collected::rows(&bed));
}

#[test]
fn what_is_checked() {
    let bed = Bed::new();
    bed.walk(&checks::rows(&bed));
}

#[test]
fn where_points_and_reports_go() {
    let bed = Bed::new();
    bed.walk(&servers::rows(&bed));
}

#[test]
fn what_the_port_lets_in() {
    let bed = Bed::new();
    bed.walk(&site::rows(&bed));
}

#[test]
fn what_has_its_effect_elsewhere_or_later() {
    let bed = Bed::new();
    bed.walk(&shown::rows());
}
