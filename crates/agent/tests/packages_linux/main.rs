//! The packages for Linux as an administrator meets them: unpacked, installed, started, upgraded, removed.
//!
//! * `FALCON_DIST` is the folder with the packages.
//! * `FALCON_AGENT_EXE` is the executable in them; a tar.gz that is unpacked gets it anew, so that a debug one can be tested.
//! * `FALCON_STATIC_EXE` is the static executable, which `static_exe` alone asks for.
//!
//! `rooted` installs into a copy of this machine's root that is thrown away: as root, in a mount namespace (`unshare --mount`).
//! Not part of a plain `cargo test`: `cargo xtask test --only packages-linux` makes what it needs.
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

mod archive;
mod contents;
mod control;
mod rooted;
mod static_exe;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use harness::http;
use harness::process::{Ended, run};
use harness::servers::Server;
use harness::{now, until};

/// The first configuration, which all packages have, and `install` writes.
const FIRST: &str = "crates/agent/src/config/first.json";

/// Where `packaging/` and the documents are.
fn sources(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(below)
}

/// The one package whose name ends so.
fn package(end: &str) -> PathBuf {
    let dist = std::env::var_os("FALCON_DIST").expect("FALCON_DIST is the folder with the packages");
    let files = fs::read_dir(dist).expect("packages").map(|entry| entry.unwrap().path());
    let mut fitting: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    assert_eq!(fitting.len(), 1, "packages *{end}: {fitting:?}");
    fitting.remove(0)
}

/// A command with nothing of this process's environment.
fn plain(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("HOME", "/root");
    command
}

fn tool(program: &str, args: &[&str]) -> Ended {
    let mut command = plain(program);
    command.args(args);
    run(command)
}

/// A `cfg.json` for this transfer, of an agent that listens there.
fn config(server: &Server, listen: SocketAddr) -> Value {
    json!({
        "hostname": "packages",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": [server.addr], "interval": 60, "timeout": 1000, "replay_delay": 0 },
        "http": { "enabled": true, "listen": listen.to_string() },
    })
}

/// A point that is pushed arrives.
fn works(server: &Server, listen: SocketAddr, state: impl Fn() -> String) {
    until("an answer", &state, || http::get(listen, "/health").ok().filter(|answer| answer.body == b"ok"));
    let value = now();
    let item = json!([{ "endpoint": "packages", "metric": "pushed", "value": value, "step": 60,
                        "counterType": "GAUGE", "tags": "", "timestamp": value }]);
    let answer = http::post(listen, "/v1/push", item.to_string().as_bytes()).expect("an answer");
    assert_eq!(answer.text(), "success");
    let arrived = || server.items().iter().any(|item| item.metric == "pushed" && item.timestamp == value);
    until("a point at the transfer", &state, || arrived().then_some(()));
}
