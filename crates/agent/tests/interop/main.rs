//! The real executable against Go's own `net/rpc/jsonrpc`, and against servers and clients that mean it no good.
//!
//! The same tests drive the Linux executable and, through Wine, the Windows one; see `harness`. Not part of a plain
//! `cargo test`, for they need the Go peer: `cargo xtask test --only interop-linux` (or `interop-windows`).
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
#[path = "../../../../interop/nvml/library.rs"]
mod nvml;

mod assigned;
mod bad_servers;
mod hostile;
mod live;
mod load;
mod metrics;
mod names;
mod outage;
mod plugins;
mod push;
mod routes;
mod shape;
mod stop;
mod urls;

use harness::now;
