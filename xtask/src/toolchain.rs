//! Which Rust builds what is shipped, and everything for Windows.
//!
//! No toolchain ships a standard library for the Windows 7 target (tier 3), and those for Linux are built for speed, with a
//! reader of debugging information that a stripped executable has no use for: 0.3 MB of it. So the library is built from source
//! with `-Zbuild-std`, which needs RUSTC_BOOTSTRAP=1 on a stable compiler and a compiler that comes with its library's
//! source. Two do: the toolchain in use with rustup's `rust-src`, or Debian's rustc-web with rust-web-src.
//!
//! What is shipped for Linux is linked by zig, which knows the symbols of every glibc, so that an old one is enough, and
//! has a musl of its own. What it caches lies below `target/tools/zig`.
//!
//! No path of this machine gets into what is shipped, and no time: the same commit gives the same bytes elsewhere too.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::child::Run;
use crate::tools::ZIG;
use crate::workspace::{LINUX_TARGET, STATIC_TARGET, WINDOWS_TARGET, Workspace};

const DEBIAN_BIN: &str = "/usr/bin";

/// The oldest glibc that the executable for Linux runs with: that of CentOS 7.
pub const GLIBC: &str = "2.17";

/// Panics and errors name a source file by its crate, not by the folder where this machine has it.
const NO_PATHS: [&str; 3] = ["-Ztrim-paths", "--config", "profile.release.trim-paths=\"all\""];

/// With a frame pointer a function says once where its frame is, not with each push, and one that cannot unwind says
/// nothing: 0.19 MB less of tables for 3 KB more of code.
const LINUX_FLAGS: &str = "-Cforce-frame-pointers=yes -Cforce-unwind-tables=no";

/// What starts a program without an interpreter is zig's: Debian's Rust has none. Zig does not know rustc's `-static-pie`,
/// and would put the program at the same address in every process.
const STATIC_FLAGS: &str = "-Clink-self-contained=no -Clink-arg=-pie";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceRust {
    /// The toolchain in use has `rust-src`.
    InUse,
    /// Debian's compiler in /usr/bin, driven by the cargo in use.
    Debian,
}

/// The parts of the standard library that a build links.
#[derive(Clone, Copy)]
pub enum Std {
    /// What the product needs, as small as it can be had.
    Product,
    /// What test harnesses and their macros need too.
    Tests,
}

impl Std {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Product => &[
                "-Zbuild-std=std,panic_unwind",
                "-Zbuild-std-features=panic-unwind,optimize_for_size",
                // A panic of the agent's own code tells its place, one of others' code its words alone: the places of all that
                // may panic there are a table of 0.1 MB.
                "-Zprofile-rustflags",
                "--config",
                "profile.release.package.\"*\".rustflags=[\"-Zlocation-detail=none\"]",
            ],
            Self::Tests => &["-Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro"],
        }
    }
}

impl SourceRust {
    /// The one to use here, if there is one; the toolchain in use comes first.
    pub fn find() -> Option<Self> {
        if has_library_source(OsStr::new("rustc")) {
            return Some(Self::InUse);
        }
        has_library_source(Path::new(DEBIAN_BIN).join("rustc").as_os_str()).then_some(Self::Debian)
    }

    /// The one to use here.
    ///
    /// # Errors
    /// There is none; [`crate::tools::ensure`] says how to get it.
    pub fn get() -> Result<Self> {
        Self::find().context("no Rust compiler with the source of its standard library")
    }

    /// Where its library and the source of it lie.
    ///
    /// # Errors
    /// When it does not say.
    pub fn sysroot(self) -> Result<PathBuf> {
        let rustc = self.rustc();
        sysroot(rustc.as_os_str())
    }

    fn rustc(self) -> PathBuf {
        match self {
            Self::InUse => "rustc".into(),
            Self::Debian => Path::new(DEBIAN_BIN).join("rustc"),
        }
    }

    /// `1.96.0`
    ///
    /// # Errors
    /// When it does not say.
    pub fn version(self) -> Result<String> {
        let line = Run::new(self.rustc()).without_env("LD_LIBRARY_PATH").arg("--version").output()?;
        Ok(line.split(' ').nth(1).with_context(|| format!("rustc --version said {line:?}"))?.trim().to_owned())
    }

    /// Whether clippy exists for it.
    pub fn has_clippy(self) -> bool {
        match self {
            Self::InUse => cargo().args(["clippy", "--version"]).succeeds(),
            Self::Debian => Path::new(DEBIAN_BIN).join("clippy-driver").exists(),
        }
    }

    /// `cargo VERB` for the Windows target, with its own target folder so that the two compilers never share artefacts.
    pub fn cargo(self, ws: &Workspace, verb: &str, std: Std) -> Run {
        let run = cargo().args([verb, "--target", WINDOWS_TARGET]);
        self.build(run, ws, std)
            .env("CARGO_TARGET_DIR", ws.target("windows"))
            .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc")
            .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_RUSTFLAGS", "-Clink-arg=-Wl,--no-insert-timestamp")
            .env("CC_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-gcc")
            .env("AR_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-ar")
    }

    /// `cargo build` of what is shipped for Linux: for glibc, for musl, or for both at once.
    pub fn cargo_linux(self, ws: &Workspace, targets: &[&str]) -> Run {
        let mut run = cargo().arg("zigbuild");
        for target in targets {
            let glibc = if *target == LINUX_TARGET { format!(".{GLIBC}") } else { String::new() };
            run = run.args(["--target", &format!("{target}{glibc}")]);
        }
        let cache = ws.target("tools/zig");
        self.build(run, ws, Std::Product)
            .env("PATH", self.path(&[&ZIG.folder(ws).join("bin")]))
            .env("CARGO_TARGET_DIR", ws.target("linux"))
            .env(&flags_of(LINUX_TARGET), LINUX_FLAGS)
            .env(&flags_of(STATIC_TARGET), format!("{LINUX_FLAGS} {STATIC_FLAGS}"))
            .env("CARGO_ZIGBUILD_ZIG_PATH", ZIG.folder(ws).join("bin/python-zig"))
            .env("CARGO_ZIGBUILD_CACHE_DIR", cache.join("wrappers"))
            .env("ZIG_GLOBAL_CACHE_DIR", cache.join("cache"))
            .env("ZIG_LOCAL_CACHE_DIR", cache.join("cache"))
    }

    fn build(self, run: Run, ws: &Workspace, std: Std) -> Run {
        let run = run.arg("--locked").args(std.flags()).args(NO_PATHS).dir(&ws.root).env("RUSTC_BOOTSTRAP", "1");
        match self {
            Self::InUse => run,
            // Its folder goes first because cargo takes cargo-clippy, and that its driver, from PATH.
            Self::Debian => run.env("RUSTC", self.rustc()).env("PATH", self.path(&[])).without_env("LD_LIBRARY_PATH"),
        }
    }

    /// PATH with these folders in front of all others.
    fn path(self, first: &[&Path]) -> OsString {
        let rest = env::var_os("PATH").unwrap_or_default();
        let debian = (self == Self::Debian).then(|| PathBuf::from(DEBIAN_BIN));
        let first = first.iter().map(|folder| folder.to_path_buf());
        // Only a colon in a folder could make this fail.
        env::join_paths(first.chain(debian).chain(env::split_paths(&rest))).unwrap_or(rest)
    }
}

/// The variable from which cargo takes rustc's flags for this target.
fn flags_of(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"))
}

/// The cargo that runs this program.
pub fn cargo() -> Run {
    Run::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a program of this name can be found.
pub fn in_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn has_library_source(rustc: &OsStr) -> bool {
    if Path::new(rustc).is_absolute() && !Path::new(rustc).exists() {
        return false;
    }
    sysroot(rustc).is_ok_and(|dir| dir.join("lib/rustlib/src/rust/library/Cargo.lock").exists())
}

fn sysroot(rustc: &OsStr) -> Result<PathBuf> {
    let printed = Run::new(rustc).without_env("LD_LIBRARY_PATH").args(["--print", "sysroot"]).output()?;
    Ok(printed.trim().into())
}
