//! What the agent takes from a host while it does its ordinary work: resident memory, threads, descriptors.
//!
//! Each shipped executable runs against the Go peer until two cycles of metrics have arrived, so the figures are those
//! of an agent that has collected, sent and been answered. Figures of a Wine process are read by its Linux pid.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Cx;
use crate::child::{Run, end_tree};
use crate::ledger::Passed;
use crate::peer::Peer;
use crate::wine::Session;

/// Promises of the product, see the README. Memory is promised for Linux: under Wine it holds Wine's own.
const MAX_THREADS: u64 = 12;
const MAX_RSS_KB_LINUX: u64 = 16 * 1024;

const STEP_SECONDS: u32 = 10;
const CYCLES: usize = 2;
/// For start, two cycles and whatever a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(180);
/// The agent promises to leave within 5 s.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

pub fn run(cx: &Cx<'_>) -> Result<Passed> {
    let linux = at_rest(cx, "linux", |config| Run::new(cx.ws.linux_exe()).arg("-c").arg(config))?;
    ensure!(linux.rss_kb <= MAX_RSS_KB_LINUX, "more than {MAX_RSS_KB_LINUX} kB resident");
    let session = Session::start(cx.ws)?;
    at_rest(cx, "wine", |config| {
        let windows_path = format!("Z:{}", config.to_string_lossy().replace('/', "\\"));
        session.enter(Run::new("wine").arg(cx.ws.windows_exe()).arg("-c").arg(windows_path))
    })?;
    Ok(Passed::gates(3))
}

#[derive(Debug, PartialEq, Eq)]
struct Usage {
    rss_kb: u64,
    threads: u64,
    descriptors: u64,
}

fn at_rest(cx: &Cx<'_>, name: &str, agent: impl Fn(&Path) -> Run) -> Result<Usage> {
    let folder = cx.ws.target("idle").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut peer = Peer::start(&cx.ws.peer_exe())?;
    let http = free_address()?;
    let config = folder.join("cfg.json");
    fs::write(&config, configuration(&peer, http).to_string())?;
    let mut agent = Agent::start(agent(&config), &folder)?;

    let deadline = Instant::now() + PATIENCE;
    agent.until_healthy(http, deadline)?;
    agent.until_cycles(&mut peer, deadline)?;
    let usage = usage(agent.child.id())?;
    println!(
        "{name}: {} kB resident, {} threads, {} descriptors after {CYCLES} cycles",
        usage.rss_kb, usage.threads, usage.descriptors
    );
    ensure!(usage.threads <= MAX_THREADS, "{name}: more than {MAX_THREADS} threads");
    agent.interrupt()?;
    Ok(usage)
}

fn configuration(peer: &Peer, http: SocketAddr) -> serde_json::Value {
    json!({
        "hostname": "idle",
        "ip": "127.0.0.1",
        "plugin": { "enabled": false },
        "heartbeat": { "enabled": true, "addr": peer.hbs, "interval": STEP_SECONDS, "timeout": 1000 },
        "transfer": { "enabled": true, "addrs": [peer.transfer], "interval": STEP_SECONDS, "timeout": 1000 },
        "http": { "enabled": true, "listen": http.to_string(), "backdoor": false },
        "collector": { "ifacePrefix": [], "mountPoint": [] },
    })
}

/// A port that nobody has at this moment.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A running agent; it is ended with the value.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    fn start(run: Run, folder: &Path) -> Result<Self> {
        let log = folder.join("output.txt");
        let output = fs::File::create(&log)?;
        let mut command = run.dir(folder).into_command();
        command.stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: command.spawn().context("cannot start the agent")?, log })
    }

    fn until_healthy(&mut self, http: SocketAddr, deadline: Instant) -> Result<()> {
        while !healthy(http).unwrap_or(false) {
            self.still_runs()?;
            if Instant::now() > deadline {
                bail!("/health never answered\n{}", self.output());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn until_cycles(&mut self, peer: &mut Peer, deadline: Instant) -> Result<()> {
        let mut stamps = std::collections::BTreeSet::new();
        while stamps.len() < CYCLES {
            if Instant::now() > deadline {
                bail!("{} of {CYCLES} cycles arrived\n{}", stamps.len(), self.output());
            }
            self.still_runs()?;
            if let Some(line) = peer.line(Duration::from_secs(1))? {
                let items = line.get("items").and_then(|items| items.as_array()).into_iter().flatten();
                stamps.extend(items.filter_map(|item| item.get("timestamp")?.as_i64()));
            }
        }
        Ok(())
    }

    fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the agent ended by itself: {status}\n{}", self.output()),
        }
    }

    /// Ctrl-C, which Wine passes on as such.
    fn interrupt(&mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("the agent has no pid")?;
        kill_process(pid, Signal::INT)?;
        let deadline = Instant::now() + LEAVES_WITHIN;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("Ctrl-C ended the agent with {status}\n{}", self.output()),
                None if Instant::now() > deadline => bail!("the agent did not leave on Ctrl-C\n{}", self.output()),
                None => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn output(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        format!("its output:\n{}", String::from_utf8_lossy(&text))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            end_tree(self.child.id());
            self.child.wait().ok();
        }
    }
}

fn healthy(http: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect_timeout(&http, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\nok"))
}

fn usage(pid: u32) -> Result<Usage> {
    let process = PathBuf::from("/proc").join(pid.to_string());
    let status = fs::read_to_string(process.join("status"))?;
    let field = |name: &str| status_field(&status, name).with_context(|| format!("no {name} in /proc/{pid}/status"));
    Ok(Usage {
        rss_kb: field("VmRSS")?,
        threads: field("Threads")?,
        descriptors: u64::try_from(fs::read_dir(process.join("fd"))?.count())?,
    })
}

/// A number of /proc/PID/status (proc(5)), in the unit it is written in.
fn status_field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tVmRSS: 1\nVmRSSx:\t 3 kB\nVmRSS:\t    9132 kB\nThreads:\t4\n";
        assert_eq!(status_field(status, "VmRSS"), Some(9132));
        assert_eq!(status_field(status, "Threads"), Some(4));
        assert_eq!(status_field(status, "VmSwap"), None);
    }

    #[test]
    fn this_process_has_memory_a_thread_and_descriptors() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.rss_kb > 0 && usage.threads >= 1 && usage.descriptors >= 3, "{usage:?}");
    }

    #[test]
    fn health_wants_status_and_body() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let http = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            for answer in ["HTTP/1.1 200 OK\r\n\r\nok", "HTTP/1.1 503 No\r\n\r\nok", "HTTP/1.1 200 OK\r\n\r\nwell"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let seen: Vec<bool> = (0..3).map(|_| healthy(http).unwrap()).collect();
        assert_eq!(seen, [true, false, false]);
        server.join().unwrap();
    }
}
