//! Reading what is compressed (RFC 1951, 1952), as much of it as is asked for: whoever reads counts, and so meets the limit before
//! the memory does.

use std::io::{self, BufRead, BufReader, Read};

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

const BUFFER: usize = 32 * 1024;
/// Bytes of the name, comment and extra field that a header may have.
const MOST_HEADER: usize = 4096;
/// Flags of a header.
const CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const UNKNOWN: u8 = 0xe0;

/// A deflated stream; what follows it stays in `from`.
pub(super) struct Inflate<'a> {
    from: BufReader<&'a mut dyn Read>,
    state: Box<InflateState>,
    is_over: bool,
}

impl<'a> Inflate<'a> {
    pub fn new(from: &'a mut dyn Read) -> Inflate<'a> {
        Inflate::of(BufReader::with_capacity(BUFFER, from))
    }

    fn of(from: BufReader<&'a mut dyn Read>) -> Inflate<'a> {
        Inflate { from, state: InflateState::new_boxed(DataFormat::Raw), is_over: false }
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && !out.is_empty() {
            let input = self.from.fill_buf()?;
            let is_end = input.is_empty();
            let done = inflate(&mut self.state, input, out, MZFlush::None);
            self.from.consume(done.bytes_consumed);
            match done.status {
                Ok(MZStatus::StreamEnd) => self.is_over = true,
                Ok(_) | Err(MZError::Buf) if done.bytes_consumed + done.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) if is_end => return Err(unfit("it is cut short")),
                _ => return Err(unfit("it is damaged: what is compressed cannot be read")),
            }
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
        }
        Ok(0)
    }
}

/// A file of gzip, of one member, checked at its end.
pub(super) struct Gzip<'a> {
    inner: Inflate<'a>,
    crc: crc32fast::Hasher,
    length: u32,
    is_checked: bool,
}

impl<'a> Gzip<'a> {
    pub fn new(from: &'a mut dyn Read) -> io::Result<Gzip<'a>> {
        let mut from = BufReader::with_capacity(BUFFER, from);
        skip_header(&mut from)?;
        Ok(Gzip { inner: Inflate::of(from), crc: crc32fast::Hasher::new(), length: 0, is_checked: false })
    }

    fn check(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        exactly(&mut self.inner.from, &mut trailer)?;
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize()
            || u32::from_le_bytes([e, f, g, h]) != self.length
        {
            return Err(unfit("it is damaged: its checksum is another"));
        }
        if !self.inner.from.fill_buf()?.is_empty() {
            return Err(unfit("something follows its end"));
        }
        self.is_checked = true;
        Ok(())
    }
}

impl Read for Gzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        if let Some(bytes) = out.get(..count) {
            self.crc.update(bytes);
        }
        self.length = self.length.wrapping_add(u32::try_from(count).unwrap_or_default());
        if count == 0 && !out.is_empty() && !self.is_checked {
            self.check()?;
        }
        Ok(count)
    }
}

fn skip_header(from: &mut BufReader<&mut dyn Read>) -> io::Result<()> {
    let mut head = [0; 10];
    exactly(from, &mut head)?;
    let [0x1f, 0x8b, 8, flags, ..] = head else { return Err(unfit("it is no gzip file")) };
    if flags & UNKNOWN != 0 {
        return Err(unfit("it is no gzip file of a known kind"));
    }
    if flags & EXTRA != 0 {
        let mut length = [0; 2];
        exactly(from, &mut length)?;
        exactly(from, &mut vec![0; usize::from(u16::from_le_bytes(length))])?;
    }
    if flags & NAME != 0 {
        skip_text(from)?;
    }
    if flags & COMMENT != 0 {
        skip_text(from)?;
    }
    if flags & CRC != 0 {
        exactly(from, &mut [0; 2])?;
    }
    Ok(())
}

fn skip_text(from: &mut BufReader<&mut dyn Read>) -> io::Result<()> {
    let mut byte = [0];
    for _ in 0..MOST_HEADER {
        exactly(from, &mut byte)?;
        if byte == [0] {
            return Ok(());
        }
    }
    Err(unfit("it is no gzip file that can be read"))
}

/// # Errors
/// Those of reading, and that there is less.
pub(super) fn exactly(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<()> {
    from.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => unfit("it is cut short"),
        _ => error,
    })
}

pub(super) fn unfit(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
