//! The list of all processes with their threads: SYSTEM_PROCESS_INFORMATION and SYSTEM_THREAD_INFORMATION (winternl.h;
//! the reserved fields have the names of the kernel's headers).
//!
//! An entry is 256 bytes, its threads of 80 bytes each, and its name somewhere in the same memory, to which the entry
//! has a pointer. Entries follow each other by NextEntryOffset; 0 ends the list.

use super::text::{MAX_NAME, decode_into};
use super::tree::Node;
use super::{positive_at, u16_at, u32_at, u64_at};
use crate::types::Proc;

const ENTRY_BYTES: usize = 256;
const THREAD_BYTES: usize = 80;

/// KTHREAD_STATE of a thread that could run and has no processor.
const READY: u32 = 1;
const DEFERRED_READY: u32 = 7;

/// All processes but the idle one, which is none: its threads stand for processors without work.
///
/// `bytes` is the whole answer and `address` the address at which Windows wrote it, for the names are pointers.
pub(crate) fn entries(bytes: &[u8], address: u64) -> impl Iterator<Item = Entry<'_>> {
    Walk { bytes, address, at: Some(0) }.filter(|entry| entry.pid != 0)
}

struct Walk<'a> {
    bytes: &'a [u8],
    address: u64,
    at: Option<usize>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let at = self.at.take()?;
        let (fields, rest) = self.bytes.get(at..)?.split_at_checked(ENTRY_BYTES)?;
        let next = u32_at(fields, 0)? as usize;
        // Only forwards, and by an entry at least: so the walk ends.
        if next >= ENTRY_BYTES {
            self.at = at.checked_add(next);
        }
        let threads = next.checked_sub(ENTRY_BYTES).and_then(|len| rest.get(..len)).unwrap_or(rest);
        let pid = u64_at(fields, 80).and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        Some(Entry { pid, fields, threads, list: self.bytes, address: self.address })
    }
}

/// One process.
pub(crate) struct Entry<'a> {
    pub pid: u32,
    fields: &'a [u8],
    /// Its threads, and perhaps more behind them.
    threads: &'a [u8],
    list: &'a [u8],
    address: u64,
}

impl Entry<'_> {
    pub(crate) fn threads(&self) -> u32 {
        u32_at(self.fields, 4).unwrap_or(0)
    }

    /// Its place among the others.
    pub(crate) fn node(&self) -> Node {
        let parent = u64_at(self.fields, 88).and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        Node { pid: self.pid, parent, created: positive_at(self.fields, 32).unwrap_or(0) }
    }

    /// Its threads that wait for a processor.
    pub(crate) fn ready_threads(&self) -> u64 {
        let threads = self.threads.chunks_exact(THREAD_BYTES).take(self.threads() as usize);
        let states = threads.filter_map(|thread| u32_at(thread, 68));
        states.filter(|state| matches!(*state, READY | DEFERRED_READY)).count() as u64
    }

    /// The image's name; empty where it has none or where it does not lie in the answer.
    pub(crate) fn name_into(&self, into: &mut String) {
        let units = self.name_bytes().unwrap_or_default().as_chunks().0;
        decode_into(units.iter().take(MAX_NAME).map(|unit| u16::from_le_bytes(*unit)), into);
    }

    fn name_bytes(&self) -> Option<&[u8]> {
        let len = usize::from(u16_at(self.fields, 56)?);
        let at = u64_at(self.fields, 64)?.checked_sub(self.address)?;
        let at = usize::try_from(at).ok()?;
        self.list.get(at..at.checked_add(len)?)
    }

    /// Everything but the name. `now` is the time in the unit of CreateTime: 100 ns since 1601.
    pub(crate) fn fill(&self, now: u64, into: &mut Proc) {
        let time = |at| positive_at(self.fields, at).unwrap_or(0);
        let size = |at| u64_at(self.fields, at).unwrap_or(0);
        into.pid = self.pid;
        into.created = time(32);
        // The clock may have been set back since, and the kernel's own processes may have no time.
        into.age_s = now.saturating_sub(into.created) as f64 / 1e7;
        into.user_us = time(40) / 10;
        into.kernel_us = time(48) / 10;
        into.working_set_bytes = size(144);
        // Wine fills in one of the two; what is in memory and is no mapped file was promised.
        into.memory_bytes = Some(size(200)).filter(|private| *private > 0 || into.working_set_bytes == 0);
        into.threads = self.threads().into();
        into.handles = u32_at(self.fields, 96).map(u64::from);
        into.read_bytes = positive_at(self.fields, 232);
        into.written_bytes = positive_at(self.fields, 240);
    }
}

#[cfg(test)]
mod tests;
