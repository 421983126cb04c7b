//! The new executable is asked before anything changes: what it makes of the configuration, and whether it measures anything.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Agent, LAST_LINES};
use crate::model::Platform;

/// For its version, which asks nothing of the host: also of the old executable, which may be no good.
const AT_ONCE: Duration = Duration::from_secs(10);
/// For each other answer.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(20);
/// What came until the end is there by then, unless somebody else has the pipe.
const REST: Duration = Duration::from_secs(2);
/// Of an answer; what is beyond is thrown away.
const MOST_BYTES: usize = 1 << 20;
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
    let patience = if what == "-v" { AT_ONCE } else { PATIENCE };
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() >= patience {
            bail!("{name} does not end within {} s", patience.as_secs());
        }
        sleep(GLANCE);
    };
    let (out, err) = (out.text(), err.text());
    if !status.success() {
        let lines: Vec<&str> = err.trim().lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        bail!("{name} ended with {status}: {}", lines.get(from..).unwrap_or_default().join("\n  "));
    }
    Ok(out)
}

/// What a pipe gives, read on a thread.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Gathered {
    fn wait(&self) {
        let begun = Instant::now();
        while !self.reader.is_finished() && begun.elapsed() < REST {
            sleep(GLANCE);
        }
    }

    /// After the end of who writes.
    fn text(self) -> String {
        self.wait();
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn gather(from: Box<dyn Read + Send>) -> io::Result<Gathered> {
    let bytes = Arc::<Mutex<Vec<u8>>>::default();
    let into = bytes.clone();
    let take = Box::new(move |part: &[u8]| {
        let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() < MOST_BYTES {
            bytes.extend_from_slice(part);
        }
    });
    Ok(Gathered { bytes, reader: read(from, take)? })
}

/// What becomes of each part.
type Take = Box<dyn FnMut(&[u8]) + Send>;

/// To the end, also where nobody wants it any more: or the other side would wait.
fn read(mut from: Box<dyn Read + Send>, mut take: Take) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut part) {
            take(part.get(..count).unwrap_or_default());
        }
    })
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
    let mut readers = Vec::new();
    if let Some((out, err)) = child.stdout.take().zip(child.stderr.take()) {
        readers.push(Gathered {
            bytes: Arc::default(),
            reader: read(Box::new(out), Box::new(|part| pass(&mut io::stdout(), part)))?,
        });
        readers.push(Gathered {
            bytes: Arc::default(),
            reader: read(Box::new(err), Box::new(|part| pass(&mut io::stderr(), part)))?,
        });
    }
    let status = child.wait()?;
    // Its console's own process may have the pipes for a while.
    readers.iter().for_each(Gathered::wait);
    Ok(Some(status.code().unwrap_or(1)))
}

/// Nobody who stops listening ends what is under way.
fn pass(to: &mut dyn Write, part: &[u8]) {
    let _ = to.write_all(part).and_then(|()| to.flush());
}
