//! What only Windows has, or only Windows is asked for. Nothing here reads anything.

use super::Host;
use crate::types::{CommitInfo, DiskIo, Drives, Extent, MemoryLists, Paging, PerfNames, Service, SqlInstance};
use std::io;

impl Host {
    /// Linux is not asked for its paging.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn paging(&mut self) -> io::Result<Paging> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Linux does not count exceptions.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn exceptions(&mut self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// All devices of Linux stand in one table: [`Host::disk_stats`].
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn drives(&mut self) -> io::Result<Drives> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Linux has no commit charge in the sense of Windows.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn commit_info() -> io::Result<CommitInfo> {
    Err(io::ErrorKind::Unsupported.into())
}

/// All devices of Linux stand in one table: [`Host::disk_stats`].
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn disk_io(_name: &str) -> io::Result<DiskIo> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no code page: what a program writes is UTF-8, or bytes that nobody names the encoding of.
pub fn oem_text(_bytes: &[u8]) -> Option<String> {
    None
}

/// Linux has no drive letters.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn letter_disks(_letter: &str) -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no page lists in the sense of Windows.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn memory_lists() -> io::Result<MemoryLists> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no one place that names the time servers.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn ntp_servers() -> io::Result<Vec<String>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The services of Linux are units of systemd, which a program of its own tells of.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn services(_wants_start: &dyn Fn(&Service) -> bool) -> io::Result<(Vec<Service>, Extent)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Performance counters of Windows: there are none.
#[derive(Debug, Default)]
pub struct PerfData(());

impl PerfData {
    /// Opens nothing.
    #[must_use]
    pub fn new() -> PerfData {
        PerfData::default()
    }

    /// Linux has no performance counters in the sense of Windows.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn query(&mut self, _what: &str) -> io::Result<&[u8]> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nothing is open.
    pub fn close(&mut self) {}
}

/// Linux has no performance counters in the sense of Windows.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn perf_names(_source: PerfNames) -> io::Result<Vec<u16>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no performance counters in the sense of Windows.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn perf_last_counter() -> io::Result<Option<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no performance counters in the sense of Windows.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn perf_disabled() -> io::Result<Vec<String>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nobody is asked for SQL Server on Linux: it has no counters there.
///
/// # Errors
/// None.
pub fn sql_instances() -> io::Result<Vec<SqlInstance>> {
    Ok(Vec::new())
}

/// There is no IIS on Linux.
///
/// # Errors
/// None.
pub fn iis_version() -> io::Result<Option<(u32, u32)>> {
    Ok(None)
}
