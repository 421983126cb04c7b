//! The servers that the system itself is set to (Windows): those of the Windows Time service, and in a domain its controller.
//!
//! To find a controller may take as long as the network likes: it is looked for on a thread that may be lost, anew every ten
//! minutes. Until then the servers that were known before are asked.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::isolate::{Outcome, Single};
use crate::stats::Stats;

/// How often they are looked for.
const LIST_AGAIN: Duration = Duration::from_secs(600);
/// With the deadline of the servers it stays within what a lane gives a collector.
const DEADLINE: Duration = Duration::from_secs(2);
/// Of NTP, for the servers of Windows Time, which are names alone.
const PORT: u16 = 123;

type List = io::Result<Vec<String>>;

pub struct Servers {
    ask: Arc<dyn Fn() -> List + Send + Sync>,
    lists: Single<List>,
    /// Not asked before.
    again: Option<Instant>,
    problem: Option<String>,
}

impl Servers {
    pub fn of_system() -> Servers {
        Servers::asking(Arc::new(falcon_sys::ntp_servers))
    }

    pub(super) fn asking(ask: Arc<dyn Fn() -> List + Send + Sync>) -> Servers {
        Servers { ask, lists: Single::new("ntp-servers"), again: None, problem: None }
    }

    /// The addresses of a new list, if one came.
    pub fn list(&mut self, now: Instant, stats: &Stats) -> Option<Vec<String>> {
        self.list_within(DEADLINE, now, stats)
    }

    fn list_within(&mut self, deadline: Duration, now: Instant, stats: &Stats) -> Option<Vec<String>> {
        if self.again.is_some_and(|again| now < again) {
            return None;
        }
        let ask = self.ask.clone();
        let outcome = self.lists.ask(move || ask(), deadline);
        // A late list is taken when it comes.
        let is_late = matches!(outcome, Outcome::Late { .. });
        match outcome.answer("not found in time", &stats.collect_hung) {
            Ok(names) => {
                (self.again, self.problem) = (now.checked_add(LIST_AGAIN), None);
                Some(names.iter().map(|name| with_port(name)).collect())
            }
            Err(why) => {
                if !is_late {
                    self.again = now.checked_add(LIST_AGAIN);
                }
                self.problem = Some(why.to_string());
                None
            }
        }
    }

    /// Why there is no new list.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

fn with_port(name: &str) -> String {
    if name.contains(':') { format!("[{name}]:{PORT}") } else { format!("{name}:{PORT}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Mutex, mpsc};

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn servers_of_windows_time_are_names_alone() {
        assert_eq!(with_port("time.windows.com"), "time.windows.com:123");
        assert_eq!(with_port("10.0.0.1"), "10.0.0.1:123");
        assert_eq!(with_port("fd00::1"), "[fd00::1]:123");
        assert!(with_port("fd00::1").parse::<SocketAddr>().is_ok());
    }

    #[test]
    fn they_are_looked_for_every_ten_minutes_and_a_failure_is_told_until_then() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let ask = move || match count.fetch_add(1, Relaxed) {
            1 => Err(io::Error::other("no domain")),
            n => Ok(vec![format!("dc{n}")]),
        };
        let (mut servers, stats, start) = (Servers::asking(Arc::new(ask)), Stats::default(), Instant::now());
        let mut at = |seconds| {
            let list = servers.list_within(LONG, start + Duration::from_secs(seconds), &stats);
            (list.map(|list| list.join(" ")), servers.problem().map(str::to_owned), asked.load(Relaxed))
        };
        assert_eq!(at(0), (Some("dc0:123".into()), None, 1));
        assert_eq!(at(599), (None, None, 1));
        assert_eq!(at(600), (None, Some("no domain".into()), 2));
        assert_eq!(at(660), (None, Some("no domain".into()), 2));
        assert_eq!(at(1200), (Some("dc2:123".into()), None, 3));
    }

    /// A controller that cannot be reached held the thread on which every cycle begins.
    #[test]
    fn a_controller_that_is_found_late_is_taken_when_it_is() {
        let (release, held) = mpsc::channel();
        let held = Mutex::new(held);
        let ask = move || held.lock().unwrap().recv().map_err(io::Error::other);
        let (mut servers, stats, now) = (Servers::asking(Arc::new(ask)), Stats::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(servers.list_within(Duration::ZERO, now, &stats), None);
            assert_eq!((servers.problem(), stats.collect_hung.get()), (Some("not found in time"), 1));
        }
        release.send(vec!["dc1".to_owned()]).unwrap();
        let list = loop {
            match servers.list_within(Duration::ZERO, now, &stats) {
                Some(list) => break list,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!((list, servers.problem()), (vec!["dc1:123".to_owned()], None));
    }
}
