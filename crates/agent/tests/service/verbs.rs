//! The verbs by themselves: given twice, without a service, with options before and behind, and on a console.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::agent::segments;
use crate::harness::process::terminal;
use crate::harness::servers::BlackHole;
use crate::harness::until;
use crate::load::Load;
use crate::machine::{Machine, SERVICE, State, signal};
use crate::quiet;
use crate::registry::SERVICES;

const NOT_RUNNING: i32 = 3;
const NOT_INSTALLED: i32 = 4;

#[test]
fn every_verb_can_be_given_twice_and_says_what_is() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    for verb in ["start", "stop", "restart", "reload", "status", "update"] {
        let said = machine.ended(&[verb], NOT_INSTALLED);
        assert!(said.contains(SERVICE) && said.contains("install"), "{verb}: {said}");
    }
    let same = |verb: &[&str], state: State| {
        for _ in 0..2 {
            machine.done(verb);
            assert_eq!(machine.query(SERVICE).map(|status| status.state), Some(state), "{verb:?}: {}", machine.state());
        }
    };
    same(&["install"], State::Stopped);
    machine.ended(&["status"], NOT_RUNNING);
    machine.ended(&["reload"], NOT_RUNNING);
    same(&["stop"], State::Stopped);
    same(&["update"], State::Stopped);
    same(&["start"], State::Running);
    machine.answers();
    same(&["status"], State::Running);
    same(&["reload"], State::Running);
    same(&["install"], State::Running);
    same(&["restart"], State::Running);
    same(&["stop"], State::Stopped);
    for verb in ["uninstall", "remove"] {
        machine.done(&[verb]);
        assert_eq!(machine.query(SERVICE), None, "{}", machine.state());
        // What is not there needs no removing.
        machine.done(&[verb]);
        machine.done(&["install"]);
    }
    machine.done(&["remove"]);
}

/// pywin32 had them before the verb.
#[test]
fn options_stand_before_or_behind_the_verb() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    let start = || machine.registration(SERVICE).and_then(|key| key.text("Start"));
    for (args, expected) in [
        (["install", "--startup", "manual"], "dword:00000003"),
        (["--startup", "auto", "install"], "dword:00000002"),
        (["--startup=manual", "install", "-c"], "dword:00000003"),
    ] {
        let config = machine.exe().replace("falcon-agent.exe", "cfg.json");
        let mut args = args.to_vec();
        if args.contains(&"-c") {
            args.push(&config);
        }
        machine.done(&args);
        assert_eq!(start().as_deref(), Some(expected), "{args:?}: {}", machine.state());
        machine.done(&["uninstall"]);
    }
    assert_eq!(machine.agent(&["install", "--startup", "sometimes"]).code, Some(2));
    assert_eq!(start(), None);
    assert_eq!(machine.prefix.registry(&format!(r"{SERVICES}\{SERVICE}")), None);
}

#[test]
fn debug_runs_in_the_console_and_service_explains_that_it_cannot() {
    let machine = Machine::new();
    machine.configure(&quiet(&[]));
    let said = machine.ended(&["service"], 1);
    assert!(said.contains("falcon-agent start") && said.contains("falcon-agent run"), "{said}");

    let config = machine.exe().replace("falcon-agent.exe", "cfg.json");
    let console = machine.begin(&["debug", "-c", &config]);
    machine.answers();
    // Ctrl-C, as Wine has it.
    signal(console.pid(), Signal::INT);
    let ended = console.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("stopping"), "{ended:?}");
    assert_eq!(machine.query(SERVICE), None);
}

#[test]
fn a_host_without_a_configuration_gets_one_that_says_what_to_do() {
    let machine = Machine::new();
    let said = machine.done(&["install"]);
    assert!(said.contains("cfg.json") && said.contains("transfer.addrs"), "{said}");
    let config: Value = serde_json::from_slice(&fs::read(machine.path("cfg.json")).expect("a file")).expect("JSON");
    assert_eq!(config["transfer"]["addrs"], json!([]));
    machine.done(&["uninstall"]);
    // It is the administrator's from now on.
    machine.write_config("{}");
    machine.done(&["install"]);
    assert_eq!(fs::read_to_string(machine.path("cfg.json")).expect("a file"), "{}");
}

/// A service starts in System32.
#[test]
fn relative_paths_of_the_configuration_count_from_it() {
    let (machine, hole, load) = (Machine::new(), BlackHole::start(), Load::new("app", 1));
    let mut config = quiet(&[&hole.addr]);
    config["state_dir"] = json!("var/状态");
    machine.configure(&config);
    machine.done(&["install"]);
    machine.done(&["start"]);
    machine.answers();
    machine.push(&load, 1);
    machine.done(&["stop"]);
    assert_eq!(segments(&machine.path("var/状态/queue")).len(), 1, "{}", machine.state());
    machine.done(&["uninstall", "--purge"]);
    assert!(!machine.path("var/状态").exists(), "{}", machine.state());
}

/// A console of its own and no arguments: what Explorer makes of a double click.
#[test]
fn a_double_click_explains_what_the_program_is_and_waits_for_enter() {
    let machine = Machine::new();
    let (mut keyboard, window) = terminal();
    let mut command = machine.prefix.program(&machine.exe(), &[]);
    let [input, output] = [(); 2].map(|()| window.try_clone().expect("a handle"));
    command.env("TERM", "xterm").stdin(input).stdout(output).stderr(window);
    let mut program = command.spawn().expect("started");
    // What the program holds is its own: the reading ends with it.
    drop(command);
    let (seen, mut screen) = (Arc::<Mutex<Vec<u8>>>::default(), keyboard.try_clone().expect("a handle"));
    let into = seen.clone();
    let reader = std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(n @ 1..) = screen.read(&mut part) {
            into.lock().unwrap().extend_from_slice(&part[..n]);
        }
    });
    let text = || String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    until("the explanation", text, || text().contains("Press Enter").then_some(()));
    assert!(program.try_wait().expect("it is ours").is_none(), "it waits: {}", text());
    // Wine's console throws away what is typed before it reads: a key again every half a second.
    let mut looks = 0;
    let status = until("its end", text, || {
        if looks % 50 == 0 {
            keyboard.write_all(b"\r").expect("typed");
        }
        looks += 1;
        program.try_wait().expect("it is ours")
    });
    assert_eq!(status.code(), Some(0), "{}", text());
    until("the end of its output", text, || reader.is_finished().then_some(()));
    for line in ["Run as administrator", "falcon-agent install", "falcon-agent start"] {
        assert!(text().contains(line), "{line} is missing in {}", text());
    }
    assert_eq!(machine.query(SERVICE), None);
}
