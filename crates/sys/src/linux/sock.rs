//! `/proc/net/sockstat` and `sockstat6`: a protocol, a colon, and pairs of a name and a number; and the connections of
//! `/proc/net/snmp`. Source: the kernel's net/ipv4/proc.c and net/ipv6/proc.c.

use super::Host;
use super::snmp::{self, SNMP};
use super::text::{lines, number};
use crate::types::SockStat;
use std::io;

impl Host {
    /// TCP sockets of both families. A kernel without IPv6 has no `sockstat6`, and no sockets of it either. Below a root
    /// prefix they are those of process 1.
    ///
    /// # Errors
    /// A file cannot be read, or lacks one of the numbers ([`io::ErrorKind::InvalidData`]). Windows: always
    /// [`io::ErrorKind::Unsupported`].
    pub fn sock_stat(&mut self) -> io::Result<SockStat> {
        let mut stat = self.parse_net("sockstat", parse_sockstat)?;
        match self.read_net("sockstat6") {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(self.root.name(&self.path, &e)),
            Ok(()) => {
                let in_use = field(&self.file, "TCP6", "inuse")
                    .ok_or_else(|| self.root.damaged(&self.path, "no usable `TCP6` line"))?;
                stat.tcp_in_use = stat.tcp_in_use.saturating_add(in_use);
            }
        }
        stat.tcp_established = self.parse_net(SNMP, parse_established)?;
        Ok(stat)
    }
}

fn parse_sockstat(bytes: &[u8]) -> Result<SockStat, &'static str> {
    let tcp = |name| field(bytes, "TCP", name).ok_or("no usable `TCP` line");
    Ok(SockStat {
        tcp_in_use: tcp("inuse")?,
        tcp_orphaned: tcp("orphan")?,
        tcp_time_wait: tcp("tw")?,
        tcp_allocated: tcp("alloc")?,
        tcp_established: 0,
    })
}

fn parse_established(bytes: &[u8]) -> Result<u64, &'static str> {
    snmp::all(bytes, "Tcp", ["CurrEstab"]).map(|[established]| established).ok_or("no usable `Tcp` lines")
}

fn field(bytes: &[u8], protocol: &str, name: &str) -> Option<u64> {
    let (_, pairs) = lines(bytes).filter_map(|line| line.split_once(':')).find(|(begin, _)| *begin == protocol)?;
    let mut words = pairs.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let value = number(&mut words);
        if word == name {
            return value;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    const SOCKSTAT: &str = "sockets: used 294\nTCP: inuse 5 orphan 1 tw 2 alloc 9 mem 1\nUDP: inuse 3 mem 2\n\
        UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n";
    const SOCKSTAT6: &str = "TCP6: inuse 3\nUDP6: inuse 2\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n";
    const TCP: &str = "Tcp: ActiveOpens CurrEstab\nTcp: 77 4\n";

    #[test]
    fn both_families_are_in_use() {
        let (dir, mut host) = fixture::host(&[
            ("proc/net/sockstat", SOCKSTAT),
            ("proc/net/sockstat6", SOCKSTAT6),
            ("proc/net/snmp", TCP),
        ]);
        let expected =
            SockStat { tcp_in_use: 8, tcp_orphaned: 1, tcp_time_wait: 2, tcp_allocated: 9, tcp_established: 4 };
        assert_eq!(host.sock_stat().unwrap(), expected);
        std::fs::write(dir.path().join("proc/net/sockstat6"), "TCP6: inuse -3\n").unwrap();
        let damaged = host.sock_stat().unwrap_err();
        assert!(damaged.to_string().contains("proc/net/sockstat6: no usable"), "{damaged}");
        std::fs::remove_file(dir.path().join("proc/net/sockstat6")).unwrap();
        assert_eq!(host.sock_stat().unwrap(), SockStat { tcp_in_use: 5, ..expected });
        std::fs::write(dir.path().join("proc/net/snmp"), "Tcp: CurrEstab\nTcp: \n").unwrap();
        assert_eq!(host.sock_stat().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_number_that_is_missing_is_not_0() {
        for lacking in ["inuse 5", "orphan 1", "tw 2", "alloc 9"] {
            assert!(parse_sockstat(SOCKSTAT.replace(lacking, "").as_bytes()).is_err(), "{lacking}");
            let name = lacking.split_once(' ').unwrap().0;
            for value in ["-1", "x", "", "18446744073709551616"] {
                let file = SOCKSTAT.replace(lacking, &format!("{name} {value}"));
                assert!(parse_sockstat(file.as_bytes()).is_err(), "{name} {value}");
            }
        }
        for end in 0..SOCKSTAT.len() {
            let _ = parse_sockstat(&SOCKSTAT.as_bytes()[..end]);
        }
        assert!(parse_sockstat(b"").is_err() && parse_established(b"").is_err());
        assert_eq!(field(b"TCP: a 18446744073709551615 b", "TCP", "a"), Some(u64::MAX));
    }
}
