//! Which Rust builds for Windows.
//!
//! No toolchain ships a standard library for the Windows 7 target (tier 3), so it is built from source with
//! `-Zbuild-std`, which needs RUSTC_BOOTSTRAP=1 on a stable compiler and a compiler that comes with its library's
//! source. Two do: the toolchain in use with rustup's `rust-src`, or Debian's rustc-web with rust-web-src.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::child::Run;
use crate::workspace::{WINDOWS_TARGET, Workspace};

const DEBIAN_BIN: &str = "/usr/bin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowsRust {
    /// The toolchain in use has `rust-src`.
    InUse,
    /// Debian's compiler in /usr/bin, driven by the cargo in use.
    Debian,
}

/// The parts of the standard library that a Windows build links.
#[derive(Clone, Copy)]
pub enum Std {
    /// What the product needs.
    Product,
    /// What test harnesses and their macros need too.
    Tests,
}

impl WindowsRust {
    /// The one to use here, if there is one; the toolchain in use comes first.
    pub fn find() -> Option<Self> {
        if has_library_source(OsStr::new("rustc")) {
            return Some(Self::InUse);
        }
        has_library_source(Path::new(DEBIAN_BIN).join("rustc").as_os_str()).then_some(Self::Debian)
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
        let build_std = match std {
            Std::Product => "-Zbuild-std=std,panic_unwind",
            Std::Tests => "-Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro",
        };
        let run = cargo()
            .args([verb, "--locked", build_std, "--target", WINDOWS_TARGET])
            .dir(&ws.root)
            .env("CARGO_TARGET_DIR", ws.target("windows"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc")
            .env("CC_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-gcc")
            .env("AR_x86_64_win7_windows_gnu", "x86_64-w64-mingw32-ar");
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
