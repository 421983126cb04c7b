//! The page at `/`, as a person sees it: `web/tests`, in which Playwright has Chromium look at the page of a shipped
//! executable. What it looked like is kept in `target/page`.

use std::fs;

use anyhow::{Result, ensure};

use super::Cx;
use crate::child::Run;
use crate::ledger::Passed;
use crate::tools::{CHROMIUM, PLAYWRIGHT};
use crate::wine::Session;

const TESTS: &str = "web/tests";
const PICTURES: &str = "target/page";

pub fn linux(cx: &Cx<'_>) -> Result<Passed> {
    passed(tests(cx, "linux")?.env("FALCON_AGENT_EXE", cx.ws.linux_exe()))
}

pub fn windows(cx: &Cx<'_>) -> Result<Passed> {
    let session = Session::start(cx.ws)?;
    let tests = tests(cx, "windows")?.env("FALCON_AGENT_EXE", cx.ws.windows_exe()).env("FALCON_AGENT_RUNNER", "wine");
    passed(session.enter(tests))
}

fn tests(cx: &Cx<'_>, platform: &str) -> Result<Run> {
    let pictures = cx.ws.path(PICTURES).join(platform);
    if pictures.exists() {
        fs::remove_dir_all(&pictures)?;
    }
    fs::create_dir_all(&pictures)?;
    println!("pictures of it: {PICTURES}/{platform}");
    let pytest = Run::new(PLAYWRIGHT.folder(cx.ws).join("bin/pytest")).arg("--color=no").dir(cx.ws.path(TESTS));
    let pytest = pytest.env("PYTHONDONTWRITEBYTECODE", "1").env("FALCON_BROWSER", CHROMIUM);
    Ok(pytest.env("FALCON_PAGE_OUT", pictures))
}

fn passed(tests: Run) -> Result<Passed> {
    let mut summary = None;
    tests.watch(|line| summary = Summary::read(line).or(summary))?;
    let Summary { passed, others } = summary.unwrap_or_default();
    ensure!(passed > 0, "no test was run");
    ensure!(others == 0, "tests that are skipped or expected to fail prove nothing: there are {others}");
    Ok(Passed::tests(passed))
}

/// pytest's last line: `===== 41 passed, 1 deselected in 31.02s =====`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Summary {
    passed: u64,
    /// Neither passed nor left out on purpose.
    others: u64,
}

impl Summary {
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
        let say = |text: &str| passed(Run::new("echo").arg(text));
        assert_eq!(say("2 passed, 3 deselected in 1.00s").unwrap(), Passed::tests(2));
        assert!(say("2 passed, 1 skipped in 1.00s").is_err());
        assert!(say("1 deselected in 1.00s").is_err());
        assert!(say("nothing").is_err());
    }
}
