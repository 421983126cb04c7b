//! Connections to servers of which several addresses are known: fail-over, the way back, back-off, and the deadline of a call.
//!
//! An address that failed is passed over while another answers; when all have failed all are tried. One that is slow twice
//! in a row is left for another. The address that an agent started at is its home: it is returned to when it can be
//! reached, but not while a backlog drains, which two servers would hand on in another order ([`Servers::may_return`]).
//!
//! No cycle of 60 s is lost over addresses that fail: a try costs at most 10 s to dial, with its name, and 10 s to call (by
//! default 1 s and 10 s; where packets are dropped 1 s, where the port is closed nothing). A round begins no try after its
//! first 30 s, so it ends within 50 s, and after a pause of at most 1 s (the first; 30 s when nothing has answered for
//! longer) the next round begins with those that were not tried. Two addresses of the worst kind before a good one cost 41 s.

mod dial;
mod health;
mod home;
mod names;
mod watch;

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use self::dial::Dialler;
pub use self::dial::{Connect, Connecting, Io, Stream, tcp};
pub use self::health::{AddrState, Board, Health, State};
use self::home::Home;
pub(crate) use self::names::Names;
pub use self::watch::{Named, Transfers, Watch};
use super::rpc::{Client, Error};

/// A call that takes longer has failed.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// First and longest pause after every address failed.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// No other address is tried after this part of a round.
const TRIES: Duration = Duration::from_secs(30);
/// An answer that takes longer is slow: a healthy transfer answers in milliseconds, a busy one within a second.
const SLOW: Duration = Duration::from_secs(3);
/// Slow answers in a row after which the address is slow; as many quick ones end it.
const SLOW_ANSWERS: u8 = 2;

pub type Connection = Client<Stream>;

/// One kind of server (transfer, hbs) and the connection to the address in use.
pub struct Servers {
    addrs: Vec<String>,
    /// Of the address in use, or to be tried next. The first is the home.
    current: usize,
    open: Option<Connection>,
    dialler: Arc<Dialler>,
    board: Board,
    home: Home,
    may_return: bool,
    /// Of the address in use: up to [`SLOW_ANSWERS`].
    slow: u8,
    /// Why the next call goes to another address. Not earlier: the caller asks who answered the last one.
    leave: Option<String>,
    pause: Duration,
    watch: Box<dyn Watch>,
    /// Addresses that were left since the last line of the log, and why.
    news: Vec<(String, String)>,
    /// No address answered in the last round: the caller has told so.
    all_failed: bool,
}

impl Servers {
    /// Starts at a random address, so that a fleet spreads over the transfers; `watch` is told how they do. `dial_timeout_ms`
    /// 0: none of its own.
    pub fn new_with(mut addrs: Vec<String>, dial_timeout_ms: u64, watch: Box<dyn Watch>) -> Servers {
        // Not only the first one: those who leave a dead transfer spread over all others.
        for end in (1..addrs.len()).rev() {
            addrs.swap(end, usize::try_from(random() % 1024).unwrap_or(0) % (end + 1));
        }
        Servers::in_order(addrs, Dialler::of_system(dial_timeout_ms), watch)
    }

    /// Over connections that `connect` makes, for whoever brings servers of another kind.
    pub fn over(addrs: Vec<String>, connect: Connect, watch: Box<dyn Watch>) -> Servers {
        Servers::in_order(addrs, Dialler::with(Names::of_system(), connect, 0), watch)
    }

    fn in_order(addrs: Vec<String>, dialler: Dialler, watch: Box<dyn Watch>) -> Servers {
        Servers {
            current: 0,
            open: None,
            dialler: Arc::new(dialler),
            board: Board::new(addrs.clone()),
            home: Home::new(),
            may_return: true,
            slow: 0,
            leave: None,
            pause: BACK_OFF.0,
            watch,
            news: Vec::new(),
            all_failed: false,
            addrs,
        }
    }

    /// The address in use, or tried next.
    pub fn addr(&self) -> &str {
        self.addrs.get(self.current).map_or("", String::as_str)
    }

    /// What is known of each address, also while a call is in progress.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Whether an address that answers may be left for a better one: not while a backlog drains.
    pub fn may_return(&mut self, may: bool) {
        self.may_return = may;
    }

    /// Makes one call, on the open connection or a new one; tries each address once before it fails. A refusal is an
    /// answer and does not change the address, but a server that does not know the call is passed over like a dead one.
    /// `call` may be made several times.
    pub async fn call<T, F>(&mut self, call: impl FnMut(Connection) -> F) -> Result<T, (String, Error)>
    where
        F: Future<Output = (Connection, Result<T, Error>)>,
    {
        self.call_if(|_| true, call).await
    }

    /// The same; only an answer that `counts` tells that the address is well: others end no back-off and are told nobody.
    pub async fn call_if<T, F>(
        &mut self,
        counts: impl Fn(&Result<T, Error>) -> bool,
        mut call: impl FnMut(Connection) -> F,
    ) -> Result<T, (String, Error)>
    where
        F: Future<Output = (Connection, Result<T, Error>)>,
    {
        self.leave_slow();
        self.look_home();
        let start = Instant::now();
        let mut tried = Vec::new();
        loop {
            if self.addrs.is_empty() {
                return Err((String::new(), Error::Protocol("no address is configured".to_owned())));
            }
            let (error, stale) = match self.connection().await {
                Err(error) => (error, false),
                Ok((client, reused)) => {
                    let called = Instant::now();
                    match timeout(CALL_DEADLINE, call(client)).await {
                        Ok((client, result @ (Ok(_) | Err(Error::Refused(_))))) => {
                            let addr = self.addr().to_owned();
                            if counts(&result) {
                                self.answered(client, called.elapsed());
                            } else {
                                self.open = Some(client);
                            }
                            return result.map_err(|error| (addr, error));
                        }
                        // A server that restarted since the last call shows it only now: its address deserves a fresh
                        // connection.
                        Ok((_, Err(error))) => {
                            let stale = reused && !matches!(error, Error::NoMethod(_));
                            (error, stale)
                        }
                        Err(_) => (Error::Timeout(CALL_DEADLINE.as_secs()), false),
                    }
                }
            };
            if stale {
                continue;
            }
            let addr = self.addr().to_owned();
            tried.push(self.current);
            if !self.failed(&error, &tried) || start.elapsed() >= TRIES {
                self.round_failed(&addr);
                return Err((addr, error));
            }
        }
    }

    /// The address in use answers, but nothing that is of use: the next call goes to another one where there is one.
    pub fn pass_over(&mut self, why: &Error) {
        let addr = self.addr().to_owned();
        self.failed(why, &[]);
        self.round_failed(&addr);
    }

    /// How long to wait after every address failed: doubling, with jitter so that a fleet does not come back at once.
    pub fn back_off(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(BACK_OFF.1);
        jittered(pause)
    }

    /// To the address in use, and whether it has served before.
    async fn connection(&mut self) -> Result<(Connection, bool), Error> {
        match self.open.take() {
            Some(client) => Ok((client, true)),
            None => Ok((Client::new(self.dialler.dial(self.addr()).await?), false)),
        }
    }

    fn look_home(&mut self) {
        let Some(addr) = self.addrs.first().filter(|_| self.current != 0) else { return };
        if !self.may_return {
            self.home.stay_away();
            return;
        }
        match self.home.look(&self.dialler, addr) {
            Some(Ok(stream)) => {
                self.go(0);
                self.open = Some(Client::new(stream));
            }
            Some(Err(error)) => {
                self.board.failed(0, error.to_string());
            }
            None => {}
        }
    }

    /// Closes the connection in use; the next call goes to address `n`.
    fn go(&mut self, n: usize) {
        if self.current == 0 && n != 0 {
            self.home.left();
        }
        (self.current, self.open, self.slow) = (n, None, 0);
    }

    fn answered(&mut self, client: Connection, took: Duration) {
        self.open = Some(client);
        self.pause = BACK_OFF.0;
        if self.current == 0 {
            self.home.answered();
            self.home.stay_away();
        }
        self.slow = if took > SLOW { SLOW_ANSWERS.min(self.slow + 1) } else { self.slow.saturating_sub(1) };
        let state = match (self.slow, self.board.state(self.current)) {
            (1, State::Slow) | (SLOW_ANSWERS.., _) => State::Slow,
            _ => State::Up,
        };
        let (was, before) = self.board.answered(self.current, state);
        let switched = before.is_some_and(|before| before != self.current);
        self.watch.up(true);
        self.watch.took(took);
        if switched {
            self.watch.switched();
        }
        self.tell_answer(switched, was, state);
        self.all_failed = false;
        if state == State::Slow {
            let text = format!("answers take {:.1} s", took.as_secs_f64());
            if took > SLOW && self.may_return && self.board.better(self.current).is_some() {
                self.leave = Some(text);
            } else if was != State::Slow {
                self.watch.changed(false, &format!("{}: {text}", self.addr()));
            }
        }
    }

    fn leave_slow(&mut self) {
        let Some(why) = self.leave.take().filter(|_| self.may_return) else { return };
        if let Some(other) = self.board.better(self.current) {
            self.news.push((self.addr().to_owned(), why));
            self.go(other);
        }
    }

    fn tell_answer(&mut self, switched: bool, was: State, state: State) {
        let addr = self.addr();
        if !self.news.is_empty() {
            self.watch.changed(false, &format!("{}; {addr} is used", told(&self.news)));
            self.news.clear();
        } else if switched && self.current == 0 {
            self.watch.changed(true, &format!("{addr} answers again and is used"));
        } else if switched && !self.all_failed {
            self.watch.changed(true, &format!("{addr} is used"));
        } else if !switched && (was, state) == (State::Slow, State::Up) {
            self.watch.changed(true, &format!("{addr} answers in time again"));
        }
    }

    /// Goes to another address; `false` when all were tried.
    fn failed(&mut self, error: &Error, tried: &[usize]) -> bool {
        let text = error.to_string();
        if self.board.failed(self.current, text.clone()) {
            self.news.push((self.addr().to_owned(), text));
        }
        let other = self.board.next(self.current, tried);
        if let Some(next) = other.or_else(|| self.board.next(self.current, &[])) {
            self.go(next);
        }
        other.is_some()
    }

    /// `last`: the address whose error the caller gets.
    fn round_failed(&mut self, last: &str) {
        self.watch.up(false);
        let is_first = !std::mem::replace(&mut self.all_failed, true);
        // The caller tells of this one, and that all failed, once.
        if is_first && self.news.last().is_some_and(|(addr, _)| addr == last) {
            self.news.pop();
        }
        if !self.news.is_empty() {
            self.watch.changed(true, &told(&self.news));
            self.news.clear();
        }
    }
}

fn told(news: &[(String, String)]) -> String {
    news.iter().map(|(addr, why)| format!("{addr}: {why}")).collect::<Vec<_>>().join("; ")
}

/// Half of `pause` to all of it.
fn jittered(pause: Duration) -> Duration {
    let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(2);
    Duration::from_millis(ms / 2 + random() % (ms / 2 + 1))
}

/// A number that differs from process to process and from call to call; for jitter, not for secrets.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests;
