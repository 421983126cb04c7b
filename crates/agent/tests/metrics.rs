//! What the collectors declare, as people read it: `docs/metrics.md`, and one golden list for each platform.
//!
//! `FALCON_BLESS=1` rewrites them; the difference is then to be read before it is committed. A name, type or tag key that
//! changes begins a new series on every server.
#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use falcon_agent::collect::{ALL, Guarded};
use falcon_agent::config::NameSet;
use falcon_agent::model::{Metric, On, Platform, Sets};

const HEAD: &str = "\
# Metrics

Generated from the declarations in `crates/agent/src/collect`, collector by collector; a test fails when it is stale
(`FALCON_BLESS=1 cargo test --test metrics` renews it). `falcon-agent collect` shows them with a host's own values.

* **type**: a COUNTER is sent as it grows, and graphs show it per second; a GAUGE is shown as it is. Every GAUGE that is a
  rate or a share is a mean over the whole interval since the point before.
* **tags**: keys, in the order in which they are sent. Values come from the host; what would break a tag becomes `_`.
* **names**: the sets of `collector.names` that have it; `extended` names are this agent's own. A name that several active
  sets have is sent once, as the oldest of those agents sent it.
* **on**: the platforms that have it.
* **source**: of Linux; of Windows.
* **default**: `on`, or the option of `collector` that switches it on. What cannot be read is absent, never 0.

No counter provider is asked for a metric of the host: what only one could tell on Windows (`% Processor Utility`,
`% Processor Performance`, the offset that the Windows Time service computes) is not sent.
";

/// Compares with a file of this repository, or rewrites it.
fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("FALCON_BLESS").is_some() {
        fs::write(&path, text).expect("writable");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let first = golden.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        golden == text,
        "{} does not say what is declared; the first difference is {first:?}. If that is meant: \
         FALCON_BLESS=1 cargo test --test metrics",
        path.display()
    );
}

fn sets(sets: Sets) -> String {
    let names: Vec<&str> = NameSet::ALL.into_iter().filter(|set| sets.contains(*set)).map(NameSet::name).collect();
    if names.len() == NameSet::ALL.len() { "all".to_owned() } else { names.join(", ") }
}

/// What stands for names that the configuration makes has a type for each.
fn kind(metric: &Metric) -> &'static str {
    if metric.name.contains('*') { "by counter" } else { metric.kind.as_str() }
}

fn on(metric: &Metric) -> &'static str {
    match metric.on {
        On::Both => "both",
        On::Linux => "Linux",
        On::Windows => "Windows",
    }
}

#[test]
fn the_reference_says_what_is_declared() {
    let mut text = HEAD.to_owned();
    for spec in ALL {
        let _ = write!(
            text,
            "\n## {}\n\n| metric | type | tags | unit | names | on | default | source | meaning |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            spec.name
        );
        for metric in spec.metrics {
            let default = if metric.option.is_empty() { "on".to_owned() } else { format!("`{}`", metric.option) };
            let (tags, names) = (metric.tags.join(", "), sets(metric.sets));
            let _ = writeln!(
                text,
                "| `{}` | {} | {tags} | {} | {names} | {} | {default} | {} | {} |",
                metric.name,
                kind(metric),
                metric.unit,
                on(metric),
                metric.source.replace('|', "\\|"),
                metric.help.replace('|', "\\|"),
            );
        }
    }
    let kinds: Vec<&str> = Guarded::ALL.into_iter().map(Guarded::name).collect();
    let _ = write!(text, "\nBounded by `collector.limits`: {}.\n", kinds.join(", "));
    compare("../../docs/metrics.md", &text);
}

/// Every name with its type and tag keys, for each platform, whatever the host has.
#[test]
fn the_inventory_of_each_platform() {
    for (platform, name) in [(Platform::Linux, "linux"), (Platform::Windows, "windows")] {
        let metrics = ALL.iter().flat_map(|spec| spec.metrics).filter(|metric| metric.on.includes(platform));
        let mut lines: Vec<String> = metrics
            .map(|metric| {
                let tags = metric.tags.join(",");
                let default = if metric.option.is_empty() { "" } else { " off" };
                format!("{}{{{tags}}} {} [{}]{default}\n", metric.name, kind(metric), sets(metric.sets))
            })
            .collect();
        lines.sort();
        compare(&format!("tests/fixtures/inventory/declared-{name}.txt"), &lines.concat());
    }
}
