//! `/proc/net/dev` and the link speed below `/sys/class/net`.
//!
//! A row is an interface name up to the first colon and exactly 16 numbers; anything else is skipped. Old kernels leave
//! no blank behind the colon.

use super::text::{lines, numbers};
use crate::types::NetIf;

/// A host that shows more rows than this is not read further.
const MAX_ROWS: usize = 4096;

pub(super) fn parse_dev(bytes: &[u8]) -> Vec<NetIf> {
    lines(bytes).filter_map(parse_row).take(MAX_ROWS).collect()
}

fn parse_row(line: &str) -> Option<NetIf> {
    let (name, columns) = line.split_once(':')?;
    let columns = numbers(columns.split_ascii_whitespace())?;
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
    ] = <[u64; 16]>::try_from(columns).ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| NetIf {
        name: name.to_owned(),
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
        ..NetIf::default()
    })
}

/// The file that tells the speed of an interface, for a name that can be a directory below `/sys/class/net`.
pub(super) fn speed_file(name: &str) -> Option<String> {
    let is_file_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    is_file_name.then(|| format!("sys/class/net/{name}/speed"))
}

/// Mbit/s to bit/s. Virtual interfaces say -1 or 0, or do not answer at all: unknown. Old kernels print that -1 as a
/// number without sign, of 16 or 32 bits.
pub(super) fn parse_speed(bytes: &[u8]) -> Option<u64> {
    let mbit: u64 = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
    let known = ![0, u64::from(u16::MAX), u64::from(u32::MAX)].contains(&mbit);
    known.then(|| mbit.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    #[test]
    fn reads_sixteen_columns_in_their_order() {
        let file = format!(
            "{HEADER}  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        let rows = parse_dev(file.as_bytes());
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
        let rows = parse_dev(b"eth0:123 1 0 0 0 0 0 0 18446744073709551615 1 0 0 0 0 0 0\n");
        assert_eq!((rows[0].in_bytes, rows[0].out_bytes), (123, u64::MAX));
    }

    #[test]
    fn broken_rows_cost_only_themselves() {
        let file = format!(
            "{HEADER}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\na: 1 2 3\nb: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -16\n\
             c: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\nwlan0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nd: 1 2 3 4"
        );
        let rows = parse_dev(&[b"\xff\xfe: 1\n", file.as_bytes()].concat());
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["wlan0"]);
    }

    #[test]
    fn a_host_of_nothing_but_interfaces_is_bounded() {
        let file: String = (0..5000).map(|i| format!("veth{i}:0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")).collect();
        assert_eq!(parse_dev(file.as_bytes()).len(), MAX_ROWS);
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
        assert_eq!(speed_file("eth0.100").as_deref(), Some("sys/class/net/eth0.100/speed"));
        for name in ["", ".", "..", "../../etc", "a/b", "a\0b"] {
            assert_eq!(speed_file(name), None, "{name:?}");
        }
    }
}
