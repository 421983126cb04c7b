//! The packages for Windows as an administrator of a thousand servers uses them: the MSI in silence, the zip by hand.
//!
//! This is a Linux program that installs the packages of `target/dist` in Wine prefixes of its own; see `harness` and
//! `service`, and besides what those read:
//!
//! * `FALCON_DIST` is the folder of the packages.
//! * `FALCON_MSI_NEXT` is an MSI of a later version.
//!
//! Wine's msiexec ends with the low eight bits of the exit code. It knows no rollback action and does not tell a product that
//! it is removed by an upgrade: what it cannot show is read from the tables. Not part of a plain `cargo test`:
//! `cargo xtask test --only packages-windows` makes what it needs.
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
#[allow(dead_code, reason = "a part of it is for the service")]
#[path = "../service/machine.rs"]
mod machine;
#[allow(dead_code, reason = "a part of it is for the service")]
#[path = "../service/old.rs"]
mod old;
#[allow(dead_code, reason = "a part of it is for the service")]
#[path = "../service/prefix.rs"]
mod prefix;
#[allow(dead_code, reason = "a part of it is for the service")]
#[path = "../service/registry.rs"]
mod registry;

mod condition;
mod host;
mod install;
mod script;
mod tables;
mod takeover;
mod upgrade;
mod zip;
