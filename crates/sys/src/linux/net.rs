//! `/proc/net/dev` and the link speed below `/sys/class/net`.
//!
//! A row is an interface name up to the first colon and exactly 16 numbers; anything else is skipped. Old kernels leave
//! no blank behind the colon.

use super::rows::{Rows, renamed};
use super::text::{lines, numbers};
use super::{Host, files};
use crate::types::{Extent, NetIf, NetKind};
use rustix::fs::AtFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// More interfaces than only a broken host has; they are counted before any is left out.
const MAX_ROWS: usize = 65_536;

impl Host {
    /// `/proc/net/dev` and `/sys/class/net/<interface>/speed`. Below a root prefix the table is that of process 1.
    ///
    /// # Errors
    /// The table cannot be read; an interface without a readable speed is no error.
    pub fn net_ifs(&mut self, into: &mut Vec<NetIf>) -> io::Result<Extent> {
        let extent = self.net_counters(into)?;
        // Opened once for all of them: hundreds of interfaces are walked to from here.
        let Ok(class) = self.net_class() else { return Ok(extent) };
        for row in into {
            if is_file_name(&row.name) {
                self.set_path(&[&row.name, "/speed"]);
                let read = files::read(class.as_fd(), &self.path, &mut self.file);
                row.speed_bits_per_s = read.ok().and_then(|_| parse_speed(&self.file));
            }
        }
        Ok(extent)
    }

    /// `/proc/net/dev` alone: to ask for a link's speed has its driver asked, under a lock that whoever changes an interface
    /// needs too.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn net_counters(&mut self, into: &mut Vec<NetIf>) -> io::Result<Extent> {
        let rows = self.parse_net("dev", |bytes| Ok(parse_dev(bytes, into)))?;
        Ok(rows.and(self.extent))
    }

    /// What `/sys/class/net/<interface>` holds: a device, or a master or others below it. A card below a card is the way that the
    /// bytes of that take (a virtual function of a virtual machine). What cannot be read is alone.
    pub fn net_kind(&mut self, of: &NetIf) -> NetKind {
        let (mut kind, mut is_card) = (if of.name == "lo" { NetKind::Made } else { NetKind::Alone }, false);
        if !is_file_name(&of.name) {
            return kind;
        }
        let Ok(folder) = self.net_class().and_then(|class| files::open_dir(class.as_fd(), &of.name)) else {
            return kind;
        };
        // What was told before an error counts.
        let _ = files::each_entry(&folder, |entry| match entry.to_bytes() {
            b"device" => is_card = true,
            b"master" => kind = NetKind::Made,
            name if name.starts_with(b"lower_") => kind = NetKind::Made,
            _ => {}
        });
        if is_card && rustix::fs::statat(&folder, "master/device", AtFlags::empty()).is_err() {
            kind = NetKind::Card;
        }
        kind
    }

    fn net_class(&self) -> io::Result<OwnedFd> {
        self.root.dir().and_then(|root| files::open_dir(root, "sys/class/net"))
    }
}

fn parse_dev(bytes: &[u8], into: &mut Vec<NetIf>) -> Extent {
    let mut rows = Rows::new(into, MAX_ROWS);
    for (name, columns) in lines(bytes).filter_map(parse_row) {
        let Some(row) = rows.next_row() else { return Extent::Cut };
        let [
            in_bytes,
            in_packets,
            in_errors,
            in_dropped,
            in_fifo_errors,
            in_frame_errors,
            in_compressed,
            in_multicast,
            out_bytes,
            out_packets,
            out_errors,
            out_dropped,
            out_fifo_errors,
            out_collisions,
            out_carrier_errors,
            out_compressed,
        ] = columns;
        *row = NetIf {
            name: renamed(&mut row.name, name),
            in_bytes,
            in_packets,
            in_errors,
            in_dropped,
            in_fifo_errors,
            in_frame_errors,
            in_compressed,
            in_multicast,
            out_bytes,
            out_packets,
            out_errors,
            out_dropped,
            out_fifo_errors,
            out_collisions,
            out_carrier_errors,
            out_compressed,
            speed_bits_per_s: None,
            up: None,
            hardware: true,
            id: 0,
            out_queue: None,
        };
    }
    Extent::Whole
}

fn parse_row(line: &str) -> Option<(&str, [u64; 16])> {
    let (name, columns) = line.split_once(':')?;
    let mut words = columns.split_ascii_whitespace();
    let columns = numbers(&mut words)?;
    let name = name.trim();
    (!name.is_empty() && words.next().is_none()).then_some((name, columns))
}

/// Whether an interface of that name can be a directory below `/sys/class/net`.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// Mbit/s to bit/s. Virtual interfaces say -1 or 0, or do not answer at all: unknown. Old kernels print that -1 as a
/// number without sign, of 16 or 32 bits.
fn parse_speed(bytes: &[u8]) -> Option<u64> {
    let mbit: u64 = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
    let known = ![0, u64::from(u16::MAX), u64::from(u32::MAX)].contains(&mbit);
    known.then(|| mbit.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    fn rows(bytes: &[u8]) -> Vec<NetIf> {
        let mut into = Vec::new();
        assert_eq!(parse_dev(bytes, &mut into), Extent::Whole);
        into
    }

    const HEADER: &str = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    #[test]
    fn reads_sixteen_columns_in_their_order() {
        let file = format!(
            "{HEADER}  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        let rows = rows(file.as_bytes());
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["eth0", "lo"]);
        let eth0 = NetIf {
            name: "eth0".into(),
            in_bytes: 1,
            in_packets: 2,
            in_errors: 3,
            in_dropped: 4,
            in_fifo_errors: 5,
            in_frame_errors: 6,
            in_compressed: 7,
            in_multicast: 8,
            out_bytes: 9,
            out_packets: 10,
            out_errors: 11,
            out_dropped: 12,
            out_fifo_errors: 13,
            out_collisions: 14,
            out_carrier_errors: 15,
            out_compressed: 16,
            speed_bits_per_s: None,
            up: None,
            hardware: true,
            ..NetIf::default()
        };
        assert_eq!(rows[0], eth0);
    }

    #[test]
    fn no_blank_behind_the_colon() {
        let rows = rows(b"eth0:123 1 0 0 0 0 0 0 18446744073709551615 1 0 0 0 0 0 0\n");
        assert_eq!((rows[0].in_bytes, rows[0].out_bytes), (123, u64::MAX));
    }

    #[test]
    fn broken_rows_cost_only_themselves() {
        let file = format!(
            "{HEADER}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\na: 1 2 3\nb: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -16\n\
             c: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\nwlan0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nd: 1 2 3 4"
        );
        let rows = rows(&[b"\xff\xfe: 1\n", file.as_bytes()].concat());
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["wlan0"]);
    }

    #[test]
    fn a_host_of_nothing_but_interfaces_is_bounded() {
        let file: String = (0..=MAX_ROWS).map(|i| format!("veth{i}:0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")).collect();
        let mut into = Vec::new();
        assert_eq!((parse_dev(file.as_bytes(), &mut into), into.len()), (Extent::Cut, MAX_ROWS));
        let end = file.trim_end().rfind('\n').unwrap();
        assert_eq!((parse_dev(&file.as_bytes()[..end], &mut into), into.len()), (Extent::Whole, MAX_ROWS));
    }

    #[test]
    fn speed_is_positive_or_unknown() {
        assert_eq!(parse_speed(b"1000\n"), Some(1_000_000_000));
        assert_eq!(parse_speed(b"9223372036854775807"), Some(u64::MAX));
        for file in ["-1\n", "0\n", "", "fast", "65535\n", "4294967295\n", "100 000"] {
            assert_eq!(parse_speed(file.as_bytes()), None, "{file:?}");
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_directory() {
        assert!(is_file_name("eth0.100"));
        for name in ["", ".", "..", "../../etc", "a/b", "a\0b"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }

    // A row that is used again must not show the speed, or the tail of the name, of what stood in it before.
    #[test]
    fn rows_are_used_again_without_what_they_held() {
        let (dir, mut host) = fixture::host(&[
            ("proc/net/dev", "enp0s31f6:1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\nlo: 3 0 0 0 0 0 0 0 4 0 0 0 0 0 0 0\n"),
            ("sys/class/net/enp0s31f6/speed", "1000\n"),
        ]);
        let mut ifs = Vec::new();
        let _ = host.net_ifs(&mut ifs).unwrap();
        assert_eq!((ifs[0].speed_bits_per_s, ifs[1].speed_bits_per_s), (Some(1_000_000_000), None));
        let memory = ifs[0].name.as_ptr();
        std::fs::write(dir.path().join("proc/net/dev"), "wg0: 5 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0\n").unwrap();
        let _ = host.net_ifs(&mut ifs).unwrap();
        assert_eq!((ifs.len(), ifs[0].name.as_str(), ifs[0].in_bytes, ifs[0].speed_bits_per_s), (1, "wg0", 5, None));
        assert_eq!(ifs[0].name.as_ptr(), memory);
    }

    // A bond, a VLAN and a bridge repeat what passes the cards; what a container has for a card has no device.
    #[test]
    fn a_card_has_a_device_and_what_is_over_others_or_in_them_is_made() {
        let files = [
            ("eth0/device/x", NetKind::Card),
            ("eth1/master/x", NetKind::Made),
            ("eth1/device/x", NetKind::Card),
            ("bond0/lower_eth1/x", NetKind::Made),
            ("vf0/device/x", NetKind::Made),
            ("vf0/master/device/x", NetKind::Made),
            ("veth1/master/x", NetKind::Made),
            ("ppp0/x", NetKind::Alone),
            ("lo/x", NetKind::Made),
        ];
        let paths = files.map(|(file, _)| format!("sys/class/net/{file}"));
        let all: Vec<_> = paths.iter().map(|path| (path.as_str(), "")).collect();
        let (_dir, mut host) = fixture::host(&all);
        let mut kind = |name: &str| host.net_kind(&NetIf { name: name.to_owned(), ..NetIf::default() });
        for (file, expected) in files.iter().filter(|(file, _)| *file != "eth1/master/x") {
            let name = file.split('/').next().unwrap();
            assert_eq!(kind(name), *expected, "{name}");
        }
        assert_eq!((kind("gone"), kind("../lo")), (NetKind::Alone, NetKind::Alone));
    }

    // Link-local IPv6 only, no lo: the table has the same form, and the host is not empty.
    #[test]
    fn an_ipv6_only_host_has_interfaces() {
        let (_dir, mut host) = fixture::host(&[
            ("proc/net/dev", &format!("{HEADER}  ens3: 9 1 0 0 0 0 0 3 8 1 0 0 0 0 0 0\n")),
            ("proc/net/if_inet6", "fe80000000000000505400fffe123456 02 40 20 80 ens3\n"),
        ]);
        let mut ifs = Vec::new();
        let _ = host.net_ifs(&mut ifs).unwrap();
        assert_eq!((ifs.len(), ifs[0].name.as_str(), ifs[0].in_multicast), (1, "ens3", 3));
    }
}
