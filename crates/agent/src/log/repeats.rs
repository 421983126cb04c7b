//! Problems that last, told when they begin and when they are over.

use std::collections::BTreeMap;

/// Problems that last: each is logged when it begins or changes, and once more when it is over: when it did not come back
/// for some cycles, so that one that comes and goes is not told for ever.
#[derive(Debug, Default)]
pub struct Repeats(BTreeMap<String, Told>);

#[derive(Debug)]
struct Told {
    why: String,
    /// Cycles since it was last there.
    calm: u8,
}

impl Repeats {
    /// Bounded: a source that invents new names of problems for ever must not grow this.
    const MOST: usize = 256;
    /// After so many cycles without it a problem is over.
    pub const CALM: u8 = 3;

    /// Whether it is news; if so it is logged.
    pub fn warn(&mut self, who: &str, what: &str, why: &str) -> bool {
        self.is_news(what, why) && {
            crate::log::say!(Warn, "C001", "{who}: {what}: {why}");
            true
        }
    }

    fn is_news(&mut self, what: &str, why: &str) -> bool {
        let full = self.0.len() >= Self::MOST;
        match self.0.get_mut(what) {
            Some(told) if told.why == why => {
                told.calm = 0;
                return false;
            }
            None if full => return false,
            _ => {}
        }
        self.0.insert(what.to_owned(), Told { why: why.to_owned(), calm: 0 });
        true
    }

    /// Tells a thing whose words change (a list of names) only when it begins.
    pub fn once(&mut self, who: &str, what: &str, why: &str) -> bool {
        match self.0.get_mut(what) {
            Some(told) => {
                told.calm = 0;
                false
            }
            None => {
                self.is_news(what, why) && {
                    crate::log::say!(Warn, "C003", "{who}: {what}: {why}");
                    true
                }
            }
        }
    }

    /// A cycle went by: forgets the problems that have not held for [`Self::CALM`] cycles, with a line each.
    pub fn resolve(&mut self, who: &str, holds: impl Fn(&str) -> bool) {
        self.0.retain(|what, told| {
            told.calm = if holds(what) { 0 } else { told.calm + 1 };
            let over = told.calm >= Self::CALM;
            if over {
                crate::log::say!(Info, "C002", "{who}: {what}: over");
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_problem_is_told_once_and_told_again_after_it_was_over() {
        let mut repeats = Repeats::default();
        assert!(repeats.warn("df", "mount /a", "does not answer"));
        assert!(!repeats.warn("df", "mount /a", "does not answer"));
        assert!(repeats.warn("df", "mount /a", "Stale file handle"));
        assert!(!repeats.once("df", "mount /a", "does not answer again"));
        (0..Repeats::CALM).for_each(|_| repeats.resolve("df", |_| false));
        assert!(repeats.once("df", "mount /a", "does not answer"));
    }

    /// A table that could be read every other time filled the log with warnings and all-clears.
    #[test]
    fn what_comes_and_goes_is_told_once() {
        let mut repeats = Repeats::default();
        let told = (0..100).filter(|cycle| {
            let fails = cycle % 2 == 0;
            let news = fails && repeats.warn("ss", "states", "bad address");
            repeats.resolve("ss", |_| fails);
            news
        });
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn the_memory_of_problems_is_bounded() {
        let mut repeats = Repeats::default();
        let told = (0..10_000).filter(|n| repeats.warn("x", &n.to_string(), "bad")).count();
        assert_eq!(told, Repeats::MOST);
    }
}
