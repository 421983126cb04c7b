//! Addresses as people write them, brought to `host:port`.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use super::reader::Spot;
use super::report::{Report, shortened};

type Ports = RangeInclusive<u16>;

const CONNECT: Ports = 1..=u16::MAX;

/// 0 asks the system for a free port.
const LISTEN: Ports = 0..=u16::MAX;

/// Reads every address of a key: commas separate several, blanks and empty ones are skipped, a missing port is
/// `default_port`, and what cannot be an address or stands there twice is left out with a warning.
pub(super) fn collect(
    texts: impl IntoIterator<Item = Spot<String>>,
    path: &str,
    default_port: u16,
    report: &mut Report<'_>,
) -> Vec<String> {
    let mut addresses = Vec::new();
    let mut seen = BTreeSet::new();
    for Spot { value, at } in texts {
        for written in value.split([',', '，']).map(str::trim).filter(|part| !part.is_empty()) {
            let shown = shortened(written);
            match normalise(written, default_port, CONNECT) {
                Ok((address, _)) if seen.contains(&address) => {
                    report.warn(at, path, format!("{shown:?} is given twice; the second is left out"));
                }
                Ok((address, remark)) => {
                    if let Some(remark) = remark {
                        report.warn(at, path, format!("{shown:?}: {remark}; read as {address:?}"));
                    }
                    seen.insert(address.clone());
                    addresses.push(address);
                }
                Err(reason) => report.warn(at, path, format!("{shown:?} is left out: {reason}")),
            }
        }
    }
    addresses
}

/// One address; without a default the port has to be there.
pub(super) fn to_connect(written: &str, default_port: Option<u16>) -> Result<String, &'static str> {
    let (address, remark) = normalise(written.trim(), default_port.unwrap_or(1), CONNECT)?;
    match (default_port, remark) {
        (None, Some("has no port")) => Err("expected host:port, and there is no port"),
        (_, Some("has no host")) => Err("expected host:port, and there is no host"),
        _ => Ok(address),
    }
}

/// An address to listen on: like the others, but the host may be missing, and a number alone is a port.
pub(super) fn listen(written: &str, default_port: u16) -> Result<(String, Option<&'static str>), &'static str> {
    let written = written.trim();
    if written.is_empty() {
        return Ok((String::new(), None));
    }
    if let Ok(port) = written.parse::<u16>() {
        return Ok((format!(":{port}"), Some("is a port alone")));
    }
    match written.strip_prefix(':') {
        Some(port) => Ok((format!(":{}", number(port, LISTEN)?), None)),
        None => normalise(written, default_port, LISTEN),
    }
}

/// `host:port`, with a remark where something had to be changed, or why it cannot be one.
fn normalise(written: &str, default_port: u16, ports: Ports) -> Result<(String, Option<&'static str>), &'static str> {
    let ascii = written.replace('：', ":");
    let changed = (ascii != written).then_some("the colon is a full-width one");
    let (host, port) = split(&ascii)?;
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#' | '[' | ']')) {
        return Err("expected host:port");
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match (host.as_str(), port) {
        ("", None | Some("")) => Err("expected host:port"),
        ("", Some(port)) => Ok((format!("127.0.0.1:{}", number(port, ports)?), Some("has no host"))),
        (_, None | Some("")) => Ok((format!("{host}:{default_port}"), Some("has no port"))),
        (_, Some(port)) => Ok((format!("{host}:{}", number(port, ports)?), changed)),
    }
}

/// Host without brackets, and what stands after its colon.
fn split(address: &str) -> Result<(&str, Option<&str>), &'static str> {
    if address.contains("://") {
        return Err("expected host:port, without a scheme");
    }
    if let Some(bracketed) = address.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or("the bracket is not closed")?;
        ipv6(host)?;
        let port =
            if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or("expected [address]:port")?) };
        return Ok((host, port));
    }
    match address.split_once(':') {
        None => Ok((address, None)),
        Some((_, rest)) if rest.contains(':') => ipv6(address).map(|()| (address, None)),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

/// With or without a zone (`fe80::1%eth0`).
fn ipv6(host: &str) -> Result<(), &'static str> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse::<Ipv6Addr>().map(drop).map_err(|_| "not an IPv6 address")
}

fn number(port: &str, ports: Ports) -> Result<u16, &'static str> {
    port.parse().ok().filter(|port| ports.contains(port)).ok_or("the port must be a number from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_or_refused() {
        for (written, expected) in [
            ("10.0.0.1:8433", Ok(("10.0.0.1:8433", false))),
            ("transfer.example", Ok(("transfer.example:9", true))),
            ("10.0.0.1:", Ok(("10.0.0.1:9", true))),
            ("10.0.0.1：8433", Ok(("10.0.0.1:8433", true))),
            (":8433", Ok(("127.0.0.1:8433", true))),
            ("[::1]:8433", Ok(("[::1]:8433", false))),
            ("[fe80::1%eth0]", Ok(("[fe80::1%eth0]:9", true))),
            ("::1", Ok(("[::1]:9", true))),
            ("10.0.0.1:84330", Err("the port must be a number from 1 to 65535")),
            ("10.0.0.1:0", Err("the port must be a number from 1 to 65535")),
            ("10.0.0.1:http", Err("the port must be a number from 1 to 65535")),
            ("http://10.0.0.1:8433", Err("expected host:port, without a scheme")),
            ("10.0.0.1:8433:1", Err("not an IPv6 address")),
            ("[::1", Err("the bracket is not closed")),
            ("[::1]8433", Err("expected [address]:port")),
            ("a b:1", Err("expected host:port")),
            (":", Err("expected host:port")),
        ] {
            let found = normalise(written, 9, CONNECT);
            let found = found.as_ref().map(|(address, remark)| (address.as_str(), remark.is_some())).map_err(|e| *e);
            assert_eq!(found, expected, "{written}");
        }
    }

    #[test]
    fn one_text_may_hold_several_and_duplicates_are_dropped() {
        let mut report = Report::new("cfg.json", "x");
        let texts = [" a:1, b:2 ,,", "a:1", "", "c:99999"].map(|text| Spot { value: text.to_owned(), at: 0 });
        assert_eq!(collect(texts, "transfer.addrs", 8433, &mut report), ["a:1", "b:2"]);
        let warnings: Vec<_> = report.into_warnings().into_iter().map(|warning| warning.text).collect();
        assert_eq!(
            warnings,
            [
                "\"a:1\" is given twice; the second is left out",
                "\"c:99999\" is left out: the port must be a number from 1 to 65535"
            ]
        );
    }

    #[test]
    fn an_address_of_a_check_is_whole() {
        assert_eq!(to_connect(" db:3306", None), Ok("db:3306".to_owned()));
        assert_eq!(to_connect("::1", Some(53)), Ok("[::1]:53".to_owned()));
        for (bad, port) in [("db", None), (":80", None), (":80", Some(53)), ("db:x", Some(53)), ("http://db", Some(53))]
        {
            assert!(to_connect(bad, port).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_listening_address_needs_no_host() {
        assert_eq!(listen("", 1988), Ok((String::new(), None)));
        assert_eq!(listen(":1988", 1), Ok((":1988".to_owned(), None)));
        assert_eq!(listen("1988", 1), Ok((":1988".to_owned(), Some("is a port alone"))));
        assert_eq!(listen("127.0.0.1:80", 1), Ok(("127.0.0.1:80".to_owned(), None)));
        assert_eq!(listen("0.0.0.0", 1988), Ok(("0.0.0.0:1988".to_owned(), Some("has no port"))));
        // A port that the system chooses: the number alone was once read as ":0", which was then refused.
        for free in ["0", ":0", "127.0.0.1:0"] {
            assert!(listen(free, 1988).is_ok_and(|(address, _)| address.ends_with(":0")), "{free}");
        }
        assert!(listen(":x", 1988).is_err());
    }
}
