//! What `ping`, `tcp` and `dns` share: names that are resolved, and turns.
//!
//! Resolving a name may hang, so it is done on threads that may be lost ([`Resolver`]). What is asked of addresses ends by
//! itself, at its own timeout; it is done on at most [`AT_ONCE`] threads, which are gone when the cycle is. A probe that was made
//! and failed says so by its value; one that was not made says nothing.

mod resolve;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{Builder, scope};
use std::time::{Duration, Instant};

use falcon_sys::lacks_means;

use super::Cx;
use crate::model::{Metric, Tags};
pub(super) use resolve::Resolver;

/// Probes at the same time, and names of one resolver.
pub(super) const AT_ONCE: usize = 16;
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
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, OutOfMemory, WouldBlock};
        // What a firewall of this host denies is an answer too.
        if matches!(error.kind(), AddrInUse | AddrNotAvailable | OutOfMemory | WouldBlock) || lacks_means(error) {
            Why::NotMade(error.to_string())
        } else {
            Why::Failed(error.to_string())
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Why::Failed(why) | Why::NotMade(why) => why,
        }
    }
}

/// Why each of several addresses has no answer, in words that stay the same where their order changes.
#[derive(Default)]
pub(super) struct Whys {
    failed: BTreeSet<String>,
    not_made: BTreeSet<String>,
}

impl Whys {
    pub(super) fn add(&mut self, why: Why) {
        match why {
            Why::Failed(why) => self.failed.insert(why),
            Why::NotMade(why) => self.not_made.insert(why),
        };
    }

    /// What the network said counts more than what this host could not do. `nothing` was said by any: then it is that.
    pub(super) fn all(self, nothing: &str) -> Why {
        let joined = |whys: BTreeSet<String>| whys.into_iter().collect::<Vec<_>>().join("; ");
        if !self.failed.is_empty() {
            Why::Failed(joined(self.failed))
        } else if !self.not_made.is_empty() {
            Why::NotMade(joined(self.not_made))
        } else {
            Why::Failed(nothing.to_owned())
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
                Err(not_made(TOO_LATE))
            };
            answers.push((place, answer));
        }
    };
    let mut all: Vec<Result<T, Why>> = probes.iter().map(|_| Err(not_made(DEFECT))).collect();
    scope(|scope| {
        // This thread takes turns too: where the system gives no more of them, it does it alone.
        let more = (1..AT_ONCE.min(probes.len())).map_while(|_| {
            Builder::new().name("probe".to_owned()).stack_size(STACK).spawn_scoped(scope, take_turns).ok()
        });
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
    let mut whys = Whys::default();
    for (n, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        let share = wait.saturating_sub(started.elapsed()) / others;
        if share.is_zero() {
            break;
        }
        let mut address = *address;
        address.set_port(port);
        match ask(address, share) {
            Ok(answer) => return Ok(answer),
            Err(why) => whys.add(why),
        }
    }
    Err(whys.all("no answer in time"))
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
const TOO_LATE: &str = "others took all the time";

fn not_made(why: &str) -> Why {
    Why::NotMade(why.to_owned())
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests;
