//! Names that are resolved, which may hang: side by side, on at most [`AT_ONCE`] threads, those among them that hang since an
//! earlier cycle. So an outage of the resolver costs that many threads and no more.
//!
//! A name that hung is left alone until it comes back, and then asked after the others. One that got no turn, or not for as long
//! as it should have, was not asked: nothing is known of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::{AT_ONCE, DEFECT, STACK, TOO_LATE, Why, not_made};
use crate::isolate::LEFT_ALONE;
use crate::stats::Stats;

/// What a name of a host has before it counts as not resolved.
const OWN: Duration = Duration::from_secs(2);
/// For all names of a cycle.
const NAMES: Duration = Duration::from_secs(4);

pub(in crate::collect) type Addresses = Vec<SocketAddr>;
pub(in crate::collect) type Ask = dyn Fn(&str) -> io::Result<Addresses> + Send + Sync;
type Answer = io::Result<Addresses>;

pub(in crate::collect) struct Resolver {
    name: &'static str,
    ask: Arc<Ask>,
    /// Names that have not come back, of whichever cycle.
    out: Arc<Mutex<BTreeSet<String>>>,
    /// Names that were late when last asked, from the first to the last.
    tardy: Vec<String>,
    stats: Arc<Stats>,
}

/// What a thread tells of a name, by its place.
enum Told {
    Begun(usize, Instant),
    /// `None`: it panicked.
    Back(usize, Option<Answer>, Duration),
}

/// Names of one cycle that wait for a turn.
type Queue = Arc<Mutex<VecDeque<(usize, String)>>>;

impl Resolver {
    /// `name`: of its threads.
    pub(in crate::collect) fn new(name: &'static str, stats: Arc<Stats>) -> Resolver {
        Resolver::asking(name, stats, Arc::new(|name| (name, 0).to_socket_addrs().map(Iterator::collect)))
    }

    pub(in crate::collect) fn asking(name: &'static str, stats: Arc<Stats>, ask: Arc<Ask>) -> Resolver {
        Resolver { name, ask, out: Arc::default(), tardy: Vec::new(), stats }
    }

    /// The addresses of each host, without a port, in the order in which the system would try them (RFC 6724).
    pub(in crate::collect) fn find<'a>(
        &mut self,
        hosts: impl Iterator<Item = &'a str> + Clone,
    ) -> Vec<Result<Addresses, Why>> {
        let is_name = |host: &&str| host.parse::<IpAddr>().is_err();
        let names: Vec<&str> = hosts.clone().filter(is_name).collect::<BTreeSet<_>>().into_iter().collect();
        let answers = self.resolve(&names, &|_| OWN, Instant::now() + NAMES);
        let unresolved = |why: &str| Why::Failed(format!("its name is not resolved: {why}"));
        let found: BTreeMap<&str, Result<Addresses, Why>> = names
            .into_iter()
            .zip(answers.into_iter().map(|answer| match answer {
                Ok((addresses, _)) if addresses.is_empty() => Err(unresolved("it has no address")),
                Ok((addresses, _)) => Ok(addresses),
                Err(Why::Failed(why)) => Err(unresolved(&why)),
                Err(why) => Err(why),
            }))
            .collect();
        let of = |host: &str| match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![SocketAddr::new(address, 0)]),
            Err(_) => found.get(host).cloned().unwrap_or_else(|| Err(not_made(DEFECT))),
        };
        hosts.map(of).collect()
    }

    /// What the system answers to each of these names, which differ, and how long that took. `own`: what the one at a place has
    /// to have before it is said not to answer.
    pub(in crate::collect) fn resolve(
        &mut self,
        names: &[&str],
        own: &dyn Fn(usize) -> Duration,
        end: Instant,
    ) -> Vec<Result<(Addresses, Duration), Why>> {
        let mut answers: Vec<Result<(Addresses, Duration), Why>> =
            names.iter().map(|_| Err(not_made(TOO_LATE))).collect();
        let mut set = |place: usize, answer| {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        };
        let out = held(&self.out).clone();
        let (hanging, mut asked): (Vec<_>, Vec<_>) =
            names.iter().enumerate().partition(|(_, name)| out.contains(**name));
        hanging.iter().for_each(|(place, _)| set(*place, Err(Why::Failed(LEFT_ALONE.to_owned()))));
        asked.sort_by_key(|(_, name)| self.tardy.iter().position(|other| other == *name).map(|place| place + 1));
        let mut left = asked.len();
        let queue: Queue =
            Arc::new(Mutex::new(asked.iter().map(|(place, name)| (*place, (**name).to_owned())).collect()));
        let (tell, told) = mpsc::channel();
        let threads = AT_ONCE.saturating_sub(out.len()).min(left);
        let mut refused = None;
        for _ in 0..threads {
            if let Err(error) = self.take_turns(&queue, &tell) {
                refused = Some(error);
                break;
            }
        }
        drop(tell);
        let mut begun = BTreeMap::new();
        // It ends early also where no thread is left to tell anything.
        while left > 0
            && let Ok(told) = told.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            match told {
                Told::Begun(place, at) => drop(begun.insert(place, at)),
                Told::Back(place, answer, took) => {
                    begun.remove(&place);
                    left -= 1;
                    let name = names.get(place).copied().unwrap_or_default();
                    self.tardy.retain(|other| other != name);
                    set(place, answer.map_or_else(|| Err(not_made(DEFECT)), |answer| of(answer, took)));
                }
            }
        }
        held(&queue).clear();
        let now = Instant::now();
        for (place, at) in &begun {
            let name = names.get(*place).copied().unwrap_or_default();
            self.tardy.retain(|other| other != name);
            self.tardy.push(name.to_owned());
            if now.saturating_duration_since(*at) >= own(*place) {
                self.stats.collect_hung.add(1);
                set(*place, Err(Why::Failed(LEFT_ALONE.to_owned())));
            }
        }
        // Where there was no thread at all, that is the reason.
        if let Some(error) = refused.filter(|_| begun.is_empty()) {
            for answer in answers.iter_mut().filter(|answer| **answer == Err(not_made(TOO_LATE))) {
                *answer = Err(Why::NotMade(format!("no thread to resolve its name: {error}")));
            }
        }
        answers
    }

    /// On a thread of its own, which ends with the queue.
    fn take_turns(&self, queue: &Queue, tell: &Sender<Told>) -> io::Result<()> {
        let (queue, tell, out, ask) = (queue.clone(), tell.clone(), self.out.clone(), self.ask.clone());
        let turns = move || {
            loop {
                let (place, name) = {
                    let mut queue = held(&queue);
                    let Some(next) = queue.pop_front() else { return };
                    // Before whoever empties the queue goes on.
                    held(&out).insert(next.1.clone());
                    next
                };
                let began = Instant::now();
                // A send fails only when nobody waits any more: then the answer is of no use.
                let _ = tell.send(Told::Begun(place, began));
                let answer = catch_unwind(AssertUnwindSafe(|| ask(&name))).ok();
                let took = began.elapsed();
                held(&out).remove(&name);
                let _ = tell.send(Told::Back(place, answer, took));
            }
        };
        Builder::new().name(self.name.to_owned()).stack_size(STACK).spawn(turns).map(drop)
    }
}

fn of(answer: Answer, took: Duration) -> Result<(Addresses, Duration), Why> {
    answer.map(|addresses| (addresses, took)).map_err(|error| Why::of(&error))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
