//! The processes of the host: `/proc/PID/comm` of each, and `stat`, `io` and `fd` of those somebody wants to know more
//! about. `comm` is a fraction of the work that `stat` is, of which the kernel sums up every thread.
//!
//! A process that ends while it is looked at is absent, and so is one that has ended and is not yet waited for. Whose
//! `io` and `fd` may not be read has neither, and is counted all the same. Source: proc_pid_comm(5), proc_pid_stat(5),
//! proc_pid_io(5), proc_pid_fd(5).

use super::rows::{Rows, renamed};
use super::text::lines;
use super::{Host, files};
use crate::types::Proc;
use rustix::fs::AtFlags;
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// More processes than this are not told of.
const MAX_PROCESSES: usize = 1 << 17;

/// What the kernel keeps of a name (TASK_COMM_LEN, less the NUL).
const COMM: usize = 15;

/// Of a file (NAME_MAX).
const MAX_NAME: usize = 255;

impl Host {
    /// The processes whose name `wanted` accepts. It is asked with what the kernel keeps of the name, once for every
    /// process and also for those that have just ended; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// `/proc` cannot be listed, or `/proc/uptime` not be read.
    pub fn processes(&mut self, wanted: &mut dyn FnMut(&str) -> bool, into: &mut Vec<Proc>) -> io::Result<()> {
        let uptime_s = self.uptime_s()?;
        let units = Units::new(rustix::param::clock_ticks_per_second(), rustix::param::page_size());
        let Host { root, file, path, name, .. } = self;
        let proc = root.dir().and_then(|dir| files::open_dir(dir, "proc")).map_err(|e| root.name("proc", &e))?;
        // In a fixture the size of a directory is that of the directory.
        let sizes_count = rustix::fs::fstatfs(&proc).is_ok_and(|fs| fs.f_type == rustix::fs::PROC_SUPER_MAGIC);
        let mut rows = Rows::new(into, MAX_PROCESSES);
        files::each_entry(&proc, |entry| {
            let Some(pid) = files::numbered(entry, "") else { return };
            let one = Looked { proc: proc.as_fd(), pid };
            // Kernels before 2.6.33 have no `comm`.
            let known = one.read("comm", path, file).is_ok();
            if known {
                show(file.strip_suffix(b"\n").unwrap_or(file), name);
                if !wanted(name) {
                    return;
                }
            }
            if one.read("stat", path, file).is_err() {
                return;
            }
            let Some(stat) = parse_stat(file).filter(Stat::lives) else { return };
            if !known {
                show(stat.name, name);
                if !wanted(name) {
                    return;
                }
            }
            let cut: Option<[u8; COMM]> = stat.name.try_into().ok();
            let numbers = stat.numbers;
            let handles = one.handles(sizes_count, path);
            let io = one.read("io", path, file);
            // What is missing may be what this kernel does not have; of a process that ended it is nothing.
            let doubtful =
                handles.as_ref().map_or_else(is_gone, |count| *count == 0) || io.as_ref().is_err_and(is_gone);
            let (read_bytes, written_bytes) = match io {
                Ok(()) => (parse_io(file, "read_bytes"), parse_io(file, "write_bytes")),
                Err(_) => (None, None),
            };
            if doubtful && !one.still_lives(numbers.start_ticks, path, file) {
                return;
            }
            if let Some(begin) = cut
                && one.read("cmdline", path, file).is_ok()
            {
                complete(name, &begin, file);
            }
            let Some(row) = rows.next_row() else { return };
            let name = renamed(&mut row.name, name);
            *row =
                Proc { pid, name, handles: handles.ok(), read_bytes, written_bytes, ..units.told(&numbers, uptime_s) };
        })
        .map_err(|e| root.name("proc", &e))
    }

    /// All processes, and of each what `stat` alone tells: one file each. A name that the kernel cut stays cut; there are no
    /// `handles`, and no bytes of I/O. Nor does it tell how many threads wait for a processor.
    ///
    /// # Errors
    /// `/proc` cannot be listed, or `/proc/uptime` not be read.
    pub fn process_times(&mut self, into: &mut Vec<Proc>) -> io::Result<Option<u64>> {
        let uptime_s = self.uptime_s()?;
        let units = Units::new(rustix::param::clock_ticks_per_second(), rustix::param::page_size());
        let Host { root, file, path, name, .. } = self;
        let proc = root.dir().and_then(|dir| files::open_dir(dir, "proc")).map_err(|e| root.name("proc", &e))?;
        let mut rows = Rows::new(into, MAX_PROCESSES);
        files::each_entry(&proc, |entry| {
            let Some(pid) = files::numbered(entry, "") else { return };
            if (Looked { proc: proc.as_fd(), pid }).read("stat", path, file).is_err() {
                return;
            }
            let Some(stat) = parse_stat(file).filter(Stat::lives) else { return };
            let Some(row) = rows.next_row() else { return };
            show(stat.name, name);
            let numbers = stat.numbers;
            *row = Proc { pid, name: renamed(&mut row.name, name), ..units.told(&numbers, uptime_s) };
        })
        .map_err(|e| root.name("proc", &e))?;
        Ok(None)
    }
}

/// A process while it is looked at.
struct Looked<'a> {
    proc: BorrowedFd<'a>,
    pid: u32,
}

impl Looked<'_> {
    fn read(&self, file: &str, path: &mut String, into: &mut Vec<u8>) -> io::Result<()> {
        self.set_path(file, path);
        files::read_once(self.proc, path, into)
    }

    /// Open files. Linux 6.2 made their number the size of the directory, which one call tells and everybody may ask.
    fn handles(&self, sizes_count: bool, path: &mut String) -> io::Result<u64> {
        self.set_path("fd", path);
        if sizes_count {
            let size = rustix::fs::statat(self.proc, path.as_str(), AtFlags::empty())?.st_size;
            if let Some(count) = u64::try_from(size).ok().filter(|count| *count > 0) {
                return Ok(count);
            }
        }
        files::count_numbered(self.proc, path)
    }

    fn still_lives(&self, start_ticks: u64, path: &mut String, into: &mut Vec<u8>) -> bool {
        self.read("stat", path, into).is_ok()
            && parse_stat(into).is_some_and(|stat| stat.lives() && stat.numbers.start_ticks == start_ticks)
    }

    fn set_path(&self, file: &str, path: &mut String) {
        path.clear();
        // Writing to a String does not fail.
        let _ = write!(path, "{}/{file}", self.pid);
    }
}

/// Whether an error says that there is no such process, or no such file of it; and not that it is kept from us.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The name as text.
pub(super) fn show(bytes: &[u8], name: &mut String) {
    name.clear();
    for chunk in bytes.utf8_chunks() {
        name.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            name.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Completes a name that the kernel cut with the file name of the first word of `cmdline`, if that begins with it: a
/// program may write there what it likes.
fn complete(name: &mut String, begin: &[u8], cmdline: &[u8]) {
    let word = cmdline.split(|&b| b == 0).next().unwrap_or_default();
    let file = word.rsplit(|&b| b == b'/').next().unwrap_or_default();
    if file.len() <= MAX_NAME && file.starts_with(begin) {
        show(file, name);
    }
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

    /// A process, as far as its numbers tell.
    fn told(&self, numbers: &Numbers, uptime_s: f64) -> Proc {
        let rss_bytes = self.bytes(numbers.rss_pages);
        Proc {
            created: numbers.start_ticks,
            age_s: (uptime_s - self.seconds(numbers.start_ticks)).max(0.0),
            user_us: self.microseconds(numbers.user_ticks),
            kernel_us: self.microseconds(numbers.kernel_ticks),
            memory_bytes: Some(rss_bytes),
            working_set_bytes: rss_bytes,
            threads: numbers.threads,
            ..Proc::default()
        }
    }
}

/// What `/proc/PID/stat` tells.
pub(super) struct Stat<'a> {
    name: &'a [u8],
    state: &'a str,
    pub(super) numbers: Numbers,
}

pub(super) struct Numbers {
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
    let numbers = Numbers { user_ticks, kernel_ticks, threads, start_ticks, rss_pages };
    Some(Stat { name, state, numbers })
}

fn parse_io(bytes: &[u8], name: &str) -> Option<u64> {
    let (_, value) = lines(bytes).filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name)?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests;
