//! What `ping`, `tcp` and `dns` share: names that are resolved, and turns.
//!
//! Resolving a name may hang, so it is done on a thread that may be lost ([`Isolated`]). What is asked of addresses ends by
//! itself, at its own timeout; it is done on at most [`AT_ONCE`] threads, which are gone when the cycle is. A probe that was made
//! and failed says so by its value; one that was not made says nothing.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{Builder, scope};
use std::time::{Duration, Instant};

use super::Cx;
use crate::isolate::{Isolated, LEFT_ALONE, Outcome};
use crate::model::{Metric, Tags};
use crate::stats::Stats;

/// Probes at the same time.
const AT_ONCE: usize = 16;
/// A resolver slower than this no longer holds up the other names.
const PATIENCE: Duration = Duration::from_millis(200);
/// For all names of a cycle.
const NAMES: Duration = Duration::from_secs(4);
/// For all that one collector does in a cycle: names, and after them the longest probe that a configuration may ask for.
const CYCLE: Duration = Duration::from_secs(17);
/// One of the three collectors is through within it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(CYCLE.as_secs() + 2);
/// That of [`crate::isolate::Worker`].
const STACK: usize = 512 * 1024;

/// Why a probe has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It was made.
    Failed(String),
    /// This host could not make it, or not in time.
    NotMade(String),
}

impl Why {
    /// Of an error of the system: whether it tells of the network, or of this host alone.
    pub(super) fn of(error: &io::Error) -> Why {
        use io::ErrorKind::{
            AddrNotAvailable, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
            NetworkUnreachable, PermissionDenied, TimedOut,
        };
        match error.kind() {
            // A firewall of this host denies.
            AddrNotAvailable | ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable
            | NetworkDown | NetworkUnreachable | PermissionDenied | TimedOut => Why::Failed(error.to_string()),
            _ => Why::NotMade(error.to_string()),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Why::Failed(why) | Why::NotMade(why) => why,
        }
    }
}

/// Checks with the tags of their series, each series once.
pub(super) struct Probes<C> {
    pub(super) list: Vec<(C, Tags)>,
    /// Tags of those that are left out.
    twice: Vec<Tags>,
}

impl<C> Probes<C> {
    pub(super) fn new(checks: impl Iterator<Item = (C, Tags)>) -> Probes<C> {
        let mut probes = Probes { list: Vec::new(), twice: Vec::new() };
        for (check, tags) in checks {
            if probes.list.iter().any(|(_, other)| *other == tags) {
                probes.twice.push(tags);
            } else {
                probes.list.push((check, tags));
            }
        }
        probes
    }

    pub(super) fn remark(&self, cx: &mut Cx<'_>) {
        for tags in &self.twice {
            cx.remark(tags.as_str(), "asked for twice, with other numbers; the first counts");
        }
    }
}

/// Host and port of `host:port`; an IPv6 address without its brackets.
pub(super) fn split(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port.parse().unwrap_or(0))
}

type Addresses = Vec<SocketAddr>;

pub(super) struct Names {
    asks: Isolated<io::Result<Addresses>>,
    stats: Arc<Stats>,
}

impl Names {
    pub(super) fn new(name: &'static str, stats: Arc<Stats>) -> Names {
        Names { asks: Isolated::new(name), stats }
    }

    /// The addresses of each host, without a port, in the order in which the system would try them (RFC 6724).
    pub(super) fn find<'a>(&mut self, hosts: impl Iterator<Item = &'a str> + Clone) -> Vec<Result<Addresses, Why>> {
        let is_name = |host: &&str| host.parse::<IpAddr>().is_err();
        let names: BTreeSet<&str> = hosts.clone().filter(is_name).collect();
        let jobs = names.iter().map(|name| {
            let host = (*name).to_owned();
            (host.clone(), move || (host.as_str(), 0).to_socket_addrs().map(Iterator::collect))
        });
        let answers = self.asks.run_all(jobs.collect(), PATIENCE, NAMES);
        let found: Vec<(String, Result<Addresses, Why>)> =
            answers.into_iter().map(|(name, outcome)| (name, self.found(outcome))).collect();
        let of = |host: &str| match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![SocketAddr::new(address, 0)]),
            Err(_) => found.iter().find(|(name, _)| name == host).map_or(Ok(Vec::new()), |(_, found)| found.clone()),
        };
        hosts.map(of).collect()
    }

    fn found(&self, outcome: Outcome<io::Result<Addresses>>) -> Result<Addresses, Why> {
        let unresolved = |why: &dyn std::fmt::Display| Why::Failed(format!("its name is not resolved: {why}"));
        match outcome {
            Outcome::Done(Ok(addresses)) if addresses.is_empty() => Err(unresolved(&"it has no address")),
            Outcome::Done(Ok(addresses)) => Ok(addresses),
            Outcome::Done(Err(error)) => Err(unresolved(&error)),
            late @ Outcome::Late { .. } => {
                late.answer(LEFT_ALONE, &self.stats.collect_hung).map_err(|error| unresolved(&error))
            }
            other => {
                other.answer(LEFT_ALONE, &self.stats.collect_hung).map_err(|error| Why::NotMade(error.to_string()))
            }
        }
    }
}

/// When a cycle that begins now has to be through.
pub(super) fn end() -> Instant {
    Instant::now() + CYCLE
}

/// Makes every probe, in their order, and answers in it. One that may take `longest` begins only where that is before `end`.
pub(super) fn each<P: Sync, T: Send>(
    end: Instant,
    probes: &[P],
    longest: impl Fn(&P) -> Duration + Sync,
    make: impl Fn(&P) -> Result<T, Why> + Sync,
) -> Vec<Result<T, Why>> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut answers = Vec::new();
        loop {
            let place = next.fetch_add(1, Relaxed);
            let Some(probe) = probes.get(place) else { return answers };
            let in_time = Instant::now() + longest(probe) <= end;
            let answer = if in_time {
                catch_unwind(AssertUnwindSafe(|| make(probe))).unwrap_or_else(|_| Err(not_made(DEFECT)))
            } else {
                Err(not_made("others took all the time"))
            };
            answers.push((place, answer));
        }
    };
    let mut all: Vec<Result<T, Why>> = probes.iter().map(|_| Err(not_made(DEFECT))).collect();
    scope(|scope| {
        // This thread takes turns too: where the system gives no more of them, it does it alone.
        let more = (1..AT_ONCE.min(probes.len()))
            .map_while(|_| Builder::new().stack_size(STACK).spawn_scoped(scope, take_turns).ok());
        let more: Vec<_> = more.collect();
        let mut answers = take_turns();
        for thread in more {
            answers.extend(thread.join().unwrap_or_default());
        }
        for (place, answer) in answers {
            if let Some(slot) = all.get_mut(place) {
                *slot = answer;
            }
        }
    });
    all
}

/// Asks a host's addresses in turn, each for an equal share of what is left of the time, until one answers.
pub(super) fn first_of<T>(
    addresses: &[SocketAddr],
    port: u16,
    wait: Duration,
    ask: impl Fn(SocketAddr, Duration) -> Result<T, Why>,
) -> Result<T, Why> {
    let started = Instant::now();
    let mut failed = None;
    for (n, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        let share = wait.saturating_sub(started.elapsed()) / others;
        if share.is_zero() {
            break;
        }
        let mut address = *address;
        address.set_port(port);
        let why = match ask(address, share) {
            Ok(answer) => return Ok(answer),
            Err(why) if addresses.len() == 1 => why,
            Err(Why::Failed(why)) => Why::Failed(format!("{address}: {why}")),
            Err(Why::NotMade(why)) => Why::NotMade(format!("{address}: {why}")),
        };
        // What the network said counts more than what this host could not do.
        if !matches!((&failed, &why), (Some(Why::Failed(_)), Why::NotMade(_))) {
            failed = Some(why);
        }
    }
    Err(failed.unwrap_or_else(|| Why::Failed("no answer in time".to_owned())))
}

/// Says of one probe whether it was answered and how soon, and why not.
pub(super) fn report(
    cx: &mut Cx<'_>,
    (up, time): (&'static Metric, &'static Metric),
    tags: &Tags,
    what: &str,
    answer: Result<Duration, Why>,
) {
    match answer {
        Ok(took) => {
            cx.emit(up, tags, 1.0);
            cx.emit(time, tags, ms(took));
        }
        Err(why) => {
            if matches!(why, Why::Failed(_)) {
                cx.emit(up, tags, 0.0);
            }
            cx.problem(what, why.text());
        }
    }
}

const DEFECT: &str = "failed by a defect";

fn not_made(why: &str) -> Why {
    Why::NotMade(why.to_owned())
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests;
