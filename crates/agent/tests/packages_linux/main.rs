//! What is published for Linux, installed and run as it is packed.
//!
//! `cargo xtask test` packs it and says where it lies: `FALCON_STATIC_EXE` is the static executable.
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

mod static_exe;
