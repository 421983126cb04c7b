//! From one version to the next, and not back.

use serde_json::json;

use crate::harness::agent::segments;
use crate::harness::servers::{Does, Fault, Server};
use crate::host::{DATA, Host, PROGRAM, REFUSED, msi, next_msi};
use crate::load::Load;
use crate::machine::{SERVICE, State};

#[test]
fn an_upgrade_keeps_configuration_and_queue_and_a_downgrade_is_refused() {
    let (host, server, load) = (Host::new(), Server::start(Does::Fails(Fault::Closes)), Load::new("app", 1));
    let machine = &host.machine;
    let transfer = format!("TRANSFER={}", server.addr);
    host.install(&msi(), &[&transfer, &host.listen(), "NOSTART=1"]);
    // What the administrator changes is no property's.
    let mut config = host.config();
    config["transfer"]["enabled"] = json!(false);
    config["transfer"]["interval"] = json!(1);
    config["transfer"]["replay_delay"] = json!(0);
    config["heartbeat"]["enabled"] = json!(false);
    config["default_tags"] = json!({ "by": "hand" });
    machine.write(&format!(r"{DATA}\cfg.json"), &config.to_string());
    machine.done(&["start"]);
    machine.answers();
    machine.push(&load, 20);
    machine.done(&["stop"]);
    let queue = machine.prefix.on_linux(&format!(r"{DATA}\queue"));
    let before = segments(&queue);
    assert!(!before.is_empty(), "{}", host.state());

    host.install(&next_msi(), &["ENDPOINT=other", "NOSTART=1"]);
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Stopped, "{}", host.state());
    assert_eq!(host.config(), config);
    assert_eq!(segments(&queue), before);
    let image = format!(r#""{PROGRAM}\falcon-agent.exe" service -c "{DATA}\cfg.json""#);
    assert_eq!(host.image(), Some(image));

    assert_eq!(host.msiexec("/i", &msi(), &[]), REFUSED, "{}", host.state());
    assert!(host.has(&format!(r"{PROGRAM}\falcon-agent.exe")), "{}", host.state());

    server.turn_good();
    machine.done(&["start"]);
    let arrived = || (server.items().iter().filter(|item| item.endpoint == "app").count() >= 20).then_some(());
    machine.wait("what waited", arrived);
    let tags = server.items()[0].tags.clone();
    assert!(tags.contains("by=hand"), "{tags}");

    machine.done(&["stop"]);
    // What `falcon-agent upgrade` leaves beside it.
    for name in ["old.exe", "new.exe", "failed.exe", "unproven"] {
        machine.write(&format!(r"{PROGRAM}\falcon-agent.{name}"), "");
    }
    host.remove(&next_msi());
    assert_eq!((machine.query(SERVICE), host.has(PROGRAM)), (None, false), "{}", host.state());
    assert_eq!(host.config(), config);
}

/// What runs is stopped by the older product's own action, and started again.
#[test]
fn a_running_service_is_replaced_and_runs() {
    let (host, server) = (Host::new(), Server::good());
    let transfer = format!("TRANSFER={}", server.addr);
    host.install(&msi(), &[&transfer, &host.listen(), "INTERVAL=1", "ENDPOINT=up"]);
    host.reports(&server, "up");
    let before = host.machine.service_pids();
    host.install(&next_msi(), &[]);
    host.machine.wait_for(SERVICE, State::Running);
    let after = host
        .machine
        .wait("a new process", || Some(host.machine.service_pids()).filter(|pids| !pids.is_empty() && *pids != before));
    assert_eq!(after.len(), 1, "{}", host.state());
    let seen = server.items().len();
    host.machine.wait("more points", || (server.items().len() > seen).then_some(()));
    // Nothing of it is left that would hold up a removal.
    host.machine.done(&["stop"]);
    host.remove(&next_msi());
}

#[test]
fn a_repair_puts_files_back_and_registers_the_service_anew() {
    let host = Host::new();
    host.install(&msi(), &["TRANSFER=t:1", "NOSTART=1"]);
    let config = host.config();
    host.machine.sc(&["delete", SERVICE]).success();
    // Whoever may not read what administrators may changes nothing: every user can have Windows repair a product, and the verbs
    // ran as SYSTEM for him.
    let repair = ["REINSTALL=ALL", "NOSTART=1"];
    assert_eq!(host.msiexec("/i", &msi(), &repair), REFUSED, "{}", host.state());
    assert_eq!(host.image(), None);
    host.machine.prefix.run("reg", &["add", r"HKU\S-1-5-19"]).success();
    host.install(&msi(), &["REINSTALL=ALL", "TRANSFER=u:1", "NOSTART=1"]);
    assert!(host.image().is_some_and(|image| image.contains(DATA)), "{}", host.state());
    assert_eq!(host.config(), config);
}
