//! Where points come together: tags, `ignore`, limits, what every series said lately, and the way to the transfer.

pub mod history;
mod remembered;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::Identity;
use crate::clock;
use crate::config::Config;
use crate::falcon::wire;
use crate::log::Repeats;
use crate::model::{Fit, Sample};
use crate::queue::{Full, Queue};
use crate::stats::{Lost, Stats};
use history::{HistoryFacts, Points};
use remembered::Remembered;
pub use remembered::{Latest, Origin};

pub struct Hub {
    identity: Arc<Identity>,
    config: Arc<Config>,
    stats: Arc<Stats>,
    /// `None`: no transfer is configured.
    queue: Option<Arc<Queue>>,
    /// `default_tags` as they are appended.
    default_tags: String,
    remembered: Mutex<Remembered>,
    /// The host had no name at the last cycle, and that was told.
    nameless: AtomicBool,
    /// Series that were cut, left out or doubled, each told once.
    told: Mutex<Repeats>,
}

impl Hub {
    pub fn new(config: Arc<Config>, identity: Arc<Identity>, stats: Arc<Stats>, queue: Option<Arc<Queue>>) -> Hub {
        let (default_tags, remembered) = (default_tags(&config), Remembered::new(config.http.history_bytes()));
        Hub {
            identity,
            config,
            stats,
            queue,
            default_tags,
            remembered: Mutex::new(remembered),
            nameless: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// Takes over what another showed, in whose place it stands.
    pub fn follow(&self, earlier: &Hub) {
        let taken = std::mem::replace(&mut *earlier.remembered(), Remembered::new(0));
        self.remembered().follow(taken, self.config.http.history_bytes());
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
                    crate::log::say!(Warn, "A014", "no points are sent: {error:#}");
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
        self.push_as(Origin::Pushed, samples, now).await
    }

    /// The same, by `origin`.
    ///
    /// # Errors
    /// There is no room, now.
    pub async fn push_as(&self, origin: Origin, samples: Vec<Sample>, now: i64) -> Result<(), Full> {
        let mut samples = self.prepare(samples, origin);
        // Of a series the servers keep points in the order of time only.
        samples.sort_by_key(|sample| sample.at);
        // `transfer.enabled` is about what is collected; pushes are sent as soon as there is an address.
        if let Some(queue) = &self.queue {
            // A push names its own endpoints.
            queue.push(wire::encode(&samples, "", clock::steady_s())).await?;
        }
        self.remember(samples, origin, now);
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
        self.snapshot_of(&|_| true, now)
    }

    /// The same of these alone.
    pub fn snapshot_of(&self, of: &dyn Fn(&Latest) -> bool, now: i64) -> Vec<Latest> {
        let mut all = self.remembered().fresh(of, now);
        let order =
            |a: &Latest| (a.sample.metric.clone(), a.sample.tags.as_str().to_owned(), a.sample.endpoint.clone());
        all.sort_by_cached_key(order);
        all
    }

    /// The newest value of a metric of which there is one series, if it was collected lately.
    pub fn collected(&self, metric: &str, now: i64) -> Option<f64> {
        self.remembered().find(|it| it.origin == Origin::Collected && it.sample.metric == metric, now)
    }

    /// What these series said since `from`, those of them that are remembered, by their numbers; and since when there are any.
    pub fn history(&self, ids: &[u32], from: i64) -> (Option<i64>, Vec<(u32, Points)>) {
        let (known, view) = self.remembered().view(ids);
        let points = view.series(&known, from);
        (view.from, known.into_iter().map(|(id, _)| id).zip(points).collect())
    }

    pub fn history_facts(&self) -> HistoryFacts {
        self.remembered().facts()
    }

    fn remember(&self, samples: Vec<Sample>, origin: Origin, now: i64) {
        let left_out = self.remembered().remember(samples, origin, now);
        self.stats.snapshot_full.add(left_out);
    }

    /// What comes in waits for this, too.
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
