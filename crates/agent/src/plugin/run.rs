//! One run of one program: with all that it starts it is over by its deadline, prints no more than it may, and ends when the
//! agent does.
//!
//! As for the Go agent, a run is over when the program has ended and nobody holds its outputs open any more; who holds one
//! beyond the deadline is ended. Reading a pipe may block for ever, and so a thread does it for each. A process that does not
//! end when it is killed (a driver holds it) keeps its threads and holds up nothing else, up to a number of them.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::{Bound, Hold};

/// The variable by which Linux finds what has left its group.
pub const MARK: &str = "FALCON_PLUGIN_RUN";

/// Between two looks at whether the agent stops.
const GLANCE: Duration = Duration::from_millis(50);
/// For the outputs of a run that was ended to close.
const EPILOGUE: Duration = Duration::from_millis(500);
/// Threads that wait for what was ended and does not end.
const MOST_LEFT: usize = 64;
static LEFT: AtomicUsize = AtomicUsize::new(0);
/// For a file that another process has open for writing, if only because it was just being started.
const BUSY_TRIES: u32 = 10;

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

/// Runs a program to its end. `explain` says why it does not start.
pub fn run(command: &mut Command, bounds: &Bounds, stop: &Stop, explain: &dyn Fn(&io::Error) -> String) -> Ran {
    if stop.is_stopped() {
        return Ran { end: End::Stopped, ..Ran::not_started(String::new()) };
    }
    if LEFT.load(Ordering::Relaxed) >= MOST_LEFT {
        let why = "processes of plugins were ended before it and have not ended: the system holds them, and no plugin is \
                   started until some of them are gone";
        return Ran::not_started(why.to_owned());
    }
    let begun = Instant::now();
    let mut bound = match start(command, bounds.memory_bytes) {
        Ok(bound) => bound,
        Err(error) => return Ran::not_started(explain(&error)),
    };
    let (stdout, stderr, said) = match listen(&mut bound, bounds) {
        Ok(listening) => listening,
        Err(error) => {
            bound.end();
            return Ran::not_started(format!("nobody can read what it prints: {error}"));
        }
    };
    let mut open = 2;
    let end = wait(&mut bound, &said, &mut open, begun + bounds.time, stop);
    let has_ended = end == End::Late && bound.has_ended().unwrap_or(false);
    if !matches!(end, End::Exited(_) | End::Killed(_)) {
        bury(bound);
        let until = Instant::now() + EPILOGUE;
        while open > 0 {
            match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Said::Closed) => open -= 1,
                Ok(Said::TooMuch) => {}
                Err(_) => break,
            }
        }
    }
    let (stdout, stderr) = (stdout.take(), stderr.take());
    Ran { end, stdout: stdout.bytes, stderr: stderr.bytes, dropped: stderr.dropped, has_ended }
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

enum Said {
    Closed,
    TooMuch,
}

/// Until the run ends, or has to be ended.
fn wait(bound: &mut Bound, said: &Receiver<Said>, open: &mut usize, deadline: Instant, stop: &Stop) -> End {
    let mut pause = Duration::from_millis(1);
    loop {
        if stop.is_stopped() {
            return End::Stopped;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return End::Late;
        }
        if *open > 0 {
            match said.recv_timeout(left.min(GLANCE)) {
                Ok(Said::Closed) => *open -= 1,
                Ok(Said::TooMuch) => return End::TooMuch,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => *open = 0,
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

/// Threads that wait for what does not end.
#[cfg(test)]
pub fn left() -> usize {
    LEFT.load(Ordering::Relaxed)
}

/// Ends a run; where that takes long, a thread waits for it.
fn bury(mut bound: Bound) {
    bound.end();
    if !matches!(bound.try_wait(), Ok(None)) {
        return;
    }
    LEFT.fetch_add(1, Ordering::Relaxed);
    let wait = move || {
        while matches!(bound.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_secs(1));
        }
        LEFT.fetch_sub(1, Ordering::Relaxed);
    };
    if thread::Builder::new().name("plugin-end".to_owned()).stack_size(STACK).spawn(wait).is_err() {
        LEFT.fetch_sub(1, Ordering::Relaxed);
    }
}

const STACK: usize = 128 * 1024;
const CHUNK: usize = 16 * 1024;

/// What came out of a pipe so far.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    dropped: u64,
    is_closed: bool,
    /// The run is over, and nobody asks any more.
    is_left: bool,
}

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Kept>>);

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Kept {
        let mut kept = self.lock();
        if !kept.is_closed && !kept.is_left {
            kept.is_left = true;
            LEFT.fetch_add(1, Ordering::Relaxed);
        }
        Kept { bytes: std::mem::take(&mut kept.bytes), dropped: kept.dropped, ..Kept::default() }
    }

    fn close(&self) {
        let mut kept = self.lock();
        kept.is_closed = true;
        if kept.is_left {
            LEFT.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether it may be read on.
    fn keep(&self, bytes: &[u8], most: usize, is_fatal: bool) -> bool {
        let mut kept = self.lock();
        if kept.is_left {
            return false;
        }
        let room = most.saturating_sub(kept.bytes.len());
        let (taken, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        kept.bytes.extend_from_slice(taken);
        kept.dropped = kept.dropped.saturating_add(rest.len() as u64);
        rest.is_empty() || !is_fatal
    }
}

fn listen(bound: &mut Bound, bounds: &Bounds) -> io::Result<(Pipe, Pipe, Receiver<Said>)> {
    let (out, err) = bound.outputs().ok_or(io::ErrorKind::NotConnected)?;
    let (stdout, stderr) = (Pipe::default(), Pipe::default());
    let (say, said) = mpsc::channel();
    read(Box::new(out), &stdout, bounds.stdout, true, &say)?;
    read(Box::new(err), &stderr, bounds.stderr, false, &say)?;
    Ok((stdout, stderr, said))
}

fn read(
    mut from: Box<dyn Read + Send>,
    into: &Pipe,
    most: usize,
    is_fatal: bool,
    say: &Sender<Said>,
) -> io::Result<()> {
    let (into, say) = (into.clone(), say.clone());
    let read = move || {
        let mut chunk = vec![0; CHUNK];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(len) => {
                    let bytes = chunk.get(..len).unwrap_or_default();
                    if !into.keep(bytes, most, is_fatal) {
                        // Nobody listens where the run is over.
                        let _ = say.send(Said::TooMuch);
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        into.close();
        let _ = say.send(Said::Closed);
    };
    thread::Builder::new().name("plugin-read".to_owned()).stack_size(STACK).spawn(read).map(drop)
}
