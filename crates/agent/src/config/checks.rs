//! `checks`: what is checked without hbs having assigned it.
//!
//! An entry of a list is a text, which says the one thing that is needed, or an object. An entry that lacks it, or whose value
//! cannot be what it should, is left out with a warning; what can be replaced by its default is.

use serde::Serialize;

use super::raw::{RawCheck, RawChecks};
use super::reader::Spot;
use super::report::{Report, shortened};
use super::url::{WebAddress, without_credentials};
use super::validate::bounded;
use super::{NameSet, PageUrl, address};

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
    pub url: PageUrl,
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
        let shown = without_credentials(&url);
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
        url: PageUrl::new(url),
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
    if bare.is_empty() || bare.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '[' | ']' | ',')) {
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
mod tests;
