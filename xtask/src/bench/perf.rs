//! What performance counters cost in a cycle: `crates/agent/benches/perf.rs`, which reaches into the library, built as the
//! product is.

use anyhow::Result;

use crate::toolchain::cargo;
use crate::workspace::Workspace;

/// # Errors
/// When it cannot be built or ends early.
pub fn run(ws: &Workspace) -> Result<()> {
    cargo()
        .args(["bench", "--locked", "-p", "falcon-agent", "--bench", "perf"])
        .dir(&ws.root)
        .env("CARGO_TARGET_DIR", ws.target(""))
        .show()
}
