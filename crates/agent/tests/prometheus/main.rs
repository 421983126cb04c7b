//! Prometheus reads the agent: `promtool` has nothing against what the finished executable says, nor against any name that is
//! declared for either platform, and Prometheus itself scrapes it in both formats and answers queries.
//!
//! Not part of a plain `cargo test`, for it needs both programs: `cargo xtask test --only prometheus` gets them and names their
//! folder in `FALCON_PROMETHEUS`.
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

mod door;
mod lint;
mod scrape;

use std::path::{Path, PathBuf};

/// One of Prometheus's own programs.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("FALCON_PROMETHEUS").unwrap_or_else(|| {
        panic!("FALCON_PROMETHEUS must name a folder with {name}; `cargo xtask test --only prometheus` does")
    });
    Path::new(&folder).join(name)
}
