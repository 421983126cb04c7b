//! What holds plain files: the zip for Windows, the tar.gz for Linux.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::Dist;
use super::stamp::Stamp;
use crate::workspace::Workspace;

/// What goes beside the executable in both archives.
const BESIDE: [&str; 3] = ["cfg.example.json", "README.md", "LICENSE"];

/// For those who copy files, it installs as the MSI does.
const SCRIPT: &str = "packaging/windows/install.ps1";

struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u32,
}

pub fn windows(dist: &Dist<'_>) -> Result<()> {
    let mut files = entries(dist.ws, "falcon-agent.exe", &dist.ws.windows_exe())?;
    let script = dist.ws.read(SCRIPT)?;
    files.push(Entry { name: "install.ps1".to_owned(), bytes: script.into_bytes(), mode: 0o644 });
    dist.publish(&format!("falcon-agent-{}-windows-x64.zip", dist.version), &pack_zip(&files, &dist.stamp)?)
}

pub fn linux(dist: &Dist<'_>) -> Result<()> {
    let files = entries(dist.ws, "falcon-agent", &dist.ws.linux_exe())?;
    dist.publish(&format!("falcon-agent-{}-linux-x64.tar.gz", dist.version), &pack_tar(&files, &dist.stamp)?)
}

fn entries(ws: &Workspace, name: &str, exe: &Path) -> Result<Vec<Entry>> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot pack {}", path.display()));
    let mut entries = vec![Entry { name: name.to_owned(), bytes: read(exe)?, mode: 0o755 }];
    for name in BESIDE {
        entries.push(Entry { name: name.to_owned(), bytes: read(&ws.path(name))?, mode: 0o644 });
    }
    Ok(entries)
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
