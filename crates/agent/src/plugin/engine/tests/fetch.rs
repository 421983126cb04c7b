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
