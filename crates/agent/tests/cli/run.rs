//! The agent in the foreground: what it says, what it serves, how it ends.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::agent::{Agent, Home};
use crate::harness::exe;
use crate::harness::process::{Process, program, terminal};
use crate::harness::until;
use crate::{empty, with_config};

/// With nothing configured: what it does, where the points go, where to look. Port 1988 may belong to somebody else here.
#[test]
fn without_a_file_it_says_three_lines_and_runs() {
    let (home, cwd) = (empty(), empty());
    let copy = home.path().join("falcon-agent");
    fs::copy(exe(), &copy).expect("copied");
    let mut command = Command::new(&copy);
    command.current_dir(cwd.path()).env("FALCON_ENDPOINT", "here");
    let mut process = Process::start(command);
    until("three lines", || process.err(), || (process.err().lines().count() >= 3).then_some(()));
    let said = process.err();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("from here every 10 s, names falcon + extended (built-in configuration"), "{said}");
    assert!(lines[1].contains("transfer: none, points are only shown here; hbs: none"), "{said}");
    assert!(lines[2].contains("see http://127.0.0.1:1988/") && lines[2].contains("Ctrl-C ends"), "{said}");
    assert!(!process.has_ended(), "{said}");
    process.signal(Signal::INT);
    let ended = process.wait();
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{}", ended.err);
}

#[test]
fn it_measures_at_once_shows_every_series_and_then_keeps_silent() {
    let agent = Agent::start(&json!({ "hostname": "web&01", "transfer": { "interval": 60 } }));
    let shown = agent.wait("a measured value", || {
        let shown = agent.get("/ui/series").text();
        shown.contains(",\"cpu.idle\",").then_some(shown)
    });
    for part in [",\"agent.alive\",\"\",1,", ",\"load.1min\",", ",\"iface=lo\","] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    let page = agent.get("/").text();
    assert!(page.starts_with("<!doctype html>") && page.contains("ui/page.js"), "{page}");
    assert_eq!(agent.get("/ui/state").json()["endpoint"], "web&01");
    let version = agent.get("/version").text();
    assert!(version.contains('@') && !version.ends_with('\n'), "{version}");
    assert_eq!(agent.get("/nowhere").status, 404);
    assert_eq!(agent.lines("").len(), 3, "{}", agent.state());
    let ended = agent.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let last: Vec<&str> = ended.err.lines().skip(3).collect();
    assert!(last.len() == 2 && last[0].ends_with("SIGTERM: stopping") && last[1].ends_with("stopped"), "{}", ended.err);
}

#[test]
fn warnings_about_the_file_are_told_once_at_the_start() {
    let agent = Agent::start(&json!({ "hostnme": "h", "http": { "backdoor": true } }));
    agent.wait_for_lines("http.backdoor: never supported", 1);
    assert_eq!(agent.lines("hostnme").len(), 1, "{}", agent.state());
    assert_eq!(agent.end_with(Signal::INT).code, Some(0));
}

#[test]
fn a_port_that_is_taken_is_told_and_does_not_end_it() {
    let first = Agent::start(&json!({ "hostname": "first" }));
    let dir = empty();
    fs::write(dir.path().join("cfg.json"), json!({ "http": { "listen": first.http.to_string() } }).to_string())
        .unwrap();
    let mut second = Process::start(program(dir.path(), &[]));
    until("its complaint", || second.err(), || second.err().contains("cannot listen on").then_some(()));
    assert!(!second.has_ended(), "{}", second.err());
    first.assert_healthy();
    second.signal(Signal::TERM);
    assert_eq!(second.wait().code, Some(0));
}

/// A closed terminal ends it in good order; under nohup, which ignores that signal, it goes on.
#[test]
fn a_closed_terminal_ends_it_unless_that_is_ignored() {
    let dir = empty();
    fs::write(dir.path().join("cfg.json"), r#"{"http": {"listen": "127.0.0.1:0"}}"#).expect("written");
    let (_terminal, input) = terminal();
    let mut process = Process::start_with(program(dir.path(), &["run"]), input);
    until("its third line", || process.err(), || process.err().contains("Ctrl-C ends").then_some(()));
    assert!(!process.has_ended());
    process.signal(Signal::HUP);
    let ended = process.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("the terminal was closed: stopping"), "{}", ended.err);

    let mut nohup = Command::new("nohup");
    nohup.arg(exe()).current_dir(dir.path());
    let process = Process::start(nohup);
    until("its third line", || process.err(), || process.err().contains("Ctrl-C ends").then_some(()));
    process.signal(Signal::HUP);
    process.signal(Signal::TERM);
    let ended = process.wait();
    assert!(ended.err.contains("SIGTERM: stopping"), "{}", ended.err);
}

/// The same lines as on the console, each with a code; what fills a part becomes the first of the older ones.
#[test]
fn a_configured_file_has_the_log_and_its_older_parts() {
    for config in [json!({ "log": { "file": "logs/agent.log", "max_mb": 1 } }), json!({ "logfile": "logs/agent.log" })]
    {
        let home = Home::new();
        let logs = home.path().join("logs");
        fs::create_dir(&logs).expect("made");
        let full = "2026-11-24 10:00:00 INFO A006 stopped\n".repeat(28_000);
        fs::write(logs.join("agent.log"), &full).expect("written");
        let agent = Agent::start_in(&home, &config);
        let (_, ended) = agent.stop_and_keep();
        let said = ended.err;
        let read = |name: &str| fs::read_to_string(logs.join(name)).unwrap_or_default();
        if config.get("log").is_some() {
            assert_eq!((read("agent.log"), read("agent.log.1") == full), (said.clone(), true));
        } else {
            assert_eq!((read("agent.log"), read("agent.log.1").as_str()), (format!("{full}{said}"), ""));
        }
        for line in said.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(words[2] == "INFO" && words[3].len() == 4 && words[3].starts_with('A'), "{line}");
        }
        assert!(said.lines().count() >= 5 && said.ends_with(" INFO A006 stopped\n"), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_does_not_end_it() {
    let agent = Agent::start(&json!({ "log": { "file": "cfg.json/agent.log" } }));
    agent.wait_for_lines(" WARN L002 log: cfg.json/agent.log: ", 1);
    agent.assert_healthy();
    let ended = agent.terminate();
    assert_eq!((ended.code, ended.err.matches("L002").count()), (Some(0), 1), "{}", ended.err);
}

#[test]
fn debug_and_the_level_of_the_log_say_how_much() {
    let most = |config: &serde_json::Value| {
        let agent = Agent::start(config);
        agent.post(b"{");
        agent.terminate().err
    };
    let debug = most(&json!({ "debug": true }));
    assert!(debug.contains(" DEBUG H003 push: refused: "), "{debug}");
    let warnings = most(&json!({ "log": { "level": "warn" }, "http": { "backdoor": true } }));
    assert!(warnings.lines().count() == 1 && warnings.contains(" WARN F002 "), "{warnings}");
}

/// One file serves a fleet of both systems.
#[test]
fn counters_that_are_configured_cost_a_line_on_linux() {
    let agent = Agent::start(&json!({ "collector": { "counters": [{ "object": "Memory" }] } }));
    agent.wait_for_lines(" INFO A018 collector.counters: ", 1);
    let err = agent.terminate().err;
    assert!(!err.contains(" WARN "), "{err}");
}

/// systemd tells by a variable which file the journal reads, for children inherit it.
#[test]
fn the_journal_is_told_priorities_and_no_time() {
    let dir = with_config(r#"{"http": {"enabled": false, "backdoor": true}}"#);
    for (stream, journal) in [("$(stat -L -c %d:%i /proc/self/fd/2)", true), ("1:1", false)] {
        let mut command = Command::new("sh");
        let script = format!("JOURNAL_STREAM={stream}; export JOURNAL_STREAM; exec \"$0\" run");
        command.args(["-c", &script]).arg(exe()).current_dir(dir.path());
        let process = Process::start(command);
        until("a warning", || process.err(), || process.err().contains("http.backdoor").then_some(()));
        process.signal(Signal::TERM);
        let err = process.wait().err;
        assert_eq!(err.starts_with("<6>INFO A001 falcon-agent "), journal, "{err}");
        assert_eq!(err.contains("\n<4>WARN F002 "), journal, "{err}");
    }
}
