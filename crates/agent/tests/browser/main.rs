//! Chromium opens pages that mean the agent no good, as its user would, and the finished Linux executable is still there.
//!
//! What a header is believed for stands in `http::access` and is tested there; here a real browser writes the headers. It
//! reaches the agent through a [`door`], which keeps each request with its answer. Not part of a plain `cargo test`, for it needs
//! the browser: `cargo xtask test --only browser` installs it and names it in `FALCON_BROWSER`.
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

mod attack;
mod chromium;
mod door;
mod own;
