//! Every default of the configuration, and the ranges values are held to.

use super::{
    Alive, Checks, Collector, Config, Dialect, Guard, Heartbeat, Http, HttpLimits, Iis, Level, Log, Mssql, NameSet,
    PageUrl, Perf, Plugin, Queue, Reload, RepoUrl, Secret, Service, Tls, Transfer,
};

pub(super) const TRANSFER_PORT: u16 = 8433;
pub(super) const HBS_PORT: u16 = 6030;
pub(super) const HTTP_PORT: u16 = 1988;
pub(super) const NTP_PORT: u16 = 123;

/// A day: nobody wants a longer period, and sums of two stay far from any overflow.
pub(super) const INTERVAL_MAX_S: u32 = 86_400;
pub(super) const TIMEOUT_MAX_MS: u64 = 86_400_000;
/// Longer than this no server has a use for a backlog's waiting.
pub(super) const REPLAY_DELAY_MAX_S: u32 = 3600;
/// 30 days.
pub(super) const QUEUE_AGE_MAX_S: u32 = 2_592_000;

/// A part that is larger no viewer opens.
pub(super) const LOG_MAX_MB: u32 = 1024;
pub(super) const LOG_KEEP_MAX: u32 = 100;

/// A terabyte, and a hundred processors: more than any agent can use, and far from any overflow.
pub(super) const GUARD_MEMORY_MAX_MB: u32 = 1 << 20;
pub(super) const GUARD_CPU_MAX_PERCENT: u32 = 10_000;
/// What `http.limits` may be set to, each from the smallest that is of use to the largest that a host can bear.
pub(super) const HTTP_BODY: (usize, usize) = (1 << 10, 64 << 20);
pub(super) const HTTP_IN_FLIGHT: (usize, usize) = (1 << 10, 256 << 20);
pub(super) const HTTP_ITEMS: (usize, usize) = (1, 1_000_000);
pub(super) const HTTP_CONNECTIONS: (usize, usize) = (1, 4096);
pub(super) const HTTP_TIMEOUT_MS: (u64, u64) = (100, 600_000);
pub(super) const HTTP_RATE_MAX: u32 = 10_000;
/// Weeks of a large host; more belongs in the servers' store.
pub(super) const HISTORY_MAX_KB: u32 = 65_536;
/// A query that takes longer than a cycle is of no use.
pub(super) const PERF_TIMEOUT_S: (u32, u32) = (1, 60);
/// Libraries of .NET alone need the smallest; what is larger is another's defect.
pub(super) const PERF_MEMORY_MB: (u32, u32) = (16, 1024);
/// More at once would be felt by what the host is for.
pub(super) const PLUGINS_AT_ONCE_MAX: u32 = 64;
/// An interpreter alone needs the smallest; 0: any.
pub(super) const PLUGIN_MEMORY_MB: (u32, u32) = (16, 65_536);
/// A token that is shorter can be guessed over a network.
pub(super) const TOKEN_MIN: usize = 16;

/// Transfers raise smaller steps to this one (`MinStep`), and then take the points in between for duplicates.
pub(super) const TRANSFER_MIN_STEP_S: u32 = 30;

/// What a file that says nothing means.
pub(super) fn file() -> Config {
    Config {
        debug: false,
        hostname: String::new(),
        ip: String::new(),
        plugin: Plugin {
            enabled: false,
            dir: "./plugin".to_owned(),
            git: RepoUrl::default(),
            url: PageUrl::default(),
            sha256: String::new(),
            key: String::new(),
            logs: "./logs".to_owned(),
            at_once: 8,
            memory_mb: 512,
        },
        heartbeat: Heartbeat { enabled: true, addrs: Vec::new(), interval: 60, timeout: 1000 },
        transfer: Transfer {
            enabled: true,
            addrs: Vec::new(),
            interval: 60,
            timeout: 1000,
            replay_delay: 60,
            replay_speed: 10,
            replay_pause: 100,
        },
        // 12 hours are what graph keeps at full resolution.
        queue: Queue { enabled: true, max_mb: 256, max_age: 43_200 },
        http: Http {
            enabled: true,
            listen: format!(":{HTTP_PORT}"),
            backdoor: false,
            token: Secret::default(),
            allow: Vec::new(),
            admin_allow: Vec::new(),
            hosts: Vec::new(),
            history_kb: 1024,
            tls: Tls::default(),
            limits: http_limits(),
        },
        collector: Collector {
            iface_prefix: Vec::new(),
            iface_prefix_ignore: Vec::new(),
            mount_point: Vec::new(),
            names: names(Dialect::Falcon),
            intervals: [].into(),
            limits: [].into(),
            process: Vec::new(),
            ntp: None,
            counters: Vec::new(),
            switches: [].into(),
        },
        service: Service { names: Vec::new(), alive: alive(Dialect::Falcon) },
        checks: Checks::default(),
        default_tags: [].into(),
        ignore: [].into(),
        state_dir: String::new(),
        reload: Reload { watch: true },
        guard: Guard { enabled: true, memory_mb: 200, cpu_percent: 20 },
        log: Log { file: String::new(), max_mb: 10, keep: 5, level: Level::Info },
        perf: Perf { timeout: 10, memory_mb: 64 },
        iis: Iis::default(),
        mssql: Mssql::default(),
        dialect: Dialect::Falcon,
    }
}

/// A push of 8 MiB holds some 50,000 points; two at once are what an agent has memory for.
pub(super) fn http_limits() -> HttpLimits {
    HttpLimits {
        body: 8 << 20,
        in_flight: 16 << 20,
        items: 100_000,
        connections: 256,
        header_timeout: 15_000,
        body_timeout: 30_000,
        rate: 0,
    }
}

/// What no file means: a short interval for someone who tries the program, and no port open to others.
pub(super) fn standalone() -> Config {
    let file = file();
    Config {
        transfer: Transfer { interval: 10, ..file.transfer },
        http: Http { listen: format!("127.0.0.1:{HTTP_PORT}"), ..file.http },
        collector: Collector { names: names(Dialect::Standalone), ..file.collector },
        dialect: Dialect::Standalone,
        ..file
    }
}

/// The names that the replaced agent sent, so that its dashboards go on, and ours beside them.
pub(super) fn names(dialect: Dialect) -> Vec<NameSet> {
    match dialect {
        Dialect::Standalone | Dialect::Falcon => vec![NameSet::Falcon, NameSet::Extended],
        Dialect::WindowsAgent => vec![NameSet::WindowsAgent, NameSet::Extended],
        Dialect::FreedomKk => vec![NameSet::Falcon, NameSet::FreedomKk, NameSet::Extended],
    }
}

/// No alarm of the agent before begins on the day of the change.
pub(super) fn alive(dialect: Dialect) -> Alive {
    match dialect {
        Dialect::WindowsAgent => Alive::Exists,
        Dialect::Standalone | Dialect::Falcon | Dialect::FreedomKk => Alive::Running,
    }
}
