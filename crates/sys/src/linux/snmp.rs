//! `/proc/net/snmp` and `/proc/net/netstat`: per protocol a line of names and a line of values, both beginning with the
//! protocol and a colon. Which columns there are depends on the kernel; a value that is not a number of 64 bits
//! (`MaxConn: -1`) is absent. Source: the kernel's net/ipv4/proc.c.

use super::Host;
use super::text::lines;
use crate::types::{NetCounters, TcpCounts, TcpStats, UdpCounts};
use std::io;

pub(super) const SNMP: &str = "snmp";

impl Host {
    /// The counters `names` of one protocol (`TcpExt`, `Udp`), in their order; `None` for what the kernel does not count.
    /// Below a root prefix they are those of process 1.
    ///
    /// # Errors
    /// The file cannot be read. Windows: always [`io::ErrorKind::Unsupported`].
    pub fn protocol_counts(
        &mut self,
        file: NetCounters,
        protocol: &str,
        names: &[&str],
        into: &mut Vec<Option<u64>>,
    ) -> io::Result<()> {
        let file = match file {
            NetCounters::Netstat => "netstat",
            NetCounters::Snmp => SNMP,
        };
        into.clear();
        into.resize(names.len(), None);
        self.parse_net(file, |bytes| {
            fill(bytes, protocol, names, into);
            Ok(())
        })
    }

    /// The `Tcp` lines of `/proc/net/snmp`, in which both families are counted together.
    ///
    /// # Errors
    /// The file cannot be read, or lacks one of the counters ([`io::ErrorKind::InvalidData`]).
    pub fn tcp_stats(&mut self) -> io::Result<TcpStats> {
        self.parse_net(SNMP, |bytes| Ok(TcpStats { v4: parse_tcp(bytes)?, v6: Ok(None) }))
    }

    /// The `Udp` lines of `/proc/net/snmp`: IPv4 alone, as the Go agent has it.
    ///
    /// # Errors
    /// The file cannot be read, or lacks one of the counters ([`io::ErrorKind::InvalidData`]).
    pub fn udp_stats(&mut self) -> io::Result<UdpCounts> {
        self.parse_net(SNMP, parse_udp)
    }
}

fn fill(bytes: &[u8], protocol: &str, names: &[&str], into: &mut [Option<u64>]) {
    let mut pair = lines(bytes)
        .filter_map(|line| line.split_once(':').filter(|(begin, _)| *begin == protocol))
        .map(|(_, columns)| columns.split_ascii_whitespace());
    let (Some(header), Some(values)) = (pair.next(), pair.next()) else { return };
    for (name, value) in header.zip(values) {
        for (_, slot) in names.iter().zip(&mut *into).filter(|(wanted, _)| **wanted == name) {
            *slot = value.parse().ok();
        }
    }
}

/// The counters `names`, if all of them are there.
pub(super) fn all<const N: usize>(bytes: &[u8], protocol: &str, names: [&str; N]) -> Option<[u64; N]> {
    let mut found = [None; N];
    fill(bytes, protocol, &names, &mut found);
    let mut counts = [0; N];
    for (count, found) in counts.iter_mut().zip(found) {
        *count = found?;
    }
    Some(counts)
}

fn parse_tcp(bytes: &[u8]) -> Result<TcpCounts, &'static str> {
    let [
        active_opens,
        passive_opens,
        attempt_fails,
        estab_resets,
        established,
        in_segs,
        out_segs,
        retrans_segs,
        in_errs,
        out_rsts,
    ] = all(
        bytes,
        "Tcp",
        [
            "ActiveOpens",
            "PassiveOpens",
            "AttemptFails",
            "EstabResets",
            "CurrEstab",
            "InSegs",
            "OutSegs",
            "RetransSegs",
            "InErrs",
            "OutRsts",
        ],
    )
    .ok_or("no usable `Tcp` lines")?;
    Ok(TcpCounts {
        active_opens,
        passive_opens,
        attempt_fails,
        estab_resets,
        established,
        in_segs,
        out_segs,
        retrans_segs,
        in_errs,
        out_rsts,
    })
}

fn parse_udp(bytes: &[u8]) -> Result<UdpCounts, &'static str> {
    let [in_datagrams, no_ports, in_errors, out_datagrams] =
        all(bytes, "Udp", ["InDatagrams", "NoPorts", "InErrors", "OutDatagrams"]).ok_or("no usable `Udp` lines")?;
    Ok(UdpCounts { in_datagrams, no_ports, in_errors, out_datagrams })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    const KERNEL_3_10: &str = "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 10\n\
        IcmpMsg: InType3\nIcmpMsg: 98\n\
        Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs \
        OutSegs RetransSegs InErrs OutRsts InCsumErrors\nTcp: 1 200 120000 -1 11 12 13 14 15 16 17 18 19 20 21\n\
        Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\nUdp: 1 2 3 4 5 6 7\n\
        UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\n\
        UdpLite: 91 92 93 94 95 96 97\n";

    #[test]
    fn tcp_and_udp_of_both_families_and_of_one() {
        let expected = TcpCounts {
            active_opens: 11,
            passive_opens: 12,
            attempt_fails: 13,
            estab_resets: 14,
            established: 15,
            in_segs: 16,
            out_segs: 17,
            retrans_segs: 18,
            in_errs: 19,
            out_rsts: 20,
        };
        assert_eq!(parse_tcp(KERNEL_3_10.as_bytes()), Ok(expected));
        let expected = UdpCounts { in_datagrams: 1, no_ports: 2, in_errors: 3, out_datagrams: 4 };
        assert_eq!(parse_udp(KERNEL_3_10.as_bytes()), Ok(expected));
    }

    #[test]
    fn counts_come_in_the_order_asked_for_and_absent_ones_are_absent() {
        let newer = KERNEL_3_10.replace(
            "InCsumErrors\nUdp: 1 2 3 4 5 6 7\n",
            "InCsumErrors IgnoredMulti MemErrors\nUdp: 1 2 3 4 5 6 7 8 9\n",
        );
        for (file, ignored, mem) in [(KERNEL_3_10, None, None), (newer.as_str(), Some(8), Some(9))] {
            let (_dir, mut host) = fixture::host(&[("proc/net/snmp", file)]);
            let mut into = vec![Some(7); 3];
            let names = ["MemErrors", "SndbufErrors", "IgnoredMulti", "InDatagrams", "NoSuch", "InDatagrams"];
            host.protocol_counts(NetCounters::Snmp, "Udp", &names, &mut into).unwrap();
            assert_eq!(into, [mem, Some(6), ignored, Some(1), None, Some(1)]);
            host.protocol_counts(NetCounters::Snmp, "Tcp", &["MaxConn"], &mut into).unwrap();
            assert_eq!(into, [None]);
            host.protocol_counts(NetCounters::Snmp, "Sctp", &["X", "Y"], &mut into).unwrap();
            assert_eq!(into, [None, None]);
            let gone = host.protocol_counts(NetCounters::Netstat, "TcpExt", &["TW"], &mut into).unwrap_err();
            assert_eq!((gone.kind(), &into[..]), (io::ErrorKind::NotFound, &[None][..]));
        }
    }

    // One value the Go agent could not read cost it the whole set.
    #[test]
    fn damaged_pairs_show_nothing_that_is_not_there() {
        let of = |file: &str, names: [&str; 2]| {
            let mut into = [None; 2];
            fill(file.as_bytes(), "TcpExt", &names, &mut into);
            into
        };
        assert_eq!(of("TcpExt: A B\nTcpExt: x 2\n", ["A", "B"]), [None, Some(2)]);
        assert_eq!(
            of("TcpExt: A B\nTcpExt: 18446744073709551615 18446744073709551616\n", ["A", "B"]),
            [Some(u64::MAX), None]
        );
        assert_eq!(of("TcpExt: A B\nTcpExt: 1\n", ["A", "B"]), [Some(1), None]);
        assert_eq!(of("TcpExt: A\nTcpExt: 1 2 3\n", ["A", "B"]), [Some(1), None]);
        assert_eq!(of("TcpExt: A B\nIpExt: 1 2\n", ["A", "B"]), [None; 2]);
        assert_eq!(of("TcpExt: 1 2\n", ["A", "B"]), [None; 2]);
        assert_eq!(of("TcpExt A B\nTcpExt 1 2\n", ["A", "B"]), [None; 2]);
        let mut into = [None];
        fill(b"TcpExt: A \xff\nTcpExt: 1 2\nTcpExt: A\nTcpExt: 5\n", "TcpExt", &["A"], &mut into);
        assert_eq!(into, [None]);
    }

    #[test]
    fn a_set_is_whole_or_an_error() {
        for lacking in ["OutRsts", "ActiveOpens", "Tcp: 1"] {
            assert!(parse_tcp(KERNEL_3_10.replace(lacking, "Other").as_bytes()).is_err(), "{lacking}");
        }
        assert!(parse_udp(KERNEL_3_10.replace("Udp: 1 2 3", "Udp: 1 -2 3").as_bytes()).is_err());
        assert!(parse_tcp(b"").is_err() && parse_udp(b"").is_err());
        for end in 0..KERNEL_3_10.len() {
            let file = &KERNEL_3_10.as_bytes()[..end];
            let _ = (parse_tcp(file), parse_udp(file));
        }
    }
}
