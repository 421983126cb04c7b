//! The Windows service as an administrator sees it: installed, started, stopped, taken over from an older agent, removed;
//! by its own verbs, by `sc` and by `net`, on a Windows of each test's own.
//!
//! This is a Linux program that drives the shipped .exe in Wine prefixes; see `harness`, and besides what that reads:
//!
//! * `FALCON_WINE_TEMPLATE` is a fresh prefix that nothing runs in; tests make their own beside it.
//! * `FALCON_TEST_SERVICE` is the service of `interop/service`.
//! * `FALCON_KEEP` leaves the prefixes.
//!
//! Not part of a plain `cargo test`: `cargo xtask test --only service-windows` makes what it needs.
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
#[allow(dead_code, reason = "most of it is for agents in the foreground")]
#[path = "../faults/load.rs"]
mod load;

mod bed;
mod life;
mod machine;
mod old;
#[allow(dead_code, reason = "a part of it is for performance counters")]
mod prefix;
mod promise;
mod registry;
mod reload;
mod start;
mod takeover;
mod values;
mod verbs;

use serde_json::{Value, json};

/// A `cfg.json` for these transfers, of an agent that sends only what is pushed.
fn quiet(addrs: &[&str]) -> Value {
    json!({
        "hostname": "service",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false, "addrs": addrs, "interval": 1, "timeout": 1000, "replay_delay": 0, "replay_speed": 0 },
    })
}
