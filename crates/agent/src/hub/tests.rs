use super::remembered::{FORGET_S, MAX_SERIES, first};
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

/// What series said, by metric.
fn said(hub: &Hub, metric: &str, now: i64) -> Points {
    let id = hub.snapshot(now).iter().find(|latest| latest.sample.metric == metric).expect("shown").id;
    let (_, mut series) = hub.history(&[id], i64::MIN);
    series.remove(0).1
}

/// With another configuration every chart began anew.
#[test]
fn a_hub_in_the_place_of_another_goes_on_with_its_history() {
    let (first, ..) = hub(|_| ());
    (1..=500).for_each(|n| first.ingest(vec![sample("a", "", 60 * n), sample("b", "", 60 * n)], 60 * n));
    let facts = first.history_facts();
    let id = |hub: &Hub| hub.snapshot(30_000)[1].id;
    let b = id(&first);
    let (second, ..) = hub(|_| ());
    second.follow(&first);
    second.ingest(vec![sample("c", "", 30_060), sample("b", "", 30_060)], 30_060);
    assert_eq!((id(&second), second.history_facts().points), (b, facts.points + 2));
    assert_eq!(said(&second, "b", 30_060).len(), 501);
    assert_eq!(said(&second, "c", 30_060), [(30_060, 1.0)]);
    // A smaller cap is kept to at once, and by what comes next.
    let (third, ..) = hub(|config| config.http.history_kb = 1);
    third.follow(&second);
    third.ingest(vec![sample("b", "", 30_120)], 30_120);
    let facts = third.history_facts();
    assert!(facts.bytes <= 1024 && said(&third, "b", 30_120).ends_with(&[(30_120, 1.0)]), "{facts:?}");
    let (last, ..) = hub(|config| config.http.enabled = false);
    last.follow(&third);
    last.ingest(vec![sample("b", "", 30_180)], 30_180);
    assert_eq!((last.history_facts().bytes, said(&last, "b", 30_180)), (0, vec![]));
}

/// A series that is forgotten and comes back is another: what it was is told of nobody.
#[test]
fn a_number_is_never_given_to_another_series() {
    let (hub, ..) = hub(|_| ());
    hub.ingest(vec![sample("a", "", 60), sample("b", "", 60)], 60);
    let first = hub.snapshot(60)[0].id;
    let late = 60 + FORGET_S + 1;
    assert!(hub.snapshot(late).is_empty());
    hub.ingest(vec![sample("b", "", late)], late);
    assert_eq!((hub.snapshot(late)[0].id, said(&hub, "b", late)), (first.wrapping_add(2), vec![(late, 1.0)]));
}

/// After a restart an open page showed the facts of another series over the curve of the old one.
#[test]
fn a_process_has_other_numbers_than_the_one_before() {
    let now = 1_700_000_000;
    assert_eq!(first(now + 1).wrapping_sub(first(now)), 4096);
    assert_eq!(first(now + 3600).wrapping_sub(first(now)), 3600 * 4096);
    assert_eq!((first(0), first((1 << 20) - 1)), (0, u32::MAX - 4095));
}

#[tokio::test]
async fn what_a_plugin_said_is_told_apart_from_a_push() {
    let (hub, queue, _) = hub(|_| ());
    hub.push_as(Origin::Plugin, vec![sample("mine", "", 60)], 60).await.expect("room");
    assert_eq!((queue.items(), hub.snapshot(60)[0].origin), (1, Origin::Plugin));
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

/// Of a program with a job's number in a tag ten thousand series took every place, and a new volume was shown nowhere.
#[tokio::test]
async fn what_is_collected_finds_a_place_and_the_pushed_series_silent_longest_makes_it() {
    let (hub, _, stats) = hub(|_| ());
    let pushed = |from: usize, to: usize| (from..to).map(|n| sample(&format!("job.{n}"), "", 60)).collect::<Vec<_>>();
    hub.ingest(vec![sample("a", "", 60)], 60);
    hub.push(pushed(0, 10), 60).await.expect("room");
    hub.push(pushed(10, MAX_SERIES - 1), 61).await.expect("room");
    hub.push(pushed(0, 7), 62).await.expect("room");
    assert_eq!((hub.snapshot(62).len(), stats.snapshot_full.get()), (MAX_SERIES, 0));
    hub.ingest(vec![sample("a", "", 70), sample("job.9", "", 70), sample("b", "", 70), sample("c", "", 70)], 70);
    let names: Vec<String> = hub.snapshot(70).iter().map(|latest| latest.sample.metric.to_string()).collect();
    assert_eq!((names.len(), stats.snapshot_full.get()), (MAX_SERIES, 2));
    let has = |name: &str| names.iter().any(|it| it == name);
    assert!(["a", "b", "c", "job.0", "job.6", "job.9", "job.10"].into_iter().all(has));
    let gone = names.iter().filter(|name| matches!(name.as_str(), "job.7" | "job.8" | "job.9")).count();
    assert_eq!(gone, 1, "two of the three that were silent since the first push");
    hub.push(vec![sample("more", "", 70)], 70).await.expect("room");
    assert_eq!(stats.snapshot_full.get(), 3, "pushes take no place of others");
    // Of what is collected there may be too much itself.
    hub.ingest((0..MAX_SERIES + 5).map(|n| sample(&n.to_string(), "", 80)).collect(), 80);
    assert_eq!(hub.snapshot(80).iter().filter(|it| it.origin == Origin::Collected).count(), MAX_SERIES);
}

#[test]
fn the_table_is_aligned() {
    let text = table(&[sample("cpu.idle", "", 0), sample("df.bytes.total", "mount=/", 0)]);
    let starts: Vec<_> = text.lines().map(|line| line.find("GAUGE").or(line.find("TYPE"))).collect();
    assert!(starts.iter().all(|start| *start == starts[0] && start.is_some()), "{text}");
}
