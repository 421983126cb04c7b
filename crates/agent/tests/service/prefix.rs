//! A Windows of one test's own: a Wine prefix and the session in it, which end with the value.
//!
//! `FALCON_WINE_TEMPLATE` is a fresh prefix that nothing runs in. A test's own has its registry and its folders as copies,
//! but for what lies in `C:\windows`, which no test writes to and which is nearly all of it: there it has links. So one is
//! made in a moment and has 8 MB. It lies beside the template, and stays there with `FALCON_KEEP`.
//!
//! The first process of a session hands its standard error on to services.exe and its kin, which live as long as the
//! session. So the session is opened with `/dev/null` on all three, and what a process prints goes to files: nothing here
//! waits for the end of a pipe.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::process::Ended;
use crate::harness::until;

/// Variables of a developer's environment that the agent listens to.
const HEARD: [&str; 5] = ["FALCON_ENDPOINT", "FALCON_SERVICE", "INVOCATION_ID", "NUX_ROOTFS", "STATE_DIRECTORY"];

pub struct Prefix {
    dir: TempDir,
}

/// A process in its session.
#[derive(Debug)]
pub struct Listed {
    pub pid: u32,
    /// Its arguments with blanks between them; for a Windows program that of the image as it was started.
    pub line: String,
}

impl Prefix {
    /// A copy of the template, booted.
    pub fn new() -> Prefix {
        let template = PathBuf::from(std::env::var_os("FALCON_WINE_TEMPLATE").unwrap_or_else(|| {
            panic!("FALCON_WINE_TEMPLATE must name a Wine prefix; `cargo xtask test --only service-windows` makes it")
        }));
        let beside = template.parent().expect("a folder for test prefixes");
        let keep = std::env::var_os("FALCON_KEEP").is_some();
        let dir =
            tempfile::Builder::new().prefix("prefix-").disable_cleanup(keep).tempdir_in(beside).expect("a folder");
        let prefix = Prefix { dir };
        prefix.fill(&template);
        prefix.boot();
        prefix
    }

    fn fill(&self, template: &Path) {
        for entry in fs::read_dir(template).expect("the template").flatten() {
            let (from, to) = (entry.path(), self.path().join(entry.file_name()));
            // The server's note of itself is none of a new prefix's.
            if entry.file_name() != "drive_c" && entry.file_name() != "wineserver" {
                copy(&from, &to);
            }
        }
        fs::create_dir(self.drive_c()).expect("a folder");
        for entry in fs::read_dir(template.join("drive_c")).expect("the template").flatten() {
            let (from, to) = (entry.path(), self.drive_c().join(entry.file_name()));
            if entry.file_name() != "windows" {
                copy(&from, &to);
                continue;
            }
            fs::create_dir(&to).expect("a folder");
            for entry in fs::read_dir(from).expect("the template").flatten() {
                let (from, to) = (entry.path(), to.join(entry.file_name()));
                let linked = if entry.file_name() == "temp" { fs::create_dir(to) } else { symlink(from, to) };
                linked.expect("a link");
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn drive_c(&self) -> PathBuf {
        self.path().join("drive_c")
    }

    /// From now on a test may write to System32: its own has links to what lies in that of the template.
    pub fn own_system32(&self) {
        let folder = self.drive_c().join("windows/system32");
        let template = fs::canonicalize(&folder).expect("a folder");
        let own = self.drive_c().join("windows/system32.own");
        fs::create_dir(&own).expect("a folder");
        for entry in fs::read_dir(template).expect("a folder").flatten() {
            symlink(entry.path(), own.join(entry.file_name())).expect("a link");
        }
        fs::remove_file(&folder).expect("a link");
        fs::rename(own, folder).expect("in one folder");
    }

    /// Where Linux has a path of drive C.
    pub fn on_linux(&self, path: &str) -> PathBuf {
        let below = path.strip_prefix(r"C:\").unwrap_or_else(|| panic!("{path} is not on drive C"));
        self.drive_c().join(below.replace('\\', "/"))
    }

    /// A Windows program with arguments, to be started in this session.
    pub fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = self.command("wine");
        command.arg(program).args(args);
        command
    }

    /// Has a program that Wine starts run in this session. The locale is what file names and output are written in.
    pub fn enter(&self, command: &mut Command) {
        command.env("WINEPREFIX", self.path()).env("WINEDEBUG", "-all").env("LC_ALL", "C.UTF-8");
        command.env("WINEDLLOVERRIDES", "mscoree,mshtml,winedbg.exe=").env_remove("DISPLAY");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.enter(&mut command);
        for variable in HEARD {
            command.env_remove(variable);
        }
        command.current_dir(self.drive_c()).stdin(Stdio::null());
        command
    }

    /// Runs a Windows program to its end.
    pub fn run(&self, program: &str, args: &[&str]) -> Ended {
        Running::start(self.program(program, args)).wait()
    }

    fn silently(&self, program: &str, args: &[&str]) {
        let mut command = self.command(program);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    }

    /// Starts the session, and in it the services that start by themselves. Its server stays while tests come and go, an
    /// hour at most, should this process be killed.
    pub fn boot(&self) {
        self.silently("wineserver", &["-p3600"]);
        // Whatever runs first boots the prefix, and once: wineboot itself would do it a second time.
        self.silently("wine", &["cmd", "/c", "exit"]);
    }

    /// Ends every process of the session where it stands, as a power cut does; the registry is written.
    pub fn cut_power(&self) {
        self.silently("wineserver", &["-k"]);
        self.silently("wineserver", &["-w"]);
        let left = || format!("{:?}", self.processes());
        until("the end of the session", left, || self.processes().is_empty().then_some(()));
    }

    /// Every process of the session but its server.
    pub fn processes(&self) -> Vec<Listed> {
        let mark = [b"WINEPREFIX=", self.path().as_os_str().as_encoded_bytes()].concat();
        let look = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            environment.split(|byte| *byte == 0).find(|variable| *variable == mark)?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
            (!line.contains("wineserver")).then_some(Listed { pid, line })
        };
        fs::read_dir("/proc").expect("proc(5)").flatten().filter_map(look).collect()
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        // Nothing here may panic: the test may be doing so already.
        for how in ["-k", "-w"] {
            let _ = self.command("wineserver").arg(how).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// With links as links.
fn copy(from: &Path, to: &Path) {
    let kind = fs::symlink_metadata(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())).file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from).expect("a link"), to).expect("a link");
    } else if kind.is_dir() {
        fs::create_dir(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("a copy");
    }
}

/// A process whose output goes to files.
pub struct Running {
    child: Child,
    out: File,
    err: File,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let [out, err] = [(); 2].map(|()| tempfile::tempfile().expect("a file"));
        command.stdout(out.try_clone().expect("a handle")).stderr(err.try_clone().expect("a handle"));
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Running { child, out, err }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn texts(&mut self) -> [String; 2] {
        [&mut self.out, &mut self.err].map(|file| {
            let mut bytes = Vec::new();
            // The position is one with that of the writer, who has ended or is given up.
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("readable");
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }

    /// Waits for its end. The exit code is what Linux has of it, the low eight bits.
    pub fn wait(mut self) -> Ended {
        let pid = self.pid();
        let status = until("a program to end", || format!("pid {pid}"), || self.child.try_wait().expect("it is ours"));
        let [out, err] = self.texts();
        Ended { code: status.code(), out, err }
    }
}
