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

/// A transfer in memory: answers everything, and remembers when each call came and how many items it had (a ping: none).
fn in_memory() -> (Servers, Arc<std::sync::Mutex<Vec<(Instant, usize)>>>) {
    let seen = Arc::<std::sync::Mutex<Vec<(Instant, usize)>>>::default();
    let calls = seen.clone();
    let connect = move |_| -> connection::Connecting {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let calls = calls.clone();
        tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(theirs);
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let call: serde_json::Value = serde_json::from_str(&line).expect("a call");
                let items = call["params"][0].as_array().map_or(0, Vec::len);
                calls.lock().expect("unpoisoned").push((Instant::now(), items));
                let answer = format!("{{\"id\":{},\"result\":{{\"code\":0}},\"error\":null}}\n", call["id"]);
                let _ = write.write_all(answer.as_bytes()).await;
            }
        });
        Box::pin(std::future::ready(Ok(Box::new(ours) as connection::Stream)))
    };
    let servers = Servers::over(vec!["127.0.0.1:8433".to_owned()], Arc::new(connect), Box::new(connection::Named("t")));
    (servers, seen)
}

/// So many series of one cycle for each of these minutes, left on disk by a run before.
async fn backlog(minutes: i64, series: usize) -> (Arc<Queue>, Arc<Stats>) {
    let stats = Arc::<Stats>::default();
    let fake = crate::queue::fake::Fake::default();
    let open: crate::queue::Open = Box::new(move |_| Ok(Some(Box::new(fake.clone()))));
    let disk = crate::queue::Disk::inline(open, 64 << 20, i64::MAX / 4, stats.clone());
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 4, Some(disk)));
    for minute in 0..minutes {
        let points: Vec<_> = (0..series).map(|n| sample(&format!("m{n}"), "", 1.0, 60 * minute)).collect();
        queue.append(encode(&points, "h", 0));
    }
    assert_eq!(queue.close().await.1, 0);
    (queue, stats)
}

async fn until_empty(queue: &Queue) {
    while queue.items() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ten thousand agents whose transfers came back sent all they had in one second.
#[tokio::test(start_paused = true)]
async fn a_backlog_waits_a_random_time_and_then_keeps_to_its_speed() {
    let (queue, stats) = backlog(20, 100).await;
    let (servers, seen) = in_memory();
    let start = Instant::now();
    let sender = Sender::over(servers, &config(Vec::new()), queue.clone(), stats.clone());
    tokio::spawn(sender.run(watch::channel(false).1));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(stats.replay_left.get() > 0, "it is being replayed");
    // An agent that takes nothing in sends twenty points a second.
    assert!(
        stats.replay_to_go_s.get().is_some_and(|seconds| (30..200).contains(&seconds)),
        "{:?}",
        stats.replay_to_go_s
    );
    until_empty(&queue).await;
    let seen = seen.lock().expect("unpoisoned").clone();
    assert_eq!((seen[0].1, seen[0].0), (0, start), "asked at once whether it is there");
    assert!(seen[1].0 - start <= Duration::from_secs(60), "{:?}", seen[1].0 - start);
    assert!(seen.iter().skip(1).all(|(_, items)| *items == 100), "one point of a series in a call");
    for pair in seen[1..].windows(2) {
        assert!(pair[1].0 - pair[0].0 >= Duration::from_secs(5), "100 points are 5 s worth");
    }
    assert_eq!(stats.sent.get(), 2000);
}

#[tokio::test(start_paused = true)]
async fn without_a_bound_a_day_takes_the_pauses_alone() {
    let (queue, stats) = backlog(1440, 50).await;
    let (servers, seen) = in_memory();
    let unbounded = Transfer { replay_delay: 0, replay_speed: 0, ..config(Vec::new()) };
    let start = Instant::now();
    tokio::spawn(Sender::over(servers, &unbounded, queue.clone(), stats.clone()).run(watch::channel(false).1));
    until_empty(&queue).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?} for 72 runs of 20 points");
    assert!(seen.lock().expect("unpoisoned").iter().all(|(_, items)| *items <= 400));
    assert_eq!((stats.sent.get(), stats.replay_to_go_s.get()), (72_000, stats.replay_to_go_s.get()));
}

/// What comes live while a backlog is sent queues up behind it: sent first, it would make servers drop the backlog.
#[tokio::test(start_paused = true)]
async fn what_is_live_waits_behind_the_backlog() {
    let (queue, stats) = backlog(3, 10).await;
    let (servers, seen) = in_memory();
    let config = Transfer { replay_delay: 0, replay_speed: 2, ..config(Vec::new()) };
    tokio::spawn(Sender::over(servers, &config, queue.clone(), stats.clone()).run(watch::channel(false).1));
    tokio::task::yield_now().await;
    queue.append(encode(&[sample("live", "", 1.0, 999)], "h", 0));
    until_empty(&queue).await;
    let sizes: Vec<usize> = seen.lock().expect("unpoisoned").iter().map(|(_, items)| *items).collect();
    assert_eq!(sizes, [0, 10, 10, 10, 1]);
}
