//! `checks`: what is checked without hbs having assigned it.
//!
//! An entry of a list is a text, which says the one thing that is needed, or an object. An entry that lacks it, or whose value
//! cannot be what it should, is left out with a warning; what can be replaced by its default is.

use serde::Serialize;

use super::raw::{RawCheck, RawChecks};
use super::reader::Spot;
use super::report::{Report, shortened};
use super::url::WebAddress;
use super::validate::bounded;
use super::{NameSet, RepoUrl, address};

/// Entries of a list.
const MOST: usize = 256;
/// Bytes of a text: a tag has room for less.
const MOST_BYTES: usize = 1024;
const STATUS: (u16, u16) = (100, 599);
/// Of URLs, in seconds.
const URL_TIMEOUT_S: (u32, u32, u32) = (1, 60, 10);
/// Of what a network answers itself, in milliseconds.
const PROBE_TIMEOUT_MS: (u32, u32, u32) = (10, 10_000, 1000);
const PING_COUNT: (u32, u32, u32) = (1, 20, 4);
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
const DNS_PORT: u16 = 53;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checks {
    pub ports: Vec<Port>,
    pub processes: Vec<Process>,
    pub directories: Vec<String>,
    pub urls: Vec<Url>,
    pub ping: Vec<Ping>,
    pub tcp: Vec<Tcp>,
    pub dns: Vec<Dns>,
}

/// A port of this host that is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    pub port: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Either will do, as where hbs asks.
    #[default]
    Any,
    Tcp,
    Udp,
}

impl Protocol {
    const ALL: [(Protocol, &str); 3] = [(Protocol::Any, "any"), (Protocol::Tcp, "tcp"), (Protocol::Udp, "udp")];
}

/// Processes that are counted together; one of both texts may be empty: then it fits all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    pub name: String,
    pub cmdline: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Url {
    pub url: RepoUrl,
    /// The value of the tag; empty: the URL without user and password.
    pub name: String,
    pub method: String,
    /// What it should answer; never empty.
    pub status: Vec<Statuses>,
    /// What the body has to contain; empty: anything.
    pub body: String,
    /// Seconds for all of it, 1 to 60.
    pub timeout: u32,
    /// Whether a certificate that fails verification is a failure.
    pub verify: bool,
}

/// Statuses from the first to the last, written as one number or as `200-299`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses {
    pub first: u16,
    pub last: u16,
}

/// Echo requests to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// Name or address.
    pub host: String,
    /// Requests of a cycle, 1 to 20.
    pub count: u32,
    /// Milliseconds for the answer to each, 10 to 10,000.
    pub timeout: u32,
}

/// Connections to a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// `host:port`
    pub address: String,
    /// Milliseconds, 10 to 10,000.
    pub timeout: u32,
}

/// Questions to a name server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dns {
    pub name: String,
    /// `host:port`; empty: whatever the system asks.
    pub server: String,
    /// Of the record, with a server; the system is asked for addresses.
    #[serde(rename = "type")]
    pub record: Record,
    /// Milliseconds, 10 to 10,000.
    pub timeout: u32,
}

/// Types of records, by their numbers (RFC 1035, 2782, 3596).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Record {
    #[default]
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
}

impl Record {
    const ALL: [(Record, &str); 9] = [
        (Record::A, "A"),
        (Record::Aaaa, "AAAA"),
        (Record::Cname, "CNAME"),
        (Record::Mx, "MX"),
        (Record::Ns, "NS"),
        (Record::Ptr, "PTR"),
        (Record::Soa, "SOA"),
        (Record::Srv, "SRV"),
        (Record::Txt, "TXT"),
    ];

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    pub fn name(self) -> &'static str {
        Record::ALL.iter().find(|(record, _)| *record == self).map_or("", |(_, name)| name)
    }
}

impl Statuses {
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    fn parse(text: &str) -> Option<Statuses> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (STATUS.0 <= first && first <= last && last <= STATUS.1).then_some(Statuses { first, last })
    }
}

impl Serialize for Statuses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u16(self.first)
        } else {
            serializer.collect_str(&format_args!("{}-{}", self.first, self.last))
        }
    }
}

pub(super) fn checks(raw: RawChecks, names: &[NameSet], report: &mut Report<'_>) -> Checks {
    const LACKING: &str = "its metrics are of the set `extended`, which collector.names lacks: nothing is checked";
    let is_said = names.contains(&NameSet::Extended);
    if !is_said {
        for (list, path) in [(&raw.ping, "checks.ping"), (&raw.tcp, "checks.tcp"), (&raw.dns, "checks.dns")] {
            if let Some(Spot { at, .. }) = list.first() {
                report.warn(*at, path, LACKING);
            }
        }
    }
    let ports_at = raw.ports.first().map(|entry| entry.at);
    let ports = entries(raw.ports, "checks.ports", port, report);
    // Of what is found on either, other sets tell too.
    let is_one = |port: &Port| port.protocol != Protocol::Any;
    if let Some(at) = ports_at.filter(|_| !is_said && ports.iter().any(is_one)) {
        report.warn(at, "checks.ports", format!("of an entry with `tcp` or `udp` {LACKING}"));
    }
    Checks {
        ports,
        processes: entries(raw.processes, "checks.processes", process, report),
        directories: entries(raw.directories, "checks.directories", directory, report),
        urls: entries(raw.urls, "checks.urls", url, report),
        ping: entries(raw.ping, "checks.ping", ping, report),
        tcp: entries(raw.tcp, "checks.tcp", tcp, report),
        dns: entries(raw.dns, "checks.dns", dns, report),
    }
}

/// An entry as it is read, and where to tell of it.
struct Entry<'a, 'r> {
    raw: RawCheck,
    path: &'a str,
    at: usize,
    report: &'a mut Report<'r>,
}

impl Entry<'_, '_> {
    /// Why it is left out.
    fn refuse<T>(&mut self, why: &str) -> Option<T> {
        self.report.warn(self.at, self.path, format!("{why}; the entry is left out"));
        None
    }

    /// The one text that is needed.
    fn needed(&mut self, text: Option<Spot<String>>, what: &str) -> Option<String> {
        let Some(Spot { value, .. }) = text.filter(|text| !text.value.trim().is_empty()) else {
            return self.refuse(&format!("{what} is needed"));
        };
        self.usable(value.trim(), what)
    }

    fn usable(&mut self, text: &str, what: &str) -> Option<String> {
        if text.len() > MOST_BYTES || text.contains(|c: char| c.is_control()) {
            return self.refuse(&format!("{:?} is no {what}", shortened(text)));
        }
        Some(text.to_owned())
    }

    fn optional(&mut self, text: Option<Spot<String>>, what: &str) -> Option<String> {
        text.map_or(Some(String::new()), |text| self.usable(text.value.trim(), what))
    }

    fn number(&mut self, spot: Option<Spot<i64>>, (min, max, default): (u32, u32, u32), unit: &str, key: &str) -> u32 {
        bounded(spot, (min, max, default), unit, &format!("{}.{key}", self.path), self.report)
    }

    fn one_of<T: Copy + Default>(&mut self, text: Option<Spot<String>>, all: &[(T, &str)], key: &str) -> T {
        let Some(Spot { value, at }) = text else { return T::default() };
        let known = all.iter().find(|(_, name)| name.eq_ignore_ascii_case(value.trim()));
        known.map(|(one, _)| *one).unwrap_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            let (shown, default) = (shortened(&value), names.first().copied().unwrap_or_default());
            let text = format!("there is no {shown:?}; {default} is used, of {}", names.join(", "));
            self.report.warn(at, &format!("{}.{key}", self.path), text);
            T::default()
        })
    }
}

/// What can be checked, each once.
fn entries<T: PartialEq>(
    raw: Vec<Spot<RawCheck>>,
    path: &str,
    read: fn(&mut Entry<'_, '_>) -> Option<T>,
    report: &mut Report<'_>,
) -> Vec<T> {
    if let Some(Spot { at, .. }) = raw.get(MOST) {
        report.warn(*at, path, format!("{} entries are too many; the first {MOST} are used", raw.len()));
    }
    let mut checks = Vec::new();
    for (n, Spot { value: raw, at }) in raw.into_iter().take(MOST).enumerate() {
        let path = format!("{path}[{n}]");
        let mut entry = Entry { raw, path: &path, at, report };
        let Some(check) = read(&mut entry) else { continue };
        if checks.contains(&check) {
            report.warn(at, &path, "given twice; the second is left out");
        } else {
            checks.push(check);
        }
    }
    checks
}

fn port(entry: &mut Entry<'_, '_>) -> Option<Port> {
    let text = entry.raw.port.take();
    let text = entry.needed(text, "a port")?;
    let (number, protocol) = text.split_once('/').map_or((text.as_str(), None), |(port, name)| (port, Some(name)));
    let Some(port) = number.trim().parse().ok().filter(|port| *port > 0) else {
        return entry.refuse(&format!("{:?} is no port, as 80 or 53/udp are", shortened(&text)));
    };
    let protocol = protocol.map(|name| Spot { value: name.to_owned(), at: entry.at });
    let protocol = protocol.or_else(|| entry.raw.protocol.take());
    Some(Port { port, protocol: entry.one_of(protocol, &Protocol::ALL, "protocol") })
}

fn process(entry: &mut Entry<'_, '_>) -> Option<Process> {
    let (name, cmdline) = (entry.raw.name.take(), entry.raw.cmdline.take());
    let (name, cmdline) = (entry.optional(name, "name of a process")?, entry.optional(cmdline, "command line")?);
    if name.is_empty() && cmdline.is_empty() {
        return entry.refuse("a name or a part of the command line is needed");
    }
    Some(Process { name, cmdline })
}

fn directory(entry: &mut Entry<'_, '_>) -> Option<String> {
    let path = entry.raw.path.take();
    entry.needed(path, "a path")
}

fn url(entry: &mut Entry<'_, '_>) -> Option<Url> {
    let url = entry.raw.url.take();
    let url = entry.needed(url, "a URL")?;
    if let Err(why) = WebAddress::parse(&url) {
        let shown = RepoUrl::new(url).shown();
        return entry.refuse(&format!("{:?} cannot be asked for: {why}", shortened(&shown)));
    }
    let (name, body) = (entry.raw.name.take(), entry.raw.body.take());
    let (name, body) = (entry.optional(name, "name")?, entry.optional(body, "text")?);
    let method = entry.raw.method.take();
    let methods: Vec<(usize, &str)> = METHODS.iter().copied().enumerate().collect();
    let method = METHODS.get(entry.one_of(method, &methods, "method")).copied().unwrap_or("GET");
    if method == "HEAD" && !body.is_empty() {
        return entry.refuse("an answer to HEAD has no body");
    }
    let timeout = entry.raw.timeout.take();
    Some(Url {
        url: RepoUrl::new(url),
        name,
        method: method.to_owned(),
        status: statuses(entry),
        body,
        timeout: entry.number(timeout, URL_TIMEOUT_S, " s", "timeout"),
        verify: entry.raw.verify.take().is_none_or(|verify| verify.value),
    })
}

/// 200 alone where nothing usable is written.
fn statuses(entry: &mut Entry<'_, '_>) -> Vec<Statuses> {
    let mut statuses = Vec::new();
    for Spot { value, at } in entry.raw.status.take().into_iter().flatten() {
        for text in value.split([',', '，']).map(str::trim).filter(|text| !text.is_empty()) {
            match Statuses::parse(text) {
                Some(range) => statuses.push(range),
                None => {
                    let text = format!("{:?} is no status, as 200 or 200-299 are; it is left out", shortened(text));
                    entry.report.warn(at, &format!("{}.status", entry.path), text);
                }
            }
        }
    }
    if statuses.is_empty() {
        statuses.push(Statuses { first: 200, last: 200 });
    }
    statuses
}

fn ping(entry: &mut Entry<'_, '_>) -> Option<Ping> {
    let host = entry.raw.host.take();
    let host = entry.needed(host, "a host")?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
    if bare.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '[' | ']' | ',')) {
        return entry.refuse(&format!("{:?} is no host: expected a name or an address", shortened(&host)));
    }
    let (count, timeout) = (entry.raw.count.take(), entry.raw.timeout.take());
    Some(Ping {
        host: bare,
        count: entry.number(count, PING_COUNT, "", "count"),
        timeout: entry.number(timeout, PROBE_TIMEOUT_MS, " ms", "timeout"),
    })
}

fn tcp(entry: &mut Entry<'_, '_>) -> Option<Tcp> {
    let address = entry.raw.address.take();
    let address = entry.needed(address, "an address")?;
    let address = match address::to_connect(&address, None) {
        Ok(address) => address,
        Err(why) => return entry.refuse(&format!("{:?}: {why}", shortened(&address))),
    };
    let timeout = entry.raw.timeout.take();
    Some(Tcp { address, timeout: entry.number(timeout, PROBE_TIMEOUT_MS, " ms", "timeout") })
}

fn dns(entry: &mut Entry<'_, '_>) -> Option<Dns> {
    let name = entry.raw.name.take();
    let name = entry.needed(name, "a name")?;
    let server = entry.raw.server.take();
    let mut server = entry.optional(server, "name server")?;
    if !server.is_empty() {
        server = match address::to_connect(&server, Some(DNS_PORT)) {
            Ok(server) => server,
            Err(why) => return entry.refuse(&format!("{:?}: {why}", shortened(&server))),
        };
    }
    let (record, timeout) = (entry.raw.record.take(), entry.raw.timeout.take());
    Some(Dns {
        name,
        server,
        record: entry.one_of(record, &Record::ALL, "type"),
        timeout: entry.number(timeout, PROBE_TIMEOUT_MS, " ms", "timeout"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Known, Warning, parse};

    fn read(checks: &str) -> (Config, Vec<Warning>) {
        parse(format!("{{\"checks\": {checks}}}").as_bytes(), "cfg.json", &Known::default()).unwrap()
    }

    #[test]
    fn an_entry_is_the_text_that_is_needed_or_an_object() {
        let (config, warnings) = read(
            r#"{"ports": [80, "443/TCP", {"port": "53", "protocol": "udp"}, null],
                "processes": ["nginx", {"cmdline": "-c x=y,z"}], "directories": "/var/log",
                "urls": ["h/x", {"url": "https://u:p@h", "name": "shop", "method": "head", "status": [204, "300-399"], "timeout": 5,
                                 "verify": false}],
                "ping": ["[::1]", {"host": "gw", "count": 10, "timeout": 200}], "tcp": ["db:3306"],
                "dns": ["example.com", {"name": "example.com", "server": "::1", "type": "aaaa"}]}"#,
        );
        assert_eq!(warnings, []);
        let checks = &config.checks;
        let protocols = [(80, Protocol::Any), (443, Protocol::Tcp), (53, Protocol::Udp)];
        assert_eq!(checks.ports, protocols.map(|(port, protocol)| Port { port, protocol }));
        let process = |name: &str, cmdline: &str| Process { name: name.to_owned(), cmdline: cmdline.to_owned() };
        assert_eq!(checks.processes, [process("nginx", ""), process("", "-c x=y,z")]);
        assert_eq!(checks.directories, ["/var/log"]);
        assert_eq!(checks.ping[0], Ping { host: "::1".to_owned(), count: 4, timeout: 1000 });
        assert_eq!(checks.ping[1], Ping { host: "gw".to_owned(), count: 10, timeout: 200 });
        assert_eq!(checks.tcp, [Tcp { address: "db:3306".to_owned(), timeout: 1000 }]);
        assert_eq!((checks.dns[1].server.as_str(), checks.dns[1].record.number()), ("[::1]:53", 28));
        assert_eq!((checks.urls[0].method.as_str(), checks.urls[0].status[0].contains(200)), ("GET", true));
        let shop = &checks.urls[1];
        assert_eq!((shop.method.as_str(), shop.verify, shop.timeout), ("HEAD", false, 5));
        assert!(
            shop.status.iter().any(|range| range.contains(302)) && !shop.status.iter().any(|range| range.contains(200))
        );
        assert!(!config.to_json().contains("u:p"), "{}", config.to_json());
        // What is shown is read as the same.
        let (again, _) = parse(config.to_json().as_bytes(), "cfg.json", &Known::default()).unwrap();
        assert_eq!((again.checks.ports, again.checks.dns), (checks.ports.clone(), checks.dns.clone()));
        assert_eq!(again.checks.urls[1].status, shop.status);
    }

    #[test]
    fn an_entry_that_cannot_be_used_costs_itself_alone() {
        let (config, warnings) = read(
            r#"{"ports": [0, "x", 80, "80/sctp", 80], "processes": [{}, {"name": " "}], "directories": [{"path": ""}],
                "urls": ["ftp://x", {"url": "h", "status": "99", "timeout": 0}, {"url": "h", "method": "HEAD", "body": "x"}],
                "ping": ["a/b", {"host": "h", "count": 99}], "tcp": ["db", ":80"], "dns": [{"name": "x", "server": "a:b:c"}]}"#,
        );
        let checks = config.checks;
        assert_eq!((checks.ports.len(), checks.processes.len(), checks.directories.len()), (1, 0, 0));
        assert_eq!((checks.urls.len(), checks.urls[0].timeout), (1, 10));
        assert_eq!((checks.ping.len(), checks.ping[0].count, checks.tcp.len(), checks.dns.len()), (1, 20, 0, 0));
        let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let expected = [
            "ports[0]",
            "ports[1]",
            "ports[3].protocol",
            "ports[3]",
            "ports[4]",
            "processes[0]",
            "processes[1]",
            "directories[0]",
            "urls[0]",
            "urls[1].status",
            "urls[1].timeout",
            "urls[2]",
            "ping[0]",
            "ping[1].count",
            "tcp[0]",
            "tcp[1]",
            "dns[0]",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, path) in told.iter().zip(expected) {
            assert!(told.contains(&format!("checks.{path}: ")), "{told}: {path}");
        }
    }

    // Hosts were configured to be asked, and never were.
    #[test]
    fn what_no_set_has_a_name_for_is_told() {
        let text = |names: &str| {
            format!(
                r#"{{"collector": {{"names": ["{names}"]}}, "checks": {{"ports": [80, "53/udp"], "ping": ["h"], "tcp": ["h:1"],
                    "dns": ["n"]}}}}"#
            )
        };
        let told = |names| {
            let (_, warnings) = parse(text(names).as_bytes(), "cfg.json", &Known::default()).unwrap();
            warnings
                .into_iter()
                .filter(|warning| warning.text.contains("`extended`"))
                .map(|w| w.path)
                .collect::<Vec<_>>()
        };
        assert_eq!(told("falcon"), ["checks.ports", "checks.ping", "checks.tcp", "checks.dns"]);
        assert!(told("extended").is_empty());
    }

    #[test]
    fn a_list_that_is_none_is_an_error_and_a_long_one_is_cut() {
        for bad in [r#"{"ports": [[80]]}"#, r#"{"ports": true}"#, r#"{"ping": [{"count": "x", "host": "h"}]}"#] {
            assert!(
                parse(format!("{{\"checks\": {bad}}}").as_bytes(), "cfg.json", &Known::default()).is_err(),
                "{bad}"
            );
        }
        let many: Vec<String> = (1..=300).map(|port| port.to_string()).collect();
        let (config, warnings) = read(&format!("{{\"ports\": [{}], \"tcp\": false}}", many.join(",")));
        assert_eq!((config.checks.ports.len(), warnings.len()), (MOST, 1));
    }
}
