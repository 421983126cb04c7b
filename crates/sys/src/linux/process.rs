//! The processes of the host: `/proc/PID/stat` of each, and `io` and `fd` of those somebody wants to know more about.
//!
//! A process that ends while it is looked at is absent, and so is one that has ended and is not yet waited for. Whose
//! `io` and `fd` may not be read has neither, and is counted all the same. Source: proc_pid_stat(5), proc_pid_io(5).

use super::rows::{Rows, renamed};
use super::text::lines;
use super::{Host, files};
use crate::types::Proc;
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// More processes than this are not told of.
const MAX_PROCESSES: usize = 1 << 17;

impl Host {
    /// The processes whose name `wanted` accepts. It is asked once for every process, with the name that [`Proc::name`]
    /// shows; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// `/proc` cannot be listed, or `/proc/uptime` not be read.
    pub fn processes(&mut self, wanted: &mut dyn FnMut(&str) -> bool, into: &mut Vec<Proc>) -> io::Result<()> {
        let uptime_s = self.uptime_s()?;
        let units = Units::new(rustix::param::clock_ticks_per_second(), rustix::param::page_size());
        let Host { root, file, path, name } = self;
        let proc = root.dir().and_then(|dir| files::open_dir(dir, "proc")).map_err(|e| root.name("proc", &e))?;
        let mut rows = Rows::new(into, MAX_PROCESSES);
        files::each_entry(&proc, |entry| {
            let Some(pid) = files::numbered(entry, "") else { return };
            if read_of(proc.as_fd(), pid, "stat", path, file).is_err() {
                return;
            }
            let Some(stat) = parse_stat(file).filter(Stat::lives) else { return };
            name.clear();
            for chunk in stat.name.utf8_chunks() {
                name.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    name.push(char::REPLACEMENT_CHARACTER);
                }
            }
            if !wanted(name) {
                return;
            }
            let Some(row) = rows.next_row() else { return };
            let rss_bytes = units.bytes(stat.rss_pages);
            *row = Proc {
                pid,
                name: renamed(&mut row.name, name),
                created: stat.start_ticks,
                age_s: (uptime_s - units.seconds(stat.start_ticks)).max(0.0),
                user_us: units.microseconds(stat.user_ticks),
                kernel_us: units.microseconds(stat.kernel_ticks),
                memory_bytes: Some(rss_bytes),
                working_set_bytes: rss_bytes,
                threads: stat.threads,
                handles: None,
                read_bytes: None,
                written_bytes: None,
            };
            row.handles = count_files(proc.as_fd(), pid, path).ok();
            if read_of(proc.as_fd(), pid, "io", path, file).is_ok() {
                row.read_bytes = parse_io(file, "read_bytes");
                row.written_bytes = parse_io(file, "write_bytes");
            }
        })
        .map_err(|e| root.name("proc", &e))
    }
}

fn set_path(path: &mut String, pid: u32, file: &str) {
    path.clear();
    // Writing to a String does not fail.
    let _ = write!(path, "{pid}/{file}");
}

fn read_of(proc: BorrowedFd<'_>, pid: u32, file: &str, path: &mut String, into: &mut Vec<u8>) -> io::Result<()> {
    set_path(path, pid, file);
    files::read(proc, path, into)
}

fn count_files(proc: BorrowedFd<'_>, pid: u32, path: &mut String) -> io::Result<u64> {
    set_path(path, pid, "fd");
    files::count_numbered(proc, path)
}

/// What the kernel's units are on this host.
struct Units {
    ticks_per_s: u64,
    page_bytes: u64,
}

impl Units {
    fn new(ticks_per_s: u64, page_bytes: usize) -> Units {
        Units { ticks_per_s: ticks_per_s.max(1), page_bytes: page_bytes as u64 }
    }

    fn microseconds(&self, ticks: u64) -> u64 {
        let us = u128::from(ticks) * 1_000_000 / u128::from(self.ticks_per_s);
        u64::try_from(us).unwrap_or(u64::MAX)
    }

    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_s as f64
    }

    fn bytes(&self, pages: u64) -> u64 {
        pages.saturating_mul(self.page_bytes)
    }
}

/// What `/proc/PID/stat` tells.
pub(super) struct Stat<'a> {
    name: &'a [u8],
    state: &'a str,
    user_ticks: u64,
    kernel_ticks: u64,
    pub(super) threads: u64,
    start_ticks: u64,
    pub(super) rss_pages: u64,
}

impl Stat<'_> {
    /// Z is a process that has ended, X one that is just going.
    fn lives(&self) -> bool {
        !["Z", "X", "x"].contains(&self.state)
    }
}

/// Fields 2, 3, 14, 15, 20, 22 and 24 of proc_pid_stat(5). Field 2, the name, is in parentheses and may contain some.
pub(super) fn parse_stat(bytes: &[u8]) -> Option<Stat<'_>> {
    let name_begin = bytes.iter().position(|&b| b == b'(')? + 1;
    let name_end = bytes.iter().rposition(|&b| b == b')')?;
    let name = bytes.get(name_begin..name_end)?;
    let mut fields = std::str::from_utf8(bytes.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let user_ticks = fields.nth(14 - 4)?.parse().ok()?;
    let kernel_ticks = fields.next()?.parse().ok()?;
    let threads = fields.nth(20 - 16)?.parse().ok()?;
    let start_ticks = fields.nth(22 - 21)?.parse().ok()?;
    let rss_pages = fields.nth(24 - 23)?.parse().ok()?;
    // Without a field behind it, the last number may be cut.
    fields.next()?;
    Some(Stat { name, state, user_ticks, kernel_ticks, threads, start_ticks, rss_pages })
}

fn parse_io(bytes: &[u8], name: &str) -> Option<u64> {
    let (_, value) = lines(bytes).filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name)?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests;
