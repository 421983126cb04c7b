//! The command line of the real executable: what each call prints and how it ends.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod admin;
mod adopt;
mod collect;
mod config;
mod guard;
mod plugin;
mod queue;
mod reload;
mod reload_keys;
mod run;
mod usage;

use std::fs;
use std::path::Path;

use harness::process::{Ended, program, run};
use tempfile::TempDir;

/// An empty directory, so that no configuration is found by chance.
fn empty() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A directory with this `cfg.json`.
fn with_config(text: &str) -> TempDir {
    let dir = empty();
    fs::write(dir.path().join("cfg.json"), text).expect("a file");
    dir
}

/// Runs the executable in a directory to its end.
fn call(dir: &Path, args: &[&str]) -> Ended {
    run(program(dir, args))
}
