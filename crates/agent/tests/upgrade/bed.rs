//! An agent that somebody keeps running, what it is upgraded to, and the pushes that go on meanwhile.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use crate::harness::process::Ended;
use crate::harness::servers::Server;
use crate::harness::{exe, http, is_windows, until};
use crate::load::Load;
use crate::prefix::Running;

/// The agent of a host.
pub trait Bed {
    fn http(&self) -> SocketAddr;
    /// Where Linux has a file beside the agent's executable.
    fn beside(&self, name: &str) -> PathBuf;
    /// Processes of the agent, which verbs are not.
    fn pids(&self) -> Vec<u32>;
    /// The verb with the path of a file, as Linux has it, and more words.
    fn upgrade(&self, file: &Path, words: &[&str]) -> Command;
    /// The same, given to the new file itself.
    fn upgrade_by_itself(&self, file: &Path, words: &[&str]) -> Command;
    /// Ends what a command started, where it stands.
    fn kill(&self, running: Running);
    /// Has the next start listen elsewhere, where the host does not give the same address again at once.
    fn moves(&self) -> Option<SocketAddr>;
    fn state(&self) -> String;
}

/// `falcon-agent` and the ending that executables have.
pub fn program(what: &str) -> String {
    format!("falcon-agent{what}{}", if is_windows() { ".exe" } else { "" })
}

pub fn sha256(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).output().expect("coreutils");
    String::from_utf8(said.stdout).expect("text")[..64].to_owned()
}

/// A line for the shell, with what it calls `$1`, `$2`. Files that are to be run are written so: what this process has open to
/// write, a child that another test starts just then has open as well, and nobody can run it.
pub fn sh(line: &str, words: &[&dyn Display]) {
    let words = words.iter().map(ToString::to_string);
    let status = Command::new("/bin/sh").args(["-c", line, "sh"]).args(words).status();
    assert!(status.expect("a shell").success(), "{line}");
}

/// What `interop/upgrade` is built to.
pub fn stub(name: &str) -> PathBuf {
    let dir = std::env::var_os("FALCON_UPGRADE_STUBS").expect("FALCON_UPGRADE_STUBS names a folder");
    PathBuf::from(dir).join(if is_windows() { format!("{name}.exe") } else { name.to_owned() })
}

/// The shipped executable as another build: a byte behind the end of the file is nothing to its loader.
pub fn another(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    sh(r#"cp "$1" "$2" && echo "$2" >>"$2" && chmod 755 "$2""#, &[&exe().display(), &path.display()]);
    path
}

/// Upgrades, and answers how that ended.
pub fn upgrade(bed: &dyn Bed, file: &Path, words: &[&str]) -> Ended {
    let hash = sha256(file);
    Running::start(bed.upgrade(file, &[&["--sha256", hash.as_str()], words].concat())).wait()
}

/// The one process of the agent, when it answers.
pub fn running(bed: &dyn Bed) -> u32 {
    until(
        "one agent",
        || bed.state(),
        || match bed.pids().as_slice() {
            [pid] => http::get(bed.http(), "/health").ok().filter(|answer| answer.body == b"ok").map(|_| *pid),
            _ => None,
        },
    )
}

/// Pushes that go on in a thread, one number after the other.
pub struct Pushes {
    load: Arc<Load>,
    ends: Arc<AtomicBool>,
    to: Arc<Mutex<Vec<SocketAddr>>>,
    thread: JoinHandle<BTreeSet<usize>>,
}

impl Pushes {
    pub fn start(to: SocketAddr) -> Pushes {
        let (load, ends) = (Arc::new(Load::new("app", 1)), Arc::new(AtomicBool::new(false)));
        let to = Arc::new(Mutex::new(vec![to]));
        let thread = spawn({
            let (load, ends, to) = (load.clone(), ends.clone(), to.clone());
            move || {
                let (mut taken, mut failed) = (BTreeSet::new(), 0);
                while !ends.load(SeqCst) {
                    let (n, body) = load.next();
                    let to = {
                        let addresses = to.lock().unwrap();
                        addresses[failed % addresses.len()]
                    };
                    match http::post(to, "/v1/push", &body) {
                        Ok(answer) if answer.status == 200 => _ = taken.insert(n),
                        _ => failed += 1,
                    }
                    sleep(Duration::from_millis(10));
                }
                taken
            }
        });
        Pushes { load, ends, to, thread }
    }

    /// Has the next start of the agent listen elsewhere, where that must be, and pushes find it.
    pub fn follow(&self, bed: &dyn Bed) {
        self.to.lock().unwrap().extend(bed.moves());
    }

    /// Everything that was acknowledged has arrived, or does now, once and in order.
    pub fn all_arrived(self, bed: &dyn Bed, server: &Server) {
        self.ends.store(true, SeqCst);
        let taken = self.thread.join().expect("pushes");
        assert!(taken.len() > 50, "{} are no load\n{}", taken.len(), bed.state());
        until(
            "the last point",
            || bed.state(),
            || {
                let arrived: BTreeSet<usize> = self.load.numbers(server, 0).into_iter().collect();
                taken.is_subset(&arrived).then_some(())
            },
        );
        let arrived = self.load.numbers(server, 0);
        assert!(arrived.is_sorted_by(|a, b| a < b), "out of turn, or twice: {arrived:?}");
    }
}
