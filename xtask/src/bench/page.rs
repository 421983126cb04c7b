//! How soon the page and its first chart stand: `web/tools/bench.py`, in which Chromium loads the page of the shipped
//! executable again and again, each time as one who has never seen it.

use anyhow::Result;

use crate::steps::build_linux;
use crate::toolchain::SourceRust;
use crate::tools::page_tool;
use crate::workspace::Workspace;

/// # Errors
/// When the agent or Chromium does not start, or the page never stands.
pub fn run(ws: &Workspace) -> Result<()> {
    build_linux(ws, SourceRust::get()?)?;
    page_tool(ws, "bench.py").show()
}
