//! Starts that go wrong, cross each other or are taken back.

use crate::machine::{Machine, SERVICE, State};
use crate::quiet;

/// ERROR_SERVICE_SPECIFIC_ERROR
const SPECIFIC: u32 = 1066;

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
        let services = machine.prefix.processes().into_iter().filter(|process| process.line.contains(" service"));
        assert_eq!(services.count(), 1, "{}", machine.state());
        machine.done(&["stop"]);
    }
}

/// From the moment on that there is a process, and with the pauses in which it reads, opens and listens.
#[test]
fn a_stop_while_it_starts_stops_it() {
    let machine = Machine::installed(&quiet(&[]));
    for round in 0..6 {
        machine.configure(&quiet(&[]));
        let start = machine.begin(&["start"]);
        machine.wait("a service that is no longer stopped", || {
            let status = machine.query(SERVICE)?;
            (status.state != State::Stopped).then_some(())
        });
        (0..round).for_each(|_| _ = machine.query(SERVICE));
        machine.done(&["stop"]);
        // It may have seen the service run, or end; either way it says so and ends itself.
        let ended = start.wait();
        assert!(matches!(ended.code, Some(0 | 1)) && !(ended.out + &ended.err).is_empty(), "{}", machine.state());
        machine.wait_for(SERVICE, State::Stopped);
        machine.wait("its process to end", || machine.pids("falcon-agent.exe").is_empty().then_some(()));
    }
    machine.start(&quiet(&[]));
}
