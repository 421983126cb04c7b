//! The three ways of Linux: by hand or the open-falcon CLI, by the `control` script of the Open-Falcon layout, by systemd.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bed::{Bed, Pushes, running, sh};
use crate::harness::agent::free_address;
use crate::harness::servers::Server;
use crate::harness::{exe, process, until};
use crate::prefix::Running;
use crate::{cases, config};

/// Stands for the script of the package.
const CONTROL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
start) nohup bin/falcon-agent -c config/cfg.json >>var/app.log 2>&1 & echo $! >var/app.pid ;;
stop) kill "$(cat var/app.pid)" ;;
esac
"#;

/// Stands for systemctl with one unit.
const SYSTEMCTL: &str = r#"#!/bin/sh
root="$(dirname "$(dirname "$0")")"
main() { pid=$(cat "$root/unit" 2>/dev/null) && readlink "/proc/$pid/exe" >/dev/null && echo "$pid" || echo 0; }
echo "$*" >>"$root/asked"
case "$*" in
"show -p MainPID falcon-agent.service") echo "MainPID=$(main)" ;;
"show -p ExecStart falcon-agent.service")
    echo "ExecStart={ path=$root/bin/falcon-agent ; argv[]=$root/bin/falcon-agent -c $root/config/cfg.json ; ignore_errors=no }" ;;
"stop falcon-agent.service") pid=$(main); [ "$pid" = 0 ] || { kill "$pid"; while [ "$(main)" != 0 ]; do sleep 0.05; done; } ;;
"start falcon-agent.service")
    cd / && STATE_DIRECTORY="$root/state" setsid "$root/bin/falcon-agent" -c "$root/config/cfg.json" >>"$root/journal" 2>&1 &
    echo $! >"$root/unit" ;;
*) exit 1 ;;
esac
"#;

struct Host {
    dir: TempDir,
    http: SocketAddr,
}

impl Host {
    fn new(server: &Server) -> Host {
        let host = Host { dir: TempDir::new().unwrap(), http: free_address() };
        for folder in ["bin", "config", "var", "tools"] {
            fs::create_dir(host.root().join(folder)).unwrap();
        }
        sh(r#"cp "$1" "$2""#, &[&exe().display(), &host.beside("falcon-agent").display()]);
        fs::write(host.root().join("config/cfg.json"), config(&server.addr, &host.http.to_string()).to_string())
            .unwrap();
        host
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        sh(r#"printf %s "$1" >"$2" && chmod 755 "$2""#, &[&text, &path.display()]);
    }

    /// Runs something as its administrator does, with whatever `tools` has.
    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.root().join("tools").display(), std::env::var("PATH").unwrap());
        command.args(words).env("PATH", path).current_dir(self.root()).stdin(Stdio::null());
        for variable in ["STATE_DIRECTORY", "FALCON_ENDPOINT", "FALCON_SERVICE", "INVOCATION_ID", "NUX_ROOTFS"] {
            command.env_remove(variable);
        }
        command
    }

    fn sh(&self, line: &str) {
        let status =
            self.command(Path::new("/bin/sh"), &["-c", line]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "{line}");
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.root().join("asked")).unwrap_or_default()
    }
}

impl Bed for Host {
    fn http(&self) -> SocketAddr {
        self.http
    }

    fn moves(&self) -> Option<SocketAddr> {
        None
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.root().join("bin").join(name)
    }

    fn pids(&self) -> Vec<u32> {
        let below = self.root().join("bin");
        let look = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            fs::read_link(entry.path().join("exe")).ok().filter(|exe| exe.starts_with(&below))?;
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            (words.split(|byte| *byte == 0).nth(1) == Some(b"-c")).then_some(pid)
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(look).collect()
    }

    fn upgrade(&self, file: &Path, words: &[&str]) -> Command {
        let file = file.display().to_string();
        self.command(&self.beside("falcon-agent"), &[&["upgrade", file.as_str()], words].concat())
    }

    fn upgrade_by_itself(&self, file: &Path, words: &[&str]) -> Command {
        // More agents than this one may run here.
        let config = self.root().join("config/cfg.json").display().to_string();
        let shown = file.display().to_string();
        self.command(file, &[&["upgrade", shown.as_str(), "-c", config.as_str()], words].concat())
    }

    fn kill(&self, running: Running) {
        kill(running.pid());
        running.wait();
    }

    fn state(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.root().join(name)).unwrap_or_default();
        format!(
            "{}: pids {:?}\n{}{}\n{}",
            self.root().display(),
            self.pids(),
            read("var/app.log"),
            read("journal"),
            self.asked()
        )
    }
}

fn kill(pid: u32) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL);
}

impl Drop for Host {
    fn drop(&mut self) {
        self.pids().into_iter().for_each(kill);
    }
}

/// As the open-falcon CLI starts it: nobody keeps its pid.
#[test]
fn an_agent_that_was_started_by_hand_is_started_again_as_it_was() {
    let server = Server::good();
    let host = Host::new(&server);
    host.sh("FALCON_ENDPOINT=mine nohup bin/falcon-agent -c config/cfg.json >>var/app.log 2>&1 &");
    let before = running(&host);
    let pushes = Pushes::start(host.http());
    let of = |pid: u32, name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap();
    let links =
        |pid: u32| ["cwd", "fd/0", "fd/1", "fd/2"].map(|name| fs::read_link(format!("/proc/{pid}/{name}")).unwrap());
    let (words, variables, places) = (of(before, "cmdline"), of(before, "environ"), links(before));
    cases::is_put_back(&host, &pushes, "crash", "did not prove itself");
    cases::there_and_back(&host, &pushes);
    let after = running(&host);
    let sorted = |bytes: &[u8]| {
        let mut list: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        list.sort();
        list
    };
    assert_eq!(of(after, "cmdline"), words);
    assert_eq!(sorted(&of(after, "environ")), sorted(&variables));
    assert_eq!(links(after)[0], places[0]);
    assert_eq!(links(after)[2..], places[2..]);
    pushes.all_arrived(&host, &server);
}

#[test]
fn an_agent_of_the_control_script_is_stopped_and_started_by_it() {
    let server = Server::good();
    let host = Host::new(&server);
    host.script("control", CONTROL);
    host.sh("./control start");
    running(&host);
    let pushes = Pushes::start(host.http());
    cases::refusals(&host, &server);
    cases::is_put_back(&host, &pushes, "mute", "no transfer acknowledged a call of it within 5 s");
    cases::is_put_back(&host, &pushes, "crash", "did not prove itself");
    cases::killed_and_repeated(&host, &pushes);
    cases::there_and_back(&host, &pushes);
    let pid = fs::read_to_string(host.root().join("var/app.pid")).unwrap();
    assert_eq!(pid.trim(), running(&host).to_string());
    pushes.all_arrived(&host, &server);
}

#[test]
fn an_agent_of_a_unit_is_stopped_and_started_by_systemctl() {
    let server = Server::good();
    let host = Host::new(&server);
    host.script("tools/systemctl", SYSTEMCTL);
    host.sh("systemctl start falcon-agent.service");
    running(&host);
    let pushes = Pushes::start(host.http());
    cases::is_put_back(&host, &pushes, "mute", "no transfer acknowledged");
    cases::there_and_back(&host, &pushes);
    let asked = host.asked();
    assert!(asked.contains("stop falcon-agent.service"), "{asked}");
    assert!(host.root().join("state/sent.json").exists(), "{}", host.state());
    pushes.all_arrived(&host, &server);
    // One that rests is started by what would start it.
    host.sh("systemctl stop falcon-agent.service");
    cases::starts(&host);
}

/// Whoever is told to end while the new one is judged goes on to the end.
#[test]
fn signals_and_a_reader_that_has_gone_do_not_end_it_half_done() {
    let server = Server::good();
    let host = Host::new(&server);
    host.sh("nohup bin/falcon-agent -c config/cfg.json >>var/app.log 2>&1 &");
    running(&host);
    let (mute, target) = (crate::bed::stub("mute"), host.beside("falcon-agent"));
    let (hash, before) = (crate::bed::sha256(&mute), crate::bed::sha256(&target));
    let mut command = host.upgrade(&mute, &["--sha256", &hash, "--within", "5"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    until("the mute one in place", || host.state(), || (crate::bed::sha256(&target) == hash).then_some(()));
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
    }
    let ended = until("its end", || host.state(), || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(13), "{}", host.state());
    running(&host);
    assert_eq!(crate::bed::sha256(&target), before);
}

#[test]
fn who_runs_from_nothing_that_is_known_is_told_to_copy() {
    let server = Server::good();
    let host = Host::new(&server);
    let good = crate::bed::another(host.dir.path(), "good");
    let ended = crate::bed::upgrade(&host, &good, &[]);
    assert!(ended.code == Some(1) && ended.err.contains("copying"), "{ended:?}");
    // The new one itself follows who runs, and there is nobody.
    let hash = crate::bed::sha256(&good);
    let shown = good.display().to_string();
    let ended = process::run(host.command(&good, &["upgrade", &shown, "--sha256", &hash, "-c", "none.json"]));
    assert!(ended.code == Some(1) && ended.err.contains("is the new executable"), "{ended:?}");
}
