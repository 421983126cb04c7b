//! `config`, and where the configuration comes from.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::exe;
use crate::harness::process::{program, run};
use crate::{call, empty, with_config};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_effective_configuration_is_json_and_warnings_are_elsewhere() {
    let dir = with_config(
        "{\n  // a remark\n  \"transfer\": {\"addr\": \"10.0.0.1\", \"interval\": 20},\n  \"nonsense\": 1,\n}",
    );
    let ended = call(dir.path(), &["config"]);
    for warning in [
        "cfg.json:3: transfer.addrs: \"10.0.0.1\": has no port; read as \"10.0.0.1:8433\"",
        "cfg.json:3: transfer.interval: transfers raise steps below 30 s",
        "cfg.json:4: nonsense:",
    ] {
        assert!(ended.err.contains(warning), "{warning:?} is missing in:\n{}", ended.err);
    }
    assert_eq!(ended.err.lines().count(), 4, "{}", ended.err);
    let config = parsed(&ended.success());
    assert_eq!(
        config["transfer"],
        json!({ "enabled": true, "addrs": ["10.0.0.1:8433"], "interval": 20, "timeout": 1000, "replay_delay": 60,
                "replay_speed": 10, "replay_pause": 100 })
    );
    assert_eq!(config["http"]["listen"], ":1988");
    assert_eq!(config["heartbeat"]["interval"], 60);
    assert_eq!(config["collector"]["names"], json!(["falcon", "extended"]));
    assert_eq!(config.get("nonsense"), None);
}

#[test]
fn overlays_are_part_of_it_and_a_bad_one_is_named() {
    let dir = with_config(r#"{"hostname": "main", "default_tags": {"room": "1"}}"#);
    let crc = |dir: &TempDir| {
        let ended = call(dir.path(), &["config"]);
        ended.err.lines().find_map(|line| line.strip_prefix("agent.config.crc: ")).expect(&ended.err).to_owned()
    };
    let before = crc(&dir);
    fs::create_dir(dir.path().join("cfg.d")).unwrap();
    let put = |name: &str, text: &str| fs::write(dir.path().join("cfg.d").join(name), text).unwrap();
    put("00-remark.json", "# nothing yet\n{}");
    assert_eq!(crc(&dir), before);
    put("10-role.json", r#"{"hostname": "role", "default_tags": {"rack": "2"}}"#);
    put("20-bad.json", "{\"hostname\": \"bad\",\n \"transfer\": {\"interval\": \"60\"}}");
    put("30-site.json", "{\"transfer\": {\"addr\": \"10.0.0.1:8433\"},\n \"nonsense\": 1}");
    put("notes.txt", "{\"hostname\": \"notes\"}");
    let ended = call(dir.path(), &["config"]);
    let file = |name: &str| dir.path().join("cfg.d").join(name).display().to_string();
    let relative = |name: &str| format!("{}", std::path::Path::new("cfg.d").join(name).display());
    let lines: Vec<String> = ended.err.lines().map(|line| line.replace(&file(""), &relative(""))).collect();
    let expected = [
        format!("{}:2: nonsense: unknown key", relative("30-site.json")),
        format!("{}:2:27: transfer.interval: expected an integer", relative("20-bad.json")),
        format!("with {}", relative("00-remark.json")),
        format!("with {}", relative("10-role.json")),
        format!("with {}", relative("30-site.json")),
        "agent.config.crc: ".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ended.err);
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{expected:?}: {line}");
    }
    let printed = ended.success();
    assert_ne!(crc(&dir), before);
    assert_eq!(crc(&dir), crc32fast::hash(printed.trim_end().as_bytes()).to_string());
    let config = parsed(&printed);
    assert_eq!(config["hostname"], "role");
    assert_eq!(config["default_tags"], json!({ "room": "1", "rack": "2" }));
    assert_eq!(config["transfer"]["addrs"], json!(["10.0.0.1:8433"]));
}

/// Without cfg.json there is nothing that they could lie over.
#[test]
fn overlays_alone_are_not_looked_for() {
    let dir = empty();
    fs::create_dir(dir.path().join("cfg.d")).unwrap();
    fs::write(dir.path().join("cfg.d/a.json"), r#"{"hostname": "a"}"#).unwrap();
    let ended = call(dir.path(), &["config"]);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert_eq!(parsed(&ended.success())["hostname"], "");
}

#[test]
fn what_it_prints_is_a_configuration_that_means_the_same() {
    let dir = with_config(include_str!("../fixtures/config/linux-agent.json"));
    let first = call(dir.path(), &["config"]).success();
    let again = with_config(&first);
    assert_eq!(call(again.path(), &["config"]).success(), first);
}

#[test]
fn a_wrong_type_is_an_error_with_its_place_and_key() {
    let dir = with_config("{\n  \"transfer\": {\n    \"interval\": \"60\"\n  }\n}");
    for verb in ["config", "run", "collect"] {
        let ended = call(dir.path(), &[verb]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{verb}: {}", ended.err);
        assert!(ended.err.contains("cfg.json:3:17: transfer.interval: expected "), "{}", ended.err);
    }
    for (text, place) in [("{\"hostname\"：\"h\"}", ":1:12: "), ("{\n\"debug\": true\n", ":3:1: "), ("", "empty")] {
        let ended = call(with_config(text).path(), &["config"]);
        assert_eq!(ended.code, Some(1), "{text}");
        assert!(ended.err.contains("cfg.json") && ended.err.contains(place), "{text}: {}", ended.err);
    }
}

#[test]
fn secrets_are_printed_nowhere() {
    let file = |password: &str| {
        let git = "https://ci:hunter2@git.example/p.git";
        with_config(&format!(
            r#"{{"plugin": {{"git": "{git}"}}, "mssql": {{"username": "hunter2", "password": {password}}}}}"#
        ))
    };
    let wrong = call(file("71077345").path(), &["config"]);
    assert!(wrong.code == Some(1) && !wrong.err.contains("71077345"), "{wrong:?}");
    assert!(wrong.err.contains("mssql.password: expected "), "{wrong:?}");
    let ended = call(file(r#""hunter2""#).path(), &["config"]);
    assert!(!ended.err.contains("hunter2") && !ended.out.contains("hunter2"), "{ended:?}");
    let config = parsed(&ended.success());
    assert_eq!(config["plugin"]["git"], "https://******@git.example/p.git");
    assert_eq!(config["mssql"]["password"], "******");
}

/// The three places in their order. The executable is a copy with nothing beside it but what the test puts there.
#[test]
fn the_file_is_looked_for_here_then_beside_the_executable() {
    let (home, cwd) = (empty(), empty());
    let copy = home.path().join("falcon-agent");
    fs::copy(exe(), &copy).expect("copied");
    let effective = || {
        let mut command = Command::new(&copy);
        command.arg("config").current_dir(cwd.path()).env_remove("FALCON_ENDPOINT");
        parsed(&run(command).success())
    };
    let config = effective();
    assert_eq!(config["transfer"]["interval"], 10);
    assert_eq!(config["http"]["listen"], "127.0.0.1:1988");
    assert_eq!((&config["transfer"]["addrs"], &config["heartbeat"]["addrs"]), (&json!([]), &json!([])));
    fs::write(home.path().join("cfg.json"), r#"{"hostname":"beside"}"#).expect("a file");
    assert_eq!(effective()["hostname"], "beside");
    fs::write(cwd.path().join("cfg.json"), r#"{"hostname":"here"}"#).expect("a file");
    assert_eq!(effective()["hostname"], "here");
}

#[test]
fn the_endpoint_is_the_files_then_the_environments_then_the_systems() {
    let endpoint = |config: &str, environment: Option<&str>| {
        let dir = with_config(config);
        let mut command = program(dir.path(), &["collect", "--only", "load", "--format", "json"]);
        command.envs(environment.map(|name| ("FALCON_ENDPOINT", name)));
        parsed(&run(command).success())[0]["endpoint"].as_str().expect("a name").to_owned()
    };
    assert_eq!(endpoint(r#"{"hostname":"file"}"#, Some("environment")), "file");
    assert_eq!(endpoint("{}", Some("environment")), "environment");
    let system = fs::read_to_string("/proc/sys/kernel/hostname").expect("proc(5)");
    assert_eq!(endpoint("{}", None), system.trim());
    assert_eq!(endpoint("{}", Some("")), system.trim());
}
