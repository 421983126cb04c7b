//! The composition root: who the agent is, what it collects with ([`Collecting`]), what runs ([`agent`]), and the loop from
//! its start to its end ([`run`]).

mod agent;
pub(crate) mod aside;
mod named;
mod plugins;
pub mod reload;
mod run;
pub(crate) mod sent;
mod server;
mod store;
pub(crate) mod task;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::assigned::Assigned;
use crate::assigned::check::Checks;
use crate::clock;
use crate::collect::{self, Context, Plan};
use crate::config::{self, Config, Source};
use crate::falcon::hbs;
use crate::hub::Hub;
use crate::model::Platform;
use crate::perf::client::Perf;
use crate::perf::link;
use crate::queue::{Disk, MAX_BYTES, Queue};
use crate::schedule::Shared;
use crate::stats::Stats;
pub use run::{Exit, Host, LogTo, Signal, run};

/// `<version>@<commit>`, as hbs and `/version` show it.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "@", env!("FALCON_BUILD_COMMIT"));

/// The queue on disk, below the state directory.
pub const QUEUE_DIR: &str = "queue";
/// The log of a service, likewise.
pub const LOGS_DIR: &str = "logs";
pub const LOG_FILE: &str = "agent.log";
/// Everything at a stop together; what is not done then is left.
pub const STOP: Duration = Duration::from_millis(4500);

/// Who this host is to the servers.
pub struct Identity {
    configured: String,
    environment: Option<String>,
    configured_ip: String,
    pub version: String,
}

impl Identity {
    pub fn new(config: &Config) -> Identity {
        Identity {
            configured: config.hostname.clone(),
            environment: std::env::var("FALCON_ENDPOINT").ok().filter(|name| !name.is_empty()),
            configured_ip: config.ip.clone(),
            version: VERSION.to_owned(),
        }
    }

    /// `hostname` of the configuration, else `FALCON_ENDPOINT`, else the system's name; as it stands, asked anew each time.
    pub fn endpoint(&self) -> anyhow::Result<String> {
        if !self.configured.is_empty() {
            return Ok(self.configured.clone());
        }
        if let Some(name) = &self.environment {
            return Ok(name.clone());
        }
        let name = falcon_sys::hostname().context("the system does not tell its name; set `hostname` in cfg.json")?;
        anyhow::ensure!(!name.is_empty(), "the system's name is empty; set `hostname` in cfg.json");
        Ok(name)
    }

    /// The IPv4 address for hbs; see [`hbs::local_ipv4`].
    pub fn ip(&self, connection: Option<std::net::IpAddr>) -> String {
        hbs::local_ipv4(&self.configured_ip, connection)
    }
}

/// What one-shot verbs and the agent share: everything needed to collect.
pub struct Collecting {
    pub shared: Shared,
    pub hub: Arc<Hub>,
    pub identity: Arc<Identity>,
    pub stats: Arc<Stats>,
    pub queue: Option<Arc<Queue>>,
    pub config: Arc<Config>,
}

impl Collecting {
    /// `state`: where points that wait may be put on disk.
    pub fn new(config: Config, state: Option<PathBuf>) -> Collecting {
        let stats = Arc::new(Stats::default());
        let queue = (!config.transfer.addrs.is_empty()).then(|| Arc::new(queue(&config.queue, state, &stats)));
        let perf = link::perf(&config.perf, &stats);
        Collecting::with(config, stats, queue, perf, Arc::default())
    }

    /// With figures, a queue and counters that are there already.
    fn with(
        config: Config,
        stats: Arc<Stats>,
        queue: Option<Arc<Queue>>,
        perf: Perf,
        assigned: Arc<Assigned>,
    ) -> Collecting {
        let config = Arc::new(config);
        let identity = Arc::new(Identity::new(&config));
        let hub = Arc::new(Hub::new(config.clone(), identity.clone(), stats.clone(), queue.clone()));
        let active = config.collector.names.iter().copied().collect();
        let host = falcon_sys::Host::new(root());
        let context = Context { host, config: config.clone(), stats: stats.clone(), perf, assigned };
        context.assigned.configure(Checks::configured(&config.checks));
        let shared = Shared {
            context,
            plan: Arc::new(Plan::new(collect::ALL, active, Platform::CURRENT, &config)),
            clock: clock::agent(),
            endpoint: identity.endpoint().unwrap_or_default(),
            clock_told: Arc::default(),
        };
        Collecting { shared, hub, identity, stats, queue, config }
    }
}

fn queue(config: &config::Queue, state: Option<PathBuf>, stats: &Arc<Stats>) -> Queue {
    let (max_bytes, max_age) = (u64::from(config.max_mb) << 20, i64::from(config.max_age));
    let dir = state.filter(|_| config.enabled).map(|state| state.join(QUEUE_DIR));
    let disk = dir.and_then(|dir| {
        let started = Disk::start(dir, max_bytes, max_age, stats.clone());
        started
            .inspect_err(|error| {
                crate::log::say!(Error, "Q001", "queue: no thread for the disk: {error}; points wait in memory")
            })
            .ok()
    });
    Queue::new(stats.clone(), MAX_BYTES, max_age, disk)
}

/// `NUX_ROOTFS`: where the host's root is seen from a container. Only an absolute path of a directory counts.
fn root() -> PathBuf {
    let plain = PathBuf::from("/");
    let Some(root) = std::env::var_os("NUX_ROOTFS").filter(|root| !root.is_empty()).map(PathBuf::from) else {
        return plain;
    };
    if root.is_absolute() && root.is_dir() {
        return root;
    }
    crate::log::say!(Warn, "A012", "NUX_ROOTFS: {} is not the absolute path of a directory; / is read", root.display());
    plain
}

/// The runtime of every verb: one thread, and two more that find the address to listen on and read long pushes.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build()
}

/// Three lines: what is collected, where it goes, where to look, and `how` it is ended.
fn announce(config: &Config, identity: &Identity, source: &Source, how: &str) {
    let endpoint = identity.endpoint().unwrap_or_else(|error| format!("({error:#})"));
    let from = match source {
        Source::Standalone => "built-in configuration, no cfg.json found".to_owned(),
        Source::File(path) => format!("configuration {}", path.display()),
    };
    let names: Vec<&str> = collect::active(config).map(|spec| spec.name).collect();
    let sets: Vec<&str> = config.collector.names.iter().map(|set| set.name()).collect();
    crate::log::say!(
        Info,
        "A001",
        "falcon-agent {VERSION} collects {} from {endpoint} every {} s, names {} ({from})",
        names.join(", "),
        config.transfer.interval,
        sets.join(" + "),
    );
    if Platform::CURRENT == Platform::Linux && !config.collector.counters.is_empty() {
        crate::log::say!(
            Info,
            "A018",
            "collector.counters: only Windows has performance counters; nothing is told of them here"
        );
    }
    let transfer = match (config.transfer.enabled, config.transfer.addrs.as_slice()) {
        (_, []) => "none, points are only shown here".to_owned(),
        (true, addrs) => addrs.join(", "),
        (false, addrs) => format!("switched off, only pushes go to {}", addrs.join(", ")),
    };
    let hbs = match (config.heartbeat.enabled, config.heartbeat.addrs.as_slice()) {
        (false, _) => "switched off".to_owned(),
        (true, []) => "none".to_owned(),
        (true, addrs) => addrs.join(", "),
    };
    crate::log::say!(Info, "A002", "transfer: {transfer}; hbs: {hbs}");
    if config.http.enabled && !config.http.listen.is_empty() {
        let listen = &config.http.listen;
        let host = if listen.starts_with(':') { "127.0.0.1" } else { "" };
        let scheme = if config.http.tls.is_on() { "https" } else { "http" };
        crate::log::say!(Info, "A003", "see {scheme}://{host}{listen}/ for every series; push to /v1/push{how}");
    } else {
        crate::log::say!(Info, "A004", "no HTTP server (http.enabled, http.listen){how}");
    }
}
