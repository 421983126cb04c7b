//! What became of the runs of one plugin: for `/plugins`, and for the log, which is told once of what lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::super::perform::{End, Performed};
use crate::push::{Batch, Invalid};

/// After so many good runs what was told is over.
const CALM: u8 = 3;
/// Before another reason is told: a text may have in it what was printed, and be another each time.
const AGAIN: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Record {
    pub runs: u64,
    pub failed: u64,
    pub skipped: u64,
    pub last: Option<Last>,
    /// Why it fails, as it was told.
    told: Option<(String, Instant)>,
    /// Good runs since.
    calm: u8,
    told_invalid: BTreeSet<Invalid>,
}

/// The last run.
pub(super) struct Last {
    /// Unix seconds.
    pub began_s: i64,
    pub took: Duration,
    pub end: &'static str,
    pub exit: Option<i32>,
    pub items: usize,
    /// Points that are left out, by reason.
    pub invalid: BTreeMap<&'static str, usize>,
    pub small_steps: usize,
    pub ahead: usize,
    /// Why nothing of it is sent, or what was wrong with it though it is.
    pub error: Option<String>,
    pub stderr: String,
    pub remark: Option<String>,
}

impl Last {
    fn of(performed: &Performed, points: usize) -> Last {
        let (end, exit) = match performed.end {
            End::Exited(code) => ("exited", Some(code)),
            End::Killed(_) => ("killed", None),
            End::Late => ("late", None),
            End::Stopped => ("stopped", None),
            End::TooMuch => ("too much output", None),
            End::NotStarted(_) => ("not started", None),
        };
        let batch = performed.batch.as_ref().ok().and_then(Option::as_ref);
        let invalid = batch.map(|batch| &batch.invalid).into_iter().flatten();
        Last {
            began_s: performed.began_s,
            took: performed.took,
            end,
            exit,
            items: points,
            invalid: invalid.map(|(reason, left)| (reason.as_str(), left.count)).collect(),
            small_steps: batch.map_or(0, |batch| batch.small_steps),
            ahead: batch.map_or(0, |batch| batch.future),
            error: error(performed, points),
            stderr: performed.stderr.clone(),
            remark: performed.remark.clone(),
        }
    }
}

/// What was wrong with a run.
fn error(performed: &Performed, points: usize) -> Option<String> {
    if let Err(why) = &performed.batch {
        return Some(why.clone());
    }
    // As with the Go agent, which forgets the exit code of a program that has said something on standard error.
    let sent = if points > 0 { "; its points are sent" } else { "" };
    match &performed.end {
        End::Exited(0) => None,
        End::Exited(code) => Some(format!("exit code {code}, with a text on standard error{sent}")),
        End::Killed(signal) => Some(format!("ended by signal {signal}{sent}")),
        _ => None,
    }
}

impl Record {
    /// A file that has changed may be mended, and what is wrong with it is told again.
    pub fn forget_told(&mut self) {
        (self.told, self.calm) = (None, 0);
        self.told_invalid.clear();
    }

    /// A run has ended and brought so many points; answers whether it was a good one.
    pub fn note(&mut self, key: &str, performed: &Performed, points: usize, now: Instant) -> bool {
        let last = Last::of(performed, points);
        self.runs += 1;
        self.tell(key, last.error.as_deref().or(last.remark.as_deref()), now);
        let good = last.error.is_none();
        self.failed += u64::from(!good);
        if let Ok(Some(batch)) = &performed.batch {
            self.tell_invalid(key, batch);
        }
        self.last = Some(last);
        good
    }

    fn tell(&mut self, key: &str, why: Option<&str>, now: Instant) {
        match (why, &self.told) {
            (Some(why), told) => {
                self.calm = 0;
                if told.as_ref().is_none_or(|(told, at)| now >= *at + AGAIN && !same(told, why)) {
                    crate::log::say!(Warn, "U010", "plugin {key}: {why}");
                    self.told = Some((why.to_owned(), now));
                }
            }
            (None, Some(_)) => {
                self.calm += 1;
                if self.calm >= CALM {
                    crate::log::say!(Info, "U011", "plugin {key}: it runs well again");
                    self.told = None;
                }
            }
            (None, None) => {}
        }
    }

    fn tell_invalid(&mut self, key: &str, batch: &Batch) {
        for (reason, left) in &batch.invalid {
            if self.told_invalid.insert(*reason) {
                crate::log::say!(
                    Warn,
                    "U012",
                    "plugin {key}: {} points left out: {}, the first of them item {}, {} (told once)",
                    left.count,
                    reason.as_str(),
                    left.index,
                    left.name
                );
            }
        }
    }
}

/// Whether two reasons differ in their numbers alone: seconds, an offset, the number of a process.
fn same(a: &str, b: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(why: &str) -> Performed {
        let (took, stderr) = (Duration::ZERO, String::new());
        Performed { began_s: 0, took, end: End::Exited(1), stderr, batch: Err(why.to_owned()), remark: None }
    }

    fn fine() -> Performed {
        Performed { end: End::Exited(0), batch: Ok(None), ..failed("") }
    }

    fn told(record: &Record) -> Option<&str> {
        record.told.as_ref().map(|(why, _)| why.as_str())
    }

    /// A plugin that failed every minute, at another byte each time, filled the log.
    #[test]
    fn a_reason_that_lasts_is_told_once_whatever_its_numbers_are() {
        let (mut record, start) = (Record::default(), Instant::now());
        assert!(!record.note("k", &failed("not JSON at byte 17"), 0, start));
        assert_eq!(told(&record), Some("not JSON at byte 17"));
        record.note("k", &failed("not JSON at byte 1802"), 0, start + AGAIN);
        assert_eq!(told(&record), Some("not JSON at byte 17"));
        record.note("k", &failed("no interpreter"), 0, start + AGAIN);
        assert_eq!(told(&record), Some("no interpreter"));
        assert_eq!((record.runs, record.failed), (3, 3));
    }

    /// The error told what was printed, which was a sentence with a file's name in it, another each time.
    #[test]
    fn a_reason_that_is_another_at_each_run_is_told_every_ten_minutes_at_most() {
        let (mut record, start) = (Record::default(), Instant::now());
        let mut lines = std::collections::BTreeSet::new();
        for minute in 0..60 {
            let why = format!("it begins with {}", "x".repeat(minute));
            record.note("k", &failed(&why), 0, start + Duration::from_secs(60) * u32::try_from(minute).unwrap());
            lines.extend(told(&record).map(str::to_owned));
        }
        assert_eq!(lines.len(), 6);
        // Somebody has changed it, and is told whether that has helped.
        record.forget_told();
        record.note("k", &failed("y"), 0, start + Duration::from_secs(3600));
        assert_eq!(told(&record), Some("y"));
    }

    #[test]
    fn what_comes_and_goes_is_not_over() {
        let (mut record, now) = (Record::default(), Instant::now());
        for _ in 0..10 {
            record.note("k", &failed("x"), 0, now);
            assert!(record.note("k", &fine(), 0, now));
            assert!(record.told.is_some());
        }
        for _ in 1..CALM {
            record.note("k", &fine(), 0, now);
        }
        assert!(record.told.is_none());
    }
}
