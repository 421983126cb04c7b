//! The agent's own process: what it uses, and how its heap behaves. Always the plain `/proc`, never below a prefix.

use crate::types::SelfUsage;
use std::{fs, io};

/// Resident memory, CPU time, open files and threads of this process.
///
/// # Errors
/// `/proc/self` cannot be read or understood.
pub fn self_usage() -> io::Result<SelfUsage> {
    let stat = parse_stat(&fs::read("/proc/self/stat")?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/stat: no threads and pages"))?;
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    // The listing holds one descriptor of its own.
    let files = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    Ok(SelfUsage {
        rss_bytes: stat.rss_pages.saturating_mul(rustix::param::page_size() as u64),
        cpu_us: microseconds(cpu.tv_sec, cpu.tv_nsec),
        handles: files as u64,
        threads: Some(stat.threads),
    })
}

fn microseconds(s: i64, ns: i64) -> u64 {
    u64::try_from(s.saturating_mul(1_000_000).saturating_add(ns / 1_000)).unwrap_or(0)
}

struct Stat {
    threads: u64,
    rss_pages: u64,
}

/// Fields 20 and 24 of proc_pid_stat(5). Field 2, the name, is in parentheses and may contain some.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|&b| b == b')')?;
    let mut fields = std::str::from_utf8(bytes.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let threads = fields.nth(20 - 3)?.parse().ok()?;
    let rss_pages = fields.nth(24 - 21)?.parse().ok()?;
    Some(Stat { threads, rss_pages })
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

/// Only glibc's heap keeps what a burst took.
#[cfg(not(target_env = "gnu"))]
pub fn limit_heap_growth() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_contain_anything() {
        let line = b"42 (a) S 9) R 1 42 42 0 -1 4194560 1213 0 0 0 15 7 0 0 20 0 13 0 7000 22380544 991 18446744073709551615 1\n";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.threads, stat.rss_pages), (13, 991));
        for end in 0..line.len() - 30 {
            let _ = parse_stat(&line[..end]);
        }
        assert!(parse_stat(b"42 (a) S 1 2").is_none());
    }

    #[test]
    fn open_files_are_counted() {
        let before = self_usage().unwrap();
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        // Other tests open and close a few at the same time.
        let after = self_usage().unwrap();
        assert!(after.handles >= before.handles + 50, "{before:?} {after:?}");
        drop(files);
        assert!(after.rss_bytes > 100 << 10 && after.threads.is_some_and(|n| n >= 1), "{after:?}");
    }

    #[test]
    fn cpu_time_is_in_microseconds() {
        assert_eq!(microseconds(2, 345_678_901), 2_345_678);
        assert_eq!(microseconds(-1, 0), 0);
        assert_eq!(microseconds(i64::MAX, 0), i64::MAX as u64);
    }
}
