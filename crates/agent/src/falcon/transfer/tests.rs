use super::*;
use crate::config::Config;
use crate::falcon::wire::{Frame, encode};
use crate::model::sample;
use crate::queue::MAX_BYTES;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

fn samples(at: i64, names: &[&str]) -> Vec<Frame> {
    encode(&names.iter().map(|name| sample(name, "", 1.0, at)).collect::<Vec<_>>(), "h", at)
}

fn config(addrs: Vec<String>) -> Transfer {
    Transfer { addrs, ..Config::standalone().transfer }
}

/// A transfer that refuses a call with a metric called `bad` in it and counts one called `invalid`.
async fn transfer(listener: TcpListener, seen: Arc<std::sync::Mutex<Vec<Vec<String>>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let call: serde_json::Value = serde_json::from_str(&line).expect("a call");
            let items = call["params"][0].as_array().expect("items");
            let names: Vec<String> = items.iter().map(|i| i["metric"].as_str().expect("a name").to_owned()).collect();
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
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let config = config(addrs);
    (Sender::new(&config, queue.clone(), stats.clone()), queue, stats, seen)
}

/// The agent ends: the sender returns when it has done what it can.
fn left() -> watch::Receiver<bool> {
    watch::channel(true).1
}

#[tokio::test]
async fn everything_arrives_in_order_and_invalid_is_counted() {
    let (sender, queue, stats, seen) = setup().await;
    queue.append(samples(60, &["a", "invalid"]));
    queue.append(samples(60, &["b"]));
    queue.append(samples(120, &["a"]));
    sender.run(left()).await;
    assert_eq!(*seen.lock().expect("unpoisoned"), [vec!["a", "invalid", "b"], vec!["a"]]);
    assert_eq!((stats.sent.get(), stats.invalid.get(), stats.queued.get()), (3, 1, 0));
}

/// At a stop a backlog went without the pause, and the transfer let its stamps overtake each other.
#[tokio::test]
async fn between_two_calls_that_continue_a_series_lies_the_pause() {
    let (sender, queue, stats, seen) = setup().await;
    let points: Vec<_> = (1..=3).map(|n| sample("a", "", 1.0, n * 60)).collect();
    queue.append(encode(&points, "h", 0));
    let start = tokio::time::Instant::now();
    sender.run(left()).await;
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!(seen.lock().expect("unpoisoned").iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(stats.sent.get(), 3);
}

/// One item that a transfer cannot read makes it refuse the whole call: the others must arrive all the same.
#[tokio::test]
async fn a_refused_call_is_halved_until_the_bad_point_stands_alone() {
    let (sender, queue, stats, seen) = setup().await;
    queue.append(samples(60, &["a", "b", "bad", "c", "d"]));
    queue.append(samples(60, &["e"]));
    sender.run(left()).await;
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
        let config = config(addrs);
        Sender::new(&config, queue.clone(), stats.clone()).run(left()).await;
        assert_eq!(stats.invalid.get(), 0);
        assert_eq!(queue.items(), if alone { 2 } else { 0 });
    }
    assert_eq!(*seen.lock().expect("unpoisoned"), [vec!["a", "a", "b", "b"]]);
}

#[tokio::test]
async fn what_no_transfer_took_stays() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let stats = Arc::new(Stats::default());
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let config = config(vec![closed.to_string()]);
    queue.append(samples(60, &["a"]));
    Sender::new(&config, queue.clone(), stats.clone()).run(left()).await;
    assert_eq!((queue.items(), stats.sent.get()), (1, 0));
}
