//! What each collecting unit did last, for the page: whether it collects, what it could not read, and when it is tried again.
//!
//! Invariants: a unit has one report, of bounded size; a cycle without problems writes numbers and allocates nothing. Another
//! configuration brings other reports: what is collected by both keeps what it did last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::clock;
use crate::collect::Lane;

/// Problems and remarks of a unit, each.
const MOST: usize = 20;
/// Bytes of a text.
const MOST_TEXT: usize = 300;

/// What a unit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It has not been asked yet.
    Waiting,
    /// It answered.
    Ok,
    /// It could not be opened, answered with an error or failed by a defect.
    Failed,
    /// It did not answer in time and is left alone until it does.
    Hung,
    /// This host has nothing for it to collect, or the configuration asks for nothing.
    Absent,
}

impl Doing {
    pub fn as_str(self) -> &'static str {
        match self {
            Doing::Waiting => "waiting",
            Doing::Ok => "ok",
            Doing::Failed => "failed",
            Doing::Hung => "hung",
            Doing::Absent => "absent",
        }
    }
}

/// What is worth saying, and why.
pub type Notes = Vec<(String, String)>;

/// The last that is known of a unit.
#[derive(Clone, Debug)]
pub struct Report {
    pub name: &'static str,
    pub lane: Lane,
    pub doing: Doing,
    /// Unix seconds of the end of its last run.
    pub last_s: Option<i64>,
    /// How long that took.
    pub ms: Option<u64>,
    /// How many points it brought.
    pub points: usize,
    pub problems: Notes,
    pub remarks: Notes,
    /// How many of both were left out.
    pub more: usize,
    /// Unix seconds from which on it is tried again; `None`: with the next cycle.
    pub again_s: Option<i64>,
}

impl Report {
    fn new(name: &'static str, lane: Lane) -> Report {
        let (problems, remarks) = Default::default();
        Report {
            name,
            lane,
            doing: Doing::Waiting,
            last_s: None,
            ms: None,
            points: 0,
            problems,
            remarks,
            more: 0,
            again_s: None,
        }
    }
}

/// A report, and the unit's way to it.
#[derive(Clone, Debug)]
pub(super) struct Told(Arc<Mutex<Report>>);

impl Told {
    pub fn new(name: &'static str, lane: Lane) -> Told {
        Told(Arc::new(Mutex::new(Report::new(name, lane))))
    }

    /// It ran. `why`: it failed as a whole.
    pub fn ran(&self, ms: u64, points: usize, why: Option<String>, problems: Notes, remarks: Notes) {
        let mut report = lock(&self.0);
        report.doing = if why.is_some() { Doing::Failed } else { Doing::Ok };
        (report.last_s, report.ms, report.points, report.again_s) = (Some(clock::unix_s()), Some(ms), points, None);
        let whole = why.map(|why| ("collect".to_owned(), why));
        let all = usize::from(whole.is_some()) + problems.len() + remarks.len();
        report.problems.clear();
        report.problems.extend(whole.into_iter().chain(problems).take(MOST).map(bounded));
        report.remarks.clear();
        report.remarks.extend(remarks.into_iter().take(MOST).map(bounded));
        report.more = all - report.problems.len() - report.remarks.len();
    }

    /// It did not run to its end. `again`: when it is tried again.
    pub fn failed(&self, doing: Doing, what: &str, why: &str, again: Option<Instant>) {
        let mut report = lock(&self.0);
        report.doing = doing;
        (report.points, report.more) = (0, 0);
        report.again_s = again.map(unix_s);
        report.problems.clear();
        report.problems.push(bounded((what.to_owned(), why.to_owned())));
        report.remarks.clear();
    }

    pub fn absent(&self, again: Instant) {
        let mut report = lock(&self.0);
        (report.doing, report.again_s) = (Doing::Absent, Some(unix_s(again)));
        (report.points, report.more) = (0, 0);
        report.problems.clear();
        report.remarks.clear();
    }

    /// Goes on where that of an earlier configuration stood; it is asked anew.
    fn follow(&self, earlier: &Report) {
        *lock(&self.0) = Report { doing: Doing::Waiting, again_s: None, ..earlier.clone() };
    }
}

/// The reports of all units, in the order of their lanes.
#[derive(Debug, Default)]
pub struct Reports(Mutex<Vec<Told>>);

impl Reports {
    pub fn all(&self) -> Vec<Report> {
        lock(&self.0).iter().map(|told| lock(&told.0).clone()).collect()
    }

    pub(super) fn replace(&self, units: Vec<Told>) {
        let mut all = lock(&self.0);
        for told in &units {
            let (name, lane) = {
                let report = lock(&told.0);
                (report.name, report.lane)
            };
            let earlier =
                all.iter().map(|told| lock(&told.0)).find(|earlier| (earlier.name, earlier.lane) == (name, lane));
            if let Some(earlier) = earlier {
                told.follow(&earlier);
            }
        }
        *all = units;
    }
}

fn unix_s(at: Instant) -> i64 {
    let wait = at.saturating_duration_since(Instant::now()).as_secs();
    clock::unix_s().saturating_add_unsigned(wait)
}

fn bounded((mut what, mut why): (String, String)) -> (String, String) {
    for text in [&mut what, &mut why] {
        if text.len() > MOST_TEXT {
            text.truncate(text.floor_char_boundary(MOST_TEXT));
            text.push('…');
        }
    }
    (what, why)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(n: usize, text: &str) -> Notes {
        vec![("what".to_owned(), text.to_owned()); n]
    }

    /// A collector of ten thousand sick mounts is no reason for a page of ten thousand lines.
    #[test]
    fn a_report_is_bounded() {
        let told = Told::new("df", Lane::Df);
        told.ran(7, 3, Some("长".repeat(1000)), notes(50, &"x".repeat(5000)), notes(50, "y"));
        let report = lock(&told.0).clone();
        assert_eq!((report.problems.len(), report.remarks.len(), report.more), (MOST, MOST, 61));
        assert!(report.problems.iter().all(|(_, why)| why.len() <= MOST_TEXT + 3 && why.ends_with('…')));
        assert_eq!((report.doing, report.ms, report.points), (Doing::Failed, Some(7), 3));
        told.ran(1, 3, None, Vec::new(), Vec::new());
        let report = lock(&told.0).clone();
        assert!(
            report.doing == Doing::Ok && report.problems.is_empty() && report.remarks.is_empty() && report.more == 0
        );
    }

    #[test]
    fn another_configuration_replaces_the_set_and_what_stays_keeps_its_last_run() {
        let reports = Reports::default();
        let cpu = Told::new("cpu", Lane::Host);
        cpu.ran(1, 12, None, Vec::new(), notes(1, "odd"));
        reports.replace(vec![cpu, Told::new("df", Lane::Df)]);
        reports.replace(vec![Told::new("mem", Lane::Host), Told::new("cpu", Lane::Host)]);
        let all: Vec<_> = reports.all().into_iter().map(|one| (one.name, one.doing, one.points)).collect();
        assert_eq!(all, [("mem", Doing::Waiting, 0), ("cpu", Doing::Waiting, 12)]);
    }

    #[test]
    fn a_cycle_without_problems_allocates_nothing() {
        let told = Told::new("cpu", Lane::Host);
        told.ran(1, 12, None, Vec::new(), Vec::new());
        let used = allocation_counter::measure(|| told.ran(2, 12, None, Vec::new(), Vec::new()));
        assert_eq!(used.count_total, 0);
    }
}
