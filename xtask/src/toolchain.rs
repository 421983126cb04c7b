//! Which Rust builds what is shipped, and everything for Windows.
//!
//! No toolchain ships a standard library for the Windows 7 target (tier 3), and those for Linux are built for speed, with a
//! reader of debugging information that a stripped executable has no use for: 0.3 MB of it. So the library is built from source
//! with `-Zbuild-std`, which needs RUSTC_BOOTSTRAP=1 on a stable compiler and a compiler that comes with its library's
//! source. Two do: the toolchain in use with rustup's `rust-src`, or Debian's rustc-web with rust-web-src.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::child::Run;
use crate::workspace::{LINUX_TARGET, WINDOWS_TARGET, Workspace};

const DEBIAN_BIN: &str = "/usr/bin";

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
            Self::Product => &["-Zbuild-std=std,panic_unwind", "-Zbuild-std-features=panic-unwind,optimize_for_size"],
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

    /// Whether clippy exists for it.
    pub fn has_clippy(self) -> bool {
        match self {
            Self::InUse => cargo().args(["clippy", "--version"]).succeeds(),
            Self::Debian => Path::new(DEBIAN_BIN).join("clippy-driver").exists(),
        }
    }

    /// `cargo VERB` for the Windows target, with its own target folder so that the two compilers never share artefacts.
    pub fn cargo(self, ws: &Workspace, verb: &str, std: Std) -> Run {
        self.cargo_for(ws, verb, std, WINDOWS_TARGET)
            .env("CARGO_TARGET_DIR", ws.target("windows"))
            .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc")
            .env("CC_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-gcc")
            .env("AR_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-ar")
    }

    /// The same for Linux: what is shipped.
    ///
    /// With a frame pointer a function says once where its frame is, not with each push, and one that cannot unwind says
    /// nothing: 0.19 MB less of tables for 3 KB more of code.
    pub fn cargo_linux(self, ws: &Workspace, verb: &str) -> Run {
        self.cargo_for(ws, verb, Std::Product, LINUX_TARGET).env("CARGO_TARGET_DIR", ws.target("linux")).env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-Cforce-frame-pointers=yes -Cforce-unwind-tables=no",
        )
    }

    fn cargo_for(self, ws: &Workspace, verb: &str, std: Std, target: &str) -> Run {
        let run = cargo()
            .args([verb, "--locked", "--target", target])
            .args(std.flags())
            .dir(&ws.root)
            .env("RUSTC_BOOTSTRAP", "1");
        match self {
            Self::InUse => run,
            // /usr/bin goes first because cargo takes cargo-clippy, and that its driver, from PATH.
            Self::Debian => run
                .env("RUSTC", Path::new(DEBIAN_BIN).join("rustc"))
                .env("PATH", path_with_first(DEBIAN_BIN))
                .without_env("LD_LIBRARY_PATH"),
        }
    }
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
    let sysroot = Run::new(rustc).without_env("LD_LIBRARY_PATH").args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|dir| PathBuf::from(dir.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").exists())
}

fn path_with_first(first: &str) -> OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(PathBuf::from(first)).chain(env::split_paths(&rest));
    // Only a colon in `first` could make this fail.
    env::join_paths(dirs).unwrap_or(rest)
}
