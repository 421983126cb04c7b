//! Empties the queue into a transfer: one `Transfer.Update` in flight, in order, acknowledged before it is forgotten.
//!
//! While all transfers are away nothing but this task waits. A backlog goes oldest first, with a pause between two calls
//! that continue the same series: the transfers hand points on in parallel and would let the second overtake the first.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Health, Servers};
use super::rpc::{Error, TransferResponse, transfer_response};
use super::wire::Frame;
use crate::config::Transfer;
use crate::queue::Queue;
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
    /// The agent stops: how the transfers are was told before, and what became of the points is told by its last line.
    leaving: bool,
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
        Sender {
            queue,
            stats,
            servers,
            health: Health::default(),
            recent: Recent::default(),
            told_invalid: false,
            leaving: false,
        }
    }

    /// For ever. What is being sent when this is dropped stays in the queue.
    pub async fn run(mut self) {
        loop {
            if !self.send_oldest().await {
                tokio::time::sleep(self.servers.back_off()).await;
            }
        }
    }

    /// Waits for points, then sends and forgets the oldest; `false` when no transfer took them.
    async fn send_oldest(&mut self) -> bool {
        let batch = self.queue.peek().await;
        if let Some(free) = self.recent.free(batch.keys()) {
            tokio::time::sleep_until(free).await;
        }
        let done = self.deliver(&batch.frames).await;
        if done {
            self.recent.sent(batch.keys());
            self.queue.acknowledge(&batch);
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
                if self.health.down() && !self.leaving {
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
        tracing::debug!("transfer: {}: {items} points, {invalid} Invalid", self.servers.addr());
    }

    fn told_up(&mut self) {
        if self.health.up() && !self.leaving {
            let waiting = self.queue.items();
            tracing::info!("transfer: {} answers; {waiting} points are being sent", self.servers.addr());
        }
    }
}

/// Sends what is left, for a stop: until the queue is empty or a transfer fails.
pub async fn flush(mut sender: Sender) {
    sender.leaving = true;
    while sender.queue.items() > 0 && sender.send_oldest().await {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::falcon::wire::encode;
    use crate::model::sample;
    use crate::queue::MAX_BYTES;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    fn samples(at: i64, names: &[&str]) -> Vec<Frame> {
        encode(&names.iter().map(|name| sample(name, "", 1.0, at)).collect::<Vec<_>>(), "h")
    }

    /// A transfer that refuses a call with a metric called `bad` in it and counts one called `invalid`.
    async fn transfer(listener: TcpListener, seen: Arc<std::sync::Mutex<Vec<Vec<String>>>>) {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let call: serde_json::Value = serde_json::from_str(&line).expect("a call");
                let items = call["params"][0].as_array().expect("items");
                let names: Vec<String> =
                    items.iter().map(|i| i["metric"].as_str().expect("a name").to_owned()).collect();
                let invalid = names.iter().filter(|name| *name == "invalid").count();
                let answer = if names.iter().any(|name| name == "bad") {
                    format!("{{\"id\":{},\"result\":null,\"error\":\"json: cannot unmarshal\"}}\n", call["id"])
                } else {
                    format!(
                        "{{\"id\":{},\"result\":{{\"Message\":\"ok\",\"Total\":{},\"Invalid\":{invalid},\"Latency\":0}},\"error\":null}}\n",
                        call["id"],
                        names.len()
                    )
                };
                seen.lock().expect("unpoisoned").push(names);
                let _ = write.write_all(answer.as_bytes()).await;
            }
        }
    }

    async fn setup() -> (Sender, Arc<Queue>, Arc<Stats>, Arc<std::sync::Mutex<Vec<Vec<String>>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addrs = vec![listener.local_addr().expect("an address").to_string()];
        let seen = Arc::default();
        tokio::spawn(transfer(listener, Arc::clone(&seen)));
        let stats = Arc::new(Stats::default());
        let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES));
        let config = Transfer { enabled: true, addrs, interval: 60, timeout: 1000 };
        (Sender::new(&config, queue.clone(), stats.clone()), queue, stats, seen)
    }

    #[tokio::test]
    async fn everything_arrives_in_order_and_invalid_is_counted() {
        let (sender, queue, stats, seen) = setup().await;
        queue.append(samples(60, &["a", "invalid"]));
        queue.append(samples(60, &["b"]));
        queue.append(samples(120, &["a"]));
        let start = tokio::time::Instant::now();
        flush(sender).await;
        // At a stop a backlog went without the pause, and the transfer let its stamps overtake each other.
        assert!(start.elapsed() >= PAUSE, "{:?}", start.elapsed());
        assert_eq!(*seen.lock().expect("unpoisoned"), [vec!["a", "invalid", "b"], vec!["a"]]);
        assert_eq!((stats.sent.get(), stats.invalid.get(), stats.queued.get()), (3, 1, 0));
    }

    /// Pushes with many different stamps against a healthy transfer crawled at ten stamps a second and filled the queue.
    #[tokio::test(start_paused = true)]
    async fn only_a_series_that_was_just_sent_has_to_wait() {
        let mut recent = Recent::default();
        assert_eq!(recent.free([1, 2].into_iter()), None);
        recent.sent([1, 2].into_iter());
        let first = Instant::now();
        assert_eq!(recent.free([3].into_iter()), None);
        tokio::time::advance(PAUSE / 2).await;
        recent.sent([3].into_iter());
        assert_eq!(recent.free([4, 2].into_iter()), Some(first + PAUSE));
        assert_eq!(recent.free([2, 3].into_iter()), Some(first + PAUSE / 2 + PAUSE));
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(recent.free([1].into_iter()), None);
        assert_eq!(recent.0.len(), 1, "what is over is forgotten");
    }

    /// One item that a transfer cannot read makes it refuse the whole call: the others must arrive all the same.
    #[tokio::test]
    async fn a_refused_call_is_halved_until_the_bad_point_stands_alone() {
        let (sender, queue, stats, seen) = setup().await;
        queue.append(samples(60, &["a", "b", "bad", "c", "d"]));
        queue.append(samples(60, &["e"]));
        flush(sender).await;
        let seen = seen.lock().expect("unpoisoned");
        let mut delivered: Vec<_> = seen.iter().filter(|call| !call.contains(&"bad".to_owned())).flatten().collect();
        delivered.sort();
        assert_eq!(delivered, ["a", "b", "c", "d", "e"]);
        assert_eq!((stats.sent.get(), stats.invalid.get(), queue.items()), (5, 1, 0));
    }

    /// The port of hbs among the transfers: its "can't find service" was taken for a bad point, and all were dropped.
    #[tokio::test]
    async fn a_server_that_is_no_transfer_costs_no_points() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let hbs = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let call: serde_json::Value = serde_json::from_str(&line).expect("a call");
                    let answer = format!(
                        "{{\"id\":{},\"result\":null,\"error\":\"rpc: can't find service Transfer.Update\"}}\n",
                        call["id"]
                    );
                    let _ = write.write_all(answer.as_bytes()).await;
                }
            }
        });
        let (sender, queue, stats, seen) = setup().await;
        let transfer = sender.servers.addr().to_owned();
        for addrs in [vec![hbs.clone()], vec![hbs.clone(), transfer]] {
            queue.append(samples(60, &["a", "b"]));
            let alone = addrs.len() == 1;
            let config = Transfer { enabled: true, addrs, interval: 60, timeout: 1000 };
            flush(Sender::new(&config, queue.clone(), stats.clone())).await;
            assert_eq!(stats.invalid.get(), 0);
            assert_eq!(queue.items(), if alone { 2 } else { 0 });
        }
        assert_eq!(*seen.lock().expect("unpoisoned"), [vec!["a", "b", "a", "b"]]);
    }

    #[tokio::test]
    async fn what_no_transfer_took_stays() {
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let stats = Arc::new(Stats::default());
        let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES));
        let config = Transfer { enabled: true, addrs: vec![closed.to_string()], interval: 60, timeout: 1000 };
        queue.append(samples(60, &["a"]));
        flush(Sender::new(&config, queue.clone(), stats.clone())).await;
        assert_eq!((queue.items(), stats.sent.get()), (1, 0));
    }
}
