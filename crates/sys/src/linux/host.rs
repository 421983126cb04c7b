//! The one reader of files that belong to the host. Every path is below one root, so that a container sees the host
//! (`NUX_ROOTFS` of the Go agent) and a test sees a fixture.
//!
//! A file is read to its end, for the kernel may answer a read short, but never past [`MAX_FILE`]; and only if it is a
//! regular file, which all of `/proc` and `/sys` are: a pipe left under the root would hold the reader for ever.

use super::{cpu, fs, mem, net};
use crate::types::{CpuStat, LoadAvg, MemInfo, Mount, NetIf, SwapInfo};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a file that are read; what lies behind is ignored. `/proc/stat` of 4096 processors has about 1 MiB.
const MAX_FILE: usize = 4 << 20;

/// Room for what nearly every such file holds on nearly every host.
const FIRST_READ: usize = 8 << 10;

/// The host whose files lie below a root.
#[derive(Clone, Debug)]
pub struct Host {
    root: Arc<Path>,
}

impl Host {
    /// `/` is the plain host; anything else is a prefix of every path below `/proc` and `/sys`, and of every mount
    /// point. Windows ignores it.
    pub fn new(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into().into() }
    }

    /// `/proc/stat`.
    ///
    /// # Errors
    /// The file cannot be read, or has no `cpu` line ([`io::ErrorKind::InvalidData`]).
    pub fn cpu_stat(&mut self) -> io::Result<CpuStat> {
        self.parse("proc/stat", cpu::parse_stat)
    }

    /// `/proc/meminfo`.
    ///
    /// # Errors
    /// The file cannot be read, or does not tell the memory ([`io::ErrorKind::InvalidData`]).
    pub fn mem_info(&mut self) -> io::Result<MemInfo> {
        self.parse("proc/meminfo", mem::parse_mem)
    }

    /// `/proc/meminfo`.
    ///
    /// # Errors
    /// The file cannot be read, or does not tell the swap ([`io::ErrorKind::InvalidData`]).
    pub fn swap_info(&mut self) -> io::Result<SwapInfo> {
        self.parse("proc/meminfo", mem::parse_swap)
    }

    /// `/proc/loadavg`.
    ///
    /// # Errors
    /// The file cannot be read, or has no three averages ([`io::ErrorKind::InvalidData`]). Windows: always
    /// [`io::ErrorKind::Unsupported`].
    pub fn load_avg(&mut self) -> io::Result<LoadAvg> {
        self.parse("proc/loadavg", cpu::parse_loadavg)
    }

    /// Every mount the kernel lists, at most 4096; nothing is asked of the file systems themselves.
    ///
    /// Below a root prefix the table is that of process 1: `/proc/mounts` is the reader's own, the container's.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn mounts(&mut self) -> io::Result<Vec<Mount>> {
        let hosts = if *self.root == *Path::new("/") { None } else { self.read("proc/1/mounts").ok() };
        let table = hosts.map_or_else(|| self.read("proc/mounts"), Ok)?;
        Ok(fs::parse_mounts(&table, &self.root))
    }

    /// `/proc/net/dev` and `/sys/class/net/<interface>/speed`.
    ///
    /// # Errors
    /// The table cannot be read; an interface without a readable speed is no error.
    pub fn net_ifs(&mut self, into: &mut Vec<NetIf>) -> io::Result<()> {
        *into = net::parse_dev(&self.read("proc/net/dev")?);
        for row in into {
            row.speed_bits_per_s = net::speed_file(&row.name)
                .and_then(|file| self.read(&file).ok())
                .and_then(|speed| net::parse_speed(&speed));
        }
        Ok(())
    }

    fn parse<T>(&self, file: &str, parse: fn(&[u8]) -> Result<T, &'static str>) -> io::Result<T> {
        parse(&self.read(file)?).map_err(|what| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", self.root.join(file).display()))
        })
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        let path = self.root.join(file);
        read_bounded(&path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    // O_NONBLOCK: opening a pipe would wait for its other end.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::with_capacity(FIRST_READ);
    file.take(MAX_FILE as u64).read_to_end(&mut bytes)?;
    if bytes.len() == MAX_FILE {
        // The last line may have been cut inside a number.
        let end = bytes.iter().rposition(|&b| b == b'\n').unwrap_or(0);
        bytes.truncate(end);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};
    use tempfile::TempDir;

    /// A root with the given files below it.
    fn root(files: &[(&str, &str)]) -> (TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = dir.path().join(file);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, text).unwrap();
        }
        let host = Host::new(dir.path());
        (dir, host)
    }

    #[test]
    fn every_file_is_below_the_root() {
        let (dir, mut host) = root(&[
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
        let mounts = host.mounts().unwrap();
        assert_eq!((mounts[0].mount.as_str(), &mounts[0].path), ("/data", &dir.path().join("data")));
        let mut ifs = Vec::new();
        host.net_ifs(&mut ifs).unwrap();
        assert_eq!(ifs.iter().map(|i| i.speed_bits_per_s).collect::<Vec<_>>(), [Some(10_000_000_000), None]);
    }

    // In a container /proc/mounts below the root lists the container's own mounts, whatever procfs it is.
    #[test]
    fn below_a_prefix_the_mounts_are_those_of_process_1() {
        let (_dir, mut host) = root(&[
            ("proc/mounts", "overlay / overlay rw 0 0\n"),
            ("proc/1/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/vdb1 /data xfs rw 0 0\n"),
        ]);
        let mounts = host.mounts().unwrap();
        assert_eq!(mounts.iter().map(|m| m.fstype.as_str()).collect::<Vec<_>>(), ["ext4", "xfs"]);
    }

    // Link-local IPv6 only, no lo: the table has the same form, and the host is not empty.
    #[test]
    fn an_ipv6_only_host_has_interfaces() {
        let (_dir, mut host) = root(&[
            (
                "proc/net/dev",
                "Inter-|   Receive |  Transmit\n face |bytes |bytes\n  ens3: 9 1 0 0 0 0 0 3 8 1 0 0 0 0 0 0\n",
            ),
            ("proc/net/if_inet6", "fe80000000000000505400fffe123456 02 40 20 80 ens3\n"),
        ]);
        let mut ifs = Vec::new();
        host.net_ifs(&mut ifs).unwrap();
        assert_eq!((ifs.len(), ifs[0].name.as_str(), ifs[0].in_multicast), (1, "ens3", 3));
    }

    #[test]
    fn errors_name_the_file() {
        let (dir, mut host) = root(&[("proc/stat", "garbage\n")]);
        let damaged = host.cpu_stat().unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        assert!(damaged.to_string().contains(&*dir.path().join("proc/stat").to_string_lossy()), "{damaged}");
        let missing = host.mem_info().unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("proc/meminfo"), "{missing}");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_does_not_hold_the_reader() {
        let (dir, mut host) = root(&[("proc/stat", "")]);
        let fifo = dir.path().join("proc/loadavg");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(host.load_avg().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_endless_file_is_cut_at_a_whole_line() {
        let (dir, host) = root(&[]);
        let line = "/dev/vda1 /data ext4 rw,relatime 0 0\n";
        let path = dir.path().join("mounts");
        write(&path, line.repeat(2 * MAX_FILE / line.len())).unwrap();
        let bytes = read_bounded(&path).unwrap();
        assert!(bytes.len() < MAX_FILE && bytes.len() > MAX_FILE - 2 * line.len(), "{}", bytes.len());
        assert!(bytes.ends_with(line.trim_end().as_bytes()));
        drop(host);
    }
}
