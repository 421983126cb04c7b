//! What the log is told of bound paths that do not run, of the place and of its disk: each once, and once more when it is over.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::files::Left;
use super::registry::Bound;

/// Of one look; the rest is on `/plugins`.
const MOST: usize = 20;

#[derive(Default)]
pub(super) struct Told {
    /// What does not run, with why.
    left: BTreeSet<(String, String)>,
    unsafe_place: Option<String>,
    away: bool,
    hangs: bool,
}

impl Told {
    pub fn left(&mut self, left: &[Left], bindings: &[String]) {
        let now: BTreeSet<(String, String)> = left.iter().map(|left| (left.what.clone(), left.why.clone())).collect();
        let bound = Bound::of(bindings);
        for (what, why) in now.difference(&self.left).take(MOST) {
            if bound.is_one(what) {
                crate::log::say!(Warn, "U013", "plugins: {what} is bound and does not run: {why}");
            } else {
                // Beside plugins lies what they need.
                crate::log::say!(Info, "U014", "plugins: {what} does not run: {why}");
            }
        }
        self.left = now;
    }

    pub fn place(&mut self, unsafe_place: Option<&str>) {
        if self.unsafe_place.as_deref() == unsafe_place {
            return;
        }
        match unsafe_place {
            Some(why) => crate::log::say!(Error, "U015", "plugins: none runs: {why}"),
            None => {
                crate::log::say!(Info, "U016", "plugins: only who may can change the directory now; what is bound runs")
            }
        }
        self.unsafe_place = unsafe_place.map(str::to_owned);
    }

    pub fn away(&mut self, away: Option<&str>, dir: &Path) {
        let before = std::mem::replace(&mut self.away, away.is_some());
        match away {
            Some(why) if !before => crate::log::say!(Warn, "U024", "plugins: {why}; none can run until it is there"),
            None if before => crate::log::say!(Info, "U025", "plugins: {} is there", dir.display()),
            _ => {}
        }
    }

    pub fn hangs(&mut self, dir: &Path) {
        if !std::mem::replace(&mut self.hangs, true) {
            crate::log::say!(
                Warn,
                "U022",
                "plugins: {} does not answer: nothing new is picked up until it does; what runs goes on",
                dir.display()
            );
        }
    }

    pub fn answers(&mut self, dir: &Path) {
        if std::mem::take(&mut self.hangs) {
            crate::log::say!(Info, "U023", "plugins: {} answers again", dir.display());
        }
    }
}
