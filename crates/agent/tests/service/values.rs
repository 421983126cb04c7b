//! What a configuration is to say, given to `install`, `configure` and `adopt`.

use std::fs;

use serde_json::{Value, json};

use crate::harness::agent::free_address;
use crate::harness::peer::Peer;
use crate::machine::{Machine, SERVICE, State};
use crate::quiet;

const PYTHON: &str = include_str!("../fixtures/config/windows-agent.json");

fn config(machine: &Machine) -> Value {
    serde_json::from_slice(&fs::read(machine.path("cfg.json")).expect("a file")).expect("JSON")
}

#[test]
fn a_first_installation_with_everything_is_one_line() {
    let (peer, machine) = (Peer::start(), Machine::new());
    let listen = free_address().to_string();
    let said = machine.done(&[
        "install",
        "--transfer",
        &peer.transfer,
        "--hbs",
        &peer.hbs,
        "--endpoint",
        "测试 web-01",
        "--listen",
        &listen,
        "--interval",
        "30",
        "--tags",
        "idc=bj,role=数据 库",
        "--startup",
        "delayed",
        "--start",
    ]);
    assert!(said.contains("with transfer.addrs, heartbeat.addrs, hostname, http.listen"), "{said}");
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Running, "{said}");
    let written = config(&machine);
    assert_eq!(
        written["transfer"],
        json!({ "enabled": true, "addrs": [peer.transfer], "interval": 30, "timeout": 1000 })
    );
    assert_eq!(written["heartbeat"]["addrs"], json!([peer.hbs]));
    assert_eq!((&written["hostname"], &written["http"]["listen"]), (&json!("测试 web-01"), &json!(listen)));
    machine.wait("points", || (!peer.items().is_empty()).then_some(()));
    for item in peer.items() {
        assert_eq!((item.endpoint.as_str(), item.step), ("测试 web-01", 30), "{item:?}");
        assert!(item.tags.contains("idc=bj") && item.tags.contains("role=数据 库"), "{item:?}");
    }
    let reports = machine.wait("a heartbeat", || Some(peer.reports()).filter(|reports| !reports.is_empty()));
    assert_eq!(reports[0]["Hostname"], "测试 web-01");
}

/// What the first call had written stood for good, and the values of the next one were not taken.
#[test]
fn a_first_installation_that_fails_leaves_no_configuration() {
    let machine = Machine::new();
    // Two services of one display name are refused.
    machine.pywin32("FalconCopy", "Open-Falcon Windows Agent", r"C:\copy\copy.Service");
    let said = machine.ended(&["install", "--transfer", "wrong:1"], 1);
    assert!(said.contains("wrote ") && said.contains("cannot be registered"), "{said}");
    assert_eq!(machine.query(SERVICE), None, "{}", machine.state());
    assert!(!machine.path("cfg.json").exists(), "{:?}", machine.files());
}

/// An upgrade gives the same line again.
#[test]
fn what_is_there_already_stays_and_that_is_said() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    let before = fs::read(machine.path("cfg.json")).expect("a file");
    for args in [&["install", "--transfer", "t:1", "--endpoint", "other"][..], &["install", "--transfer", ""]] {
        let said = machine.done(args);
        assert_eq!(said.contains("stays as it is"), args.contains(&"other"), "{said}");
        assert_eq!(fs::read(machine.path("cfg.json")).expect("a file"), before);
    }
    // Which is what `configure` is for: the service's own file, wherever one stands.
    let said = machine.done(&["configure", "--transfer", "t:1", "--endpoint", "other"]);
    assert!(said.contains("transfer.addrs, hostname"), "{said}");
    assert_eq!(
        (&config(&machine)["transfer"]["addrs"], &config(&machine)["hostname"]),
        (&json!(["t:1"]), &json!("other"))
    );
    assert_eq!(config(&machine)["transfer"]["interval"], 1);
    let left = |name: &str| machine.files().iter().any(|file| file == name);
    assert!(left("cfg.json") && !left("cfg.json.new"), "{:?}", machine.files());
    machine.ended(&["update", "--transfer", "t:1"], 2);
}

#[test]
fn the_python_agents_file_is_copied_with_the_values_in_it() {
    let machine = Machine::new();
    machine.write(r"C:\Windows-Agent\cfg.json", PYTHON);
    machine.pywin32(SERVICE, "Open Falcon Windows Agent", r"C:\Windows-Agent\agent.AppServerSvc");
    machine.done(&["install", "--transfer", "t1:1,t2:2", "--hbs", "h:1", "--endpoint", "db-01", "--tags", "a=b"]);
    let mut expected: Value = serde_json::from_str(PYTHON).expect("JSON");
    expected["transfer"]["addrs"] = json!(["t1:1", "t2:2"]);
    expected["heartbeat"]["addr"] = json!("h:1");
    expected["hostname"] = json!("db-01");
    expected["default_tags"] = json!({ "a": "b" });
    assert_eq!(config(&machine), expected);
    assert_eq!(fs::read_to_string(machine.prefix.on_linux(r"C:\Windows-Agent\cfg.json")).expect("a file"), PYTHON);
}

#[test]
fn values_that_make_no_configuration_change_nothing_and_are_named() {
    let machine = Machine::new();
    for (option, value) in [
        ("--transfer", "a:99999"),
        ("--hbs", "http://h:6030"),
        ("--endpoint", "it's"),
        ("--listen", "x:y"),
        ("--interval", "1m"),
        ("--tags", "idc"),
    ] {
        let said = machine.ended(&["install", "--transfer", "t:1", option, value, "--start"], 1);
        assert!(said.contains(&format!("{option}: ")) && said.contains("nothing was changed"), "{said}");
        assert_eq!(machine.query(SERVICE), None);
        assert_eq!(machine.files(), ["falcon-agent.exe"]);
    }
    // The older agent goes on.
    machine.write(r"C:\Windows-Agent\cfg.json", PYTHON);
    machine.pywin32(SERVICE, "Open Falcon Windows Agent", r"C:\Windows-Agent\agent.AppServerSvc");
    machine.wait_for(SERVICE, State::Running);
    let before = machine.registration(SERVICE);
    machine.ended(&["install", "--listen", "x:y"], 1);
    assert_eq!(machine.registration(SERVICE), before);
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Running);
}

/// windows_exporter PR 2163: a package that could not start its service was rolled back, and with it whoever was to repair it.
#[test]
fn a_service_that_does_not_start_is_told_and_is_no_failure_of_the_installation() {
    let machine = Machine::new();
    machine.write_config("{\n\"transfer\": 7}");
    let said = machine.done(&["install", "--transfer", "t:1", "--start"]);
    assert!(said.contains("cfg.json:2:") && said.contains("does not run yet"), "{said}");
    assert_eq!(machine.query(SERVICE).expect("a service").state, State::Stopped, "{said}");
    assert_eq!(fs::read_to_string(machine.path("cfg.json")).expect("a file"), "{\n\"transfer\": 7}");
    machine.configure(&quiet(&[]));
    machine.done(&["install", "--start"]);
    machine.answers();
    assert!(machine.done(&["install", "--start"]).contains("runs already"));
}

#[test]
fn the_file_of_an_agent_that_is_no_service_is_adopted() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    machine.done(&["install"]);
    machine.write(
        r"C:\old agent\config\cfg.json",
        r#"{ "hostname": "", "plugin": { "enabled": true, "dir": "plugin" }, "own": 1 }"#,
    );
    let said = machine.done(&["adopt", r"C:\old agent"]);
    assert!(said.contains("cfg.json.before-adopt") && said.contains("falcon-agent restart"), "{said}");
    let written = config(&machine);
    assert_eq!(written["plugin"]["dir"], r"C:\old agent\config\plugin");
    assert!(written["hostname"].as_str().is_some_and(|name| !name.is_empty()) && written["own"] == 1, "{written}");
    assert!(machine.done(&["adopt", r"C:\old agent\"]).contains("is so already"));
}
