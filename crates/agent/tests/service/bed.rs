//! The test bed without the agent: where one of these fails, no other test of this target means anything.

use crate::machine::{Machine, State};
use crate::registry::SERVICES;

#[test]
fn a_prefix_keeps_services_over_a_reboot_and_starts_those_that_start_by_themselves() {
    let machine = Machine::new();
    assert_eq!(machine.query("OldAgent"), None);
    assert_eq!(machine.registration("OldAgent"), None);
    machine.pywin32("OldAgent", "An old agent", r"C:\监控 代理\agent.AppServerSvc");
    machine.wait_for("OldAgent", State::Running);
    let before = machine.registration("OldAgent").expect("a key");
    assert_eq!(before.text("DisplayName").as_deref(), Some("An old agent"));
    machine.prefix.cut_power();
    assert!(machine.prefix.processes().is_empty());
    machine.prefix.boot();
    machine.wait_for("OldAgent", State::Running);
    assert_eq!(machine.registration("OldAgent"), Some(before));
    assert_eq!(machine.pids("PythonService.exe").len(), 1, "{}", machine.state());
    machine.net(&["stop", "OldAgent"]).success();
    machine.wait_for("OldAgent", State::Stopped);
    machine.wait("its process to end", || machine.pids("PythonService.exe").is_empty().then_some(()));
    assert!(machine.handles("services.exe") > 0);
    assert_eq!(machine.control("OldAgent", 6), 1062, "it is not active");
}

#[test]
fn services_of_nssm_have_the_values_that_it_writes() {
    let machine = Machine::new();
    let parameters = r#"-c "C:\wa conf\生产.json" -v"#;
    machine.nssm("windows-agent", r"C:\wa\windows-agent.exe", r"C:\wa", parameters);
    machine.wait_for("windows-agent", State::Running);
    let key = machine.prefix.registry(&format!(r"{SERVICES}\windows-agent\Parameters")).expect("a key");
    assert_eq!(key.text("Application").as_deref(), Some(r"C:\wa\windows-agent.exe"));
    assert_eq!(key.text("AppDirectory").as_deref(), Some(r"C:\wa"));
    assert_eq!(key.text("AppParameters").as_deref(), Some(parameters));
    assert!(machine.registration("windows-agent").expect("a service").has("Parameters"));
}

/// What the tests of the promise rely on.
#[test]
fn a_service_that_was_killed_can_be_started_again() {
    let machine = Machine::new();
    machine.pywin32("OldAgent", "An old agent", r"C:\old\agent.AppServerSvc");
    machine.wait_for("OldAgent", State::Running);
    let killed = machine.pids("PythonService.exe");
    machine.kill("PythonService.exe");
    machine.sc(&["start", "OldAgent"]).success();
    machine.wait_for("OldAgent", State::Running);
    let pids =
        machine.wait("a new process", || Some(machine.pids("PythonService.exe")).filter(|pids| !pids.is_empty()));
    assert_ne!(pids, killed);
    machine.sc(&["stop", "OldAgent"]).success();
    machine.wait_for("OldAgent", State::Stopped);
}
