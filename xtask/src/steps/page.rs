//! The page at `/`, as a person sees it: `web/tests`, in which Playwright has Chromium look at the page of a shipped
//! executable. What it looked like is kept in `target/page`.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::Cx;
use crate::child::Run;
use crate::ledger::Passed;
use crate::tools::{CHROMIUM, PLAYWRIGHT};
use crate::wine::Session;

const TESTS: &str = "web/tests";
const PICTURES: &str = "target/page";

pub fn linux(cx: &Cx<'_>) -> Result<Passed> {
    let half = |test: Run| test.env("FALCON_AGENT_EXE", cx.ws.linux_exe());
    side_by_side(tests(cx, "linux")?.map(half))
}

pub fn windows(cx: &Cx<'_>) -> Result<Passed> {
    let session = Session::start(cx.ws)?;
    let half = |test: Run| test.env("FALCON_AGENT_EXE", cx.ws.windows_exe()).env("FALCON_AGENT_RUNNER", "wine");
    side_by_side(tests(cx, "windows")?.map(|test| session.enter(half(test))))
}

/// The files of tests, dealt out in turn.
fn halves(folder: &Path) -> Result<[Vec<String>; 2]> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.starts_with("test_") && name.ends_with(".py"));
    names.sort();
    let half = |n| names.iter().skip(n).step_by(2).cloned().collect();
    Ok([half(0), half(1)])
}

/// Two halves, since tests wait for the next second more than they work. Pictures of an earlier run are gone.
fn tests(cx: &Cx<'_>, platform: &str) -> Result<[Run; 2]> {
    let pictures = cx.ws.path(PICTURES).join(platform);
    if pictures.exists() {
        fs::remove_dir_all(&pictures)?;
    }
    fs::create_dir_all(&pictures)?;
    println!("pictures of it: {PICTURES}/{platform}");
    let folder = cx.ws.path(TESTS);
    Ok(halves(&folder)?.map(|files| {
        let pytest = Run::new(PLAYWRIGHT.folder(cx.ws).join("bin/pytest")).arg("--color=no").args(files).dir(&folder);
        let pytest = pytest.env("PYTHONDONTWRITEBYTECODE", "1").env("FALCON_BROWSER", CHROMIUM);
        pytest.env("FALCON_PAGE_OUT", &pictures)
    }))
}

fn side_by_side([one, other]: [Run; 2]) -> Result<Passed> {
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| summary(one));
        let other = summary(other);
        (one.join(), other)
    });
    let one = one.map_err(|_| anyhow::anyhow!("a half failed by a defect"))?;
    one?.and(other?).judged()
}

fn summary(tests: Run) -> Result<Summary> {
    let mut summary = None;
    tests.watch(|line| summary = Summary::read(line).or(summary))?;
    let summary = summary.unwrap_or_default();
    ensure!(summary.passed > 0, "no test was run");
    Ok(summary)
}

/// pytest's last line: `===== 41 passed, 1 deselected in 31.02s =====`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Summary {
    passed: u64,
    /// Neither passed nor left out on purpose.
    others: u64,
}

impl Summary {
    fn and(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, others: self.others + other.others }
    }

    fn judged(self) -> Result<Passed> {
        let Self { passed, others } = self;
        ensure!(others == 0, "tests that are skipped or expected to fail prove nothing: there are {others}");
        Ok(Passed::tests(passed))
    }

    fn read(line: &str) -> Option<Self> {
        let (counts, took) = line.trim_matches(|c| c == '=' || c == ' ').rsplit_once(" in ")?;
        took.split_once('s')?.0.parse::<f64>().ok()?;
        let mut summary = Self::default();
        for count in counts.split(", ") {
            let (number, what) = count.split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match what {
                "passed" => summary.passed += number,
                "deselected" => {}
                _ => summary.others += number,
            }
        }
        Some(summary)
    }
}

#[cfg(test)]
mod counting {
    use super::*;

    #[test]
    fn the_summary_is_read_and_other_lines_are_not() {
        let read = |line| Summary::read(line).map(|summary| (summary.passed, summary.others));
        assert_eq!(read("======= 41 passed, 1 deselected in 31.02s ======="), Some((41, 0)));
        assert_eq!(read("== 3 passed, 2 skipped, 1 xfailed in 75.10s (0:01:15) =="), Some((3, 3)));
        assert_eq!(read("5 passed in 0.11s"), Some((5, 0)));
        assert_eq!(read("=== no tests ran in 0.01s ==="), None);
        assert_eq!(read("test_charts.py .....   [ 10%]"), None);
        assert_eq!(read("points came in 3 s"), None);
    }

    #[test]
    fn a_run_in_which_a_test_was_skipped_is_a_failure() {
        let say = |text: &str| side_by_side([Run::new("echo").arg("1 passed in 1.00s"), Run::new("echo").arg(text)]);
        assert_eq!(say("2 passed, 3 deselected in 1.00s").unwrap(), Passed::tests(3));
        assert!(say("2 passed, 1 skipped in 1.00s").is_err());
        assert!(say("1 deselected in 1.00s").is_err());
        assert!(say("nothing").is_err());
    }
}
