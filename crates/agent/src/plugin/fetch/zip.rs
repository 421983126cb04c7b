//! Reading a zip archive (PKWARE's APPNOTE.TXT 6.3.10) by its central directory, with what a local header says held against it:
//! programs that go by the one and by the other would see two archives. Stored and deflated entries, none of 4 GB, none encrypted.
//!
//! The crate `zip` would be 99 KB of the executable, a fiftieth of all that it may have, and does not hold the two headers
//! against each other. It makes archives for the tests.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::inflate::{Inflate, exactly};
use super::unpack::Tree;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Bytes of the fixed parts.
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const MOST_COMMENT: usize = u16::MAX as usize;
/// Bytes of the central directory, with names and extra fields.
const MOST_CENTRAL: u64 = 16 << 20;

const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Who made it, in the upper byte.
const UNIX: u16 = 3;
const MAC: u16 = 19;
const FAT: u16 = 0;
const NTFS: u16 = 10;
/// Of a mode, the kind of the file.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// Takes all of an archive.
///
/// # Errors
/// It is none, or has what does not belong into a tree of plugins.
pub(super) fn read(file: &mut File, tree: &mut Tree<'_>) -> Result<(), String> {
    let central = central(file)?;
    let mut rest = central.as_slice();
    while !rest.is_empty() {
        let (entry, after) = Entry::read(rest)?;
        rest = after;
        let of_entry = |why: String| format!("the entry {:?}: {why}", String::from_utf8_lossy(entry.name));
        entry.take(file, tree).map_err(of_entry)?;
    }
    Ok(())
}

/// The central directory, of as many entries as it should have.
fn central(file: &mut File) -> Result<Vec<u8>, String> {
    const NONE: &str = "it is no zip archive, or cut short: its end is missing";
    let length = file.seek(SeekFrom::End(0)).map_err(told)?;
    let tail = length.min((END_BYTES + MOST_COMMENT) as u64);
    let bytes = at(file, length - tail, tail)?;
    let starts = (0..=bytes.len().checked_sub(END_BYTES).ok_or(NONE)?).rev();
    // A comment that looks like an end has not the length that would be left.
    let end = starts
        .filter_map(|start| bytes.get(start..))
        .find(|end| u32_at(end, 0) == END && usize::from(u16_at(end, 20)) + END_BYTES == end.len())
        .ok_or(NONE)?;
    let (disk, entries) = (u16_at(end, 4), u16_at(end, 10));
    let (size, start) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if entries == u16::MAX || size == u64::from(u32::MAX) || start == u64::from(u32::MAX) {
        return Err("it is a zip64 archive, which is for more than 65,534 entries or 4 GB".to_owned());
    }
    let at_end = length - end.len() as u64;
    if disk != 0 || u16_at(end, 6) != 0 || u16_at(end, 8) != entries || start + size != at_end || size > MOST_CENTRAL {
        return Err("it is no zip archive of one whole file".to_owned());
    }
    let central = at(file, start, size)?;
    let (mut rest, mut count) = (central.as_slice(), 0);
    while !rest.is_empty() {
        (_, rest) = Entry::read(rest)?;
        count += 1;
    }
    if count != u32::from(entries) {
        return Err("its directory has not as many entries as it says".to_owned());
    }
    Ok(central)
}

struct Entry<'a> {
    name: &'a [u8],
    made_by: u16,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    attributes: u32,
    start: u32,
}

impl<'a> Entry<'a> {
    fn read(bytes: &'a [u8]) -> Result<(Entry<'a>, &'a [u8]), String> {
        let bad = "an entry of its directory cannot be read";
        let (fixed, rest) = bytes.split_at_checked(CENTRAL_BYTES).ok_or(bad)?;
        if u32_at(fixed, 0) != CENTRAL {
            return Err(bad.to_owned());
        }
        let (name, rest) = rest.split_at_checked(u16_at(fixed, 28).into()).ok_or(bad)?;
        let others = usize::from(u16_at(fixed, 30)) + usize::from(u16_at(fixed, 32));
        let (_, rest) = rest.split_at_checked(others).ok_or(bad)?;
        let entry = Entry {
            name,
            made_by: u16_at(fixed, 4) >> 8,
            flags: u16_at(fixed, 8),
            method: u16_at(fixed, 10),
            crc: u32_at(fixed, 16),
            packed: u32_at(fixed, 20),
            size: u32_at(fixed, 24),
            attributes: u32_at(fixed, 38),
            start: u32_at(fixed, 42),
        };
        Ok((entry, rest))
    }

    fn take(&self, file: &mut File, tree: &mut Tree<'_>) -> Result<(), String> {
        if self.flags & ENCRYPTED != 0 {
            return Err("it is encrypted".to_owned());
        }
        if self.flags & UTF8 == 0 && !self.name.is_ascii() {
            return Err("its name is in a code page that is not told; make the archive with names in UTF-8".to_owned());
        }
        // Where another system made it, the upper half is no mode.
        let mode = Some(self.attributes >> 16).filter(|mode| matches!(self.made_by, UNIX | MAC) && *mode != 0);
        let kind = mode.map_or(0, |mode| mode & KIND);
        // Windows PowerShell 5.1 and the .NET before 4.6.1 have it between directories, against the specification.
        let mut path = self.name.to_owned();
        if matches!(self.made_by, FAT | NTFS) {
            path.iter_mut().filter(|b| **b == b'\\').for_each(|b| *b = b'/');
        }
        let is_dir = path.ends_with(b"/") || kind == DIRECTORY;
        if !matches!(kind, 0 | REGULAR | DIRECTORY) {
            return Err("it is a link or a device, which is not unpacked".to_owned());
        }
        let local = at(file, self.start.into(), LOCAL_BYTES as u64)?;
        let name = at(file, u64::from(self.start) + LOCAL_BYTES as u64, u16_at(&local, 26).into())?;
        if u32_at(&local, 0) != LOCAL || name != self.name || u16_at(&local, 8) != self.method {
            return Err("its own header is another one than the directory's".to_owned());
        }
        if is_dir {
            return if self.size == 0 { tree.dir(&path) } else { Err("it is a directory with content".to_owned()) };
        }
        file.seek(SeekFrom::Current(u16_at(&local, 28).into())).map_err(told)?;
        let mut packed = Read::take(file, self.packed.into());
        let mut inflated;
        let content: &mut dyn Read = match self.method {
            STORED => &mut packed,
            DEFLATED => {
                inflated = Inflate::new(&mut packed);
                &mut inflated
            }
            _ => return Err("it is compressed in a way that is not known here; deflate is".to_owned()),
        };
        let written = tree.file(&path, mode, content)?;
        if written.bytes != u64::from(self.size) || written.crc != self.crc {
            return Err("it is damaged: its length or checksum is another".to_owned());
        }
        Ok(())
    }
}

/// The bytes at a place, and the file behind them.
fn at(file: &mut File, start: u64, length: u64) -> Result<Vec<u8>, String> {
    file.seek(SeekFrom::Start(start)).map_err(told)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    exactly(file, &mut bytes).map_err(told)?;
    Ok(bytes)
}

fn told(error: io::Error) -> String {
    error.to_string()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
