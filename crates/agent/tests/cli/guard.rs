//! The agent that ends itself. A limit of 1 MB is one that no process keeps; the guard takes half a minute to be sure.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::process::{Process, program};
use crate::harness::until;
use crate::with_config;

fn home() -> TempDir {
    let config = json!({ "http": { "enabled": false }, "guard": { "memory_mb": 1 }, "state_dir": "state" });
    with_config(&config.to_string())
}

fn start(home: &Path, environment: &[(&str, &str)]) -> Process {
    let mut command = program(home, &["run"]);
    command.envs(environment.iter().copied());
    Process::start(command)
}

fn ends(home: &Path) -> Vec<u64> {
    let file = fs::read(home.join("state").join("guard.json")).expect("written");
    let value: Value = serde_json::from_slice(&file).expect("JSON");
    serde_json::from_value(value["ends"].clone()).expect("numbers")
}

/// All at once, for each takes its time.
#[test]
fn over_its_limit_it_ends_to_be_started_again_and_the_fourth_time_stays_down() {
    let service = [("FALCON_SERVICE", "1")];
    let (first, fourth, alone) = (home(), home(), home());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let earlier = [now - 3000, now - 2000, now - 1000];
    fs::create_dir(fourth.path().join("state")).expect("a directory");
    fs::write(fourth.path().join("state").join("guard.json"), json!({ "ends": earlier }).to_string()).expect("a file");
    let running = [start(first.path(), &service), start(fourth.path(), &service)];
    let mut unmanaged = start(alone.path(), &[]);

    let [again, stays] = running.map(Process::wait);
    assert_eq!(again.code, Some(75), "{}", again.err);
    for text in ["over guard.memory_mb 1; ended, to be started again", "(1 of 3 within an hour)", "guard: stopping"] {
        assert!(again.err.contains(text), "{text} is missing in {}", again.err);
    }
    assert!(again.err.trim_end().ends_with("stopped"), "{}", again.err);
    assert_eq!(ends(first.path()).len(), 1);
    assert!(ends(first.path()).iter().all(|end| *end >= now));

    assert_eq!(stays.code, Some(76), "{}", stays.err);
    let line = stays.err.lines().find(|line| line.contains("ERROR")).unwrap_or_default();
    for text in ["ended 3 times within an hour", "stays down", "cfg.json", "start it again"] {
        assert!(line.contains(text), "{text} is missing in {}", stays.err);
    }
    assert_eq!(ends(fourth.path()), earlier);

    let why = "the agent goes on: no service manager would start it again";
    until("its warning", || unmanaged.err(), || unmanaged.err().contains(why).then_some(()));
    assert!(!unmanaged.has_ended(), "{}", unmanaged.err());
    unmanaged.signal(Signal::TERM);
    assert_eq!(unmanaged.wait().code, Some(0));
    assert!(!alone.path().join("state/guard.json").exists());
}

/// The record of the guard was opened before the agent listened to signals: only SIGKILL ended one whose disk hung.
#[test]
fn a_state_directory_that_hangs_neither_holds_up_the_start_nor_sigterm() {
    let dir = home();
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("a directory");
    // Opening it waits for a writer that never comes.
    let made = std::process::Command::new("mkfifo").arg(state.join("guard.json")).status().expect("mkfifo");
    assert!(made.success());
    let agent = start(dir.path(), &[("FALCON_SERVICE", "1")]);
    until("the start", || agent.err(), || agent.err().contains("Ctrl-C ends").then_some(()));
    agent.signal(Signal::TERM);
    let ended = agent.wait();
    assert!(ended.code == Some(0) && ended.err.trim_end().ends_with("stopped"), "{}", ended.err);
}
