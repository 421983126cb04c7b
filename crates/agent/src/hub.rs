//! Where points come together: tags, `ignore`, limits, the latest value of every series, and the way to the transfer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::Identity;
use crate::config::Config;
use crate::falcon::wire;
use crate::model::{Sample, Tags};
use crate::queue::Queue;
use crate::stats::Stats;

/// A transfer refuses metric and tags that are longer together.
pub const MAX_NAME: usize = 510;
/// Series kept for the status page; pushes may name as many as they like.
const MAX_SERIES: usize = 10_000;
/// A series that said nothing for so long is no longer shown.
const FORGET_S: i64 = 3600;
/// The same for a series of a long step.
const FORGET_MOST_S: i64 = 3 * 86_400;

/// Where a point came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Collected,
    Pushed,
}

/// The newest point of one series.
#[derive(Clone, Debug)]
pub struct Latest {
    pub sample: Sample,
    pub origin: Origin,
    /// When it came in, Unix seconds: a pushed stamp may lie anywhere.
    pub seen: i64,
}

pub struct Hub {
    identity: Arc<Identity>,
    config: Arc<Config>,
    stats: Arc<Stats>,
    /// `None`: no transfer is configured.
    queue: Option<Arc<Queue>>,
    /// `default_tags` as they are appended.
    default_tags: String,
    latest: Mutex<HashMap<u64, Latest>>,
    /// The host had no name at the last cycle, and that was told.
    nameless: AtomicBool,
}

impl Hub {
    pub fn new(config: Arc<Config>, identity: Arc<Identity>, stats: Arc<Stats>, queue: Option<Arc<Queue>>) -> Hub {
        let default_tags = default_tags(&config);
        Hub { identity, config, stats, queue, default_tags, latest: Mutex::default(), nameless: AtomicBool::new(false) }
    }

    /// Takes points in that came at `now` (Unix seconds): what a transfer would get is queued.
    pub fn ingest(&self, samples: Vec<Sample>, origin: Origin, now: i64) {
        if samples.is_empty() {
            return;
        }
        // Pushes name their own endpoint; asking the system for ours would be in vain.
        let endpoint = match (origin, self.identity.endpoint()) {
            (_, Ok(endpoint)) => endpoint,
            (Origin::Pushed, Err(_)) => String::new(),
            (Origin::Collected, Err(error)) => {
                if !self.nameless.swap(true, Relaxed) {
                    tracing::warn!("no points are sent: {error:#}");
                }
                return;
            }
        };
        if origin == Origin::Collected {
            self.nameless.store(false, Relaxed);
        }
        let mut samples = self.prepare(samples, origin);
        // Of a series the servers keep points in the order of time only; and a frame carries one stamp, so that a push whose
        // stamps alternate would become a frame for each point.
        samples.sort_by_key(|sample| sample.at);
        // `transfer.enabled` is about what is collected; pushes are sent as soon as there is an address.
        let sends = origin == Origin::Pushed || self.config.transfer.enabled;
        if let Some(queue) = self.queue.as_ref().filter(|_| sends) {
            queue.append(wire::encode(&samples, &endpoint));
        }
        self.remember(samples, origin, now);
    }

    /// What a transfer would get of these points.
    pub fn prepare(&self, samples: Vec<Sample>, origin: Origin) -> Vec<Sample> {
        let mut kept = Vec::with_capacity(samples.len());
        for mut sample in samples {
            if origin == Origin::Collected && self.config.ignore.contains(sample.metric.as_ref()) {
                self.stats.ignored.add(1);
                continue;
            }
            sample.tags = std::mem::take(&mut sample.tags).with_defaults(&self.default_tags);
            if sample.metric.len() + sample.tags.as_str().len() > MAX_NAME {
                if self.stats.too_long.get() == 0 {
                    let (metric, tags) = (&sample.metric, sample.tags.as_str());
                    tracing::warn!(
                        "{metric} left out: with its tags it is longer than {MAX_NAME} bytes (told once): {tags}"
                    );
                }
                self.stats.too_long.add(1);
                continue;
            }
            kept.push(sample);
        }
        kept
    }

    /// Every series with its newest point, in the order of names.
    pub fn snapshot(&self, now: i64) -> Vec<Latest> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.retain(|_, latest| fresh(latest, now));
        let mut all: Vec<Latest> = latest.values().cloned().collect();
        drop(latest);
        let order =
            |a: &Latest| (a.sample.metric.clone(), a.sample.tags.as_str().to_owned(), a.sample.endpoint.clone());
        all.sort_by_cached_key(order);
        all
    }

    fn remember(&self, samples: Vec<Sample>, origin: Origin, now: i64) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() + samples.len() > MAX_SERIES {
            latest.retain(|_, latest| fresh(latest, now));
        }
        for sample in samples {
            let key = sample.key();
            if latest.len() < MAX_SERIES || latest.contains_key(&key) {
                latest.insert(key, Latest { sample, origin, seen: now });
            } else {
                self.stats.snapshot_full.add(1);
            }
        }
    }
}

fn fresh(latest: &Latest, now: i64) -> bool {
    let lasts = latest.sample.step.saturating_mul(3).clamp(FORGET_S, FORGET_MOST_S);
    now - latest.seen <= lasts
}

fn default_tags(config: &Config) -> String {
    let pairs: Vec<(&str, &str)> = config.default_tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    Tags::of(&pairs).as_str().to_owned()
}

/// One line a series, aligned: for people.
pub fn table(rows: &[Sample]) -> String {
    let cells = |sample: &Sample| {
        let mut value = Vec::new();
        wire::number(sample.value.get(), &mut value);
        [
            sample.metric.to_string(),
            sample.tags.as_str().to_owned(),
            String::from_utf8_lossy(&value).into_owned(),
            sample.kind.as_str().to_owned(),
        ]
    };
    let header = ["METRIC", "TAGS", "VALUE", "TYPE"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let (name, tags, value) = (width(0).unwrap_or(0), width(1).unwrap_or(0), width(2).unwrap_or(0));
    let line = |[a, b, c, d]: &[String; 4]| format!("{a:name$}  {b:tags$}  {c:>value$}  {d}\n");
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
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
        let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES));
        let identity = Arc::new(Identity::new(&config));
        (Hub::new(config, identity, stats.clone(), Some(queue.clone())), queue, stats)
    }

    #[tokio::test]
    async fn default_tags_go_on_everything_and_ignore_only_on_what_was_collected() {
        let (hub, queue, stats) = hub(|config| {
            config.default_tags = [("idc".to_owned(), "bj".to_owned()), ("app".to_owned(), "x".to_owned())].into();
            config.ignore = ["cpu.busy".to_owned()].into();
        });
        hub.ingest(vec![sample("cpu.busy", "", 60), sample("cpu.idle", "", 60)], Origin::Collected, 60);
        hub.ingest(vec![sample("cpu.busy", "k=v", 60)], Origin::Pushed, 60);
        let batch = queue.peek().await;
        let items: Vec<String> =
            batch.frames.iter().flat_map(|f| f.items()).map(|i| String::from_utf8_lossy(i).into_owned()).collect();
        assert_eq!(items.len(), 2, "{items:?}");
        assert!(
            items[0].contains(r#""metric":"cpu.idle""#) && items[0].contains(r#""tags":"app=x,idc=bj""#),
            "{items:?}"
        );
        assert!(items[1].contains(r#""metric":"cpu.busy""#) && items[1].contains(r#""tags":"k=v,app=x,idc=bj""#));
        assert_eq!(stats.ignored.get(), 1);
    }

    /// A script that stamped every point with its own second made a call of each, ten a second: minutes of backlog.
    #[tokio::test]
    async fn a_push_with_alternating_stamps_is_one_frame_for_each() {
        let (hub, queue, _) = hub(|_| ());
        hub.ingest((0..100).map(|n| sample(&n.to_string(), "", 60 + n % 2)).collect(), Origin::Pushed, 60);
        let frames: Vec<_> = queue.peek().await.frames.iter().map(|frame| (frame.at, frame.len())).collect();
        assert_eq!(frames, [(60, 50), (61, 50)]);
    }

    /// As with the Go agent, where `transfer.enabled` switches the collectors off and pushes go on.
    #[test]
    fn pushes_are_sent_also_where_collected_points_are_not() {
        let (hub, queue, _) = hub(|config| config.transfer.enabled = false);
        hub.ingest(vec![sample("cpu.idle", "", 60)], Origin::Collected, 60);
        assert_eq!(queue.items(), 0);
        hub.ingest(vec![sample("mine", "", 60)], Origin::Pushed, 60);
        assert_eq!((queue.items(), hub.snapshot(60).len()), (1, 2));
    }

    #[test]
    fn names_longer_than_a_transfer_takes_are_counted_and_left_out() {
        let (hub, queue, stats) = hub(|_| ());
        hub.ingest(vec![sample("m", &"t".repeat(509), 60), sample("m", &"t".repeat(510), 60)], Origin::Pushed, 60);
        assert_eq!((queue.items(), stats.too_long.get()), (1, 1));
    }

    #[test]
    fn the_newest_point_of_a_series_is_shown_until_it_is_old() {
        let (hub, _, _) = hub(|_| ());
        hub.ingest(vec![sample("b", "", 60), sample("a", "k=2", 60), sample("a", "k=1", 60)], Origin::Collected, 60);
        hub.ingest(vec![sample("b", "", 120)], Origin::Collected, 120);
        let shown: Vec<_> = hub.snapshot(120).iter().map(|l| (l.sample.metric.to_string(), l.sample.at)).collect();
        assert_eq!(shown, [("a".to_owned(), 60), ("a".to_owned(), 60), ("b".to_owned(), 120)]);
        assert_eq!(hub.snapshot(60 + FORGET_S + 1).len(), 1);
    }

    #[test]
    fn the_memory_for_series_is_bounded() {
        let (hub, _, stats) = hub(|_| ());
        let many = (0..MAX_SERIES + 7).map(|n| sample(&n.to_string(), "", 60)).collect();
        hub.ingest(many, Origin::Pushed, 60);
        assert_eq!((hub.snapshot(60).len(), stats.snapshot_full.get()), (MAX_SERIES, 7));
        // A pushed stamp in the future is no reason to be shown for ever.
        hub.ingest(vec![sample("new", "", i64::MAX)], Origin::Pushed, 60 + 2 * FORGET_S);
        assert_eq!(hub.snapshot(60 + 2 * FORGET_S).len(), 1, "what is old makes room");
    }

    #[test]
    fn the_table_is_aligned() {
        let text = table(&[sample("cpu.idle", "", 0), sample("df.bytes.total", "mount=/", 0)]);
        let starts: Vec<_> = text.lines().map(|line| line.find("GAUGE").or(line.find("TYPE"))).collect();
        assert!(starts.iter().all(|start| *start == starts[0] && start.is_some()), "{text}");
    }
}
