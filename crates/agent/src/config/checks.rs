//! `checks`: what is checked without hbs having assigned it.
//!
//! An entry of a list is a text, which says the one thing that is needed, or an object. An entry that lacks it, or whose value
//! cannot be what it should, is left out with a warning; what can be replaced by its default is.

mod read;

use serde::Serialize;

use super::PageUrl;
pub(super) use read::checks;

/// The first and the last status.
const STATUS: (u16, u16) = (100, 599);

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

#[cfg(test)]
mod tests;
