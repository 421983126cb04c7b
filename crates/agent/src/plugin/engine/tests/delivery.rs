//! The way of the points, and over a reload.

use super::*;

/// Each run brings the next number.
fn counting() -> Runner {
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
}

/// All of it or nothing would have been nothing for ever.
#[tokio::test(start_paused = true)]
async fn more_points_than_the_queue_has_room_for_are_delivered_in_portions_and_in_order() {
    let run: Runner = Arc::new(|_, _| {
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
    let run: Runner = Arc::new(|_, _| {
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
