//! Older agents, which are taken over and put back; and other services of pywin32 and nssm, which nobody touches.

use std::fs;

use serde_json::{Value, json};

use crate::harness::peer::Peer;
use crate::machine::{Machine, SERVICE, State};
use crate::registry::Tree;

const AUTO: &str = "dword:00000002";
const DISABLED: &str = "dword:00000004";

/// An older agent's file with the addresses of this peer.
fn older(text: &str, peer: &Peer, hostname: &str) -> Value {
    let mut config: Value = serde_json::from_str(text).expect("JSON");
    config["hostname"] = json!(hostname);
    config["heartbeat"]["addr"] = json!(peer.hbs);
    config["heartbeat"]["interval"] = json!(1);
    config["transfer"]["addrs"] = json!([peer.transfer]);
    config["transfer"]["interval"] = json!(1);
    config["http"]["listen"] = json!(crate::harness::agent::free_address().to_string());
    config
}

fn start_of(machine: &Machine, service: &str) -> String {
    machine.registration(service).and_then(|key| key.text("Start")).unwrap_or_else(|| panic!("{}", machine.state()))
}

/// Services that must stay as they are, running.
struct Strangers<'m> {
    machine: &'m Machine,
    before: Vec<(&'static str, Tree)>,
}

impl Strangers<'_> {
    fn move_in(machine: &Machine) -> Strangers<'_> {
        machine.pywin32("OtherSvc", "Another service", r"C:\other\other.OtherSvc");
        // The Python agent under another name is somebody's own arrangement.
        machine.pywin32("FalconCopy", "A copy", r"C:\copy\agent.AppServerSvc");
        machine.nssm("other-nssm", r"C:\other\other.exe", r"C:\other", "-c cfg.json");
        machine.nssm("old-backup", r"C:\other\windows-agent.exe.old.exe", r"C:\other", "");
        let names = ["OtherSvc", "FalconCopy", "other-nssm", "old-backup"];
        let key = |name| machine.registration(name).unwrap_or_else(|| panic!("no {name}: {}", machine.state()));
        let before = names.map(|name| (name, key(name))).into();
        let strangers = Strangers { machine, before };
        strangers.are_untouched();
        strangers
    }

    fn are_untouched(&self) {
        for (name, before) in &self.before {
            assert_eq!(self.machine.registration(name).as_ref(), Some(before), "{name}");
            self.machine.wait_for(name, State::Running);
        }
    }
}

/// Starts what took over, and waits for its points under the endpoint that the older one had.
fn reports_as(machine: &Machine, peer: &Peer, endpoint: &str) {
    machine.done(&["start"]);
    machine.wait("points", || (!peer.items().is_empty()).then_some(()));
    let endpoints: Vec<String> = peer.items().into_iter().map(|item| item.endpoint).collect();
    assert!(endpoints.iter().all(|seen| seen == endpoint), "{endpoints:?} instead of {endpoint}\n{}", machine.state());
    let reports = machine.wait("a heartbeat", || Some(peer.reports()).filter(|reports| !reports.is_empty()));
    assert_eq!(reports[0]["Hostname"], endpoint, "{reports:?}");
}

/// What the Python agent calls a host that has no name in its file: `socket.gethostname()`.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").expect("proc(5)").trim().to_owned()
}

#[test]
fn the_python_agent_is_taken_over_and_put_back() {
    const TEXT: &str = include_str!("../fixtures/config/windows-agent.json");
    for hostname in ["web-01", ""] {
        let (peer, machine) = (Peer::start(), Machine::new());
        let strangers = Strangers::move_in(&machine);
        let config = older(TEXT, &peer, hostname);
        machine.write(r"C:\Windows-Agent\cfg.json", &serde_json::to_string_pretty(&config).expect("JSON"));
        machine.pywin32(SERVICE, "Open Falcon Windows Agent", r"C:\Windows-Agent\agent.AppServerSvc");
        let before = machine.registration(SERVICE).expect("a service");

        machine.done(&["install"]);
        strangers.are_untouched();
        let ours = machine.registration(SERVICE).expect("a service");
        assert!(ours.text("ImagePath").is_some_and(|image| image.contains("falcon-agent.exe")), "{ours:?}");
        assert!(!ours.has("PythonClass"), "a service of ours that looks like the Python agent: {ours:?}");
        let endpoint = if hostname.is_empty() { host_name() } else { hostname.to_owned() };
        let copied: Value = serde_json::from_slice(&fs::read(machine.path("cfg.json")).expect("a copy")).expect("JSON");
        assert!(copied["hostname"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&endpoint)), "{copied}");
        assert_eq!(copied["transfer"], config["transfer"]);
        reports_as(&machine, &peer, copied["hostname"].as_str().expect("a name"));
        // Once more: what was saved is still the older one's.
        machine.done(&["install"]);

        machine.done(&["uninstall", "--restore"]);
        assert_eq!(machine.registration(SERVICE), Some(before));
        machine.prefix.cut_power();
        machine.prefix.boot();
        machine.wait_for(SERVICE, State::Running);
        assert!(machine.pids("falcon-agent.exe").is_empty(), "{}", machine.state());
        strangers.are_untouched();
    }
}

#[test]
fn the_go_agent_under_nssm_is_taken_over_and_put_back() {
    const TEXT: &str = include_str!("../fixtures/config/freedomkk.json");
    for (parameters, file) in [
        ("", r"C:\wa\cfg.json"),
        ("-c cfg.json", r"C:\wa\cfg.json"),
        (r#"-c "C:\wa conf\生产.json""#, r"C:\wa conf\生产.json"),
    ] {
        let (peer, machine) = (Peer::start(), Machine::new());
        let strangers = Strangers::move_in(&machine);
        let config = older(TEXT, &peer, "db-01");
        machine.write(file, &serde_json::to_string_pretty(&config).expect("JSON"));
        machine.nssm("windows-agent", r"C:\wa\windows-agent.exe", r"C:\wa", parameters);
        machine.wait_for("windows-agent", State::Running);
        let before = machine.registration("windows-agent").expect("a service");

        machine.done(&["install"]);
        strangers.are_untouched();
        assert_eq!(start_of(&machine, "windows-agent"), DISABLED);
        assert_eq!(machine.query("windows-agent").expect("a service").state, State::Stopped, "{}", machine.state());
        assert_eq!(start_of(&machine, SERVICE), AUTO);
        reports_as(&machine, &peer, "db-01");

        machine.done(&["uninstall", "--restore"]);
        assert_eq!(machine.registration(SERVICE), None);
        assert_eq!(machine.registration("windows-agent"), Some(before));
        machine.prefix.cut_power();
        machine.prefix.boot();
        machine.wait_for("windows-agent", State::Running);
        strangers.are_untouched();
    }
}

/// The name is taken, by somebody whom nobody knows: that is for the administrator to say.
#[test]
fn a_foreign_service_of_the_agents_name_is_refused_and_stays() {
    let machine = Machine::new();
    machine.configure(&crate::quiet(&[]));
    machine.pywin32(SERVICE, "Somebody's", r"C:\other\other.OtherSvc");
    let before = machine.registration(SERVICE).expect("a service");
    for verb in [&["install"][..], &["update"], &["uninstall"], &["uninstall", "--restore"]] {
        let said = machine.ended(verb, 1);
        assert!(said.contains(SERVICE), "{said}");
        assert_eq!(machine.registration(SERVICE).as_ref(), Some(&before), "{verb:?}");
        machine.wait_for(SERVICE, State::Running);
    }
}
