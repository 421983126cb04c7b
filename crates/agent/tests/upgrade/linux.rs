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

/// The script of the package.
const CONTROL: &str = include_str!("../../../../packaging/linux/control");

/// Stands for systemctl with one unit.
const SYSTEMCTL: &str = r#"#!/bin/sh
root="$(dirname "$(dirname "$0")")"
main() { pid=$(cat "$root/unit" 2>/dev/null) && readlink "/proc/$pid/exe" >/dev/null && echo "$pid" || echo 0; }
echo "$*" >>"$root/asked"
case "$*" in
"show -p MainPID falcon-agent.service") echo "MainPID=$(main)" ;;
"show -p ExecStart falcon-agent.service")
    echo "ExecStart={ path=$root/bin/falcon-agent ; argv[]=$root/bin/falcon-agent -c $root/config/cfg.json ; ignore_errors=no }" ;;
"show -p LoadState falcon-agent.service") echo "LoadState=$(cat "$root/load" 2>/dev/null || echo loaded)" ;;
"stop falcon-agent.service") [ ! -e "$root/refuses" ] || exit 4
    pid=$(main); [ "$pid" = 0 ] || { kill "$pid"; while [ "$(main)" != 0 ]; do sleep 0.05; done; } ;;
"start falcon-agent.service")
    [ "$(main)" = 0 ] || exit 0
    [ -p "$root/to-journal" ] || mkfifo "$root/to-journal"
    cat <"$root/to-journal" >>"$root/journal" &
    cd / && STATE_DIRECTORY="$root/state" setsid "$root/bin/falcon-agent" -c "$root/config/cfg.json" >"$root/to-journal" 2>&1 &
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
    // A process of a file that had the name before went on beside the new one.
    let (before, target) = (running(&host), host.beside("falcon-agent"));
    host.sh("cp bin/falcon-agent bin/copied && echo copied >>bin/copied && mv bin/copied bin/falcon-agent");
    let ended = crate::bed::upgrade(&host, &target, &[]);
    assert!(ended.code == Some(0) && ended.out.contains("it runs now"), "{ended:?}");
    assert_ne!(running(&host), before);
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
    let said = cases::is_put_back(&host, &pushes, "mute", "no transfer acknowledged");
    assert!(said.contains("journalctl -u falcon-agent.service"), "{said}");
    cases::there_and_back(&host, &pushes);
    // Where it cannot be stopped or would not start again, it goes on as it is: one was killed, and its unit told nothing.
    let (pid, good) = (running(&host), crate::bed::another(host.dir.path(), "good"));
    for (file, text, word) in [("refuses", "", "nothing was changed"), ("load", "masked", "systemctl unmask")] {
        fs::write(host.root().join(file), text).unwrap();
        let ended = crate::bed::upgrade(&host, &good, &[]);
        assert!(ended.code == Some(1) && ended.err.contains(word), "{ended:?}");
        fs::remove_file(host.root().join(file)).unwrap();
    }
    assert_eq!(running(&host), pid);
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

/// Root took the process of any user for the agent, and ran what its environment says.
#[test]
fn processes_of_other_users_are_neither_believed_nor_in_the_way() {
    let server = Server::good();
    let host = Host::new(&server);
    host.sh("chmod 755 . bin && nohup bin/falcon-agent -c config/cfg.json >>var/app.log 2>&1 &");
    let pid = running(&host);
    host.sh("mkdir theirs && chown 65534 theirs && chmod 644 config/cfg.json");
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    host.sh(&format!(
        "cd theirs && echo '{{\"http\":{{\"enabled\":false}}}}' >cfg.json && {nobody} ../bin/falcon-agent -c cfg.json >log 2>&1 &"
    ));
    until("the other", || host.state(), || (host.pids().len() == 2).then_some(()));
    let target = host.beside("falcon-agent");
    let ended = crate::bed::upgrade(&host, &target, &[]);
    assert!(ended.code == Some(0) && ended.out.contains("already"), "{ended:?}");
    // Who may not exchange it is told that, not that another upgrade is under way.
    let hash = crate::bed::sha256(&target);
    let upgrade = format!("{nobody} bin/falcon-agent upgrade bin/falcon-agent --sha256 {hash}");
    let ended = process::run(host.command(Path::new("/bin/sh"), &["-c", &upgrade]));
    assert!(ended.code == Some(5) && ended.err.contains("sudo"), "{ended:?}");
    kill(pid);
    until("its end", || host.state(), || (host.pids().len() == 1).then_some(()));
    let ended = crate::bed::upgrade(&host, &crate::bed::another(host.dir.path(), "good"), &[]);
    assert!(ended.code == Some(1) && ended.err.contains("copying"), "{ended:?}");
}

/// An agent of a plain user ran as root after root had upgraded it, and its queue was root's.
#[test]
fn the_agent_of_a_user_is_upgraded_by_that_user() {
    let server = Server::good();
    let host = Host::new(&server);
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    host.sh(&format!("chmod 755 . && chown -R 65534:65534 . && nohup {nobody} bin/falcon-agent -c config/cfg.json >>var/app.log 2>&1 &"));
    let pid = running(&host);
    let good = crate::bed::another(host.dir.path(), "good");
    let ended = crate::bed::upgrade(&host, &good, &[]);
    assert!(ended.code == Some(1) && ended.err.contains("sudo -u '#65534'"), "{ended:?}");
    host.sh("chown root:root bin bin/falcon-agent");
    host.script("control", CONTROL);
    fs::write(host.root().join("var/app.pid"), pid.to_string()).unwrap();
    let ended = crate::bed::upgrade(&host, &good, &[]);
    assert!(ended.code == Some(1) && ended.err.contains("an agent of another user"), "{ended:?}");
    assert_eq!(running(&host), pid);
    host.sh("rm control var/app.pid");
    host.sh("chown 65534:65534 bin bin/falcon-agent");
    let hash = crate::bed::sha256(&good);
    let upgrade = format!("{nobody} bin/falcon-agent upgrade '{}' --sha256 {hash}", good.display());
    let ended = process::run(host.command(Path::new("/bin/sh"), &["-c", &upgrade]));
    assert!(ended.code == Some(0) && ended.out.contains("upgraded"), "{ended:?}\n{}", host.state());
    running(&host);
    assert_eq!(crate::bed::sha256(&host.beside("falcon-agent")), hash);
}

/// Stopped, it was started twice: by what keeps it running, and by the upgrade.
#[test]
fn who_is_kept_running_by_something_unknown_is_left_to_that() {
    let server = Server::good();
    let host = Host::new(&server);
    let (log, program) = (fs::File::create(host.root().join("var/app.log")).unwrap(), host.beside("falcon-agent"));
    let mut command = host.command(&program, &["-c", "config/cfg.json"]);
    let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let pid = running(&host);
    let good = crate::bed::another(host.dir.path(), "good");
    let ended = crate::bed::upgrade(&host, &good, &[]);
    assert!(ended.code == Some(1) && ended.err.contains("keeps the agent running"), "{ended:?}");
    assert_eq!(running(&host), pid);
    kill(pid);
    child.wait().unwrap();
    // A plugin would be ended with the agent that it stops.
    let hash = crate::bed::sha256(&good);
    let mut plugin = host.upgrade(&good, &["--sha256", &hash]);
    let ended = process::run({
        plugin.env("FALCON_PLUGIN_RUN", "1");
        plugin
    });
    assert!(ended.code == Some(1) && ended.err.contains("a plugin ends"), "{ended:?}");
}

/// A version that had run for months was replaced by the one before it, for a start that failed for another reason.
#[test]
fn what_no_upgrade_put_there_is_not_put_back() {
    let server = Server::good();
    let host = Host::new(&server);
    host.script("control", "#!/bin/sh\nexit 1\n");
    host.sh("echo months >bin/falcon-agent.old; echo failed >bin/falcon-agent.failed");
    let target = host.beside("falcon-agent");
    let hash = crate::bed::sha256(&target);
    // By another name: given itself, it would take itself for the new one, and upgrade whatever agent runs.
    host.sh("cp bin/falcon-agent same");
    let ended = crate::bed::upgrade(&host, &host.root().join("same"), &[]);
    assert!(ended.code == Some(14) && ended.err.contains("it stays"), "{ended:?}");
    assert_eq!(crate::bed::sha256(&target), hash);
    assert_eq!(fs::read_to_string(host.beside("falcon-agent.old")).unwrap(), "months\n");
    // A file that is refused is still there afterwards, whatever it is called.
    for name in ["falcon-agent.failed", "falcon-agent.new"] {
        let file = host.beside(name);
        fs::write(&file, "no program\n").unwrap();
        let ended = crate::bed::upgrade(&host, &file, &[]);
        assert!(matches!(ended.code, Some(1 | 11)), "{ended:?}");
        assert!(file.exists(), "{name}");
    }
}
