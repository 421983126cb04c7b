//! Who may connect: addresses and networks as people write them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

use super::reader::Spot;
use super::report::{Report, shortened};

/// Addresses that have their first bits in common; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Bits beyond the prefix are zero.
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// `10.0.0.0/8`, `192.168.1.5`, `fd00::/8`. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.
    pub(crate) fn parse(written: &str) -> Option<Network> {
        let (address, prefix) = match written.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (written, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let address = written.to_canonical();
        // The prefix counts in the form that was written.
        let mapped = if written.is_ipv6() && address.is_ipv4() { 96 } else { 0 };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(most), |prefix| prefix.checked_sub(mapped)).filter(|prefix| *prefix <= most)?;
        Some(Network { first: masked(address, prefix), prefix })
    }

    /// Whether the address lies in it; IPv4 within IPv6, as a socket of both families shows it, counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }

    /// 127.0.0.1 alone.
    fn loopback() -> Network {
        Network { first: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 32 }
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        if self.prefix == whole { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the list; what is no network is left out with a warning. A list of which nothing is left still lets nobody in but
/// this host: a slip of the pen must not open the port.
pub(super) fn collect(texts: Vec<Spot<String>>, path: &str, report: &mut Report<'_>) -> Vec<Network> {
    let (mut networks, first_bad) = read(texts, path, report);
    if let Some(at) = first_bad.filter(|_| networks.is_empty()) {
        report.warn(at, path, "nothing is left of the list: only this host may connect");
        networks.push(Network::loopback());
    }
    networks
}

/// Reads a list of those who may besides others: one that is empty names nobody.
pub(super) fn collect_more(texts: Vec<Spot<String>>, path: &str, report: &mut Report<'_>) -> Vec<Network> {
    read(texts, path, report).0
}

/// The networks, and where the first entry stands that is none.
fn read(texts: Vec<Spot<String>>, path: &str, report: &mut Report<'_>) -> (Vec<Network>, Option<usize>) {
    let (mut networks, mut first_bad) = (Vec::new(), None);
    for Spot { value, at } in texts {
        for written in value.split([',', '，']).map(str::trim).filter(|part| !part.is_empty()) {
            match Network::parse(written) {
                Some(network) if networks.contains(&network) => {}
                Some(network) => networks.push(network),
                None => {
                    first_bad.get_or_insert(at);
                    let shown = shortened(written);
                    report.warn(
                        at,
                        path,
                        format!("{shown:?} is left out: expected an address, or a network as 10.0.0.0/8"),
                    );
                }
            }
        }
    }
    (networks, first_bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_alike() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("192.168.1.5", "192.168.1.5", "192.168.1.4"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("0.0.0.0/0", "203.0.113.9", "fd00::1"),
            ("::/0", "fd00::1", "10.0.0.1"),
            ("::1", "::1", "::2"),
        ] {
            let network = Network::parse(network).expect(network);
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(Network::parse(&network.to_string()), Some(network));
        }
        // A listener on `::` sees clients of IPv4 so.
        assert!(Network::parse("10.0.0.0/8").unwrap().contains("::ffff:10.0.0.1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "host", "::/129", "10.0.0.0/", "::ffff:10.0.0.0/8"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_of_nothing_usable_opens_no_port() {
        let mut report = Report::new("cfg.json", "x");
        let spots = |texts: &[&str]| texts.iter().map(|text| Spot { value: (*text).to_owned(), at: 0 }).collect();
        assert_eq!(collect(spots(&["10.0.0.0/99", "lan"]), "http.allow", &mut report), [Network::loopback()]);
        assert_eq!(report.into_warnings().len(), 3);
        let mut report = Report::new("cfg.json", "x");
        assert_eq!(collect_more(spots(&["10.0.0.0/99"]), "http.admin_allow", &mut report), []);
        assert_eq!(report.into_warnings().len(), 1);
        let mut report = Report::new("cfg.json", "x");
        let some = collect(spots(&["10.0.0.1/8, fd00::1", "10.0.0.0/8", "lan"]), "http.allow", &mut report);
        assert_eq!(some.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "fd00::1"]);
        assert_eq!(collect(spots(&["", " "]), "http.allow", &mut report), []);
        assert_eq!(report.into_warnings().len(), 1);
    }
}
