//! What holds plain files: the zip for Windows, one tar.gz for each executable for Linux; and the executables as
//! they are.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::stamp::Stamp;
use super::{Dist, package};
use crate::workspace::Workspace;

/// The layout of Open-Falcon's own `agent`, in a folder with the version, besides program and documents: what it is, where it
/// comes from, its mode. There is no `config/cfg.json`: unpacked over an older one it would replace what an administrator
/// wrote. `control` makes it.
const LAYOUT: [(&str, &str, u32); 2] =
    [("config/cfg.first.json", package::FIRST, 0o644), ("control", "packaging/linux/control", 0o755)];

/// For those who copy files, it installs as the MSI does.
const SCRIPT: &str = "packaging/windows/install.ps1";

struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u32,
}

pub fn windows(dist: &Dist<'_>) -> Result<()> {
    let mut files = documents(dist.ws)?;
    files.push(Entry { name: "falcon-agent.exe".to_owned(), bytes: read(&dist.ws.windows_exe())?, mode: 0o755 });
    files.push(Entry { name: "install.ps1".to_owned(), bytes: read(&dist.ws.path(SCRIPT))?, mode: 0o644 });
    dist.publish(&format!("falcon-agent-{}-windows-x64.zip", dist.version), &pack_zip(&files, &dist.stamp)?)
}

pub fn linux(dist: &Dist<'_>) -> Result<()> {
    linux_of(dist, &dist.ws.linux_exe(), "linux-x64")?;
    linux_of(dist, &dist.ws.linux_static_exe(), "linux-x64-static")
}

/// What `falcon-agent upgrade` takes.
pub fn executables(dist: &Dist<'_>) -> Result<()> {
    let ws = dist.ws;
    for (exe, kind) in [
        (ws.windows_exe(), "windows-x64.exe"),
        (ws.linux_exe(), "linux-x64"),
        (ws.linux_static_exe(), "linux-x64-static"),
    ] {
        dist.publish(&format!("falcon-agent-{}-{kind}", dist.version), &read(&exe)?)?;
    }
    Ok(())
}

fn linux_of(dist: &Dist<'_>, exe: &Path, kind: &str) -> Result<()> {
    let mut files = documents(dist.ws)?;
    files.push(Entry { name: "bin/falcon-agent".to_owned(), bytes: read(exe)?, mode: 0o755 });
    for (name, from, mode) in LAYOUT {
        files.push(Entry { name: name.to_owned(), bytes: read(&dist.ws.path(from))?, mode });
    }
    // Files alone: unpacked over an older version, an entry for a folder gives that another mode and owner, and takes the
    // place of a link.
    files.iter_mut().for_each(|file| file.name.insert_str(0, &format!("falcon-agent-{}/", dist.version)));
    files.sort_by(|one, other| one.name.cmp(&other.name));
    dist.publish(&format!("falcon-agent-{}-{kind}.tar.gz", dist.version), &pack_tar(&files, &dist.stamp)?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot pack {}", path.display()))
}

fn documents(ws: &Workspace) -> Result<Vec<Entry>> {
    let entry = |name: String| Ok(Entry { bytes: read(&ws.path(&name))?, mode: package::mode(&name), name });
    package::documents(ws)?.into_iter().map(entry).collect()
}

fn pack_zip(entries: &[Entry], stamp: &Stamp) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default().unix_permissions(entry.mode).last_modified_time(stamp.zip);
        zip.start_file(&entry.name, options)?;
        zip.write_all(&entry.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

fn pack_tar(entries: &[Entry], stamp: &Stamp) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(entry.bytes.len())?);
        header.set_mode(entry.mode);
        header.set_mtime(stamp.unix);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, &entry.name, entry.bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn sample() -> (Vec<Entry>, Stamp) {
        let exe = Entry { name: "falcon-agent".into(), bytes: b"ELF".to_vec(), mode: 0o755 };
        let text = Entry { name: "README.md".into(), bytes: b"read me\n".to_vec(), mode: 0o644 };
        (vec![exe, text], Stamp::parse("1795363645 2026 11 22 16 07 25\n").unwrap())
    }

    #[test]
    fn the_tar_holds_modes_times_and_bytes() {
        let (entries, stamp) = sample();
        let packed = pack_tar(&entries, &stamp).unwrap();
        assert_eq!(packed, pack_tar(&entries, &stamp).unwrap(), "packed twice, two archives");
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
        let mut seen = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            seen.push((entry.path().unwrap().into_owned(), header.mode().unwrap(), header.mtime().unwrap(), text));
        }
        assert_eq!(seen[0], ("falcon-agent".into(), 0o755, 1_795_363_645, "ELF".into()));
        assert_eq!(seen[1], ("README.md".into(), 0o644, 1_795_363_645, "read me\n".into()));
    }

    #[test]
    fn the_zip_holds_times_and_bytes() {
        let (entries, stamp) = sample();
        let packed = pack_zip(&entries, &stamp).unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        assert_eq!(zip.len(), 2);
        let mut entry = zip.by_name("README.md").unwrap();
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour(), time.minute()), (2026, 11, 22, 16, 7));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "read me\n");
    }
}
