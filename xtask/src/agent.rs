//! A running agent as steps and benches have it: started, asked over HTTP, read by its pid, told to leave.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::child::{Run, end_tree};

/// The agent promises to leave within 5 s.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// A port that nobody has at this moment.
///
/// # Errors
/// When no port can be had on loopback.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// What a process holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Usage {
    pub rss_kb: u64,
    pub threads: u64,
    pub descriptors: u64,
}

/// A running agent; it is ended with the value.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Its output goes to a file in `folder`, which is also its working directory.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(run: Run, folder: &Path) -> Result<Self> {
        let log = folder.join("output.txt");
        let output = fs::File::create(&log)?;
        let mut command = run.dir(folder).into_command();
        command.stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: command.spawn().context("cannot start the agent")?, log })
    }

    /// # Errors
    /// When it ends or does not answer in time; the message holds its output.
    pub fn until_healthy(&mut self, http: SocketAddr, deadline: Instant) -> Result<()> {
        while !healthy(http) {
            self.still_runs()?;
            if Instant::now() > deadline {
                bail!("/health never answered\n{}", self.output());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// # Errors
    /// When it has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the agent ended by itself: {status}\n{}", self.output()),
        }
    }

    /// Ctrl-C, which Wine passes on as such.
    ///
    /// # Errors
    /// When it does not leave in time and in good order.
    pub fn interrupt(&mut self) -> Result<()> {
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

    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> Result<Usage> {
        usage(self.child.id())
    }

    /// Processor time since it began, of all its threads.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let ticks = ticks_in_stat(&stat).context("proc(5) says otherwise")?;
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    pub fn output(&self) -> String {
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

/// The body of an answer with status 200.
///
/// # Errors
/// When there is none within seconds.
pub fn get(http: SocketAddr, path: &str) -> Result<String> {
    ask(http, path, &format!("GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n"), b"")
}

/// The same for a body that is posted.
///
/// # Errors
/// As [`get`].
pub fn post(http: SocketAddr, path: &str, body: &[u8]) -> Result<String> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n");
    ask(http, path, &format!("{head}Content-Length: {}\r\n\r\n", body.len()), body)
}

fn ask(http: SocketAddr, path: &str, head: &str, body: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&http, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.take(64 << 20).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("half an answer")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    Ok(body.to_owned())
}

fn healthy(http: SocketAddr) -> bool {
    get(http, "/health").is_ok_and(|body| body == "ok")
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

/// utime + stime, the 14th and 15th field of /proc/PID/stat (proc(5)); the name in the 2nd may hold anything.
fn ticks_in_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_those_of_the_process_and_not_of_its_children() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 100 0 0 0 300 500 7 9 20 0 1 0 2 10000000 700";
        assert_eq!(ticks_in_stat(stat), Some(800));
        assert_eq!(ticks_in_stat("42 (a) S 1"), None);
    }

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
        let seen: Vec<bool> = (0..3).map(|_| healthy(http)).collect();
        assert_eq!(seen, [true, false, false]);
        server.join().unwrap();
    }
}
