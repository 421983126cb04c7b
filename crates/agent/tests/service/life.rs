//! From `install` to `uninstall`: by the agent's verbs, by `sc` and `net`, over a reboot, and from other directories.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::peer::Peer;
use crate::harness::servers::{BlackHole, Does, Fault, Server};
use crate::load::Load;
use crate::machine::{Machine, SERVICE, State};
use crate::quiet;
use crate::registry::EVENT_SOURCES;

/// The promise is 5 s. Wine takes its share of that and a busy machine another one; a stop that waits for a transfer would
/// take the 10 s of a call on top.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

fn config(peer: &Peer) -> Value {
    let mut config = peer.config("service");
    config["transfer"]["replay_delay"] = json!(0);
    config["transfer"]["replay_speed"] = json!(0);
    config
}

/// Registered as `install` registers it.
fn is_registered(machine: &Machine) {
    let key = machine.registration(SERVICE).expect("a service");
    let image =
        format!(r#""{}" service -c "{}""#, machine.exe(), machine.exe().replace("falcon-agent.exe", "cfg.json"));
    for (value, expected) in [
        ("ImagePath", image.as_str()),
        ("DisplayName", "Open-Falcon Windows Agent"),
        ("ObjectName", "LocalSystem"),
        ("Start", "dword:00000002"),
        ("Type", "dword:00000010"),
        ("PreshutdownTimeout", "dword:00002710"),
    ] {
        assert_eq!(key.text(value).as_deref(), Some(expected), "{value} of {key:?}");
    }
    assert!(key.text("Description").is_some_and(|text| text.contains("Open-Falcon")), "{key:?}");
    let source = machine.prefix.registry(&format!(r"{EVENT_SOURCES}\{SERVICE}")).expect("an event source");
    assert_eq!(source.text("EventMessageFile"), Some(machine.exe()), "{source:?}");
}

fn is_gone(machine: &Machine) {
    assert_eq!(machine.query(SERVICE), None, "{}", machine.state());
    assert_eq!(machine.registration(SERVICE), None);
    assert_eq!(machine.prefix.registry(&format!(r"{EVENT_SOURCES}\{SERVICE}")), None);
    assert!(machine.pids("falcon-agent.exe").is_empty(), "{}", machine.state());
}

fn cycle_and_heartbeat_arrive(machine: &Machine, peer: &Peer) {
    let seen = || (peer.cycles().len(), peer.reports().len());
    let before = seen();
    machine.wait("a cycle and a heartbeat", || (seen().0 > before.0 && seen().1 > before.1).then_some(()));
}

/// The verb waits until the service has stopped: its time is that of the stop.
fn stops_in_time(machine: &Machine) {
    let begin = Instant::now();
    machine.done(&["stop"]);
    let took = begin.elapsed();
    let status = machine.query(SERVICE).expect("a service");
    assert_eq!((status.state, status.exit_code), (State::Stopped, 0), "{}", machine.state());
    assert!(took < STOPS_WITHIN, "a stop took {took:?}\n{}", machine.state());
    machine.wait("its process to end", || machine.pids("falcon-agent.exe").is_empty().then_some(()));
}

#[test]
fn a_service_is_installed_runs_hangs_stops_runs_again_is_updated_and_removed() {
    let (peer, machine) = (Peer::start(), Machine::new());
    machine.configure(&config(&peer));
    machine.done(&["install"]);
    is_registered(&machine);
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Stopped, "{}", machine.state());
    machine.done(&["start"]);
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Running, "{}", machine.state());
    machine.answers();
    cycle_and_heartbeat_arrive(&machine, &peer);
    stops_in_time(&machine);

    let (hole, load) = (BlackHole::start(), Load::new("app", 3));
    let silent = Server::start(Does::Fails(Fault::Silent));
    for addr in [&silent.addr, &hole.addr] {
        machine.start(&quiet(&[addr]));
        machine.push(&load, 3);
        if *addr == silent.addr {
            machine.wait("a call that hangs", || (silent.faulty_calls() > 0).then_some(()));
        }
        stops_in_time(&machine);
    }
    let server = Server::good();
    machine.start(&quiet(&[&server.addr]));
    load.all_arrive_or(|| machine.state(), &[&server]);
    machine.done(&["restart"]);
    machine.done(&["update"]);
    is_registered(&machine);

    machine.done(&["uninstall"]);
    is_gone(&machine);
    assert_eq!(machine.files(), ["cfg.json", "falcon-agent.exe", "logs", "queue"]);
    machine.done(&["install"]);
    machine.done(&["start"]);
    machine.done(&["remove", "--purge"]);
    is_gone(&machine);
    assert_eq!(machine.files(), ["falcon-agent.exe"]);
}

/// As a version of before, or somebody's script, may have left it: without quotes, by hand, without description or source.
#[test]
fn update_makes_an_older_registration_whole() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    let image = format!("{} service", machine.exe());
    machine.sc(&["create", SERVICE, "binpath=", &image, "displayname=", "Falcon"]).success();
    machine.done(&["update", "--startup", "auto"]);
    is_registered(&machine);
    machine.done(&["start"]);
    machine.answers();
    machine.done(&["uninstall"]);
    is_gone(&machine);
}

#[test]
fn sc_and_net_start_ask_and_stop_it() {
    let (peer, machine) = (Peer::start(), Machine::new());
    machine.configure(&config(&peer));
    machine.done(&["install"]);
    for tool in ["sc", "net"] {
        machine.configure(&config(&peer));
        machine.prefix.run(tool, &["start", SERVICE]).success();
        machine.wait_for(SERVICE, State::Running);
        machine.answers();
        cycle_and_heartbeat_arrive(&machine, &peer);
        machine.prefix.run(tool, &["stop", SERVICE]).success();
        let status = machine.wait_for(SERVICE, State::Stopped);
        assert_eq!(status.exit_code, 0, "{}", machine.state());
        machine.wait("its process to end", || machine.pids("falcon-agent.exe").is_empty().then_some(()));
    }
    machine.done(&["uninstall"]);
    is_gone(&machine);
}

#[test]
fn a_path_with_blanks_and_chinese_is_as_good_as_any() {
    for dir in [r"C:\监控 代理", r"C:\Program Files\监控\代理 2"] {
        let (peer, machine) = (Peer::start(), Machine::with_agent_in(dir));
        machine.configure(&config(&peer));
        machine.done(&["install"]);
        is_registered(&machine);
        machine.done(&["start"]);
        machine.answers();
        cycle_and_heartbeat_arrive(&machine, &peer);
        assert!(machine.agent(&["status"]).success().contains(dir), "{}", machine.state());
        machine.prefix.cut_power();
        machine.configure(&config(&peer));
        machine.prefix.boot();
        machine.answers();
        machine.done(&["stop"]);
        machine.done(&["uninstall", "--purge"]);
        assert_eq!(machine.files(), ["falcon-agent.exe"]);
    }
}

/// Nothing that a round leaves behind may be left twenty times.
#[test]
fn twenty_rounds_leak_neither_process_nor_handle() {
    /// What other services may open meanwhile; a leak of one handle in each round is twice as much.
    const SLACK: usize = 10;
    let server = Server::good();
    let machine = Machine::installed(&quiet(&[&server.addr]));
    let load = Load::new("app", 1);
    let round = || {
        machine.start(&quiet(&[&server.addr]));
        machine.push(&load, 1);
        machine.done(&["stop"]);
        machine.wait("its process to end", || machine.pids("falcon-agent.exe").is_empty().then_some(()));
    };
    // The first ones open what services.exe keeps.
    round();
    round();
    let images = || {
        let mut images: Vec<String> = machine.prefix.processes().into_iter().map(|process| process.line).collect();
        images.sort();
        images
    };
    let (before, handles) = (images(), machine.handles("services.exe"));
    assert!(handles > 0, "{}", machine.state());
    (0..20).for_each(|_| round());
    assert_eq!(images(), before);
    let after = machine.handles("services.exe");
    assert!(after < handles + SLACK, "services.exe had {handles} handles and has {after}");
    load.all_arrive_or(|| machine.state(), &[&server]);
}
