//! Places for connections: a bounded number, and clients that idle never keep others out.
//!
//! When all places are taken, a newcomer gets that of a connection which waits for its client: first of those that have been
//! without a request for [`GRACE`], then of any, also in the middle of a body; among them of the client that holds most, then
//! of the one that has waited longest. Connections whose request the agent is working on are left alone. What is closed so
//! was not answered, so that nothing was promised to its client.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// For a newcomer to say what it wants. Were it the first to go, bodies that never end would leave all others one place.
const GRACE: Duration = Duration::from_secs(1);

/// Whom a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client, to send a whole request head.
    Idle,
    /// The client, to send a body.
    Reading,
    /// The agent.
    Working,
}

pub(super) struct Slots {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    next: u64,
    connections: BTreeMap<u64, Connection>,
    clients: HashMap<IpAddr, usize>,
}

struct Connection {
    client: IpAddr,
    stage: Stage,
    since: Instant,
    /// Dropped with the rest: the connection's task hears of it.
    _open: oneshot::Sender<()>,
}

/// A place that was got.
pub(super) struct Got {
    pub place: Place,
    /// Ends when the place was given to somebody else.
    pub closing: oneshot::Receiver<()>,
    /// Another connection was closed for it.
    pub evicted: bool,
}

/// Held while the connection lives.
pub(super) struct Place {
    slots: Arc<Slots>,
    id: u64,
}

impl Slots {
    pub fn new(most: usize) -> Arc<Slots> {
        Arc::new(Slots { most, held: Mutex::default() })
    }

    /// `None`: the agent works for all of them.
    pub fn take(self: &Arc<Slots>, client: IpAddr) -> Option<Got> {
        let mut held = self.lock();
        let evicted = held.connections.len() >= self.most;
        if evicted {
            let victim = held.victim()?;
            held.remove(victim);
        }
        let (open, closing) = oneshot::channel();
        let id = held.next;
        held.next += 1;
        *held.clients.entry(client).or_default() += 1;
        held.connections.insert(id, Connection { client, stage: Stage::Idle, since: Instant::now(), _open: open });
        drop(held);
        Some(Got { place: Place { slots: self.clone(), id }, closing, evicted })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn victim(&self) -> Option<u64> {
        let waits = self.connections.iter().filter(|(_, connection)| connection.stage != Stage::Working);
        let weight = |connection: &Connection| {
            let holds = self.clients.get(&connection.client).copied().unwrap_or(0);
            let idles = connection.stage == Stage::Idle && connection.since.elapsed() >= GRACE;
            (idles, holds, std::cmp::Reverse(connection.since))
        };
        // Of equal ones the last of an iterator counts, and ids grow.
        waits.rev().max_by_key(|(_, connection)| weight(connection)).map(|(id, _)| *id)
    }

    fn remove(&mut self, id: u64) {
        let Some(gone) = self.connections.remove(&id) else { return };
        if let Some(holds) = self.clients.get_mut(&gone.client) {
            *holds -= 1;
            if *holds == 0 {
                self.clients.remove(&gone.client);
            }
        }
    }
}

impl Place {
    pub fn set(&self, stage: Stage) {
        if let Some(connection) = self.slots.lock().connections.get_mut(&self.id) {
            (connection.stage, connection.since) = (stage, Instant::now());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slots.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))
    }

    fn take(slots: &Arc<Slots>, n: u8) -> Got {
        slots.take(client(n)).expect("a place")
    }

    fn is_open(got: &mut Got) -> bool {
        got.closing.try_recv() == Err(oneshot::error::TryRecvError::Empty)
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_gives_way() {
        let slots = Slots::new(3);
        let mut got: Vec<Got> = Vec::new();
        for n in 0..3 {
            got.push(take(&slots, n));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // The first asks for something and idles anew.
        got[0].place.set(Stage::Working);
        got[0].place.set(Stage::Idle);
        let newcomer = take(&slots, 9);
        assert!(newcomer.evicted);
        assert_eq!([0, 1, 2].map(|n| is_open(&mut got[n])), [true, false, true]);
        drop((newcomer, got));
        assert!(slots.lock().connections.is_empty() && slots.lock().clients.is_empty());
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_gives_way_and_work_does_not() {
        let slots = Slots::new(2);
        let (working, mut reading) = (take(&slots, 1), take(&slots, 2));
        working.place.set(Stage::Working);
        reading.place.set(Stage::Reading);
        let newcomer = take(&slots, 3);
        assert!(!is_open(&mut reading));
        newcomer.place.set(Stage::Working);
        assert!(slots.take(client(4)).is_none(), "the agent works for both");
        // A place that was given away is not given back a second time.
        drop(reading);
        assert!(slots.take(client(4)).is_none());
        drop(working);
        assert!(!take(&slots, 4).evicted);
    }

    /// With all places but one taken by slow bodies, each newcomer threw out the one before, who had not asked yet.
    #[tokio::test(start_paused = true)]
    async fn slow_bodies_do_not_leave_the_rest_one_place() {
        let slots = Slots::new(2);
        let mut slow = take(&slots, 1);
        slow.place.set(Stage::Reading);
        tokio::time::advance(Duration::from_millis(10)).await;
        let mut first = take(&slots, 1);
        let second = take(&slots, 1);
        assert!(second.evicted && is_open(&mut first) && !is_open(&mut slow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_holds_most_gives_way_first() {
        let slots = Slots::new(4);
        let mut modest = take(&slots, 1);
        tokio::time::advance(Duration::from_secs(60)).await;
        let mut greedy: Vec<Got> = (0..3).map(|_| take(&slots, 2)).collect();
        tokio::time::advance(GRACE).await;
        let _newcomer = take(&slots, 3);
        assert!(is_open(&mut modest) && !is_open(&mut greedy[0]) && is_open(&mut greedy[1]));
    }
}
