//! Where points come together: tags, `ignore`, limits, the latest value of every series, and the way to the transfer.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::Identity;
use crate::clock;
use crate::config::Config;
use crate::falcon::wire;
use crate::log::Repeats;
use crate::model::{Fit, Sample};
use crate::queue::{Full, Queue};
use crate::stats::{Lost, Stats};

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
    /// Series that were cut, left out or doubled, each told once.
    told: Mutex<Repeats>,
}

impl Hub {
    pub fn new(config: Arc<Config>, identity: Arc<Identity>, stats: Arc<Stats>, queue: Option<Arc<Queue>>) -> Hub {
        let default_tags = default_tags(&config);
        Hub {
            identity,
            config,
            stats,
            queue,
            default_tags,
            latest: Mutex::default(),
            nameless: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// Takes over what another showed, in whose place it stands.
    pub fn follow(&self, earlier: &Hub) {
        let taken = std::mem::take(&mut *earlier.latest.lock().unwrap_or_else(PoisonError::into_inner));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }

    /// As they are appended to what is collected.
    pub fn default_tags(&self) -> &str {
        &self.default_tags
    }

    /// Where points wait for a transfer; `None`: none is configured.
    pub fn queue(&self) -> Option<Arc<Queue>> {
        self.queue.clone()
    }

    /// Takes in what was collected by `now` (Unix seconds).
    pub fn ingest(&self, samples: Vec<Sample>, now: i64) {
        if !samples.is_empty() {
            self.ingest_as(self.identity.endpoint(), samples, now);
        }
    }

    fn ingest_as(&self, endpoint: anyhow::Result<String>, samples: Vec<Sample>, now: i64) {
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                if !self.nameless.swap(true, Relaxed) {
                    tracing::warn!(code = "A014", "no points are sent: {error:#}");
                }
                if self.queue.is_some() && self.config.transfer.enabled {
                    self.stats.lose(Lost::Nameless, self.prepare(samples, Origin::Collected).len());
                }
                return;
            }
        };
        self.nameless.store(false, Relaxed);
        let samples = self.prepare(samples, Origin::Collected);
        if let Some(queue) = self.queue.as_ref().filter(|_| self.config.transfer.enabled) {
            self.stats.collected.add(samples.len());
            queue.append(wire::encode(&samples, &endpoint, clock::steady_s()));
        }
        self.remember(samples, Origin::Collected, now);
    }

    /// Takes what was pushed at `now` (Unix seconds), all of it or nothing; answers when it is in the queue.
    ///
    /// # Errors
    /// There is no room, now.
    pub async fn push(&self, samples: Vec<Sample>, now: i64) -> Result<(), Full> {
        let mut samples = self.prepare(samples, Origin::Pushed);
        // Of a series the servers keep points in the order of time only.
        samples.sort_by_key(|sample| sample.at);
        // `transfer.enabled` is about what is collected; pushes are sent as soon as there is an address.
        if let Some(queue) = &self.queue {
            // A push names its own endpoints.
            queue.push(wire::encode(&samples, "", clock::steady_s())).await?;
        }
        self.remember(samples, Origin::Pushed, now);
        Ok(())
    }

    /// What a transfer would get of these points. Collected ones are brought into the servers' bounds here; pushed ones were
    /// checked when they came, and go as they are.
    pub fn prepare(&self, samples: Vec<Sample>, origin: Origin) -> Vec<Sample> {
        let mut kept = Vec::with_capacity(samples.len());
        let mut series = HashSet::with_capacity(if origin == Origin::Collected { samples.len() } else { 0 });
        for mut sample in samples {
            if origin == Origin::Collected && self.config.ignore.contains(sample.metric.as_ref()) {
                self.stats.ignored.add(1);
                continue;
            }
            sample.tags = std::mem::take(&mut sample.tags).with_defaults(&self.default_tags);
            match sample.tags.fit(&sample.metric, origin == Origin::Collected) {
                Fit::AsItIs => {}
                Fit::Cut(tags) => {
                    self.stats.tags_cut.add(1);
                    self.tell(&sample, "its tags are cut, with a hash of what was cut, to fit the servers' columns");
                    sample.tags = tags;
                }
                Fit::TooLong => {
                    self.stats.too_long.add(1);
                    self.tell(&sample, "left out: with its tags it is longer than the servers take");
                    continue;
                }
            }
            if origin == Origin::Collected && !series.insert(sample.key()) {
                self.stats.collided.add(1);
                self.tell(&sample, "left out: once cleaned, another series of this host has the same tags");
                continue;
            }
            kept.push(sample);
        }
        kept
    }

    /// Once for a thing, whatever it has of metrics.
    fn tell(&self, sample: &Sample, what: &str) {
        const SHOWN: usize = 100;
        let tags: String = sample.tags.as_str().chars().take(SHOWN).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.once("points", &tags, &format!("{what} (first seen with {})", sample.metric));
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

    /// The newest value of a metric of which there is one series, if it was collected lately.
    pub fn collected(&self, metric: &str, now: i64) -> Option<f64> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |latest: &&Latest| {
            latest.origin == Origin::Collected && *latest.sample.metric == *metric && fresh(latest, now)
        };
        latest.values().find(wanted).map(|latest| latest.sample.value.get())
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

/// As they are written: the Go agent appends them so.
fn default_tags(config: &Config) -> String {
    let pairs: Vec<String> = config.default_tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
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
mod tests;
