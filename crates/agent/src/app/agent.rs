//! What runs: lanes of collectors, hbs, the way to the transfers, the HTTP server. All of it is started for one configuration
//! and replaced as a whole for another; what must outlive that (figures, points that wait, which stamps were given, the open
//! port) is handed from one to the next.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::named::Named;
use super::plugins::{self, Plugins};
use super::server::Server;
use super::store::Store;
use super::task::{self, supervise};
use super::{Collecting, Identity, announce};
use crate::assigned::Assigned;
use crate::clock;
use crate::collect;
use crate::config::{Config, Loaded};
use crate::falcon::transfer::Leave;
use crate::falcon::{hbs, transfer};
use crate::http::{Behind, Commands, Facts, Port, Site};
use crate::hub::Hub;
use crate::perf::client::Perf;
use crate::perf::link;
use crate::plugin::fetch;
use crate::schedule::{self, LaneTask, Mark, Places};
use crate::stats::Stats;
use crate::trusted::Trusted;

/// For sending what is left when the agent stops.
const FLUSH: Duration = Duration::from_secs(2);
/// For the call that is on its way when the agent gets another configuration: cut short it would be made again. Collecting,
/// the server and pushes go on meanwhile.
const LAST_CALL: Duration = Duration::from_secs(2);
/// For collectors of another configuration to be opened, besides a cycle: so long a process that reads performance counters
/// for them stays.
const OPENED: Duration = Duration::from_secs(10);
/// For an idle server to give its port back.
const HAND_OVER: Duration = Duration::from_millis(500);
/// For clients in the middle of a request when the agent stops.
const CLIENTS: Duration = Duration::from_millis(1500);

pub(super) struct Agent {
    lasting: Lasting,
    config: Arc<Config>,
    identity: Arc<Identity>,
    hub: Arc<Hub>,
    lanes: Vec<Arc<Mutex<LaneTask>>>,
    tasks: Vec<JoinHandle<()>>,
    sender: Option<JoinHandle<()>>,
    http: Option<Server>,
    /// How the sender ends.
    leaving: watch::Sender<Leave>,
}

/// What outlives a configuration.
struct Lasting {
    stats: Arc<Stats>,
    started: Instant,
    port: Arc<Port>,
    perf: Perf,
    /// What the host is asked for its pages; `None`: not yet.
    facts: Option<Arc<Facts>>,
    trusted: Arc<Trusted>,
    commands: Commands,
    assigned: Arc<Assigned>,
    named: Arc<Named>,
    plugins: Plugins,
    versions: hbs::Versions,
    /// `None`: no transfer is configured.
    store: Option<Store>,
}

impl Agent {
    /// `how` it is ended, for people; `commands` is where what its port is asked goes.
    pub fn start(loaded: &Loaded, how: &str, commands: Commands) -> Agent {
        let stats = Arc::new(Stats::default());
        let store = Store::open(loaded, &stats);
        let perf = link::perf(&loaded.config.perf, &stats);
        let (port, trusted, plugins, versions) = Default::default();
        let assigned = assigned(loaded, &trusted, None);
        let started = Instant::now();
        let (named, facts) = (Named::new(), None);
        let lasting =
            Lasting { stats, started, port, perf, facts, trusted, commands, assigned, named, plugins, versions, store };
        let agent = Agent::go_on(loaded, lasting, &mut [], None);
        announce(&agent.config, &agent.identity, &loaded.source, how);
        agent
    }

    pub fn stats(&self) -> Arc<Stats> {
        self.lasting.stats.clone()
    }

    /// In the place of one that had these marks, and this server if it can stay.
    fn go_on(loaded: &Loaded, mut lasting: Lasting, marks: &mut [Mark], server: Option<Server>) -> Agent {
        let queue = lasting.store.as_ref().map(|store| store.queue.clone());
        let collecting = Collecting::with(
            loaded.config.clone(),
            lasting.stats.clone(),
            queue,
            lasting.perf.clone(),
            lasting.assigned.clone(),
        );
        let (leaving, leave) = watch::channel(Leave::Stay);
        let Collecting { shared, hub, identity, stats, queue, config } = &collecting;
        let (mut tasks, mut lanes) = (Vec::new(), Vec::new());
        for lane in schedule::lanes_after(marks, collect::active(config), shared) {
            // Kept when the task is started again: which buckets are taken, and which collectors are away.
            let (lane, hub) = (Arc::new(Mutex::new(lane)), hub.clone());
            lanes.push(lane.clone());
            tasks.push(supervise("collecting", move || {
                let (lane, hub) = (lane.clone(), hub.clone());
                let mut sink = move |samples| hub.ingest(samples, clock::unix_s());
                async move { lane.lock().await.run(&mut sink).await }
            }));
        }
        if let Ok(endpoint) = identity.endpoint() {
            // No task of this configuration: it goes on over a reload.
            drop(task::spawn(lasting.named.clone().look(endpoint, loaded.notes_dir())));
        }
        if asks_hbs(config) {
            if let Ok(endpoint) = identity.endpoint() {
                lasting.assigned.belongs_to(&endpoint);
            }
            let (config, identity, stats) = (config.clone(), identity.clone(), stats.clone());
            let (clock, assigned) = (shared.clock.clone(), lasting.assigned.clone());
            let reported =
                plugins::reported(loaded).map(|dir| hbs::Plugins::new(dir, fetch::version, &lasting.versions));
            tasks.push(supervise("hbs", move || {
                let (identity, clock, stats) = (identity.clone(), clock.clone(), stats.clone());
                hbs::Reporter::new(&config, identity, clock, stats, assigned.clone(), reported.clone()).run()
            }));
        } else {
            stats.hbs.set(hbs::Reach::Off, None, None);
            lasting.assigned.forget();
        }
        lasting.plugins.follow(loaded, &collecting);
        let transfers = Arc::<transfer::Transfers>::default();
        let sender = queue.clone().map(|queue| {
            let (config, stats, seen) = (config.clone(), stats.clone(), transfers.clone());
            supervise("transfer", move || {
                let sender = transfer::Sender::new(&config.transfer, queue.clone(), stats.clone());
                sender.seen_by(&seen).run(leave.clone())
            })
        });
        let http = serves(config).then(|| {
            let facts = lasting.facts.get_or_insert_with(|| Arc::new(Facts::new(shared.context.host.clone())));
            let behind = Behind {
                hub: hub.clone(),
                stats: stats.clone(),
                identity: identity.clone(),
                transfers: transfers.clone(),
                facts: facts.clone(),
                trusted: lasting.trusted.clone(),
                plugins: lasting.plugins.engine(),
                commands: lasting.commands.clone(),
            };
            let site = Site::new(config, loaded.base(), behind, lasting.started);
            match server {
                Some(server) => {
                    drop(server.site.send_replace(Arc::new(site)));
                    server
                }
                None => Server::start(site, lasting.port.clone()),
            }
        });
        let Collecting { config, identity, hub, .. } = collecting;
        Agent { lasting, config, identity, hub, lanes, tasks, sender, http, leaving }
    }

    /// Goes on with another configuration. Nothing that waits is lost, or it is told; no stamp is given twice, and clients notice nothing where
    /// the section `http` stays the same. Once `hurry` is true nothing is waited for: the agent is to stop.
    pub async fn reload(mut self, loaded: &Loaded, hurry: watch::Receiver<bool>) -> Agent {
        let stays = self.config.http == loaded.config.http;
        // Collecting goes on meanwhile. Where there is no time, it is ended with the agent.
        unless_hurried(&hurry, self.lasting.plugins.make_way(loaded)).await;
        self.end_sender(Leave::EndEven, LAST_CALL, &hurry).await;
        let mut server = self.http.take();
        let follows = serves(&loaded.config).then_some(loaded.config.http.listen.as_str());
        self.lasting.port.follows(follows);
        if let Some(server) = server.take_if(|_| !stays) {
            // What it still answers, it answers beside the new one.
            unless_hurried(&hurry, server.stop(HAND_OVER)).await;
        }
        let places = schedule::places(collect::active(&loaded.config), &loaded.config);
        // Open while nobody else has one open: the process that asks stays with the settings that it has.
        let held = (self.config.perf == loaded.config.perf).then(|| self.lasting.perf.open("reload"));
        let mut marks = self.let_go(&places).await;
        let Agent { mut lasting, config, hub, .. } = self;
        if held.is_none() {
            lasting.perf = link::perf(&loaded.config.perf, &lasting.stats);
        }
        if lasting.assigned.dir() != loaded.notes_dir().as_deref() {
            lasting.assigned = assigned(loaded, &lasting.trusted, Some(&lasting.assigned));
        }
        let kept = lasting.store.take_if(|store| {
            let same = config.queue == loaded.config.queue && store.dir == loaded.state_dir();
            same && !loaded.config.transfer.addrs.is_empty()
        });
        let mut old = None;
        if let Some(store) = lasting.store.take() {
            old = Some((store.end().await, store));
            lasting.stats.forget_queue();
        }
        lasting.store = kept.or_else(|| Store::open(loaded, &lasting.stats));
        if let Some((stored, old)) = old {
            old.hand_over(stored, lasting.store.as_ref());
        }
        let mut agent = Agent::go_on(loaded, lasting, &mut marks, server);
        if let Some(held) = held {
            let cycle = Duration::from_secs(loaded.config.transfer.interval.into());
            agent.tasks.push(task::spawn(async move {
                tokio::time::sleep(cycle + OPENED).await;
                drop(held);
            }));
        }
        agent.hub.follow(&hub);
        agent
    }

    /// Ends what sends, within `limit`, or as soon as `hurry` is true.
    async fn end_sender(&mut self, leave: Leave, limit: Duration, hurry: &watch::Receiver<bool>) {
        let _ = self.leaving.send(leave);
        if let Some(mut sender) = self.sender.take()
            && unless_hurried(hurry, tokio::time::timeout(limit, &mut sender)).await.is_none_or(|left| left.is_err())
        {
            sender.abort();
            let _ = sender.await;
        }
    }

    /// Ends what collects; answers which stamps were given, and what is held for the lanes that stand in these `places`.
    async fn let_go(&mut self, places: &Places) -> Vec<Mark> {
        self.tasks.iter().for_each(JoinHandle::abort);
        let mut marks = Vec::new();
        for lane in &self.lanes {
            // Free as soon as its task has seen that it is aborted.
            let mut sink = |samples| self.hub.ingest(samples, clock::unix_s());
            marks.push(lane.lock().await.hand_on(places, &mut sink));
        }
        marks
    }

    /// Stop accepting, stop collecting, send what is left or put it on disk.
    pub async fn stop(mut self) {
        self.lasting.port.follows(None);
        self.tasks.iter().for_each(JoinHandle::abort);
        let (server, plugins) = (self.http.take(), &mut self.lasting.plugins);
        tokio::join!(
            async {
                if let Some(server) = server {
                    server.stop(CLIENTS).await;
                }
            },
            plugins.stop()
        );
        self.let_go(&Places::new()).await;
        let (_, no_hurry) = watch::channel(false);
        self.end_sender(Leave::SendAll, FLUSH, &no_hurry).await;
        let Some(store) = self.lasting.store else {
            crate::log::say!(Info, "A006", "stopped");
            return;
        };
        match store.close().await {
            Some((0, 0)) => crate::log::say!(Info, "A007", "stopped; every point was sent"),
            Some((stored, 0)) => {
                crate::log::say!(Info, "A008", "stopped; {stored} points are on disk and are sent after the next start")
            }
            Some((_, lost)) => crate::log::say!(Warn, "A009", "stopped; {lost} points were not sent and are lost"),
            None => crate::log::say!(
                Warn,
                "A010",
                "stopped; the disk does not answer, and points that were not sent are lost"
            ),
        }
    }
}

/// What is waited for, as long as there is time.
async fn unless_hurried<T>(hurry: &watch::Receiver<bool>, wait: impl Future<Output = T>) -> Option<T> {
    let mut hurry = hurry.clone();
    tokio::select! {
        done = wait => Some(done),
        Ok(_) = hurry.wait_for(|hurry| *hurry) => None,
    }
}

/// What hbs assigned before. Without an hbs nobody would take it back.
///
/// `before`: in whose place it stands.
fn assigned(loaded: &Loaded, trusted: &Arc<Trusted>, before: Option<&Assigned>) -> Arc<Assigned> {
    let endpoint = Identity::new(&loaded.config).endpoint().ok().filter(|_| asks_hbs(&loaded.config));
    let assigned = Assigned::open(loaded.notes_dir().as_deref(), endpoint.as_deref());
    if let (Some(before), Some(endpoint)) = (before, &endpoint) {
        assigned.follow(before, endpoint);
    }
    let trusted = trusted.clone();
    assigned.tell_trustable(move |addresses| {
        // Nothing kept is not the same as an hbs that trusts nobody.
        if !addresses.is_empty() || trusted.list().is_some() {
            trusted.set(addresses);
        }
    });
    assigned
}

/// Whether there is an hbs.
fn asks_hbs(config: &Config) -> bool {
    config.heartbeat.enabled && !config.heartbeat.addrs.is_empty()
}

/// Whether there is an HTTP server.
pub(super) fn serves(config: &Config) -> bool {
    config.http.enabled && !config.http.listen.is_empty()
}

#[cfg(test)]
mod tests;
