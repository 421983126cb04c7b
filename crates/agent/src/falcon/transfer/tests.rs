use super::*;
use crate::config::Config;
use crate::falcon::wire::{Frame, encode};
use crate::model::sample;
use crate::queue::MAX_BYTES;
use crate::queue::fake::Fake;
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
fn left() -> watch::Receiver<Leave> {
    watch::channel(Leave::SendAll).1
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

/// What an address does with points; it answers every ping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Take,
    /// The same after [`LATE`].
    TakeLate,
    /// Closes.
    Break,
    Refuse,
}

const LATE: Duration = Duration::from_millis(800);

#[derive(Clone)]
struct Seen {
    at: Instant,
    /// Metric and stamp of each point; none: a ping.
    items: Vec<(String, i64)>,
}

type Calls = Arc<std::sync::Mutex<Vec<Seen>>>;

/// Transfers in memory, one for each of these, which remember what they were asked in what order.
fn in_memory(does: &[Does]) -> (Servers, Calls) {
    let (seen, does) = (Calls::default(), does.to_vec());
    let addrs = (0..does.len()).map(|n| format!("127.0.0.1:{}", 8433 + n)).collect();
    let calls = seen.clone();
    let connect = move |addr: std::net::SocketAddr| -> connection::Connecting {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (calls, does) = (calls.clone(), does[usize::from(addr.port()) - 8433]);
        tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(theirs);
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let call: serde_json::Value = serde_json::from_str(&line).expect("a call");
                let of = |item: &serde_json::Value| {
                    (item["metric"].as_str().expect("a name").to_owned(), item["timestamp"].as_i64().expect("a stamp"))
                };
                let items: Vec<_> =
                    call["params"][0].as_array().map_or_else(Vec::new, |items| items.iter().map(of).collect());
                let is_ping = items.is_empty();
                calls.lock().expect("unpoisoned").push(Seen { at: Instant::now(), items });
                if does == Does::TakeLate {
                    tokio::time::sleep(LATE).await;
                }
                let (result, error) = match does {
                    Does::Break if !is_ping => return,
                    Does::Refuse if !is_ping => ("null", "\"no\""),
                    _ => ("{\"code\":0}", "null"),
                };
                let answer = format!("{{\"id\":{},\"result\":{result},\"error\":{error}}}\n", call["id"]);
                let _ = write.write_all(answer.as_bytes()).await;
            }
        });
        Box::pin(std::future::ready(Ok(Box::new(ours) as connection::Stream)))
    };
    (Servers::over(addrs, Arc::new(connect), Box::new(connection::Named("t"))), seen)
}

fn sizes(seen: &Calls) -> Vec<usize> {
    seen.lock().expect("unpoisoned").iter().map(|call| call.items.len()).collect()
}

fn on(fake: &Fake, stats: &Arc<Stats>) -> Arc<Queue> {
    let fake = fake.clone();
    let open: crate::queue::Open = Box::new(move |_| Ok(Some(Box::new(fake.clone()))));
    let disk = crate::queue::Disk::inline(open, 64 << 20, i64::MAX / 4, stats.clone());
    Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 4, Some(disk)))
}

/// So many series of one cycle for each of these minutes, left on disk by a run before.
async fn backlog(fake: &Fake, minutes: i64, series: usize) -> (Arc<Queue>, Arc<Stats>) {
    let stats = Arc::<Stats>::default();
    let queue = on(fake, &stats);
    for minute in 0..minutes {
        let points: Vec<_> = (0..series).map(|n| sample(&format!("m{n}"), "", 1.0, 60 * minute)).collect();
        queue.append(encode(&points, "h", 0));
        // A day is more than memory holds.
        assert_eq!(queue.close().await.1, 0);
    }
    (queue, stats)
}

/// Without a random wait.
fn at_once(replay_speed: u32) -> Transfer {
    Transfer { replay_delay: 0, replay_speed, ..config(Vec::new()) }
}

/// Within a day of virtual time.
async fn until_empty(queue: &Queue) {
    let end = Instant::now() + Duration::from_secs(24 * 3600);
    while queue.items() > 0 {
        assert!(Instant::now() < end, "{} points are stuck", queue.items());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ten thousand agents whose transfers came back sent all they had in one second.
#[tokio::test(start_paused = true)]
async fn a_backlog_waits_a_random_time_and_then_keeps_to_its_speed() {
    let (queue, stats) = backlog(&Fake::default(), 20, 100).await;
    let (servers, seen) = in_memory(&[Does::Take]);
    let start = Instant::now();
    let sender = Sender::over(servers, &config(Vec::new()), queue.clone(), stats.clone());
    // Nobody is left to stop it: it never stops.
    tokio::spawn(sender.run(watch::channel(Leave::Stay).1));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(stats.replay_left.get() > 0, "it is being replayed");
    // An agent that takes nothing in sends twenty points a second.
    let to_go = stats.replay_to_go_s.get();
    assert!(to_go.is_some_and(|seconds| (10..200).contains(&seconds)), "{to_go:?}");
    until_empty(&queue).await;
    assert_eq!((stats.replay_left.get(), stats.replay_to_go_s.get()), (0, None), "over with its last point");
    assert_eq!(sizes(&seen)[0], 0, "asked whether it is there");
    assert!(sizes(&seen).iter().skip(1).all(|items| items % 100 == 0), "{:?}", sizes(&seen));
    let seen = seen.lock().expect("unpoisoned").clone();
    assert_eq!(seen[0].at, start);
    assert!(seen[1].at - start <= Duration::from_secs(60), "{:?}", seen[1].at - start);
    for pair in seen[1..].windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_secs(5), "100 points are 5 s worth");
    }
    assert_eq!(stats.sent.get(), 2000);
}

#[tokio::test(start_paused = true)]
async fn without_a_bound_a_day_takes_the_pauses_alone() {
    let (queue, stats) = backlog(&Fake::default(), 1440, 50).await;
    let (servers, seen) = in_memory(&[Does::Take]);
    let start = Instant::now();
    let (_leaving, leave) = watch::channel(Leave::Stay);
    tokio::spawn(Sender::over(servers, &at_once(0), queue.clone(), stats.clone()).run(leave));
    until_empty(&queue).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?} for 72 runs of 20 points");
    assert!(sizes(&seen).iter().all(|items| *items <= 500));
    assert_eq!((stats.sent.get(), stats.replay_to_go_s.get()), (72_000, None));
}

/// What comes live while a backlog is sent queues up behind it: sent first, it would make servers drop the backlog.
#[tokio::test(start_paused = true)]
async fn what_is_live_waits_behind_the_backlog() {
    let (queue, stats) = backlog(&Fake::default(), 3, 10).await;
    let (servers, seen) = in_memory(&[Does::Take]);
    let (_leaving, leave) = watch::channel(Leave::Stay);
    tokio::spawn(Sender::over(servers, &at_once(2), queue.clone(), stats.clone()).run(leave));
    tokio::task::yield_now().await;
    queue.append(encode(&[sample("live", "", 1.0, 999)], "h", 0));
    until_empty(&queue).await;
    assert_eq!(sizes(&seen), [0, 10, 10, 10, 1]);
}

/// A stop in the middle of a backlog threw away how far its block was sent: the next start sent up to 10 000 points again.
#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_backlog_repeats_nothing() {
    for (speed, wait) in [(10, 30), (0, 0)] {
        let fake = Fake::default();
        let (mut queue, mut stats) = backlog(&fake, 40, 100).await;
        let mut all = Vec::new();
        for run in 0..2 {
            let (servers, seen) = in_memory(&[Does::Take]);
            let (leaving, leave) = watch::channel(Leave::Stay);
            let sender = tokio::spawn(Sender::over(servers, &at_once(speed), queue.clone(), stats.clone()).run(leave));
            if run == 0 {
                while sizes(&seen).len() < 3 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                tokio::time::sleep(Duration::from_secs(wait)).await;
                leaving.send(Leave::SendAll).expect("it runs");
                tokio::time::timeout(Duration::from_secs(2), sender).await.expect("it leaves").expect("no panic");
                assert!(speed == 0 || queue.items() > 0, "in the middle");
                queue.close().await;
                stats = Arc::default();
                queue = on(&fake, &stats);
            } else {
                until_empty(&queue).await;
            }
            all.extend(seen.lock().expect("unpoisoned").iter().flat_map(|call| call.items.clone()));
        }
        assert_eq!(all.len(), 4000, "at speed {speed}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4000);
    }
}

/// At a reload a call that took more than half a second was cut short and made again, and the next sender continued a series
/// without the pause.
#[tokio::test(start_paused = true)]
async fn a_sender_leaves_to_the_next_what_it_did_not_begin() {
    let stats = Arc::<Stats>::default();
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let points: Vec<_> = (1..=2).map(|n| sample("a", "", 1.0, n * 60)).collect();
    queue.append(encode(&points, "h", 0));
    queue.append(encode(&[sample("a", "", 1.0, 180)], "h", 0));
    let (servers, before) = in_memory(&[Does::TakeLate]);
    let (leaving, leave) = watch::channel(Leave::Stay);
    let sender = tokio::spawn(Sender::over(servers, &at_once(10), queue.clone(), stats.clone()).run(leave));
    while sizes(&before).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    leaving.send(Leave::EndEven).expect("it runs");
    sender.await.expect("no panic");
    assert_eq!(
        (sizes(&before), queue.items()),
        (vec![1, 1], 1),
        "a frame that was begun is finished, and no other begun"
    );
    let answered = Instant::now();
    let (servers, after) = in_memory(&[Does::Take]);
    let (_leaving, leave) = watch::channel(Leave::Stay);
    tokio::spawn(Sender::over(servers, &at_once(10), queue.clone(), stats.clone()).run(leave));
    until_empty(&queue).await;
    assert_eq!((sizes(&after), stats.sent.get()), (vec![1], 3));
    let pause = Duration::from_millis(at_once(10).replay_pause);
    assert!(after.lock().expect("unpoisoned")[0].at - answered >= pause);
}

/// A reload in the middle of a backlog sends no more of it, not even one block.
#[tokio::test(start_paused = true)]
async fn a_sender_that_ends_for_another_begins_nothing() {
    let (queue, stats) = backlog(&Fake::default(), 3, 10).await;
    queue.append(encode(&[sample("live", "", 1.0, 999)], "h", 0));
    let (servers, seen) = in_memory(&[Does::Take]);
    let leave = watch::channel(Leave::EndEven).1;
    Sender::over(servers, &at_once(10), queue.clone(), stats).run(leave).await;
    assert_eq!((sizes(&seen).len(), queue.items()), (0, 31));
}

/// A transfer that answered pings and took nothing was asked every second, and each time a line said that it is there.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_ping_ends_no_back_off() {
    let (queue, stats) = backlog(&Fake::default(), 3, 10).await;
    let (servers, seen) = in_memory(&[Does::Break]);
    let (_leaving, leave) = watch::channel(Leave::Stay);
    tokio::spawn(Sender::over(servers, &at_once(10), queue.clone(), stats.clone()).run(leave));
    tokio::time::sleep(Duration::from_secs(600)).await;
    let pings = sizes(&seen).iter().filter(|items| **items == 0).count();
    assert!((10..60).contains(&pings), "{pings} in ten minutes");
    assert_eq!(queue.items(), 30);
}

/// A transfer that refused whatever came had every point dropped, one by one.
#[tokio::test(start_paused = true)]
async fn who_refuses_everything_costs_few_points() {
    for does in [&[Does::Refuse][..], &[Does::Refuse, Does::Take]] {
        let stats = Arc::<Stats>::default();
        let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
        let points: Vec<_> = (0..1000).map(|n| sample(&format!("m{n}"), "", 1.0, 60)).collect();
        queue.append(encode(&points, "h", 0));
        let (servers, seen) = in_memory(does);
        let (_leaving, leave) = watch::channel(Leave::Stay);
        tokio::spawn(Sender::over(servers, &at_once(10), queue.clone(), stats.clone()).run(leave));
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(stats.invalid.get(), 20);
        if does.len() == 1 {
            assert_eq!(stats.sent.get(), 0);
            assert!(sizes(&seen).len() < 120, "{}: it backs off", sizes(&seen).len());
        } else {
            assert_eq!((stats.sent.get(), queue.items()), (980, 0));
        }
    }
}

/// A setting changed in the middle of a backlog, and the figure of what is left stood still for ever.
#[tokio::test]
async fn a_new_sender_replays_nothing_yet() {
    let stats = Arc::<Stats>::default();
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    stats.replay_left.set(7);
    let _sender = Sender::over(in_memory(&[Does::Take]).0, &at_once(10), queue, stats.clone());
    assert_eq!(stats.replay_left.get(), 0);
}
