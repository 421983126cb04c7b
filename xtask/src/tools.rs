//! The programs that steps need: found, or installed where that can be done without asking.
//!
//! Debian packages come through apt-get, cargo's and Python's tools go to `target/tools`, and so does Prometheus. What can be had neither way is
//! listed by name and nothing is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::child::Run;
use crate::toolchain::{SourceRust, cargo, in_path};
use crate::workspace::Workspace;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Wine,
    Mingw,
    SourceRust,
    WindowsClippy,
    Go,
    /// Builds what stands for executables that are no good.
    Cc,
    /// Builds libFuzzer.
    Cxx,
    /// For tests with a network or mounts of their own.
    Namespace,
    CargoDeny,
    CargoFuzz,
    /// With what makes virtual environments.
    Python,
    Schemathesis,
    /// The linker for Linux, and cargo-zigbuild, which makes cargo use it.
    Zig,
    Chromium,
    Prometheus,
    /// Drives it, with pytest.
    Playwright,
    /// Makes packages and reads them.
    Dpkg,
    /// Makes packages and reads them.
    Rpm,
    /// Its checks of units: nothing is started by it.
    Systemd,
    Msitools,
    Procps,
}

impl Need {
    fn is_here(self, ws: &Workspace) -> bool {
        match self {
            Self::Wine => in_path("wine") && in_path("wineserver") && in_path("wineboot"),
            Self::Mingw => in_path("x86_64-w64-mingw32-gcc"),
            Self::SourceRust => SourceRust::find().is_some(),
            Self::WindowsClippy => SourceRust::find().is_some_and(SourceRust::has_clippy),
            Self::Go => in_path("go"),
            Self::Cc => in_path("cc"),
            Self::Cxx => in_path("c++"),
            Self::Namespace => ["ip", "unshare", "nsenter", "setpriv"].into_iter().all(in_path),
            Self::CargoDeny => DENY.is_here(ws),
            Self::CargoFuzz => FUZZ.is_here(ws),
            Self::Python => Run::new(PYTHON).args(["-c", "import ensurepip, venv"]).succeeds(),
            Self::Schemathesis => SCHEMATHESIS.is_here(ws),
            Self::Zig => ZIG.is_here(ws),
            Self::Chromium => in_path(CHROMIUM),
            Self::Prometheus => PROMETHEUS.folder(ws).is_some(),
            Self::Playwright => PLAYWRIGHT.is_here(ws),
            Self::Dpkg => in_path("dpkg-deb") && in_path("md5sum"),
            Self::Rpm => in_path("rpmbuild") && in_path("rpm"),
            Self::Systemd => in_path("systemd-analyze"),
            Self::Msitools => in_path("wixl") && in_path("msibuild") && in_path("msiinfo"),
            Self::Procps => in_path("pgrep"),
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Wine => &["wine", "wine64"],
            Self::Mingw => &["gcc-mingw-w64-x86-64"],
            Self::SourceRust => &["rustc-web", "rust-web-src"],
            Self::WindowsClippy => &["rust-web-clippy"],
            Self::Go => &["golang-go"],
            Self::Cc => &["gcc", "libc6-dev"],
            Self::Cxx => &["g++"],
            Self::Namespace => &["iproute2", "util-linux"],
            Self::Python => &["python3", "python3-venv"],
            Self::Chromium => &["chromium"],
            Self::CargoDeny
            | Self::CargoFuzz
            | Self::Schemathesis
            | Self::Zig
            | Self::Playwright
            | Self::Prometheus => &[],
            Self::Dpkg => &["dpkg", "coreutils"],
            Self::Rpm => &["rpm"],
            Self::Systemd => &["systemd"],
            Self::Msitools => &["wixl", "msitools"],
            Self::Procps => &["procps"],
        }
    }

    /// What to tell a person whose system has no apt-get.
    fn description(self) -> &'static str {
        match self {
            Self::Wine => "Wine 8 or later for 64-bit programs: wine, wineserver, wineboot",
            Self::Mingw => "the mingw-w64 linker: x86_64-w64-mingw32-gcc",
            Self::SourceRust => "the source of Rust's standard library: rustup component add rust-src",
            Self::WindowsClippy => "clippy: rustup component add clippy",
            Self::Go => "Go 1.19 or later: go",
            Self::Cc => "a C compiler: cc",
            Self::Cxx => "a C++ compiler: c++",
            Self::Namespace => "iproute2 and util-linux: ip, unshare, nsenter, setpriv",
            Self::CargoDeny => "cargo-deny, which cargo install builds",
            Self::CargoFuzz => "cargo-fuzz, which cargo install builds",
            Self::Python => "Python 3.10 or later with venv and ensurepip: python3",
            Self::Schemathesis => "schemathesis, which pip installs",
            Self::Zig => "zig and cargo-zigbuild, which pip installs",
            Self::Chromium => "the browser Chromium: chromium",
            Self::Prometheus => "Prometheus: prometheus, promtool (Debian's package has them)",
            Self::Playwright => "playwright, pytest and axe, which pip installs",
            Self::Dpkg => "dpkg and coreutils: dpkg-deb, md5sum",
            Self::Rpm => "rpm 4.14 or later: rpm, rpmbuild",
            Self::Systemd => "systemd 252 or later: systemd-analyze",
            Self::Msitools => "msitools 0.101 or later: wixl, msibuild, msiinfo",
            Self::Procps => "procps: pgrep",
        }
    }
}

/// A program that cargo builds into `target/tools`, in one known version.
pub struct CargoTool {
    name: &'static str,
    version: &'static str,
    flags: &'static [&'static str],
}

/// No default features: what is left out serves the advisory database, which no step asks.
pub const DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2", flags: &["--no-default-features"] };
pub const FUZZ: CargoTool = CargoTool { name: "cargo-fuzz", version: "0.13.2", flags: &[] };

impl CargoTool {
    pub fn path(&self, ws: &Workspace) -> PathBuf {
        ws.target("tools/bin").join(self.name)
    }

    fn is_here(&self, ws: &Workspace) -> bool {
        let installed = fs::read_to_string(ws.target("tools/.crates.toml")).unwrap_or_default();
        installed.contains(&format!("\"{} {} ", self.name, self.version)) && self.path(ws).exists()
    }

    fn install(&self, ws: &Workspace) -> Result<()> {
        println!("installing {} {} into target/tools", self.name, self.version);
        cargo()
            .args(["install", "--quiet", "--locked", "--version", self.version])
            .args(self.flags)
            .arg("--root")
            .arg(ws.target("tools"))
            .arg(self.name)
            .dir(&ws.root)
            .without_env("CARGO_TARGET_DIR")
            .show()
    }
}

/// What pip is told of packages that are taken only as the files whose sums are known, and not built.
const KNOWN: &[&str] = &["--require-hashes", "--only-binary", ":all:"];

pub const PYTHON: &str = "python3";
pub const CHROMIUM: &str = "chromium";

/// A program that pip installs into a virtual environment of its own, in the versions that a file names.
pub struct PythonTool {
    name: &'static str,
    /// From the root of the clone.
    pub requirements: &'static str,
    flags: &'static [&'static str],
}

pub const SCHEMATHESIS: PythonTool =
    PythonTool { name: "schemathesis", requirements: "xtask/schemathesis/requirements.txt", flags: &[] };

/// What is shipped is made by it: nothing but the files whose sums are known.
pub const ZIG: PythonTool =
    PythonTool { name: "cargo-zigbuild", requirements: "xtask/zig/requirements.txt", flags: KNOWN };

/// It has no browser of its own: it drives Debian's.
pub const PLAYWRIGHT: PythonTool =
    PythonTool { name: "playwright", requirements: "xtask/page/requirements.txt", flags: KNOWN };

impl PythonTool {
    pub fn path(&self, ws: &Workspace) -> PathBuf {
        self.folder(ws).join("bin").join(self.name)
    }

    pub fn folder(&self, ws: &Workspace) -> PathBuf {
        ws.target("tools/python").join(self.name)
    }

    /// What is installed, in the words of the file that was asked for.
    fn record(&self, ws: &Workspace) -> PathBuf {
        self.folder(ws).join("installed.txt")
    }

    fn is_here(&self, ws: &Workspace) -> bool {
        let installed = fs::read_to_string(self.record(ws)).ok();
        installed.is_some() && installed == ws.read(self.requirements).ok() && self.path(ws).exists()
    }

    fn install(&self, ws: &Workspace) -> Result<()> {
        println!("installing {} into target/tools", self.name);
        let folder = self.folder(ws);
        Run::new(PYTHON).args(["-m", "venv", "--clear"]).arg(&folder).show()?;
        let pip = Run::new(folder.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.args(self.flags).arg("-r").arg(ws.path(self.requirements)).show()?;
        // Last: what was broken off is not here.
        fs::copy(ws.path(self.requirements), self.record(ws))?;
        Ok(())
    }
}

/// Programs of a Debian package that is unpacked into `target/tools`: installed, it would run as a service of this system.
pub struct DebianTool {
    package: &'static str,
    programs: &'static [&'static str],
}

pub const PROMETHEUS: DebianTool = DebianTool { package: "prometheus", programs: &["prometheus", "promtool"] };

impl DebianTool {
    /// Where its programs are; empty where they are found by their names.
    pub fn folder(&self, ws: &Workspace) -> Option<PathBuf> {
        if self.programs.iter().all(|program| in_path(program)) {
            return Some(PathBuf::new());
        }
        let unpacked = ws.target("tools").join(self.package).join("usr/bin");
        self.programs.iter().all(|program| unpacked.join(program).is_file()).then_some(unpacked)
    }

    fn unpack(&self, ws: &Workspace) -> Result<()> {
        println!("unpacking Debian's {} into target/tools", self.package);
        let folder = ws.target("tools").join(self.package);
        let new = folder.with_extension("new");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        fs::create_dir_all(&new)?;
        let download = || Run::new("apt-get").args(["--quiet", "download", self.package]).dir(&new);
        if !download().succeeds() {
            apt_get(&["update"])?;
            download().show().with_context(|| format!("apt-get could not download {}", self.package))?;
        }
        let files = fs::read_dir(&new)?.collect::<std::io::Result<Vec<_>>>()?;
        let Some(package) = files.first().map(fs::DirEntry::path) else { bail!("apt-get downloaded nothing") };
        Run::new("dpkg-deb").arg("-x").arg(&package).arg(&new).show()?;
        fs::remove_file(package)?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        // Last: what was broken off is not here.
        fs::rename(new, folder)?;
        Ok(())
    }
}

/// A program of `web/tools`, which drives Chromium and the shipped executable for Linux with the classes of `web/tests`.
pub fn page_tool(ws: &Workspace, name: &str) -> Run {
    Run::new(PLAYWRIGHT.folder(ws).join("bin/python"))
        .arg(ws.path("web/tools").join(name))
        .env("PYTHONPATH", ws.path("web/tests"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("FALCON_AGENT_EXE", ws.linux_exe())
        .env("FALCON_BROWSER", CHROMIUM)
}

/// Finds or installs everything in `needs`.
///
/// # Errors
/// Lists what is missing and cannot be installed, or passes on what apt-get, cargo install or pip said.
pub fn ensure(ws: &Workspace, needs: &BTreeSet<Need>) -> Result<()> {
    let missing = |needs: &BTreeSet<Need>| -> Vec<Need> { needs.iter().copied().filter(|n| !n.is_here(ws)).collect() };
    let packages: BTreeSet<&str> = missing(needs).iter().flat_map(|need| need.debian_packages()).copied().collect();
    if !packages.is_empty() && in_path("apt-get") {
        install_debian(&packages)?;
    }
    for (need, tool) in [(Need::CargoDeny, DENY), (Need::CargoFuzz, FUZZ)] {
        if needs.contains(&need) && !tool.is_here(ws) {
            tool.install(ws)?;
        }
    }
    for (need, tool) in [(Need::Schemathesis, SCHEMATHESIS), (Need::Zig, ZIG), (Need::Playwright, PLAYWRIGHT)] {
        if needs.contains(&need) && !tool.is_here(ws) && Need::Python.is_here(ws) {
            tool.install(ws)?;
        }
    }
    if needs.contains(&Need::Prometheus) && PROMETHEUS.folder(ws).is_none() && in_path("apt-get") {
        PROMETHEUS.unpack(ws)?;
    }
    let lacking = missing(needs);
    if !lacking.is_empty() {
        bail!("{}", missing_report(&lacking));
    }
    Ok(())
}

fn missing_report(lacking: &[Need]) -> String {
    let mut report = String::from("missing on this system:");
    for need in lacking {
        report.push_str("\n  ");
        report.push_str(need.description());
        if !need.debian_packages().is_empty() {
            report.push_str(&format!(" (Debian: {})", need.debian_packages().join(", ")));
        }
    }
    report
}

fn install_debian(packages: &BTreeSet<&str>) -> Result<()> {
    println!("installing Debian packages: {}", packages.iter().copied().collect::<Vec<_>>().join(" "));
    // The packages come first in the message when a repository does not have them.
    apt_get(&["update"]).and_then(|()| {
        let mut args = vec!["install", "--yes", "--no-install-recommends"];
        args.extend(packages);
        apt_get(&args)
    })
}

fn apt_get(args: &[&str]) -> Result<()> {
    let run = if is_root() {
        Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive")
    } else {
        Run::new("sudo").args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
    };
    run.arg("--quiet").args(args).show().context("apt-get could not do it; install the packages by hand")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The Go compiler with its caches in `target/go` and no way to the network: the modules here need none.
pub fn go(ws: &Workspace, dir: &Path) -> Run {
    Run::new("go")
        .dir(dir)
        .env("GOCACHE", ws.target("go/cache"))
        .env("GOPATH", ws.target("go/path"))
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .env("GOTOOLCHAIN", "local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_tool_and_package() {
        let report = missing_report(&[Need::Go, Need::CargoFuzz]);
        assert_eq!(
            report,
            "missing on this system:\n  Go 1.19 or later: go (Debian: golang-go)\n  cargo-fuzz, which cargo install builds"
        );
    }

    #[test]
    fn a_tool_of_another_version_is_not_the_tool() {
        let dir = std::env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        let ws = Workspace { root: dir.clone() };
        fs::create_dir_all(ws.target("tools/bin")).unwrap();
        fs::write(DENY.path(&ws), "").unwrap();
        let record = |version: &str| {
            let line =
                format!("[v1]\n\"cargo-deny {version} (registry+https://example.invalid)\" = [\"cargo-deny\"]\n");
            fs::write(ws.target("tools/.crates.toml"), line).unwrap();
            DENY.is_here(&ws)
        };
        assert!(!record("0.1.0"));
        assert!(record(DENY.version));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn python_packages_of_other_versions_are_installed_anew() {
        let dir = std::env::temp_dir().join(format!("xtask-python-{}", std::process::id()));
        let ws = Workspace { root: dir.clone() };
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(ws.path(SCHEMATHESIS.requirements), "schemathesis==2\n");
        write(SCHEMATHESIS.path(&ws), "");
        assert!(!SCHEMATHESIS.is_here(&ws), "broken off");
        write(SCHEMATHESIS.record(&ws), "schemathesis==1\n");
        assert!(!SCHEMATHESIS.is_here(&ws));
        write(SCHEMATHESIS.record(&ws), "schemathesis==2\n");
        assert!(SCHEMATHESIS.is_here(&ws));
        fs::remove_dir_all(dir).unwrap();
    }
}
