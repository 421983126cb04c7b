//! The unit: what systemd says of it, and its lines done by hand, as no systemd is at work here.

use std::fs;

use rustix::process::Signal;

use super::root::Root;
use crate::harness::agent::free_address;
use crate::harness::process::Process;
use crate::harness::servers::Server;
use crate::harness::until;
use crate::{config, package, sources, works};

/// The values of a setting, in their order.
pub fn values(name: &str) -> Vec<String> {
    let unit = fs::read_to_string(sources("packaging/linux/falcon-agent.service")).unwrap();
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned).collect()
}

fn value(name: &str) -> String {
    let mut values = values(name);
    assert_eq!(values.len(), 1, "{name}");
    values.remove(0)
}

fn installed() -> Root {
    let root = Root::new();
    let deb = root.bring(&package("_amd64.deb"));
    root.run(&["dpkg", "--install", &deb]).success();
    root
}

#[test]
fn systemd_finds_nothing_wrong_with_it() {
    let root = installed();
    let unit = "/lib/systemd/system/falcon-agent.service";
    let said = root.run(&["systemd-analyze", "verify", "--man=no", unit]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""));
    println!("{}", root.run(&["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]).out);
}

#[test]
fn its_lines_start_an_agent_that_sends_reloads_and_stops() {
    let (root, server, listen) = (installed(), Server::good(), free_address());
    let file = root.path("/etc/falcon-agent/cfg.json");
    fs::write(&file, config(&server, listen).to_string()).unwrap();
    let start: Vec<String> = value("ExecStart").split(' ').map(str::to_owned).collect();
    // What systemd sets up before it: the directory (by its name in /var/lib), the variables, where it runs.
    assert_eq!(format!("/var/lib/{}", value("StateDirectory")), value("WorkingDirectory"));
    let enter = ["sh", "-c", "cd \"$0\" && exec \"$@\""].map(str::to_owned);
    let words: Vec<String> = [&enter[..], &[value("WorkingDirectory")], &start[..]].concat();
    let mut command = root.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    for pair in values("Environment") {
        let (name, value) = pair.split_once('=').unwrap();
        command.env(name, value);
    }
    let agent = Process::start(command);
    works(&server, listen, || agent.err());
    let state = root.path("/var/lib/falcon-agent");
    assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
    let mut changed = config(&server, listen);
    changed["default_tags"] = serde_json::json!({ "rack": "7" });
    fs::write(&file, changed.to_string()).unwrap();
    agent.signal(Signal::HUP);
    let outcome = || fs::read_to_string(state.join("reload.json")).ok().filter(|text| text.contains("default_tags"));
    until("the outcome of a reload", || agent.err(), outcome);
    assert!(!root.has("/etc/falcon-agent/var"), "nothing is written beside cfg.json");
    agent.signal(Signal::TERM);
    let ended = agent.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains(" A007 "), "{ended:?}");
}

/// What keeps an administrator from sleeping if somebody changes it without thought.
#[test]
fn it_goes_on_starting_the_agent_but_after_the_guard_has_given_up() {
    assert_eq!(value("Restart"), "on-failure");
    assert_eq!(value("RestartPreventExitStatus"), "76");
    assert_eq!(value("StartLimitInterval"), "0");
    // More than the agent takes for its own end, and less than the 90 s for which a shutdown would wait.
    let seconds: u32 = value("TimeoutStopSec").parse().unwrap();
    assert!((10..60).contains(&seconds));
}
