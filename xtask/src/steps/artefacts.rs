//! Steps that build what is shipped and look at it.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::Cx;
use crate::dist::Dist;
use crate::elf;
use crate::ledger::Passed;
use crate::pe;
use crate::toolchain::{GLIBC, SourceRust, Std};
use crate::workspace::{LINUX_TARGET, STATIC_TARGET, Workspace};

/// What is built, and how.
const AGENT: [&str; 3] = ["--release", "-p", "falcon-agent"];

/// What an administrator is asked to copy to thousands of hosts.
const MAX_EXE_BYTES: u64 = 5_000_000;

pub const IMPORT_LIST: &str = "xtask/pe-imports.txt";

/// The source of the executable's message table.
const MESSAGES: &str = "crates/agent/windows/messages.mc";

/// Builds [`Workspace::linux_exe`].
///
/// # Errors
/// When the build fails.
pub fn build_linux(ws: &Workspace, rust: SourceRust) -> Result<()> {
    rust.cargo_linux(ws, &[LINUX_TARGET]).args(AGENT).show()
}

/// Builds [`Workspace::windows_exe`].
///
/// # Errors
/// When the build fails.
pub fn build_windows(ws: &Workspace, rust: SourceRust) -> Result<()> {
    rust.cargo(ws, "build", Std::Product).args(AGENT).show()
}

/// Builds every shipped executable, side by side: most of the time goes into optimising each as a whole, which is the work
/// of one processor.
///
/// # Errors
/// When a build fails.
pub fn build_all(ws: &Workspace, rust: SourceRust) -> Result<()> {
    let linux = || rust.cargo_linux(ws, &[LINUX_TARGET, STATIC_TARGET]).args(AGENT).show();
    let (linux, windows) = thread::scope(|scope| {
        let linux = scope.spawn(linux);
        let windows = build_windows(ws, rust);
        (linux.join(), windows)
    });
    linux.map_err(|_| anyhow!("building for Linux panicked"))??;
    windows
}

pub fn all(cx: &Cx<'_>) -> Result<Passed> {
    build_all(cx.ws, cx.rust()?)?;
    Ok(Passed::gates(3))
}

pub fn linux(cx: &Cx<'_>) -> Result<Passed> {
    build_linux(cx.ws, cx.rust()?)?;
    Ok(Passed::GATE)
}

pub fn windows(cx: &Cx<'_>) -> Result<Passed> {
    build_windows(cx.ws, cx.rust()?)?;
    Ok(Passed::GATE)
}

pub fn packages(cx: &Cx<'_>) -> Result<Passed> {
    Dist::new(cx.ws)?.pack()?;
    Ok(Passed::GATE)
}

pub fn size(cx: &Cx<'_>) -> Result<Passed> {
    for exe in cx.ws.executables() {
        let bytes = fs::metadata(&exe).with_context(|| format!("cannot look at {}", exe.display()))?.len();
        println!("{bytes:>9} bytes  {}", exe.display());
        ensure!(bytes <= MAX_EXE_BYTES, "{} has more than {MAX_EXE_BYTES} bytes", exe.display());
    }
    Ok(Passed::gates(3))
}

pub fn symbols(cx: &Cx<'_>) -> Result<Passed> {
    let needs = |exe: &Path| -> Result<elf::Needs> {
        let image = fs::read(exe).with_context(|| format!("cannot read {}", exe.display()))?;
        elf::Needs::of(&image).with_context(|| exe.display().to_string())
    };
    let (main, fixed) = (cx.ws.linux_exe(), cx.ws.linux_static_exe());
    let of_main = needs(&main)?;
    println!("{} symbols, up to glibc {}", of_main.symbols.len(), of_main.newest_glibc()?);
    let lacking = of_main.beyond_glibc(GLIBC)?;
    ensure!(lacking.is_empty(), "{} needs more than glibc {GLIBC}:\n  {}", main.display(), lacking.join("\n  "));
    let lacking = needs(&fixed)?.at_all();
    ensure!(lacking.is_empty(), "{} is not static, it needs:\n  {}", fixed.display(), lacking.join("\n  "));
    Ok(Passed::gates(2))
}

pub fn imports(cx: &Cx<'_>) -> Result<Passed> {
    let allowed = pe::Allowed::parse(&cx.ws.read(IMPORT_LIST)?).context(IMPORT_LIST)?;
    let imports = read_imports(&cx.ws.windows_exe())?;
    println!("{} functions of {} DLLs", imports.len(), pe::dll_count(&imports));
    let refusals = allowed.refusals(&imports);
    if !refusals.is_empty() {
        bail!(
            "imports that nobody has reviewed for Windows 7 (resolve newer ones at run time, add older ones to {IMPORT_LIST}):\n  {}",
            refusals.join("\n  ")
        );
    }
    let messages = messages(cx.ws)?;
    println!("{messages} messages for the event log");
    Ok(Passed::gates(2))
}

/// How many messages the Windows executable has for the event log: those of their source, each once.
fn messages(ws: &Workspace) -> Result<usize> {
    let source = ws.read(MESSAGES)?;
    let numbers = source.lines().filter_map(|line| line.strip_prefix("MessageId="));
    let mut expected = numbers.map(str::parse).collect::<Result<Vec<u16>, _>>().context(MESSAGES)?;
    let exe = ws.windows_exe();
    let image = fs::read(&exe).with_context(|| format!("cannot read {}", exe.display()))?;
    let mut found = pe::messages(&image).with_context(|| exe.display().to_string())?;
    expected.sort_unstable();
    found.sort_unstable();
    ensure!(found == expected, "{} has the messages {found:?}, and {MESSAGES} {expected:?}", exe.display());
    Ok(found.len())
}

/// Prints the import list of the Windows executable as it is, in the form of [`IMPORT_LIST`].
///
/// # Errors
/// When there is no executable or it cannot be read.
pub fn print_imports(ws: &Workspace) -> Result<()> {
    for import in read_imports(&ws.windows_exe())? {
        println!("{import}");
    }
    Ok(())
}

fn read_imports(exe: &Path) -> Result<std::collections::BTreeSet<pe::Import>> {
    let image = fs::read(exe).with_context(|| format!("cannot read {}", exe.display()))?;
    let imports = pe::imports(&image).with_context(|| exe.display().to_string())?;
    // Every Windows program imports something: none means that the table was not found.
    ensure!(!imports.is_empty(), "{} imports nothing at all", exe.display());
    Ok(imports)
}
