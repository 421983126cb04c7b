//! The file that says how far the log is acknowledged: magic [8], version u32, segment u64, offset u64, crc u32 of these.

use std::io;

use super::{Error, Position};
use crate::queue::record;
use crate::queue::storage::Storage;

pub const NAME: &str = "cursor";
const MAGIC: [u8; 8] = *b"falconc\n";
const BYTES: usize = 32;

pub fn bytes(cursor: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&record::VERSION.to_le_bytes());
    bytes.extend_from_slice(&cursor.segment.to_le_bytes());
    bytes.extend_from_slice(&cursor.offset.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// `None` where there is none, or none that can be believed: the log is then read from its beginning.
pub fn read(storage: &mut impl Storage) -> Result<Option<Position>, Error> {
    let mut bytes = [0; BYTES];
    match storage.read(NAME, 0, &mut bytes) {
        Ok(BYTES) => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8; BYTES]) -> Option<Position> {
    let (said, crc) = bytes.split_at(BYTES - 4);
    let number = |at: usize| said.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let whole = said.starts_with(&MAGIC) && crc == crc32fast::hash(said).to_le_bytes();
    whole.then_some(Position { segment: number(12)?, offset: number(20)? })
}
