//! Where things lie: the clone's root and the places under `target/` that this program fills.
//!
//! Invariant: nothing is written outside the clone's `target/`, whatever CARGO_TARGET_DIR says (the Debian packages are
//! the one exception, see [`crate::tools`]).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The target every Windows build is made for: Windows 7 / Server 2008 R2 and later.
pub const WINDOWS_TARGET: &str = "x86_64-win7-windows-gnu";

/// The target of what is shipped for Linux.
pub const LINUX_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The target of the executable for a Linux without glibc, or with one that is too old.
pub const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// The crates of the product, as cargo's package names.
pub const PRODUCT: [&str; 2] = ["falcon-sys", "falcon-agent"];

/// The provider of performance counters for tests.
pub const PERF_FIXTURE: &str = "falcon-perf-fixture";

pub struct Workspace {
    pub root: PathBuf,
}

impl Workspace {
    /// The clone this program was built from.
    ///
    /// # Errors
    /// When the package folder has no parent or cannot be resolved.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().context("xtask has no parent folder")?;
        Ok(Self { root: root.canonicalize().with_context(|| format!("{} is gone", root.display()))? })
    }

    pub fn path(&self, below_root: &str) -> PathBuf {
        self.root.join(below_root)
    }

    pub fn target(&self, below_target: &str) -> PathBuf {
        self.root.join("target").join(below_target)
    }

    /// The shipped Linux executable, which is also the one that is tested.
    pub fn linux_exe(&self) -> PathBuf {
        self.target("linux").join(LINUX_TARGET).join("release/falcon-agent")
    }

    /// The shipped static Linux executable: it needs no library of the host, and reaches no GPU.
    pub fn linux_static_exe(&self) -> PathBuf {
        self.target("linux").join(STATIC_TARGET).join("release/falcon-agent")
    }

    /// The shipped Windows executable, which is also the one that is tested.
    pub fn windows_exe(&self) -> PathBuf {
        self.target("windows").join(WINDOWS_TARGET).join("release/falcon-agent.exe")
    }

    /// All that is shipped.
    pub fn executables(&self) -> [PathBuf; 3] {
        [self.linux_exe(), self.linux_static_exe(), self.windows_exe()]
    }

    /// What is built for Windows for tests alone.
    pub fn windows_debug(&self) -> PathBuf {
        self.target("windows").join(WINDOWS_TARGET).join("debug")
    }

    /// The Go transfer and hbs of `interop/peer`.
    pub fn peer_exe(&self) -> PathBuf {
        self.target("interop/peer")
    }

    /// Reads a committed text file.
    ///
    /// # Errors
    /// Names the file when it cannot be read.
    pub fn read(&self, below_root: &str) -> Result<String> {
        let path = self.path(below_root);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Makes sure that only one xtask works in this clone: two would end each other's Wine session.
    ///
    /// The lock lasts as long as the returned file is open.
    ///
    /// # Errors
    /// When another one holds it.
    pub fn lock(&self) -> Result<fs::File> {
        let path = self.target("xtask.lock");
        fs::create_dir_all(self.target(""))?;
        let file = fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        file.try_lock().context("another cargo xtask is at work in this clone")?;
        Ok(file)
    }
}
