//! The agent's own process: what it uses, and how its heap behaves. Always the plain `/proc`, never below a prefix.

use super::files::count_numbered;
use super::host::Host;
use super::process::{Numbers, parse_stat};
use crate::types::SelfUsage;
use rustix::fs::{CWD, Mode, OFlags};
use std::io;

/// Resident memory, CPU time and open files of this process.
///
/// # Errors
/// `/proc/self` cannot be read or understood.
pub fn self_usage() -> io::Result<SelfUsage> {
    let numbers = numbers()?;
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    // The listing holds one descriptor of its own.
    let handles = count_numbered(CWD, "/proc/self/fd")?.saturating_sub(1);
    Ok(SelfUsage {
        rss_bytes: numbers.rss_pages.saturating_mul(rustix::param::page_size() as u64),
        cpu_us: microseconds(cpu.tv_sec, cpu.tv_nsec),
        handles: Some(handles),
    })
}

impl Host {
    /// Threads of this process.
    ///
    /// # Errors
    /// `/proc/self/stat` cannot be read or understood.
    pub fn own_threads(&mut self) -> io::Result<u64> {
        Ok(numbers()?.threads)
    }
}

fn numbers() -> io::Result<Numbers> {
    let mut line = [0; 1024];
    let file = rustix::fs::open("/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // One read, for the kernel has the line ready at the first; what is asked of it stands in its first half.
    let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut line))?;
    let stat = line.get(..read).and_then(parse_stat);
    stat.map(|stat| stat.numbers)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/stat: no threads and pages"))
}

fn microseconds(s: i64, ns: i64) -> u64 {
    u64::try_from(s.saturating_mul(1_000_000).saturating_add(ns / 1_000)).unwrap_or(0)
}

/// Keeps a burst from staying in the heap (mallopt(3)): large blocks come from their own mapping and go back at once,
/// free memory at the top goes back from 128 KiB on, and threads share two arenas. Call once, before threads start.
#[cfg(target_env = "gnu")]
pub fn limit_heap_growth() {
    const KEEP_BYTES: libc::c_int = 128 << 10;
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, KEEP_BYTES), (libc::M_TRIM_THRESHOLD, KEEP_BYTES), (libc::M_ARENA_MAX, 2)]
    {
        // SAFETY: mallopt takes two integers and locks its own state. Its answer is not needed: a refused parameter
        // leaves the default.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Gives the free pages between what is in use back too (malloc_trim(3)): after a burst of which a little is kept. Some
/// milliseconds, during which other threads may wait for memory.
#[cfg(target_env = "gnu")]
pub fn trim_heap() {
    // SAFETY: malloc_trim takes an integer and locks what it walks over.
    unsafe { libc::malloc_trim(0) };
}

/// Only glibc's heap keeps what a burst took.
#[cfg(not(target_env = "gnu"))]
pub fn limit_heap_growth() {}

/// Only glibc's heap keeps what a burst took.
#[cfg(not(target_env = "gnu"))]
pub fn trim_heap() {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn open_files_are_counted() {
        let before = self_usage().unwrap();
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        // Other tests open and close a few at the same time.
        let after = self_usage().unwrap();
        assert!(after.handles.unwrap() >= before.handles.unwrap() + 50, "{before:?} {after:?}");
        drop(files);
        assert!(after.rss_bytes > 100 << 10, "{after:?}");
    }

    #[test]
    fn cpu_time_is_in_microseconds() {
        assert_eq!(microseconds(2, 345_678_901), 2_345_678);
        assert_eq!(microseconds(-1, 0), 0);
        assert_eq!(microseconds(i64::MAX, 0), i64::MAX as u64);
    }
}
