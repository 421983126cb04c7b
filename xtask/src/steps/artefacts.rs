//! Steps that build what is shipped and look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::Cx;
use crate::child::Run;
use crate::dist::Dist;
use crate::elf;
use crate::ledger::Passed;
use crate::pe;
use crate::toolchain::{GLIBC, SourceRust, Std};
use crate::workspace::{LINUX_TARGET, STATIC_TARGET, Workspace};

/// What is built, and how.
const AGENT: [&str; 3] = ["--release", "-p", "falcon-agent"];

/// Three builds share the processors.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);

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
    let linux = || rust.cargo_linux(ws, &[LINUX_TARGET, STATIC_TARGET]).args(AGENT).limit(BUILD_LIMIT).show();
    let (linux, windows) = thread::scope(|scope| {
        let linux = scope.spawn(linux);
        let windows = rust.cargo(ws, "build", Std::Product).args(AGENT).limit(BUILD_LIMIT).show();
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

/// Long: whether two clones in different folders give the same files. Else whether the same executables do once more.
pub fn reproducible(cx: &Cx<'_>) -> Result<Passed> {
    let (first, second) = if cx.long {
        (in_a_clone(cx, "first")?, in_a_clone(cx, "second/and/deeper")?)
    } else {
        let first = published(cx.ws)?;
        Dist::new(cx.ws)?.pack()?;
        (first, published(cx.ws)?)
    };
    ensure!(first.keys().eq(second.keys()), "{:?} and {:?} are published", first.keys(), second.keys());
    for (name, bytes) in &first {
        let other = second.get(name).map(Vec::as_slice).unwrap_or_default();
        if let Some(place) = first_difference(bytes, other) {
            bail!("{name} comes out different each time, from byte {place} of {} and {} on", bytes.len(), other.len());
        }
    }
    Ok(Passed::gates(u64::try_from(first.len())?))
}

/// What is published of this commit when it is built in this folder.
fn in_a_clone(cx: &Cx<'_>, folder: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let ws = Workspace { root: cx.ws.target("reproducible").join(folder) };
    if ws.root.exists() {
        fs::remove_dir_all(&ws.root)?;
    }
    fs::create_dir_all(&ws.root)?;
    let git = |dir: &Path, args: &[&str]| Run::new("git").args(args).dir(dir);
    let head = git(&cx.ws.root, &["rev-parse", "HEAD"]).output()?;
    git(&ws.root, &["clone", "--quiet", "--no-checkout"]).arg(&cx.ws.root).arg(".").show()?;
    git(&ws.root, &["checkout", "--quiet", "--detach", head.trim()]).show()?;
    // Zig, but not what it has cached: of that the second build would be the first's.
    fs::create_dir_all(ws.target("tools"))?;
    std::os::unix::fs::symlink(cx.ws.target("tools/python"), ws.target("tools/python"))?;
    build_all(&ws, cx.rust()?)?;
    Dist::new(&ws)?.pack()?;
    let files = published(&ws)?;
    // Two whole builds are a gigabyte.
    fs::remove_dir_all(ws.target("linux"))?;
    fs::remove_dir_all(ws.target("windows"))?;
    Ok(files)
}

fn published(ws: &Workspace) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(ws.target("dist"))? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    ensure!(!files.is_empty(), "nothing is published");
    Ok(files)
}

fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(a, b)| a != b);
    differs.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

/// No path of this machine is in what is shipped: it would differ elsewhere, and tell of whoever builds.
pub fn paths(cx: &Cx<'_>) -> Result<Passed> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let places = [
        cx.ws.path("crates"),
        cx.ws.path("target"),
        cargo_home.join("registry"),
        cx.rust()?.sysroot()?.join("lib/rustlib"),
    ];
    for exe in cx.ws.executables() {
        let image = fs::read(&exe).with_context(|| format!("cannot read {}", exe.display()))?;
        for place in &places {
            let place = place.to_string_lossy();
            ensure!(!holds(&image, place.as_bytes()), "{} holds the path {place}", exe.display());
        }
        // The opposite would say that this looks for paths in vain.
        ensure!(holds(&image, b"crates/agent/src/"), "{} names no source file of its own", exe.display());
    }
    Ok(Passed::gates(3))
}

fn holds(image: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(image, text).is_some()
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

fn read_imports(exe: &Path) -> Result<BTreeSet<pe::Import>> {
    let image = fs::read(exe).with_context(|| format!("cannot read {}", exe.display()))?;
    let imports = pe::imports(&image).with_context(|| exe.display().to_string())?;
    // Every Windows program imports something: none means that the table was not found.
    ensure!(!imports.is_empty(), "{} imports nothing at all", exe.display());
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_differs_is_told() {
        assert_eq!(first_difference(b"same", b"same"), None);
        assert_eq!(first_difference(b"some", b"same"), Some(1));
        assert_eq!(first_difference(b"same", b"same and more"), Some(4));
    }

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        assert!(holds(b"\0at /clone/crates/agent\0", b"/clone/crates"));
        assert!(!holds(b"crates/agent/src/main.rs", b"/clone/crates"));
        assert!(!holds(b"", b"/clone/crates"));
    }
}
