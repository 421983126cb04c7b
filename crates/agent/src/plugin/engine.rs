//! Runs what hbs binds: looks which files that are, begins each when it is due, and hands its points to the hub.
//!
//! * Everything is decided in one task of the runtime, in [`Engine::turn`]; the disk is asked, and plugins are run, on threads of
//!   their own, which tell what happened. A directory that hangs costs what is in it and nobody else.
//! * The directory is looked at when hbs's list changes, after something was fetched, and every [`LOOK`] while anything is bound.
//!   What hbs has taken back ends at once, whatever the directory does.
//! * Points of one plugin are delivered in the order of its runs: it does not run while some wait for room in the queue.
//! * An engine outlives a configuration that leaves its settings; it gets another [`Outlet`] then. There are never two.

mod fetch;
mod record;
mod registry;
mod runs;
mod shown;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

pub use self::fetch::Fetch;
use self::registry::Registry;
pub use self::runs::not_started;
pub use self::shown::Shown;
use self::told::Told;
use super::Plugin;
use super::files::{Left, Scan};
use super::perform::{Performed, Stop};
use crate::assigned::Assigned;
use crate::clock;
use crate::hub::Hub;
use crate::stats::{Lost, Stats};

/// Between two looks at the directory.
const LOOK: Duration = Duration::from_secs(10);
/// Where nothing is bound.
const IDLE: Duration = Duration::from_secs(3600);
/// For a thread that waits for a child and decodes what it has printed; and for one that fetches and unpacks.
const STACK: usize = 512 * 1024;
const FETCH_STACK: usize = 2 * 1024 * 1024;
/// Names of threads.
const LOOKS: &str = "plugins";
const RUNS: &str = "plugin";
const FETCHES: &str = "plugin fetch";

/// Runs a plugin, and comes back when nothing of it is left.
pub type Runner = Arc<dyn Fn(&Plugin, &Stop) -> Performed + Send + Sync>;
/// Looks which files these bindings mean.
pub type Scanner = Box<dyn Fn(&[String]) -> Scan + Send + Sync>;
/// Fetches the directory's files, until it is to stop.
pub type Fetcher = Box<dyn Fn(Fetch, &AtomicBool) -> Result<(), String> + Send + Sync>;
type Job = Box<dyn FnOnce() + Send>;
/// Begins a job on a thread of its own, of this name.
pub type Begin = Box<dyn Fn(&str, Job) -> io::Result<()> + Send + Sync>;

/// What an engine does elsewhere.
pub struct Hands {
    pub scan: Scanner,
    pub fetch: Fetcher,
    pub begin: Begin,
}

/// Of the configuration that is in effect.
#[derive(Clone)]
pub struct Outlet {
    pub hub: Arc<Hub>,
    pub assigned: Arc<Assigned>,
    pub run: Runner,
}

pub struct Engine {
    /// Of the plugins, for what is told.
    dir: PathBuf,
    at_once: usize,
    hands: Hands,
    stats: Arc<Stats>,
    outlet: Mutex<Outlet>,
    state: Mutex<State>,
    happened: Mutex<Vec<Event>>,
    woken: Arc<Notify>,
    /// Nothing begins any more.
    ending: AtomicBool,
    fetching: AtomicBool,
}

struct State {
    registry: Registry,
    left: Vec<Left>,
    bindings: Arc<Vec<String>>,
    /// Since when a look at the directory is out.
    looking: Option<Instant>,
    /// When it is looked at again.
    look_at: Instant,
    told: Told,
}

enum Event {
    /// The directory may be another.
    Look,
    /// What was found for these bindings; `None`: the look failed by a defect.
    Found(Arc<Vec<String>>, Option<Scan>),
    /// `None`: it failed by a defect.
    Ran(u64, Option<Performed>),
    Sent(u64),
}

/// Begins a job on a thread of the system.
///
/// # Errors
/// It gives no more.
pub fn thread(name: &str, job: Job) -> io::Result<()> {
    let stack = if name == FETCHES { FETCH_STACK } else { STACK };
    std::thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(job).map(drop)
}

impl Engine {
    pub fn new(dir: PathBuf, at_once: usize, hands: Hands, outlet: Outlet, stats: Arc<Stats>) -> Arc<Engine> {
        let state = State {
            registry: Registry::new(at_once),
            left: Vec::new(),
            bindings: Arc::default(),
            looking: None,
            look_at: Instant::now(),
            told: Told::default(),
        };
        let engine = Arc::new(Engine {
            dir,
            at_once,
            hands,
            stats,
            outlet: Mutex::new(outlet.clone()),
            state: Mutex::new(state),
            happened: Mutex::default(),
            woken: Arc::default(),
            ending: AtomicBool::new(false),
            fetching: AtomicBool::new(false),
        });
        engine.go_on(outlet);
        engine
    }

    /// With another configuration that leaves the engine's own settings.
    pub fn go_on(&self, outlet: Outlet) {
        let woken = self.woken.clone();
        outlet.assigned.tell_plugins(move || woken.notify_one());
        *lock(&self.outlet) = outlet;
        self.woken.notify_one();
    }

    /// For ever.
    pub async fn run(self: Arc<Self>) {
        loop {
            let next = self.turn(Instant::now());
            let _ = timeout_at(next, self.woken.notified()).await;
        }
    }

    /// Does all there is to do now; answers when there is something again, unless it is woken before.
    fn turn(self: &Arc<Self>, now: Instant) -> Instant {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let happened = std::mem::take(&mut *lock(&self.happened));
        for event in happened {
            self.take(state, event, now);
        }
        let bindings = lock(&self.outlet).assigned.plugins();
        if !Arc::ptr_eq(&bindings, &state.bindings) {
            if *bindings != *state.bindings {
                state.look_at = now;
                state.registry.keep_bound(&bindings);
            }
            state.bindings = bindings;
        }
        let mut looks = None;
        if state.bindings.is_empty() {
            state.registry.clear();
            state.left.clear();
            state.told.left(&[], &[]);
        } else if let Some(since) = state.looking {
            if now >= since + LOOK {
                state.told.hangs(&self.dir);
            }
        } else if now >= state.look_at {
            (state.looking, state.look_at) = (Some(now), now + LOOK);
            looks = Some(state.bindings.clone());
        }
        let (starts, skipped) = state.registry.tick(now);
        self.stats.plugin_skipped.add(skipped);
        self.count(state);
        let look_at = match state.looking {
            Some(since) => Some(since + LOOK).filter(|at| *at > now),
            None => Some(state.look_at).filter(|_| !state.bindings.is_empty()),
        };
        let next = state.registry.next().into_iter().chain(look_at).min().unwrap_or(now + IDLE);
        drop(guard);
        if let Some(bindings) = looks {
            self.look(bindings);
        }
        for start in starts {
            self.begin(start);
        }
        next
    }

    fn count(&self, state: &State) {
        self.stats.plugin_bound.set(state.registry.len());
        self.stats.plugin_left.set(state.left.len());
        self.stats.plugin_running.set(state.registry.running());
    }

    fn take(self: &Arc<Self>, state: &mut State, event: Event, now: Instant) {
        match event {
            Event::Look => state.look_at = now,
            Event::Found(bindings, found) => {
                state.looking = None;
                state.told.answers(&self.dir);
                // Of a list that is another by now nothing is used: the directory is looked at again in this turn.
                if let Some(scan) = found.filter(|_| *bindings == *state.bindings) {
                    self.found(state, scan, now);
                }
            }
            Event::Ran(number, performed) => {
                let performed =
                    performed.unwrap_or_else(|| not_started("failed by a defect; see A013 in the agent's log"));
                self.ran(state, number, performed);
            }
            Event::Sent(number) => state.registry.sent(number),
        }
    }

    fn found(&self, state: &mut State, scan: Scan, now: Instant) {
        let (plugins, left) = (scan.plugins.len(), scan.left.len());
        state.left = scan.left;
        state.told.away(scan.away.as_deref(), &self.dir);
        if scan.away.is_some() {
            // That says nothing of what is in it, which keeps its periods: a share comes back, an update changes directories.
            return;
        }
        state.told.place(scan.unsafe_place.as_deref());
        if scan.unsafe_place.is_none() {
            state.told.left(&state.left, &state.bindings);
        }
        if state.registry.register(now, scan.plugins) {
            tracing::info!(
                code = "U017",
                "plugins: {plugins} run in their periods; {left} files or bindings do not (/plugins tells why)"
            );
        }
    }

    fn tell(&self, event: Event) {
        lock(&self.happened).push(event);
        self.woken.notify_one();
    }

    fn look(self: &Arc<Self>, bindings: Arc<Vec<String>>) {
        let (engine, wanted) = (self.clone(), bindings.clone());
        let job = move || {
            let found = catch_unwind(AssertUnwindSafe(|| (engine.hands.scan)(&wanted))).ok();
            engine.tell(Event::Found(wanted, found));
        };
        if let Err(error) = (self.hands.begin)(LOOKS, Box::new(job)) {
            tracing::warn!(code = "U018", "plugins: no thread to look at the directory: {error}; tried again");
            // Not at once: it is looked at again at its time.
            lock(&self.state).looking = None;
        }
    }

    /// What `/plugins` shows. `whole`: also what programs have said.
    pub fn shown(&self, whole: bool) -> BTreeMap<String, Shown> {
        shown::shown(&lock(&self.state), self.at_once, Instant::now(), clock::unix_s(), whole)
    }

    /// Ends every run, and what is fetched, and waits for them until `limit`. Its task must have ended.
    pub async fn stop(self: Arc<Self>, limit: Duration) {
        let end = Instant::now() + limit;
        self.ending.store(true, SeqCst);
        let points = {
            let mut state = lock(&self.state);
            let points = state.registry.undelivered();
            state.registry.clear();
            points
        };
        let has_queue = lock(&self.outlet).hub.queue().is_some();
        if has_queue {
            self.stats.lose(Lost::Stop, points);
        }
        loop {
            let runs = {
                let mut state = lock(&self.state);
                for event in std::mem::take(&mut *lock(&self.happened)) {
                    if let Event::Ran(number, _) = event {
                        state.registry.ended(number);
                    }
                }
                self.count(&state);
                state.registry.running()
            };
            if runs == 0 && !self.fetching.load(SeqCst) {
                break;
            }
            if timeout_at(end, self.woken.notified()).await.is_err() {
                tracing::warn!(code = "U021", "plugins: {runs} runs, or what is fetched, do not end; they are left");
                break;
            }
        }
        for count in [&self.stats.plugin_bound, &self.stats.plugin_left, &self.stats.plugin_running] {
            count.set(0);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
