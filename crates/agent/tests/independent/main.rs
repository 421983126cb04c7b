//! What one `collect` says of this very host, against the same facts asked another way: statvfs(2), sysinfo(2), sysfs,
//! `/proc/self/mountinfo`, the rows of `/proc/net/tcp`. Each is asked before and after, and the agent's number lies between.
//!
//! A level may swing out of that span and back while the agent reads; then the whole comparison is made again. A number
//! that is wrong does not become right by that.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "helpers of tests fail by panicking, as tests do; a host's numbers fit a float"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod assigned;
mod complete;
mod links;
mod sockets;
mod storage;
mod system;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use harness::items::Item;
use harness::process::{program, run};
use harness::until;
use tempfile::TempDir;

/// Of whoever opens sockets by the thousand, and whoever counts those of this host.
static COUNTS_SOCKETS: Mutex<()> = Mutex::new(());

/// One cycle of this host, all of it or that of one collector.
fn collect(args: &[&str]) -> Vec<Item> {
    collect_in(configured().path(), args)
}

fn configured() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("cfg.json"), r#"{"hostname":"h"}"#).expect("a file");
    dir
}

fn collect_in(dir: &Path, args: &[&str]) -> Vec<Item> {
    let out = run(program(dir, &[&["collect", "--format", "json"], args].concat())).success();
    Item::parse_all(&serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
}

/// Series (`metric` or `metric/tags`) and between which numbers another source sees them.
type Facts = BTreeMap<String, (f64, f64)>;

fn exactly(value: f64) -> (f64, f64) {
    (value, value)
}

/// What the agent says of one collector lies between what `read` says before and what it says after.
fn compare(only: &str, read: impl Fn() -> Facts) {
    let wrong = RefCell::default();
    // There before and after: it takes space and inodes.
    let dir = configured();
    until(
        "numbers that agree",
        || format!("{only}:\n{}", wrong.borrow()),
        || {
            let before = read();
            let items = collect_in(dir.path(), &["--only", only]);
            let after = read();
            let said: BTreeMap<String, f64> = items.iter().map(|item| (name(item), item.value)).collect();
            let mut differences = String::new();
            for (name, (low, high)) in &before {
                // Gone in the meantime.
                let Some((other_low, other_high)) = after.get(name) else { continue };
                let (low, high) = (low.min(*other_low), high.max(*other_high));
                match said.get(name) {
                    Some(value) if (low..=high).contains(value) => {}
                    value => differences.push_str(&format!("{name}: {value:?}, not from {low} to {high}\n")),
                }
            }
            wrong.replace(differences);
            wrong.borrow().is_empty().then_some(())
        },
    );
}

fn name(item: &Item) -> String {
    if item.tags.is_empty() { item.metric.clone() } else { format!("{}/{}", item.metric, item.tags) }
}

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names in a directory.
fn names(path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}
