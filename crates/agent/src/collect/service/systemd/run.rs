//! One run of a program that only tells something: with a deadline and a bound on what it may say.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::isolate::Worker;

/// Bytes of an answer: 10,000 units have a quarter of it.
const MOST_BYTES: u64 = 4 << 20;
/// Bytes of an error that are shown.
const ERROR_BYTES: u64 = 1 << 10;
/// Between two looks at a program that has said everything and has yet to end.
const LOOK: Duration = Duration::from_millis(5);

/// What it wrote. Whatever happens, it has ended when this returns.
///
/// # Errors
/// It cannot be started, failed, said too much, or did not end in time.
pub(super) fn output<'a>(
    program: &Path,
    arguments: impl Iterator<Item = &'a str>,
    deadline: Duration,
) -> io::Result<String> {
    let end = Instant::now() + deadline;
    let reader = Worker::spawn("systemctl")?;
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut running = Running(child);
    let (Some(out), Some(err)) = (running.0.stdout.take(), running.0.stderr.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    let (back, answer) = mpsc::sync_channel(1);
    // Ends with the program, which holds the other ends.
    reader.run(move || {
        let read = read(out, MOST_BYTES + 1).and_then(|out| Ok((out, read(err, ERROR_BYTES)?)));
        // A send fails only when nobody waits any more.
        let _ = back.send(read);
    });
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("did not end in {} s", deadline.as_secs()));
    let left = end.saturating_duration_since(Instant::now());
    let (out, err) = answer.recv_timeout(left).map_err(|_| late())??;
    if out.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("said more than {MOST_BYTES} bytes")));
    }
    let status = running.wait(end)?.ok_or_else(late)?;
    if !status.success() {
        let why = err.lines().next().unwrap_or_default().trim().to_owned();
        return Err(io::Error::other(format!("{}: {status}: {why}", program.display())));
    }
    Ok(out)
}

fn read(from: impl Read, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Killed and waited for when it is dropped, which does nothing to one that has ended.
struct Running(Child);

impl Running {
    /// `None`: it has not ended at that time.
    fn wait(&mut self, end: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            match self.0.try_wait()? {
                None if Instant::now() < end => std::thread::sleep(LOOK),
                status => return Ok(status),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only for one that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
