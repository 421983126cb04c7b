//! One run of one program: with all that it starts it is over by its deadline, prints no more than it may, and ends when the
//! agent does.
//!
//! As for the Go agent, a run is over when the program has ended and nobody holds its outputs open any more; who holds one
//! beyond the deadline is ended. One thread does it all, and waits for nothing longer than for a moment. What does not end when it is
//! ended (a driver holds it, or nobody finds it), holds up that program alone: it is not started again until that is gone.

use std::io::{self, Read};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::{Bound, Hold};

/// The variable by which Linux finds what has left its group.
pub const MARK: &str = "FALCON_PLUGIN_RUN";

/// Between two looks at whether the agent stops.
const GLANCE: Duration = Duration::from_millis(50);
/// The first of them, of which each is twice as long as the one before.
const BLINK: Duration = Duration::from_millis(1);
/// For the outputs of a run that was ended to close.
const EPILOGUE: Duration = Duration::from_millis(500);
/// For a file that another process has open for writing, if only because it was just being started.
const BUSY_TRIES: u32 = 10;
const CHUNK: usize = 16 * 1024;

/// Ends the runs that are given it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    /// By a signal, which was not the agent's.
    Killed(i32),
    Late,
    Stopped,
    /// It printed more than it may.
    TooMuch,
    /// Why.
    NotStarted(String),
}

/// What a run may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub time: Duration,
    /// More is the end of the run.
    pub stdout: usize,
    /// More is dropped.
    pub stderr: usize,
    pub memory_bytes: Option<u64>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Bytes of standard error that were dropped.
    pub dropped: u64,
    /// When it was late: the program itself had ended.
    pub has_ended: bool,
}

impl Ran {
    pub fn not_started(why: String) -> Ran {
        Ran { end: End::NotStarted(why), stdout: Vec::new(), stderr: Vec::new(), dropped: 0, has_ended: false }
    }
}

/// Runs a program to its end. `name`: by which it is known again. `explain` says why it does not start.
pub fn run(
    name: &str,
    command: &mut Command,
    bounds: &Bounds,
    stop: &Stop,
    explain: &dyn Fn(&io::Error) -> String,
) -> Ran {
    if stop.is_stopped() {
        return Ran { end: End::Stopped, ..Ran::not_started(String::new()) };
    }
    if is_left(name) {
        let why = "an earlier run was ended, and something of it is left that did not end: the system holds it (a disk or share \
                   that does not answer), or it was started as a daemon with another environment (su, sudo, env -i) and \
                   has standard output or error of the plugin; it runs again when that is gone: end it";
        return Ran::not_started(why.to_owned());
    }
    let begun = Instant::now();
    let mut bound = match start(command, bounds.memory_bytes) {
        Ok(bound) => bound,
        Err(error) => return Ran::not_started(explain(&error)),
    };
    let mut outputs = Outputs::of(&mut bound);
    let end = wait(&mut bound, &mut outputs, bounds, begun + bounds.time, stop);
    let has_ended = end == End::Late && bound.has_ended().unwrap_or(false);
    if !matches!(end, End::Exited(_) | End::Killed(_)) {
        bound.end();
        outputs.drain(EPILOGUE, bounds);
    }
    let (stdout, stderr) = (std::mem::take(&mut outputs.stdout), std::mem::take(&mut outputs.stderr));
    let dropped = outputs.dropped;
    leave(Left { name: name.to_owned(), bound, outputs });
    Ran { end, stdout, stderr, dropped, has_ended }
}

fn start(command: &mut Command, memory_bytes: Option<u64>) -> io::Result<Bound> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    // A process of another agent in another container may have the same pid.
    let mark = format!("{}-{run}-{}", std::process::id(), falcon_sys::since_boot().as_nanos());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let hold = Hold { memory_bytes, mark: Some((MARK, &mark)) };
    let mut tries = 0;
    loop {
        match falcon_sys::spawn_held(command, &hold) {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                thread::sleep(GLANCE / 5);
            }
            started => return started,
        }
    }
}

/// Until the run ends, or has to be ended.
fn wait(bound: &mut Bound, outputs: &mut Outputs, bounds: &Bounds, deadline: Instant, stop: &Stop) -> End {
    let mut pause = BLINK;
    loop {
        if stop.is_stopped() {
            return End::Stopped;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return End::Late;
        }
        if outputs.are_open() {
            match outputs.read(left.min(pause), bounds) {
                Ok(true) => pause = BLINK,
                Ok(false) => pause = (pause * 2).min(GLANCE),
                Err(error) => return End::NotStarted(format!("what it prints cannot be read: {error}")),
            }
            if outputs.is_too_much {
                return End::TooMuch;
            }
            continue;
        }
        // Who has closed both is about to end.
        match bound.try_wait() {
            Ok(None) => {
                thread::sleep(left.min(pause));
                pause = (pause * 2).min(GLANCE);
            }
            Ok(Some(status)) => {
                return match (status.code(), falcon_sys::signal_of(status)) {
                    (Some(code), _) => End::Exited(code),
                    (None, signal) => End::Killed(signal.unwrap_or_default()),
                };
            }
            Err(error) => return End::NotStarted(format!("how it ended cannot be asked: {error}")),
        }
    }
}

/// What a run prints.
struct Outputs {
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    chunk: Box<[u8]>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    is_too_much: bool,
    /// Bytes of standard error.
    dropped: u64,
}

impl Outputs {
    fn of(bound: &mut Bound) -> Outputs {
        let (out, err) = bound.outputs().unzip();
        let chunk = vec![0; CHUNK].into();
        Outputs { out, err, chunk, stdout: Vec::new(), stderr: Vec::new(), is_too_much: false, dropped: 0 }
    }

    fn are_open(&self) -> bool {
        self.out.is_some() || self.err.is_some()
    }

    /// Reads what there is, or comes within this time; whether that was something, or an end.
    fn read(&mut self, most: Duration, bounds: &Bounds) -> io::Result<bool> {
        let [out, err] = falcon_sys::readable(self.out.as_ref(), self.err.as_ref(), most)?;
        if out {
            let bytes = read(&mut self.out, &mut self.chunk);
            self.is_too_much |= keep(&mut self.stdout, bytes, bounds.stdout) > 0;
        }
        if err {
            let bytes = read(&mut self.err, &mut self.chunk);
            self.dropped = self.dropped.saturating_add(keep(&mut self.stderr, bytes, bounds.stderr));
        }
        Ok(out || err)
    }

    /// Reads until they are closed, or this time has passed.
    fn drain(&mut self, most: Duration, bounds: &Bounds) {
        let until = Instant::now() + most;
        while self.are_open() {
            let left = until.saturating_duration_since(Instant::now());
            if self.read(left.min(GLANCE), bounds).is_err() || left.is_zero() {
                break;
            }
        }
    }
}

/// Once. A pipe that has come to its end is closed.
fn read<'a>(pipe: &mut Option<impl Read>, chunk: &'a mut [u8]) -> &'a [u8] {
    let read = match pipe.as_mut().map(|pipe| pipe.read(chunk)) {
        Some(Err(error)) if matches!(error.kind(), io::ErrorKind::Interrupted) => return &[],
        Some(read) => read.unwrap_or(0),
        None => 0,
    };
    if read == 0 {
        *pipe = None;
    }
    chunk.get(..read).unwrap_or_default()
}

/// How many bytes had no room.
fn keep(kept: &mut Vec<u8>, bytes: &[u8], most: usize) -> u64 {
    let room = most.saturating_sub(kept.len());
    let (taken, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
    kept.extend_from_slice(taken);
    rest.len() as u64
}

/// A run that is over.
struct Left {
    name: String,
    bound: Bound,
    outputs: Outputs,
}

impl Left {
    /// Whether something of it is there.
    fn lives(&mut self) -> bool {
        // Nothing of it is kept any more. What was in a pipe when it was closed is less.
        const NOTHING: Bounds = Bounds { time: Duration::ZERO, stdout: 0, stderr: 0, memory_bytes: None };
        const READS: usize = 64;
        let _ = (0..READS)
            .find(|_| !self.outputs.are_open() || !self.outputs.read(Duration::ZERO, &NOTHING).unwrap_or(false));
        self.outputs.are_open() || matches!(self.bound.try_wait(), Ok(None))
    }
}

/// Those of which something was left.
static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());

fn leave(mut run: Left) {
    if run.lives() {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }
}

fn is_left(name: &str) -> bool {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain_mut(Left::lives);
    left.iter().any(|run| run.name == name)
}
