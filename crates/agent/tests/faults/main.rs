//! The promise against the real executable: a point that was taken in reaches the transfer, in order, whatever happens to
//! the transfer, the network, the disk and the agent itself; and whoever speaks to its port, it answers and goes on.
//!
//! Driven from outside alone: `cfg.json`, HTTP, scripted transfers, signals, files. `cargo xtask faults` builds what it
//! needs and runs it, on Linux and, through Wine, for Windows; `--long` (`FALCON_LONG`) means more rounds. What makes file
//! systems of its own is in `mounted`, which runs in a mount namespace.
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

mod backlog;
mod crowd;
mod damage;
mod disk;
mod failover;
mod kill;
mod load;
mod memory;
mod mounted;
mod push;
mod stop;
mod transfer;

use serde_json::{Value, json};

/// A `cfg.json` for these transfers, with a step of a second, that replays at once and no faster than servers keep.
fn config(addrs: &[&str]) -> Value {
    json!({
        "hostname": "faults",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": addrs, "interval": 1, "timeout": 1000, "replay_delay": 0, "replay_speed": 0 },
    })
}

/// The same for an agent that sends only what is pushed.
fn quiet(addrs: &[&str]) -> Value {
    let mut config = config(addrs);
    config["transfer"]["enabled"] = json!(false);
    config
}
