//! The host as the collectors ask it. Every path is below one root, so that a container sees the host (`NUX_ROOTFS` of
//! the Go agent) and a test sees a fixture. What is asked stands beside what is parsed: `cpu`, `disk`, `net`, ...
//!
//! A host owns the buffers it reads into, so that asking it again and again takes no memory. It is cheap to clone, and
//! a clone has buffers of its own.

use super::files::{self, Root};
use crate::types::Extent;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a buffer that are kept from one file to the next; what a longer file took goes back.
const KEEP: usize = 1 << 20;

/// The host whose files lie below a root.
pub struct Host {
    pub(super) root: Arc<Root>,
    /// The file that was read last.
    pub(super) file: Vec<u8>,
    /// Whether that is all of it.
    pub(super) extent: Extent,
    /// The path of a file whose name is put together.
    pub(super) path: String,
    /// A name while it is asked about.
    pub(super) name: String,
}

impl Host {
    /// `/` is the plain host; anything else is a prefix of every path below `/proc` and `/sys`, and of every mount
    /// point. Windows ignores it.
    pub fn new(root: impl Into<PathBuf>) -> Host {
        Host::below(Arc::new(Root::new(root.into())))
    }

    fn below(root: Arc<Root>) -> Host {
        Host { root, file: Vec::new(), extent: Extent::Whole, path: String::new(), name: String::new() }
    }

    /// Reads a file into `self.file`. Its error names no file and takes no memory.
    pub(super) fn read(&mut self, file: &str) -> io::Result<()> {
        self.extent = files::read(self.root.dir()?, file, &mut self.file)?;
        Ok(())
    }

    /// Gives back the memory of a file that was uncommonly long.
    pub(super) fn release(&mut self) {
        if self.file.capacity() > KEEP {
            self.file = Vec::new();
        }
    }

    /// What `parse` makes of a file.
    pub(super) fn parse<T>(
        &mut self,
        file: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> io::Result<T> {
        self.read(file).map_err(|e| self.root.name(file, &e))?;
        let told = parse(&self.file).map_err(|what| self.root.damaged(file, what));
        self.release();
        told
    }

    /// Reads a file of `/proc/net` into `self.file`, and leaves in `self.path` which one it was.
    ///
    /// `/proc/net` is the reader's own network namespace, also below a root prefix: there process 1 shows the host's.
    pub(super) fn read_net(&mut self, file: &str) -> io::Result<()> {
        if !self.root.is_plain() {
            self.set_path(&["proc/1/net/", file]);
            if let Ok(extent) = files::read(self.root.dir()?, &self.path, &mut self.file) {
                self.extent = extent;
                return Ok(());
            }
        }
        self.set_path(&["proc/net/", file]);
        self.extent = files::read(self.root.dir()?, &self.path, &mut self.file)?;
        Ok(())
    }

    /// What `parse` makes of a file of `/proc/net`.
    pub(super) fn parse_net<T>(
        &mut self,
        file: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> io::Result<T> {
        self.read_net(file).map_err(|e| self.root.name(&self.path, &e))?;
        let told = parse(&self.file).map_err(|what| self.root.damaged(&self.path, what));
        self.release();
        told
    }

    pub(super) fn set_path(&mut self, parts: &[&str]) {
        self.path.clear();
        self.path.extend(parts.iter().copied());
    }
}

impl Clone for Host {
    fn clone(&self) -> Host {
        Host::below(self.root.clone())
    }
}

// The buffers would fill pages.
impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("root", &self.root.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use super::Host;
    use std::fs::{create_dir_all, write};
    use tempfile::TempDir;

    /// A host whose root has the given files below it.
    pub(in crate::linux) fn host(files: &[(&str, &str)]) -> (TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = dir.path().join(file);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, text).unwrap();
        }
        let host = Host::new(dir.path());
        (dir, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{MemInfo, SwapInfo};

    #[test]
    fn every_file_is_below_the_root() {
        let (dir, mut host) = fixture::host(&[
            ("proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4\nctxt 77\n"),
            ("proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 4 kB\nSwapTotal: 2 kB\nSwapFree: 1 kB\n"),
            ("proc/loadavg", "1.00 2.00 3.00 1/1 1\n"),
            ("proc/mounts", "/dev/vda1 /data ext4 rw 0 0\n"),
            ("proc/net/dev", "eth0:1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n veth1: 3 0 0 0 0 0 0 0 4 0 0 0 0 0 0 0\n"),
            ("sys/class/net/eth0/speed", "10000\n"),
            ("sys/class/net/veth1/speed", "-1\n"),
        ]);
        assert_eq!(host.cpu_stat().unwrap().context_switches, Some(77));
        assert_eq!(host.mem_info().unwrap(), MemInfo { total_bytes: 10240, available_bytes: 4096 });
        assert_eq!(host.swap_info().unwrap(), SwapInfo { total_bytes: 2048, free_bytes: 1024 });
        assert_eq!(host.load_avg().unwrap().fifteen, 3.0);
        let mut mounts = Vec::new();
        assert_eq!(host.mounts(&mut mounts).unwrap(), Extent::Whole);
        assert_eq!((mounts[0].mount.as_str(), &mounts[0].path), ("/data", &dir.path().join("data")));
        let mut ifs = Vec::new();
        assert_eq!(host.clone().net_ifs(&mut ifs).unwrap(), Extent::Whole);
        assert_eq!(ifs.iter().map(|i| i.speed_bits_per_s).collect::<Vec<_>>(), [Some(10_000_000_000), None]);
    }

    // In a container /proc/mounts and /proc/net below the root are the container's own, whatever procfs it is.
    #[test]
    fn below_a_prefix_mounts_and_network_are_those_of_process_1() {
        let (dir, mut host) = fixture::host(&[
            ("proc/mounts", "overlay / overlay rw 0 0\n"),
            ("proc/1/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/vdb1 /data xfs rw 0 0\n"),
            ("proc/net/dev", "eth0:1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n"),
            ("proc/1/net/dev", "bond0:1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n"),
            ("proc/net/sockstat", "TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n"),
        ]);
        let mut mounts = Vec::new();
        assert_eq!(host.mounts(&mut mounts).unwrap(), Extent::Whole);
        assert_eq!(mounts.iter().map(|m| m.fstype.as_str()).collect::<Vec<_>>(), ["ext4", "xfs"]);
        let mut ifs = Vec::new();
        assert_eq!(host.net_ifs(&mut ifs).unwrap(), Extent::Whole);
        assert_eq!(ifs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["bond0"]);
        // Each file alone: one that process 1 does not show is the reader's own.
        host.read_net("sockstat").unwrap();
        assert!(host.file.starts_with(b"TCP: inuse 1"));
        std::fs::write(dir.path().join("proc/1/net/sockstat"), "TCP: inuse 9\n").unwrap();
        host.read_net("sockstat").unwrap();
        assert_eq!(host.file, b"TCP: inuse 9\n");
    }

    #[test]
    fn errors_name_the_file() {
        let (dir, mut host) = fixture::host(&[("proc/stat", "garbage\n"), ("proc/1/net/snmp", "garbage\n")]);
        let damaged = host.cpu_stat().unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        assert!(damaged.to_string().contains(&*dir.path().join("proc/stat").to_string_lossy()), "{damaged}");
        let missing = host.mem_info().unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("proc/meminfo"), "{missing}");
        let damaged = host.tcp_stats().unwrap_err();
        assert!(damaged.to_string().contains("proc/1/net/snmp"), "{damaged}");
        let missing = host.net_ifs(&mut Vec::new()).unwrap_err();
        assert!(missing.to_string().contains("proc/net/dev"), "{missing}");
    }

    #[test]
    fn a_root_that_is_gone_is_an_error_with_the_files_name() {
        let (dir, _) = fixture::host(&[]);
        let mut host = Host::new(dir.path().join("gone"));
        let missing = host.cpu_stat().unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("gone/proc/stat"), "{missing}");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_does_not_hold_the_reader() {
        let (dir, mut host) = fixture::host(&[("proc/stat", "")]);
        let fifo = dir.path().join("proc/loadavg");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(host.load_avg().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_uncommonly_long_file_leaves_no_large_buffer() {
        let line = "eth0: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n";
        let long = line.repeat(3 * KEEP / line.len());
        let (_dir, mut host) = fixture::host(&[("proc/net/dev", &long), ("proc/stat", &long), ("proc/mounts", &long)]);
        let mut rows = Vec::new();
        assert_eq!(host.net_ifs(&mut rows).unwrap(), Extent::Cut, "too many rows");
        assert!(!rows.is_empty() && host.file.capacity() <= KEEP);
        assert!(host.cpu_stat().is_err() && host.file.capacity() <= KEEP);
        assert!(host.mounts(&mut Vec::new()).is_ok() && host.file.capacity() <= KEEP);
    }

    #[test]
    fn a_clone_begins_with_empty_buffers() {
        let (_dir, mut host) = fixture::host(&[("proc/loadavg", "1 2 3 1/1 1\n")]);
        host.load_avg().unwrap();
        let clone = host.clone();
        assert_eq!((clone.file.capacity(), clone.path.capacity(), clone.name.capacity()), (0, 0, 0));
        assert!(host.file.capacity() > 0);
    }
}
