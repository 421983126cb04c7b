//! `/proc/meminfo` and `/proc/swaps`. A line of the former counts only with exactly three words (`MemTotal: 123 kB`), as
//! in the Go agent, which leaves out the page counts of huge pages; values are kibibytes in both.

use super::Host;
use super::fs::unescape;
use super::text::{lines, numbers};
use crate::types::{MemInfo, PageFile, SwapInfo};
use std::io;

/// A host that swaps to more than this is not read further; the kernel allows 32.
const MAX_SWAPS: usize = 64;

impl Host {
    /// `/proc/meminfo`.
    ///
    /// # Errors
    /// The file cannot be read, or does not tell the memory ([`io::ErrorKind::InvalidData`]).
    pub fn mem_info(&mut self) -> io::Result<MemInfo> {
        self.parse("proc/meminfo", parse_mem)
    }

    /// What no program holds, in bytes, as it was told before Linux had MemAvailable: MemFree + Buffers + Cached. Windows:
    /// ullAvailPhys.
    ///
    /// # Errors
    /// The file cannot be read, or does not tell it ([`io::ErrorKind::InvalidData`]).
    pub fn mem_unused(&mut self) -> io::Result<u64> {
        self.parse("proc/meminfo", unused)
    }

    /// `/proc/meminfo`.
    ///
    /// # Errors
    /// The file cannot be read, or does not tell the swap ([`io::ErrorKind::InvalidData`]).
    pub fn swap_info(&mut self) -> io::Result<SwapInfo> {
        self.parse("proc/meminfo", parse_swap)
    }
}

/// Each file and device of `/proc/swaps`; always the plain `/proc`, for no namespace has swap of its own.
///
/// # Errors
/// The file cannot be read; a host without swap is no error.
pub fn page_files() -> io::Result<Vec<PageFile>> {
    Host::new("/").parse("proc/swaps", |bytes| Ok(parse_swaps(bytes)))
}

/// Name, type, KiB, KiB used, priority. The name is escaped like those of `/proc/mounts`.
fn parse_swaps(bytes: &[u8]) -> Vec<PageFile> {
    let rows = lines(bytes).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, _kind) = (words.next()?, words.next()?);
        let [total_kib, used_kib] = numbers(&mut words)?;
        Some(PageFile {
            name: String::from_utf8_lossy(&unescape(name.as_bytes())).into_owned(),
            total_bytes: total_kib.saturating_mul(1024),
            used_bytes: used_kib.saturating_mul(1024),
        })
    });
    rows.take(MAX_SWAPS).collect()
}

fn parse_mem(bytes: &[u8]) -> Result<MemInfo, &'static str> {
    let total_bytes = value(bytes, "MemTotal").ok_or("no usable MemTotal line")?;
    // MemAvailable came with Linux 3.14; before, this sum is the customary estimate.
    let available_bytes = match value(bytes, "MemAvailable") {
        Some(available) if available > 0 => available,
        _ => unused(bytes)?,
    };
    Ok(MemInfo { total_bytes, available_bytes })
}

fn unused(bytes: &[u8]) -> Result<u64, &'static str> {
    let free = value(bytes, "MemFree").ok_or("no usable MemFree line")?;
    let cached = value(bytes, "Cached").unwrap_or(0);
    Ok(free.saturating_add(value(bytes, "Buffers").unwrap_or(0)).saturating_add(cached))
}

fn parse_swap(bytes: &[u8]) -> Result<SwapInfo, &'static str> {
    match (value(bytes, "SwapTotal"), value(bytes, "SwapFree")) {
        (Some(total_bytes), Some(free_bytes)) => Ok(SwapInfo { total_bytes, free_bytes }),
        _ => Err("no usable SwapTotal and SwapFree lines"),
    }
}

/// The value of the first usable line of that name, in bytes.
fn value(bytes: &[u8], key: &str) -> Option<u64> {
    lines(bytes).find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, kib, _unit) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || name.strip_suffix(':')? != key {
            return None;
        }
        kib.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL_6: &[u8] = b"MemTotal:        8040168 kB\nMemFree:          342296 kB\nMemAvailable:    6500948 kB\n\
        Buffers:          250260 kB\nCached:          5820224 kB\nSwapCached:            0 kB\n\
        SwapTotal:       2097148 kB\nSwapFree:        2097140 kB\nHugePages_Total:       0\nDirectMap4k: 94208 kB\n";
    const NO_SWAP: &[u8] = b"MemTotal: 100 kB\nMemFree: 40 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

    #[test]
    fn takes_what_the_kernel_calls_available() {
        let mem = parse_mem(KERNEL_6).unwrap();
        assert_eq!(mem, MemInfo { total_bytes: 8_040_168 * 1024, available_bytes: 6_500_948 * 1024 });
        assert_eq!(unused(KERNEL_6).unwrap(), (342_296 + 250_260 + 5_820_224) * 1024);
        let swap = parse_swap(KERNEL_6).unwrap();
        assert_eq!(swap, SwapInfo { total_bytes: 2_097_148 * 1024, free_bytes: 2_097_140 * 1024 });
    }

    #[test]
    fn old_kernels_have_no_available() {
        let old = b"MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\nSwapCached: 7 kB\n";
        assert_eq!(parse_mem(old).unwrap().available_bytes, 35 * 1024);
        // A kernel that says 0 is not believed.
        let zero = b"MemTotal: 100 kB\nMemAvailable: 0 kB\nMemFree: 10 kB\n";
        assert_eq!(parse_mem(zero).unwrap().available_bytes, 10 * 1024);
    }

    #[test]
    fn no_swap_is_zero_and_no_lines_is_an_error() {
        assert_eq!(parse_swap(NO_SWAP).unwrap(), SwapInfo::default());
        assert!(parse_swap(b"MemTotal: 100 kB\nSwapTotal: 5 kB\n").is_err());
        assert!(parse_swap(b"").is_err());
    }

    #[test]
    fn lines_count_only_with_three_words() {
        assert!(parse_mem(b"MemTotal: 100\nMemFree: 1 kB\n").is_err());
        assert!(parse_mem(b"MemTotal: 1 2 kB\nMemFree: 1 kB\n").is_err());
        assert!(parse_mem(b"MemTotal 100 kB\nMemFree: 1 kB\n").is_err());
        assert!(parse_mem(b"MemTotal: -1 kB\nMemFree: 1 kB\n").is_err());
        let mem = parse_mem(b"MemTotal: x kB\n\xff\nMemTotal: 3 kB\nMemFree: 1 kB").unwrap();
        assert_eq!(mem, MemInfo { total_bytes: 3072, available_bytes: 1024 });
    }

    #[test]
    fn each_swap_is_a_page_file() {
        let table = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
            /dev/dm-1                               partition\t2097148\t8\t-2\n\
            /swap\\040file\\040(deleted)        file 1048572 18446744073709551615 -3\n\
            /dev/sdb partition -1 0 -2\n/dev/sdc partition 5\n\xff partition 1 1 1\n";
        let swaps = parse_swaps(table);
        assert_eq!(swaps[0], PageFile { name: "/dev/dm-1".into(), total_bytes: 2_097_148 * 1024, used_bytes: 8192 });
        assert_eq!((swaps[1].name.as_str(), swaps[1].used_bytes), ("/swap file (deleted)", u64::MAX));
        assert_eq!(swaps.len(), 2);
        assert!(parse_swaps(b"").is_empty());
        assert_eq!(parse_swaps("/a file 1 1 1\n".repeat(99).as_bytes()).len(), MAX_SWAPS);
        for end in 0..table.len() {
            assert!(parse_swaps(&table[..end]).len() <= 2);
        }
    }

    #[test]
    fn absurd_values_do_not_overflow() {
        let max = u64::MAX;
        let file = format!("MemTotal: {max} kB\nMemFree: {max} kB\nBuffers: {max} kB\nCached: {max} kB\n");
        let mem = parse_mem(file.as_bytes()).unwrap();
        assert_eq!((mem.total_bytes, mem.available_bytes), (max, max));
        for end in 0..KERNEL_6.len() {
            let _ = (parse_mem(&KERNEL_6[..end]), parse_swap(&KERNEL_6[..end]));
        }
    }
}
