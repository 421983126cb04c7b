//! How the way to hbs is, for who looks: written with each report.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock;

/// How the last report went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Nothing is reported.
    #[default]
    Off,
    Untried,
    Up,
    /// hbs answers and does not take the report.
    Refused,
    Down,
}

impl Reach {
    pub fn as_str(self) -> &'static str {
        match self {
            Reach::Off => "off",
            Reach::Untried => "not tried",
            Reach::Up => "up",
            Reach::Refused => "refused",
            Reach::Down => "down",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Known {
    pub reach: Reach,
    /// In use, or tried last.
    pub addr: Option<String>,
    /// Unix seconds.
    pub since_s: Option<i64>,
    /// Why the last report did not go out, or was not taken.
    pub error: Option<String>,
    /// What was last reported of the plugins.
    pub plugins: Option<String>,
}

/// What is known; never waits for a call.
#[derive(Debug, Default)]
pub struct Way(Mutex<Known>);

impl Way {
    pub fn get(&self) -> Known {
        self.lock().clone()
    }

    pub fn set(&self, reach: Reach, addr: Option<&str>, error: Option<String>) {
        let mut known = self.lock();
        if known.reach != reach || known.since_s.is_none() {
            (known.reach, known.since_s) = (reach, Some(clock::unix_s()));
        }
        if matches!(reach, Reach::Off | Reach::Untried) {
            // It was told to another hbs, or to none any more.
            known.plugins = None;
        }
        known.addr = addr.filter(|addr| !addr.is_empty()).map(str::to_owned);
        known.error = error;
    }

    /// No report went out, which is not hbs's fault.
    pub(super) fn cannot(&self, why: String) {
        self.lock().error = Some(why);
    }

    pub(crate) fn told_plugins(&self, version: &str) {
        self.lock().plugins = Some(version.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
