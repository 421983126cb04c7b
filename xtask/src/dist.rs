//! Packs what is published: one archive per platform, the same bytes for the same commit and compiler.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::child::Run;
use crate::steps::{build_linux, build_windows};
use crate::toolchain::SourceRust;
use crate::workspace::Workspace;

/// What goes beside the executable in both archives.
const BESIDE: [&str; 3] = ["cfg.example.json", "README.md", "LICENSE"];

struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u32,
}

/// When the packed files count as written: the time of the commit, so that packing twice gives one archive.
struct Stamp {
    unix: u64,
    zip: zip::DateTime,
}

/// Builds both release executables and packs `target/dist/`.
///
/// # Errors
/// When a build fails or a file that belongs into an archive is missing.
pub fn dist(ws: &Workspace, rust: SourceRust) -> Result<()> {
    build_linux(ws, rust)?;
    build_windows(ws, rust)?;
    let version = env!("CARGO_PKG_VERSION");
    let stamp = stamp(ws);
    let folder = ws.target("dist");
    fs::create_dir_all(&folder)?;

    let files = entries(ws, "falcon-agent.exe", &ws.windows_exe())?;
    publish(&folder.join(format!("falcon-agent-{version}-windows-x64.zip")), &pack_zip(&files, &stamp)?)?;
    let files = entries(ws, "falcon-agent", &ws.linux_exe())?;
    publish(&folder.join(format!("falcon-agent-{version}-linux-x64.tar.gz")), &pack_tar(&files, &stamp)?)
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

fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{:>9} bytes  {sum}  {name}", bytes.len());
    Ok(())
}

/// Without git (a source archive) the oldest time that both formats can hold.
fn stamp(ws: &Workspace) -> Stamp {
    let git = Run::new("git").args(["show", "-s", "--date=format-local:%Y %m %d %H %M %S", "--format=%ct %cd", "HEAD"]);
    let git = git.dir(&ws.root).env("TZ", "UTC").output();
    let oldest = || Stamp { unix: 315_532_800, zip: zip::DateTime::default() };
    git.and_then(|line| parse_stamp(&line)).unwrap_or_else(|_| oldest())
}

/// `UNIX YEAR MONTH DAY HOUR MINUTE SECOND`
fn parse_stamp(line: &str) -> Result<Stamp> {
    let fields: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let &[unix, year, month, day, hour, minute, second] = fields.as_slice() else {
        anyhow::bail!("not a commit time: {line}");
    };
    let byte = |number: u64| u8::try_from(number);
    let time = (byte(month)?, byte(day)?, byte(hour)?, byte(minute)?, byte(second)?);
    let zip = zip::DateTime::from_date_and_time(u16::try_from(year)?, time.0, time.1, time.2, time.3, time.4)?;
    ensure!(unix > 0, "not a commit time: {line}");
    Ok(Stamp { unix, zip })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn sample() -> (Vec<Entry>, Stamp) {
        let exe = Entry { name: "falcon-agent".into(), bytes: b"ELF".to_vec(), mode: 0o755 };
        let text = Entry { name: "README.md".into(), bytes: b"read me\n".to_vec(), mode: 0o644 };
        (vec![exe, text], parse_stamp("1795363645 2026 11 22 16 07 25\n").unwrap())
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

    #[test]
    fn a_line_that_is_no_commit_time_is_refused() {
        assert!(parse_stamp("fatal: not a git repository").is_err());
        assert!(parse_stamp("1 2026 13 40 1 1 1").is_err());
    }
}
