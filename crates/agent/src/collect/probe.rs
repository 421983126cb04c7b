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
mod tests {
    use super::*;
    use crate::stats::Stats;
    use std::sync::{Barrier, mpsc};

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn an_address_is_split_at_its_port() {
        assert_eq!(split("db:3306"), ("db", 3306));
        assert_eq!(split("[::1]:53"), ("::1", 53));
        assert_eq!(split("[fe80::1%eth0]:80"), ("fe80::1%eth0", 80));
    }

    #[test]
    fn addresses_need_no_resolver_and_a_name_that_is_none_fails_alone() {
        let mut names = Names::new("test", Arc::<Stats>::default());
        let found = names.find(["127.0.0.1", "no..name", "::1", "127.0.0.1"].into_iter());
        let address = |ip: &str| Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)]);
        assert_eq!((&found[0], &found[2], &found[3]), (&address("127.0.0.1"), &address("::1"), &address("127.0.0.1")));
        assert!(
            matches!(&found[1], Err(Why::Failed(why)) if why.starts_with("its name is not resolved: ")),
            "{found:?}"
        );
        // What hangs has no answer either; what was not asked is another thing.
        let outcome = names.found(Outcome::Late { newly: true });
        assert!(matches!(outcome, Err(Why::Failed(_))) && names.stats.collect_hung.get() == 1);
        assert!(matches!(names.found(Outcome::NoThread("none".to_owned())), Err(Why::NotMade(_))));
    }

    #[test]
    fn so_many_are_made_at_once_and_no_more() {
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // None goes on before all that are at once have come.
        let together = Barrier::new(AT_ONCE);
        let numbers: Vec<usize> = (0..2 * AT_ONCE).collect();
        let answers = each(
            Instant::now() + LONG,
            &numbers,
            |_| Duration::ZERO,
            |number| {
                most.fetch_max(1 + inside.fetch_add(1, Relaxed), Relaxed);
                together.wait();
                inside.fetch_sub(1, Relaxed);
                Ok(*number)
            },
        );
        assert_eq!(answers, numbers.iter().map(|number| Ok(*number)).collect::<Vec<_>>());
        assert!(most.load(Relaxed) <= AT_ONCE);
    }

    #[test]
    fn what_would_end_too_late_is_not_begun() {
        let (begun, seen) = mpsc::channel();
        let end = Instant::now() + LONG / 2;
        let answers = each(
            end,
            &[LONG, Duration::ZERO],
            |longest| *longest,
            |_| {
                begun.send(()).unwrap();
                Ok(())
            },
        );
        assert!(matches!(&answers[0], Err(Why::NotMade(_))) && answers[1] == Ok(()), "{answers:?}");
        assert_eq!(seen.try_iter().count(), 1);
    }

    #[test]
    fn one_that_panics_costs_no_other_its_answer() {
        let odd = |number: &u32| if number % 2 == 1 { Ok(()) } else { panic!("on purpose") };
        let answers = each(Instant::now() + LONG, &[1, 2, 3], |_| Duration::ZERO, odd);
        assert_eq!(answers, [Ok(()), Err(not_made(DEFECT)), Ok(())]);
    }

    #[test]
    fn addresses_share_the_time_and_the_first_that_answers_counts() {
        let addresses: Vec<SocketAddr> = (1..=3).map(|n| SocketAddr::from(([127, 0, 0, n], 0))).collect();
        let answer = |n: u8| {
            first_of(&addresses, 80, LONG, |address, share| {
                assert!(address.port() == 80 && share <= LONG, "{address} {share:?}");
                match address {
                    SocketAddr::V4(v4) if v4.ip().octets()[3] == n => Ok(share),
                    SocketAddr::V4(v4) if v4.ip().octets()[3] == 1 => Err(Why::Failed("refused".to_owned())),
                    _ => Err(not_made("no descriptor")),
                }
            })
        };
        assert!(answer(1).is_ok_and(|share| share <= LONG / 3), "a third");
        assert!(answer(3).is_ok_and(|share| share > LONG / 2), "all that is left");
        assert_eq!(answer(9), Err(Why::Failed("127.0.0.1:80: refused".to_owned())));
    }

    #[test]
    fn what_is_asked_for_twice_is_one_series() {
        let checks = [("a", 1), ("b", 2), ("a", 3)];
        let probes = Probes::new(checks.into_iter().map(|check| (check, Tags::of(&[("host", check.0)]))));
        assert_eq!(probes.list.iter().map(|(check, _)| *check).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
        assert_eq!(probes.twice, [Tags::of(&[("host", "a")])]);
    }
}
