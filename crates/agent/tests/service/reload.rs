//! A configuration that is read again while the service runs.

use serde_json::{Value, json};

use crate::harness::http;
use crate::harness::peer::Peer;
use crate::machine::{Machine, SERVICE, State};

/// SERVICE_CONTROL_PARAMCHANGE
const PARAMCHANGE: u32 = 6;

fn every(peer: &Peer, interval: i64) -> Value {
    let mut config = peer.config("service");
    config["transfer"]["interval"] = json!(interval);
    config
}

/// Waits for points with this step that come after all that came so far.
fn points_of_step(machine: &Machine, peer: &Peer, step: i64) {
    let seen = peer.items().len();
    machine.wait(&format!("points of step {step}"), || {
        peer.items().iter().skip(seen).any(|item| item.step == step).then_some(())
    });
}

/// By the verb, which waits for the outcome, and by the control alone, as `sc control` sends it.
#[test]
fn interval_and_address_change_and_a_bad_file_changes_nothing() {
    let peer = Peer::start();
    let machine = Machine::installed(&every(&peer, 1));
    machine.start(&every(&peer, 1));
    points_of_step(&machine, &peer, 1);
    let pids = machine.pids("falcon-agent.exe");

    machine.configure_here(&every(&peer, 2));
    machine.done(&["reload"]);
    points_of_step(&machine, &peer, 2);
    machine.configure_here(&every(&peer, 1));
    assert_eq!(machine.control(SERVICE, PARAMCHANGE), 0, "{}", machine.state());
    points_of_step(&machine, &peer, 1);

    let before = machine.http();
    machine.configure(&every(&peer, 1));
    machine.done(&["reload"]);
    machine.answers();
    machine.wait("the old address to be given up", || http::connect(before).is_err().then_some(()));

    let good = std::fs::read_to_string(machine.path("cfg.json")).expect("a file");
    machine.write_config("{\n  \"transfer\": {\n    \"interval\": \"60\"\n  }\n}");
    let said = machine.ended(&["reload"], 1);
    assert!(said.contains("cfg.json:3:17: transfer.interval: "), "{said}\n{}", machine.state());
    assert_eq!(machine.control(SERVICE, PARAMCHANGE), 0, "{}", machine.state());
    machine.answers();
    points_of_step(&machine, &peer, 1);
    machine.write_config(&good);
    machine.done(&["reload"]);
    assert_eq!(machine.pids("falcon-agent.exe"), pids, "it is one process all the time");
    machine.done(&["stop"]);
    assert_eq!(machine.query(SERVICE).map(|status| status.state), Some(State::Stopped));
}
