//! What `/plugins` shows: the Go agent's four members for every key, and why a plugin runs or does not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio::time::Instant;

use super::registry::{Entry, Stage};
use super::{LOOK, State};

/// A Go client reads each as its `Plugin`: what does not run has these four with empty values. Go compares names without
/// regard to case, so no other name may be one of the four.
#[derive(Default, Serialize)]
pub struct Shown {
    /// Its key, where it stands in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "FilePath")]
    file_path: String,
    #[serde(rename = "MTime")]
    mtime_s: i64,
    #[serde(rename = "Cycle")]
    cycle_s: u32,
    #[serde(rename = "Args")]
    args: String,
    state: &'static str,
    reason: String,
    runs: u64,
    failed: u64,
    skipped: u64,
    /// Unix seconds, as `next_run`.
    last_run: Option<i64>,
    duration_ms: Option<u64>,
    end: Option<&'static str>,
    exit: Option<i32>,
    items: usize,
    invalid: BTreeMap<&'static str, usize>,
    small_steps: usize,
    ahead: usize,
    last_error: Option<String>,
    stderr: Option<String>,
    remark: Option<String>,
    next_run: Option<i64>,
}

/// Bindings of which it is not known what they mean.
const MOST_UNSEEN: usize = 1000;
/// What is told of what a program has said to those who may not see it.
const HIDDEN: &str = "shown to this host and to trusted addresses; see also the agent's log";

/// `at`: now, and in Unix seconds. `whole`: also what programs have said, which may be meant for nobody else.
pub(super) fn shown(
    state: &State,
    at_once: usize,
    fetching: bool,
    at: (Instant, i64),
    whole: bool,
) -> BTreeMap<String, Shown> {
    let mut all: BTreeMap<String, Shown> = BTreeMap::new();
    let seen: BTreeSet<&String> = state.seen.iter().collect();
    for binding in state.bindings.iter().filter(|binding| !seen.contains(binding)).take(MOST_UNSEEN) {
        let reason = not_looked_at(state, fetching, at.0);
        all.insert(binding.clone(), Shown { state: "unknown", reason, ..Shown::default() });
    }
    for left in &state.left {
        let shown = all.entry(left.what.clone()).or_default();
        if shown.state != "left" {
            *shown = Shown { state: "left", ..Shown::default() };
        }
        if !shown.reason.is_empty() {
            shown.reason.push_str("; ");
        }
        shown.reason.push_str(&left.why);
    }
    for (key, entry) in state.registry.entries() {
        let (state, reason) = stage(state, entry, at_once);
        all.insert(key.clone(), Shown { state, reason, ..of(entry, at, whole) });
    }
    all
}

/// Why it is not known what a binding means.
fn not_looked_at(state: &State, fetching: bool, now: Instant) -> String {
    let out = state.looking.map(|since| now.saturating_duration_since(since));
    match out {
        Some(out) if out >= LOOK => format!("plugin.dir does not answer since {} s", out.as_secs()),
        _ if fetching => "not looked at yet: what is being fetched is waited for".to_owned(),
        _ => "not looked at yet".to_owned(),
    }
}

fn stage(state: &State, entry: &Entry, at_once: usize) -> (&'static str, String) {
    let plugin = &entry.plugin;
    match &entry.stage {
        Stage::Idle => ("waiting", format!("bound; it runs every {} s", plugin.cycle_s)),
        Stage::Due(_) if state.registry.is_full() && !state.registry.out().any(|key| *key == plugin.key) => (
            "due",
            format!(
                "{at_once} others run, or have points that wait for room in the queue (plugin.at_once); it begins when one of \
                 them is over"
            ),
        ),
        Stage::Due(_) => ("due", "a run of what was bound here before is not over; it begins when that is".to_owned()),
        Stage::Running(_) => ("running", format!("bound; it runs every {} s", plugin.cycle_s)),
        Stage::Sending(_) => ("sending", "its points wait for room in the queue; it does not run meanwhile".to_owned()),
    }
}

fn of(entry: &Entry, (now, now_s): (Instant, i64), whole: bool) -> Shown {
    let (plugin, record) = (&entry.plugin, &entry.record);
    let until_s = i64::try_from(entry.next.saturating_duration_since(now).as_secs()).unwrap_or(0);
    let shown = Shown {
        file_path: plugin.path.clone(),
        mtime_s: plugin.mtime_s,
        cycle_s: plugin.cycle_s,
        args: plugin.written_args.clone(),
        runs: record.runs,
        failed: record.failed,
        skipped: record.skipped,
        next_run: Some(now_s + until_s),
        ..Shown::default()
    };
    let Some(last) = &record.last else { return shown };
    let said = |text: &str| Some(if whole { text } else { HIDDEN }.to_owned()).filter(|_| !text.is_empty());
    Shown {
        last_run: Some(last.began_s),
        duration_ms: u64::try_from(last.took.as_millis()).ok(),
        end: Some(last.end),
        exit: last.exit,
        items: last.items,
        invalid: last.invalid.clone(),
        small_steps: last.small_steps,
        ahead: last.ahead,
        last_error: last.error.as_deref().and_then(said),
        stderr: said(&last.stderr),
        remark: last.remark.clone(),
        ..shown
    }
}
