//! Performance counters as they arrive at Go's transfer: the shipped .exe reads providers of ours through the registry's own
//! interface, on a Windows of each test's own.
//!
//! This is a Linux program that drives the shipped .exe in Wine prefixes; see `harness` and `service`, and besides what those
//! read:
//!
//! * `FALCON_PERF_FIXTURE` is the folder of what `crates/perf-fixture` builds for Windows: the provider's DLL, `fake-w3wp.exe`
//!   and `perf-reader.exe`.
//!
//! Expected numbers are computed by hand from the scripts, never by the agent's own code. Not part of a plain `cargo test`:
//! `cargo xtask test --only perf-windows` makes what it needs.
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
#[allow(dead_code, reason = "a part of it is for services")]
#[path = "../service/prefix.rs"]
mod prefix;

mod bed;
mod custom;
mod faults;
mod iis;
mod life;
mod pools;
mod seen;
mod sql;
mod windows;
