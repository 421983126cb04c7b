//! Runs the targets of `fuzz/` (libFuzzer through cargo-fuzz).
//!
//! The sanitizer and coverage flags are unstable, hence RUSTC_BOOTSTRAP on the stable compiler. What a run learns stays
//! in `target/fuzz/corpus`; the inputs of `fuzz/seeds` are where it begins. An input that breaks a target is written to
//! `fuzz/artifacts`.

use std::fs;
use std::iter;
use std::slice;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use super::Cx;
use crate::child::Run;
use crate::ledger::Passed;
use crate::tools::FUZZ;

/// A round ends at whichever comes first.
const RUNS: u32 = 200_000;
const SECONDS: u64 = 10;
const LONG_SECONDS: u64 = 600;

/// A fuzzer is one thread.
const AT_ONCE: usize = 2;

/// With the whole agent instrumented.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// On top of the fuzzing itself: the seeds, and a look whether there is something to build.
const RUN_LIMIT: Duration = Duration::from_secs(5 * 60);

pub fn run(cx: &Cx<'_>) -> Result<Passed> {
    let fuzz = |verb: &str| {
        Run::new(FUZZ.path(cx.ws))
            .arg(verb)
            .arg("--fuzz-dir")
            .arg(cx.ws.path("fuzz"))
            .dir(&cx.ws.root)
            .env("RUSTC_BOOTSTRAP", "1")
    };
    let listed = fuzz("list").output()?;
    let targets: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    ensure!(!targets.is_empty(), "fuzz/Cargo.toml names no target");
    // Long runs are worth an agent that was optimised as a whole, which is the work of one processor.
    let parts: &[&str] = if cx.long { &[] } else { &["--codegen-units", "16"] };
    // All at once, so that they are linked side by side.
    fuzz("build").args(parts).arg("--target-dir").arg(cx.ws.target("fuzz")).limit(BUILD_LIMIT).show()?;
    let run = |target: &str| -> Result<()> {
        let corpus = cx.ws.target("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let seconds = if cx.long { LONG_SECONDS } else { SECONDS };
        let run = fuzz("run").args(parts).arg("--target-dir").arg(cx.ws.target("fuzz")).arg(target);
        let run = run.arg(corpus).arg(cx.ws.path("fuzz/seeds").join(target)).arg("--");
        let run = run.args([format!("-max_total_time={seconds}"), "-timeout=10".into(), "-rss_limit_mb=2048".into()]);
        let run = if cx.long { run } else { run.arg(format!("-runs={RUNS}")) };
        let run = run.args(["-max_len=65536", "-verbosity=0"]);
        run.limit(RUN_LIMIT + Duration::from_secs(seconds)).show()?;
        println!("fuzz target {target}: nothing found");
        Ok(())
    };
    let rest = Mutex::new(targets.iter());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| each(&rest, run))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
    })?;
    Ok(Passed::gates(u64::try_from(targets.len())?))
}

/// Runs one target after the other. One that fails leaves none to whoever takes from the same.
fn each(rest: &Mutex<slice::Iter<'_, &str>>, run: impl Fn(&str) -> Result<()>) -> Result<()> {
    let take = || rest.lock().ok().and_then(|mut rest| rest.next().copied());
    iter::from_fn(take).try_for_each(run).inspect_err(|_| {
        if let Ok(mut rest) = rest.lock() {
            *rest = [].iter();
        }
    })
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    /// The other worker went on for as long as there were targets, hours with `--long`, before the finding was told.
    #[test]
    fn after_a_finding_no_other_target_begins() {
        let rest = Mutex::new(["first", "second", "third"].iter());
        let found = each(&rest, |target| if target == "second" { bail!("found") } else { Ok(()) });
        assert!(found.is_err() && rest.lock().unwrap().next().is_none());
    }
}
