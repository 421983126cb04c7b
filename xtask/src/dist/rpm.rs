//! The package for CentOS, RHEL and their like, from 7 on: as rpm 4.11 reads it, with a payload of gzip and without file
//! digests of a kind that it does not know.

use std::fs;

use anyhow::{Context, Result};

use super::Dist;
use super::package::{self, SOURCES};

/// What would else be this machine's, its distribution's or newer than rpm 4.11.
const SETTINGS: [(&str, &str); 11] = [
    ("_build_id_links", "none"),
    ("debug_package", "%{nil}"),
    ("__os_install_post", "%{nil}"),
    ("_binary_payload", "w9.gzdio"),
    // SHA-256, which 4.11 knows.
    ("_binary_filedigest_algorithm", "8"),
    ("_source_filedigest_algorithm", "8"),
    ("use_source_date_epoch_as_buildtime", "1"),
    ("clamp_mtime_to_source_date_epoch", "1"),
    ("_buildhost", "falcon-agent"),
    ("_rpmfilename", "made.rpm"),
    ("_docdir", "/usr/share/doc"),
];

pub fn rpm(dist: &Dist<'_>) -> Result<()> {
    let folder = package::fresh(dist, "rpm")?;
    let files = folder.join("files");
    package::lay_out(dist, &files, "usr/lib/systemd/system")?;
    let mut build = package::tool(dist, "rpmbuild").args(["-bb", "--quiet", "--nodeps", "--target", "x86_64-linux"]);
    let own = |name: &str| folder.join(name).display().to_string();
    let places = [("_topdir", own("top")), ("_rpmdir", own("out")), ("_dbpath", own("db"))];
    let ours = [("agent_version", dist.version.to_owned()), ("agent_files", files.display().to_string())];
    let settings = SETTINGS.map(|(name, value)| (name, value.to_owned()));
    for (name, value) in settings.into_iter().chain(places).chain(ours) {
        build = build.arg("--define").arg(format!("{name} {value}"));
    }
    build.arg(dist.ws.path(SOURCES).join("rpm/falcon-agent.spec")).output()?;
    let made = fs::read(folder.join("out/made.rpm")).context("rpmbuild made no package")?;
    dist.publish(&format!("falcon-agent-{}-1.x86_64.rpm", dist.version), &made)
}
