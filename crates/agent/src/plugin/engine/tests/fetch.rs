//! Fetching on request.

use super::*;

#[tokio::test(start_paused = true)]
async fn after_something_was_fetched_the_directory_is_looked_at_at_once() {
    let rig = Rig::new(4);
    rig.bind(&["a"]).await;
    rig.until(1).await;
    rig.files(&[plugin("a/60_x", 60)]);
    assert_eq!(rig.engine.clone().fetch(Fetch::Update).await, Ok(()));
    settle().await;
    assert_eq!(rig.json(true)["a/60_x"]["state"], "waiting");
    assert_eq!(rig.engine.clone().fetch(Fetch::Reset).await, Ok(()));
    assert_eq!(*lock(&rig.world.fetches), [Fetch::Update, Fetch::Reset]);
}

#[tokio::test(start_paused = true)]
async fn one_fetches_at_a_time_and_goes_on_when_who_asked_hangs_up() {
    let rig = Rig::new(4);
    rig.world.hold_fetches.store(true, SeqCst);
    let asked = tokio::spawn(rig.engine.clone().fetch(Fetch::Update));
    settle().await;
    let second = rig.engine.clone().fetch(Fetch::Reset).await;
    assert!(second.unwrap_err().contains("in progress"));
    asked.abort();
    settle().await;
    assert!(rig.engine.clone().fetch(Fetch::Reset).await.is_err());
    rig.release().await;
    assert_eq!(*lock(&rig.world.fetches), [Fetch::Update]);
    rig.world.hold_fetches.store(false, SeqCst);
    assert_eq!(rig.engine.clone().fetch(Fetch::Reset).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_fetched() {
    let rig = Rig::new(4);
    rig.world.hold_fetches.store(true, SeqCst);
    drop(tokio::spawn(rig.engine.clone().fetch(Fetch::Update)));
    settle().await;
    rig.task.abort();
    let ended = tokio::spawn(rig.engine.clone().stop(Duration::from_secs(600)));
    settle().await;
    assert!(!ended.is_finished() && rig.engine.ending.load(SeqCst));
    rig.release().await;
    assert!(ended.is_finished());
    // Who asks by an old server.
    assert!(rig.engine.clone().fetch(Fetch::Update).await.is_err());
    assert_eq!(*lock(&rig.world.fetches), [Fetch::Update]);
}

/// A look in the middle of an exchange of directories found half of the files, and the others began new periods.
#[tokio::test(start_paused = true)]
async fn while_something_is_fetched_the_directory_is_not_looked_at_and_what_a_look_has_found_is_not_used() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(8).await;
    // This look is out when the fetch begins, and back after its end.
    rig.world.hold_looks.store(true, SeqCst);
    rig.world.hold_fetches.store(true, SeqCst);
    rig.until(11).await;
    let asked = tokio::spawn(rig.engine.clone().fetch(Fetch::Update));
    rig.files(&[]);
    settle().await;
    rig.release().await;
    rig.until(40).await;
    assert_eq!((*lock(&rig.world.looks), rig.held()), (2, 1), "the fetch");
    assert_eq!(rig.json(true)["a/60_x"]["state"], "waiting");
    rig.bind(&["a", "b"]).await;
    assert!(rig.json(true)["b"]["reason"].as_str().unwrap().contains("fetched"));
    rig.files(&[plugin("a/60_x", 60)]);
    rig.world.hold_looks.store(false, SeqCst);
    rig.release().await;
    assert_eq!((asked.await.unwrap(), *lock(&rig.world.looks)), (Ok(()), 3));
    rig.until(61).await;
    assert_eq!(rig.times("a/60_x"), [60]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_of_the_engine_before_that_did_not_end_keeps_others_back() {
    let old = Rig::new(4);
    old.world.hold_fetches.store(true, SeqCst);
    drop(tokio::spawn(old.engine.clone().fetch(Fetch::Update)));
    settle().await;
    old.task.abort();
    old.engine.clone().stop(Duration::from_secs(2)).await;
    assert!(!old.engine.is_over());
    let new = Rig::after(4, Arc::new(|plugin, _| point(plugin)), MAX_BYTES, vec![old.engine.clone()]);
    new.bind(&["a"]).await;
    assert!(new.engine.clone().fetch(Fetch::Update).await.unwrap_err().contains("in progress"));
    assert_eq!(*lock(&new.world.looks), 0);
    old.release().await;
    assert!(old.engine.is_over());
    tokio::time::sleep(Duration::from_secs(2)).await;
    settle().await;
    assert_eq!((new.engine.clone().fetch(Fetch::Update).await, *lock(&new.world.looks)), (Ok(()), 1));
}
