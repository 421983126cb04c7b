//! What the packages for Linux install, as a tree of files below a folder, which dpkg-deb and rpmbuild take as it is.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::Dist;
use crate::child::Run;
use crate::workspace::Workspace;

/// Sources of the packages, from the root of the clone.
pub const SOURCES: &str = "packaging/linux";

/// The first configuration: what `install` writes, too.
pub const FIRST: &str = "crates/agent/src/config/first.json";

/// What people read, as README.md and `docs/` link to it.
const DOCUMENTS: [&str; 6] =
    ["README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "cfg.example.json"];
const FOLDERS: [&str; 2] = ["docs", "examples"];

/// A folder that is empty at first.
pub fn fresh(dist: &Dist<'_>, name: &str) -> Result<PathBuf> {
    let folder = dist.ws.target("packages").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Lays everything out below `root`, with the unit in this folder.
pub fn lay_out(dist: &Dist<'_>, root: &Path, units: &str) -> Result<()> {
    let ws = dist.ws;
    let sources = ws.path(SOURCES);
    put(&ws.linux_exe(), &root.join("usr/bin/falcon-agent"), 0o755)?;
    put(&sources.join("falcon-agent.service"), &root.join(units).join("falcon-agent.service"), 0o644)?;
    put(&ws.path(FIRST), &root.join("usr/share/falcon-agent/cfg.json"), 0o644)?;
    for name in documents(ws)? {
        put(&ws.path(&name), &root.join("usr/share/doc/falcon-agent").join(&name), mode(&name))?;
    }
    settle(dist, root)
}

/// The names of all of them, from the root of the clone, in order.
pub fn documents(ws: &Workspace) -> Result<Vec<String>> {
    let mut names = DOCUMENTS.map(str::to_owned).to_vec();
    for folder in FOLDERS {
        files_below(&ws.root, &ws.path(folder), &mut names)?;
    }
    names.sort();
    Ok(names)
}

/// Examples are programs.
pub fn mode(name: &str) -> u32 {
    if name.starts_with("examples/") { 0o755 } else { 0o644 }
}

/// Adds every file below this folder, by its path from `root`.
pub fn files_below(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(root, &path, names)?;
        } else {
            names.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

pub fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let bytes = fs::read(from).with_context(|| format!("cannot pack {}", from.display()))?;
    write(to, &bytes, mode)
}

pub fn write(to: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(fs::set_permissions(to, Permissions::from_mode(mode))?)
}

/// Modes of folders and every time, which else would be this machine's.
pub fn settle(dist: &Dist<'_>, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            settle(dist, &path)?;
        } else {
            touch(dist, &path)?;
        }
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    touch(dist, folder)
}

fn touch(dist: &Dist<'_>, path: &Path) -> Result<()> {
    Ok(File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(dist.stamp.unix))?)
}

/// A tool that packs, with the time that it is to write.
pub fn tool(dist: &Dist<'_>, name: &str) -> Run {
    Run::new(name).env("SOURCE_DATE_EPOCH", dist.stamp.unix.to_string()).env("LC_ALL", "C").env("TZ", "UTC")
}
