//! The agent's executable as the process for performance counters, on every platform.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use falcon_agent::config;
use falcon_agent::perf::client::{ObjectQuery, Perf, Refused};
use falcon_agent::perf::link::{Link, VERB};
use falcon_agent::perf::protocol::{Begin, Hello, frame, parse, receive};
use falcon_agent::stats::Stats;

fn executable() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_falcon-agent"));
    command.arg(VERB);
    command
}

/// Whether there is such an object is another matter.
#[test]
fn it_answers_as_often_as_it_is_asked() {
    let (stats, start) = (Arc::<Stats>::default(), Instant::now());
    let config = config::Perf { timeout: 60, memory_mb: 1000 };
    let launch = Box::new(|| Ok(executable()));
    let perf = Perf::new(Link::new(&config, stats.clone(), launch, Box::new(move || start.elapsed())));
    let counters = perf.open("iis");
    for asked in 1..3 {
        let answer = counters.ask(&[ObjectQuery::new("No such object", Vec::new())]);
        assert!(matches!(answer, Ok(_) | Err(Refused::Failed(_))), "{answer:?}");
        assert_eq!((stats.perf_asked.get(), stats.perf_deaths.get(), stats.perf_refused.get()), (asked, 0, 0));
        assert!(stats.perf_mem.get().is_some_and(|bytes| bytes > 0));
    }
    drop(counters);
    assert_eq!((stats.perf_mem.get(), stats.perf_deaths.get()), (None, 0));
}

#[test]
fn it_ends_when_nobody_asks_any_more() {
    let begin = Begin { hello: Hello::own(), is_loose: false, memory_bytes: 64_000_000 };
    let mut worker = executable().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (worker.stdin.take().unwrap(), worker.stdout.take().unwrap());
    input.write_all(&frame(&begin).unwrap()).unwrap();
    assert_eq!(parse::<Hello>(&receive(&mut output).unwrap().unwrap()).unwrap(), Hello::own());
    drop(input);
    assert!(worker.wait().unwrap().success());
    assert_eq!(receive(&mut output).unwrap(), None);
}

/// Its parent is this process, and lives.
#[test]
fn it_answers_where_it_is_to_end_with_its_parent() {
    let begin = Begin { hello: Hello::own(), is_loose: true, memory_bytes: 64_000_000 };
    let mut worker = executable().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (worker.stdin.take().unwrap(), worker.stdout.take().unwrap());
    input.write_all(&frame(&begin).unwrap()).unwrap();
    assert_eq!(parse::<Hello>(&receive(&mut output).unwrap().unwrap()).unwrap(), Hello::own());
    drop(input);
    assert!(worker.wait().unwrap().success());
}

#[test]
fn a_file_for_its_input_is_nobody() {
    let output = executable().stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len(), text.lines().count()), (Some(1), 0, 1), "{text}");
}
