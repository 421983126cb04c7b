//! The Go peer as a child: started with free ports, read line by line, ended with the value.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child::Run;

/// The peer prints its addresses as soon as it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

pub struct Peer {
    child: Child,
    lines: Receiver<String>,
    pub transfer: String,
    pub hbs: String,
}

impl Peer {
    /// # Errors
    /// When the executable is not there or does not say where it listens.
    pub fn start(exe: &Path) -> Result<Self> {
        let mut command = Run::new(exe).into_command();
        // It ends when its standard input does, even should this program be killed.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", exe.display()))?;
        let out = child.stdout.take().context("the peer has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut peer = Self { child, lines, transfer: String::new(), hbs: String::new() };
        let first = peer.line(STARTS_WITHIN)?.context("the peer does not say where it listens")?;
        let address = |name: &str| first.get(name).and_then(Value::as_str).map(str::to_owned);
        peer.transfer = address("transfer").context("the peer names no transfer")?;
        peer.hbs = address("hbs").context("the peer names no hbs")?;
        Ok(peer)
    }

    /// The next thing the peer says; `None` when it says nothing for that long.
    ///
    /// # Errors
    /// When the peer has ended or prints what is no JSON.
    pub fn line(&mut self, patience: Duration) -> Result<Option<Value>> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(serde_json::from_str(&line).with_context(|| format!("the peer printed: {line}"))?)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the peer has ended"),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
