//! The file exactly as written: the keys of all dialects, typed, with their places, nothing filled in.
//!
//! A file that is read over another ([`Raw::read`] once more) does to it what Go does with a key given twice: objects are merged, all
//! else takes the place of what was there, `null` leaves it. Of two spellings of one thing the upper file's takes the other's place.

use crate::gojson::{Node, Value};

use super::reader::{Spot, boolean, integer, list, map, section, section_with, strings, text};
use super::report::{ConfigError, Report};
use super::{Dialect, Known, Switch};

/// Every key the reader knows, by section.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "debug",
            "hostname",
            "ip",
            "plugin",
            "heartbeat",
            "transfer",
            "queue",
            "http",
            "collector",
            "service",
            "checks",
            "default_tags",
            "ignore",
            "state_dir",
            "reload",
            "guard",
            "log",
            "logfile",
            "perf",
            "iis",
            "mssql",
        ],
    ),
    ("plugin", &["enabled", "dir", "git", "url", "sha256", "key", "logs", "at_once", "memory_mb"]),
    ("heartbeat", &["enabled", "addr", "addrs", "interval", "timeout"]),
    ("transfer", &["enabled", "addr", "addrs", "interval", "timeout", "replay_delay", "replay_speed", "replay_pause"]),
    ("queue", &["enabled", "max_mb", "max_age"]),
    (
        "http",
        &["enabled", "listen", "backdoor", "token", "allow", "admin_allow", "hosts", "history_kb", "tls", "limits"],
    ),
    ("http.tls", &["cert", "key"]),
    ("http.limits", &["body", "in_flight", "items", "connections", "header_timeout", "body_timeout", "rate"]),
    (
        "collector",
        &[
            "ifacePrefix",
            "ifacePrefixIgnore",
            "mountPoint",
            "names",
            "intervals",
            "limits",
            "process",
            "ntp",
            "counters",
        ],
    ),
    ("service", &["names", "alive"]),
    ("checks", &["ports", "processes", "directories", "urls", "ping", "tcp", "dns"]),
    ("reload", &["watch"]),
    ("guard", &["enabled", "memory_mb", "cpu_percent"]),
    ("log", &["file", "max_mb", "keep", "level"]),
    ("perf", &["timeout", "memory_mb"]),
    ("iis", &["enabled", "websites", "exclude"]),
    ("mssql", &["enabled", "addr", "port", "username", "password", "encrypt", "instance", "exclude"]),
];

/// Keys of an entry of `collector.counters`.
pub(super) const COUNTER_KEYS: &[&str] = &["object", "counters", "instances", "exclude", "metric", "tags"];

/// Keys of the entries of the lists in `checks`; the first is what an entry that is no object says.
pub(super) const CHECK_KEYS: &[(&str, &[&str])] = &[
    ("ports", &["port", "protocol"]),
    ("processes", &["name", "cmdline"]),
    ("directories", &["path"]),
    ("urls", &["url", "name", "method", "status", "body", "timeout", "verify"]),
    ("ping", &["host", "count", "timeout"]),
    ("tcp", &["address", "timeout"]),
    ("dns", &["name", "server", "type", "timeout"]),
];

type Maybe<T> = Option<Spot<T>>;
type Strings = Option<Vec<Spot<String>>>;
type Done = Result<(), ConfigError>;

#[derive(Clone, Debug, Default)]
pub(super) struct Raw {
    pub debug: Maybe<bool>,
    pub hostname: Maybe<String>,
    pub ip: Maybe<String>,
    pub plugin: Option<RawPlugin>,
    pub heartbeat: RawServer,
    pub transfer: RawServer,
    pub queue: RawQueue,
    pub http: RawHttp,
    pub collector: RawCollector,
    pub service: RawService,
    pub checks: RawChecks,
    pub default_tags: Vec<Spot<RawTag>>,
    /// Metric and whether it is ignored: of the map form, or of the array form, where all are.
    pub ignore: Vec<Spot<(String, bool)>>,
    /// `ignore` was an array, which is the Python agent's form.
    pub ignore_is_list: bool,
    pub state_dir: Maybe<String>,
    /// `reload.watch`.
    pub watch: Maybe<bool>,
    pub guard: RawGuard,
    pub log: RawLog,
    pub logfile: Maybe<String>,
    pub perf: RawPerf,
    pub iis: RawIis,
    pub mssql: RawMssql,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawPlugin {
    pub enabled: Maybe<bool>,
    pub dir: Maybe<String>,
    pub git: Maybe<String>,
    pub url: Maybe<String>,
    pub sha256: Maybe<String>,
    pub key: Maybe<String>,
    pub logs: Maybe<String>,
    pub at_once: Maybe<i64>,
    pub memory_mb: Maybe<i64>,
}

/// `heartbeat` and `transfer` share most keys.
#[derive(Clone, Debug, Default)]
pub(super) struct RawServer {
    pub enabled: Maybe<bool>,
    pub addr: Strings,
    pub addrs: Strings,
    pub interval: Maybe<i64>,
    pub timeout: Maybe<i64>,
    pub replay_delay: Maybe<i64>,
    pub replay_speed: Maybe<i64>,
    pub replay_pause: Maybe<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawQueue {
    pub enabled: Maybe<bool>,
    pub max_mb: Maybe<i64>,
    pub max_age: Maybe<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawHttp {
    pub enabled: Maybe<bool>,
    pub listen: Maybe<String>,
    pub backdoor: Maybe<bool>,
    pub token: Maybe<String>,
    pub allow: Strings,
    pub admin_allow: Strings,
    pub hosts: Strings,
    pub history_kb: Maybe<i64>,
    pub cert: Maybe<String>,
    pub key: Maybe<String>,
    pub limits: RawHttpLimits,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawHttpLimits {
    pub body: Maybe<i64>,
    pub in_flight: Maybe<i64>,
    pub items: Maybe<i64>,
    pub connections: Maybe<i64>,
    pub header_timeout: Maybe<i64>,
    pub body_timeout: Maybe<i64>,
    pub rate: Maybe<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawGuard {
    pub enabled: Maybe<bool>,
    pub memory_mb: Maybe<i64>,
    pub cpu_percent: Maybe<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawLog {
    pub file: Maybe<String>,
    pub max_mb: Maybe<i64>,
    pub keep: Maybe<i64>,
    pub level: Maybe<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawCollector {
    pub iface_prefix: Strings,
    pub iface_prefix_ignore: Strings,
    pub mount_point: Strings,
    pub names: Option<Spot<Vec<Spot<String>>>>,
    pub intervals: Vec<Spot<(String, i64)>>,
    pub limits: Vec<Spot<(String, i64)>>,
    pub process: Strings,
    pub ntp: Strings,
    pub counters: Vec<Spot<RawCounters>>,
    /// Collectors switched off, and what is off by default switched on.
    pub switches: Vec<(&'static str, bool)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawCounters {
    pub object: Maybe<String>,
    pub counters: Strings,
    pub instances: Strings,
    pub exclude: Strings,
    pub metric: Maybe<String>,
    pub tags: Vec<Spot<RawTag>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawService {
    pub names: Strings,
    pub alive: Maybe<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawChecks {
    pub ports: Vec<Spot<RawCheck>>,
    pub processes: Vec<Spot<RawCheck>>,
    pub directories: Vec<Spot<RawCheck>>,
    pub urls: Vec<Spot<RawCheck>>,
    pub ping: Vec<Spot<RawCheck>>,
    pub tcp: Vec<Spot<RawCheck>>,
    pub dns: Vec<Spot<RawCheck>>,
}

/// An entry of any of the lists, each of which has its own [`CHECK_KEYS`].
#[derive(Clone, Debug, Default)]
pub(super) struct RawCheck {
    pub port: Maybe<String>,
    pub protocol: Maybe<String>,
    pub name: Maybe<String>,
    pub cmdline: Maybe<String>,
    pub path: Maybe<String>,
    pub url: Maybe<String>,
    pub method: Maybe<String>,
    pub status: Strings,
    pub body: Maybe<String>,
    pub timeout: Maybe<i64>,
    pub verify: Maybe<bool>,
    pub host: Maybe<String>,
    pub count: Maybe<i64>,
    pub address: Maybe<String>,
    pub server: Maybe<String>,
    pub record: Maybe<String>,
}

#[derive(Clone, Debug)]
pub(super) struct RawTag {
    pub key: String,
    pub value: String,
    /// Written as a number: Go would have refused it.
    pub is_number: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawPerf {
    pub timeout: Maybe<i64>,
    pub memory_mb: Maybe<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawIis {
    pub enabled: Maybe<Switch>,
    pub websites: Strings,
    pub exclude: Strings,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawMssql {
    pub enabled: Maybe<Switch>,
    pub addr: Maybe<String>,
    pub port: Maybe<i64>,
    pub username: Maybe<String>,
    pub password: Maybe<String>,
    pub encrypt: Maybe<String>,
    pub instance: Strings,
    pub exclude: Strings,
}

/// Go leaves a variable as it was where a value is `null`.
fn set<T>(slot: &mut Option<T>, new: Option<T>) -> Done {
    if new.is_some() {
        *slot = new;
    }
    Ok(())
}

/// What a file below has under the other spelling of the same thing goes, where this file has something.
fn replaced(other: &mut Strings, new: Option<&Vec<Spot<String>>>, report: &Report<'_>) {
    if new.is_some() {
        other.take_if(|texts| texts.iter().any(|text| report.is_below(text.at)));
    }
}

impl Raw {
    /// Reads a file over what is there.
    pub fn read(&mut self, node: &Node<'_>, known: &Known, report: &mut Report<'_>) -> Done {
        let raw = self;
        if !matches!(node.value, Value::Object(_)) {
            return Err(report.wrong_type(node, "", "an object"));
        }
        section(node, "", report, |report, key, node, path| match key {
            // A null section is an absent one: it must not tell a dialect.
            _ if matches!(node.value, Value::Null) => Ok(()),
            "debug" => set(&mut raw.debug, boolean(node, path, report)?),
            "hostname" => set(&mut raw.hostname, text(node, path, report)?),
            "ip" => set(&mut raw.ip, text(node, path, report)?),
            "plugin" => raw.plugin.get_or_insert_default().read(node, path, report),
            "heartbeat" => raw.heartbeat.read(node, path, report),
            "transfer" => raw.transfer.read(node, path, report),
            "queue" => raw.queue.read(node, path, report),
            "http" => raw.http.read(node, path, report),
            "collector" => raw.collector.read(node, path, known, report),
            "service" => raw.service.read(node, path, report),
            "checks" => raw.checks.read(node, path, report),
            "default_tags" => read_tags(node, path, &mut raw.default_tags, report),
            "ignore" => raw.read_ignore(node, path, report),
            "guard" => raw.guard.read(node, path, report),
            "reload" => section(node, path, report, |report, key, node, path| match key {
                "watch" => set(&mut raw.watch, boolean(node, path, report)?),
                _ => Ok(()),
            }),
            "log" => {
                raw.log.read(node, path, report)?;
                if raw.log.file.as_ref().is_some_and(|file| !report.is_below(file.at)) {
                    raw.logfile.take_if(|file| report.is_below(file.at));
                }
                Ok(())
            }
            "state_dir" => set(&mut raw.state_dir, text(node, path, report)?),
            "logfile" => {
                let new = text(node, path, report)?;
                if new.is_some() {
                    raw.log.file.take_if(|file| report.is_below(file.at));
                }
                set(&mut raw.logfile, new)
            }
            "perf" => raw.perf.read(node, path, report),
            "iis" => raw.iis.read(node, path, report),
            "mssql" => raw.mssql.read(node, path, report),
            _ => Ok(()),
        })
    }

    /// Whose file this is, by the keys only that agent has: freedomkk's has a login to SQL Server. `iis` and `mssql` alone are
    /// ours too.
    pub fn dialect(&self) -> Dialect {
        let is_python = self.plugin.is_none() && (self.ignore_is_list || self.collector.iface_prefix_ignore.is_some());
        let mssql = &self.mssql;
        let texts = [&mssql.addr, &mssql.username, &mssql.password, &mssql.encrypt];
        let has_login = mssql.port.is_some() || texts.into_iter().any(Option::is_some);
        if self.logfile.is_some() || !is_python && has_login {
            Dialect::FreedomKk
        } else if is_python {
            Dialect::WindowsAgent
        } else {
            Dialect::Falcon
        }
    }

    fn read_ignore(&mut self, node: &Node<'_>, path: &str, report: &Report<'_>) -> Done {
        match &node.value {
            Value::Array(_) => {
                self.ignore_is_list = true;
                let names = list(node, path, report)?.unwrap_or_default();
                self.ignore.retain(|name| !report.is_below(name.at));
                self.ignore.extend(names.into_iter().map(|Spot { value, at }| Spot { value: (value, true), at }));
            }
            Value::Object(_) => {
                for (member, path) in map(node, path, report)? {
                    if let Some(Spot { value, .. }) = boolean(&member.value, &path, report)? {
                        let value = (member.key.clone().into_owned(), value);
                        self.ignore.push(Spot { value, at: member.offset });
                    }
                }
            }
            _ => return Err(report.wrong_type(node, path, "an object of true and false, or an array of strings")),
        }
        Ok(())
    }
}

impl RawPlugin {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, boolean(node, path, report)?),
            "dir" => set(&mut self.dir, text(node, path, report)?),
            "git" => set(&mut self.git, text(node, path, report)?),
            "url" => set(&mut self.url, text(node, path, report)?),
            "sha256" => set(&mut self.sha256, text(node, path, report)?),
            "key" => set(&mut self.key, text(node, path, report)?),
            "logs" => set(&mut self.logs, text(node, path, report)?),
            "at_once" => set(&mut self.at_once, integer(node, path, report)?),
            "memory_mb" => set(&mut self.memory_mb, integer(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawServer {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, boolean(node, path, report)?),
            "addr" => {
                let new = strings(node, path, report)?;
                replaced(&mut self.addrs, new.as_ref(), report);
                set(&mut self.addr, new)
            }
            "addrs" => {
                let new = strings(node, path, report)?;
                replaced(&mut self.addr, new.as_ref(), report);
                set(&mut self.addrs, new)
            }
            "interval" => set(&mut self.interval, integer(node, path, report)?),
            "timeout" => set(&mut self.timeout, integer(node, path, report)?),
            "replay_delay" => set(&mut self.replay_delay, integer(node, path, report)?),
            "replay_speed" => set(&mut self.replay_speed, integer(node, path, report)?),
            "replay_pause" => set(&mut self.replay_pause, integer(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawQueue {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, boolean(node, path, report)?),
            "max_mb" => set(&mut self.max_mb, integer(node, path, report)?),
            "max_age" => set(&mut self.max_age, integer(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawHttp {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, boolean(node, path, report)?),
            "listen" => set(&mut self.listen, text(node, path, report)?),
            "backdoor" => set(&mut self.backdoor, boolean(node, path, report)?),
            "token" => set(&mut self.token, text(node, path, report)?),
            "allow" => set(&mut self.allow, strings(node, path, report)?),
            "admin_allow" => set(&mut self.admin_allow, strings(node, path, report)?),
            "hosts" => set(&mut self.hosts, strings(node, path, report)?),
            "history_kb" => set(&mut self.history_kb, integer(node, path, report)?),
            "tls" => section(node, path, report, |report, key, node, path| match key {
                "cert" => set(&mut self.cert, text(node, path, report)?),
                "key" => set(&mut self.key, text(node, path, report)?),
                _ => Ok(()),
            }),
            "limits" => self.limits.read(node, path, report),
            _ => Ok(()),
        })
    }
}

impl RawGuard {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, boolean(node, path, report)?),
            "memory_mb" => set(&mut self.memory_mb, integer(node, path, report)?),
            "cpu_percent" => set(&mut self.cpu_percent, integer(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawLog {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "file" => set(&mut self.file, text(node, path, report)?),
            "max_mb" => set(&mut self.max_mb, integer(node, path, report)?),
            "keep" => set(&mut self.keep, integer(node, path, report)?),
            "level" => set(&mut self.level, text(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawHttpLimits {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| {
            let slot = match key {
                "body" => &mut self.body,
                "in_flight" => &mut self.in_flight,
                "items" => &mut self.items,
                "connections" => &mut self.connections,
                "header_timeout" => &mut self.header_timeout,
                "body_timeout" => &mut self.body_timeout,
                "rate" => &mut self.rate,
                _ => return Ok(()),
            };
            set(slot, integer(node, path, report)?)
        })
    }
}

impl RawCollector {
    fn read(&mut self, node: &Node<'_>, path: &str, known: &Known, report: &mut Report<'_>) -> Done {
        section_with(node, path, &known.switches(), report, |report, key, node, path| match key {
            "ifacePrefix" => set(&mut self.iface_prefix, list(node, path, report)?),
            "ifacePrefixIgnore" => set(&mut self.iface_prefix_ignore, list(node, path, report)?),
            "mountPoint" => set(&mut self.mount_point, list(node, path, report)?),
            "names" => {
                let names = list(node, path, report)?;
                set(&mut self.names, names.map(|value| Spot { value, at: node.offset }))
            }
            "intervals" => integers(node, path, &mut self.intervals, report),
            "limits" => integers(node, path, &mut self.limits, report),
            "process" => set(&mut self.process, unless_false(node, path, report)?),
            "ntp" => set(&mut self.ntp, unless_false(node, path, report)?),
            "counters" => self.read_counters(node, path, report),
            _ => {
                if let Some(Spot { value, .. }) = boolean(node, path, report)? {
                    self.switches.retain(|(name, _)| *name != key);
                    self.switches.push((key, value));
                }
                Ok(())
            }
        })
    }
}

impl RawCollector {
    fn read_counters(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        let items = match &node.value {
            Value::Null => return Ok(()),
            Value::Array(items) => items,
            _ => return Err(report.wrong_type(node, path, "an array of objects")),
        };
        self.counters.clear();
        for (n, item) in items.iter().enumerate().filter(|(_, item)| !matches!(item.value, Value::Null)) {
            let mut value = RawCounters::default();
            value.read(item, &format!("{path}[{n}]"), report)?;
            self.counters.push(Spot { value, at: item.offset });
        }
        Ok(())
    }
}

impl RawCounters {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section_with(node, path, COUNTER_KEYS, report, |report, key, node, path| match key {
            "object" => set(&mut self.object, text(node, path, report)?),
            "counters" => set(&mut self.counters, strings(node, path, report)?),
            "instances" => set(&mut self.instances, strings(node, path, report)?),
            "exclude" => set(&mut self.exclude, strings(node, path, report)?),
            "metric" => set(&mut self.metric, text(node, path, report)?),
            "tags" => read_tags(node, path, &mut self.tags, report),
            _ => Ok(()),
        })
    }
}

impl RawService {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "names" => set(&mut self.names, unless_false(node, path, report)?),
            "alive" => set(&mut self.alive, text(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawChecks {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| {
            let entries = match key {
                "ports" => &mut self.ports,
                "processes" => &mut self.processes,
                "directories" => &mut self.directories,
                "urls" => &mut self.urls,
                "ping" => &mut self.ping,
                "tcp" => &mut self.tcp,
                "dns" => &mut self.dns,
                _ => return Ok(()),
            };
            let keys = CHECK_KEYS.iter().find(|(list, _)| *list == key).map_or(&[][..], |(_, keys)| keys);
            let items = match &node.value {
                Value::Null => return Ok(()),
                Value::Bool(false) => &[][..],
                Value::Array(items) => items,
                _ => std::slice::from_ref(node),
            };
            entries.clear();
            for (n, item) in items.iter().enumerate().filter(|(_, item)| !matches!(item.value, Value::Null)) {
                let mut value = RawCheck::default();
                value.read(item, &format!("{path}[{n}]"), keys, report)?;
                entries.push(Spot { value, at: item.offset });
            }
            Ok(())
        })
    }
}

impl RawCheck {
    fn read(&mut self, node: &Node<'_>, path: &str, keys: &[&'static str], report: &mut Report<'_>) -> Done {
        match &node.value {
            Value::Object(_) => {
                section_with(node, path, keys, report, |report, key, node, path| self.set(key, node, path, report))
            }
            Value::String(_) | Value::Number(_) => self.set(keys.first().unwrap_or(&""), node, path, report),
            _ => Err(report.wrong_type(node, path, "a string or an object")),
        }
    }

    fn set(&mut self, key: &str, node: &Node<'_>, path: &str, report: &Report<'_>) -> Done {
        let slot = match key {
            "port" => return set(&mut self.port, text_or_number(node, path, report)?),
            "status" => return set(&mut self.status, texts_or_numbers(node, path, report)?),
            "timeout" => return set(&mut self.timeout, integer(node, path, report)?),
            "count" => return set(&mut self.count, integer(node, path, report)?),
            "verify" => return set(&mut self.verify, boolean(node, path, report)?),
            "protocol" => &mut self.protocol,
            "name" => &mut self.name,
            "cmdline" => &mut self.cmdline,
            "path" => &mut self.path,
            "url" => &mut self.url,
            "method" => &mut self.method,
            "body" => &mut self.body,
            "host" => &mut self.host,
            "address" => &mut self.address,
            "server" => &mut self.server,
            "type" => &mut self.record,
            _ => return Ok(()),
        };
        set(slot, text(node, path, report)?)
    }
}

fn text_or_number(node: &Node<'_>, path: &str, report: &Report<'_>) -> Result<Maybe<String>, ConfigError> {
    match &node.value {
        Value::Number(literal) => Ok(Some(Spot { value: (*literal).to_owned(), at: node.offset })),
        _ => text(node, path, report),
    }
}

fn texts_or_numbers(node: &Node<'_>, path: &str, report: &Report<'_>) -> Result<Strings, ConfigError> {
    let items = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let texts = items.iter().enumerate().map(|(n, item)| text_or_number(item, &format!("{path}[{n}]"), report));
    let texts: Vec<_> = texts.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok((!matches!(node.value, Value::Null)).then_some(texts))
}

fn read_tags(node: &Node<'_>, path: &str, into: &mut Vec<Spot<RawTag>>, report: &Report<'_>) -> Done {
    for (member, path) in map(node, path, report)? {
        let (value, is_number) = match &member.value.value {
            Value::Null => continue,
            Value::String(text) => (text.clone().into_owned(), false),
            Value::Number(number) if number.len() <= 32 && !number.contains(['e', 'E']) => ((*number).to_owned(), true),
            _ => return Err(report.wrong_type(&member.value, &path, "a string")),
        };
        let tag = RawTag { key: member.key.clone().into_owned(), value, is_number };
        into.retain(|below| !report.is_below(below.at) || below.value.key != tag.key);
        into.push(Spot { value: tag, at: member.offset });
    }
    Ok(())
}

/// An object of integers under names of the user's choice.
fn integers(node: &Node<'_>, path: &str, into: &mut Vec<Spot<(String, i64)>>, report: &Report<'_>) -> Done {
    for (member, path) in map(node, path, report)? {
        if let Some(Spot { value, .. }) = integer(&member.value, &path, report)? {
            into.retain(|below| !report.is_below(below.at) || below.value.0 != member.key);
            into.push(Spot { value: (member.key.clone().into_owned(), value), at: member.offset });
        }
    }
    Ok(())
}

/// Names; `false` is the same as none, as it switches off any other collector.
fn unless_false(node: &Node<'_>, path: &str, report: &Report<'_>) -> Result<Strings, ConfigError> {
    match node.value {
        Value::Bool(false) => Ok(Some(Vec::new())),
        _ => strings(node, path, report),
    }
}

/// `true`, `false` or `"auto"`.
fn switch(node: &Node<'_>, path: &str, report: &Report<'_>) -> Result<Maybe<Switch>, ConfigError> {
    let value = match &node.value {
        Value::Null => return Ok(None),
        Value::Bool(true) => Switch::On,
        Value::Bool(false) => Switch::Off,
        Value::String(text) if text.trim().eq_ignore_ascii_case("auto") => Switch::Auto,
        _ => return Err(report.wrong_type(node, path, "true, false or \"auto\"")),
    };
    Ok(Some(Spot { value, at: node.offset }))
}

impl RawPerf {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "timeout" => set(&mut self.timeout, integer(node, path, report)?),
            "memory_mb" => set(&mut self.memory_mb, integer(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawIis {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, switch(node, path, report)?),
            "websites" => set(&mut self.websites, list(node, path, report)?),
            "exclude" => set(&mut self.exclude, list(node, path, report)?),
            _ => Ok(()),
        })
    }
}

impl RawMssql {
    fn read(&mut self, node: &Node<'_>, path: &str, report: &mut Report<'_>) -> Done {
        section(node, path, report, |report, key, node, path| match key {
            "enabled" => set(&mut self.enabled, switch(node, path, report)?),
            "addr" => set(&mut self.addr, text(node, path, report)?),
            "port" => set(&mut self.port, integer(node, path, report)?),
            "username" => set(&mut self.username, text(node, path, report)?),
            "password" => set(&mut self.password, text(node, path, report)?),
            "encrypt" => set(&mut self.encrypt, text(node, path, report)?),
            "instance" => set(&mut self.instance, list(node, path, report)?),
            "exclude" => set(&mut self.exclude, list(node, path, report)?),
            _ => Ok(()),
        })
    }
}
