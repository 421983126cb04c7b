//! A running agent with a directory, a configuration and a port of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::Host;
use super::http::{self, Answer};
use super::process::{Ended, Process, program};
use super::{is_windows, until};

/// What nothing that anybody sends makes the agent keep: several times what it holds at rest, Wine's own share included.
pub const RSS_LIMIT_KB: u64 = 40 * 1024;

/// The directory that an agent lives in: with its configuration, and with what it keeps when it has ended.
#[derive(Clone)]
pub struct Home(Arc<TempDir>);

impl Home {
    pub fn new() -> Home {
        Home(Arc::new(tempfile::tempdir().expect("a directory")))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where its queue is, unless it is told otherwise.
    pub fn queue(&self) -> PathBuf {
        self.path().join("var/queue")
    }

    /// What the queue has on the disk, without its own notes of how far it is; 0 for an agent that never needed one.
    pub fn queue_bytes(&self) -> u64 {
        segments(&self.queue()).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }
}

/// The files with points in a queue's directory, the oldest first.
pub fn segments(queue: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(queue).into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    files.sort();
    files
}

pub struct Agent {
    process: Process,
    pub http: SocketAddr,
    home: Home,
}

impl Agent {
    /// Starts it with this `cfg.json` (its `http` section is set here) and waits until it answers.
    pub fn start(config: &Value) -> Agent {
        Agent::launch(config).answering()
    }

    /// The same, with this added to its environment.
    pub fn start_with(config: &Value, environment: &[(&str, &OsStr)]) -> Agent {
        Agent::launch_with(config, |command| _ = command.envs(environment.iter().copied())).answering()
    }

    /// The same for the host below a root.
    pub fn start_on(host: &Host, config: &Value) -> Agent {
        Agent::start_with(config, &[("NUX_ROOTFS", host.root().as_os_str())])
    }

    /// The same, where another has been.
    pub fn start_in(home: &Home, config: &Value) -> Agent {
        Agent::launch_in(home, config, |command| command).answering()
    }

    pub fn answering(self) -> Agent {
        self.wait("/health", || http::get(self.http, "/health").ok().filter(|answer| answer.body == b"ok"));
        self
    }

    /// Starts it without waiting.
    pub fn launch(config: &Value) -> Agent {
        Agent::launch_with(config, |_| {})
    }

    fn launch_with(config: &Value, change: impl FnOnce(&mut Command)) -> Agent {
        Agent::launch_in(&Home::new(), config, |mut command| {
            change(&mut command);
            command
        })
    }

    /// Starts what `change` makes of the command line, without waiting. It listens where the configuration says, or at an
    /// address of its own.
    pub fn launch_in(home: &Home, config: &Value, change: impl FnOnce(Command) -> Command) -> Agent {
        let listen = config["http"]["listen"].as_str().map(|listen| listen.parse().expect("an address"));
        let http = listen.unwrap_or_else(free_address);
        let mut config = config.clone();
        config["http"]["enabled"] = json!(true);
        config["http"]["listen"] = json!(http.to_string());
        if is_windows() && config["state_dir"].is_null() {
            // Where a Linux agent has it by itself, so that one test fits both.
            config["state_dir"] = json!("var");
        }
        fs::write(home.path().join("cfg.json"), config.to_string()).expect("a file");
        let process = Process::start(change(program(home.path(), &["run"])));
        Agent { process, http, home: home.clone() }
    }

    /// What it logged so far, for messages.
    pub fn state(&self) -> String {
        format!("log of the agent in {}:\n{}", self.home.path().display(), self.process.err())
    }

    /// Asks until there is an answer; see [`until`].
    pub fn wait<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        until(what, || self.state(), ask)
    }

    /// The whole lines of its log that have this text in them.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let log = self.process.err();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// The warnings of its log about one part of it, as `transfer`.
    pub fn warnings(&self, part: &str) -> Vec<String> {
        let mut lines = self.lines(&format!(" {part}: "));
        lines.retain(|line| line.contains(" WARN "));
        lines
    }

    /// Waits until as many lines of its log have this text in them.
    pub fn wait_for_lines(&self, text: &str, count: usize) {
        self.wait(&format!("{count} lines with {text:?}"), || (self.lines(text).len() >= count).then_some(()));
    }

    pub fn get(&self, path: &str) -> Answer {
        http::get(self.http, path).unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.state()))
    }

    pub fn post(&self, body: &[u8]) -> Answer {
        http::post(self.http, "/v1/push", body).unwrap_or_else(|error| panic!("push: {error}\n{}", self.state()))
    }

    /// A push that must be taken.
    pub fn push(&self, items: &Value) {
        let answer = self.post(items.to_string().as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{}", self.state());
    }

    pub fn assert_healthy(&self) {
        let answer = self.get("/health");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{}", self.state());
    }

    /// What it says of itself to those who want to know more than that it lives.
    pub fn health(&self) -> Value {
        let request = format!("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", http::AS_JSON);
        let answer = http::one(self.http, request.as_bytes());
        answer.unwrap_or_else(|error| panic!("/health: {error}\n{}", self.state())).json()
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its working directory, with its configuration and its state.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Ends it and leaves its directory to the caller.
    pub fn stop_and_keep(self) -> (Home, Ended) {
        let home = self.home.clone();
        (home, self.terminate())
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Resident memory in kB, for a Windows program with Wine's own.
    pub fn rss_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Has it end itself over HTTP, and leaves its directory to the caller.
    pub fn exit_and_keep(self) -> (Home, Ended) {
        assert_eq!(self.get("/exit").text(), "exiting...");
        (self.home.clone(), self.process.wait())
    }

    /// Ends it where it stands.
    pub fn kill(self) -> Ended {
        self.end_with(Signal::KILL)
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends a signal and waits for the end.
    pub fn end_with(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.process.wait()
    }

    /// Lets it read this `cfg.json`, its `http` section aside, and answers how that ended. On Linux.
    pub fn reload(&self, config: &Value) -> Value {
        let mut config = config.clone();
        if config["http"]["listen"].is_null() {
            config["http"]["listen"] = json!(self.http.to_string());
        }
        self.reload_text(&config.to_string())
    }

    /// The same with a file that need not be one.
    pub fn reload_text(&self, text: &str) -> Value {
        fs::write(self.dir().join("cfg.json"), text).expect("a file");
        let file = self.dir().join("var/reload.json");
        let look = || Some(serde_json::from_slice::<Value>(&fs::read(&file).ok()?).expect("JSON"));
        let before = look();
        self.process.signal(Signal::HUP);
        self.wait("the outcome of a reload", || look().filter(|now| before.as_ref() != Some(now)))
    }

    /// Asks it to end as the platform's service managers do: SIGTERM; for a Windows program Ctrl-C, into which Wine turns
    /// SIGINT.
    pub fn terminate(self) -> Ended {
        self.end_with(if is_windows() { Signal::INT } else { Signal::TERM })
    }
}

/// A loopback address that nobody has at this moment and that no other test of this process was given.
pub fn free_address() -> SocketAddr {
    static GIVEN: LazyLock<Mutex<BTreeSet<u16>>> = LazyLock::new(Mutex::default);
    loop {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        if GIVEN.lock().unwrap().insert(address.port()) {
            return address;
        }
    }
}
