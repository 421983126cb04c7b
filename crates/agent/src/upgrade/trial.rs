//! The new executable is asked before anything changes: what it makes of the configuration, and whether it measures anything.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Agent, say};
use crate::model::Platform;

/// For each answer.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(20);
/// What came until the end is there by then, unless somebody else has the pipe.
const REST: Duration = Duration::from_secs(2);
/// Of an answer; what is beyond is thrown away.
const MOST_BYTES: u64 = 1 << 20;
/// Tells the process that does the work from the one that was started in a window.
const APART: &str = "FALCON_UPGRADE_APART";

/// Has the executable check the configuration and collect once; answers its version.
pub(super) fn check(program: &Path, agent: &Agent) -> anyhow::Result<String> {
    let version = version(program, agent)?;
    ask(program, agent, &["config"])?;
    let collected = ask(program, agent, &["collect", "--format", "json"])?;
    ensure!(
        collected.contains("\"metric\""),
        "nothing was changed: `collect` of the new executable collects nothing here"
    );
    Ok(version)
}

pub(super) fn version(program: &Path, agent: &Agent) -> anyhow::Result<String> {
    ask(program, agent, &["-v"]).map(|text| text.trim().to_owned())
}

fn ask(program: &Path, agent: &Agent, verb: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(verb);
    if let Some(config) = &agent.config {
        command.arg("-c").arg(config);
    }
    if let Some(environment) = &agent.environment {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    command.env_remove(APART);
    if let Some(dir) = &agent.dir {
        command.current_dir(dir);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = verb.first().copied().unwrap_or_default();
    let name = format!("nothing was changed: the new executable (`{what}`)");
    let mut child = falcon_sys::spawn_bound(&mut command).with_context(|| format!("{name} cannot be run"))?;
    let Some((out, err)) = child.outputs() else { bail!("{name} has no output") };
    let (out, err) = (gather(Box::new(out))?, gather(Box::new(err))?);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() >= PATIENCE {
            bail!("{name} does not end within {} s", PATIENCE.as_secs());
        }
        sleep(GLANCE);
    };
    let text = |from: Receiver<String>| from.recv_timeout(REST).unwrap_or_default();
    let (out, err) = (text(out), text(err));
    if !status.success() {
        let lines: Vec<&str> = err.trim().lines().rev().take(5).collect();
        let why: Vec<&str> = lines.into_iter().rev().collect();
        bail!("{name} ended with {status}: {}", why.join("\n  "));
    }
    Ok(out)
}

/// Reads to the end on a thread.
fn gather(mut from: Box<dyn Read + Send>) -> anyhow::Result<Receiver<String>> {
    let (to, text) = channel();
    std::thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.by_ref().take(MOST_BYTES).read_to_end(&mut bytes);
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
        // Or the other side would wait.
        let _ = std::io::copy(&mut from, &mut std::io::sink());
    })?;
    Ok(text)
}

/// On Windows, does all of it in a process of its own, and passes on what that says; answers its exit code. `None`: this is
/// that process, or none is needed.
pub(super) fn set_apart() -> anyhow::Result<Option<i32>> {
    if Platform::CURRENT != Platform::Windows || std::env::var_os(APART).is_some() {
        return Ok(None);
    }
    falcon_sys::heed_no_stop();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(APART, "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    falcon_sys::set_apart(&mut command);
    let mut child = command.spawn().context("this program cannot start itself")?;
    let errors = child.stderr.take().map(|err| gather(Box::new(err))).transpose()?;
    let mut out = child.stdout.take();
    let mut line = Vec::new();
    let mut byte = [0];
    while out.as_mut().is_some_and(|out| matches!(out.read(&mut byte), Ok(1))) {
        match byte {
            [b'\n'] => say(&String::from_utf8_lossy(&std::mem::take(&mut line))),
            [byte] => line.push(byte),
        }
    }
    let status = child.wait()?;
    if let Some(errors) = errors.and_then(|errors| errors.recv_timeout(REST).ok()) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), errors.as_bytes());
    }
    Ok(Some(status.code().unwrap_or(1)))
}
