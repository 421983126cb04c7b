//! What a disk counts, on which disks a volume lies (winioctl.h), and which of the names of devices are those of drives.

use super::text::text;
use super::{positive_at, u32_at};
use crate::types::{DiskIo, Drives};

/// Bytes of a DISK_PERFORMANCE.
pub(crate) const PERFORMANCE_BYTES: usize = 88;

/// A DISK_PERFORMANCE, whose times are in 100 ns; the counts have 32 bits and wrap. `None` where it ends too early.
pub(crate) fn performance(bytes: &[u8], name: &str) -> Option<DiskIo> {
    let us = |at| positive_at(bytes, at).map(|ticks| ticks / 10);
    let count = |at| u32_at(bytes, at).map(u64::from);
    Some(DiskIo {
        name: name.to_owned(),
        read_bytes: positive_at(bytes, 0)?,
        written_bytes: positive_at(bytes, 8)?,
        read_us: us(16)?,
        write_us: us(24)?,
        idle_us: us(32)?,
        reads: count(40)?,
        writes: count(44)?,
        in_flight: count(48)?,
        splits: count(52)?,
        clock_us: us(56)?,
        ..DiskIo::default()
    })
}

/// The disks of a VOLUME_DISK_EXTENTS: a count, padding, then extents of 24 bytes that begin with the disk's number.
pub(crate) fn extents(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let count = u32_at(bytes, 0).unwrap_or(0) as usize;
    let extents = bytes.get(8..).unwrap_or_default().chunks_exact(24);
    extents.take(count).filter_map(|extent| u32_at(extent, 0))
}

const PHYSICAL: &str = "PhysicalDrive";

/// The drives among the names of all devices.
pub(crate) fn drives<'a>(names: impl Iterator<Item = &'a [u16]>) -> Drives {
    let mut drives = Drives::default();
    for name in names.map(text) {
        if is_drive(&name) {
            drives.physical.push(name);
        } else if is_letter(&name) {
            drives.letters.push(name);
        }
    }
    // Shorter numbers are smaller ones.
    drives.physical.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    drives.physical.dedup();
    drives.letters.sort_unstable();
    drives.letters.dedup();
    drives
}

/// `PhysicalDrive` and a number.
pub(crate) fn is_drive(name: &str) -> bool {
    let is_number = |digits: &str| (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(PHYSICAL).is_some_and(is_number)
}

/// A letter and a colon.
pub(crate) fn is_letter(name: &str) -> bool {
    matches!(name.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drives_and_letters_are_names() {
        assert!(["PhysicalDrive0", "PhysicalDrive127"].iter().all(|name| is_drive(name) && !is_letter(name)));
        assert!(["C:", "z:"].iter().all(|name| is_letter(name) && !is_drive(name)));
        let refused =
            ["", "C", "C:\\", "CC:", "1:", "PhysicalDrive", "PhysicalDrive-1", "PhysicalDrive0\\x", "physicaldrive0"];
        for name in refused.into_iter().chain(["PhysicalDrive00001", "PhysicalDrive\u{661}", "..\\C:", "pipe\\x"]) {
            assert!(!is_drive(name) && !is_letter(name), "{name}");
        }
    }

    #[test]
    fn drives_come_by_their_numbers_and_other_devices_not_at_all() {
        let names = ["NUL", "PhysicalDrive10", "D:", "PhysicalDrive2", "C:", "Volume{0}", "PhysicalDrive2", "COM1"];
        let names = names.map(|name| name.encode_utf16().collect::<Vec<_>>());
        let seen = drives(names.iter().map(Vec::as_slice));
        assert_eq!(seen.physical, ["PhysicalDrive2", "PhysicalDrive10"]);
        assert_eq!(seen.letters, ["C:", "D:"]);
    }

    fn performance_of(times: [i64; 5], counts: [u32; 4], query_time: i64) -> Vec<u8> {
        let mut bytes: Vec<u8> = times.into_iter().flat_map(i64::to_le_bytes).collect();
        bytes.extend(counts.into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(query_time.to_le_bytes());
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend("PhysDisk".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0xAA; 4]);
        bytes
    }

    #[test]
    fn every_field_has_its_place_and_times_become_microseconds() {
        let bytes = performance_of([1 << 40, 2 << 40, 30, 45, 59], [u32::MAX, 6, 7, 8], i64::MAX);
        assert_eq!(bytes.len(), PERFORMANCE_BYTES);
        let expected = DiskIo {
            name: "PhysicalDrive3".into(),
            read_bytes: 1 << 40,
            written_bytes: 2 << 40,
            read_us: 3,
            write_us: 4,
            idle_us: 5,
            reads: u32::MAX.into(),
            writes: 6,
            in_flight: 7,
            splits: 8,
            clock_us: i64::MAX as u64 / 10,
            ..DiskIo::default()
        };
        assert_eq!(performance(&bytes, "PhysicalDrive3"), Some(expected));
        for cut in 0..64 {
            assert_eq!(performance(&bytes[..cut], "x"), None);
        }
    }

    #[test]
    fn a_negative_time_is_none() {
        let disk = performance(&performance_of([-1, i64::MIN, -10, 20, -1], [0; 4], -5), "C:").unwrap();
        assert_eq!((disk.read_bytes, disk.written_bytes, disk.read_us, disk.write_us), (0, 0, 0, 2));
        assert_eq!((disk.idle_us, disk.clock_us), (0, 0));
    }

    #[test]
    fn a_volume_lies_on_the_disks_of_its_extents_and_no_more() {
        let bytes = |count: u32, disks: &[u32]| {
            let mut bytes: Vec<u8> = count.to_le_bytes().into_iter().chain([0xAA; 4]).collect();
            for disk in disks {
                bytes.extend(disk.to_le_bytes());
                bytes.extend([0xBB; 20]);
            }
            bytes
        };
        assert_eq!(extents(&bytes(2, &[5, 0, 9])).collect::<Vec<_>>(), [5, 0]);
        // A count beyond the bytes, an extent that is cut off, and nothing at all.
        assert_eq!(extents(&bytes(u32::MAX, &[5, 0])).count(), 2);
        assert_eq!(extents(&bytes(2, &[5, 0])[..55]).collect::<Vec<_>>(), [5]);
        (0..8).for_each(|cut| assert_eq!(extents(&bytes(2, &[5, 0])[..cut]).count(), 0));
    }
}
