//! The files of an upgrade, side by side: the program, `.new` that is to follow it, `.old` that it was, `.failed` that it was
//! not to be. While nobody has judged the program, `falcon-agent.unproven` has its hash: so `.old` is what ran before it, and is
//! kept for that; without that file nobody knows what `.old` is to the program.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ring::digest::{SHA256, digest};

use crate::model::Platform;

/// Several times an agent.
const MOST_BYTES: u64 = 64 << 20;
/// A process that has just ended and a scanner for viruses have a file for a while.
const HELD: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(100);
/// Of a log.
const TAIL_BYTES: u64 = 4 << 10;

pub(super) struct Files {
    pub program: PathBuf,
    pub new: PathBuf,
    pub old: PathBuf,
    pub failed: PathBuf,
    mark: PathBuf,
}

impl Files {
    pub fn of(program: &Path) -> Files {
        let beside = |what: &str| {
            let mut name: OsString = program.file_stem().unwrap_or_default().to_owned();
            name.push(what);
            if let Some(end) = program.extension() {
                name.push(".");
                name.push(end);
            }
            program.with_file_name(name)
        };
        Files {
            program: program.to_owned(),
            new: beside(".new"),
            old: beside(".old"),
            failed: beside(".failed"),
            mark: program.with_extension("unproven"),
        }
    }

    pub fn dir(&self) -> &Path {
        self.program.parent().unwrap_or(Path::new("."))
    }

    /// Leaves the directory as a whole upgrade would: what one left that was cut short is put in order.
    pub fn clean(&self) -> anyhow::Result<()> {
        if !self.program.exists() && self.old.exists() {
            rename(&self.old, &self.program)?;
        }
        remove(&self.new)
    }

    /// Whether a file is the one that is written over.
    pub fn is_new(&self, file: &Path) -> bool {
        fs::canonicalize(file).is_ok_and(|file| fs::canonicalize(&self.new).is_ok_and(|new| new == file))
    }

    /// Whether the program, which has this hash, was put there and not judged.
    pub fn is_unproven(&self, program: &[u8; 32]) -> bool {
        fs::read_to_string(&self.mark).is_ok_and(|text| text == shown(program))
    }

    /// The program has been judged.
    pub fn is_judged(&self) {
        // It says nothing of a program with another hash.
        let _ = fs::remove_file(&self.mark);
    }

    /// These bytes as `.new`, on the disk.
    pub fn stage(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let write = || {
            let mut file = File::create_new(&self.new)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().with_context(|| format!("nothing was changed: {} cannot be written", self.new.display()))
    }

    pub fn drop_new(&self) {
        // The next upgrade does it otherwise.
        let _ = fs::remove_file(&self.new);
    }

    /// The program, of one hash, becomes `.old`, and `.new` with another the program. One that nobody judged becomes `.failed`.
    pub fn replace(&self, program: &[u8; 32], new: &[u8; 32]) -> anyhow::Result<()> {
        let kept = if self.is_unproven(program) && self.old.exists() { &self.failed } else { &self.old };
        self.is_judged();
        let mark = || {
            let mut file = File::create_new(&self.mark)?;
            file.write_all(shown(new).as_bytes())?;
            file.sync_all()
        };
        mark().with_context(|| format!("{} cannot be written", self.mark.display()))?;
        remove(kept)?;
        self.follow(&self.new, kept)
    }

    pub fn is_replaced(&self) -> bool {
        !self.new.exists()
    }

    /// The program becomes `.failed`, and `.old` the program.
    pub fn put_back(&self) -> anyhow::Result<()> {
        remove(&self.failed)?;
        self.follow(&self.old, &self.failed)
    }

    /// `next` gets the program's name, and what had it the name `kept`.
    fn follow(&self, next: &Path, kept: &Path) -> anyhow::Result<()> {
        // A program of Windows that may run has one name only, and that can be changed.
        let linked = Platform::CURRENT == Platform::Linux && fs::hard_link(&self.program, kept).is_ok();
        if !linked {
            rename(&self.program, kept)?;
        }
        if let Err(error) = rename(next, &self.program) {
            let undone = if linked { fs::remove_file(kept) } else { patiently(|| fs::rename(kept, &self.program)) };
            return Err(match undone {
                Ok(()) => error,
                Err(also) => error.context(format!("{} cannot be renamed back: {also}", kept.display())),
            });
        }
        // Not known to be on the disk is no reason to undo what is done.
        let _ = falcon_sys::sync_dir(self.dir());
        Ok(())
    }
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    patiently(|| fs::rename(from, to))
        .with_context(|| format!("{} cannot be renamed to {}", from.display(), to.display()))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = patiently(|| match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    });
    removed.with_context(|| format!("{}, which an earlier upgrade left, cannot be removed", path.display()))
}

/// Tries again while another program has the file.
fn patiently(mut act: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match act() {
            Err(error) if falcon_sys::is_held(&error) && begun.elapsed() < HELD => std::thread::sleep(GLANCE),
            done => return done,
        }
    }
}

/// The bytes of a file that must have this hash.
pub(super) fn read(path: &Path, sha256: &[u8; 32]) -> anyhow::Result<Vec<u8>> {
    let bytes = whole(path)?;
    let found = hash(&bytes);
    if found != *sha256 {
        bail!("nothing was changed: {} is another file: its SHA-256 is {}", path.display(), shown(&found));
    }
    Ok(bytes)
}

/// The hash of a file.
pub(super) fn hash_of(path: &Path) -> anyhow::Result<[u8; 32]> {
    Ok(hash(&whole(path)?))
}

fn whole(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = || format!("nothing was changed: {}", path.display());
    // Asked before opening: opening a pipe waits for its other end.
    let meta = fs::metadata(path).with_context(shown)?;
    ensure!(meta.is_file(), "nothing was changed: {} is no regular file", path.display());
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.with_context(shown)?;
    ensure!(bytes.len() as u64 <= MOST_BYTES, "nothing was changed: {} is larger than 64 MB", path.display());
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    digest(&SHA256, bytes).as_ref().iter().zip(&mut hash).for_each(|(from, to)| *to = *from);
    hash
}

pub(super) fn shown(hash: &[u8; 32]) -> String {
    let mut text = String::new();
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A hash as people write it; `None`: it is none.
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|two| two.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

/// The end of a file.
pub(super) fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_file_is_read_when_it_has_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "abc").unwrap();
        let hash = parse_hash(&ABC.to_uppercase()).unwrap();
        assert_eq!(read(&path, &hash).unwrap(), b"abc");
        fs::write(&path, "abd").unwrap();
        let error = format!("{:#}", read(&path, &hash).unwrap_err());
        assert!(error.contains("another file") && error.contains(&shown(&hash_of(&path).unwrap())), "{error}");
        for bad in [dir.path(), &dir.path().join("none")] {
            assert!(read(bad, &hash).is_err());
        }
        assert_eq!(shown(&hash), ABC);
        for bad in ["", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g"), &ABC.replace("ba", "é")] {
            assert_eq!(parse_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_follow_each_other_there_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(&dir.path().join("falcon-agent.exe"));
        let text = |path: &Path| fs::read_to_string(path).ok();
        let names = || {
            let mut names: Vec<String> =
                fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        fs::write(&files.program, "1").unwrap();
        let follows = |next: &str| {
            files.clean().unwrap();
            files.stage(next.as_bytes()).unwrap();
            assert!(!files.is_replaced() && files.is_new(&files.new) && !files.is_new(&files.program));
            let [is, will] = [fs::read(&files.program).unwrap(), next.into()].map(|bytes| hash(&bytes));
            files.replace(&is, &will).unwrap();
            assert!(files.is_replaced() && files.is_unproven(&will) && !files.is_unproven(&is));
        };
        for next in ["2", "3"] {
            follows(next);
            files.is_judged();
        }
        assert_eq!((text(&files.program).unwrap(), text(&files.old).unwrap()), ("3".to_owned(), "2".to_owned()));
        files.put_back().unwrap();
        assert_eq!((text(&files.program).unwrap(), text(&files.failed).unwrap()), ("2".to_owned(), "3".to_owned()));
        assert_eq!(names(), ["falcon-agent.exe", "falcon-agent.failed.exe"]);
        // One that was cut short before it was judged is nothing to go back to.
        follows("5");
        follows("6");
        assert_eq!((text(&files.old).unwrap(), text(&files.failed).unwrap()), ("2".to_owned(), "5".to_owned()));
        files.put_back().unwrap();
        files.is_judged();
        // Who asks for a file that lies there still has it when the upgrade is refused.
        files.clean().unwrap();
        assert_eq!(names(), ["falcon-agent.exe", "falcon-agent.failed.exe"]);
        fs::remove_file(&files.failed).unwrap();
        // A power cut between the two renames of Windows.
        fs::rename(&files.program, &files.old).unwrap();
        fs::write(&files.new, "4").unwrap();
        files.clean().unwrap();
        assert_eq!(names(), ["falcon-agent.exe"]);
        assert_eq!(text(&files.program).unwrap(), "2");
    }

    #[test]
    fn an_exchange_that_fails_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(&dir.path().join("falcon-agent"));
        fs::write(&files.program, "1").unwrap();
        assert!(files.replace(&[1; 32], &[2; 32]).is_err());
        assert_eq!(fs::read_to_string(&files.program).unwrap(), "1");
        assert!(!files.old.exists());
    }
}
