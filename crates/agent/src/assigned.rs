//! What hbs assigned to this host, as it answered last: checks (`Agent.BuiltinMetrics`), trusted addresses
//! (`Agent.TrustableIps`) and plugins (`Agent.MinePlugins`). Collectors see it through [`Context`](crate::collect::Context).
//!
//! The last answers are kept in `hbs.json` ([`keep`]) and used at the next start until hbs answers, each until its own call is
//! answered; those of another endpoint are not. A check that cannot be read is told once and left out ([`check`]). What the
//! configuration asks for is checked with the others, whoever hbs takes this host for.

pub mod check;
mod keep;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use check::{Checks, Refusal};
use keep::Keeper;

use crate::config::tags_without_credentials;

/// Checks of one answer that are looked at; a host has some dozens.
pub const MOST_CHECKS: usize = 4096;

/// One strategy's metric, as hbs has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltinMetric {
    pub metric: String,
    pub tags: String,
}

/// The last answer to each call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answers {
    /// Whose they are.
    hostname: String,
    metrics: Vec<BuiltinMetric>,
    /// As hbs joins them.
    trustable: String,
    plugins: Vec<String>,
}

/// What is told of each new list of trusted addresses.
type Listener = Box<dyn Fn(Vec<IpAddr>) + Send>;
/// What is told that plugins are others.
type Waker = Box<dyn Fn() + Send>;

#[derive(Default)]
struct Inner {
    answers: Answers,
    /// Answered since the start: what is on disk is older.
    answered: Answered,
    /// By hbs.
    assigned: Checks,
    configured: Checks,
    /// Both together.
    checks: Arc<Checks>,
    plugins: Arc<Vec<String>>,
    listener: Option<Listener>,
    runs_plugins: Option<Waker>,
    /// Checks that cannot be read, as they were told.
    told: BTreeSet<String>,
}

#[derive(Clone, Copy, Default)]
struct Answered {
    metrics: bool,
    trustable: bool,
    plugins: bool,
}

/// Shared by the one who asks hbs and by all who do what it says.
#[derive(Default)]
pub struct Assigned {
    inner: Mutex<Inner>,
    keeper: Option<Keeper>,
}

impl Assigned {
    /// Remembers in a directory, if there is one, and reads what was answered to an endpoint before: on a thread of its own, as
    /// the directory may hang. Without the endpoint nothing is read.
    pub fn open(dir: Option<&Path>, hostname: Option<&str>) -> Arc<Assigned> {
        let keeper = dir.and_then(Keeper::start);
        let assigned = Arc::new(Assigned { inner: Mutex::default(), keeper });
        if let (Some(keeper), Some(hostname)) = (&assigned.keeper, hostname) {
            let (recalls, hostname) = (Arc::downgrade(&assigned), hostname.to_owned());
            keeper.read(move |answers| {
                if let Some(assigned) = recalls.upgrade() {
                    assigned.recall(&hostname, answers);
                }
            });
        }
        assigned
    }

    /// Where it remembers.
    pub fn dir(&self) -> Option<&Path> {
        self.keeper.as_ref().and_then(Keeper::dir)
    }

    /// What the configuration asks for beside hbs.
    pub fn configure(&self, configured: Checks) {
        let mut inner = self.lock();
        inner.configured = configured;
        inner.join();
    }

    /// The checks to run.
    pub fn checks(&self) -> Arc<Checks> {
        self.lock().checks.clone()
    }

    /// The plugins to run, as hbs names them.
    pub fn plugins(&self) -> Arc<Vec<String>> {
        self.lock().plugins.clone()
    }

    /// Tells `listener` the trusted addresses that are known, and every list after it.
    pub fn tell_trustable(&self, listener: impl Fn(Vec<IpAddr>) + Send + 'static) {
        let mut inner = self.lock();
        listener(addresses(&inner.answers.trustable).0);
        inner.listener = Some(Box::new(listener));
    }

    /// Tells `listener` whenever the plugins to run are others, from now on.
    pub fn tell_plugins(&self, listener: impl Fn() + Send + 'static) {
        self.lock().runs_plugins = Some(Box::new(listener));
    }

    /// What was answered to another endpoint is not this host's.
    pub fn belongs_to(&self, hostname: &str) {
        let mut inner = self.lock();
        if inner.answers.hostname != hostname {
            if inner.answers != Answers::default() {
                inner.set_metrics(Vec::new());
                inner.set_trustable(String::new());
                inner.set_plugins(Vec::new());
            }
            inner.answers.hostname = hostname.to_owned();
        }
    }

    /// Goes on with what another knew of this endpoint, in whose place it stands; what is kept in its own directory is older.
    pub fn follow(&self, before: &Assigned, hostname: &str) {
        let (answers, answered) = {
            let inner = before.lock();
            (inner.answers.clone(), inner.answered)
        };
        if answers.hostname != hostname {
            return;
        }
        self.change(|inner| {
            inner.answers.hostname = answers.hostname;
            if answered.metrics || !answers.metrics.is_empty() {
                inner.answered.metrics = true;
                inner.set_metrics(answers.metrics);
            }
            if answered.trustable || !answers.trustable.is_empty() {
                inner.answered.trustable = true;
                inner.set_trustable(answers.trustable);
            }
            if answered.plugins || !answers.plugins.is_empty() {
                inner.answered.plugins = true;
                inner.set_plugins(answers.plugins);
            }
        });
    }

    /// No hbs is configured any more: nothing is assigned.
    pub fn forget(&self) {
        self.belongs_to("");
    }

    pub fn set_metrics(&self, metrics: Vec<BuiltinMetric>) {
        self.change(|inner| {
            inner.answered.metrics = true;
            inner.set_metrics(metrics);
        });
    }

    pub fn set_trustable(&self, text: String) {
        self.change(|inner| {
            inner.answered.trustable = true;
            inner.set_trustable(text);
        });
    }

    pub fn set_plugins(&self, plugins: Vec<String>) {
        self.change(|inner| {
            inner.answered.plugins = true;
            inner.set_plugins(plugins);
        });
    }

    /// What is to be run without an hbs: of the self-check, and of tests.
    pub fn assume(&self, checks: Checks) {
        self.lock().checks = Arc::new(checks);
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        let before = inner.answers.clone();
        change(&mut inner);
        if let Some(keeper) = self.keeper.as_ref().filter(|_| inner.answers != before) {
            keeper.write(&inner.answers);
        }
    }

    /// Answers of an earlier run, where nothing newer is known.
    fn recall(&self, hostname: &str, answers: Answers) {
        let mut inner = self.lock();
        let is_this = |whose: &str| whose == hostname;
        if !is_this(&answers.hostname) || !(inner.answers.hostname.is_empty() || is_this(&inner.answers.hostname)) {
            return;
        }
        inner.answers.hostname = answers.hostname;
        if !inner.answered.metrics {
            inner.set_metrics(answers.metrics);
        }
        if !inner.answered.trustable {
            inner.set_trustable(answers.trustable);
        }
        if !inner.answered.plugins {
            inner.set_plugins(answers.plugins);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn set_metrics(&mut self, mut metrics: Vec<BuiltinMetric>) {
        if metrics.len() > MOST_CHECKS {
            crate::log::say!(Warn, "R007", "hbs: it assigns more than {MOST_CHECKS} checks; the rest is left out");
            metrics.truncate(MOST_CHECKS);
        }
        let (checks, refused) = Checks::read(&metrics, &self.answers.hostname);
        let mut told = BTreeSet::new();
        for (check, refusal) in refused {
            match refusal {
                Refusal::Unknown => {}
                Refusal::Malformed(why) => {
                    if !self.told.contains(&check) {
                        let shown: String = shown(&check).chars().take(200).collect();
                        crate::log::say!(Warn, "R006", "hbs: the check {shown} is left out: {why}");
                    }
                    told.insert(check);
                }
            }
        }
        self.told = told;
        if self.assigned != checks {
            crate::log::say!(
                Info,
                "R009",
                "hbs: assigned are {} ports, {} process counts, {} directories and {} URLs",
                checks.ports.len(),
                checks.processes.len(),
                checks.directories.len(),
                checks.urls.len()
            );
            self.assigned = checks;
            self.join();
        }
        self.answers.metrics = metrics;
    }

    fn join(&mut self) {
        let mut checks = self.assigned.clone();
        checks.extend(&self.configured);
        if *self.checks != checks {
            self.checks = Arc::new(checks);
        }
    }

    fn set_trustable(&mut self, text: String) {
        if self.answers.trustable != text {
            let (addresses, odd) = addresses(&text);
            if let Some(odd) = odd {
                let odd: String = odd.chars().take(100).collect();
                crate::log::say!(
                    Warn,
                    "R010",
                    "hbs: {odd} in its list of trusted addresses is none, and trusts nobody"
                );
            }
            if let Some(tell) = &self.listener {
                tell(addresses);
            }
            self.answers.trustable = text;
        }
    }

    fn set_plugins(&mut self, plugins: Vec<String>) {
        if *self.plugins != plugins {
            self.plugins = Arc::new(plugins.clone());
            if let Some(tell) = &self.runs_plugins {
                tell();
            }
        }
        self.answers.plugins = plugins;
    }
}

/// A check that cannot be read, as the log may have it.
fn shown(check: &str) -> String {
    match check.split_once('/') {
        Some((metric @ "url.check.health", tags)) => format!("{metric}/{}", tags_without_credentials(tags)),
        _ => check.to_owned(),
    }
}

/// The addresses of hbs's `trustable`, and the first part of it that is none. A part in brackets is one of IPv6, as the Go
/// agent compared it.
fn addresses(text: &str) -> (Vec<IpAddr>, Option<&str>) {
    let mut odd = None;
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        let bare = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
        bare.unwrap_or(part).parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    };
    let mut addresses = Vec::new();
    for part in parts {
        match read(part) {
            Some(address) => addresses.push(address),
            None => {
                odd.get_or_insert(part);
            }
        }
    }
    (addresses, odd)
}

#[cfg(test)]
mod tests;
