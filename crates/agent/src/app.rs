//! The composition root: what is started, in which order, and how it ends.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::collect::{self, Context, Plan};
use crate::config::{self, Config, Loaded, Source};
use crate::falcon::{hbs, transfer};
use crate::hub::Hub;
use crate::model::Platform;
use crate::queue::{Disk, MAX_BYTES, Queue};
use crate::schedule::{self, Shared};
use crate::stats::Stats;
use crate::{guard, http, log};

/// `<version>@<commit>`, as hbs and `/version` show it.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "@", env!("FALCON_BUILD_COMMIT"));

/// The queue on disk, below the state directory.
pub const QUEUE_DIR: &str = "queue";
/// For sending what is left when the agent stops, and for putting on disk what could not be sent.
const FLUSH: Duration = Duration::from_secs(2);
const STORE: Duration = Duration::from_millis(900);
/// Everything at a stop together; what is not done then is left.
pub const STOP: Duration = Duration::from_millis(4500);
/// Before a task that failed by a defect is started again.
const RESTART: Duration = Duration::from_secs(10);

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
        let config = Arc::new(config);
        let stats = Arc::new(Stats::default());
        let identity = Arc::new(Identity::new(&config));
        let queue = (!config.transfer.addrs.is_empty()).then(|| Arc::new(queue(&config.queue, state, &stats)));
        let hub = Arc::new(Hub::new(config.clone(), identity.clone(), stats.clone(), queue.clone()));
        let active = config.collector.names.iter().copied().collect();
        let context = Context { host: falcon_sys::Host::new(root()), config: config.clone(), stats: stats.clone() };
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
                tracing::error!(code = "Q001", "queue: no thread for the disk: {error}; points wait in memory")
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
    tracing::warn!(code = "A012", "NUX_ROOTFS: {} is not the absolute path of a directory; / is read", root.display());
    plain
}

/// Why the agent was asked to end, as soon as it is.
pub type Stop = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// The runtime of every verb: one thread, and two more that find the address to listen on and read long pushes.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build()
}

/// Runs the agent until `stop` or the guard says why it ends; answers the exit code.
pub fn run(loaded: Loaded, stop: impl FnOnce() -> std::io::Result<Stop>) -> anyhow::Result<u8> {
    falcon_sys::limit_heap_growth();
    let console = log::Setup::console(loaded.config.log_level());
    log::init(log::Setup { file: log_file(&loaded), ..console });
    let runtime = runtime().context("the system gives no event loop")?;
    let code = runtime.block_on(async {
        let stop = stop().context("signals cannot be received")?;
        let agent = Agent::start(&loaded);
        for warning in &loaded.warnings {
            tracing::warn!(code = "F002", "{warning}");
        }
        let (end, mut ended) = mpsc::channel(1);
        guard::start(&loaded, agent.stats.clone(), end);
        let (why, code) = tokio::select! {
            why = stop => (why, 0),
            Some(code) = ended.recv() => ("guard", code),
        };
        tracing::info!(code = "A005", "{why}: stopping");
        // Whatever hangs, this ends the process in time.
        std::thread::Builder::new().name("stop".to_owned()).spawn(move || {
            std::thread::sleep(STOP);
            std::process::exit(code.into());
        })?;
        agent.stop().await;
        Ok::<u8, anyhow::Error>(code)
    })?;
    // Threads that hang in a dead mount or a resolver are not waited for.
    runtime.shutdown_background();
    log::drain();
    Ok(code)
}

/// The file that the configuration names: a relative name counts from the working directory, as in Go; on Windows from the
/// directory of the file, for a service's working directory is the system's.
fn log_file(loaded: &Loaded) -> Option<log::FileTarget> {
    let log = &loaded.config.log;
    let base = if Platform::CURRENT == Platform::Windows { loaded.source.dir() } else { Path::new("") };
    (!log.file.is_empty()).then(|| log::file(log, base.join(&log.file)))
}

struct Agent {
    stats: Arc<Stats>,
    hub: Arc<Hub>,
    lanes: Vec<Arc<tokio::sync::Mutex<schedule::LaneTask>>>,
    queue: Option<Arc<Queue>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    sender: Option<tokio::task::JoinHandle<()>>,
    http: Option<tokio::task::JoinHandle<()>>,
    /// No more requests are taken.
    stopping: watch::Sender<bool>,
    /// Nothing comes any more: what is left is sent.
    leaving: watch::Sender<bool>,
}

impl Agent {
    fn start(loaded: &Loaded) -> Agent {
        let collecting = Collecting::new(loaded.config.clone(), loaded.state_dir());
        announce(&collecting, &loaded.source);
        let (stopping, stopped) = watch::channel(false);
        let (leaving, leave) = watch::channel(false);
        let Collecting { shared, hub, identity, stats, queue, config } = &collecting;
        let (mut tasks, mut lanes) = (Vec::new(), Vec::new());
        for lane in schedule::lanes(collect::active(config), shared) {
            // Kept when the task is started again: which buckets are taken, and which collectors are away.
            let (lane, hub) = (Arc::new(tokio::sync::Mutex::new(lane)), hub.clone());
            lanes.push(lane.clone());
            tasks.push(supervise("collecting", move || {
                let (lane, hub) = (lane.clone(), hub.clone());
                let mut sink = move |samples| hub.ingest(samples, clock::unix_s());
                async move { lane.lock().await.run(&mut sink).await }
            }));
        }
        if config.heartbeat.enabled && !config.heartbeat.addrs.is_empty() {
            let (config, identity, stats) = (config.clone(), identity.clone(), stats.clone());
            let clock = shared.clock.clone();
            tasks.push(supervise("hbs", move || {
                hbs::Reporter::new(&config.heartbeat, identity.clone(), clock.clone(), stats.clone()).run()
            }));
        }
        if let Some(queue) = queue.clone() {
            // Not among those that are ended first: it may stand in the middle of a write.
            drop(supervise("queue", move || {
                let queue = queue.clone();
                async move { queue.keep().await }
            }));
        }
        let transfers = Arc::<transfer::Transfers>::default();
        let sender = queue.clone().map(|queue| {
            let (config, stats, seen) = (config.clone(), stats.clone(), transfers.clone());
            supervise("transfer", move || {
                let sender = transfer::Sender::new(&config.transfer, queue.clone(), stats.clone());
                sender.seen_by(&seen).run(leave.clone())
            })
        });
        let http = (config.http.enabled && !config.http.listen.is_empty()).then(|| {
            let (dir, hub, identity) = (loaded.source.dir(), hub.clone(), identity.clone());
            let site = Arc::new(http::Site::new(config, dir, hub, stats.clone(), identity, transfers.clone()));
            let listen = config.http.listen.clone();
            supervise("http", move || http::serve(listen.clone(), site.clone(), stopped.clone()))
        });
        Agent {
            stats: collecting.stats,
            hub: collecting.hub,
            queue: collecting.queue,
            lanes,
            tasks,
            sender,
            http,
            stopping,
            leaving,
        }
    }

    /// Stop accepting, stop collecting, send what is left or put it on disk.
    async fn stop(self) {
        let _ = self.stopping.send(true);
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        if let Some(http) = self.http {
            let _ = tokio::time::timeout(Duration::from_millis(1500), http).await;
        }
        for lane in &self.lanes {
            // Free as soon as its task has seen that it is aborted.
            let mut sink = |samples| self.hub.ingest(samples, clock::unix_s());
            lane.lock().await.let_go(&mut sink);
        }
        let (Some(queue), Some(mut sender)) = (self.queue, self.sender) else {
            tracing::info!(code = "A006", "stopped");
            return;
        };
        let _ = self.leaving.send(true);
        if tokio::time::timeout(FLUSH, &mut sender).await.is_err() {
            sender.abort();
        }
        match tokio::time::timeout(STORE, queue.close()).await {
            Ok((0, 0)) => tracing::info!(code = "A007", "stopped; every point was sent"),
            Ok((stored, 0)) => {
                tracing::info!(code = "A008", "stopped; {stored} points are on disk and are sent after the next start")
            }
            Ok((_, lost)) => tracing::warn!(code = "A009", "stopped; {lost} points were not sent and are lost"),
            Err(_) => tracing::warn!(
                code = "A010",
                "stopped; the disk does not answer, and points that were not sent are lost"
            ),
        }
    }
}

/// Runs a task for as long as the agent lives: one that fails by a defect is started again.
fn supervise<F>(name: &'static str, mut start: impl FnMut() -> F + Send + 'static) -> tokio::task::JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            // Aborted together with its supervisor.
            let mut task = tokio::task::JoinSet::new();
            task.spawn(start());
            match task.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    tracing::error!(
                        code = "A011",
                        "{name}: failed by a defect; started again in {} s",
                        RESTART.as_secs()
                    );
                    tokio::time::sleep(RESTART).await;
                }
                _ => return,
            }
        }
    })
}

/// Three lines: what is collected, where it goes, where to look.
fn announce(collecting: &Collecting, source: &Source) {
    let Collecting { config, identity, .. } = collecting;
    let endpoint = identity.endpoint().unwrap_or_else(|error| format!("({error:#})"));
    let from = match source {
        Source::Standalone => "built-in configuration, no cfg.json found".to_owned(),
        Source::File(path) => format!("configuration {}", path.display()),
    };
    let names: Vec<&str> = collect::active(config).map(|spec| spec.name).collect();
    let sets: Vec<&str> = config.collector.names.iter().map(|set| set.name()).collect();
    tracing::info!(
        code = "A001",
        "falcon-agent {VERSION} collects {} from {endpoint} every {} s, names {} ({from})",
        names.join(", "),
        config.transfer.interval,
        sets.join(" + "),
    );
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
    tracing::info!(code = "A002", "transfer: {transfer}; hbs: {hbs}");
    if config.http.enabled && !config.http.listen.is_empty() {
        let listen = &config.http.listen;
        let host = if listen.starts_with(':') { "127.0.0.1" } else { "" };
        let scheme = if config.http.tls.is_on() { "https" } else { "http" };
        tracing::info!(code = "A003", "see {scheme}://{host}{listen}/ for every series; push to /v1/push; Ctrl-C ends");
    } else {
        tracing::info!(code = "A004", "no HTTP server (http.enabled, http.listen); Ctrl-C ends");
    }
}
