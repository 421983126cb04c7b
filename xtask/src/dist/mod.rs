//! Packs what is published, the same bytes for the same commit and compiler: a file of this folder for each kind of package.

mod archive;
mod deb;
pub mod msi;
mod package;
mod rpm;
mod sbom;
mod stamp;
mod sums;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::steps::build_all;
use crate::toolchain::SourceRust;
use crate::workspace::Workspace;
pub use stamp::Stamp;

/// What every kind of package is made of, and where it goes.
pub struct Dist<'a> {
    pub ws: &'a Workspace,
    pub version: &'static str,
    pub stamp: Stamp,
    folder: PathBuf,
}

impl<'a> Dist<'a> {
    /// Of the executables as they lie there. What was packed before is gone.
    ///
    /// # Errors
    /// When the folder cannot be emptied, or git does not tell the time of the commit.
    pub fn new(ws: &'a Workspace) -> Result<Self> {
        let stamp = Stamp::of(ws)?;
        let folder = ws.target("dist");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { ws, version: env!("CARGO_PKG_VERSION"), stamp, folder })
    }

    /// Makes every package.
    ///
    /// # Errors
    /// When a file that belongs into one is missing, or a tool fails.
    pub fn pack(&self) -> Result<()> {
        archive::executables(self)?;
        archive::windows(self)?;
        archive::linux(self)?;
        deb::deb(self)?;
        rpm::rpm(self)?;
        msi::msi(self)?;
        sbom::sbom(self)?;
        // Last: it names all others.
        sums::sums(self)
    }

    /// Where a package is written.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{:>9} bytes  {}  {name}", bytes.len(), sha256(bytes));
        Ok(())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds the release executables and packs `target/dist/`.
///
/// # Errors
/// When a build fails or a file that belongs into a package is missing.
pub fn dist(ws: &Workspace, rust: SourceRust) -> Result<()> {
    build_all(ws, rust)?;
    Dist::new(ws)?.pack()
}
