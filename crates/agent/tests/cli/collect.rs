//! `collect` in its three formats.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::host::Host;
use crate::harness::items::Item;
use crate::{call, empty, with_config};

/// Of this very host, not of a fixture: rates and sizes must make sense.
#[test]
fn json_is_the_array_that_a_transfer_would_get() {
    let dir = with_config(
        r#"{"hostname":"h","transfer":{"interval":30},"default_tags":{"idc":"bj"},"ignore":{"mem.memfree":true}}"#,
    );
    let ended = call(dir.path(), &["collect", "--format", "json"]);
    assert_eq!(ended.err, "");
    let out = ended.success();
    assert_eq!(out.lines().count(), 1);
    let items = Item::parse_all(&serde_json::from_str(&out).expect("JSON"));
    for item in &items {
        assert!(item.endpoint == "h" && item.step == 30 && item.timestamp % 30 == 0, "{item:?}");
        assert_eq!(item.timestamp, items[0].timestamp);
        assert!(item.tags == "idc=bj" || item.tags.ends_with(",idc=bj"), "{item:?}");
        assert!(matches!(item.counter_type.as_str(), "GAUGE" | "COUNTER" | "DERIVE"), "{item:?}");
    }
    let value = |metric: &str| items.iter().find(|item| item.metric == metric).map(|item| item.value);
    for share in ["cpu.idle", "cpu.busy", "cpu.user", "cpu.system", "mem.memused.percent"] {
        let share = value(share).unwrap_or_else(|| panic!("no {share} in {out}"));
        assert!((0.0..=100.0).contains(&share), "{share}");
    }
    assert_eq!(value("agent.alive"), Some(1.0));
    assert!(value("agent.cpu.percent").is_some(), "a rate needs two readings");
    assert_eq!(value("mem.memfree"), None, "it is ignored");
    let meminfo = std::fs::read_to_string("/proc/meminfo").expect("proc(5)");
    let kb: f64 = meminfo.split_ascii_whitespace().nth(1).expect("MemTotal").parse().expect("a number");
    assert_eq!(value("mem.memtotal"), Some(kb * 1024.0));
}

#[test]
fn only_one_collector_is_asked() {
    let host = Host::typical();
    let names = |only: &str| -> BTreeSet<String> {
        let config = json!({ "collector": { "names": ["falcon"] } });
        let out = host.run(&config, &["collect", "--format", "json", "--only", only]).success();
        let items: Value = serde_json::from_str(&out).expect("JSON");
        Item::parse_all(&items).into_iter().map(|item| item.metric).collect()
    };
    for (only, prefix, count) in
        [("df", "df.", 13), ("load", "load.", 3), ("netif", "net.if.", 26), ("mem", "mem.", 10)]
    {
        let names = names(only);
        assert!(names.iter().all(|name| name.starts_with(prefix)), "{names:?}");
        // A file system without inodes has five metrics less.
        assert!(names.len() == count || only == "df" && names.len() == count - 5, "{names:?}");
    }
}

/// Every cell of a column ends or begins where its header does.
#[test]
fn the_table_is_aligned() {
    let out = Host::typical().run(&json!({}), &["collect"]).success();
    let mut lines = out.lines();
    let header = lines.next().expect("a header");
    let starts = ["METRIC", "TAGS", "TYPE"].map(|name| header.find(name).expect(name));
    let value_ends = header.find("VALUE").expect("VALUE") + "VALUE".len();
    let mut rows = 0;
    for line in lines {
        rows += 1;
        let (left, right) = (&line[..value_ends], &line[value_ends..]);
        assert!(matches!(right.trim_start(), "GAUGE" | "COUNTER"), "{line}");
        assert_eq!(line.find(right.trim_start()), Some(starts[2]), "{line}");
        let value = left.rsplit(' ').next().expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            line.starts_with(|c: char| c.is_ascii_alphabetic()) && &line[starts[1] - 2..starts[1]] == "  ",
            "{line}"
        );
    }
    assert!(rows > 100 && out.contains("mount=/media/usb disk,fstype=vfat"), "{out}");
}

/// `name{label="value",...} number`: the name with its labels, and the number.
fn prometheus_sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, number) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let number = number.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    let Some((name, labels)) = series.split_once('{') else { return (series.to_owned(), BTreeMap::new(), number) };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let mut found = BTreeMap::new();
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(label) && !label.contains(':'), "{line}");
        let end = (0..value.len())
            .find(|end| value.as_bytes()[*end] == b'"' && !value[..*end].ends_with('\\'))
            .unwrap_or_else(|| panic!("{line}"));
        assert_eq!(found.insert(label.to_owned(), value[..end].to_owned()), None, "{line}");
        rest = value[end + 1..].trim_start_matches(',');
    }
    (name.to_owned(), found, number)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[test]
fn prometheus_reads_every_line() {
    let host = Host::typical();
    let config = json!({ "default_tags": { "idc": "bj" } });
    let out = host.run(&config, &["collect", "--format", "prometheus"]).success();
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut samples = BTreeSet::new();
    for line in out.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a text");
            assert!(helped.insert(name.to_owned()) && text.len() > 3, "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert!(helped.contains(name) && kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
        } else {
            let (name, labels, value) = prometheus_sample(line);
            assert!(is_name(&name) && kinds.contains_key(&name), "{line}");
            if name == "falcon_agent_metrics_left_out" {
                assert_eq!(value, 0.0);
                continue;
            }
            assert_eq!(labels.get("idc").map(String::as_str), Some("bj"), "{line}");
            assert!(samples.insert((name, labels)), "{line} came twice");
        }
    }
    assert_eq!(samples.len(), host.collect(&config).len(), "every series is there, and none was left out");
    assert_eq!(kinds["falcon_net_if_in_bytes_total"], "counter");
    assert_eq!(kinds["falcon_mem_memused_percent"], "gauge");
}

#[test]
fn a_host_that_tells_nothing_gives_an_empty_array() {
    let host = Host::typical().change("proc/loadavg", |_| String::new());
    let config = json!({ "collector": { "names": ["falcon"] } });
    let ended = host.run(&config, &["collect", "--format", "json", "--only", "load"]);
    assert!(ended.err.contains("load") && ended.err.contains("proc/loadavg"), "{}", ended.err);
    assert_eq!(ended.success(), "[]\n");
    let dir = empty();
    assert_eq!(call(dir.path(), &["collect", "--only", "load"]).success().lines().count(), 5);
}
