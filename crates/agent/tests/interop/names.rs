//! The names that the older Windows agents sent, from the shipped .exe: what of them Wine serves, in golden files.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::harness::golden::compare_lines;
use crate::harness::is_windows;
use crate::harness::items::Item;
use crate::harness::process::{program, run};

/// `metric/key,key counterType`: what a name is, without the names of this host's adapters and volumes.
fn kind(item: &Item) -> String {
    let keys: Vec<&str> = item.tags.split(',').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    let keys = if keys.is_empty() { String::new() } else { format!("/{}", keys.join(",")) };
    format!("{}{keys} {}", item.metric, item.counter_type)
}

fn collect(set: &str) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    // A step of a minute: a collector of a busy machine has 5 s.
    let config = json!({
        "hostname": "h",
        "transfer": { "interval": 60 },
        "collector": { "names": [set], "process": ["falcon-agent"] },
    });
    fs::write(dir.path().join("cfg.json"), config.to_string()).expect("a file");
    let out = run(program(dir.path(), &["collect", "--format", "json"])).success();
    Item::parse_all(&serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
        .iter()
        .map(kind)
        .collect()
}

/// Of Linux hosts the golden files are those of `inventory` and `kernels`.
#[test]
fn every_name_set_has_what_wine_serves() {
    if !is_windows() {
        return;
    }
    for set in ["falcon", "windows-agent", "freedomkk", "leonzyang", "extended"] {
        let kinds = collect(set);
        // Wine shows no interfaces on some machines.
        let without_adapters = !kinds.iter().any(|kind| kind.starts_with("net.if."));
        compare_lines(&format!("wine-{set}"), &kinds, |line| !(without_adapters && line.starts_with("net.if.")));
    }
}
