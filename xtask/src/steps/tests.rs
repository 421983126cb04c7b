//! Steps that run Rust's own test harness, natively and under Wine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Cx;
use crate::child::Run;
use crate::dist::{Stamp, msi};
use crate::ledger::Passed;
use crate::toolchain::{Std, cargo};
use crate::tools::{CHROMIUM, PROMETHEUS};
use crate::wine::{self, Session};
use crate::workspace::{PERF_FIXTURE, PRODUCT};

/// Integration tests that drive a finished executable with the Go peer, a browser or Prometheus; they have steps of their own.
pub const HARNESSED: [&str; 9] =
    ["browser", "faults", "interop", "packages_linux", "packages_windows", "perf", "prometheus", "service", "upgrade"];

/// Tests of `faults` that make file systems of their own.
const MOUNTED: &str = "mounted::";
/// Tests of `packages_linux` that install into a root of their own.
const ROOTED: &str = "rooted::";
/// Tests of `packages_linux` that make a root folder of their own.
const STATIC: &str = "static_exe::";
/// Tests of `faults` at once: most of them wait most of the time.
const FAULTS_AT_ONCE: &str = "--test-threads=8";

/// Tests of `faults` in which a second counts: beside others they would measure how long those keep Wine's one server busy.
const TIMED: [&str; 3] = ["crowd::", "kill::", "stop::"];

/// Tests of `interop` that make the processors busy, or are measured by how busy they are.
const BUSY: &str = "load::";
/// The others of `interop` at once: they wait for the agent's next step most of the time.
const INTEROP_AT_ONCE: &str = "--test-threads=6";
/// The same under Wine, whose one server all of them share.
const INTEROP_AT_ONCE_IN_WINE: &str = "--test-threads=4";

/// Each of these tests has a Windows of its own, and waits for it more than it works.
const WINDOWS_AT_ONCE: &str = "--test-threads=3";

/// Fault rounds outlast everything else.
const LONG_LIMIT: Duration = Duration::from_secs(2 * 3600);

pub fn unit(cx: &Cx<'_>) -> Result<Passed> {
    let test = || cargo().args(["test", "--locked"]).dir(&cx.ws.root).env("CARGO_TARGET_DIR", cx.ws.target(""));
    let named = plain_integration_tests(cx)?;
    let named = named.iter().flat_map(|name| ["--test", name.as_str()]);
    let mut passed = count(rounds(cx, test().args(["--workspace", "--lib", "--bins"]).args(named)))?;
    passed += count_any(rounds(cx, test().args(["--workspace", "--doc"])))?;
    Ok(Passed::tests(passed))
}

pub fn unit_windows(cx: &Cx<'_>) -> Result<Passed> {
    let session = Session::start(cx.ws)?;
    let named = plain_integration_tests(cx)?;
    let named = named.iter().flat_map(|name| ["--test", name.as_str()]);
    let test = cx
        .rust()?
        .cargo(cx.ws, "test", Std::Tests)
        .args(PRODUCT.iter().flat_map(|name| ["-p", name]))
        .args(["--lib", "--bins"])
        .args(named)
        .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_RUNNER", "wine");
    Ok(Passed::tests(count(rounds(cx, session.enter(test)))?))
}

pub fn interop_linux(cx: &Cx<'_>) -> Result<Passed> {
    let test = || harnessed(cx, "interop").env("FALCON_AGENT_EXE", cx.ws.linux_exe()).arg("--");
    let most = count(test().args([INTEROP_AT_ONCE, "--skip", BUSY]))?;
    Ok(Passed::tests(most + count(test().arg(BUSY))?))
}

pub fn browser(cx: &Cx<'_>) -> Result<Passed> {
    let test = harnessed(cx, "browser").env("FALCON_AGENT_EXE", cx.ws.linux_exe()).env("FALCON_BROWSER", CHROMIUM);
    // One at a time: each has processes enough of its own.
    Ok(Passed::tests(count(test.args(["--", "--test-threads=1"]))?))
}

pub fn prometheus(cx: &Cx<'_>) -> Result<Passed> {
    let folder = PROMETHEUS.folder(cx.ws).context("Prometheus is gone")?;
    let test = harnessed(cx, "prometheus").env("FALCON_AGENT_EXE", cx.ws.linux_exe());
    Ok(Passed::tests(count(test.env("FALCON_PROMETHEUS", folder))?))
}

pub fn faults_linux(cx: &Cx<'_>) -> Result<Passed> {
    let test = || harnessed(cx, "faults").env("FALCON_AGENT_EXE", cx.ws.linux_exe()).args(["--", "--show-output"]);
    let mut passed = count(test().args([FAULTS_AT_ONCE, "--skip", MOUNTED]))?;
    match may_mount(cx)? {
        Some(unshare) => passed += count(test().arg(MOUNTED).started_by("unshare", unshare))?,
        None => {
            println!("not run: {MOUNTED}* (full and read-only disks), for `unshare --mount` gives no namespace here")
        }
    }
    Ok(Passed::tests(passed))
}

pub fn packages_linux(cx: &Cx<'_>) -> Result<Passed> {
    let test = || {
        let test = harnessed(cx, "packages_linux").env("FALCON_AGENT_EXE", cx.ws.linux_exe());
        test.env("FALCON_DIST", cx.ws.target("dist"))
    };
    // What wants the static executable is a step of its own.
    let passed = count(test().args(["--", "--show-output", "--skip", ROOTED, "--skip", STATIC]))?;
    // As root: what it installs are files of root.
    let may =
        Run::new("mount").args(["-t", "tmpfs", "packages", "/mnt"]).started_by("unshare", &["--mount"]).succeeds();
    if !may {
        println!("not run: {ROOTED}* (packages installed), for `unshare --mount` gives no namespace here to this user");
        return Ok(Passed::tests(passed));
    }
    let rooted = count(test().args(["--", "--show-output", ROOTED]).started_by("unshare", &["--mount"]))?;
    Ok(Passed::tests(passed + rooted))
}

pub fn faults_windows(cx: &Cx<'_>) -> Result<Passed> {
    let session = Session::start(cx.ws)?;
    let test = || {
        let test = harnessed(cx, "faults").env("FALCON_AGENT_EXE", cx.ws.windows_exe());
        session.enter(test.env("FALCON_AGENT_RUNNER", "wine").args(["--", "--show-output"]))
    };
    println!("not run: {MOUNTED}*, for Wine's server opens files outside of a mount namespace");
    let most = test().args([FAULTS_AT_ONCE, "--skip", MOUNTED]).args(TIMED.iter().flat_map(|name| ["--skip", name]));
    let timed = test().arg("--test-threads=1").args(TIMED);
    Ok(Passed::tests(count(most)? + count(timed)?))
}

pub fn static_linux(cx: &Cx<'_>) -> Result<Passed> {
    let Some(_) = may_mount(cx)? else {
        println!("not run: {STATIC}*, for `unshare --mount` gives no namespace here");
        return Ok(Passed::gates(0));
    };
    let test = harnessed(cx, "packages_linux").env("FALCON_AGENT_EXE", cx.ws.linux_exe());
    let test = test.env("FALCON_STATIC_EXE", cx.ws.linux_static_exe());
    Ok(Passed::tests(count(test.args(["--", STATIC]))?))
}

/// How a namespace is had in which this user may mount, if one is.
fn may_mount(cx: &Cx<'_>) -> Result<Option<&'static [&'static str]>> {
    const WAYS: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let point = cx.ws.target("faults");
    fs::create_dir_all(&point)?;
    let mounts = |way: &&[&str]| {
        Run::new("mount").args(["-t", "tmpfs", "faults"]).arg(&point).started_by("unshare", way).succeeds()
    };
    Ok(WAYS.into_iter().find(mounts))
}

pub fn interop_windows(cx: &Cx<'_>) -> Result<Passed> {
    let session = Session::start(cx.ws)?;
    let nvml = session.system32().join("nvml.dll");
    build_nvml(cx, &nvml)?;
    let plugin = cx.ws.target("interop/plugin.exe");
    build_plugin(cx, &plugin)?;
    // Wine's own does nothing; its file is put back, for other steps test a Windows as Wine has it.
    let powershell = session.system32().join("WindowsPowerShell/v1.0/powershell.exe");
    let own = fs::read(&powershell).context("Wine has a powershell.exe")?;
    fs::copy(&plugin, &powershell)?;
    let test = || {
        let test = harnessed(cx, "interop").env("FALCON_AGENT_EXE", cx.ws.windows_exe());
        session.enter(test.env("FALCON_AGENT_RUNNER", "wine").env("FALCON_TEST_PLUGIN", &plugin)).arg("--")
    };
    let most = count(test().args([INTEROP_AT_ONCE_IN_WINE, "--skip", BUSY]));
    let passed = most.and_then(|most| Ok(most + count(test().arg(BUSY))?));
    fs::write(powershell, own)?;
    // They test one without a GPU, too.
    fs::remove_file(nvml)?;
    Ok(Passed::tests(passed?))
}

pub fn service_windows(cx: &Cx<'_>) -> Result<Passed> {
    let service = cx.ws.target("interop/service.exe");
    build_service(cx, &service)?;
    let test = harnessed(cx, "service").env("FALCON_AGENT_EXE", cx.ws.windows_exe()).env("FALCON_AGENT_RUNNER", "wine");
    let test = test.env("FALCON_WINE_TEMPLATE", wine::template(cx.ws)?).env("FALCON_TEST_SERVICE", service);
    Ok(Passed::tests(count(test.args(["--", WINDOWS_AT_ONCE]))?))
}

pub fn packages_windows(cx: &Cx<'_>) -> Result<Passed> {
    let service = cx.ws.target("interop/service.exe");
    build_service(cx, &service)?;
    // An upgrade by its number alone: what is told of the executables is no matter of packages.
    let next = cx.ws.target("msi/next.msi");
    let made = msi::make(cx.ws, "0.99.0", &Stamp::of(cx.ws)?)?;
    fs::write(&next, made).with_context(|| format!("cannot write {}", next.display()))?;
    let test = harnessed(cx, "packages_windows").env("FALCON_AGENT_EXE", cx.ws.windows_exe());
    let test = test.env("FALCON_AGENT_RUNNER", "wine").env("FALCON_WINE_TEMPLATE", wine::template(cx.ws)?);
    let test = test.env("FALCON_TEST_SERVICE", service).env("FALCON_DIST", cx.ws.target("dist"));
    Ok(Passed::tests(count(test.env("FALCON_MSI_NEXT", next).args(["--", WINDOWS_AT_ONCE]))?))
}

pub fn perf_windows(cx: &Cx<'_>) -> Result<Passed> {
    let service = cx.ws.target("interop/service.exe");
    build_service(cx, &service)?;
    // As unit tests are built: a library for the executable's profile would have the standard library built once more.
    cx.rust()?.cargo(cx.ws, "build", Std::Tests).args(["-p", PERF_FIXTURE]).show()?;
    let test = harnessed(cx, "perf").env("FALCON_AGENT_EXE", cx.ws.windows_exe()).env("FALCON_AGENT_RUNNER", "wine");
    let template = wine::template(cx.ws)?;
    // Each test runs the agent in a prefix of its own; the harness insists that there is one.
    let test =
        test.env("WINEPREFIX", &template).env("FALCON_WINE_TEMPLATE", template).env("FALCON_TEST_SERVICE", service);
    let test = test.env("FALCON_PERF_FIXTURE", cx.ws.windows_debug());
    Ok(Passed::tests(count(test.args(["--", WINDOWS_AT_ONCE]))?))
}

pub fn upgrade_linux(cx: &Cx<'_>) -> Result<Passed> {
    let stubs = cx.ws.target("interop/upgrade");
    build_stubs(cx, &stubs, false)?;
    let test = harnessed(cx, "upgrade").env("FALCON_AGENT_EXE", cx.ws.linux_exe()).env("FALCON_UPGRADE_STUBS", stubs);
    Ok(Passed::tests(count(test.args(["--", FAULTS_AT_ONCE, "linux::"]))?))
}

pub fn upgrade_windows(cx: &Cx<'_>) -> Result<Passed> {
    let stubs = cx.ws.target("interop/upgrade");
    build_stubs(cx, &stubs, true)?;
    let test = harnessed(cx, "upgrade").env("FALCON_AGENT_EXE", cx.ws.windows_exe()).env("FALCON_AGENT_RUNNER", "wine");
    let test = test.env("FALCON_WINE_TEMPLATE", wine::template(cx.ws)?).env("FALCON_UPGRADE_STUBS", stubs);
    Ok(Passed::tests(count(test.args(["--", WINDOWS_AT_ONCE, "windows::"]))?))
}

/// What stands for executables that are no good.
fn build_stubs(cx: &Cx<'_>, folder: &Path, for_windows: bool) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, how) in [("crash", 'c'), ("mute", 'm'), ("refuse", 'r')] {
        let source = cx.ws.path("interop/upgrade/stub.c");
        let (compiler, end, more): (_, _, &[&str]) = match for_windows {
            true => ("x86_64-w64-mingw32-gcc", ".exe", &["-municode", "-ladvapi32"]),
            false => ("cc", "", &[]),
        };
        let gcc = Run::new(compiler).args(["-std=gnu11", "-Wall", "-Wextra", "-Werror"]).arg(format!("-DHOW='{how}'"));
        gcc.arg("-o").arg(folder.join(format!("{name}{end}"))).arg(source).args(more).show()?;
    }
    Ok(())
}

/// What stands for services of others.
fn build_service(cx: &Cx<'_>, exe: &Path) -> Result<()> {
    let gcc = Run::new("x86_64-w64-mingw32-gcc").args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-municode", "-o"]);
    gcc.arg(exe).arg(cx.ws.path("interop/service/service.c")).arg("-ladvapi32").show()
}

/// What stands for plugins, and for interpreters of plugins.
fn build_plugin(cx: &Cx<'_>, exe: &Path) -> Result<()> {
    let gcc = Run::new("x86_64-w64-mingw32-gcc").args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-municode", "-o"]);
    gcc.arg(exe).arg(cx.ws.path("interop/plugin/plugin.c")).show()
}

/// NVML made up; its driver is not loaded, but for an agent whose environment says otherwise.
fn build_nvml(cx: &Cx<'_>, dll: &Path) -> Result<()> {
    let gcc = Run::new("x86_64-w64-mingw32-gcc").args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-o"]);
    gcc.arg(dll).arg(cx.ws.path("interop/nvml/nvml.c")).show()
}

/// The harness is a Linux program in both cases; FALCON_AGENT_EXE says what it drives.
fn harnessed(cx: &Cx<'_>, name: &str) -> Run {
    let test = cargo()
        .args(["test", "--locked", "-p", "falcon-agent", "--test", name])
        .dir(&cx.ws.root)
        .env("CARGO_TARGET_DIR", cx.ws.target(""))
        .env("FALCON_PEER", cx.ws.peer_exe());
    rounds(cx, test)
}

fn rounds(cx: &Cx<'_>, test: Run) -> Run {
    if cx.long { test.env("FALCON_LONG", "1").limit(LONG_LIMIT) } else { test }
}

/// Names of the product's integration tests that need nothing but cargo.
fn plain_integration_tests(cx: &Cx<'_>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for krate in ["crates/sys", "crates/agent"] {
        names.extend(integration_tests(&cx.ws.path(krate).join("tests"))?);
    }
    names.retain(|name| !HARNESSED.contains(&name.as_str()));
    Ok(names)
}

/// As cargo finds them: `tests/NAME.rs` and `tests/NAME/main.rs`.
fn integration_tests(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    if !folder.exists() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
        if let Some(name) = path.file_stem().filter(|_| is_test) {
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Runs a test command and counts what passed; a command that ran no test at all proves nothing and fails.
fn count(test: Run) -> Result<u64> {
    match count_any(test)? {
        0 => bail!("no test was run"),
        passed => Ok(passed),
    }
}

fn count_any(test: Run) -> Result<u64> {
    let mut passed = 0;
    test.watch(|line| passed += passed_in(line).unwrap_or(0))?;
    Ok(passed)
}

/// libtest's summary: `test result: ok. 7 passed; 0 failed; ...`.
fn passed_in(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed;")?.0.parse().ok()
}

#[cfg(test)]
mod counting {
    use super::*;

    #[test]
    fn summaries_are_counted_and_other_lines_are_not() {
        let ok = "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(passed_in(ok), Some(7));
        assert_eq!(passed_in("test result: FAILED. 7 passed; 1 failed; 0 ignored"), None);
        assert_eq!(passed_in("test seven ... ok"), None);
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        let say = |text: &str| Run::new("echo").arg(text);
        assert_eq!(count(say("test result: ok. 2 passed; 0 failed")).unwrap(), 2);
        assert!(count(say("test result: ok. 0 passed; 0 failed")).is_err());
    }

    #[test]
    fn integration_tests_are_files_and_folders_with_a_main() {
        let dir = std::env::temp_dir().join(format!("xtask-tests-{}", std::process::id()));
        fs::create_dir_all(dir.join("big")).unwrap();
        fs::create_dir_all(dir.join("fixtures")).unwrap();
        for file in ["small.rs", "big/main.rs", "notes.txt"] {
            fs::write(dir.join(file), "").unwrap();
        }
        assert_eq!(integration_tests(&dir).unwrap(), BTreeSet::from(["small".to_owned(), "big".to_owned()]));
        assert!(integration_tests(&dir.join("nowhere")).unwrap().is_empty());
        fs::remove_dir_all(dir).unwrap();
    }
}
