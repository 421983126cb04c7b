//! `du.bs`: what the directories that hbs assigned, or `checks.directories` names, hold, in bytes; -1 where that is not known.
//! Says nothing without them.
//!
//! The length of every file and, on Linux, directory below a path (`du -bs`), each file once whatever names it has (Linux). A
//! link counts itself and is never followed, nor is a directory that leads elsewhere (Windows: junctions, mount points). What
//! goes while it is looked at holds nothing. Any other error, and a walk that is not through in 30 s, makes the value -1. Each
//! path is walked on a thread that may be lost ([`Isolated`]), a few at a time.

mod walk;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::assigned::Assigned;
use crate::assigned::check::DirectoryCheck;
use crate::isolate::{Isolated, LEFT_ALONE, Outcome};
use crate::model::{Metric, Sets};
use crate::stats::Stats;
use walk::{Turns, walk};

/// A small directory answers within it; a longer walk no longer holds up the others.
const PATIENCE: Duration = Duration::from_millis(200);
/// Of the Go agent.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// What a walk may take beyond: it looks at the time between two entries.
const GRACE: Duration = Duration::from_secs(1);

const BS: Metric = Metric::gauge("du.bs", "B", Sets::ALL, "a walk through the directory")
    .tags(&["path"])
    .help("assigned by hbs, or of `checks.directories`: what a directory holds; -1: not known");

pub(super) const SPEC: Spec = Spec {
    name: "du",
    check: "du -bs",
    lane: Lane::Du,
    rates: false,
    metrics: &[BS],
    options: &[],
    open: |cx: &Context| {
        let (assigned, stats) = (cx.assigned.clone(), cx.stats.clone());
        Ok(Some(Box::new(Du { assigned, stats, walks: Isolated::new("du") })))
    },
};

type Answer = io::Result<u64>;

struct Du {
    assigned: Arc<Assigned>,
    stats: Arc<Stats>,
    walks: Isolated<Answer>,
}

impl Collector for Du {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let checks = self.assigned.checks();
        if checks.directories.is_empty() || !cx.wants(&BS) {
            return Ok(());
        }
        let end = Instant::now() + DEADLINE;
        // Of this cycle: what hangs since an earlier one takes no turn.
        let turns = Arc::new(Turns::default());
        let jobs = checks.directories.iter().map(|check| {
            let (path, turns) = (check.path.clone(), turns.clone());
            (path.clone(), move || turns.take(end, || walk(Path::new(&path), end)))
        });
        let answers = self.walks.run_all(jobs.collect(), PATIENCE, DEADLINE + GRACE);
        report(cx, &checks.directories, answers, &self.stats);
        Ok(())
    }
}

fn report(cx: &mut Cx<'_>, checks: &[DirectoryCheck], answers: Vec<(String, Outcome<Answer>)>, stats: &Stats) {
    for (check, (_, outcome)) in checks.iter().zip(answers) {
        match outcome.answer(LEFT_ALONE, &stats.collect_hung) {
            Ok(bytes) => cx.emit(&BS, &check.tags, float(bytes)),
            Err(error) => {
                cx.emit(&BS, &check.tags, -1.0);
                cx.problem(check.path.as_str(), error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned::BuiltinMetric;
    use crate::collect::tests::with_cx;
    use crate::config::Config;
    use crate::model::Platform;

    use std::fs;

    #[test]
    fn directories_that_are_assigned_are_told_of_and_one_that_is_missing_costs_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "12345").unwrap();
        let assigned = Arc::<Assigned>::default();
        let context = Context { assigned: assigned.clone(), ..crate::collect::tests::context(Config::standalone()) };
        let mut collector = (SPEC.open)(&context).unwrap().unwrap();
        let mut cycle = || with_cx(Sets::FALCON, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1;
        assert!(cycle().samples.is_empty());
        let (file, none) = (dir.path().join("a").display().to_string(), dir.path().join("none").display().to_string());
        let metric = |tags: String| BuiltinMetric { metric: BS.name.to_owned(), tags };
        // What begins with a dash is a name.
        let paths = [none.as_str(), file.as_str(), "-h", ""];
        assigned.set_metrics(paths.iter().map(|path| metric(format!("path={path}"))).collect());
        let collected = cycle();
        let said: Vec<_> = collected.samples.iter().map(|sample| (sample.tags.as_str(), sample.value.get())).collect();
        let tags = paths.map(|path| format!("path={path}"));
        let values = [-1.0, 5.0, -1.0, -1.0];
        assert_eq!(said, tags.iter().map(String::as_str).zip(values).collect::<Vec<_>>());
        assert_eq!(collected.problems.len(), 3, "{:?}", collected.problems);
    }

    #[test]
    fn what_hangs_is_not_known_and_counted_once() {
        let checks = [DirectoryCheck { path: "/mnt".to_owned(), tags: crate::model::Tags::raw("path=/mnt") }];
        let stats = Stats::default();
        for newly in [true, false] {
            let answers = vec![("/mnt".to_owned(), Outcome::Late { newly })];
            let ((), collected) = with_cx(Sets::FALCON, Platform::Linux, |cx| report(cx, &checks, answers, &stats));
            assert_eq!(collected.samples[0].value.get(), -1.0);
            assert_eq!(collected.problems, [("/mnt".to_owned(), LEFT_ALONE.to_owned())]);
        }
        assert_eq!(stats.collect_hung.get(), 1);
    }
}
