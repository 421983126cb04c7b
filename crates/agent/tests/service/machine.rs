//! A host with the agent's files on it, as its administrator works with it: the agent's verbs, `sc`, `net`, a reboot.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::agent::free_address;
use crate::harness::process::Ended;
use crate::harness::{exe, http, until};
use crate::load::Load;
use crate::prefix::{Prefix, Running};
use crate::registry::{SERVICES, Tree};

pub const SERVICE: &str = "OpenFalconAgent";
pub const PROGRAM_FILES: &str = r"C:\Program Files\Falcon Agent";

/// What `sc query` says of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    pub state: State,
    pub exit_code: u32,
    /// Means something where `exit_code` is 1066, ERROR_SERVICE_SPECIFIC_ERROR.
    pub specific: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Stopped,
    StartPending,
    StopPending,
    Running,
}

/// One that has ended in between hears nothing.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, signal);
}

pub struct Machine {
    pub prefix: Prefix,
    dir: String,
    http: Cell<SocketAddr>,
}

impl Machine {
    /// With the executable where a package would put it, and nothing beside it.
    pub fn new() -> Machine {
        Machine::with_agent_in(PROGRAM_FILES)
    }

    /// A host on which something else puts the executable into this folder.
    pub fn without_agent(dir: &str) -> Machine {
        Machine { prefix: Prefix::new(), dir: dir.to_owned(), http: Cell::new(free_address()) }
    }

    pub fn with_agent_in(dir: &str) -> Machine {
        let machine = Machine::without_agent(dir);
        fs::create_dir_all(machine.prefix.on_linux(dir)).expect("a folder");
        fs::copy(exe(), machine.path("falcon-agent.exe")).expect("a copy");
        machine
    }

    /// With this configuration, installed.
    pub fn installed(config: &Value) -> Machine {
        let machine = Machine::new();
        machine.configure(config);
        machine.done(&["install"]);
        machine
    }

    pub fn exe(&self) -> String {
        format!(r"{}\falcon-agent.exe", self.dir)
    }

    /// Where Linux has a file beside the executable.
    pub fn path(&self, name: &str) -> PathBuf {
        self.prefix.on_linux(&self.dir).join(name)
    }

    /// What lies beside the executable.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Writes a `cfg.json` that has the agent listen at an address of its own, a new one: Wine lets nobody have a port to
    /// itself that a connection was closed on in the last minute.
    pub fn configure(&self, config: &Value) {
        self.http.set(free_address());
        self.configure_here(config);
    }

    /// The same without another address.
    pub fn configure_here(&self, config: &Value) {
        let mut config = config.clone();
        config["http"]["enabled"] = json!(true);
        config["http"]["listen"] = json!(self.http().to_string());
        self.write_config(&serde_json::to_string_pretty(&config).expect("JSON"));
    }

    pub fn write_config(&self, text: &str) {
        fs::write(self.path("cfg.json"), text).expect("a file");
    }

    /// Where the agent listens, after [`Machine::configure`].
    pub fn http(&self) -> SocketAddr {
        self.http.get()
    }

    /// Runs a verb of the agent to its end.
    pub fn agent(&self, args: &[&str]) -> Ended {
        self.prefix.run(&self.exe(), args)
    }

    /// Starts a verb without waiting for it.
    pub fn begin(&self, args: &[&str]) -> Running {
        Running::start(self.prefix.program(&self.exe(), args))
    }

    /// Runs a verb that must succeed, and answers what it said.
    pub fn done(&self, args: &[&str]) -> String {
        self.ended(args, 0)
    }

    /// Runs a verb that must end with this code and a word about why, and answers what it said.
    pub fn ended(&self, args: &[&str], code: i32) -> String {
        let Ended { code: seen, out, err } = self.agent(args);
        let said = format!("{out}{err}");
        assert_eq!(seen, Some(code), "{args:?} said: {said}\n{}", self.state());
        assert!(!said.trim().is_empty(), "{args:?} said nothing\n{}", self.state());
        said
    }

    pub fn sc(&self, args: &[&str]) -> Ended {
        self.prefix.run("sc", args)
    }

    pub fn net(&self, args: &[&str]) -> Ended {
        self.prefix.run("net", args)
    }

    /// Sends a service a control code; answers the error code that came of it, or 0.
    pub fn control(&self, service: &str, code: u32) -> u32 {
        let said = self.asks(&["control", service, &code.to_string()]).out;
        said.trim().parse().unwrap_or_else(|_| panic!("{said}\n{}", self.state()))
    }

    /// How many handles the processes of an image have.
    pub fn handles(&self, image: &str) -> usize {
        let said = self.asks(&["handles"]).success();
        let of = |line: &str| line.strip_prefix(image)?.trim().parse::<usize>().ok();
        said.lines().filter_map(of).sum()
    }

    /// Runs the test service as the tool that it is too.
    fn asks(&self, args: &[&str]) -> Ended {
        const TOOL: &str = r"C:\tool\service.exe";
        if !self.prefix.on_linux(TOOL).exists() {
            self.place(TOOL);
        }
        self.prefix.run(TOOL, args)
    }

    /// None where there is no such service.
    pub fn query(&self, service: &str) -> Option<Status> {
        let Ended { code, out, err } = self.sc(&["query", service]);
        if code != Some(0) {
            return None;
        }
        let number = |name: &str| {
            let line = out.lines().find(|line| line.trim_start().starts_with(name));
            let value = line.and_then(|line| line.split_once(": ")?.1.split_whitespace().next()?.parse().ok());
            value.unwrap_or_else(|| panic!("{name} is missing in {out}{err}"))
        };
        let state = match number("STATE") {
            1 => State::Stopped,
            2 => State::StartPending,
            3 => State::StopPending,
            4 => State::Running,
            other => panic!("state {other} in {out}"),
        };
        Some(Status { state, exit_code: number("WIN32_EXIT_CODE"), specific: number("SERVICE_EXIT_CODE") })
    }

    /// Asks until there is an answer; see [`until`].
    pub fn wait<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        until(what, || self.state(), ask)
    }

    /// Waits until a service is in a state, and answers its status.
    pub fn wait_for(&self, service: &str, state: State) -> Status {
        self.wait(&format!("{service} to be {state:?}"), || self.query(service).filter(|status| status.state == state))
    }

    /// Waits until the agent answers at its port.
    pub fn answers(&self) {
        self.wait("/health", || self.health());
    }

    fn health(&self) -> Option<()> {
        http::get(self.http(), "/health").ok().filter(|answer| answer.body == b"ok").map(drop)
    }

    /// Starts the service by its verb, under a new address, and waits until it answers.
    pub fn start(&self, config: &Value) {
        self.configure(config);
        self.done(&["start"]);
        self.answers();
    }

    /// Pushes so many numbers, which must all be taken.
    pub fn push(&self, load: &Load, count: usize) {
        for _ in 0..count {
            let (n, body) = load.next();
            let answer = http::post(self.http(), "/v1/push", &body);
            let answer = answer.unwrap_or_else(|error| panic!("push {n}: {error}\n{}", self.state()));
            assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{n}: {}", self.state());
        }
    }

    /// Pids of the processes of an image, by the name of its file.
    pub fn pids(&self, image: &str) -> Vec<u32> {
        self.pids_with(&format!("\\{image}"))
    }

    /// Those of the agent as a service, which verbs are not.
    pub fn service_pids(&self) -> Vec<u32> {
        self.pids_with(r"\falcon-agent.exe service ")
    }

    fn pids_with(&self, text: &str) -> Vec<u32> {
        let processes = self.prefix.processes().into_iter();
        processes.filter(|process| process.line.contains(text)).map(|process| process.pid).collect()
    }

    /// Kills the processes of an image where they stand.
    pub fn kill(&self, image: &str) {
        for pid in self.pids(image) {
            signal(pid, Signal::KILL);
        }
        self.wait("its end", || self.pids(image).is_empty().then_some(()));
    }

    /// A service in the registry.
    pub fn registration(&self, service: &str) -> Option<Tree> {
        self.prefix.registry(&format!(r"{SERVICES}\{service}"))
    }

    /// Everything in the agent's log.
    pub fn log(&self) -> String {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.path("logs")).into_iter().flatten().flatten().map(|file| file.path()).collect();
        files.sort();
        let read = |file: PathBuf| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
        files.into_iter().map(read).collect()
    }

    /// For messages.
    pub fn state(&self) -> String {
        let processes: String = self.prefix.processes().iter().map(|p| format!("\n  {} {}", p.pid, p.line)).collect();
        format!(
            "{SERVICE}: {:?}; {} has {:?}; processes:{processes}\nlog:\n{}",
            self.query(SERVICE),
            self.dir,
            self.files(),
            self.log()
        )
    }
}
