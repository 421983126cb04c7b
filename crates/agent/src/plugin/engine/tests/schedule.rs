//! When plugins run, and when they do no more.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_run_is_one_cycle_after_it_was_bound_and_then_one_every_cycle() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60), plugin("a/7_y", 7)]);
    rig.until(5).await;
    rig.bind(&["a"]).await;
    rig.until(64).await;
    assert_eq!(rig.times("a/60_x"), [] as [u64; 0]);
    assert_eq!(rig.times("a/7_y"), [12, 19, 26, 33, 40, 47, 54, 61]);
    rig.until(190).await;
    assert_eq!(rig.times("a/60_x"), [65, 125, 185]);
    assert_eq!((rig.stats.plugin_bound.get(), rig.stats.plugin_skipped.get()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_bound_the_directory_is_not_looked_at() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.until(7200).await;
    assert_eq!(*lock(&rig.world.looks), 0);
    rig.bind(&["a"]).await;
    rig.until(7255).await;
    assert_eq!(*lock(&rig.world.looks), 6);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_never_runs_twice_at_a_time_and_what_was_due_meanwhile_is_skipped() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(200).await;
    assert_eq!((rig.held(), rig.stats.plugin_skipped.get()), (1, 2));
    assert_eq!((rig.stats.plugin_running.get(), &rig.json(true)["a/60_x"]["state"]), (1, &"running".into()));
    rig.release().await;
    assert_eq!((rig.held(), rig.stats.plugin_running.get()), (0, 0), "what was skipped is not made up for");
    rig.until(241).await;
    assert_eq!(rig.held(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_run_and_who_was_due_first_begins_first() {
    let rig = Rig::new(2);
    // `z` is due earlier than those that are due together.
    let files: Vec<Plugin> = ["d/60_a", "d/60_b", "d/60_c", "d/60_d"].map(|key| plugin(key, 60)).into();
    rig.files(&[&files[..], &[plugin("d/59_z", 59)]].concat());
    rig.bind(&["d"]).await;
    rig.hold();
    rig.until(61).await;
    assert_eq!((rig.held(), rig.stats.plugin_running.get()), (2, 2));
    let waiting = rig.json(true);
    assert_eq!((&waiting["d/60_b"]["state"], &waiting["d/60_a"]["state"]), (&"due".into(), &"running".into()));
    for _ in 0..5 {
        rig.release().await;
    }
    let order: Vec<String> = rig.began().into_iter().map(|(key, _)| key).collect();
    assert_eq!(order, ["d/59_z", "d/60_a", "d/60_b", "d/60_c", "d/60_d"]);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_plugins_are_due_at_once_and_all_of_them_run() {
    let rig = Rig::new(8);
    let files: Vec<Plugin> = (0..200).map(|n| plugin(&format!("d/60_{n:03}"), 60)).collect();
    rig.files(&files);
    rig.bind(&["d"]).await;
    rig.hold();
    rig.until(60).await;
    for _ in 0..200 {
        assert!((1..=8).contains(&rig.held()), "{}", rig.held());
        rig.release().await;
    }
    assert_eq!(rig.held(), 0);
    let order: Vec<String> = rig.began().into_iter().map(|(key, _)| key).collect();
    assert_eq!(order, files.iter().map(|plugin| plugin.key.clone()).collect::<Vec<_>>());
    assert_eq!((rig.queue.items(), rig.stats.plugin_items.get(), rig.stats.plugin_runs.get()), (200, 200, 200));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_has_changed_begins_a_new_period() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60), plugin("a/60_y", 60)]);
    rig.bind(&["a"]).await;
    rig.until(31).await;
    rig.files(&[Plugin { mtime_s: 1001, ..plugin("a/60_x", 60) }, plugin("a/60_y", 60)]);
    rig.until(130).await;
    assert_eq!((rig.times("a/60_x"), rig.times("a/60_y")), (vec![100], vec![60, 120]));
}

/// It is the old program that runs on, with what it had opened.
#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_replaced_while_it_runs_ends_its_run() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    rig.files(&[Plugin { mtime_s: 1001, ..plugin("a/60_x", 60) }]);
    rig.until(71).await;
    assert_eq!(rig.held(), 1);
    rig.release().await;
    assert!(!rig.is_stopped("a/60_x"));
    assert_eq!((rig.queue.items(), rig.json(true)["a/60_x"]["MTime"].as_i64()), (1, Some(1001)));
    rig.until(129).await;
    assert_eq!(rig.held(), 0);
    rig.until(131).await;
    assert_eq!(rig.held(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_bound_is_ended_and_its_points_are_not_sent() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60), plugin("b/60_y", 60)]);
    rig.bind(&["a", "b"]).await;
    rig.hold();
    rig.until(60).await;
    rig.files(&[plugin("b/60_y", 60)]);
    rig.bind(&["b"]).await;
    assert_eq!(rig.json(true).as_object().unwrap().keys().collect::<Vec<_>>(), ["b/60_y"]);
    // It counts as running until it has ended.
    assert_eq!((rig.stats.plugin_bound.get(), rig.stats.plugin_running.get()), (1, 2));
    rig.release().await;
    rig.release().await;
    assert!(rig.is_stopped("a/60_x") && !rig.is_stopped("b/60_y"));
    assert_eq!(rig.queued().await, ["b/60_y"]);
    assert_eq!((rig.stats.plugin_running.get(), rig.stats.plugin_runs.get()), (0, 1));
    // An empty list takes all of them back.
    rig.bind(&[]).await;
    assert_eq!(rig.json(true), serde_json::json!({}));
    rig.until(600).await;
    assert_eq!(rig.held(), 0);
}

/// The file server was away, and what the portal had taken back ran on.
#[tokio::test(start_paused = true)]
async fn what_is_taken_back_ends_also_while_the_directory_hangs() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60), plugin("a/60_y(1)", 60), plugin("b/c/60_z", 60)]);
    rig.bind(&["a", "a/60_y(1)", "b/c/"]).await;
    rig.world.hold_looks.store(true, SeqCst);
    rig.bind(&["a/60_y(1)"]).await;
    let keys = |rig: &Rig| rig.json(true).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&rig), ["a/60_y(1)"]);
    rig.until(300).await;
    assert_eq!((rig.held(), rig.times("a/60_y(1)").len()), (1, 5), "one look is out, and what is bound runs");
    rig.bind(&["b/c", "a/60_y(1)"]).await;
    // What the late look found was for another list.
    rig.world.hold_looks.store(false, SeqCst);
    rig.release().await;
    assert_eq!(keys(&rig), ["a/60_x", "a/60_y(1)", "b/c/60_z"], "as this world's files are");
}

#[tokio::test(start_paused = true)]
async fn a_new_file_is_picked_up_without_a_restart_and_a_deleted_one_ends() {
    let rig = Rig::new(4);
    rig.bind(&["a"]).await;
    rig.until(21).await;
    rig.files(&[plugin("a/5_x", 5)]);
    rig.until(41).await;
    assert_eq!(rig.times("a/5_x"), [35, 40]);
    rig.files(&[]);
    rig.until(100).await;
    assert_eq!(rig.times("a/5_x"), [35, 40, 45, 50], "those before the next look");
}

#[tokio::test(start_paused = true)]
async fn one_file_runs_once_for_each_of_its_arguments() {
    let rig = Rig::new(1);
    rig.files(&[plugin("a/60_x(1)", 60), plugin("a/60_x(2)", 60), plugin("a/60_x()", 60)]);
    rig.bind(&["a/60_x(1)", "a/60_x(2)", "a/60_x"]).await;
    rig.until(61).await;
    let begun: Vec<String> = rig.began().into_iter().map(|(key, _)| key).collect();
    assert_eq!(begun, ["a/60_x()", "a/60_x(1)", "a/60_x(2)"]);
}

#[tokio::test(start_paused = true)]
async fn in_a_place_that_others_can_change_nothing_runs_and_why_is_shown() {
    let rig = Rig::new(1);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    let why = "/p: can be changed by everybody".to_owned();
    let left = vec![Left { what: "a".to_owned(), why: why.clone() }];
    *lock(&rig.world.scan) = Scan { left, unsafe_place: Some(why.clone()), ..Scan::default() };
    rig.until(71).await;
    let shown = rig.json(true);
    assert_eq!((&shown["a"]["state"], &shown["a"]["reason"]), (&"left".into(), &why.into()));
    assert_eq!((shown.as_object().unwrap().len(), rig.stats.plugin_left.get()), (1, 1));
    rig.release().await;
    assert!(rig.is_stopped("a/60_x"), "also what ran");
    assert_eq!(rig.queue.items(), 0);
    rig.until(300).await;
    assert_eq!(rig.held(), 0);
}

/// While an archive was unpacked in its place every period began anew.
#[tokio::test(start_paused = true)]
async fn what_is_in_a_directory_that_is_away_keeps_its_period() {
    let rig = Rig::new(1);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(31).await;
    let why = "plugin.dir: /p: is not there".to_owned();
    let left = vec![Left { what: "a".to_owned(), why: why.clone() }];
    *lock(&rig.world.scan) = Scan { left, away: Some(why.clone()), ..Scan::default() };
    rig.until(41).await;
    let shown = rig.json(true);
    assert_eq!((&shown["a"]["reason"], &shown["a/60_x"]["state"]), (&why.into(), &"waiting".into()));
    rig.files(&[plugin("a/60_x", 60)]);
    rig.until(61).await;
    assert_eq!(rig.times("a/60_x"), [60]);
    assert_eq!(rig.json(true).as_object().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_by_a_defect_costs_itself() {
    let rig =
        Rig::with(1, Arc::new(|plugin, _| if plugin.key == "a/60_x" { panic!("a defect") } else { point(plugin) }));
    rig.files(&[plugin("a/60_x", 60), plugin("a/60_y", 60)]);
    rig.bind(&["a"]).await;
    rig.until(121).await;
    assert_eq!((rig.times("a/60_x"), rig.times("a/60_y")), (vec![60, 120], vec![60, 120]));
    assert_eq!((rig.stats.plugin_failed.get(), rig.stats.plugin_runs.get()), (2, 4));
    assert!(rig.json(true)["a/60_x"]["last_error"].as_str().is_some_and(|why| why.contains("defect")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_every_run_and_waits_for_it() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60), plugin("a/60_y", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    rig.task.abort();
    let ended = tokio::spawn(rig.engine.clone().stop(Duration::from_secs(600)));
    settle().await;
    assert!(!ended.is_finished());
    rig.release().await;
    assert!(!ended.is_finished());
    rig.release().await;
    assert!(ended.is_finished() && rig.is_stopped("a/60_x") && rig.is_stopped("a/60_y"));
    assert_eq!((rig.queue.items(), rig.stats.plugin_running.get(), rig.stats.plugin_bound.get()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_keeps_a_stop_for_its_limit_and_no_longer() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    rig.task.abort();
    rig.engine.clone().stop(Duration::from_secs(2)).await;
    assert_eq!((Instant::now() - rig.start).as_secs(), 63);
}

/// The directory was another after a reload, and a run that a driver held was begun a second time.
#[tokio::test(start_paused = true)]
async fn a_run_that_the_engine_before_left_is_not_begun_again_until_it_ends() {
    let old = Rig::new(4);
    old.files(&[plugin("a/60_x", 60)]);
    old.bind(&["a"]).await;
    old.hold();
    old.until(61).await;
    old.task.abort();
    old.engine.clone().stop(Duration::from_secs(2)).await;
    let new = Rig::after(4, Arc::new(|plugin, _| point(plugin)), MAX_BYTES, vec![old.engine.clone()]);
    new.files(&[plugin("a/60_x", 60), plugin("a/60_y", 60)]);
    new.bind(&["a"]).await;
    new.until(125).await;
    assert_eq!((new.times("a/60_x").len(), new.times("a/60_y").len()), (0, 2));
    let shown = new.json(true);
    assert_eq!(shown["a/60_x"]["state"], "due");
    assert!(shown["a/60_x"]["reason"].as_str().unwrap().contains("before is not over"));
    old.release().await;
    new.until(140).await;
    assert_eq!(new.times("a/60_x").len(), 1);
}
