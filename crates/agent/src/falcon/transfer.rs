//! Empties the queue into a transfer: one `Transfer.Update` in flight, in order, acknowledged before it is forgotten.
//!
//! While all transfers are away nothing but this task waits. A backlog goes oldest first, with a pause between two calls
//! that continue the same series: the transfers hand points on in parallel and would let the second overtake the first.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Health, Servers};
use super::rpc::{Error, TransferResponse, transfer_response};
use super::wire::Frame;
use crate::config::Transfer;
use crate::queue::{Batch, Queue};
use crate::stats::Stats;

/// Between two calls with points of the same series.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Sender {
    queue: Arc<Queue>,
    stats: Arc<Stats>,
    servers: Servers,
    health: Health,
    recent: Recent,
    told_invalid: bool,
}

/// The series of the calls of the last [`PAUSE`].
#[derive(Default)]
struct Recent(VecDeque<(Instant, HashSet<u64>)>);

impl Recent {
    /// When these series may be continued; `None`: now.
    fn free(&mut self, mut keys: impl Iterator<Item = u64>) -> Option<Instant> {
        let now = Instant::now();
        while self.0.front().is_some_and(|(answered, _)| *answered + PAUSE <= now) {
            self.0.pop_front();
        }
        if self.0.is_empty() {
            return None;
        }
        let last = |key: u64| self.0.iter().rev().find(|(_, keys)| keys.contains(&key)).map(|(answered, _)| *answered);
        let newest = self.0.back().map(|(answered, _)| *answered);
        let mut free = None;
        // Nothing is newer than the last call: a batch that continues it need not be read to its end.
        while free < newest
            && let Some(key) = keys.next()
        {
            free = free.max(last(key));
        }
        free.map(|answered| answered + PAUSE)
    }

    fn sent(&mut self, keys: impl Iterator<Item = u64>) {
        self.0.push_back((Instant::now(), keys.collect()));
    }
}

impl Sender {
    pub fn new(config: &Transfer, queue: Arc<Queue>, stats: Arc<Stats>) -> Sender {
        let servers = Servers::new(config.addrs.clone(), config.timeout);
        Sender { queue, stats, servers, health: Health::default(), recent: Recent::default(), told_invalid: false }
    }

    /// Until `leave` turns true; then what is left is sent, until the queue is empty or no transfer takes it. What is being
    /// sent when this is dropped stays in the queue.
    pub async fn run(mut self, mut leave: watch::Receiver<bool>) {
        let queue = self.queue.clone();
        loop {
            let batch = tokio::select! {
                biased;
                batch = queue.peek() => batch,
                _ = leave.wait_for(|leave| *leave) => return,
            };
            if self.send(&batch).await {
                continue;
            }
            if *leave.borrow() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.servers.back_off()) => {}
                _ = leave.wait_for(|leave| *leave) => {}
            }
        }
    }

    /// Sends a batch and forgets it; `false` when no transfer took it.
    async fn send(&mut self, batch: &Batch) -> bool {
        if let Some(free) = self.recent.free(batch.keys()) {
            tokio::time::sleep_until(free).await;
        }
        let done = self.deliver(&batch.frames).await;
        if done {
            self.recent.sent(batch.keys());
            self.queue.acknowledge(batch);
        }
        done
    }

    /// `true` when the frames need not be sent again.
    async fn deliver(&mut self, frames: &[Frame]) -> bool {
        let items: usize = frames.iter().map(Frame::len).sum();
        match self.update(frames).await {
            Ok(response) => {
                self.told_up();
                self.account(items, &response, frames);
                true
            }
            Err((addr, Error::Refused(why))) => {
                self.told_up();
                self.narrow(frames, &addr, &why).await
            }
            Err((addr, error)) => {
                if self.health.down() {
                    let hint = match error {
                        Error::NoMethod(_) => "; is this the port of a transfer (8433)?",
                        _ => "",
                    };
                    tracing::warn!("transfer: {addr}: {error}{hint}; points wait in memory until a transfer answers");
                }
                false
            }
        }
    }

    async fn update(&mut self, frames: &[Frame]) -> Result<TransferResponse, (String, Error)> {
        let mut param: Vec<&[u8]> = vec![b"["];
        for (n, frame) in frames.iter().enumerate() {
            if n > 0 {
                param.push(b",");
            }
            param.push(frame.body());
        }
        param.push(b"]");
        let param = &param;
        self.servers
            .call(|mut client| async move {
                let result = client.call("Transfer.Update", param, transfer_response).await;
                (client, result)
            })
            .await
    }

    /// A transfer could not read the call as a whole. Every half is tried, so that one bad item costs only itself.
    async fn narrow(&mut self, frames: &[Frame], addr: &str, why: &str) -> bool {
        if let [frame] = frames
            && frame.len() <= 1
        {
            self.stats.invalid.add(1);
            if !std::mem::replace(&mut self.told_invalid, true) {
                let item = String::from_utf8_lossy(frame.body());
                tracing::error!("transfer: {addr} refused a point and it was dropped: {why}: {item}");
            }
            return true;
        }
        let halves = match frames {
            [frame] => {
                let (head, tail) = frame.split(frame.len() / 2);
                [vec![head], vec![tail]]
            }
            several => {
                let (head, tail) = several.split_at(several.len() / 2);
                [head.to_vec(), tail.to_vec()]
            }
        };
        for half in halves {
            if !Box::pin(self.deliver(&half)).await {
                return false;
            }
        }
        true
    }

    fn account(&mut self, items: usize, response: &TransferResponse, frames: &[Frame]) {
        let invalid = usize::try_from(response.invalid).unwrap_or(0).min(items);
        self.stats.sent.add(items - invalid);
        self.stats.invalid.add(invalid);
        if invalid > 0 && !std::mem::replace(&mut self.told_invalid, true) {
            let sample = frames.first().and_then(|frame| frame.items().next()).unwrap_or_default();
            tracing::warn!(
                "transfer: {} counted {invalid} of {items} points as Invalid (told once); one of that call: {}",
                self.servers.addr(),
                String::from_utf8_lossy(sample)
            );
        }
        let TransferResponse { message, latency_ms, .. } = response;
        let addr = self.servers.addr();
        tracing::debug!("transfer: {addr}: {items} points, {invalid} Invalid, {message:?} after {latency_ms} ms");
    }

    fn told_up(&mut self) {
        if self.health.up() {
            let waiting = self.queue.items();
            tracing::info!("transfer: {} answers; {waiting} points are being sent", self.servers.addr());
        }
    }
}

#[cfg(test)]
mod tests;
