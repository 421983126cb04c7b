//! Reading a tar archive (POSIX.1-2017, pax; GNU tar's long names): plain files and directories, one after the other. Everything
//! else in it is refused: links and devices have no place among plugins, and could lead elsewhere.
//!
//! The crate `tar` takes a record with the next entry's name into memory whole before anybody can count it, so that a few
//! kilobytes of gzip fill the memory; without those records it would do half of this for 23 KB of the executable. Tests hold the two
//! against each other.

use std::io::{self, Read};

use super::inflate::{exactly, unfit};
use super::unpack::Tree;

const BLOCK: usize = 512;
/// Bytes of a record that has the next entry's name.
const MOST_RECORD: u64 = 64 * 1024;
/// Of what follows the end: tar fills up its last record, 10 KB mostly.
const MOST_PADDING: usize = 1 << 20;

/// Takes all of an archive to the end of what it is read from.
///
/// # Errors
/// It is none, or has what does not belong into a tree of plugins.
pub(super) fn read(from: &mut dyn Read, tree: &mut Tree<'_>) -> Result<(), String> {
    let mut long_name = None;
    let mut block = [0; BLOCK];
    while next(from, &mut block).map_err(|error| error.to_string())? {
        let head = Head::read(&block)?;
        let name = match &long_name {
            Some(name) => Vec::clone(name),
            None => head.name.clone(),
        };
        let of_entry = |why: String| format!("the entry {:?}: {why}", String::from_utf8_lossy(&name));
        match head.kind {
            b'0' | b'\0' | b'7' if !name.ends_with(b"/") => {
                let mut content = Read::take(&mut *from, head.size);
                let written = tree.file(&name, Some(head.mode), &mut content).map_err(of_entry)?;
                if written.bytes != head.size {
                    return Err(of_entry("it is cut short".to_owned()));
                }
            }
            b'5' | b'0' | b'\0' | b'7' if head.size == 0 => tree.dir(&name).map_err(of_entry)?,
            // What a pax record of all entries says is a comment, or a time that does not count here.
            kind @ (b'x' | b'g' | b'L' | b'K') => {
                tree.count().map_err(of_entry)?;
                let record = record(from, head.size).map_err(of_entry)?;
                match kind {
                    b'x' => long_name = pax_name(&record)?.or(long_name),
                    b'L' => long_name = Some(record.split(|b| *b == 0).next().unwrap_or_default().to_owned()),
                    _ => {}
                }
                padding(from, head.size).map_err(of_entry)?;
                continue;
            }
            kind => return Err(of_entry(format!("it is {}, which is not unpacked", kind_name(kind)))),
        }
        padding(from, head.size).map_err(of_entry)?;
        long_name = None;
    }
    // To the end, where what it is read from checks itself.
    let mut rest = 0;
    loop {
        match from.read(&mut block).map_err(|error| error.to_string())? {
            0 => return Ok(()),
            count => rest += count,
        }
        if rest > MOST_PADDING {
            return Err("something follows its end".to_owned());
        }
    }
}

struct Head {
    name: Vec<u8>,
    mode: u32,
    size: u64,
    kind: u8,
}

impl Head {
    fn read(block: &[u8; BLOCK]) -> Result<Head, String> {
        let field = |from: usize, length: usize| block.get(from..from + length).unwrap_or_default();
        let checked = number(field(148, 8)).ok_or("it is no tar archive")?;
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        let own: u64 = field(148, 8).iter().map(|b| u64::from(*b)).sum();
        if checked != sum - own + 8 * u64::from(b' ') {
            return Err("it is no tar archive, or damaged: a header's checksum is another".to_owned());
        }
        let mut name = text(field(0, 100)).to_owned();
        // GNU's own kind has other things there.
        if field(257, 6) == b"ustar\0" && !text(field(345, 155)).is_empty() {
            name = [text(field(345, 155)), b"/", &name].concat();
        }
        let size = number(field(124, 12)).ok_or("the size of an entry cannot be read")?;
        let mode = number(field(100, 8)).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0);
        Ok(Head { name, mode, size, kind: field(156, 1).first().copied().unwrap_or_default() })
    }
}

/// The next header; none at the end, which two empty blocks tell, or one, or that nothing comes.
fn next(from: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut got = 0;
    while let Some(rest) = block.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match from.read(rest)? {
            0 if got == 0 => return Ok(false),
            0 => return Err(unfit("it is cut short")),
            count => got += count,
        }
    }
    Ok(block.iter().any(|b| *b != 0))
}

/// Octal digits, with blanks or zeros around.
fn number(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    let octal = |number: u64, b: &u8| matches!(b, b'0'..=b'7').then(|| (number << 3) | u64::from(b - b'0'));
    (digits.len() <= 20).then(|| digits.iter().try_fold(0, octal)).flatten()
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

fn record(from: &mut dyn Read, size: u64) -> Result<Vec<u8>, String> {
    if size > MOST_RECORD {
        return Err("a record of it is too long".to_owned());
    }
    let mut record = vec![0; usize::try_from(size).unwrap_or_default()];
    exactly(&mut &mut *from, &mut record).map_err(|error| error.to_string())?;
    Ok(record)
}

fn padding(from: &mut dyn Read, size: u64) -> Result<(), String> {
    let length = usize::try_from(size.next_multiple_of(BLOCK as u64) - size).unwrap_or_default();
    let mut block = [0; BLOCK];
    let rest = block.get_mut(..length).unwrap_or_default();
    exactly(&mut &mut *from, rest).map_err(|error| error.to_string())
}

/// What `path` is in lines of the form `LENGTH KEY=VALUE`. A size is for what has more than 8 GB.
fn pax_name(record: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let bad = || "a pax record of it cannot be read".to_owned();
    let (mut rest, mut name) = (record, None);
    while !rest.is_empty() {
        let blank = rest.iter().position(|b| *b == b' ').ok_or_else(bad)?;
        let length = rest.get(..blank).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        let length = length.filter(|length| *length > blank).ok_or_else(bad)?;
        let (line, after) = rest.split_at_checked(length).ok_or_else(bad)?;
        let line = line.get(blank + 1..).and_then(|line| line.strip_suffix(b"\n")).ok_or_else(bad)?;
        if let Some(path) = line.strip_prefix(b"path=") {
            name = Some(path.to_owned());
        } else if line.starts_with(b"size=") || line.starts_with(b"GNU.sparse.") {
            return Err("an entry in it is sparse, or too large".to_owned());
        }
        rest = after;
    }
    Ok(name)
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' | b'4' => "a device",
        b'6' => "a FIFO",
        b'S' => "a sparse file",
        b'5' | b'0' | b'\0' | b'7' => "a directory with content",
        _ => "of an unknown kind",
    }
}
