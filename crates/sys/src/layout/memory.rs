//! Paging, exceptions and page lists.

use super::{u32_at, u64_at};
use crate::types::MemoryLists;

/// What SYSTEM_PERFORMANCE_INFORMATION counts in 32 bits (the kernel's headers; 312 bytes, to which newer versions
/// added at the end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub faults: u32,
    pub pages_read: u32,
    pub page_reads: u32,
    pub dirty_pages_written: u32,
    pub dirty_writes: u32,
    pub mapped_pages_written: u32,
    pub mapped_writes: u32,
    pub free_ptes: u32,
    pub syscalls: u32,
}

/// `None` where the answer ends too early, or where neither faults nor calls were ever counted, as under Wine: a
/// running system has had both.
pub(crate) fn performance(bytes: &[u8]) -> Option<Performance> {
    let performance = Performance {
        faults: u32_at(bytes, 60)?,
        pages_read: u32_at(bytes, 80)?,
        page_reads: u32_at(bytes, 84)?,
        dirty_pages_written: u32_at(bytes, 96)?,
        dirty_writes: u32_at(bytes, 100)?,
        mapped_pages_written: u32_at(bytes, 104)?,
        mapped_writes: u32_at(bytes, 108)?,
        free_ptes: u32_at(bytes, 136)?,
        syscalls: u32_at(bytes, 308)?,
    };
    (performance.faults != 0 || performance.syscalls != 0).then_some(performance)
}

/// ExceptionDispatchCount of SYSTEM_EXCEPTION_INFORMATION: the second of four counts of 32 bits (the kernel's headers).
pub(crate) fn exceptions(bytes: &[u8]) -> Option<u32> {
    u32_at(bytes, 4)
}

/// SYSTEM_MEMORY_LIST_INFORMATION, counts of pages in 64 bits: zero, free, modified, modified no-write, bad, then
/// standby for each of eight priorities (the kernel's headers).
pub(crate) fn memory_lists(bytes: &[u8], page_bytes: u64) -> Option<MemoryLists> {
    let list = |place: usize| Some(u64_at(bytes, place * 8)?.saturating_mul(page_bytes));
    let sum = |places: std::ops::Range<usize>| {
        places.map(list).try_fold(0_u64, |sum, bytes| Some(sum.saturating_add(bytes?)))
    };
    Some(MemoryLists { standby_bytes: sum(5..13)?, modified_bytes: sum(2..4)?, free_zero_bytes: sum(0..2)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        // Each 32-bit word holds its own offset.
        let bytes: Vec<u8> = (0..78_u32).flat_map(|word| (word * 4).to_le_bytes()).collect();
        let expected = Performance {
            faults: 60,
            pages_read: 80,
            page_reads: 84,
            dirty_pages_written: 96,
            dirty_writes: 100,
            mapped_pages_written: 104,
            mapped_writes: 108,
            free_ptes: 136,
            syscalls: 308,
        };
        assert_eq!((bytes.len(), performance(&bytes)), (312, Some(expected)));
        for cut in 0..312 {
            assert_eq!(performance(&bytes[..cut]), None);
        }
        let newer: Vec<u8> = bytes.iter().copied().chain([0xFF; 32]).collect();
        assert_eq!(performance(&newer), Some(expected));
    }

    // Wine answers with zeros where it counts nothing: a host without a single page fault.
    #[test]
    fn what_was_never_counted_is_no_reading() {
        assert_eq!(performance(&[0; 312]), None);
        let mut bytes = [0; 312];
        bytes[308] = 1;
        assert_eq!(performance(&bytes).map(|performance| performance.syscalls), Some(1));
    }

    #[test]
    fn exceptions_are_the_second_count() {
        let bytes: Vec<u8> = [11_u32, 22, 33, 44].into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!((exceptions(&bytes), exceptions(&bytes[..7])), (Some(22), None));
    }

    #[test]
    fn page_lists_add_up_in_bytes() {
        let words = |words: [u64; 22]| words.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
        let bytes = words([1, 2, 10, 20, 99, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        let expected = MemoryLists { standby_bytes: 36 * 4096, modified_bytes: 30 * 4096, free_zero_bytes: 3 * 4096 };
        assert_eq!(memory_lists(&bytes, 4096), Some(expected));
        assert_eq!(memory_lists(&bytes[..168], 4096), Some(expected));
        assert_eq!(memory_lists(&bytes[..103], 4096), None);
        let absurd = memory_lists(&words([u64::MAX; 22]), 4096).unwrap();
        assert_eq!(absurd.standby_bytes, u64::MAX);
    }
}
