//! What is known of each address: which one to try next, and what `/health` shows, also while a call is in progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After this time an address that was down or slow may have become a better one.
const KNOWN: Duration = Duration::from_secs(300);

/// How an address answered last. In the order in which they are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Up,
    Untried,
    Slow,
    Down,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Untried => "not tried",
            State::Slow => "slow",
            State::Down => "down",
        }
    }
}

/// One address, as `/health` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddrState {
    /// `host:port`, as configured.
    pub addr: String,
    pub state: State,
    /// The last one; stays when the address has come back.
    pub error: Option<String>,
    /// How long it has been in this state.
    pub since: Duration,
    /// It answered the last call that was answered.
    pub used: bool,
}

struct Known {
    addr: String,
    state: State,
    error: Option<String>,
    since: Instant,
    /// When this was seen last.
    seen: Instant,
}

impl Known {
    fn is(&mut self, state: State) -> bool {
        let now = Instant::now();
        self.seen = now;
        let news = self.state != state;
        if news {
            (self.state, self.since) = (state, now);
        }
        news
    }
}

#[derive(Default)]
struct Inner {
    addrs: Vec<Known>,
    used: Option<usize>,
}

/// The states of all addresses of one kind of server; the first is the home. Clones show the same.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Inner>>);

impl Board {
    pub(super) fn new(addrs: Vec<String>) -> Board {
        let now = Instant::now();
        let known = |addr| Known { addr, state: State::Untried, error: None, since: now, seen: now };
        Board(Arc::new(Mutex::new(Inner { addrs: addrs.into_iter().map(known).collect(), used: None })))
    }

    pub fn states(&self) -> Vec<AddrState> {
        let inner = self.lock();
        let shown = inner.addrs.iter().enumerate().map(|(n, known)| AddrState {
            addr: known.addr.clone(),
            state: known.state,
            error: known.error.clone(),
            since: known.since.elapsed(),
            used: inner.used == Some(n),
        });
        shown.collect()
    }

    /// `true` when this is news.
    pub(super) fn failed(&self, n: usize, error: String) -> bool {
        self.lock().addrs.get_mut(n).is_some_and(|known| {
            known.error = Some(error);
            known.is(State::Down)
        })
    }

    /// What the state was, and which address answered before.
    pub(super) fn answered(&self, n: usize, state: State) -> (State, Option<usize>) {
        let mut inner = self.lock();
        let before = inner.used.replace(n);
        let Some(known) = inner.addrs.get_mut(n) else { return (state, before) };
        let was = known.state;
        known.is(state);
        (was, before)
    }

    pub(super) fn state(&self, n: usize) -> State {
        self.lock().addrs.get(n).map_or(State::Untried, |known| known.state)
    }

    /// The address to try after `n`: the best that was not tried, of equal ones the next; of those that are down the one
    /// that has been left alone longest.
    pub(super) fn next(&self, n: usize, tried: &[usize]) -> Option<usize> {
        let inner = self.lock();
        let rank = |&(place, known): &(usize, &Known)| {
            let failed = (known.state == State::Down).then_some(known.seen);
            (known.state.max(State::Untried), failed, inner.distance(n, place))
        };
        let open = inner.addrs.iter().enumerate().filter(|(place, _)| !tried.contains(place));
        open.min_by_key(rank).map(|(place, _)| place)
    }

    /// Another address than `n` that is not known to be down or slow.
    pub(super) fn better(&self, n: usize) -> Option<usize> {
        let inner = self.lock();
        let may_be = |&(place, known): &(usize, &Known)| {
            place != n && (known.state <= State::Untried || known.seen.elapsed() >= KNOWN)
        };
        let open = inner.addrs.iter().enumerate().filter(may_be);
        open.min_by_key(|&(place, known)| (known.state.max(State::Untried), inner.distance(n, place)))
            .map(|(place, _)| place)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn distance(&self, from: usize, to: usize) -> usize {
        (to + self.addrs.len()).saturating_sub(from) % self.addrs.len().max(1)
    }
}

/// Whether a server answers: tells changes apart from what was known, so that each is logged once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Health(Option<bool>);

impl Health {
    /// `true` when this is news.
    pub fn up(&mut self) -> bool {
        self.0.replace(true) != Some(true)
    }

    /// `true` when this is news.
    pub fn down(&mut self) -> bool {
        self.0.replace(false) != Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(count: usize) -> Board {
        Board::new((0..count).map(|n| n.to_string()).collect())
    }

    #[test]
    fn a_change_of_state_is_news_once() {
        let mut health = Health::default();
        assert!(health.up() && !health.up() && health.down() && !health.down() && health.up());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_down_comes_last_and_the_longest_alone_first() {
        let board = board(4);
        let after = async || tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(board.next(2, &[2]), Some(3));
        assert_eq!(board.next(3, &[2, 3]), Some(0));
        for n in [1, 0, 3] {
            assert!(board.failed(n, "e".to_owned()));
            assert!(!board.failed(n, "f".to_owned()));
            after().await;
        }
        assert_eq!(board.next(0, &[0]), Some(2));
        board.answered(2, State::Slow);
        assert_eq!(board.next(0, &[0]), Some(2));
        assert_eq!(board.next(2, &[2]), Some(1));
        assert_eq!(board.next(2, &[2, 1]), Some(0));
        assert_eq!(board.next(2, &[0, 1, 2, 3]), None);
        assert_eq!(Board::default().next(0, &[]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_shown_tells_since_when() {
        let board = board(2);
        board.failed(0, "no route".to_owned());
        board.answered(1, State::Up);
        tokio::time::advance(Duration::from_secs(5)).await;
        board.failed(0, "refused".to_owned());
        let expected = |n: usize, state, error: Option<&str>| AddrState {
            addr: n.to_string(),
            state,
            error: error.map(str::to_owned),
            since: Duration::from_secs(5),
            used: n == 1,
        };
        assert_eq!(board.states(), [expected(0, State::Down, Some("refused")), expected(1, State::Up, None)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_down_long_ago_may_be_better_than_what_is_slow() {
        let board = board(2);
        assert_eq!(board.better(0), Some(1));
        board.failed(1, "refused".to_owned());
        assert_eq!(board.better(0), None);
        tokio::time::advance(KNOWN).await;
        assert_eq!(board.better(0), Some(1));
    }
}
