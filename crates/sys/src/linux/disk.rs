//! `/proc/diskstats`: one row per block device, unfiltered. A row has a number, a number, a name and at least 11 numbers;
//! Linux 4.18 added four (discards), 5.5 two (flushes). Anything else, and the short rows that 2.6 has for partitions,
//! costs itself. Sources: the kernel's Documentation/admin-guide/iostats.rst and ABI/testing/procfs-diskstats.

use super::Host;
use super::rows::{Rows, renamed};
use super::text::{lines, numbers};
use crate::types::{DiskIo, Extent};
use std::io;

/// More devices than only a broken host has; they are counted before any is left out.
const MAX_ROWS: usize = 65_536;

/// The unit of the kernel's counts, whatever the device's own sectors are.
const SECTOR_BYTES: u64 = 512;

impl Host {
    /// Every device of `/proc/diskstats`.
    ///
    /// # Errors
    /// The file cannot be read; a host without devices is no error. Windows: always [`io::ErrorKind::Unsupported`].
    pub fn disk_stats(&mut self, into: &mut Vec<DiskIo>) -> io::Result<Extent> {
        let rows = self.parse("proc/diskstats", |bytes| Ok(parse(bytes, into)))?;
        Ok(rows.and(self.extent))
    }
}

fn parse(bytes: &[u8], into: &mut Vec<DiskIo>) -> Extent {
    let mut rows = Rows::new(into, MAX_ROWS);
    for (name, columns) in lines(bytes).filter_map(parse_row) {
        let Some(row) = rows.next_row() else { return Extent::Cut };
        let [
            reads,
            reads_merged,
            sectors_read,
            read_ms,
            writes,
            writes_merged,
            sectors_written,
            write_ms,
            in_flight,
            busy_ms,
            weighted_ms,
        ] = columns;
        *row = DiskIo {
            name: renamed(&mut row.name, name),
            reads,
            reads_merged,
            read_bytes: sectors_read.saturating_mul(SECTOR_BYTES),
            read_us: read_ms.saturating_mul(1000),
            writes,
            writes_merged,
            written_bytes: sectors_written.saturating_mul(SECTOR_BYTES),
            write_us: write_ms.saturating_mul(1000),
            in_flight,
            busy_us: busy_ms.saturating_mul(1000),
            weighted_us: weighted_ms.saturating_mul(1000),
            idle_us: 0,
            clock_us: 0,
            splits: 0,
        };
    }
    Extent::Whole
}

fn parse_row(line: &str) -> Option<(&str, [u64; 11])> {
    let mut words = line.split_ascii_whitespace();
    let [_major, _minor] = numbers(&mut words)?;
    let name = words.next()?;
    Some((name, numbers(&mut words)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Vec<DiskIo> {
        let mut into = Vec::new();
        assert_eq!(parse(bytes, &mut into), Extent::Whole);
        into
    }

    const KERNEL_3_10: &str = "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n";
    const KERNEL_4_18: &str = " 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n";
    const KERNEL_5_15: &str = " 253       1 dm-1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n";

    #[test]
    fn rows_of_14_18_and_20_fields() {
        let rows = rows([KERNEL_3_10, KERNEL_4_18, KERNEL_5_15].concat().as_bytes());
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["sda", "nvme0n1", "dm-1"]);
        for row in &rows {
            let expected = DiskIo {
                name: row.name.clone(),
                reads: 1,
                reads_merged: 2,
                read_bytes: 3 * 512,
                read_us: 4000,
                writes: 5,
                writes_merged: 6,
                written_bytes: 7 * 512,
                write_us: 8000,
                in_flight: 9,
                busy_us: 10_000,
                weighted_us: 11_000,
                ..DiskIo::default()
            };
            assert_eq!(*row, expected);
        }
    }

    #[test]
    fn bad_rows_cost_only_themselves() {
        let table = "8 1 sda1 1 2 3 4\n8 2 sda2 1 2 3 4 5 6 7 8 -9 10 11\n8 sda3 1 2 3 4 5 6 7 8 9 10 11\n\
            x 4 sda4 1 2 3 4 5 6 7 8 9 10 11\n\n8 5 sda5 1 2 3 4 5 6 7 8 9 10 18446744073709551616\n";
        let file =
            [table.as_bytes(), b"8 6 \xff 1 2 3 4 5 6 7 8 9 10 11\n", KERNEL_4_18.as_bytes(), b"8 0 sdb 1"].concat();
        let rows = rows(&file);
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["nvme0n1"]);
    }

    #[test]
    fn huge_numbers_stay_numbers() {
        let max = u64::MAX;
        let rows =
            rows(format!("8 0 sda {max} {max} {max} {max} {max} {max} {max} {max} {max} {max} {max}\n").as_bytes());
        assert_eq!((rows[0].reads, rows[0].read_bytes, rows[0].weighted_us), (max, max, max));
    }

    #[test]
    fn truncations_show_no_device_that_is_not_there() {
        for end in 0..KERNEL_5_15.len() {
            assert!(rows(&KERNEL_5_15.as_bytes()[..end]).iter().all(|row| row.name == "dm-1"), "{end}");
        }
        assert!(rows(b"").is_empty());
    }

    #[test]
    fn thousands_of_devices_are_bounded() {
        let table: String = (0..=MAX_ROWS).map(|n| format!("8 {n} sd{n} 1 2 3 4 5 6 7 8 9 10 11\n")).collect();
        let mut into = Vec::new();
        assert_eq!((parse(table.as_bytes(), &mut into), into.len()), (Extent::Cut, MAX_ROWS));
    }
}
