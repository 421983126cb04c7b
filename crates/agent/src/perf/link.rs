//! The agent's side of its process for performance counters: when it runs, who is asked next, and what becomes of failures.
//!
//! There is one process at most. It is started by the first query and ends with the last open group, so that a host without
//! such collectors never has one. Queries are made one after the other, those of groups that failed lately behind the rest
//! ([`Turns`]). A query that is late or ends the process costs the process, one line of the log and one count; the group that
//! asked has a breaker of its own ([`Breaker`]), and no other is punished, nor anyone for what no query did: a start that takes
//! long, an end while nothing is asked or while libraries are unloaded, names that cannot be read. A process that needs more
//! memory than it may have is replaced ([`Weight`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Breaker, LONGEST_PAUSE, Pause};
use super::child::{Child, Endings, Fall, NotStarted};
use super::client::{ObjectQuery, Perf, Refused, Source, Tables, Unanswered};
use super::protocol::{Query, Reply};
use super::turns::Turns;
use super::upkeep::{Ends, Verdict, Weight};
use crate::config;
use crate::model::Platform;
use crate::stats::Stats;

/// Verb of the executable that is the process.
pub const VERB: &str = "perf-worker";

/// For which a group that may hang lets others go first.
const LULL: Duration = Duration::from_millis(500);
/// For which a turn is waited for longer than a query may take, so that whoever came second has one after a query that hung.
const MARGIN: Duration = Duration::from_secs(2);
/// After a process that could not be started.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Services that are told of, and how much of their names: the process that names them is not to be believed.
const MOST_DISABLED: usize = 64;
const MOST_NAME: usize = 256;

const ENDS_ALONE: &str =
    "nobody can ask for some minutes: the process for it ended several times while nothing was asked";
const AT_CLOSING: &str = "as it unloaded libraries, or soon after";
const NOT_THIS: &str = "answered something else";

/// The process that answers, where the system has such counters.
pub fn perf(config: &config::Perf, stats: &Arc<Stats>) -> Perf {
    match Platform::CURRENT {
        Platform::Linux => Perf::none(),
        Platform::Windows => Perf::new(Link::new(config, stats.clone(), Box::new(own_executable), since_start())),
    }
}

fn own_executable() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(VERB);
    Ok(command)
}

fn since_start() -> Clock {
    let start = Instant::now();
    Box::new(move || start.elapsed())
}

/// Any that never goes back.
pub type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// How the process is started.
pub type Launch = Box<dyn Fn() -> io::Result<Command> + Send + Sync>;

pub struct Link {
    timeout: Duration,
    memory_bytes: u64,
    stats: Arc<Stats>,
    launch: Launch,
    clock: Clock,
    turns: Turns,
    endings: Endings,
    state: Mutex<State>,
}

struct State {
    /// Groups that are open.
    open: usize,
    /// Whoever has a turn takes it and puts it back.
    child: Option<Child>,
    /// Of the groups whose last query failed.
    breakers: BTreeMap<String, Breaker>,
    wait: Pause,
    ends: Ends,
    /// Why the last one could not be started.
    not_started: Option<String>,
    weight: Weight,
    /// Services of which the log has it that their counters are switched off.
    disabled: BTreeSet<String>,
}

impl Link {
    /// Starts nothing.
    pub fn new(config: &config::Perf, stats: Arc<Stats>, launch: Launch, clock: Clock) -> Link {
        let memory_bytes = u64::from(config.memory_mb) * 1_000_000;
        let state = State {
            open: 0,
            child: None,
            breakers: BTreeMap::new(),
            wait: Pause::new(FIRST_WAIT, LONGEST_WAIT),
            ends: Ends::default(),
            not_started: None,
            weight: Weight::new(memory_bytes),
            disabled: BTreeSet::new(),
        };
        Link {
            timeout: Duration::from_secs(config.timeout.into()),
            memory_bytes,
            stats,
            launch,
            clock,
            turns: Turns::new(LULL),
            endings: Endings::default(),
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn query(&self, group: &str, query: Query) -> Result<Reply, Refused> {
        let failed_lately = match self.lock().breakers.get(group) {
            Some(breaker) if breaker.is_open((self.clock)()) => return self.refuse(Refused::Paused),
            breaker => breaker.is_some(),
        };
        let Some(_turn) = self.turns.take(failed_lately, self.timeout + MARGIN) else {
            return self.refuse(Refused::Crowded);
        };
        let mut child = match self.child() {
            Ok(child) => child,
            Err(why) => return self.refuse(Refused::Failed(why)),
        };
        let until = Instant::now() + self.timeout;
        self.stats.perf_asked.add(1);
        let about = About(query.clone());
        let result = match child.call(query, until) {
            Ok(answer) => {
                self.keep(child, answer.rss_bytes);
                self.tell_disabled(&answer.disabled);
                match answer.reply {
                    Err(why @ Unanswered::NoNames(_)) => return Err(Refused::Failed(why.to_string())),
                    reply => reply.map_err(|why| Refused::Failed(why.to_string())),
                }
            }
            // It is not known whether this group was asked at all.
            Err(fall) if child.is_closing => return Err(self.fell_at_closing(child, fall)),
            Err(fall) => Err(self.fell(child, fall, group, &about)),
        };
        self.judge(group, result.is_ok());
        result
    }

    fn fell(&self, child: Child, fall: Fall, group: &str, about: &About) -> Refused {
        self.died(child);
        let timeout = self.timeout.as_secs();
        match fall {
            Fall::Late => {
                crate::log::say!(
                    Warn,
                    "P001",
                    "perf: {group}: no answer about {about} within {timeout} s; the process that asked was ended"
                );
                Refused::Late(timeout)
            }
            Fall::Ended(how) => {
                crate::log::say!(Warn, "P002", "perf: {group}: the process that asked for {about} {how}");
                Refused::Died(how)
            }
        }
    }

    fn fell_at_closing(&self, child: Child, fall: Fall) -> Refused {
        let timeout = self.timeout.as_secs();
        match fall {
            Fall::Late => {
                self.ended_alone(child, &format!("said nothing for {timeout} s and was ended"), AT_CLOSING);
                Refused::Late(timeout)
            }
            Fall::Ended(how) => {
                self.ended_alone(child, &how, AT_CLOSING);
                Refused::Died(how)
            }
        }
    }

    fn refuse<T>(&self, why: Refused) -> Result<T, Refused> {
        self.stats.perf_refused.add(1);
        Err(why)
    }

    /// The process that runs, or a new one.
    fn child(&self) -> Result<Child, String> {
        let running = self.lock().child.take();
        if let Some(mut child) = running {
            let Some(how) = child.ended() else { return Ok(child) };
            let when = if child.is_closing { AT_CLOSING } else { "while nothing was asked" };
            self.ended_alone(child, &how, when);
        }
        if self.lock().ends.are_waited_for((self.clock)()) {
            return Err(ENDS_ALONE.to_owned());
        }
        if let State { wait, not_started: Some(why), .. } = &*self.lock()
            && wait.is_on((self.clock)())
        {
            return Err(why.clone());
        }
        let started = (self.launch)()
            .map_err(|error| NotStarted { why: error.to_string(), has_died: false })
            .and_then(|mut command| Child::start(&mut command, self.memory_bytes, &self.endings));
        let mut state = self.lock();
        match started {
            Ok(child) => {
                state.wait.forget();
                state.not_started = None;
                Ok(child)
            }
            Err(NotStarted { why, has_died }) => {
                self.stats.perf_deaths.add(usize::from(has_died));
                let why = match has_died {
                    true => format!("nobody can ask: the process for it {why}"),
                    false => format!("nobody can ask: no process can be started for it: {why}"),
                };
                state.wait.begin((self.clock)());
                let before = state.not_started.replace(why.clone());
                drop(state);
                if before.as_ref() != Some(&why) {
                    crate::log::say!(Warn, "P004", "perf: {why}; that is tried again");
                }
                Err(why)
            }
        }
    }

    /// One that ended, or is ended, by what no group asked for.
    fn ended_alone(&self, child: Child, how: &str, when: &str) {
        self.died(child);
        let is_news = self.lock().ends.add((self.clock)());
        if is_news {
            crate::log::say!(Warn, "P003", "perf: the process that asks for performance counters {how} {when}");
        }
    }

    /// Ends one that does not answer as it should.
    fn died(&self, child: Child) {
        self.stats.perf_deaths.add(1);
        self.stats.perf_mem.forget();
        child.end(&self.endings);
    }

    /// Puts a process back that has answered, if it has not grown too large.
    fn keep(&self, child: Child, rss_bytes: Option<u64>) {
        self.stats.perf_mem.tell(rss_bytes.and_then(|bytes| i64::try_from(bytes).ok()));
        let first = child.first_rss_bytes.unwrap_or(0);
        let mut state = self.lock();
        let verdict = rss_bytes.map_or(Verdict::Stays, |bytes| state.weight.weigh(bytes, first, (self.clock)()));
        let limit_mb = self.memory_bytes / 1_000_000;
        let Verdict::Goes { is_news } = verdict else {
            state.child = Some(child);
            drop(state);
            if verdict == Verdict::StaysTooLarge {
                crate::log::say!(
                    Warn,
                    "P006",
                    "perf: the process that asks for performance counters needs more than perf.memory_mb ({limit_mb} MB) from its \
                     start; it is replaced every ten minutes at most"
                );
            }
            return;
        };
        drop(state);
        self.stats.perf_recycled.add(1);
        self.stats.perf_mem.forget();
        child.let_end(&self.endings);
        if is_news {
            crate::log::say!(
                Info,
                "P005",
                "perf: the process that asks for performance counters has come over perf.memory_mb ({limit_mb} MB); the next \
                 query has a new one"
            );
        }
    }

    /// Once for each service.
    fn tell_disabled(&self, services: &[String]) {
        for service in services.iter().take(MOST_DISABLED) {
            let service: String = service.chars().filter(|c| !c.is_control()).take(MOST_NAME).collect();
            let mut state = self.lock();
            let is_news = state.disabled.len() < MOST_DISABLED && state.disabled.insert(service.clone());
            drop(state);
            if is_news {
                crate::log::say!(
                    Warn,
                    "P008",
                    "perf: the counters of {service} are switched off (Disable Performance Counters in the registry); `lodctr \
                     /E:{service}` as administrator switches them on"
                );
            }
        }
    }

    /// Of the group that asked, and of no other.
    fn judge(&self, group: &str, is_good: bool) {
        let now = (self.clock)();
        let mut state = self.lock();
        if is_good {
            state.breakers.remove(group);
            return;
        }
        let pause = state.breakers.entry(group.to_owned()).or_default().fail(now);
        drop(state);
        if let Some(pause) = pause {
            let minutes = pause.as_secs() / 60;
            crate::log::say!(
                Warn,
                "P007",
                "perf: {group}: failed again and again; it is left alone for {minutes} minutes"
            );
        }
    }

    fn rest(&self, state: &mut State) {
        if let Some(child) = state.child.take() {
            self.stats.perf_mem.forget();
            child.let_end(&self.endings);
        }
    }
}

impl Source for Link {
    fn ask(&self, group: &str, objects: &[ObjectQuery]) -> Result<Tables, Refused> {
        match self.query(group, Query::Ask(objects.to_vec()))? {
            Reply::Tables(tables) => Ok(tables),
            Reply::Names(_) => Err(Refused::Failed(NOT_THIS.to_owned())),
        }
    }

    fn names(&self, group: &str, prefix: &str) -> Result<Vec<String>, Refused> {
        match self.query(group, Query::Names(prefix.to_owned()))? {
            Reply::Names(names) => Ok(names),
            Reply::Tables(_) => Err(Refused::Failed(NOT_THIS.to_owned())),
        }
    }

    fn opened(&self) {
        self.lock().open += 1;
    }

    /// A breaker outlives its group for a while: a collector that is opened again is not asked the sooner.
    fn closed(&self, _: &str) {
        let now = (self.clock)();
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        state.breakers.retain(|_, breaker| now.saturating_sub(breaker.failed()) <= 2 * LONGEST_PAUSE);
        // Within the lock: a group that is opened now has a process of its own.
        if state.open == 0 {
            self.rest(&mut state);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.rest(&mut self.lock());
    }
}

/// What was asked, in a line of the log.
struct About(Query);

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MOST: usize = 5;
        match &self.0 {
            Query::Names(prefix) => write!(f, "names ({prefix}*)"),
            Query::Ask(objects) => {
                let names: Vec<_> = objects.iter().take(MOST).map(|query| query.object.as_str()).collect();
                f.write_str(&names.join(", "))?;
                match objects.len().saturating_sub(MOST) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}
