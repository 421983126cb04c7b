use super::*;
use crate::falcon::wire::encode;
use crate::model::sample;

fn frame(at: i64, items: usize) -> Vec<Frame> {
    encode(&vec![sample("m", "", 1.0, at); items], "h")
}

fn queue(max_bytes: usize) -> Queue {
    Queue::new(Arc::new(Stats::default()), max_bytes)
}

#[tokio::test]
async fn a_batch_has_at_most_five_hundred_items() {
    let queue = queue(MAX_BYTES);
    for (at, items) in [(60, 300), (60, 200), (60, 1), (120, 1)] {
        queue.append(frame(at, items));
    }
    let sizes = async {
        let batch = queue.peek().await;
        queue.acknowledge(&batch);
        (batch.frames[0].at, batch.items())
    };
    assert_eq!(sizes.await, (60, 500));
    let batch = queue.peek().await;
    assert_eq!((batch.frames[0].at, batch.items()), (60, 1));
    assert_eq!(queue.peek().await, batch, "what is not acknowledged stays");
    queue.acknowledge(&batch);
    queue.acknowledge(&batch);
    assert_eq!(queue.items(), 1);
}

#[tokio::test]
async fn a_batch_mixes_stamps_but_never_of_one_series() {
    let queue = queue(MAX_BYTES);
    for (metric, at) in [("a", 60), ("b", 61), ("c", 59), ("a", 120), ("d", 120)] {
        queue.append(encode(&[sample(metric, "", 1.0, at)], "h"));
    }
    let batch = queue.peek().await;
    assert_eq!(batch.frames.iter().map(|frame| frame.at).collect::<Vec<_>>(), [60, 61, 59]);
    queue.acknowledge(&batch);
    assert_eq!(queue.peek().await.items(), 2);
}

#[tokio::test]
async fn the_oldest_go_first_and_are_counted() {
    let queue = queue(3 * frame(600, 10)[0].bytes());
    let mut dropped = 0;
    for at in 0..5 {
        dropped += queue.append(frame(600 + at * 60, 10));
    }
    assert_eq!((dropped, queue.stats.lost(Lost::Memory), queue.items()), (20, 20, 30));
    // Points went without a word in the log.
    assert!(queue.lock().overflowed);
    assert_eq!(queue.peek().await.frames[0].at, 720);
    while queue.items() > 0 {
        assert!(queue.lock().overflowed, "told once for as long as it lasts");
        let batch = queue.peek().await;
        queue.acknowledge(&batch);
    }
    assert!(!queue.lock().overflowed);
}

/// While a batch is on its way the queue may drop it to make room: the acknowledgement must not eat newer points.
#[tokio::test]
async fn an_acknowledgement_touches_only_its_own_frames() {
    let queue = queue(2 * frame(600, 10)[0].bytes());
    queue.append(frame(600, 10));
    let batch = queue.peek().await;
    queue.append(frame(660, 10));
    queue.append(frame(720, 10));
    queue.acknowledge(&batch);
    assert_eq!((queue.items(), queue.peek().await.frames[0].at), (20, 660));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_something_comes() {
    let queue = Arc::new(queue(MAX_BYTES));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.peek().await.items() }
    });
    tokio::task::yield_now().await;
    queue.append(frame(0, 3));
    assert_eq!(waiting.await.expect("ends"), 3);
}
