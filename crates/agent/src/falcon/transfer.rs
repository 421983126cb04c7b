//! Empties the queue into a transfer: one `Transfer.Update` in flight, in order, acknowledged before it is forgotten.
//!
//! * A block of the queue is cut into calls ([`calls`]); each is made until it is answered, and a call that was answered is
//!   never made again, whatever happens to the calls behind it. Frames are acknowledged as soon as they and all before them
//!   are answered whole; who leaves in the middle of a backlog, or for another sender ([`Leave`]), first brings its frames to
//!   such a point.
//! * Between two calls that continue a series lies `transfer.replay_pause`.
//! * What has waited on disk, or for long in memory, is a backlog. A call that fails costs its whole try, so after an outage
//!   the transfer is first asked for a `Transfer.Ping`; then [`replay`] says when and how fast. What is measured meanwhile
//!   queues up behind it.
//! * While all transfers are away nothing but this task waits.

mod calls;
mod replay;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{self, AddrState, Board, Health, Servers, random};
use super::rpc::{Error, TransferResponse, simple_response, transfer_response};
use crate::config::Transfer;
use crate::log::span;
use crate::queue::Queue;
use crate::stats::Stats;
use calls::{Item, Recent, Work};
use replay::{Rate, Replay};

/// Bytes taken from the queue at once.
const MAX_BLOCK: usize = 2 * 1024 * 1024;
/// So many points refused in a row, and none taken, are no bad points: this transfer takes none.
const MOST_REFUSED: usize = 20;

/// Whether a sender ends, and what it does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    Stay,
    /// Another sender goes on: no call is cut short, none is begun but to finish frames that were begun.
    EndEven,
    /// The agent ends: what is live is sent.
    SendAll,
}

/// The states of the transfers, for whoever looks from outside; a sender that is started again brings new ones.
#[derive(Default)]
pub struct Transfers(Mutex<Board>);

impl Transfers {
    pub fn states(&self) -> Vec<AddrState> {
        self.lock().states()
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Sender {
    queue: Arc<Queue>,
    stats: Arc<Stats>,
    servers: Servers,
    health: Health,
    /// The last call was not answered, or none was made yet.
    cut_off: bool,
    recent: Recent,
    told_invalid: bool,
    /// Points refused alone since the last call that was taken.
    refused: usize,
    /// Addresses that took none of so many: a point that one of them refuses is no bad point.
    doubted: Vec<String>,
    /// It was told that a transfer is there, and it took no call since.
    told_there: bool,
    delay: Duration,
    speed: u32,
    rate: Rate,
    replay: Option<Replay>,
    work: Option<Work>,
}

impl Sender {
    pub fn new(config: &Transfer, queue: Arc<Queue>, stats: Arc<Stats>) -> Sender {
        let servers =
            Servers::new_with(config.addrs.clone(), config.timeout, Box::new(connection::Transfers(stats.clone())));
        Sender::over(servers, config, queue, stats)
    }

    /// To servers that are there already.
    pub fn over(servers: Servers, config: &Transfer, queue: Arc<Queue>, stats: Arc<Stats>) -> Sender {
        // The sender before this one may have been stopped in the middle of a backlog.
        stats.replay_left.set(0);
        stats.replay_to_go_s.forget();
        let step = Duration::from_secs(u64::from(config.interval));
        Sender {
            rate: Rate::new(step, queue.came()),
            queue,
            servers,
            stats,
            health: Health::default(),
            cut_off: true,
            recent: Recent::new(Duration::from_millis(config.replay_pause)),
            told_invalid: false,
            refused: 0,
            doubted: Vec::new(),
            told_there: false,
            delay: Duration::from_secs(u64::from(config.replay_delay)),
            speed: config.replay_speed,
            replay: None,
            work: None,
        }
    }

    /// Lets others see how its transfers do.
    #[must_use]
    pub fn seen_by(self, transfers: &Transfers) -> Sender {
        *transfers.lock() = self.servers.board();
        self
    }

    /// Until it is to `leave`; at [`Leave::SendAll`] what is live is sent, until the queue is empty or no transfer takes it.
    /// What is being sent when this is dropped stays in the queue.
    pub async fn run(mut self, mut leave: watch::Receiver<Leave>) {
        loop {
            let Some(block) = self.next(&mut leave).await else { return };
            self.work = Some(block);
            while self.work.is_some() {
                if self.go_on(&mut leave).await {
                    continue;
                }
                if *leave.borrow() != Leave::Stay {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(self.servers.back_off()) => {}
                    () = leaves(&mut leave) => {}
                }
            }
        }
    }

    /// The next block of the queue; `None` when the agent leaves and there is nothing, or only what the next start can send
    /// as well.
    async fn next(&mut self, leave: &mut watch::Receiver<Leave>) -> Option<Work> {
        if *leave.borrow() == Leave::EndEven {
            return None;
        }
        let live = self.rate.look(self.queue.came());
        let bound = replay::bound(self.speed, live);
        let (items, fast) = match self.replay {
            Some(_) => (replay::block_items(bound), bound.is_none()),
            None => (super::wire::MAX_ITEMS, false),
        };
        let queue = self.queue.clone();
        let block = tokio::select! {
            biased;
            block = queue.peek(MAX_BLOCK, items) => block,
            () = leaves(leave) => return None,
        };
        if block.is_on_disk() && *leave.borrow() != Leave::Stay {
            return None;
        }
        if !block.is_backlog() {
            self.end_replay();
        }
        Some(Work::new(block, fast))
    }

    /// Makes the next call of the block at hand, or what comes before it; `false` when no transfer answers.
    async fn go_on(&mut self, leave: &mut watch::Receiver<Leave>) -> bool {
        if self.work.as_ref().is_some_and(|work| self.queue.is_purged(&work.block)) {
            self.work = None;
            return true;
        }
        let backlog = self.work.as_ref().is_some_and(|work| work.block.is_backlog()) || self.queue.has_backlog();
        if self.cut_off && backlog && self.replay.is_none() && *leave.borrow() == Leave::Stay {
            if !self.ping().await {
                return false;
            }
            self.begin_replay(leave).await;
        }
        if let Some(replay) = &self.replay {
            wait_until(replay.next(), leave).await;
        }
        let Some(work) = &mut self.work else { return true };
        let others_go_on = match *leave.borrow() {
            Leave::Stay => false,
            Leave::EndEven => true,
            // What is left of a backlog is there at the next start.
            Leave::SendAll => work.block.is_on_disk(),
        };
        if others_go_on && work.is_even() {
            self.work = None;
            return true;
        }
        let Some(call) = work.calls.pop_front() else {
            self.queue.acknowledge(&work.block);
            self.work = None;
            return true;
        };
        let free = self.recent.free(work.places(&call));
        if let Some(free) = free {
            tokio::time::sleep_until(free).await;
        }
        // Two transfers would let what each still holds overtake each other.
        self.servers.may_return(self.replay.is_none());
        match self.update(&call).await {
            Ok(response) => {
                self.answered();
                self.account(&response, &call);
                if let Some(work) = &self.work {
                    self.recent.sent(work.places(&call));
                }
                if let Some(replay) = &mut self.replay {
                    let live = self.rate.look(self.queue.came());
                    replay.answered(call.len(), replay::bound(self.speed, live));
                }
                self.done(&call);
                self.tell_replay();
                true
            }
            Err((addr, Error::Refused(why))) if call.len() == 1 && self.doubts(&addr) => {
                self.servers.pass_over(&Error::Refused(why.clone()));
                self.unanswered(&addr, &Error::Refused(why));
                self.put_back(call);
                false
            }
            Err((addr, Error::Refused(why))) => {
                if self.refused < MOST_REFUSED && !self.doubted.contains(&addr) {
                    self.answered();
                }
                self.narrow(call, &addr, &why);
                true
            }
            Err((addr, error)) => {
                self.unanswered(&addr, &error);
                self.put_back(call);
                self.tell_replay();
                false
            }
        }
    }

    /// Whether this address refuses whatever comes.
    fn doubts(&mut self, addr: &str) -> bool {
        let known = self.doubted.iter().any(|doubted| doubted == addr);
        if !known && self.refused >= MOST_REFUSED {
            self.doubted.push(addr.to_owned());
        }
        known || self.refused >= MOST_REFUSED
    }

    fn put_back(&mut self, call: Vec<Item>) {
        if let Some(work) = &mut self.work {
            work.calls.push_front(call);
        }
    }

    /// A call is over: its points were taken, or dropped. Forgets the frames that are over with it.
    fn done(&mut self, call: &[Item]) {
        let Some(work) = &mut self.work else { return };
        if let Some(frames) = work.done(call) {
            self.queue.acknowledge_first(&work.block, frames);
        }
        if work.calls.is_empty() {
            self.work = None;
        }
        if self.queue.items() == 0 {
            self.end_replay();
        }
    }

    async fn update(&mut self, call: &[Item]) -> Result<TransferResponse, (String, Error)> {
        let param = self.work.as_ref().map(|work| work.param(call)).unwrap_or_default();
        let param = &param;
        let in_doubt = self.refused >= MOST_REFUSED || !self.doubted.is_empty();
        self.servers
            .call_if(
                |result| !in_doubt || result.is_ok(),
                |mut client| async move {
                    let result = client.call("Transfer.Update", param, transfer_response).await;
                    (client, result)
                },
            )
            .await
    }

    /// Whether a transfer is there. One that does not know the question is asked for the real thing. An answer says nothing
    /// about the calls that matter: it ends no back-off.
    async fn ping(&mut self) -> bool {
        let answer = self
            .servers
            .call_if(
                |_| false,
                |mut client| async move {
                    let result = client.call("Transfer.Ping", &[b"{}"], simple_response).await;
                    (client, result)
                },
            )
            .await;
        match answer {
            Ok(_) | Err((_, Error::Refused(_) | Error::NoMethod(_))) => true,
            Err((addr, error)) => {
                self.unanswered(&addr, &error);
                false
            }
        }
    }

    /// A transfer could not read the call as a whole. Every half is tried, so that one bad item costs only itself.
    fn narrow(&mut self, mut call: Vec<Item>, addr: &str, why: &str) {
        let Some(work) = &mut self.work else { return };
        if let [item] = call.as_slice() {
            self.refused += 1;
            self.stats.invalid.add(1);
            if !std::mem::replace(&mut self.told_invalid, true) {
                let item = String::from_utf8_lossy(work.bytes(*item));
                crate::log::say!(Error, "T001", "transfer: {addr} refused a point and it was dropped: {why}: {item}");
            }
            self.done(&call);
            return;
        }
        let tail = call.split_off(call.len() / 2);
        work.calls.push_front(tail);
        work.calls.push_front(call);
    }

    fn answered(&mut self) {
        (self.cut_off, self.told_there) = (false, false);
        if self.health.up() {
            let waiting = self.queue.items();
            crate::log::say!(
                Info,
                "T002",
                "transfer: {} answers; {waiting} points are being sent",
                self.servers.addr()
            );
        }
    }

    fn unanswered(&mut self, addr: &str, error: &Error) {
        self.cut_off = true;
        if self.replay.take().is_some() {
            self.stats.replay_left.set(0);
            self.stats.replay_to_go_s.forget();
        }
        if self.health.down() {
            let hint = match error {
                Error::Refused(_) => ", and every point before",
                Error::NoMethod(_) => "; is this the port of a transfer (8433)?",
                _ => "",
            };
            crate::log::say!(Warn, "T003", "transfer: {addr}: {error}{hint}; points wait until a transfer answers");
        }
    }

    fn account(&mut self, response: &TransferResponse, call: &[Item]) {
        self.refused = 0;
        self.doubted.retain(|addr| addr != self.servers.addr());
        let items = call.len();
        let invalid = usize::try_from(response.invalid).unwrap_or(0).min(items);
        self.stats.sent.add(items - invalid);
        self.stats.invalid.add(invalid);
        let addr = self.servers.addr();
        if invalid > 0 && !std::mem::replace(&mut self.told_invalid, true) {
            let one = call.first().zip(self.work.as_ref()).map(|(item, work)| work.bytes(*item)).unwrap_or_default();
            let one = String::from_utf8_lossy(one);
            crate::log::say!(
                Warn,
                "T004",
                "transfer: {addr} counted {invalid} of {items} points as Invalid (told once); one of that call: {one}"
            );
        }
        let TransferResponse { message, latency_ms, .. } = response;
        crate::log::say!(
            Debug,
            "T005",
            "transfer: {addr}: {items} points, {invalid} Invalid, {message:?} after {latency_ms} ms"
        );
    }

    async fn begin_replay(&mut self, leave: &mut watch::Receiver<Leave>) {
        let waiting = self.queue.waiting();
        let most = self.delay.min(Duration::from_secs(waiting.age_s));
        let ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let delay = Duration::from_millis(random() % (ms + 1));
        if !std::mem::replace(&mut self.told_there, true) {
            crate::log::say!(
                Info,
                "T006",
                "transfer: {} is there; {} points wait, the oldest for {}; sending begins in {} s",
                self.servers.addr(),
                waiting.points(),
                span(waiting.age_s),
                delay.as_secs()
            );
        }
        self.stats.replay_left.set(waiting.points());
        wait_until(Instant::now() + delay, leave).await;
        self.replay = Some(Replay::start());
    }

    /// Once a minute.
    fn tell_replay(&mut self) {
        let Some(replay) = &mut self.replay else { return };
        let (left, took) = (self.queue.items(), replay.since.elapsed());
        self.stats.replay_left.set(left);
        // What is sent in a second is known when some were.
        let sent = f64::from(u32::try_from(replay.sent).unwrap_or(u32::MAX)) / took.as_secs_f64().max(1.0);
        let to_go = replay::to_go_s(left, sent, self.rate.look(self.queue.came()));
        match to_go {
            Some(seconds) => self.stats.replay_to_go_s.set(i64::try_from(seconds).unwrap_or(i64::MAX)),
            None => self.stats.replay_to_go_s.forget(),
        }
        if replay.told.elapsed() >= replay::TELL {
            replay.told = Instant::now();
            let to_go = to_go.map_or_else(|| "no end in sight at this speed".to_owned(), span);
            crate::log::say!(Info, "T007", "transfer: {left} points of the backlog are left; {to_go} to go");
        }
    }

    fn end_replay(&mut self) {
        if let Some(replay) = self.replay.take() {
            let (sent, took) = (replay.sent, span(replay.since.elapsed().as_secs()));
            crate::log::say!(Info, "T008", "transfer: the backlog is sent: {sent} points in {took}");
        }
        self.stats.replay_left.set(0);
        self.stats.replay_to_go_s.forget();
    }
}

/// Or until the agent leaves.
async fn wait_until(at: Instant, leave: &mut watch::Receiver<Leave>) {
    if at <= Instant::now() {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep_until(at) => {}
        () = leaves(leave) => {}
    }
}

/// Until the agent leaves. Where nobody is left to say so it never does: taken for a leave that [`watch::Receiver::borrow`]
/// does not show, it made waits end at once for ever.
async fn leaves(leave: &mut watch::Receiver<Leave>) {
    if leave.wait_for(|leave| *leave != Leave::Stay).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
