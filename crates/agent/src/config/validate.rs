//! From the file as written to a configuration that can be used as it is.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::raw::{
    Raw, RawCollector, RawGuard, RawHttp, RawHttpLimits, RawIis, RawLog, RawMssql, RawPerf, RawQueue, RawServer,
    RawService, RawTag,
};
use super::reader::Spot;
use super::report::{ConfigError, Report, shortened};
use super::{
    Alive, Collector, Config, Dialect, Guard, Heartbeat, Http, HttpLimits, Iis, Known, Level, Log, Mssql, NameSet,
    Perf, Queue, Reload, Secret, Service, Switch, Tls, Transfer, address, checks, counters, defaults, network, plugin,
};

/// Replaces what cannot be used, each time with a warning. Only a name set that does not exist is an error.
pub(super) fn validate(
    raw: Raw,
    dialect: Dialect,
    known: &Known,
    report: &mut Report<'_>,
) -> Result<Config, ConfigError> {
    let default = defaults::file();
    let transfer = transfer(raw.transfer, default.transfer, report);
    let steps = if transfer.enabled && !transfer.addrs.is_empty() { defaults::TRANSFER_MIN_STEP_S } else { 0 };
    let collector = collector(raw.collector, dialect, known, steps, report)?;
    Ok(Config {
        checks: checks::checks(raw.checks, &collector.names, report),
        debug: or(raw.debug, default.debug),
        hostname: hostname(raw.hostname, default.hostname, report),
        ip: ip(raw.ip, default.ip, report),
        plugin: plugin::plugin(raw.plugin.unwrap_or_default(), default.plugin, report),
        heartbeat: heartbeat(raw.heartbeat, default.heartbeat, report),
        queue: queue(raw.queue, default.queue, report),
        http: http(raw.http, default.http, report),
        collector,
        service: service(raw.service, dialect, report),
        default_tags: tags(raw.default_tags, known, report),
        ignore: ignored(raw.ignore),
        state_dir: or(raw.state_dir, default.state_dir),
        reload: Reload { watch: or(raw.watch, default.reload.watch) },
        guard: guard(raw.guard, default.guard, report),
        log: log(raw.log, raw.logfile, default.log, report),
        perf: perf(raw.perf, default.perf, report),
        iis: iis(raw.iis, report),
        mssql: mssql(raw.mssql, report),
        transfer,
        dialect,
    })
}

pub(super) fn or<T>(spot: Option<Spot<T>>, default: T) -> T {
    spot.map_or(default, |spot| spot.value)
}

/// Used as it is written, as the Go agent does: what the servers make of it is told.
fn hostname(raw: Option<Spot<String>>, default: String, report: &mut Report<'_>) -> String {
    let Some(Spot { value, at }) = raw else { return default };
    if value.contains(|c: char| c.is_control() || matches!(c, '\'' | '"' | '>' | '\\')) {
        report.warn(
            at,
            "hostname",
            "graph and hbs do not take an endpoint with a quote, `>`, backslash or control character",
        );
    } else if value.trim() != value {
        report.warn(at, "hostname", "begins or ends with a blank, which servers take for a part of the name");
    }
    value
}

/// hbs pastes it into SQL, where there is room for an IPv4 address.
fn ip(raw: Option<Spot<String>>, default: String, report: &mut Report<'_>) -> String {
    match raw {
        Some(Spot { value, at }) if !value.is_empty() && value.parse::<std::net::Ipv4Addr>().is_err() => {
            let shown = shortened(&value);
            report.warn(
                at,
                "ip",
                format!("{shown:?} is no IPv4 address, and hbs has room for no other; it is left out"),
            );
            default
        }
        raw => or(raw, default),
    }
}

/// A flag that is kept and shown; set, it is warned about.
fn unsupported(flag: Option<Spot<bool>>, default: bool, path: &str, why: &str, report: &mut Report<'_>) -> bool {
    if let Some(Spot { value: true, at }) = flag {
        report.warn(at, path, why);
    }
    or(flag, default)
}

/// Held to `min..=max`: what is below becomes `default`, what is above becomes `max`.
pub(super) fn bounded<T>(
    spot: Option<Spot<i64>>,
    (min, max, default): (T, T, T),
    unit: &str,
    path: &str,
    report: &mut Report<'_>,
) -> T
where
    T: TryFrom<i64> + PartialOrd + Copy + Display,
{
    let Some(Spot { value, at }) = spot else { return default };
    let (used, why) = match T::try_from(value) {
        Ok(fits) if fits >= min && fits <= max => return fits,
        Ok(fits) if fits > max => (max, "too large"),
        Err(_) if value > 0 => (max, "too large"),
        _ => (default, "too small"),
    };
    report.warn(at, path, format!("{value} is {why}; {used}{unit} is used"));
    used
}

fn interval(spot: Option<Spot<i64>>, default: u32, path: &str, report: &mut Report<'_>) -> u32 {
    bounded(spot, (1, defaults::INTERVAL_MAX_S, default), " s", path, report)
}

fn timeout(spot: Option<Spot<i64>>, default: u64, path: &str, report: &mut Report<'_>) -> u64 {
    bounded(spot, (0, defaults::TIMEOUT_MAX_MS, default), " ms", path, report)
}

fn heartbeat(raw: RawServer, default: Heartbeat, report: &mut Report<'_>) -> Heartbeat {
    let texts = [raw.addr, raw.addrs].into_iter().flatten().flatten();
    Heartbeat {
        enabled: or(raw.enabled, default.enabled),
        addrs: address::collect(texts, "heartbeat.addr", defaults::HBS_PORT, report),
        interval: interval(raw.interval, default.interval, "heartbeat.interval", report),
        timeout: timeout(raw.timeout, default.timeout, "heartbeat.timeout", report),
    }
}

fn transfer(raw: RawServer, default: Transfer, report: &mut Report<'_>) -> Transfer {
    let path = "transfer.interval";
    let at = raw.interval.as_ref().map(|interval| interval.at);
    let texts = [raw.addrs, raw.addr].into_iter().flatten().flatten();
    let transfer = Transfer {
        enabled: or(raw.enabled, default.enabled),
        addrs: address::collect(texts, "transfer.addrs", defaults::TRANSFER_PORT, report),
        interval: interval(raw.interval, default.interval, path, report),
        timeout: timeout(raw.timeout, default.timeout, "transfer.timeout", report),
        replay_delay: bounded(
            raw.replay_delay,
            (0, defaults::REPLAY_DELAY_MAX_S, default.replay_delay),
            " s",
            "transfer.replay_delay",
            report,
        ),
        replay_speed: match raw.replay_speed {
            Some(Spot { value: 0, .. }) => 0,
            // Once the live rate never catches up.
            speed => bounded(speed, (2, 1000, default.replay_speed), "", "transfer.replay_speed", report),
        },
        replay_pause: bounded(
            raw.replay_pause,
            (0, 10_000, default.replay_pause),
            " ms",
            "transfer.replay_pause",
            report,
        ),
    };
    if let Some(at) = at
        && transfer.enabled
        && !transfer.addrs.is_empty()
    {
        warn_of_small_step(transfer.interval, defaults::TRANSFER_MIN_STEP_S, at, path, report);
    }
    transfer
}

fn queue(raw: RawQueue, default: Queue, report: &mut Report<'_>) -> Queue {
    let (mb, age) = ((8, 65_536, default.max_mb), (60, defaults::QUEUE_AGE_MAX_S, default.max_age));
    Queue {
        enabled: or(raw.enabled, default.enabled),
        max_mb: bounded(raw.max_mb, mb, " MB", "queue.max_mb", report),
        max_age: bounded(raw.max_age, age, " s", "queue.max_age", report),
    }
}

fn warn_of_small_step(step: u32, min: u32, at: usize, path: &str, report: &mut Report<'_>) {
    if step < min {
        let text =
            format!("transfers raise steps below {min} s to {min} s: points of a step of {step} s are lost there");
        report.warn(at, path, text);
    }
}

fn http(raw: RawHttp, default: Http, report: &mut Report<'_>) -> Http {
    let why = "never supported: it runs shell commands for whoever can reach the port";
    Http {
        enabled: or(raw.enabled, default.enabled),
        backdoor: unsupported(raw.backdoor, default.backdoor, "http.backdoor", why, report),
        listen: match raw.listen {
            None => default.listen,
            Some(Spot { value, at }) => match address::listen(&value, defaults::HTTP_PORT) {
                Ok((listen, remark)) => {
                    if let Some(remark) = remark {
                        report.warn(at, "http.listen", format!("{:?} {remark}; read as {listen:?}", shortened(&value)));
                    }
                    listen
                }
                Err(why) => {
                    let text = format!("{:?}: {why}; {:?} is used", shortened(&value), default.listen);
                    report.warn(at, "http.listen", text);
                    default.listen
                }
            },
        },
        token: token(raw.token, report),
        allow: network::collect(raw.allow.unwrap_or_default(), "http.allow", report),
        admin_allow: network::collect_more(raw.admin_allow.unwrap_or_default(), "http.admin_allow", report),
        hosts: hosts(raw.hosts, report),
        history_kb: bounded(
            raw.history_kb,
            (0, defaults::HISTORY_MAX_KB, default.history_kb),
            " kB",
            "http.history_kb",
            report,
        ),
        tls: Tls { cert: or(raw.cert, default.tls.cert), key: or(raw.key, default.tls.key) },
        limits: http_limits(raw.limits, default.limits, report),
    }
}

fn guard(raw: RawGuard, default: Guard, report: &mut Report<'_>) -> Guard {
    let memory = (0, defaults::GUARD_MEMORY_MAX_MB, default.memory_mb);
    let cpu = (0, defaults::GUARD_CPU_MAX_PERCENT, default.cpu_percent);
    Guard {
        enabled: or(raw.enabled, default.enabled),
        memory_mb: bounded(raw.memory_mb, memory, " MB", "guard.memory_mb", report),
        cpu_percent: bounded(raw.cpu_percent, cpu, " %", "guard.cpu_percent", report),
    }
}

fn perf(raw: RawPerf, default: Perf, report: &mut Report<'_>) -> Perf {
    let within = |(min, max), default| (min, max, default);
    Perf {
        timeout: bounded(raw.timeout, within(defaults::PERF_TIMEOUT_S, default.timeout), " s", "perf.timeout", report),
        memory_mb: bounded(
            raw.memory_mb,
            within(defaults::PERF_MEMORY_MB, default.memory_mb),
            " MB",
            "perf.memory_mb",
            report,
        ),
    }
}

/// `logfile` is freedomkk's spelling of `log.file`.
fn log(raw: RawLog, logfile: Option<Spot<String>>, default: Log, report: &mut Report<'_>) -> Log {
    let named = |file: &Option<Spot<String>>| file.as_ref().is_some_and(|file| !file.value.is_empty());
    if let Some(Spot { at, .. }) = &logfile
        && named(&raw.file)
        && named(&logfile)
    {
        report.warn(*at, "logfile", "log.file is given too, and is used");
    }
    let file = if named(&raw.file) { raw.file } else { logfile };
    Log {
        file: or(file, default.file),
        max_mb: bounded(raw.max_mb, (1, defaults::LOG_MAX_MB, default.max_mb), " MB", "log.max_mb", report),
        keep: bounded(raw.keep, (1, defaults::LOG_KEEP_MAX, default.keep), "", "log.keep", report),
        level: level(raw.level, default.level, report),
    }
}

fn level(raw: Option<Spot<String>>, default: Level, report: &mut Report<'_>) -> Level {
    let Some(Spot { value, at }) = raw else { return default };
    let known = Level::ALL.iter().find(|(_, name)| value.trim().eq_ignore_ascii_case(name));
    known.map_or_else(
        || {
            let names = Level::ALL.map(|(_, name)| name).join(", ");
            report.warn(at, "log.level", format!("there is no level {:?}; the levels are {names}", shortened(&value)));
            default
        },
        |(level, _)| *level,
    )
}

/// Used as it is written; what makes it weak or useless is told.
fn token(raw: Option<Spot<String>>, report: &mut Report<'_>) -> Secret {
    let Some(Spot { value, at }) = raw else { return Secret::default() };
    if !value.chars().all(|c| c.is_ascii_graphic()) {
        report.warn(
            at,
            "http.token",
            "a header has room for visible ASCII characters only: no client can send this token",
        );
    } else if !value.is_empty() && value.len() < defaults::TOKEN_MIN {
        report.warn(at, "http.token", format!("shorter than {} characters: it can be guessed", defaults::TOKEN_MIN));
    }
    Secret::new(value)
}

/// Names as a browser sends them: without scheme, port or final dot.
fn hosts(raw: Option<Vec<Spot<String>>>, report: &mut Report<'_>) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for Spot { value, at } in raw.into_iter().flatten() {
        for written in value.split([',', '，']).map(str::trim).filter(|part| !part.is_empty()) {
            if written.contains(|c: char| c.is_whitespace() || matches!(c, '/' | ':' | '*' | '@')) {
                let shown = shortened(written);
                report.warn(
                    at,
                    "http.hosts",
                    format!("{shown:?} is left out: expected the name of a host, and no more"),
                );
                continue;
            }
            let name = written.trim_end_matches('.').to_ascii_lowercase();
            if !name.is_empty() && !hosts.contains(&name) {
                hosts.push(name);
            }
        }
    }
    hosts
}

fn http_limits(raw: RawHttpLimits, default: HttpLimits, report: &mut Report<'_>) -> HttpLimits {
    let within = |(min, max), default| (min, max, default);
    let at = raw.in_flight.as_ref().or(raw.body.as_ref()).map(|spot| spot.at);
    let mut limits = HttpLimits {
        body: bounded(raw.body, within(defaults::HTTP_BODY, default.body), " bytes", "http.limits.body", report),
        in_flight: bounded(
            raw.in_flight,
            within(defaults::HTTP_IN_FLIGHT, default.in_flight),
            " bytes",
            "http.limits.in_flight",
            report,
        ),
        items: bounded(raw.items, within(defaults::HTTP_ITEMS, default.items), "", "http.limits.items", report),
        connections: bounded(
            raw.connections,
            within(defaults::HTTP_CONNECTIONS, default.connections),
            "",
            "http.limits.connections",
            report,
        ),
        header_timeout: http_timeout(raw.header_timeout, default.header_timeout, "http.limits.header_timeout", report),
        body_timeout: http_timeout(raw.body_timeout, default.body_timeout, "http.limits.body_timeout", report),
        rate: bounded(raw.rate, (0, defaults::HTTP_RATE_MAX, default.rate), " a second", "http.limits.rate", report),
    };
    if limits.in_flight < limits.body {
        let text = format!("{} has no room for one body; {} bytes are used", limits.in_flight, limits.body);
        report.warn(at.unwrap_or(0), "http.limits.in_flight", text);
        limits.in_flight = limits.body;
    }
    limits
}

fn http_timeout(spot: Option<Spot<i64>>, default: u64, path: &str, report: &mut Report<'_>) -> u64 {
    let (min, max) = defaults::HTTP_TIMEOUT_MS;
    bounded(spot, (min, max, default), " ms", path, report)
}

fn collector(
    raw: RawCollector,
    dialect: Dialect,
    known: &Known,
    min_step: u32,
    report: &mut Report<'_>,
) -> Result<Collector, ConfigError> {
    Ok(Collector {
        iface_prefix: words(raw.iface_prefix, "collector.ifacePrefix", report),
        iface_prefix_ignore: words(raw.iface_prefix_ignore, "collector.ifacePrefixIgnore", report),
        mount_point: words(raw.mount_point, "collector.mountPoint", report),
        names: names(raw.names, dialect, report)?,
        intervals: intervals(raw.intervals, &known.collectors, min_step, report),
        limits: limits(raw.limits, known, report),
        process: distinct(raw.process, "collector.process", report),
        ntp: raw.ntp.map(|servers| time_servers(servers, report)),
        counters: counters::sets(raw.counters, report),
        switches: raw.switches.into_iter().collect(),
    })
}

/// Texts to compare with; an empty one would fit everything, and nobody means that.
fn words(texts: Option<Vec<Spot<String>>>, path: &str, report: &mut Report<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for Spot { value, at } in texts.unwrap_or_default() {
        if value.is_empty() {
            report.warn(at, path, "an empty string is left out");
        } else {
            words.push(value);
        }
    }
    words
}

fn names(
    raw: Option<Spot<Vec<Spot<String>>>>,
    dialect: Dialect,
    report: &mut Report<'_>,
) -> Result<Vec<NameSet>, ConfigError> {
    let Some(Spot { value: written, at }) = raw else { return Ok(defaults::names(dialect)) };
    let path = "collector.names";
    let mut names = Vec::new();
    for Spot { value, at } in written {
        let Some(set) = NameSet::from_name(&value) else {
            let valid = NameSet::ALL.map(NameSet::name).join(", ");
            let message = format!("there is no name set {:?}; the sets are {valid}", shortened(&value));
            return Err(report.error(at, path, message));
        };
        if !names.contains(&set) {
            names.push(set);
        }
    }
    if names.is_empty() {
        names = defaults::names(dialect);
        let used: Vec<_> = names.iter().copied().map(NameSet::name).collect();
        report.warn(at, path, format!("the list is empty; {} is used", used.join(", ")));
    }
    Ok(names)
}

fn intervals(
    raw: Vec<Spot<(String, i64)>>,
    known: &[&str],
    min_step: u32,
    report: &mut Report<'_>,
) -> BTreeMap<String, u32> {
    let mut intervals = BTreeMap::new();
    for Spot { value: (name, seconds), at } in raw {
        let path = format!("collector.intervals[\"{}\"]", shortened(&name).escape_debug());
        if !known.contains(&name.as_str()) {
            report.warn(at, &path, format!("there is no such collector; the collectors are {}", known.join(", ")));
        } else if seconds < 1 {
            report.warn(at, &path, format!("{seconds} is too small; the collector follows transfer.interval"));
        } else {
            let seconds = interval(Some(Spot { value: seconds, at }), 1, &path, report);
            warn_of_small_step(seconds, min_step, at, &path, report);
            intervals.insert(name, seconds);
        }
    }
    intervals
}

fn limits(raw: Vec<Spot<(String, i64)>>, known: &Known, report: &mut Report<'_>) -> BTreeMap<String, u32> {
    let mut limits = BTreeMap::new();
    for Spot { value: (name, limit), at } in raw {
        let path = format!("collector.limits[\"{}\"]", shortened(&name).escape_debug());
        if let Some((_, default, most)) = known.limits.iter().find(|(known, ..)| *known == name) {
            let bounds = (1, *most, *default);
            limits.insert(name, bounded(Some(Spot { value: limit, at }), bounds, "", &path, report));
        } else {
            let names: Vec<_> = known.limits.iter().map(|(name, ..)| *name).collect();
            report.warn(at, &path, format!("there is no such limit; the limits are {}", names.join(", ")));
        }
    }
    limits
}

/// Nobody writes the port of a time server.
fn time_servers(servers: Vec<Spot<String>>, report: &mut Report<'_>) -> Vec<String> {
    let with_port = |Spot { value, at }: Spot<String>| {
        let bare = !value.is_empty() && !value.contains([':', ',', '[']);
        Spot { value: if bare { format!("{}:{}", value.trim(), defaults::NTP_PORT) } else { value }, at }
    };
    address::collect(servers.into_iter().map(with_port), "collector.ntp", defaults::NTP_PORT, report)
}

/// Names of things to watch, each once.
pub(super) fn distinct(raw: Option<Vec<Spot<String>>>, path: &str, report: &mut Report<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in words(raw, path, report) {
        let name = name.trim().to_owned();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn service(raw: RawService, dialect: Dialect, report: &mut Report<'_>) -> Service {
    let default = defaults::alive(dialect);
    let alive = match raw.alive {
        None => default,
        Some(Spot { value, at }) => {
            let meant = Alive::ALL.into_iter().find(|alive| alive.name().eq_ignore_ascii_case(value.trim()));
            meant.unwrap_or_else(|| {
                let words = Alive::ALL.map(Alive::name).join(" or ");
                let used = default.name();
                report.warn(
                    at,
                    "service.alive",
                    format!("expected {words}, found {:?}; {used} is used", shortened(&value)),
                );
                default
            })
        }
    };
    Service { names: distinct(raw.names, "service.names", report), alive }
}

/// The tags of a series are one text, `k=v,k=v`: what would change its meaning is told, and sent as the Go agent does.
fn tags(raw: Vec<Spot<RawTag>>, known: &Known, report: &mut Report<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for Spot { value: RawTag { key, value, is_number }, at } in raw {
        let path = format!("default_tags[\"{}\"]", shortened(&key).escape_debug());
        if key.is_empty() {
            report.warn(at, &path, "a tag without a name is left out");
            continue;
        }
        if is_number {
            report.warn(at, &path, format!("expected a string; the number {value} is read as one"));
        }
        if key.contains([',', '=']) || value.contains(',') {
            report.warn(at, &path, "servers take a comma or an equals sign for the end of a tag's name or value");
        }
        if [&key, &value].into_iter().any(|text| text.contains(|c: char| c.is_control() || "'\">".contains(c))) {
            report.warn(at, &path, "graph does not take a series with a quote, `>` or control character in its tags");
        }
        if known.tags.contains(&key.as_str()) {
            let text =
                "the agent's own metrics have this tag too; this value takes its place, and their series become one";
            report.warn(at, &path, text);
        }
        tags.insert(key, value);
    }
    tags
}

/// The last word on a name counts, as the map form may take back what stands before.
fn ignored(raw: Vec<Spot<(String, bool)>>) -> std::collections::BTreeSet<String> {
    let by_name: BTreeMap<String, bool> = raw.into_iter().map(|spot| spot.value).collect();
    by_name.into_iter().filter(|(name, ignored)| *ignored && !name.is_empty()).map(|(name, _)| name).collect()
}

fn iis(raw: RawIis, report: &mut Report<'_>) -> Iis {
    Iis {
        enabled: or(raw.enabled, Switch::Auto),
        websites: distinct(raw.websites, "iis.websites", report),
        exclude: distinct(raw.exclude, "iis.exclude", report),
    }
}

fn port(raw: Option<Spot<i64>>, report: &mut Report<'_>) -> Option<u16> {
    let Spot { value, at } = raw?;
    let port = u16::try_from(value).ok().filter(|port| *port > 0);
    if port.is_none() {
        report.warn(at, "mssql.port", format!("{value} is no port; it is left out"));
    }
    port
}

fn mssql(raw: RawMssql, report: &mut Report<'_>) -> Mssql {
    let login = [(&raw.username, "mssql.username"), (&raw.password, "mssql.password")];
    let given =
        login.into_iter().find_map(|(text, path)| text.as_ref().filter(|t| !t.value.is_empty()).map(|t| (t.at, path)));
    if let Some((at, path)) = given {
        report.warn(at, path, "not used: counters need no login; better remove the login from this file");
    }
    Mssql {
        enabled: or(raw.enabled, Switch::Auto),
        addr: or(raw.addr, String::new()),
        port: port(raw.port, report),
        username: Secret::new(or(raw.username, String::new())),
        password: Secret::new(or(raw.password, String::new())),
        encrypt: or(raw.encrypt, String::new()),
        instance: distinct(raw.instance, "mssql.instance", report),
        exclude: distinct(raw.exclude, "mssql.exclude", report),
    }
}
