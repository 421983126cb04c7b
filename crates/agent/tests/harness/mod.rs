//! Drives the real executable from outside, as an administrator and the servers see it.
//!
//! * `FALCON_AGENT_EXE` is the executable, else the one that cargo has just built.
//! * `FALCON_AGENT_RUNNER` is a program that starts it (`wine`); what is started is then taken for a Windows program.
//! * `FALCON_PEER` is the Go peer of `interop/peer`.
//!
//! Whatever is waited for is asked again and again until a deadline ([`until`]) that fails the test with the log of the
//! process at hand. Nothing here waits on a pipe: Wine's own processes may hold one open for as long as a session lasts.
#![allow(dead_code, unused_imports, reason = "each test target uses a part of it")]

pub mod agent;
pub mod golden;
pub mod host;
pub mod http;
pub mod items;
pub mod model;
pub mod namespace;
pub mod openapi;
pub mod peer;
pub mod process;
pub mod servers;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Far more than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const GLANCE: Duration = Duration::from_millis(10);

/// Asks until there is an answer; `state` is told when there is none in time.
pub fn until<T>(what: &str, state: impl Fn() -> String, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain for {what}\n{}", PATIENCE.as_secs(), state());
        sleep(GLANCE);
    }
}

/// The program in front of the executable, if there is one.
fn runner() -> Option<String> {
    std::env::var("FALCON_AGENT_RUNNER").ok().filter(|runner| !runner.is_empty())
}

/// Whether the executable under test is the one for Windows.
pub fn is_windows() -> bool {
    runner().is_some()
}

/// Whether rounds are many: `cargo xtask test --long`, `cargo xtask faults --long`.
pub fn is_long() -> bool {
    std::env::var_os("FALCON_LONG").is_some()
}

/// The executable under test.
pub fn exe() -> PathBuf {
    std::env::var_os("FALCON_AGENT_EXE").map_or_else(|| env!("CARGO_BIN_EXE_falcon-agent").into(), PathBuf::from)
}

/// Unix seconds.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("small")
}
