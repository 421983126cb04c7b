//! The MSI over what was installed otherwise.

use std::fs;

use serde_json::{Value, json};

use crate::harness::exe;
use crate::harness::servers::Server;
use crate::host::{DATA, Host, PROGRAM, msi};
use crate::machine::{SERVICE, State};

/// A `cfg.json` with these addresses.
fn config(endpoint: &str, server: &Server, host: &Host) -> Value {
    json!({
        "hostname": endpoint,
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": [server.addr], "interval": 1, "timeout": 1000 },
        "http": { "enabled": true, "listen": host.machine.http().to_string() },
    })
}

/// By somebody who copied files.
#[test]
fn an_agent_in_another_directory_is_replaced_and_keeps_its_configuration_where_it_is() {
    const DIR: &str = r"C:\监控 agent";
    let (host, server) = (Host::new(), Server::good());
    let machine = &host.machine;
    let before = config("by-hand", &server, &host);
    machine.write(&format!(r"{DIR}\cfg.json"), &before.to_string());
    fs::copy(exe(), machine.prefix.on_linux(&format!(r"{DIR}\falcon-agent.exe"))).expect("a copy");
    for verb in ["install", "start"] {
        machine.prefix.run(&format!(r"{DIR}\falcon-agent.exe"), &[verb]).success();
    }
    host.reports(&server, "by-hand");

    host.install(&msi(), &["ENDPOINT=by-msi"]);
    machine.wait_for(SERVICE, State::Running);
    let image = format!(r#""{PROGRAM}\falcon-agent.exe" service -c "{DIR}\cfg.json""#);
    assert_eq!(host.image(), Some(image), "{}", host.state());
    assert!(!host.has(&format!(r"{DATA}\cfg.json")), "{}", host.state());
    let kept: Value = serde_json::from_str(&host.text(&format!(r"{DIR}\cfg.json")).expect("a file")).expect("JSON");
    assert_eq!(kept, before);
    let seen = server.items().len();
    machine.wait("more points", || (server.items().len() > seen).then_some(()));
}

/// It ran while its file was replaced, and a configuration that is not called cfg.json was left for a new one without servers.
#[test]
fn an_agent_that_was_copied_to_the_packages_place_is_stopped_first_and_keeps_its_configuration() {
    const FILE: &str = r"C:\etc\web.json";
    let (host, server) = (Host::new(), Server::good());
    let machine = &host.machine;
    let before = config("copied", &server, &host);
    machine.write(FILE, &before.to_string());
    machine.write(&format!(r"{PROGRAM}\falcon-agent.exe"), "");
    fs::copy(exe(), machine.prefix.on_linux(&format!(r"{PROGRAM}\falcon-agent.exe"))).expect("a copy");
    machine.done(&["install", "-c", FILE]);
    machine.done(&["start"]);
    host.reports(&server, "copied");
    let pids = machine.service_pids();

    host.install(&msi(), &["ENDPOINT=by-msi"]);
    machine.wait("a new process", || Some(machine.service_pids()).filter(|now| !now.is_empty() && *now != pids));
    let image = format!(r#""{PROGRAM}\falcon-agent.exe" service -c "{FILE}""#);
    assert_eq!(host.image(), Some(image), "{}", host.state());
    assert!(!host.has(&format!(r"{DATA}\cfg.json")), "{}", host.state());
    let kept: Value = serde_json::from_str(&host.text(FILE).expect("a file")).expect("JSON");
    assert_eq!(kept, before);
    let seen = server.items().len();
    machine.wait("more points", || (server.items().len() > seen).then_some(()));
}

#[test]
fn the_python_agent_is_taken_over_with_its_configuration() {
    let (host, server) = (Host::new(), Server::good());
    let machine = &host.machine;
    let mut older: Value =
        serde_json::from_str(include_str!("../fixtures/config/windows-agent.json")).expect("a fixture");
    let ours = config("web-01", &server, &host);
    for key in ["hostname", "heartbeat", "transfer"] {
        older[key] = ours[key].clone();
    }
    older["http"]["listen"] = ours["http"]["listen"].clone();
    machine.write(r"C:\Windows-Agent\cfg.json", &older.to_string());
    machine.pywin32(SERVICE, "Open Falcon Windows Agent", r"C:\Windows-Agent\agent.AppServerSvc");
    machine.wait_for(SERVICE, State::Running);

    host.install(&msi(), &["TAGS=idc=bj"]);
    machine.wait_for(SERVICE, State::Running);
    assert!(machine.pids("PythonService.exe").is_empty(), "{}", host.state());
    let image = format!(r#""{PROGRAM}\falcon-agent.exe" service -c "{DATA}\cfg.json""#);
    assert_eq!(host.image(), Some(image), "{}", host.state());
    let config = host.config();
    assert_eq!((&config["transfer"]["addrs"], &config["hostname"]), (&older["transfer"]["addrs"], &json!("web-01")));
    assert_eq!(config["default_tags"], json!({ "idc": "bj" }));
    host.reports(&server, "web-01");
}
