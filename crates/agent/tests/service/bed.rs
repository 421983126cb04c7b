//! The test bed without the agent: where one of these fails, no other test of this target means anything.

use crate::machine::{Machine, State};

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
