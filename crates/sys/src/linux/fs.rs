//! Mounted file systems: the table of `/proc/mounts` (fstab(5) with octal escapes), and statvfs(3) of one of them.
//!
//! The table is all the kernel lists, unfiltered, and asks nothing of the file systems; only [`volume_usage`] does, and
//! may never come back (a dead NFS server).

use super::Host;
use crate::types::{Extent, Inodes, Mount, VolumeUsage};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// More mounts than only a broken host has; they are counted before any is left out.
const MAX_MOUNTS: usize = 65_536;

impl Host {
    /// Every mount the kernel lists; nothing is asked of the file systems themselves.
    ///
    /// Below a root prefix the table is that of process 1: `/proc/mounts` is the reader's own, the container's.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn mounts(&mut self, into: &mut Vec<Mount>) -> io::Result<Extent> {
        if self.root.is_plain() || self.read("proc/1/mounts").is_err() {
            self.read("proc/mounts").map_err(|e| self.root.name("proc/mounts", &e))?;
        }
        let extent = parse_mounts(&self.file, self.root.path(), into).and(self.extent);
        self.release();
        Ok(extent)
    }
}

/// All usable lines of the table; `root` is the prefix under which the host's files are seen.
fn parse_mounts(bytes: &[u8], root: &Path, into: &mut Vec<Mount>) -> Extent {
    let mut all = bytes.split(|&b| b == b'\n').filter_map(|line| parse_line(line, root));
    into.clear();
    into.extend(all.by_ref().take(MAX_MOUNTS));
    if all.next().is_none() { Extent::Whole } else { Extent::Cut }
}

fn parse_line(line: &[u8], root: &Path) -> Option<Mount> {
    // Single blanks separate the fields; blanks are not collapsed, for a device can be the empty string.
    let mut fields = line.split(|&b| b == b' ');
    let (device, mount, fstype) = (fields.next()?, unescape(fields.next()?), fields.next()?);
    let below_root = mount.strip_prefix(b"/")?;
    if fstype.is_empty() {
        return None;
    }
    Some(Mount {
        device: lossy(&unescape(device)),
        mount: lossy(&mount),
        path: under(root, below_root),
        fstype: lossy(&unescape(fstype)),
        removable: false,
    })
}

/// Joining an empty path would leave a slash behind the root.
fn under(root: &Path, relative: &[u8]) -> PathBuf {
    if relative.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(relative)) }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Turns `\` and three octal digits into the byte they name; everything else stays as it is.
pub(super) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = |digit: &u8| digit.checked_sub(b'0').filter(|&n| n < 8);
        let escaped = match tail {
            [a, b, c, after @ ..] if first == b'\\' => match (octal(a), octal(b), octal(c)) {
                (Some(a @ 0..=3), Some(b), Some(c)) => Some((a << 6 | b << 3 | c, after)),
                _ => None,
            },
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((first, tail));
        plain.push(byte);
        rest = after;
    }
    plain
}

/// Space and inodes of the file system at `mount.path`. May block for ever: ask on a thread that may be lost.
/// A pseudo file system answers with a total of 0.
///
/// # Errors
/// Whatever statvfs(3) says.
pub fn volume_usage(mount: &Mount) -> io::Result<VolumeUsage> {
    let stat = rustix::io::retry_on_intr(|| rustix::fs::statvfs(&mount.path))?;
    let unit = if stat.f_frsize > 0 { stat.f_frsize } else { stat.f_bsize };
    Ok(VolumeUsage {
        total_bytes: stat.f_blocks.saturating_mul(unit),
        used_bytes: stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(unit),
        free_bytes: stat.f_bavail.saturating_mul(unit),
        inodes: inodes(stat.f_files, stat.f_ffree),
        fstype: String::new(),
    })
}

/// `files` is 0 where a file system has none (btrfs, vfat); `free` of all ones means that it does not say, and then used
/// and free are both 0, as with the Go agent.
fn inodes(files: u64, free: u64) -> Option<Inodes> {
    let (used, free) = match free {
        u64::MAX => (0, 0),
        free => (files.saturating_sub(free), free.min(files)),
    };
    (files > 0).then_some(Inodes { total: files, used, free })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(root: &str, table: &[u8]) -> Vec<Mount> {
        let mut mounts = Vec::new();
        assert_eq!(parse_mounts(table, Path::new(root), &mut mounts), Extent::Whole);
        mounts
    }

    fn parse(table: &[u8]) -> Vec<Mount> {
        below("/", table)
    }

    #[test]
    fn reads_what_the_kernel_lists() {
        let table = b"proc /proc proc rw,nosuid 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\n\
            nas:/export/a /mnt/nas nfs4 rw,vers=4.2 0 0\n";
        let mounts = parse(table);
        assert_eq!(mounts.len(), 3);
        let root = Mount {
            device: "/dev/sda1".into(),
            mount: "/".into(),
            path: "/".into(),
            fstype: "ext4".into(),
            removable: false,
        };
        assert_eq!(mounts[1], root);
        assert_eq!((mounts[2].device.as_str(), mounts[2].fstype.as_str()), ("nas:/export/a", "nfs4"));
    }

    // The Go agent did not decode the escapes: such mounts had no df metrics.
    #[test]
    fn octal_escapes_are_decoded_in_every_field() {
        let mounts = parse(b"//nas/a\\040b /mnt/x\\040y\\011z\\134\\043 cifs rw 0 0\n");
        assert_eq!(mounts[0].device, "//nas/a b");
        assert_eq!(mounts[0].mount, "/mnt/x y\tz\\#");
        assert_eq!(mounts[0].path, Path::new("/mnt/x y\tz\\#"));
    }

    #[test]
    fn what_is_no_escape_stays() {
        for field in ["\\", "\\04", "\\048", "\\400", "\\777", "a\\b40"] {
            assert_eq!(unescape(field.as_bytes()), field.as_bytes(), "{field:?}");
        }
        assert_eq!(unescape(b"\\134040\\377"), b"\\040\xff");
    }

    #[test]
    fn names_that_are_not_utf8_stay_reachable() {
        let mounts = parse(b"/dev/sdb1 /mnt/\xb2\xe2 ext4 rw 0 0\n");
        assert_eq!(mounts[0].mount, "/mnt/\u{fffd}\u{fffd}");
        assert_eq!(mounts[0].path.as_os_str().as_bytes(), b"/mnt/\xb2\xe2");
    }

    // The Go agent asked for the path inside its container and not for the host's.
    #[test]
    fn only_the_path_has_the_root_prefix() {
        let mounts = below("/rootfs", b"/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /data/a ext4 rw 0 0\n");
        assert_eq!((mounts[0].mount.as_str(), mounts[0].path.as_path()), ("/", Path::new("/rootfs")));
        assert_eq!((mounts[1].mount.as_str(), mounts[1].path.as_path()), ("/data/a", Path::new("/rootfs/data/a")));
        assert_eq!(mounts[1].device, "/dev/sdb1");
    }

    #[test]
    fn broken_lines_cost_only_themselves() {
        let mounts = parse(
            b"\n\xff\n/dev/sda1\n/dev/sda1 /a\n/dev/sda1 /a \ndev relative ext4\n /empty tmpfs rw 0 0\n/dev/sda1 / ext",
        );
        let seen: Vec<_> = mounts.iter().map(|m| (m.device.as_str(), m.mount.as_str(), m.fstype.as_str())).collect();
        assert_eq!(seen, [("", "/empty", "tmpfs"), ("/dev/sda1", "/", "ext")]);
    }

    // Behind ten thousand mounts of containers, which are left out, the data of the host had no figures.
    #[test]
    fn the_last_of_ten_thousand_mounts_is_read_and_a_cut_is_told() {
        let table = |n: usize| (0..n).map(|i| format!("overlay /srv/{i} overlay rw 0 0\n")).collect::<String>();
        let mounts = parse((table(10_000) + "/dev/vdb1 /data ext4 rw 0 0\n").as_bytes());
        assert_eq!((mounts.len(), mounts[10_000].mount.as_str()), (10_001, "/data"));
        let mut mounts = Vec::new();
        assert_eq!(parse_mounts(table(MAX_MOUNTS + 1).as_bytes(), Path::new("/"), &mut mounts), Extent::Cut);
        assert_eq!(mounts.len(), MAX_MOUNTS);
    }

    #[test]
    fn unknown_inodes_are_absent() {
        assert_eq!(inodes(0, 0), None);
        assert_eq!(inodes(1000, u64::MAX), Some(Inodes { total: 1000, used: 0, free: 0 }));
        assert_eq!(inodes(1000, 400), Some(Inodes { total: 1000, used: 600, free: 400 }));
        assert_eq!(inodes(1000, 1001), Some(Inodes { total: 1000, used: 0, free: 1000 }));
    }

    #[test]
    fn a_path_that_is_gone_is_an_error() {
        let gone = Mount { path: "/no/such/mount".into(), ..parse(b"/dev/sda1 / ext4\n").remove(0) };
        assert_eq!(volume_usage(&gone).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
