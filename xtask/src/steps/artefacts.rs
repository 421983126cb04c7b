//! Steps that build what is shipped and look at it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::Cx;
use crate::dist::Dist;
use crate::ledger::Passed;
use crate::pe;
use crate::toolchain::{SourceRust, Std};
use crate::workspace::Workspace;

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
    rust.cargo_linux(ws, "build").args(["--release", "-p", "falcon-agent"]).show()
}

/// Builds [`Workspace::windows_exe`].
///
/// # Errors
/// When the build fails.
pub fn build_windows(ws: &Workspace, rust: SourceRust) -> Result<()> {
    rust.cargo(ws, "build", Std::Product).args(["--release", "-p", "falcon-agent"]).show()
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
    for exe in [cx.ws.linux_exe(), cx.ws.windows_exe()] {
        let bytes = fs::metadata(&exe).with_context(|| format!("cannot look at {}", exe.display()))?.len();
        println!("{bytes:>9} bytes  {}", exe.display());
        ensure!(bytes <= MAX_EXE_BYTES, "{} has more than {MAX_EXE_BYTES} bytes", exe.display());
    }
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
    identity(cx.ws)?;
    println!("version, product, icon and manifest");
    Ok(Passed::gates(3))
}

/// What Explorer and Task Manager show of the Windows executable, and that it asks for no more rights than its caller has.
fn identity(ws: &Workspace) -> Result<()> {
    let exe = ws.windows_exe();
    let image = fs::read(&exe).with_context(|| format!("cannot read {}", exe.display()))?;
    let resource = |kind| pe::resource(&image, kind).with_context(|| exe.display().to_string());
    let version = resource(pe::VERSION)?.context("the executable has no version")?;
    for (name, expected) in [("ProductName", "falcon-agent"), ("OriginalFilename", "falcon-agent.exe")] {
        let found = pe::version_of(version, name);
        let numbers: String = env!("CARGO_PKG_VERSION").to_owned() + ".0";
        let expected = Some((numbers, expected.to_owned()));
        let found = found.map(|(version, text)| (version.map(|number| number.to_string()).join("."), text));
        ensure!(found == expected, "the executable's {name} is {found:?} instead of {expected:?}");
    }
    // Its first number is of no use, the second says that it is of icons, the third how many there are.
    let icons = resource(pe::ICONS)?.and_then(|group| Some(u16::from_le_bytes([*group.get(4)?, *group.get(5)?])));
    ensure!(icons == Some(4), "the executable has icons of {icons:?} sizes instead of 4");
    let manifest = String::from_utf8_lossy(resource(pe::MANIFEST)?.unwrap_or_default()).into_owned();
    ensure!(
        manifest.contains("level=\"asInvoker\""),
        "the executable's manifest says nothing of the rights that it needs"
    );
    Ok(())
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
