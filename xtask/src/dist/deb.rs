//! The package for Debian and Ubuntu.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Dist;
use super::package::{self, SOURCES};
use crate::child::Run;

const SCRIPTS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];

pub fn deb(dist: &Dist<'_>) -> Result<()> {
    let root = package::fresh(dist, "deb")?;
    package::lay_out(dist, &root, "lib/systemd/system")?;
    // Where Debian's policy has it, and where images without documents keep it.
    package::put(&dist.ws.path("LICENSE"), &root.join("usr/share/doc/falcon-agent/copyright"), 0o644)?;
    let sums = sums(&root)?;
    let control = root.join("DEBIAN");
    fs::create_dir(&control)?;
    package::write(&control.join("md5sums"), sums.as_bytes(), 0o644)?;
    let about = dist.ws.read(&format!("{SOURCES}/deb/control"))?;
    let about = about.replace("@VERSION@", dist.version).replace("@SIZE@", &kibibytes(&root)?.to_string());
    package::write(&control.join("control"), about.as_bytes(), 0o644)?;
    for name in SCRIPTS {
        package::put(&dist.ws.path(SOURCES).join("deb").join(name), &control.join(name), 0o755)?;
    }
    package::settle(dist, &root)?;
    let name = format!("falcon-agent_{}_amd64.deb", dist.version);
    let made = root.with_extension("made");
    // One thread: several cut what they compress differently.
    let pack = package::tool(dist, "dpkg-deb").env("DPKG_DEB_THREADS_MAX", "1").args(["--root-owner-group", "-Zxz"]);
    pack.arg("--build").arg(&root).arg(&made).output()?;
    dist.publish(&name, &fs::read(made)?)
}

/// As dpkg keeps them for `dpkg --verify`: `SUM  PATH`, paths from the root.
fn sums(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    package::files_below(root, root, &mut files)?;
    files.sort();
    Run::new("md5sum").arg("--").args(files).dir(root).output().context("sums of the package's files")
}

/// Of all files, each rounded up.
fn kibibytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            kibibytes(&entry.path())?
        } else {
            entry.metadata()?.len().div_ceil(1024)
        };
    }
    Ok(sum)
}
