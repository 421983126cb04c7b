//! Steps that read the source and run nothing of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Cx;
use super::tests::HARNESSED;
use crate::child::Run;
use crate::ledger::Passed;
use crate::rust_text;
use crate::toolchain::{Std, cargo};
use crate::tools::DENY;
use crate::workspace::{PERF_FIXTURE, PRODUCT, Workspace};

/// Files outside crates/sys that may say `unsafe`, from the root of the clone. Fixtures that must be DLLs belong here,
/// code of the product never does.
const MAY_SAY_UNSAFE: &[&str] = &["crates/perf-fixture/src/ffi.rs"];

/// Roots of the agent crate that must forbid unsafe code by themselves.
const FORBID: [&str; 2] = ["crates/agent/src/lib.rs", "crates/agent/src/main.rs"];

pub fn fmt(cx: &Cx<'_>) -> Result<Passed> {
    cargo().args(["fmt", "--all", "--check"]).dir(&cx.ws.root).show()?;
    let fuzz = cx.ws.path("fuzz/Cargo.toml");
    cargo().args(["fmt", "--check", "--manifest-path"]).arg(fuzz).dir(&cx.ws.root).show()?;
    let unformatted = Run::new("gofmt").args(["-l", "."]).dir(cx.ws.path("interop")).output()?;
    ensure!(unformatted.is_empty(), "gofmt would change, in interop/:\n{unformatted}");
    Ok(Passed::GATE)
}

pub fn no_unsafe(cx: &Cx<'_>) -> Result<Passed> {
    for file in FORBID {
        let code: String = rust_text::code(&cx.ws.read(file)?).split_ascii_whitespace().collect();
        ensure!(code.contains("#![forbid(unsafe_code)]"), "{file} does not say #![forbid(unsafe_code)]");
    }
    let found = unsafe_outside_sys(cx.ws)?;
    ensure!(found.is_empty(), "unsafe code outside crates/sys:\n  {}", found.join("\n  "));
    Ok(Passed::GATE)
}

fn unsafe_outside_sys(ws: &Workspace) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in rust_files(&ws.root)? {
        let name = path.strip_prefix(&ws.root)?.to_string_lossy().into_owned();
        if name.starts_with("crates/sys/") || MAY_SAY_UNSAFE.contains(&name.as_str()) {
            continue;
        }
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        found.extend(rust_text::lines_with_word(&source, "unsafe").iter().map(|line| format!("{name}:{line}")));
    }
    Ok(found)
}

/// Every Rust file of the clone, sorted; build outputs and hidden folders aside.
fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(".rs") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("no Rust file below {}", root.display());
    }
    Ok(files)
}

pub fn clippy_linux(cx: &Cx<'_>) -> Result<Passed> {
    let clippy = |what: &[&str]| {
        let clippy = cargo().args(["clippy", "--locked"]).args(what).args(["--", "-D", "warnings"]);
        clippy.dir(&cx.ws.root).env("CARGO_TARGET_DIR", cx.ws.target("")).show()
    };
    clippy(&["--workspace", "--all-targets"])?;
    // What cargo does not test by itself is not among all targets.
    let harnessed = HARNESSED.iter().flat_map(|name| ["--test", name]);
    clippy(&["-p", "falcon-agent"].into_iter().chain(harnessed).collect::<Vec<_>>())?;
    Ok(Passed::GATE)
}

/// xtask is left out: it runs on Linux only.
pub fn clippy_windows(cx: &Cx<'_>) -> Result<Passed> {
    let packages = PRODUCT.iter().chain(&[PERF_FIXTURE]).flat_map(|name| ["-p", name]);
    let clippy = cx.rust()?.cargo(cx.ws, "clippy", Std::Tests);
    clippy.args(packages).args(["--all-targets", "--", "-D", "warnings"]).show()?;
    Ok(Passed::GATE)
}

/// Advisories are not asked here: their database is a download that changes by the day, so it belongs to a release.
pub fn deny(cx: &Cx<'_>) -> Result<Passed> {
    let deny = || Run::new(DENY.path(cx.ws)).dir(&cx.ws.root).arg("--locked");
    deny().args(["check", "bans", "licenses", "sources"]).show()?;
    Ok(Passed::gates(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_is_found_outside_sys_and_reported_with_its_line() {
        let root = std::env::temp_dir().join(format!("xtask-unsafe-{}", std::process::id()));
        let ws = Workspace { root: root.clone() };
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("crates/sys/src/lib.rs", "unsafe fn f() {}\n");
        write("crates/agent/src/a.rs", "// unsafe\nfn f() {}\nunsafe fn g() {}\n");
        write("target/debug/build.rs", "unsafe fn f() {}\n");
        assert_eq!(unsafe_outside_sys(&ws).unwrap(), ["crates/agent/src/a.rs:3"]);
        fs::remove_dir_all(root).unwrap();
    }
}
