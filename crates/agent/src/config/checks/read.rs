//! From `checks` as it is written to what is checked.

use super::{Checks, Dns, Ping, Port, Process, Protocol, Record, Statuses, Tcp, Url};
use crate::config::raw::{RawCheck, RawChecks};
use crate::config::reader::Spot;
use crate::config::report::{Report, shortened};
use crate::config::url::{WebAddress, without_credentials};
use crate::config::validate::bounded;
use crate::config::{NameSet, PageUrl, address};

/// Entries of a list.
pub(super) const MOST: usize = 256;
/// Bytes of a text: a tag has room for less.
const MOST_BYTES: usize = 1024;
/// Of URLs, in seconds.
const URL_TIMEOUT_S: (u32, u32, u32) = (1, 60, 10);
/// Of what a network answers itself, in milliseconds.
const PROBE_TIMEOUT_MS: (u32, u32, u32) = (10, 10_000, 1000);
const PING_COUNT: (u32, u32, u32) = (1, 20, 4);
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
const DNS_PORT: u16 = 53;

pub(in crate::config) fn checks(raw: RawChecks, names: &[NameSet], report: &mut Report<'_>) -> Checks {
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
