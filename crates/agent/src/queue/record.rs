//! The bytes of the log: what a segment and its records look like, and how they are found again among damage. Pure.
//!
//! ```text
//! segment:  magic [8]  version u32  crc u32 of these 12   then records without a gap
//! record:   magic [4]  length u32 of the payload  stamp i64 (when its points came, Unix s)  count u32 of its points
//!           crc u32 of the payload  crc u32 of these 24   payload: see Frame::write_payload
//! ```
//!
//! Little endian; CRC-32 (IEEE). A reader believes nothing without its CRC. Where a record is damaged it looks for the next
//! whole header, so that one bad byte costs one record; each byte is looked at a bounded number of times.

use crate::falcon::wire::Frame;

/// What this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// Bytes in front of a segment's records.
pub const SEGMENT_HEAD: usize = 16;
const HEAD: usize = 28;
/// No frame comes near it: 64 KiB of items, and one item more.
const MAX_PAYLOAD: usize = 256 * 1024;
/// What a whole record takes at most: so much must be in sight for it to be read.
pub const MAX_RECORD: usize = HEAD + MAX_PAYLOAD;

const SEGMENT_MAGIC: [u8; 8] = *b"falconq\n";
/// Its first and last byte occur in no text.
const MAGIC: [u8; 4] = [0xF5, b'F', b'Q', 0xFA];

pub fn segment_head() -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    let mut bytes = Vec::with_capacity(SEGMENT_HEAD);
    bytes.extend_from_slice(&SEGMENT_MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    head.copy_from_slice(&bytes);
    head
}

/// What the first bytes of a segment say.
#[derive(Debug, PartialEq, Eq)]
pub enum SegmentHead {
    Ours,
    /// Written by a newer program: nothing behind it can be understood.
    Newer(u32),
    /// The records behind it may be whole.
    Damaged,
}

pub fn read_segment_head(bytes: &[u8]) -> SegmentHead {
    let (Some(said), Some(version)) = (u32_at(bytes, 12), u32_at(bytes, 8)) else { return SegmentHead::Damaged };
    if bytes.get(..8) != Some(&SEGMENT_MAGIC) || bytes.get(..12).map(crc32fast::hash) != Some(said) {
        return SegmentHead::Damaged;
    }
    if version <= VERSION { SegmentHead::Ours } else { SegmentHead::Newer(version) }
}

/// Appends one record.
pub fn write(frame: &Frame, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + HEAD, 0);
    frame.write_payload(out);
    let payload = out.get(start + HEAD..).unwrap_or_default();
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    head.extend_from_slice(&frame.taken.to_le_bytes());
    head.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes());
    head.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    if let Some(room) = out.get_mut(start..start + HEAD) {
        room.copy_from_slice(&head);
    }
}

/// What stands at the beginning of some bytes of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole record of so many bytes.
    Record { size: usize, frame: Frame },
    /// So many bytes are of no use; with them so many points are gone, where that is known.
    Damaged { size: usize, points: usize },
    /// Fewer bytes than a record has: more are needed to tell.
    More,
    /// Nothing is left.
    End,
}

/// Reads what `bytes` begin with. `all`: no bytes follow in this segment, so that an unfinished record is a damaged one.
pub fn next(bytes: &[u8], all: bool) -> Next {
    if bytes.is_empty() {
        return if all { Next::End } else { Next::More };
    }
    let Some(head) = Head::read(bytes) else {
        if bytes.len() < HEAD && !all {
            return Next::More;
        }
        return Next::Damaged { size: until_head(bytes, bytes.len(), all), points: 0 };
    };
    let size = HEAD + head.length;
    if let Some(payload) = bytes.get(HEAD..size) {
        if crc32fast::hash(payload) == head.crc
            && let Some(frame) = Frame::from_payload(head.stamp, head.count, payload)
        {
            return Next::Record { size, frame };
        }
    } else if !all {
        return Next::More;
    }
    // A header can be whole and what should follow it gone: then another record may stand in its place.
    Next::Damaged { size: until_head(bytes, size, true), points: head.count }
}

struct Head {
    length: usize,
    stamp: i64,
    count: usize,
    crc: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Head> {
        if bytes.get(..4) != Some(&MAGIC) || bytes.get(..24).map(crc32fast::hash) != u32_at(bytes, 24) {
            return None;
        }
        let length = usize::try_from(u32_at(bytes, 4)?).ok().filter(|length| *length <= MAX_PAYLOAD)?;
        let count = usize::try_from(u32_at(bytes, 16)?).ok().filter(|count| *count > 0 && *count <= length)?;
        let stamp = i64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
        Some(Head { length, stamp, count, crc: u32_at(bytes, 20)? })
    }
}

/// Where, behind the first byte and before `end`, the next whole header stands; else `end`, or where the rest of a header
/// may begin when bytes follow that are not in sight.
fn until_head(bytes: &[u8], end: usize, all: bool) -> usize {
    let end = end.min(bytes.len());
    let mut at = 1;
    while let Some(rest) = bytes.get(at..end) {
        let Some(found) = rest.iter().position(|byte| *byte == MAGIC[0]) else { return end };
        at += found;
        let here = bytes.get(at..).unwrap_or_default();
        let cut_off = !all && here.len() < HEAD;
        if cut_off || Head::read(here).is_some() {
            return at;
        }
        at += 1;
    }
    end
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Every record that some bytes hold, and the points that damage is known to have cost: the entry of the fuzz target.
pub fn read_all(bytes: &[u8]) -> (Vec<Frame>, usize) {
    let (mut frames, mut lost, mut at) = (Vec::new(), 0, 0);
    loop {
        match next(bytes.get(at..).unwrap_or_default(), true) {
            Next::Record { size, frame } => {
                frames.push(frame);
                at += size;
            }
            Next::Damaged { size, points } => {
                lost += points;
                at += size;
            }
            Next::More | Next::End => return (frames, lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::falcon::wire::encode;
    use crate::model::sample;
    use proptest::prelude::*;

    fn frames(count: i64) -> Vec<Frame> {
        let one = |n: i64| encode(&[sample("m", "a=b", 1.0, n), sample("n", "", 2.0, n)], "h", 1000 + n);
        (0..count).flat_map(one).collect()
    }

    fn written(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| write(frame, &mut bytes));
        bytes
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        let frames = frames(5);
        assert_eq!(read_all(&written(&frames)), (frames, 0));
        assert_eq!(read_segment_head(&segment_head()), SegmentHead::Ours);
    }

    /// Written by another program after the description above: the format is what it says.
    #[test]
    fn a_log_of_another_hand_is_read() {
        let (frames, lost) = read_all(include_bytes!("../../../../fuzz/seeds/queue_log/two"));
        assert_eq!(
            (frames.iter().map(|frame| frame.taken).collect::<Vec<_>>(), lost),
            (vec![1_795_363_645, 1_795_363_646], 0)
        );
        assert_eq!([0, 1].map(|n| frames[1].item(n).unwrap()), [br#"{"a":1}"#, br#"{"b":2}"#]);
        assert_eq!([0, 1].map(|n| frames[1].place(n).unwrap()), [(1, 7), (2, 7)]);
        let (frames, lost) = read_all(include_bytes!("../../../../fuzz/seeds/queue_log/torn"));
        assert_eq!((frames.len(), lost), (1, 2));
    }

    #[test]
    fn a_head_of_a_newer_version_is_told_from_a_damaged_one() {
        let mut head = segment_head()[..8].to_vec();
        head.extend_from_slice(&7u32.to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        assert_eq!(read_segment_head(&head), SegmentHead::Newer(7));
        for byte in 0..SEGMENT_HEAD {
            let mut head = segment_head();
            head[byte] ^= 4;
            assert_eq!(read_segment_head(&head), SegmentHead::Damaged, "byte {byte}");
        }
        assert_eq!(read_segment_head(b""), SegmentHead::Damaged);
    }

    /// An embedded store was measured that gave flipped bits back as values, and refused a file short of one byte.
    #[test]
    fn a_flipped_bit_costs_the_record_it_is_in_and_no_other() {
        let frames = frames(4);
        let bytes = written(&frames);
        let size = bytes.len() / 4;
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected: Vec<_> = (0..4).filter(|n| *n != bit / 8 / size).map(|n| frames[n].clone()).collect();
            let (read, lost) = read_all(&bytes);
            assert_eq!(read, expected, "bit {bit}");
            assert!(lost <= 2, "bit {bit}");
        }
    }

    #[test]
    fn a_log_cut_at_any_byte_keeps_its_whole_records() {
        let frames = frames(3);
        let bytes = written(&frames);
        for length in 0..bytes.len() {
            let whole = length / (bytes.len() / 3);
            assert_eq!(read_all(&bytes[..length]).0, frames[..whole], "{length} bytes");
        }
    }

    /// A write that failed half-way and was followed by another: the length in front would skip the second.
    #[test]
    fn a_record_behind_an_unfinished_one_is_found() {
        let frames = frames(3);
        let one = written(&frames[..1]).len();
        for cut in 1..one {
            let bytes = [&written(&frames[..1])[..cut], &written(&frames[1..])].concat();
            assert_eq!(read_all(&bytes).0, frames[1..], "cut at {cut}");
        }
    }

    #[test]
    fn as_long_as_bytes_may_follow_nothing_is_given_up() {
        let bytes = written(&frames(1));
        for length in 0..bytes.len() {
            assert_eq!(next(&bytes[..length], false), Next::More, "{length} bytes");
        }
        // Damage ends where a header may begin.
        let damaged = [&[b'x'; 40][..], &bytes[..10]].concat();
        assert_eq!(next(&damaged, false), Next::Damaged { size: 40, points: 0 });
    }

    proptest! {
        /// Read in windows of any size, as the log does it, the same records are found.
        #[test]
        fn windows_do_not_matter(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            steps in prop::collection::vec(1usize..200, 1..20),
        ) {
            let mut bytes = written(&frames(6));
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let (mut read, mut at, mut seen, mut steps) = (Vec::new(), 0, 0, steps.iter().cycle());
            loop {
                match next(&bytes[at..seen], seen == bytes.len()) {
                    Next::Record { size, frame } => { read.push(frame); at += size; }
                    Next::Damaged { size, .. } => { prop_assert!(size > 0); at += size; }
                    Next::More => seen = bytes.len().min(seen + steps.next().unwrap()),
                    Next::End => break,
                }
            }
            prop_assert_eq!(read, read_all(&bytes).0);
        }
    }
}
