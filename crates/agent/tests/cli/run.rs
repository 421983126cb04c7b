//! The agent in the foreground: what it says, what it serves, how it ends.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use rustix::pty::{self, OpenptFlags};
use serde_json::json;

use crate::empty;
use crate::harness::agent::Agent;
use crate::harness::exe;
use crate::harness::process::{Process, program};
use crate::harness::until;

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
    let page = agent.wait("a measured value", || {
        let page = agent.get("/").text();
        page.contains("<td>cpu.idle</td>").then_some(page)
    });
    for cell in ["<h1>web&amp;01</h1>", "<td>agent.alive</td>", "<td>load.1min</td>", "<td>iface=lo</td>"] {
        assert!(page.contains(cell), "{cell} is missing in {page}");
    }
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
    let agent = Agent::start(&json!({ "hostnme": "h", "plugin": { "enabled": true } }));
    agent.wait_for_lines("this version does not run plugins", 1);
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
    let terminal = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    pty::grantpt(&terminal).and_then(|()| pty::unlockpt(&terminal)).expect("a terminal of ours");
    let name = pty::ptsname(&terminal, Vec::new()).expect("its name").into_string().expect("ASCII");
    let input = fs::File::options().read(true).write(true).open(name).expect("its other side");
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
