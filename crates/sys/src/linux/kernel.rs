//! What the kernel says of itself as a whole: `/proc/loadavg`, `/proc/uptime`, the limits below `/proc/sys`, and how many
//! processes there are. Each file counts alone: one that cannot be read costs its own numbers only.

use super::text::{first_number, lines};
use super::{Host, files};
use crate::types::{KernelLimits, LoadAvg, SysInfo};
use std::io;

const LOADAVG: &str = "proc/loadavg";

impl Host {
    /// `/proc/loadavg`.
    ///
    /// # Errors
    /// The file cannot be read, or has no three averages ([`io::ErrorKind::InvalidData`]). Windows: always
    /// [`io::ErrorKind::Unsupported`].
    pub fn load_avg(&mut self) -> io::Result<LoadAvg> {
        self.parse(LOADAVG, parse_loadavg)
    }

    /// `/proc/sys/fs/file-max`, `/proc/sys/kernel/pid_max` and `/proc/sys/fs/file-nr`.
    ///
    /// # Errors
    /// None: what cannot be read is absent. Windows: always [`io::ErrorKind::Unsupported`].
    pub fn kernel_limits(&mut self) -> io::Result<KernelLimits> {
        Ok(KernelLimits {
            max_files: self.told("proc/sys/fs/file-max", first_number),
            max_proc: self.told("proc/sys/kernel/pid_max", first_number),
            files_allocated: self.told("proc/sys/fs/file-nr", first_number),
        })
    }

    /// What `uname -r` prints (`/proc/sys/kernel/osrelease`). Windows: its version and build, as `10.0.17763`.
    ///
    /// # Errors
    /// The file cannot be read, or is empty ([`io::ErrorKind::InvalidData`]).
    pub fn kernel_version(&mut self) -> io::Result<String> {
        self.parse("proc/sys/kernel/osrelease", |bytes| {
            lines(bytes).next().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).ok_or("is empty")
        })
    }

    /// Processes: the directories of `/proc` whose name is a number. Threads: the denominator of field 4 of
    /// `/proc/loadavg`. Uptime: `/proc/uptime`.
    ///
    /// # Errors
    /// None: what cannot be read is absent. Windows: the calls' own.
    pub fn sys_info(&mut self) -> io::Result<SysInfo> {
        Ok(SysInfo {
            processes: self.count_processes().ok().filter(|&count| count > 0),
            threads: self.told(LOADAVG, parse_threads),
            handles: None,
            uptime_s: self.told("proc/uptime", parse_uptime).map(|s| s as u64),
        })
    }

    /// Seconds since the kernel began, with hundredths.
    pub(super) fn uptime_s(&mut self) -> io::Result<f64> {
        self.parse("proc/uptime", |bytes| parse_uptime(bytes).ok_or("no time since boot"))
    }

    fn count_processes(&mut self) -> io::Result<u64> {
        files::count_numbered(self.root.dir()?, "proc")
    }

    fn told<T>(&mut self, file: &str, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.read(file).ok()?;
        parse(&self.file)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = &str> {
    lines(bytes).next().unwrap_or("").split_ascii_whitespace()
}

fn parse_loadavg(bytes: &[u8]) -> Result<LoadAvg, &'static str> {
    let mut words = words(bytes);
    let mut load = || {
        let load: f64 = words.next()?.parse().ok()?;
        (load.is_finite() && load >= 0.0).then_some(load)
    };
    match (load(), load(), load()) {
        (Some(one), Some(five), Some(fifteen)) => Ok(LoadAvg { one, five, fifteen }),
        _ => Err("not three load averages"),
    }
}

/// Field 4 is `running/all`.
fn parse_threads(bytes: &[u8]) -> Option<u64> {
    words(bytes).nth(3)?.split_once('/')?.1.parse().ok()
}

fn parse_uptime(bytes: &[u8]) -> Option<f64> {
    let uptime_s: f64 = words(bytes).next()?.parse().ok()?;
    (uptime_s.is_finite() && uptime_s >= 0.0).then_some(uptime_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    #[test]
    fn the_version_is_the_first_line() {
        let (_dir, mut host) = fixture::host(&[("proc/sys/kernel/osrelease", "6.1.0-42-amd64\n")]);
        assert_eq!(host.kernel_version().unwrap(), "6.1.0-42-amd64");
        let (_dir, mut host) = fixture::host(&[("proc/sys/kernel/osrelease", "\n")]);
        assert_eq!(host.kernel_version().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn load_averages_are_three_finite_numbers() {
        let load = parse_loadavg(b"0.20 1.18 12.75 1/80 11206\n").unwrap();
        assert_eq!(load, LoadAvg { one: 0.20, five: 1.18, fifteen: 12.75 });
        for file in ["", "1 2", "1 2 x", "nan 1 1", "1 inf 1", "1 1 -1"] {
            assert!(parse_loadavg(file.as_bytes()).is_err(), "{file:?}");
        }
    }

    #[test]
    fn all_threads_stand_behind_the_slash() {
        assert_eq!(parse_threads(b"0.20 1.18 12.75 1/80 11206\n"), Some(80));
        for file in ["", "1 2 3", "1 2 3 4", "1 2 3 1/", "1 2 3 1/-5", "1 2 3 1/2/3"] {
            assert_eq!(parse_threads(file.as_bytes()), None, "{file:?}");
        }
    }

    #[test]
    fn uptime_is_finite() {
        assert_eq!(parse_uptime(b"350735.47 234388.90\n"), Some(350_735.47));
        for file in ["", "nan 1", "inf", "-1 1", "\n1 1", "x"] {
            assert_eq!(parse_uptime(file.as_bytes()), None, "{file:?}");
        }
    }

    // The Go agent stopped at the first file it could not read, and read file-max as a signed number.
    #[test]
    fn each_limit_stands_alone() {
        let (dir, mut host) = fixture::host(&[
            ("proc/sys/fs/file-max", "18446744073709551615\n"),
            ("proc/sys/fs/file-nr", "1408\t0\t9223372036854775807\n"),
        ]);
        let limits = host.kernel_limits().unwrap();
        let expected = KernelLimits { max_files: Some(u64::MAX), max_proc: None, files_allocated: Some(1408) };
        assert_eq!(limits, expected);
        std::fs::write(dir.path().join("proc/sys/fs/file-max"), "-1\n").unwrap();
        assert_eq!(host.kernel_limits().unwrap(), KernelLimits { max_files: None, ..expected });
        assert_eq!(fixture::host(&[]).1.kernel_limits().unwrap(), KernelLimits::default());
    }

    #[test]
    fn totals_of_the_system_stand_alone() {
        let (dir, mut host) = fixture::host(&[
            ("proc/1/stat", ""),
            ("proc/999999999/stat", ""),
            ("proc/self/stat", ""),
            ("proc/1x/stat", ""),
            ("proc/uptime", "99.99 5.00\n"),
        ]);
        let info = host.sys_info().unwrap();
        assert_eq!(info, SysInfo { processes: Some(2), threads: None, handles: None, uptime_s: Some(99) });
        std::fs::remove_dir_all(dir.path().join("proc")).unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        std::fs::write(dir.path().join("proc/loadavg"), "0 0 0 1/345 1\n").unwrap();
        // A host without a process is no host: nothing is mounted there.
        assert_eq!(host.sys_info().unwrap(), SysInfo { threads: Some(345), ..SysInfo::default() });
        assert_eq!(Host::new(dir.path().join("gone")).sys_info().unwrap(), SysInfo::default());
    }
}
