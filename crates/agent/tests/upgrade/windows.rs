//! The service of Windows, by the service control manager.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bed::{Bed, Pushes, running};
use crate::harness::servers::Server;
use crate::machine::{Machine, SERVICE, State, signal};
use crate::prefix::Running;
use crate::{cases, config};

impl Bed for Machine {
    fn http(&self) -> SocketAddr {
        Machine::http(self)
    }

    /// Wine lets nobody have a port to itself that a connection was closed on in the last minute.
    fn moves(&self) -> Option<SocketAddr> {
        let mut config: Value =
            serde_json::from_slice(&fs::read(self.path("cfg.json")).expect("a file")).expect("JSON");
        config["reload"] = json!({ "watch": false });
        self.configure(&config);
        Some(Machine::http(self))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    fn pids(&self) -> Vec<u32> {
        self.service_pids()
    }

    fn upgrade(&self, file: &Path, words: &[&str]) -> Command {
        let file = on_windows(file);
        self.prefix.program(&self.exe(), &[&["upgrade", file.as_str()], words].concat())
    }

    fn upgrade_by_itself(&self, file: &Path, words: &[&str]) -> Command {
        let file = on_windows(file);
        self.prefix.program(&file, &[&["upgrade", file.as_str()], words].concat())
    }

    fn kill(&self, running: Running) {
        let verbs = || self.prefix.processes().into_iter().filter(|process| process.line.contains(" upgrade "));
        verbs().for_each(|process| signal(process.pid, Signal::KILL));
        running.wait();
        self.wait("the end of the upgrade", || verbs().next().is_none().then_some(()));
    }

    fn state(&self) -> String {
        Machine::state(self)
    }
}

fn on_windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

fn installed(server: &Server) -> Machine {
    let machine = Machine::new();
    let mut config = config(&server.addr, "");
    config["reload"] = json!({ "watch": false });
    machine.configure(&config);
    machine.done(&["install"]);
    machine.done(&["start"]);
    machine.answers();
    machine
}

#[test]
fn a_service_is_put_back_when_the_new_one_is_no_good() {
    let server = Server::good();
    let machine = installed(&server);
    let pushes = Pushes::start(Bed::http(&machine));
    cases::refusals(&machine, &server);
    cases::is_put_back(&machine, &pushes, "crash", "did not prove itself");
    cases::is_put_back(&machine, &pushes, "mute", "no transfer acknowledged");
    pushes.all_arrived(&machine, &server);
}

#[test]
fn a_service_is_upgraded_and_goes_back_and_one_that_was_cut_short_is_repeated() {
    let server = Server::good();
    let machine = installed(&server);
    let pushes = Pushes::start(Bed::http(&machine));
    cases::there_and_back(&machine, &pushes);
    cases::killed_and_repeated(&machine, &pushes);
    pushes.all_arrived(&machine, &server);
    // A power cut between the two renames.
    machine.done(&["stop"]);
    machine.moves();
    fs::rename(machine.path("falcon-agent.exe"), machine.path("falcon-agent.old.exe")).expect("in one folder");
    let dir = tempfile::tempdir().expect("a folder");
    let new = crate::bed::another(dir.path(), "falcon-agent.exe");
    let hash = crate::bed::sha256(&new);
    let ended = Running::start(machine.upgrade_by_itself(&new, &["--sha256", &hash])).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", Machine::state(&machine));
    machine.wait_for(SERVICE, State::Running);
    running(&machine);
}

#[test]
fn who_has_no_service_is_told_so() {
    let machine = Machine::new();
    let hash = crate::bed::sha256(&machine.path("falcon-agent.exe"));
    let said = machine.ended(&["upgrade", r"C:\none.exe", "--sha256", &hash], 4);
    assert!(said.contains("falcon-agent install"), "{said}");
}
