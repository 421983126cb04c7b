//! What the memory manager counts: faults, paging and system calls (SystemPerformanceInformation), exceptions
//! (SystemExceptionInformation) and page lists (SystemMemoryListInformation).

use super::ffi::Buffer;
use super::mem;
use super::ntdll::{Class, query};
use super::token::enable_profile_privilege;
use crate::layout::memory;
use crate::layout::widened::Wide;
use crate::types::{MemoryLists, Paging};
use std::io;

/// Larger than any of these answers; a newer Windows may add to them.
const BYTES: usize = 1 << 10;
const MOST_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Counts {
    faults: Wide,
    pages_read: Wide,
    page_reads: Wide,
    dirty_pages_written: Wide,
    dirty_writes: Wide,
    mapped_pages_written: Wide,
    mapped_writes: Wide,
    syscalls: Wide,
}

impl Counts {
    fn add(&mut self, now: &memory::Performance) -> Paging {
        let (dirty, mapped) = (
            self.dirty_pages_written.add(now.dirty_pages_written),
            self.mapped_pages_written.add(now.mapped_pages_written),
        );
        let (dirty_writes, mapped_writes) =
            (self.dirty_writes.add(now.dirty_writes), self.mapped_writes.add(now.mapped_writes));
        Paging {
            faults: self.faults.add(now.faults),
            pages_in: self.pages_read.add(now.pages_read),
            pages_out: dirty.saturating_add(mapped),
            reads: self.page_reads.add(now.page_reads),
            writes: dirty_writes.saturating_add(mapped_writes),
            free_ptes: now.free_ptes.into(),
            syscalls: self.syscalls.add(now.syscalls),
        }
    }
}

pub(super) fn paging(counts: &mut Counts, buffer: &mut Buffer) -> io::Result<Paging> {
    let performance = memory::performance(query(Class::Performance, buffer, BYTES, MOST_BYTES)?);
    Ok(counts.add(&performance.ok_or(io::ErrorKind::Unsupported)?))
}

pub(super) type Exceptions = Wide;

pub(super) fn exceptions(count: &mut Exceptions, buffer: &mut Buffer) -> io::Result<u64> {
    let now = memory::exceptions(query(Class::Exceptions, buffer, BYTES, MOST_BYTES)?);
    Ok(count.add(now.ok_or(io::ErrorKind::InvalidData)?))
}

/// Standby, modified and free pages. Enables SeProfileSingleProcessPrivilege for this process, which LocalSystem and
/// administrators hold.
///
/// # Errors
/// The call's own; it names the privilege where this account does not hold it.
pub fn memory_lists() -> io::Result<MemoryLists> {
    let privilege = enable_profile_privilege();
    read_memory_lists().map_err(|e| match privilege {
        Err(missing) if e.kind() != io::ErrorKind::Unsupported => {
            io::Error::new(e.kind(), format!("{e} (SeProfileSingleProcessPrivilege: {missing})"))
        }
        _ => e,
    })
}

fn read_memory_lists() -> io::Result<MemoryLists> {
    let page_bytes = mem::page_bytes()?;
    // Windows 7 has one word less than its successors, and either may insist on its own size.
    let mut answer = Err(io::ErrorKind::Unsupported.into());
    for size in [22 * 8, 21 * 8] {
        let mut buffer = Buffer::default();
        answer = query(Class::MemoryLists, &mut buffer, size, size)
            .and_then(|bytes| memory::memory_lists(bytes, page_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into()));
        // What `fill` says of an answer of another size.
        if !matches!(&answer, Err(e) if e.kind() == io::ErrorKind::OutOfMemory) {
            break;
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_both_kinds_add_up_beyond_32_bits() {
        let first = memory::Performance {
            faults: u32::MAX,
            pages_read: 1,
            page_reads: 2,
            dirty_pages_written: u32::MAX,
            dirty_writes: 3,
            mapped_pages_written: u32::MAX,
            mapped_writes: 4,
            free_ptes: 5,
            syscalls: 6,
        };
        let mut counts = Counts::default();
        let max = u64::from(u32::MAX);
        let expected =
            Paging { faults: max, pages_in: 1, pages_out: 2 * max, reads: 2, writes: 7, free_ptes: 5, syscalls: 6 };
        assert_eq!(counts.add(&first), expected);
        // Both wrap, one by one; the level is not a count.
        let next =
            memory::Performance { faults: 0, dirty_pages_written: 9, mapped_pages_written: 0, free_ptes: 1, ..first };
        let expected = Paging { faults: max + 1, pages_out: 2 * max + 11, free_ptes: 1, ..expected };
        assert_eq!(counts.add(&next), expected);
    }
}
