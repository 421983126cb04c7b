use std::sync::Mutex as StdMutex;

use super::fake::Fake;
use super::storage::{Storage, Unusable};
use super::*;
use crate::falcon::wire::encode;
use crate::model::sample;

const EVER: i64 = i64::MAX / 4;

/// So many points that came at `taken`.
fn frames(taken: i64, items: usize) -> Vec<Frame> {
    encode(&vec![sample("m", "", 1.0, taken); items], "h", taken)
}

fn in_memory(max_bytes: usize) -> Queue {
    Queue::new(Arc::default(), max_bytes, EVER, None)
}

fn open(fake: &Fake) -> Open {
    let fake = fake.clone();
    Box::new(move |make| Ok((make || !fake.names().is_empty()).then(|| Box::new(fake.clone()) as Box<dyn Storage>)))
}

fn on_disk(open: Open, max_age: i64) -> Arc<Queue> {
    let stats = Arc::<Stats>::default();
    let disk = Disk::inline(open, 64 << 20, max_age, stats.clone());
    Arc::new(Queue::new(stats, MAX_BYTES, max_age, Some(disk)))
}

/// A queue whose tail goes to disk as time passes.
fn kept(fake: &Fake) -> Arc<Queue> {
    let queue = on_disk(open(fake), EVER);
    let keeper = queue.clone();
    tokio::spawn(async move { keeper.keep().await });
    queue
}

/// The same, whose directory another agent has for as long as this is true.
fn behind_another_agent(fake: &Fake) -> (Arc<Queue>, Arc<StdMutex<bool>>) {
    let held = Arc::new(StdMutex::new(true));
    let (asked, mut inner) = (held.clone(), open(fake));
    let open: Open = Box::new(move |make| match *asked.lock().unwrap() {
        true => Err(Unusable::Held("queue".into())),
        false => inner(make),
    });
    let queue = on_disk(open, EVER);
    let keeper = queue.clone();
    tokio::spawn(async move { keeper.keep().await });
    (queue, held)
}

async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Takes everything, block by block; answers when each frame came.
async fn drain(queue: &Queue) -> Vec<i64> {
    let mut taken = Vec::new();
    while queue.items() > 0 {
        let block = queue.peek(usize::MAX, 7).await;
        taken.extend(block.frames.iter().map(|frame| frame.taken));
        queue.acknowledge(&block);
    }
    taken
}

#[tokio::test]
async fn a_block_keeps_to_its_bounds_and_stays_until_it_is_acknowledged() {
    let queue = in_memory(MAX_BYTES);
    [300, 200, 1].into_iter().for_each(|items| queue.append(frames(60, items)));
    assert_eq!(queue.peek(usize::MAX, 500).await.items(), 500);
    assert_eq!(queue.peek(1, 1).await.items(), 300, "one frame at least");
    let block = queue.peek(usize::MAX, usize::MAX).await;
    assert_eq!((block.items(), queue.items()), (501, 501), "what is not acknowledged stays");
    queue.acknowledge(&block);
    queue.acknowledge(&block);
    assert_eq!((queue.items(), queue.came()), (0, 501));
}

#[tokio::test]
async fn without_a_disk_the_oldest_go_first_and_are_counted() {
    let queue = in_memory(3 * frames(600, 10)[0].bytes());
    (0..5).for_each(|n| queue.append(frames(600 + n, 10)));
    assert_eq!((queue.stats.lost(Lost::Memory), queue.items()), (20, 30));
    // Points went without a word in the log.
    assert!(queue.lock().overflowed);
    assert_eq!(drain(&queue).await, [602, 603, 604]);
    assert!(!queue.lock().overflowed);
}

/// While a block is on its way the queue may drop it to make room: the acknowledgement must not eat newer points.
#[tokio::test]
async fn an_acknowledgement_touches_only_its_own_frames() {
    let queue = in_memory(2 * frames(600, 10)[0].bytes());
    queue.append(frames(600, 10));
    let block = queue.peek(usize::MAX, usize::MAX).await;
    queue.append(frames(660, 10));
    queue.append(frames(720, 10));
    queue.acknowledge(&block);
    assert_eq!(drain(&queue).await, [660, 720]);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_something_comes() {
    let queue = Arc::new(in_memory(MAX_BYTES));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.peek(usize::MAX, usize::MAX).await.items() }
    });
    tokio::task::yield_now().await;
    queue.append(frames(0, 3));
    assert_eq!(waiting.await.expect("ends"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_within_a_moment_never_touches_the_disk() {
    let fake = Fake::default();
    let queue = kept(&fake);
    for n in 0..100 {
        queue.append(frames(n, 5));
        pass(SPILL_AFTER / 2).await;
        assert_eq!(drain(&queue).await, [n]);
        pass(Duration::from_secs(3)).await;
    }
    assert_eq!(fake.steps(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_a_second_is_on_disk_and_comes_before_what_is_in_memory() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    queue.append(frames(2, 5));
    pass(Duration::from_secs(1)).await;
    queue.append(frames(3, 5));
    let waiting = queue.waiting();
    assert_eq!((waiting.disk.points, waiting.memory_points), (10, 5));
    // A crash now: the last second is gone.
    assert_eq!(drain(&on_disk(open(&fake.image(false)), EVER)).await, [1, 2]);
    assert_eq!(drain(&queue).await, [1, 2, 3]);
    pass(Duration::from_secs(2)).await;
    assert_eq!(fake.names(), ["cursor"]);
}

/// It goes to disk while it is on its way: its acknowledgement must find it there.
#[tokio::test(start_paused = true)]
async fn a_block_that_goes_to_disk_on_its_way_is_acknowledged_there() {
    let fake = Fake::default();
    let queue = kept(&fake);
    (1..=3).for_each(|n| queue.append(frames(n, 5)));
    let block = queue.peek(usize::MAX, 10).await;
    pass(Duration::from_secs(1)).await;
    queue.append(frames(4, 5));
    assert_eq!((queue.waiting().disk.points, block.items()), (15, 10));
    queue.acknowledge(&block);
    assert_eq!((queue.waiting().disk.points, queue.items()), (5, 10));
    assert_eq!(drain(&queue).await, [3, 4]);
    assert!(fake.names().iter().all(|name| !name.ends_with(".log")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_puts_everything_on_disk_and_the_next_start_finds_it() {
    let fake = Fake::default();
    let queue = kept(&fake);
    (1..=3).for_each(|n| queue.append(frames(n, 5)));
    assert_eq!(queue.close().await, (15, 0));
    drop(queue);
    let queue = kept(&fake);
    queue.append(frames(4, 5));
    assert_eq!(drain(&queue).await, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_waited_too_long_is_dropped_and_counted() {
    let fake = Fake::default();
    let now = clock::steady_s();
    let queue = on_disk(open(&fake), 3600);
    [now - 7200, now - 3700, now - 60].into_iter().for_each(|taken| queue.append(frames(taken, 5)));
    queue.close().await;
    [now - 4000, now].into_iter().for_each(|taken| queue.append(frames(taken, 1)));
    assert_eq!(drain(&queue).await, [now - 60, now]);
    assert_eq!(queue.stats.lost(Lost::Age), 11);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_costs_nothing_while_memory_lasts_and_is_tried_again() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    fake.set_room(Some(0));
    for n in 2..50 {
        queue.append(frames(n, 5));
        pass(Duration::from_secs(1)).await;
    }
    let waiting = queue.waiting();
    assert_eq!((waiting.disk.points, waiting.memory_points), (5, 240));
    assert!(waiting.disk.trouble.is_some() && queue.stats.queue_disk_ok.get() == Some(0));
    fake.set_room(None);
    pass(Duration::from_secs(61)).await;
    let waiting = queue.waiting();
    assert_eq!((waiting.disk.points, waiting.memory_points), (245, 0));
    assert!(waiting.disk.trouble.is_none() && queue.stats.queue_disk_ok.get() == Some(1));
    assert_eq!(drain(&queue).await, (1..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn files_that_somebody_removes_are_counted_and_the_queue_goes_on() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    fake.clear();
    queue.append(frames(2, 5));
    pass(Duration::from_secs(1)).await;
    assert_eq!((queue.waiting().disk.points, queue.stats.lost(Lost::Damaged)), (5, 5));
    assert_eq!(drain(&queue).await, [2]);
}

/// A block of the files that are gone was acknowledged, and took the first record of the new ones with it.
#[tokio::test(start_paused = true)]
async fn a_block_of_files_that_are_gone_takes_nothing_new_with_it() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    let block = queue.peek(usize::MAX, usize::MAX).await;
    fake.clear();
    (2..4).for_each(|n| queue.append(frames(n, 5)));
    pass(Duration::from_secs(1)).await;
    queue.acknowledge(&block);
    assert_eq!(drain(&queue).await, [2, 3]);
}

/// One read that failed, of a busy system or a scanner, cost the whole backlog within milliseconds.
#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_read_for_a_while_costs_nothing() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    fake.set_unreadable(true);
    let (draining, well) = (queue.clone(), fake.clone());
    let drained = tokio::spawn(async move { drain(&draining).await });
    pass(Duration::from_secs(60)).await;
    queue.append(frames(2, 5));
    assert!(queue.waiting().disk.trouble.is_some_and(|why| why.contains("cannot be read")));
    well.set_unreadable(false);
    assert_eq!(drained.await.expect("ends"), [1, 2]);
    assert_eq!((queue.stats.lost_in_all(), queue.waiting().disk.trouble), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_at_all_is_given_up_after_minutes() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    fake.set_unreadable(true);
    let start = Instant::now();
    queue.append(frames(2, 5));
    pass(Duration::from_millis(1)).await;
    assert!(drain(&queue).await.len() <= 1);
    assert!(start.elapsed() >= Duration::from_secs(600), "{:?}", start.elapsed());
    assert!(queue.stats.lost(Lost::Damaged) >= 5);
}

/// A backlog behind a directory that was held for some seconds at the start was never sent.
#[tokio::test(start_paused = true)]
async fn a_backlog_that_is_there_later_is_sent_then() {
    let fake = Fake::default();
    let before = kept(&fake);
    before.append(frames(1, 5));
    before.close().await;
    let (queue, held) = behind_another_agent(&fake);
    queue.append(frames(2, 5));
    assert_eq!(drain(&queue).await, [2]);
    *held.lock().unwrap() = false;
    pass(Duration::from_secs(10)).await;
    assert_eq!(drain(&queue).await, [1]);
}

/// A full disk was told for ever: nothing had to be written any more.
#[tokio::test(start_paused = true)]
async fn a_disk_that_is_well_again_is_told_so_also_when_nothing_has_to_be_written() {
    let fake = Fake::default();
    let queue = kept(&fake);
    fake.set_room(Some(0));
    queue.append(frames(1, 5));
    pass(Duration::from_secs(2)).await;
    assert!(queue.waiting().disk.trouble.is_some());
    assert_eq!(drain(&queue).await, [1]);
    fake.set_room(None);
    pass(Duration::from_secs(62)).await;
    assert_eq!((queue.waiting().disk.trouble, queue.stats.queue_disk_ok.get()), (None, Some(1)));
}

/// A large push was accepted, and the next cycle dropped some of it although the disk was about to take it.
#[tokio::test(start_paused = true)]
async fn what_was_accepted_is_not_dropped_while_the_disk_is_at_work() {
    let queue = on_disk(open(&Fake::default()), EVER);
    let push: Vec<Frame> = (0..200).flat_map(|_| frames(1, 500)).collect();
    let bytes: usize = push.iter().map(Frame::bytes).sum();
    assert!(bytes > MAX_BYTES, "{bytes}");
    assert_eq!(queue.push(push).await, Ok(()));
    queue.append(frames(2, 500));
    assert_eq!((queue.items(), queue.stats.lost_in_all()), (100_500, 0));
}

#[tokio::test(start_paused = true)]
async fn while_the_agent_ends_nothing_is_accepted_that_would_be_lost() {
    let queue = kept(&Fake::default());
    queue.close().await;
    assert!(queue.push(frames(1, 5)).await.is_err());
}

/// An agent that booted with a wrong clock and without a network sent its stamps from the future when that came.
#[tokio::test(start_paused = true)]
async fn stamps_of_a_clock_that_was_ahead_are_never_sent() {
    let fake = Fake::default();
    let queue = kept(&fake);
    let now = clock::unix_s();
    let stamped = |at: i64, endpoint: Option<&str>| {
        let point = crate::model::Sample { endpoint: endpoint.map(Into::into), ..sample("m", "", 1.0, at) };
        encode(&[point], "h", at)
    };
    queue.append(stamped(now + 86_400, None));
    pass(Duration::from_secs(1)).await;
    queue.append(stamped(now + 86_400, None));
    queue.append(stamped(now, None));
    queue.append(stamped(now + 86_400, Some("app")));
    assert_eq!(drain(&queue).await, [now, now + 86_400], "what others stamp is theirs");
    assert_eq!(queue.stats.lost(Lost::Clock), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_frames_of_a_block_can_be_acknowledged_alone() {
    for on_disk in [false, true] {
        let queue = kept(&Fake::default());
        (1..=3).for_each(|n| queue.append(frames(n, 5)));
        if on_disk {
            pass(Duration::from_secs(1)).await;
        }
        let block = queue.peek(usize::MAX, usize::MAX).await;
        assert_eq!((block.is_on_disk(), block.is_backlog()), (on_disk, on_disk));
        queue.acknowledge_first(&block, 0);
        queue.acknowledge_first(&block, 2);
        assert_eq!(queue.items(), 5);
        pass(Duration::from_secs(1)).await;
        queue.acknowledge_first(&block, 1);
        queue.acknowledge(&block);
        assert_eq!(queue.items(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_long_in_memory_is_a_backlog_too() {
    let queue = in_memory(MAX_BYTES);
    queue.append(frames(1, 5));
    assert!(!queue.has_backlog() && !queue.peek(1, 1).await.is_backlog());
    pass(OLD).await;
    let block = queue.peek(1, 1).await;
    assert!(queue.has_backlog() && block.is_backlog() && !block.is_on_disk());
}

/// Two agents with one directory: the second has no disk until the first leaves.
#[tokio::test(start_paused = true)]
async fn a_directory_that_another_agent_holds_is_left_alone() {
    let fake = Fake::default();
    let (queue, held) = behind_another_agent(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(5)).await;
    let trouble = queue.waiting().disk.trouble.expect("told");
    assert!(trouble.contains("used by another agent") && fake.steps() == 0, "{trouble}");
    assert_eq!(drain(&queue).await, [1]);
    *held.lock().unwrap() = false;
    queue.append(frames(2, 5));
    pass(Duration::from_secs(61)).await;
    assert_eq!(queue.waiting().disk.points, 5);
}

#[tokio::test(start_paused = true)]
async fn a_push_waits_for_room_and_is_refused_whole_where_there_is_none() {
    let fake = Fake::default();
    let queue = on_disk(open(&fake), EVER);
    fake.set_read_only(true);
    let keeper = queue.clone();
    tokio::spawn(async move { keeper.keep().await });
    let mut pushed = 0;
    let full = loop {
        match queue.push(frames(1, 5000)).await {
            Ok(()) => pushed += 5000,
            Err(full) => break full,
        }
    };
    assert_eq!(full.retry_after, RETRY_AFTER);
    assert_eq!((queue.items(), queue.stats.lost_in_all()), (pushed, 0), "a push displaces nothing");
    fake.set_read_only(false);
    pass(Duration::from_secs(61)).await;
    for _ in 0..20 {
        assert_eq!(queue.push(frames(2, 5000)).await, Ok(()), "the disk makes room");
        pushed += 5000;
    }
    assert_eq!(queue.items(), pushed);
    assert!(queue.waiting().memory_bytes <= MAX_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_purge_removes_everything_and_counts_it() {
    let fake = Fake::default();
    let queue = kept(&fake);
    queue.append(frames(1, 5));
    pass(Duration::from_secs(1)).await;
    queue.append(frames(2, 3));
    assert_eq!(queue.verify().await.expect("readable").points, 5);
    let block = queue.peek(usize::MAX, usize::MAX).await;
    assert_eq!(queue.purge_all().await.expect("removed"), 8);
    assert_eq!((queue.items(), queue.stats.lost(Lost::Purged)), (0, 8));
    assert!(queue.is_purged(&block));
    queue.append(frames(3, 1));
    assert_eq!(drain(&queue).await, [3]);
    assert_eq!(
        queue.purge("purge-0123456789abcdef".to_owned()).await.unwrap_err().kind(),
        std::io::ErrorKind::PermissionDenied
    );
}

/// Another `queue` in the configuration, and what no disk had taken was dropped with the old queue.
#[tokio::test(start_paused = true)]
async fn the_next_queue_takes_what_no_disk_took() {
    let fake = Fake::default();
    let old = on_disk(open(&fake), EVER);
    old.append(frames(1, 5));
    assert_eq!(old.close().await, (5, 0));
    fake.set_read_only(true);
    (2..=3).for_each(|n| old.append(frames(n, 5)));
    let block = old.peek(usize::MAX, usize::MAX).await;
    assert_eq!(old.end().await, 5);
    fake.set_read_only(false);
    let next = kept(&fake);
    assert_eq!((old.hand_over(Some(&next)), old.items()), (0, 0));
    next.append(frames(4, 5));
    assert_eq!(drain(&next).await, [1, 2, 3, 4]);
    // Whoever still has the old one tells nothing of it.
    old.stats.queued.set(7);
    old.acknowledge(&block);
    assert_eq!((old.stats.queued.get(), old.stats.lost_in_all(), next.stats.lost_in_all()), (7, 0, 0));
    assert!(old.push(frames(5, 1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_the_next_queue_has_no_room_for_is_lost_oldest_first() {
    for room in [Some(2), None] {
        let old = in_memory(MAX_BYTES);
        (600..603).for_each(|n| old.append(frames(n, 10)));
        assert_eq!(old.end().await, 0);
        let next = room.map(|room| in_memory(room * frames(600, 10)[0].bytes()));
        let lost = old.hand_over(next.as_ref());
        match next {
            Some(next) => {
                assert_eq!((lost, next.stats.lost(Lost::Memory)), (10, 10));
                assert_eq!(drain(&next).await, [601, 602]);
            }
            None => assert_eq!((lost, old.stats.lost(Lost::Stop)), (30, 30)),
        }
    }
}

/// An old server still had the old queue, whose lock kept the new one from its directory.
#[tokio::test(start_paused = true)]
async fn a_queue_that_has_ended_leaves_its_directory_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let old = on_disk(directory(dir.path().to_owned()), EVER);
    old.append(frames(1, 5));
    assert_eq!(old.end().await, 5);
    let next = on_disk(directory(dir.path().to_owned()), EVER);
    let waiting = next.waiting();
    assert_eq!((waiting.disk.points, waiting.disk.trouble), (5, None));
    old.append(frames(2, 5));
    assert_eq!(old.close().await, (0, 5), "it never takes the directory again");
    assert_eq!(drain(&next).await, [1]);
}
