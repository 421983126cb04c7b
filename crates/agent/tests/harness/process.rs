//! A child with its output in memory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{self, OpenptFlags};

use super::{exe, runner, until};

/// What the executable listens to; proxies, in small letters and in large ones.
const HEARD: [&str; 11] = [
    "FALCON_ENDPOINT",
    "FALCON_SERVICE",
    "INVOCATION_ID",
    "NUX_ROOTFS",
    "STATE_DIRECTORY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The executable under test with arguments, in a directory of its own, and with nothing of this process's environment
/// that it listens to.
pub fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = match runner() {
        Some(runner) => {
            assert!(std::env::var_os("WINEPREFIX").is_some(), "without WINEPREFIX Wine acts on the user's own prefix");
            let mut command = Command::new(runner);
            command.arg(exe());
            command
        }
        None => Command::new(exe()),
    };
    command.args(args).current_dir(dir);
    for variable in HEARD {
        command.env_remove(variable).env_remove(variable.to_ascii_uppercase());
    }
    command
}

/// A terminal: the side that types, and the side of a program.
pub fn terminal() -> (File, File) {
    let ours = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    pty::grantpt(&ours).and_then(|()| pty::unlockpt(&ours)).expect("a terminal of ours");
    let name = pty::ptsname(&ours, Vec::new()).expect("its name").into_string().expect("ASCII");
    (ours.into(), File::options().read(true).write(true).open(name).expect("its other side"))
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// What it printed, after it succeeded.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

/// Runs a command to its end.
pub fn run(command: Command) -> Ended {
    Process::start(command).wait()
}

/// Bytes that a thread reads as they come.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Output {
        let mut pipe = pipe.expect("a pipe was asked for");
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let into = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut part) {
                into.lock().unwrap().extend_from_slice(&part[..n]);
            }
        });
        Output { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

pub struct Process {
    child: Child,
    out: Output,
    err: Output,
}

impl Process {
    pub fn start(command: Command) -> Process {
        Process::start_with(command, Stdio::null())
    }

    /// With this as its standard input.
    pub fn start_with(mut command: Command, input: impl Into<Stdio>) -> Process {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // A copy of the executable, which a child that another test starts just now has inherited: until its exec.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                Err(error) => panic!("cannot start {command:?}: {error}"),
            }
        };
        let (out, err) = (Output::of(child.stdout.take()), Output::of(child.stderr.take()));
        Process { child, out, err }
    }

    /// Standard error so far.
    pub fn err(&self) -> String {
        self.err.text()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_some()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("the child is ours and not yet waited for");
    }

    /// Waits for its end, and for the rest of its output as long as the pipes are its own.
    pub fn wait(mut self) -> Ended {
        let (out, err) = (self.out.bytes.clone(), self.err.bytes.clone());
        let state = || {
            let [out, err] = [&out, &err].map(|bytes| String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned());
            format!("output:\n{out}\nerrors:\n{err}")
        };
        let status = until("the process to end", state, || self.child.try_wait().expect("the child is ours"));
        until("the end of its output", state, || {
            (self.out.reader.is_finished() && self.err.reader.is_finished()).then_some(())
        });
        Ended { code: status.code(), out: self.out.text(), err: self.err.text() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended and was waited for is left alone by both calls.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
