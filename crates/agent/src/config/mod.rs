//! `cfg.json`: what it may say, read in the dialects of the agents that this one replaces.
//!
//! [`parse`] goes from bytes to text (`encoding`), to a tree (`gojson::Node`), to the file exactly as written (`raw`),
//! to a [`Config`] that needs no further checks (`validate`). Every default stands in `defaults`. A wrong type stops
//! the reading with file, line, column and key; an unusable value is replaced and told as a [`Warning`]. Files of `cfg.d`
//! (`overlay`) are read over it before it is validated; which agent's file it is, `cfg.json` alone says.
//!
//! Sources of truth: `modules/agent/g/cfg.go` and `cfg.example.json` of falcon-plus, `cfg.example.json` of
//! AutohomeRadar/Windows-Agent and of freedomkk-qfeng/windows-agent.

mod address;
pub mod checks;
mod counters;
mod defaults;
pub mod edit;
mod encoding;
pub mod file;
mod load;
pub mod names;
mod network;
mod overlay;
mod plugin;
mod raw;
mod reader;
mod report;
mod secret;
#[cfg(test)]
mod tests;
mod url;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use checks::Checks;
pub use counters::CounterSet;
pub(crate) use counters::INSTANCE;
pub use load::{FILE_LIMIT, Loaded, NOTES_DIR, Source, load, parse};
pub use names::NameSet;
pub use network::Network;
pub use overlay::{OVERLAY_DIR, Overlay, Parsed, Seen, parse_over};
pub use plugin::Plugin;
pub use report::{ConfigError, Warning};
pub use secret::{PageUrl, RepoUrl, Secret};
pub(crate) use url::{WebAddress, split_scheme, tags_without_credentials, without_credentials, without_login};

/// What a host is given that has no configuration yet.
pub const FIRST: &str = include_str!("first.json");

/// What the configuration is told of the collectors, so that it can name what is misspelt.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Every collector of this platform: a key of `collector` that switches it off, and of `collector.intervals`.
    pub collectors: Vec<&'static str>,
    /// What is off by default: a key of `collector` that switches it on.
    pub options: Vec<&'static str>,
    /// Keys of `collector.limits`, each with its default and its largest value.
    pub limits: Vec<(&'static str, u32, u32)>,
    /// Tag keys of collected metrics.
    pub tags: Vec<&'static str>,
}

impl Known {
    fn switches(&self) -> Vec<&'static str> {
        self.collectors.iter().chain(&self.options).copied().collect()
    }
}

/// Every key of `cfg.json`, as `section.key`; sections are none.
pub fn keys() -> impl Iterator<Item = String> {
    let all = raw::KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)));
    let named = all.map(|(section, key)| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") });
    named.filter(|key| raw::KEYS.iter().all(|(section, _)| section != key))
}

/// Which agent's file this was. It decides the default of `collector.names` and is not written out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// No file.
    Standalone,
    /// Ours or the Linux agent's.
    Falcon,
    /// The Python Windows-Agent's.
    WindowsAgent,
    /// The Go windows-agent's of freedomkk.
    FreedomKk,
}

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    pub debug: bool,
    /// Name of the endpoint; empty: found out by the agent.
    pub hostname: String,
    /// Address to report; empty: found out by the agent.
    pub ip: String,
    pub plugin: Plugin,
    pub heartbeat: Heartbeat,
    pub transfer: Transfer,
    pub queue: Queue,
    pub http: Http,
    pub collector: Collector,
    pub service: Service,
    /// What is checked without hbs.
    pub checks: Checks,
    pub default_tags: BTreeMap<String, String>,
    /// Names of collected metrics that are not sent.
    #[serde(serialize_with = "as_map")]
    pub ignore: BTreeSet<String>,
    /// Directory of what outlives the agent; empty: found by [`Loaded::state_dir`].
    pub state_dir: String,
    pub reload: Reload,
    pub guard: Guard,
    pub log: Log,
    pub perf: Perf,
    pub iis: Iis,
    pub mssql: Mssql,
    #[serde(skip)]
    pub dialect: Dialect,
}

/// When the files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reload {
    /// Also when they have changed, without anybody asking for it.
    pub watch: bool,
}

/// What the agent itself may use; see [`crate::guard`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guard {
    pub enabled: bool,
    /// Resident memory in units of 1,000,000 bytes, up to 1,048,576; 0: any.
    pub memory_mb: u32,
    /// Of one processor, mean over five minutes, up to 10,000; 0: any.
    pub cpu_percent: u32,
}

/// The process that asks for performance counters; see [`crate::perf::link`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Perf {
    /// Seconds for a query, 1 to 60.
    pub timeout: u32,
    /// Resident memory in units of 1,000,000 bytes, 16 to 1,024.
    pub memory_mb: u32,
}

/// What the agent says of its work; see [`crate::log`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Log {
    /// Of the current part; the older ones lie beside it. Empty: none, unless whoever starts the agent has one.
    pub file: String,
    /// MB of a part, 1 to 1,024.
    pub max_mb: u32,
    /// Parts, with the current one, 1 to 100.
    pub keep: u32,
    /// As it is written; see [`Config::log_level`].
    pub level: Level,
}

/// How grave something is that the log says; of a configuration, the most that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

impl Level {
    const ALL: [(Level, &str); 4] =
        [(Level::Error, "error"), (Level::Warn, "warn"), (Level::Info, "info"), (Level::Debug, "debug")];
}

/// As a line of the log has it.
impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        })
    }
}

/// The connection to hbs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heartbeat {
    pub enabled: bool,
    /// `host:port`, in order, without duplicates; empty: no hbs.
    pub addrs: Vec<String>,
    /// Seconds, 1 to 86,400.
    pub interval: u32,
    /// Milliseconds to connect, up to a day; 0: no limit of its own, which leaves that of a call.
    pub timeout: u64,
}

/// The connection to the transfers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transfer {
    /// Whether what is collected is sent; pushes are in any case.
    pub enabled: bool,
    /// `host:port`, in order, without duplicates; empty: nothing is sent.
    pub addrs: Vec<String>,
    /// Seconds, 1 to 86,400: the period of collection and the step of what is collected.
    pub interval: u32,
    /// Milliseconds to connect, up to a day; 0: no limit of its own, which leaves that of a call.
    pub timeout: u64,
    /// Seconds, 0 to 3,600: before a backlog is sent, a random time up to this goes by.
    pub replay_delay: u32,
    /// How many times as many points a second are sent of a backlog as come in, 2 to 1,000; 0: no bound.
    pub replay_speed: u32,
    /// Milliseconds between two calls that continue a series, 0 to 10,000.
    pub replay_pause: u64,
}

/// What waits for a transfer, on disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queue {
    /// `false`: in memory alone.
    pub enabled: bool,
    /// MB on disk, 8 to 65,536.
    pub max_mb: u32,
    /// Seconds that a point waits at most, 60 to 2,592,000.
    pub max_age: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Http {
    pub enabled: bool,
    /// `[host]:port`; empty: no server.
    pub listen: String,
    pub backdoor: bool,
    /// What every request but one for `/health` must bring; empty: nothing.
    pub token: Secret,
    /// Who may connect besides this host; empty: everybody.
    pub allow: Vec<Network>,
    /// Who may reload and end the agent and see its configuration, besides this host and those that hbs names.
    pub admin_allow: Vec<Network>,
    /// Names of this host that browsers may use, besides those that it knows itself; in lower case.
    pub hosts: Vec<String>,
    /// Memory for what series said, in units of 1,024 bytes, up to 65,536; 0: none.
    pub history_kb: u32,
    pub tls: Tls,
    pub limits: HttpLimits,
}

impl Http {
    /// Bytes of memory for what series said: none where nobody can ask for it.
    pub fn history_bytes(&self) -> usize {
        let served = self.enabled && !self.listen.is_empty();
        usize::try_from(self.history_kb).ok().filter(|_| served).map_or(0, |kb| kb * 1024)
    }
}

/// Files in PEM form; both empty: no TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tls {
    /// The certificate, and those of the authorities between it and a root.
    pub cert: String,
    /// The private key; empty: it stands in the file of the certificate.
    pub key: String,
}

impl Tls {
    /// Whether TLS is meant: also where the certificate was forgotten, for then a plain listener would surprise.
    pub fn is_on(&self) -> bool {
        !self.cert.is_empty() || !self.key.is_empty()
    }
}

/// What clients may cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpLimits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of all bodies that are being read or are not in the queue yet; never less than `body`.
    pub in_flight: usize,
    /// Items of a push.
    pub items: usize,
    /// Connections at once.
    pub connections: usize,
    /// Milliseconds for the headers of a request, for a TLS handshake, and between two requests.
    pub header_timeout: u64,
    /// Milliseconds for a body, and again for taking the answer.
    pub body_timeout: u64,
    /// Pushes a second of one client; 0: any number.
    pub rate: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collector {
    /// Interfaces to report; empty: all.
    pub iface_prefix: Vec<String>,
    pub iface_prefix_ignore: Vec<String>,
    /// Mount points to report; empty: all.
    pub mount_point: Vec<String>,
    /// Never empty, without duplicates.
    pub names: Vec<NameSet>,
    /// Seconds between runs of a collector that does not follow `transfer.interval`, 1 to 86,400.
    pub intervals: BTreeMap<String, u32>,
    /// How many things of a kind are reported at most, where that is not the default.
    pub limits: BTreeMap<String, u32>,
    /// Processes that `process.*` tells of; empty: none.
    pub process: Vec<String>,
    /// Time servers, `host:port`. `None`: those this host is set to (Windows); empty: none is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ntp: Option<Vec<String>>,
    /// Performance counters to tell of (Windows).
    pub counters: Vec<CounterSet>,
    /// Collectors that are off, and what is off by default and is on.
    #[serde(flatten)]
    pub switches: BTreeMap<&'static str, bool>,
}

/// Services of Windows, units of systemd.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// Names and patterns of those that `service.*` tells of; empty: none.
    pub names: Vec<String>,
    pub alive: Alive,
}

/// What the Python agent's `*.alive` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Alive {
    /// 1 while the service runs.
    Running,
    /// 1 while it is installed, whether or not it runs: what that agent said.
    Exists,
}

impl Alive {
    pub const ALL: [Alive; 2] = [Alive::Running, Alive::Exists];

    /// As written in `cfg.json`.
    pub fn name(self) -> &'static str {
        match self {
            Alive::Running => "running",
            Alive::Exists => "exists",
        }
    }
}

impl Collector {
    /// Whether a collector, or with `default` false an option, is on.
    pub fn is_on(&self, name: &str, default: bool) -> bool {
        self.switches.get(name).copied().unwrap_or(default)
    }
}

/// Whether a module is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    Off,
    /// This host is meant to have what the module is about: it is missed where it is not there, and `*.alive` are 0.
    On,
    /// Where it is installed.
    #[default]
    Auto,
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Switch::Off => serializer.serialize_bool(false),
            Switch::On => serializer.serialize_bool(true),
            Switch::Auto => serializer.serialize_str("auto"),
        }
    }
}

/// What is told of IIS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Iis {
    pub enabled: Switch,
    /// Names and patterns of the sites that are told of one by one; empty: all.
    pub websites: Vec<String>,
    /// Those of sites and application pools that are not.
    pub exclude: Vec<String>,
}

/// What is told of SQL Server. Its counters need no login: what freedomkk's agent had for one is kept and shown alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mssql {
    pub enabled: Switch,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub addr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub username: Secret,
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub password: Secret,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub encrypt: String,
    /// Names and patterns of the databases that are told of one by one; empty: all.
    pub instance: Vec<String>,
    /// Those of databases that are not.
    pub exclude: Vec<String>,
}

/// The text of a file, whatever encoding it is in.
pub(crate) fn decode(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    encoding::decode(bytes).0
}

impl Config {
    /// What the agent does without a file: measures and answers on loopback, sends nothing.
    pub fn standalone() -> Self {
        defaults::standalone()
    }

    /// `debug` of the agents before stands above `log.level`: it is what people know.
    pub fn log_level(&self) -> Level {
        if self.debug { Level::Debug } else { self.log.level }
    }

    /// The effective configuration under the file's own keys, indented. Secrets are shown as `******`; apart from them
    /// and the dialect, [`parse`] reads an equal configuration from it.
    pub fn to_json(&self) -> String {
        self.without_credentials().whole()
    }

    fn whole(&self) -> String {
        // Maps with text keys and no floats: there is nothing in here that serde_json can refuse.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// All of it but secrets, by its keys. By way of the text, for a second serializer of all this is 10 KB of the executable.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.whole()).unwrap_or_default()
    }

    /// With credentials hidden also where none are expected: in the address of a text that says anything. What is known to be
    /// secret is a [`Secret`] and needs none of this.
    pub fn without_credentials(&self) -> Config {
        let mut shown = self.clone();
        let Plugin { dir, logs, sha256, key, .. } = &mut shown.plugin;
        let texts = [&mut shown.hostname, &mut shown.mssql.addr, dir, logs, sha256, key];
        for text in texts.into_iter().chain(shown.default_tags.values_mut()) {
            if text.contains("://") {
                *text = RepoUrl::new(std::mem::take(text)).shown();
            }
        }
        shown
    }

    /// By which equal configurations are known: the CRC-32 of [`Config::to_json`]. Secrets are no part of it, for a short one
    /// could be guessed from it.
    pub fn crc(&self) -> u32 {
        crc32fast::hash(self.to_json().as_bytes())
    }
}

fn as_map<S: Serializer>(names: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(names.len()))?;
    for name in names {
        map.serialize_entry(name, &true)?;
    }
    map.end()
}
