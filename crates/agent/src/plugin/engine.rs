//! Runs what hbs binds: looks which files that are, begins each when it is due, and hands its points to the hub.
//!
//! * Everything is decided in one task of the runtime, in [`Engine::turn`]; the disk is asked, and plugins are run, on threads of
//!   their own, which tell what happened. A directory that hangs costs what is in it and nobody else.
//! * The directory is looked at when hbs's list changes, after something was fetched, and every [`LOOK`] while anything is bound,
//!   but not while something is fetched. What hbs has taken back ends at once, whatever the directory does.
//! * Points of one plugin are delivered in the order of its runs ([`delivery`]): while some wait for room in the queue, it does
//!   not run, and its place among those that run at once is taken.
//! * An engine outlives a configuration that leaves its settings; it gets another [`Outlet`] then. Of an engine before, nothing
//!   runs but what the system did not end ([`stop`]): that is not begun a second time.

mod delivery;
mod fetch;
mod look;
mod record;
mod registry;
mod runs;
mod shown;
mod stop;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

pub use self::fetch::Fetch;
use self::registry::{Bound, Registry};
pub use self::runs::not_started;
pub use self::shown::Shown;
use self::told::Told;
use super::Plugin;
use super::files::{Left, Scan};
use super::perform::{Performed, Room, Stop};
use crate::app::task::Task;
use crate::assigned::Assigned;
use crate::clock;
use crate::hub::Hub;
use crate::stats::Stats;

/// Between two looks at the directory.
const LOOK: Duration = Duration::from_secs(10);
/// Between two looks at whether what is fetched is there.
const FETCHED: Duration = Duration::from_secs(1);
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
pub type Runner = Arc<dyn Fn(&Plugin, &Stop, Room<'_>) -> Performed + Send + Sync>;
/// Looks which files these bindings mean.
pub type Scanner = Box<dyn Fn(&[String]) -> Scan + Send + Sync>;
/// Fetches the directory's files, until it is to stop.
pub type Fetcher = Arc<dyn Fn(Fetch, &AtomicBool) -> Result<(), String> + Send + Sync>;
type Job = Box<dyn FnOnce() + Send>;
/// Begins a job on a thread of its own, of this name.
pub type Begin = Box<dyn Fn(&str, Job) -> io::Result<()> + Send + Sync>;
/// Sees a task through, on the thread that asks for it.
pub type Drive = Box<dyn Fn(Task) + Send + Sync>;

/// What an engine does elsewhere.
pub struct Hands {
    pub scan: Scanner,
    pub begin: Begin,
    pub drive: Drive,
}

/// Of the configuration that is in effect.
#[derive(Clone)]
pub struct Outlet {
    pub hub: Arc<Hub>,
    pub assigned: Arc<Assigned>,
    pub run: Runner,
    pub fetch: Fetcher,
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
    /// How many fetches began.
    fetches: AtomicU64,
    /// Long outputs are decoded and delivered one after the other: their points take several times the room of their bytes.
    long: Arc<Semaphore>,
    /// Points that waited for room when the engine ended.
    lost: AtomicUsize,
    /// Engines before, of which something did not end.
    before: Mutex<Vec<Arc<Engine>>>,
}

struct State {
    registry: Registry,
    left: Vec<Left>,
    bindings: Arc<Vec<String>>,
    /// Those that the last look was for.
    seen: Arc<Vec<String>>,
    /// Since when a look at the directory is out.
    looking: Option<Instant>,
    /// When it is looked at again.
    look_at: Instant,
    told: Told,
}

enum Event {
    /// The directory may be another.
    Look,
    /// What was found for these bindings, after so many fetches; `None`: the look failed by a defect.
    Found(Arc<Vec<String>>, u64, Option<Scan>),
    /// A run has ended and brought so many points, which are on their way.
    Ran(u64, Performed, usize),
    /// Nothing is left of it.
    Over(u64),
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
    /// `before`: engines in whose place it stands, where something of them did not end.
    pub fn new(
        dir: PathBuf,
        at_once: usize,
        hands: Hands,
        outlet: Outlet,
        stats: Arc<Stats>,
        before: Vec<Arc<Engine>>,
    ) -> Arc<Engine> {
        let state = State {
            registry: Registry::new(at_once),
            left: Vec::new(),
            bindings: Arc::default(),
            seen: Arc::default(),
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
            fetches: AtomicU64::new(0),
            long: Arc::new(Semaphore::new(1)),
            lost: AtomicUsize::new(0),
            before: Mutex::new(before),
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
                let bound = Bound::of(&bindings);
                state.registry.keep_bound(&bound);
                state.left.retain(|left| bound.names(&left.what));
            }
            state.bindings = bindings;
        }
        let (fetches, held) = (self.fetches.load(SeqCst), self.still_out());
        let fetching = self.is_fetching();
        let mut looks = None;
        if state.bindings.is_empty() {
            state.registry.clear();
            state.left.clear();
            state.told.left(&[], &[]);
        } else if let Some(since) = state.looking {
            if now >= since + LOOK {
                state.told.hangs(&self.dir);
            }
        } else if now >= state.look_at && !fetching {
            (state.looking, state.look_at) = (Some(now), now + LOOK);
            looks = Some((state.bindings.clone(), fetches));
        }
        let (starts, skipped) = state.registry.tick(now, &held);
        self.stats.plugin_skipped.add(skipped);
        self.count(state);
        let look_at = match state.looking {
            Some(since) => Some(since + LOOK).filter(|at| *at > now),
            None if fetching => Some(now + FETCHED),
            None => Some(state.look_at).filter(|_| !state.bindings.is_empty()),
        };
        let next = state.registry.next().into_iter().chain(look_at).min().unwrap_or(now + IDLE);
        drop(guard);
        if let Some((bindings, fetches)) = looks {
            self.look(bindings, fetches);
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
            Event::Found(bindings, fetches, found) => {
                state.looking = None;
                state.told.answers(&self.dir);
                // Of a list that is another by now nothing is used, nor of a directory that was being changed: it is looked at again.
                let is_so = *bindings == *state.bindings && fetches == self.fetches.load(SeqCst);
                if let Some(scan) = found.filter(|_| is_so) {
                    state.seen = bindings;
                    self.found(state, scan, now);
                }
            }
            Event::Ran(number, performed, points) => self.ran(state, number, &performed, points, now),
            Event::Over(number) => state.registry.over(number),
        }
    }

    fn tell(&self, event: Event) {
        lock(&self.happened).push(event);
        self.woken.notify_one();
    }

    /// What `/plugins` shows. `whole`: also what programs have said.
    pub fn shown(&self, whole: bool) -> BTreeMap<String, Shown> {
        let fetching = self.is_fetching();
        shown::shown(&lock(&self.state), self.at_once, fetching, (Instant::now(), clock::unix_s()), whole)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
