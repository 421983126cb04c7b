//! Flags, verbs, help and exit codes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::harness::host::Host;
use crate::harness::process::{program, run};
use crate::{call, empty, with_config};
use serde_json::json;

#[test]
fn the_version_has_the_form_that_ops_scripts_know() {
    let dir = empty();
    for flag in ["-v", "--v", "-version", "--version", "-v=true"] {
        let ended = call(dir.path(), &[flag]);
        assert_eq!(ended.err, "");
        let out = ended.success();
        let rest = out.strip_prefix("Open-Falcon falcon-agent version ").unwrap_or_else(|| panic!("{flag}: {out}"));
        let (version, commit) = rest.trim_end().split_once(", build ").unwrap_or_else(|| panic!("{flag}: {out}"));
        let numbers: Vec<Result<u32, _>> = version.split('.').map(str::parse).collect();
        assert!(numbers.len() == 3 && numbers.iter().all(Result::is_ok), "{version}");
        let is_commit = commit.len() == 7 && commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(is_commit || commit == "unknown", "{commit}");
        assert_eq!(out.lines().count(), 1);
    }
}

#[test]
fn help_explains_every_verb_and_option() {
    let dir = empty();
    for flag in ["-h", "--help", "-help"] {
        let help = call(dir.path(), &[flag]).success();
        for word in ["run", "collect", "config", "-c <FILE>", "--check", "--version", "cfg.json", ":1988"] {
            assert!(help.contains(word), "{word} is missing in:\n{help}");
        }
    }
    let help = call(dir.path(), &["collect", "--help"]).success();
    for word in ["table", "json", "prometheus", "--only", "cpu", "df"] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
}

#[test]
fn unknown_usage_ends_with_two_and_says_why() {
    let dir = empty();
    let wrong: [&[&str]; 8] = [
        &["nope"],
        &["-nope"],
        &["--nope"],
        &["run", "extra"],
        &["collect", "--only", "nope"],
        &["collect", "--format", "xml"],
        &["-v=maybe"],
        &["-c"],
    ];
    for args in wrong {
        let ended = call(dir.path(), args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {}", ended.err);
        assert!(ended.err.starts_with("error:"), "{args:?}: {}", ended.err);
    }
}

#[test]
fn a_file_that_is_asked_for_and_missing_ends_with_one() {
    let dir = with_config("{}");
    for args in [
        &["-c", "none.json"][..],
        &["run", "-c", "none.json"],
        &["collect", "-c=none.json"],
        &["config", "-c=none.json"],
    ] {
        let ended = call(dir.path(), args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{args:?}");
        assert!(ended.err.contains("none.json") && ended.err.lines().count() == 1, "{}", ended.err);
    }
}

#[test]
fn the_go_agents_forms_of_the_file_flag_mean_the_same() {
    let dir = with_config("{}");
    std::fs::write(dir.path().join("other.json"), r#"{"hostname":"other"}"#).expect("a file");
    for args in [
        &["-c", "other.json", "config"][..],
        &["-c=other.json", "config"],
        &["--c", "other.json", "config"],
        &["--c=other.json", "config"],
        &["config", "-c", "other.json"],
        &["-c", "cfg.json", "config", "-c=other.json"],
    ] {
        let config = call(dir.path(), args).success();
        assert!(config.contains(r#""hostname": "other""#), "{args:?}: {config}");
    }
}

#[test]
fn a_file_may_have_a_name_of_any_bytes() {
    let dir = empty();
    let name = OsStr::from_bytes(b"\xff.json");
    std::fs::write(dir.path().join(name), r#"{"hostname":"other"}"#).expect("a file");
    let joined = OsStr::from_bytes(b"-c=\xff.json");
    for args in [&[joined, OsStr::new("config")][..], &[OsStr::new("config"), OsStr::new("-c"), name]] {
        let mut program = program(dir.path(), &[]);
        program.args(args);
        assert!(run(program).success().contains(r#""hostname": "other""#), "{args:?}");
    }
    let mut program = program(dir.path(), &["plugin", "run", "60_x.sh"]);
    program.arg(name);
    assert_eq!(run(program).code, Some(2));
}

/// A console of a server has not many more columns.
#[test]
fn help_is_no_wider_than_a_hundred_columns() {
    let dir = empty();
    for verb in [
        &[][..],
        &["collect"],
        &["install"],
        &["queue"],
        &["plugin"],
        &["plugin", "run"],
        &["config"],
        &["configure"],
        &["adopt"],
    ] {
        let help = call(dir.path(), &[verb, &["--help"]].concat()).success();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        assert!(help.contains("Usage: falcon-agent") && help.contains("-h, --help"), "{help}");
    }
}

#[test]
fn the_self_check_has_a_line_for_every_collector_that_this_host_has_something_for() {
    let host = Host::typical();
    for flag in ["-check", "--check", "-check=true"] {
        let out = host.run(&json!({}), &[flag]).success();
        // The machine that runs the tests may have a GPU, or just its library.
        let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with("gpu ")).collect();
        let expected = [
            "agent", "cpustat", "memory", "loadavg", "kernel", "sys", "net.if", "snmp", "netstat", "ss -s", "df.bytes",
            "disk.io", "ss -tln", "ps aux", "du -bs",
        ];
        assert_eq!(lines, expected.map(|name| format!("{name:<8} ... ok")), "{out}");
    }
    let host = host.change("proc/stat", |_| "btime 1\n".to_owned());
    let out = host.run(&json!({}), &["-check"]).success();
    assert!(out.contains("cpustat  ... fail\nmemory   ... ok\n"), "{out}");
}

/// On a machine behind a proxy the agent under test asked that one for the servers of the tests.
#[test]
fn what_the_machine_of_the_tests_sets_does_not_reach_the_executable() {
    let dir = empty();
    let program = program(dir.path(), &[]);
    let removed = |name: &str| program.get_envs().any(|(set, value)| set == name && value.is_none());
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir", "nux_rootfs"] {
        assert!(removed(&name.to_uppercase()), "{name}");
        assert!(removed(name) || !name.ends_with("_proxy"), "{name}");
    }
}

/// A script of a mixed fleet gives the same verb everywhere.
#[test]
fn verbs_of_the_windows_service_say_what_to_use_here() {
    let dir = empty();
    for verb in ["install", "update", "uninstall", "remove", "start", "stop", "restart", "reload", "status"] {
        let ended = call(dir.path(), &[verb]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{verb}: {ended:?}");
        assert!(ended.err.contains("systemd"), "{verb}: {}", ended.err);
    }
    let help = call(dir.path(), &["--help"]).success();
    assert!(!help.contains("uninstall"), "{help}");
}

/// Windows Installer keeps nothing of what a program prints.
#[test]
fn what_install_and_start_say_goes_to_a_file_with_the_time_in_front_and_behind_what_is_there() {
    let dir = empty();
    let log = dir.path().join("install.log");
    fs::write(&log, "before\n").expect("a file");
    for verb in ["install", "start"] {
        let ended = call(dir.path(), &[verb, "--log", "install.log"]);
        assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(1), "", ""), "{verb}");
    }
    let said = fs::read_to_string(&log).expect("a file");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines.len()), ("before", 5), "{said}");
    assert!(lines[1].starts_with("20") && lines[2].contains("systemd") && lines[4].contains("systemd"), "{said}");
    let ended = call(dir.path(), &["start", "--log", "nowhere/x"]);
    assert!(ended.code == Some(1) && ended.err.contains("nowhere/x"), "{ended:?}");
}
