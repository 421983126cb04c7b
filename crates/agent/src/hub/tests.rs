use super::remembered::{FORGET_S, MAX_SERIES};
use super::*;
use crate::queue::MAX_BYTES;

fn sample(metric: &str, tags: &str, at: i64) -> Sample {
    crate::model::sample(metric, tags, 1.0, at)
}

fn hub(change: impl FnOnce(&mut Config)) -> (Hub, Arc<Queue>, Arc<Stats>) {
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    change(&mut config);
    let config = Arc::new(config);
    let stats = Arc::new(Stats::default());
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let identity = Arc::new(Identity::new(&config));
    (Hub::new(config, identity, stats.clone(), Some(queue.clone())), queue, stats)
}

#[tokio::test]
async fn default_tags_go_on_everything_and_ignore_only_on_what_was_collected() {
    let (hub, queue, stats) = hub(|config| {
        config.default_tags = [("idc".to_owned(), "bj".to_owned()), ("app".to_owned(), "x".to_owned())].into();
        config.ignore = ["cpu.busy".to_owned()].into();
    });
    hub.ingest(vec![sample("cpu.busy", "", 60), sample("cpu.idle", "", 60)], 60);
    hub.push(vec![sample("cpu.busy", "k=v", 60)], 60).await.expect("room");
    let batch = queue.peek(usize::MAX, usize::MAX).await;
    let items: Vec<String> = batch
        .frames
        .iter()
        .flat_map(|f| (0..f.len()).filter_map(|n| f.item(n)))
        .map(|i| String::from_utf8_lossy(i).into_owned())
        .collect();
    assert_eq!(items.len(), 2, "{items:?}");
    assert!(items[0].contains(r#""metric":"cpu.idle""#) && items[0].contains(r#""tags":"app=x,idc=bj""#), "{items:?}");
    assert!(items[1].contains(r#""metric":"cpu.busy""#) && items[1].contains(r#""tags":"k=v,app=x,idc=bj""#));
    assert_eq!(stats.ignored.get(), 1);
}

/// A script that stamped every point with its own second made a call of each, ten a second: minutes of backlog.
#[tokio::test]
async fn a_push_with_alternating_stamps_is_one_frame() {
    let (hub, queue, _) = hub(|_| ());
    hub.push((0..100).map(|n| sample(&n.to_string(), "", 60 + n % 2)).collect(), 60).await.expect("room");
    let frames: Vec<_> = queue.peek(usize::MAX, usize::MAX).await.frames.iter().map(|frame| frame.len()).collect();
    assert_eq!(frames, [100]);
}

/// What a host without a name collected was gone, and `agent.points.dropped` said that nothing was lost.
#[test]
fn points_that_have_no_name_to_go_under_are_counted() {
    let samples = || vec![sample("cpu.busy", "", 60), sample("cpu.idle", "", 60)];
    let (named, queue, stats) = hub(|config| config.ignore = ["cpu.busy".to_owned()].into());
    named.ingest_as(Err(anyhow::anyhow!("no name")), samples(), 60);
    assert_eq!((queue.items(), stats.lost(Lost::Nameless), stats.lost_in_all()), (0, 1, 1));
    named.ingest_as(Ok("h".to_owned()), samples(), 120);
    assert_eq!((queue.items(), stats.lost(Lost::Nameless), stats.collected.get()), (1, 1, 1));
    let (off, _, stats) = hub(|config| config.transfer.enabled = false);
    off.ingest_as(Err(anyhow::anyhow!("no name")), samples(), 60);
    assert_eq!(stats.lost_in_all(), 0, "they would not have been sent");
}

/// As with the Go agent, where `transfer.enabled` switches the collectors off and pushes go on.
#[tokio::test]
async fn pushes_are_sent_also_where_collected_points_are_not() {
    let (hub, queue, _) = hub(|config| config.transfer.enabled = false);
    hub.ingest(vec![sample("cpu.idle", "", 60)], 60);
    assert_eq!(queue.items(), 0);
    hub.push(vec![sample("mine", "", 60)], 60).await.expect("room");
    assert_eq!((queue.items(), hub.snapshot(60).len()), (1, 2));
}

#[tokio::test]
async fn names_longer_than_a_transfer_takes_are_counted_and_left_out() {
    let (hub, queue, stats) = hub(|_| ());
    hub.push(vec![sample("m", &"t".repeat(509), 60), sample("m", &"t".repeat(510), 60)], 60).await.expect("room");
    assert_eq!((queue.items(), stats.too_long.get()), (1, 1));
}

/// The transfer removes blanks: `Local Area` and `LocalArea` would be one series with two points a cycle.
#[tokio::test]
async fn things_whose_names_become_one_are_counted_and_the_first_stays() {
    let (hub, queue, stats) = hub(|_| ());
    let two =
        || vec![sample("net.if.in.bytes", "iface=Local Area", 60), sample("net.if.in.bytes", "iface=LocalArea", 60)];
    hub.ingest(two(), 60);
    assert_eq!((queue.items(), stats.collided.get()), (1, 1));
    hub.push(two(), 60).await.expect("room");
    assert_eq!((queue.items(), stats.collided.get()), (3, 1), "pushes go as they are");
}

#[test]
fn own_tags_that_graph_has_no_room_for_are_cut_and_counted() {
    let (hub, _, stats) = hub(|config| config.default_tags = [("idc".to_owned(), "bj".to_owned())].into());
    let prepared = hub.prepare(vec![sample("m", &format!("mount={}", "d".repeat(300)), 60)], Origin::Collected);
    let tags = prepared[0].tags.as_str();
    assert_eq!((tags.len(), stats.tags_cut.get(), stats.too_long.get()), (190, 1, 0));
    assert!(tags.ends_with(",idc=bj"), "{tags}");
}

#[test]
fn the_newest_point_of_a_series_is_shown_until_it_is_old() {
    let (hub, _, _) = hub(|_| ());
    hub.ingest(vec![sample("b", "", 60), sample("a", "k=2", 60), sample("a", "k=1", 60)], 60);
    hub.ingest(vec![sample("b", "", 120)], 120);
    let shown: Vec<_> = hub.snapshot(120).iter().map(|l| (l.sample.metric.to_string(), l.sample.at)).collect();
    assert_eq!(shown, [("a".to_owned(), 60), ("a".to_owned(), 60), ("b".to_owned(), 120)]);
    assert_eq!(hub.snapshot(60 + FORGET_S + 1).len(), 1);
}

#[tokio::test]
async fn the_memory_for_series_is_bounded() {
    let (hub, _, stats) = hub(|_| ());
    let many = (0..MAX_SERIES + 7).map(|n| sample(&n.to_string(), "", 60)).collect();
    hub.push(many, 60).await.expect("room");
    assert_eq!((hub.snapshot(60).len(), stats.snapshot_full.get()), (MAX_SERIES, 7));
    // A pushed stamp in the future is no reason to be shown for ever.
    hub.push(vec![sample("new", "", i64::MAX)], 60 + 2 * FORGET_S).await.expect("room");
    assert_eq!(hub.snapshot(60 + 2 * FORGET_S).len(), 1, "what is old makes room");
}

#[test]
fn the_table_is_aligned() {
    let text = table(&[sample("cpu.idle", "", 0), sample("df.bytes.total", "mount=/", 0)]);
    let starts: Vec<_> = text.lines().map(|line| line.find("GAUGE").or(line.find("TYPE"))).collect();
    assert!(starts.iter().all(|start| *start == starts[0] && start.is_some()), "{text}");
}
