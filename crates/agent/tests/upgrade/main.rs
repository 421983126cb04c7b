//! `falcon-agent upgrade` as an administrator gives it, while points are pushed all the time: to a good executable, to ones
//! that crash, stay mute or refuse, cut short and repeated; on each way in which an agent is kept running.
//!
//! This is a Linux program that drives the shipped executables; see `harness`, and besides what that reads:
//!
//! * `FALCON_UPGRADE_STUBS` is a folder with what `interop/upgrade` is built to: `crash`, `mute`, `refuse`, with `.exe` for
//!   Windows.
//! * `FALCON_WINE_TEMPLATE` is a fresh prefix that nothing runs in, for Windows.
//!
//! Not part of a plain `cargo test`: `cargo xtask test --only upgrade-linux` (or `upgrade-windows`) makes what it needs.
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
#[allow(dead_code, reason = "most of it is for tests of the service")]
#[path = "../service/machine.rs"]
mod machine;
#[allow(dead_code, reason = "most of it is for tests of the service")]
#[path = "../service/old.rs"]
mod old;
#[allow(dead_code, reason = "a part of it is for performance counters")]
#[path = "../service/prefix.rs"]
mod prefix;
#[allow(dead_code, reason = "most of it is for tests of the service")]
#[path = "../service/registry.rs"]
mod registry;

mod bed;
mod cases;
mod linux;
mod windows;

use serde_json::{Value, json};

/// A `cfg.json` of an agent that sends every second to this transfer.
fn config(addr: &str, http: &str) -> Value {
    json!({
        "hostname": "upgraded",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": [addr], "interval": 1, "timeout": 1000, "replay_delay": 0, "replay_speed": 0 },
        "http": { "enabled": true, "listen": http },
    })
}
