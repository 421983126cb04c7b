//! The way of the points, and over a reload.

use super::super::delivery::{Delivery, Over};
use super::*;
use crate::stats::Lost;

/// Each run brings the next number.
fn counting() -> Brings {
    let next = Mutex::new(0);
    Arc::new(move |_, _| {
        *lock(&next) += 1;
        let batch = Batch { samples: vec![sample(&format!("m{}", lock(&next)), 60)], ..Batch::default() };
        performed(End::Exited(0), Ok(Some(batch)))
    })
}

#[tokio::test(start_paused = true)]
async fn points_that_find_no_room_wait_for_it_and_nothing_comes_before_them() {
    let rig = Rig::sized(1, counting(), 400);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(61).await;
    assert_eq!((rig.queue.items(), rig.stats.plugin_items.get()), (1, 1));
    rig.until(130).await;
    let shown = rig.json(true);
    assert_eq!((&shown["a/60_x"]["state"], rig.stats.plugin_running.get()), (&"sending".into(), 0));
    rig.until(250).await;
    assert_eq!((rig.began().len(), rig.stats.plugin_skipped.get()), (2, 2), "it does not run meanwhile");
    let block = rig.queue.peek(usize::MAX, usize::MAX).await;
    rig.queue.acknowledge(&block);
    rig.until(260).await;
    assert_eq!(rig.queued().await, ["m2"]);
    assert_eq!((rig.stats.plugin_items.get(), &rig.json(true)["a/60_x"]["state"]), (2, &"waiting".into()));
}

/// A thousand plugins ran one after the other while the transfer was away, and the points of each waited in memory.
#[tokio::test(start_paused = true)]
async fn whose_points_wait_for_room_keeps_its_place_among_those_that_run() {
    let rig = Rig::sized(2, counting(), 400);
    let files: Vec<Plugin> = (0..50).map(|n| plugin(&format!("a/60_{n:02}"), 60)).collect();
    rig.files(&files);
    rig.bind(&["a"]).await;
    rig.until(600).await;
    let queued = rig.queue.items();
    assert!((1..4).contains(&queued), "{queued}");
    assert_eq!((rig.began().len(), rig.stats.plugin_running.get()), (queued + 2, 0));
    let shown = rig.json(true);
    let states: Vec<&str> = files.iter().map(|plugin| shown[&plugin.key]["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "sending").count(), 2);
    let due = files.iter().map(|plugin| &shown[&plugin.key]).find(|shown| shown["state"] == "due").unwrap();
    assert!(due["reason"].as_str().unwrap().contains("plugin.at_once"));
    // As soon as there is room again all of them run.
    for _ in 0..200 {
        let block = rig.queue.peek(usize::MAX, usize::MAX).await;
        rig.queue.acknowledge(&block);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let keys: BTreeSet<String> = rig.began().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn long_outputs_are_decoded_one_after_the_other_until_their_points_are_delivered() {
    let rig = Rig::new(4);
    let (stop, taken) = (Stop::default(), Stop::default());
    let first = rig.engine.turn_of(1 << 20, &stop).unwrap();
    assert!(first.is_some() && rig.engine.turn_of(1000, &stop).unwrap().is_none(), "a short one waits for nobody");
    let (engine, waits) = (rig.engine.clone(), taken.clone());
    let second = std::thread::spawn(move || engine.turn_of(1 << 20, &waits).is_err());
    taken.stop();
    assert!(second.join().unwrap(), "nor does one that is no longer wanted");
    drop(first);
    assert!(rig.engine.turn_of(1 << 20, &stop).unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn points_that_wait_for_room_are_dropped_with_their_binding() {
    let rig = Rig::sized(1, counting(), 400);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(130).await;
    rig.bind(&[]).await;
    let block = rig.queue.peek(usize::MAX, usize::MAX).await;
    rig.queue.acknowledge(&block);
    rig.until(200).await;
    assert_eq!((rig.queue.items(), rig.stats.plugin_items.get()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn points_that_wait_for_room_when_the_agent_stops_are_counted() {
    let rig = Rig::sized(1, counting(), 400);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(130).await;
    rig.task.abort();
    rig.engine.clone().stop(Duration::from_secs(2)).await;
    assert_eq!(rig.stats.lost(Lost::Stop), 1);
    assert!(rig.engine.is_over());
}

/// All points of a run were counted as lost, also those that were in the queue already, and none of a run that ended at that moment.
#[tokio::test(start_paused = true)]
async fn of_a_run_that_is_delivered_in_part_the_rest_is_lost_at_a_stop_and_all_of_one_that_ends_then() {
    let run: Brings = Arc::new(|_, _| {
        let samples = (0..12_000).map(|n| sample(&format!("m{n}"), n)).collect();
        performed(End::Exited(0), Ok(Some(Batch { samples, ..Batch::default() })))
    });
    let rig = Rig::sized(2, run, 1_200_000);
    rig.files(&[plugin("a/60_x", 60), plugin("a/60_y", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(60).await;
    rig.release().await;
    let delivered = rig.queue.items();
    assert!((5000..12_000).contains(&delivered), "{delivered}");
    rig.task.abort();
    let ended = tokio::spawn(rig.engine.clone().stop(Duration::from_secs(2)));
    settle().await;
    rig.release().await;
    ended.await.unwrap();
    assert_eq!((rig.stats.lost(Lost::Stop) as usize, rig.queue.items()), (24_000 - delivered, delivered));
}

/// The runtime has one thread, whose clock goes on for who waits on another.
#[tokio::test(start_paused = true)]
async fn points_wait_for_room_on_the_thread_of_their_run() {
    let rig = Rig::sized(1, counting(), 400);
    rig.files(&[plugin("a/600_x", 600)]);
    rig.bind(&["a"]).await;
    rig.until(601).await;
    // Its next runs would take the room, for the clock goes faster than a thread of the system.
    rig.bind(&[]).await;
    let (engine, runtime) = (rig.engine.clone(), tokio::runtime::Handle::current());
    let (stop, over) = (Stop::default(), Over(engine.clone(), 99));
    let delivery = Delivery { samples: vec![sample("m", 60)], stop, turn: None, over };
    let waits = std::thread::spawn(move || runtime.block_on(engine.deliver(delivery)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!waits.is_finished());
    let block = rig.queue.peek(usize::MAX, usize::MAX).await;
    rig.queue.acknowledge(&block);
    while !waits.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    waits.join().unwrap();
    assert_eq!(rig.queued().await.last().map(String::as_str), Some("m"));
}

/// All of it or nothing would have been nothing for ever.
#[tokio::test(start_paused = true)]
async fn more_points_than_the_queue_has_room_for_are_delivered_in_portions_and_in_order() {
    let run: Brings = Arc::new(|_, _| {
        let samples = (0..12_000).rev().map(|n| sample(&format!("m{n}"), n)).collect();
        performed(End::Exited(0), Ok(Some(Batch { samples, ..Batch::default() })))
    });
    let rig = Rig::sized(1, run, 1_200_000);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(60).await;
    let mut seen = Vec::new();
    while seen.len() < 12_000 {
        let block = rig.queue.peek(usize::MAX, usize::MAX).await;
        seen.extend(rig.queued().await);
        rig.queue.acknowledge(&block);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(seen, (0..12_000).map(|n| format!("m{n}")).collect::<Vec<_>>());
    assert_eq!(rig.stats.plugin_items.get(), 12_000);
}

#[tokio::test(start_paused = true)]
async fn with_another_configuration_a_run_goes_on_and_its_points_go_the_new_way() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    let other = Arc::new(Queue::new(Arc::default(), MAX_BYTES, i64::MAX / 2, None));
    // Who asks hbs may be another too, and knows nothing yet.
    let assigned = Arc::new(Assigned::default());
    assigned.set_plugins(vec!["a".to_owned()]);
    rig.engine.go_on(outlet_of(&other, &assigned, Arc::new(|plugin, _| point(plugin))));
    settle().await;
    rig.release().await;
    assert!(!rig.is_stopped("a/60_x"));
    assert_eq!((rig.queue.items(), other.items()), (0, 1));
    assigned.set_plugins(Vec::new());
    settle().await;
    assert_eq!(rig.json(true), serde_json::json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_no_transfer_would_take_is_counted() {
    let run: Brings = Arc::new(|_, _| {
        let left = LeftOut { count: 3, index: 1, name: "h/m".to_owned() };
        let invalid = [(Invalid::Step, left)].into();
        performed(End::Exited(0), Ok(Some(Batch { samples: vec![sample("m", 60)], invalid, ..Batch::default() })))
    });
    let rig = Rig::with(4, run);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(121).await;
    assert_eq!((rig.stats.plugin_invalid.get(), rig.stats.plugin_items.get()), (6, 2));
    let shown = &rig.json(true)["a/60_x"];
    assert_eq!((&shown["items"], &shown["invalid"]), (&1.into(), &serde_json::json!({ "step is not positive": 3 })));
}
