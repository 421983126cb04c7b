//! Starts that go wrong, cross each other or are taken back.

use std::os::unix::fs::chown;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::servers::BlackHole;
use crate::load::Load;
use crate::machine::{Machine, SERVICE, State, signal};
use crate::quiet;

/// ERROR_SERVICE_SPECIFIC_ERROR
const SPECIFIC: u32 = 1066;
/// ERROR_SERVICE_CANNOT_ACCEPT_CTRL
const CANNOT_ACCEPT: u32 = 1061;
/// ERROR_SERVICE_NOT_ACTIVE
const NOT_ACTIVE: u32 = 1062;
/// SERVICE_CONTROL_INTERROGATE
const INTERROGATE: u32 = 4;
/// Of Linux.
const NOBODY: u32 = 65534;

#[test]
fn a_bad_configuration_ends_the_start_with_its_place_and_a_code_of_its_own() {
    let machine = Machine::installed(&quiet(&[]));
    for (text, place) in [
        ("{\n  \"transfer\": {\n    \"interval\": \"60\"\n  }\n}", "cfg.json:3:17: transfer.interval: "),
        ("{\n\"debug\": true\n", "cfg.json:3:1: "),
    ] {
        machine.write_config(text);
        let said = machine.ended(&["start"], 1);
        assert!(said.contains(place), "{place} is missing in {said}\n{}", machine.state());
        let status = machine.wait_for(SERVICE, State::Stopped);
        assert_eq!((status.exit_code, status.specific), (SPECIFIC, 2), "{}", machine.state());
        machine.wait("its process to end", || machine.pids("falcon-agent.exe").is_empty().then_some(()));
        let said = machine.ended(&["status"], 3);
        assert!(said.contains("configuration"), "{said}");
        assert_eq!(machine.log().matches(place).count(), 1, "{}", machine.state());
    }
    machine.start(&quiet(&[]));
    assert_eq!(machine.query(SERVICE).expect("a service").exit_code, 0, "{}", machine.state());
}

#[test]
fn two_starts_at_once_start_one() {
    let machine = Machine::installed(&quiet(&[]));
    for _ in 0..3 {
        machine.configure(&quiet(&[]));
        let starts = [machine.begin(&["start"]), machine.begin(&["start"])];
        for ended in starts.map(|start| start.wait()) {
            assert_eq!(ended.code, Some(0), "{ended:?}\n{}", machine.state());
            assert!(ended.out.contains("runs"), "{ended:?}\n{}", machine.state());
        }
        machine.answers();
        assert_eq!(machine.service_pids().len(), 1, "{}", machine.state());
        machine.done(&["stop"]);
    }
}

/// A process that has told of its end still ends when the next one is to start.
#[test]
fn restarts_in_a_row_start_it_each_time() {
    let machine = Machine::installed(&quiet(&[]));
    for _ in 0..6 {
        machine.done(&["restart"]);
        assert_eq!(machine.service_pids().len(), 1, "{}", machine.state());
    }
}

/// The service is held up before it can report that it runs: the stop comes first, and is carried out all the same.
#[test]
fn a_stop_while_it_starts_stops_it() {
    let machine = Machine::installed(&quiet(&[]));
    let mut caught = 0;
    for _ in 0..5 {
        machine.configure(&quiet(&[]));
        let start = machine.begin(&["start"]);
        let pid = machine.wait("its process", || machine.service_pids().first().copied());
        signal(pid, Signal::STOP);
        caught += usize::from(machine.query(SERVICE).expect("a service").state == State::StartPending);
        let stop = machine.begin(&["stop"]);
        // Time for it to be refused, as long as nothing is accepted but an interrogation.
        machine.query(SERVICE);
        signal(pid, Signal::CONT);
        let ended = stop.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}\n{}", machine.state());
        // It may have seen the service run, or end; either way it says so and ends itself.
        let ended = start.wait();
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}\n{}", machine.state());
        assert!(!(ended.out + &ended.err).is_empty(), "{}", machine.state());
        machine.wait_for(SERVICE, State::Stopped);
        machine.wait("its process to end", || machine.service_pids().is_empty().then_some(()));
    }
    assert!(caught > 0, "the service never was in its start");
    machine.start(&quiet(&[]));
}

/// A handler that is freed when a stop returns ends the process with the question that comes behind it.
#[test]
fn it_answers_interrogations_until_it_has_stopped() {
    let hole = BlackHole::start();
    let machine = Machine::installed(&quiet(&[&hole.addr]));
    let load = Load::new("app", 100);
    let mut asked = 0;
    for _ in 0..3 {
        machine.start(&quiet(&[&hole.addr]));
        machine.push(&load, 3);
        assert_eq!(machine.control(SERVICE, INTERROGATE), 0, "{}", machine.state());
        let stop = machine.begin(&["stop"]);
        while machine.query(SERVICE).expect("a service").state != State::Stopped {
            let answer = machine.control(SERVICE, INTERROGATE);
            // Wine 8 itself refuses the question where only the answer to a stop is still to come.
            assert!(matches!(answer, 0 | CANNOT_ACCEPT | NOT_ACTIVE), "error {answer}\n{}", machine.state());
            asked += 1;
        }
        let ended = stop.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}\n{}", machine.state());
        let status = machine.query(SERVICE).expect("a service");
        assert_eq!(status.exit_code, 0, "after {asked} questions {status:?}\n{}", machine.state());
    }
    assert!(asked > 0, "every stop was over before it could be asked anything");
}

/// Who prepared a directory decides what is in it, whatever its access list says later.
#[test]
fn a_directory_of_another_user_is_refused_and_nothing_is_registered() {
    let machine = Machine::new();
    let dir = machine.path("state");
    std::fs::create_dir(&dir).expect("a folder");
    // Wine takes every Linux user but its own for a stranger. Only root can give a folder to one, and for everybody else
    // root is one.
    let state = match chown(&dir, Some(NOBODY), None) {
        Ok(()) => "state".to_owned(),
        Err(_) => r"Z:\usr".to_owned(),
    };
    let mut config = quiet(&[]);
    config["state_dir"] = json!(state);
    machine.configure(&config);
    let said = machine.ended(&["install"], 1);
    assert!(said.contains("belongs to another user") && said.contains("takeown"), "{said}");
    assert_eq!(machine.query(SERVICE), None, "{}", machine.state());
    assert_eq!(machine.registration(SERVICE), None);
}
