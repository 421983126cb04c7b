//! One process that is asked for counters, seen from the agent: it is started, asked with a deadline, and ended with all that it
//! started. It is never believed: what is late, ends, or says something else than an answer is over.
//!
//! Reading and writing its pipes may block for ever, and so a thread does that, which ends with the process.

use std::io::{self, ErrorKind};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::Bound;

use super::client::Unanswered;
use super::protocol::{Answer, Begin, Hello, Query, Reply, Request, frame, parse, receive, send};

/// For a process to start and to say who it is. It is time of its own, for it is no group's fault: a host where much starts at
/// once, or a scanner that looks at the executable first.
const START: Duration = Duration::from_secs(10);
/// For the end of a process that has closed its pipe.
const EPILOGUE: Duration = Duration::from_secs(2);
/// For one that is told to end by the end of its input, before it is ended.
const GRACE: Duration = Duration::from_secs(1);
/// Processes that were ended and have not ended: held by a driver, all of them.
const MOST_ENDING: usize = 4;

/// What a process said, or that it has closed its pipe.
type Said = io::Result<Option<Vec<u8>>>;

#[derive(Debug)]
pub struct Child {
    bound: Bound,
    requests: Sender<Vec<u8>>,
    answers: Receiver<Said>,
    asked: u64,
    /// Resident memory after its first answer.
    pub first_rss_bytes: Option<u64>,
    /// With its last answer it began to unload libraries, which may hang or fall at it.
    pub is_closing: bool,
}

/// Why there is no answer, nor will there be one: the process is to be ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Fall {
    Late,
    /// What it did.
    Ended(String),
}

/// Why there is no process.
#[derive(Debug, PartialEq, Eq)]
pub struct NotStarted {
    pub why: String,
    /// There was one.
    pub has_died: bool,
}

impl Child {
    /// Starts a process, and hears who it is.
    ///
    /// # Errors
    /// Those of the system, and where it is another one than it should be.
    pub fn start(command: &mut Command, memory_bytes: u64, endings: &Endings) -> Result<Child, NotStarted> {
        let failed = |error: io::Error| NotStarted { why: error.to_string(), has_died: false };
        if endings.are_too_many() {
            let why = format!("{MOST_ENDING} before it were ended and have not ended");
            return Err(NotStarted { why, has_died: false });
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut bound = falcon_sys::spawn_bound(command).map_err(failed)?;
        let is_loose = !bound.is_in_job();
        let (requests, answers) = match speak(&mut bound) {
            Ok(channel) => channel,
            Err(error) => {
                endings.end(bound, Duration::ZERO);
                return Err(failed(error));
            }
        };
        let mut child = Child { bound, requests, answers, asked: 0, first_rss_bytes: None, is_closing: false };
        match child.greet(&Begin { hello: Hello::own(), is_loose, memory_bytes }, Instant::now() + START) {
            Ok(()) => Ok(child),
            Err(fall) => {
                child.end(endings);
                let why = match fall {
                    Fall::Late => "said nothing and was ended".to_owned(),
                    Fall::Ended(how) => how,
                };
                Err(NotStarted { why, has_died: true })
            }
        }
    }

    fn greet(&mut self, begin: &Begin, until: Instant) -> Result<(), Fall> {
        let body = self.exchange(frame(begin), until)?;
        let hello = parse::<Hello>(&body).and_then(|hello| hello.check());
        hello.map_err(|error| Fall::Ended(format!("is not of this agent and was ended: {error}")))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Where there is none.
    pub fn call(&mut self, query: Query, until: Instant) -> Result<Answer, Fall> {
        self.asked += 1;
        let request = Request { id: self.asked, query };
        let body = self.exchange(frame(&request), until)?;
        match parse::<Answer>(&body) {
            Ok(answer) if answer.id == request.id && fits(&request.query, &answer.reply) => {
                self.first_rss_bytes = self.first_rss_bytes.or(answer.rss_bytes);
                self.is_closing = answer.closes;
                Ok(answer)
            }
            _ => Err(Fall::Ended(NO_ANSWER.to_owned())),
        }
    }

    fn exchange(&mut self, frame: io::Result<Vec<u8>>, until: Instant) -> Result<Vec<u8>, Fall> {
        let frame = frame.map_err(|error| Fall::Ended(format!("cannot be asked and was ended: {error}")))?;
        // Where nobody takes it, nobody answers either.
        let _ = self.requests.send(frame);
        match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(Some(body))) => Ok(body),
            Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => Err(Fall::Ended(NO_ANSWER.to_owned())),
            Err(RecvTimeoutError::Timeout) => Err(Fall::Late),
            Ok(Ok(None) | Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(Fall::Ended(self.epilogue())),
        }
    }

    /// How it ended, soon after it has closed its pipe.
    fn epilogue(&mut self) -> String {
        let begun = Instant::now();
        loop {
            match self.bound.try_wait() {
                Ok(Some(status)) => return words(status),
                Ok(None) if begun.elapsed() < EPILOGUE => thread::sleep(Duration::from_millis(5)),
                _ => return "closed its pipe and was ended".to_owned(),
            }
        }
    }

    /// How it ended, if it has while nothing was asked.
    pub fn ended(&mut self) -> Option<String> {
        self.bound.try_wait().ok().flatten().map(words)
    }

    /// Ends it at once; this does not wait for it.
    pub fn end(self, endings: &Endings) {
        endings.end(self.bound, Duration::ZERO);
    }

    /// Lets it end by itself, for a moment; this does not wait for it.
    pub fn let_end(self, endings: &Endings) {
        let Child { bound, requests, .. } = self;
        drop(requests);
        endings.end(bound, GRACE);
    }
}

const NO_ANSWER: &str = "said what is no answer and was ended";

fn fits(query: &Query, reply: &Result<Reply, Unanswered>) -> bool {
    match (query, reply) {
        (Query::Ask(objects), Ok(Reply::Tables(tables))) => objects.len() == tables.len(),
        (Query::Names(_), Ok(Reply::Names(_))) | (_, Err(_)) => true,
        _ => false,
    }
}

/// Gives the pipes of a process to a thread that writes what it is handed and reads what comes.
fn speak(bound: &mut Bound) -> io::Result<(Sender<Vec<u8>>, Receiver<Said>)> {
    let (mut input, mut output) = bound.pipes().ok_or(ErrorKind::NotConnected)?;
    let (requests, to_write) = mpsc::channel::<Vec<u8>>();
    let (read, answers) = mpsc::sync_channel(1);
    thread::Builder::new().name("perf".to_owned()).stack_size(256 * 1024).spawn(move || {
        for request in to_write {
            let said = send(&mut input, &request).and_then(|()| receive(&mut output));
            let is_over = !matches!(said, Ok(Some(_)));
            if read.send(said).is_err() || is_over {
                return;
            }
        }
    })?;
    Ok((requests, answers))
}

/// Processes that are being ended, each by a thread.
#[derive(Debug, Default)]
pub struct Endings(Arc<AtomicUsize>);

impl Endings {
    fn are_too_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MOST_ENDING
    }

    fn end(&self, mut bound: Bound, grace: Duration) {
        let counted = Counted::new(&self.0);
        // Where there is no thread, the process is ended here and now.
        let _ = thread::Builder::new().name("perf-end".to_owned()).stack_size(256 * 1024).spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < grace && matches!(bound.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
            bound.end();
            while matches!(bound.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_secs(1));
            }
            drop(counted);
        });
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a process ended, as the end of a sentence about it.
fn words(status: ExitStatus) -> String {
    status.code().map_or_else(|| format!("was ended ({status})"), |code| of_code(code.cast_unsigned()))
}

/// Of Windows it is the status of the exception that nobody caught.
fn of_code(code: u32) -> String {
    let what = match code {
        0 => return "ended by itself".to_owned(),
        // Of a panic.
        101 => return "failed by a defect (exit code 101)".to_owned(),
        0x8000_0003 => "fell at a breakpoint",
        0xC000_0005 => "fell by an access violation",
        0xC000_0006 => "fell by a page that could not be read",
        0xC000_0017 => "fell for lack of memory",
        0xC000_001D => "fell by an instruction that there is not",
        0xC000_0094 => "fell by a division by zero",
        0xC000_00FD => "fell by an overflow of its stack",
        0xC000_0135 => "misses a library",
        0xC000_0142 => "has a library that does not start",
        0xC000_0374 => "fell by a damaged heap",
        0xC000_0409 => "fell by damaged memory, or gave up",
        0xC000_0417 => "fell by a wrong argument of a C library",
        0xC000_041D => "fell in a callback",
        0xE043_4352 => "fell by an exception of .NET",
        0xE06D_7363 => "fell by an exception of C++",
        1..0x8000_0000 => return format!("ended (exit code {code})"),
        _ => "fell",
    };
    format!("{what} (0x{code:08X})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::client::ObjectQuery;
    use crate::perf::rows::Missing;

    #[test]
    fn an_end_has_words_for_it() {
        assert_eq!(of_code(0xC000_0005), "fell by an access violation (0xC0000005)");
        assert_eq!(of_code(0xC0DE_0001), "fell (0xC0DE0001)");
        assert_eq!((of_code(0), of_code(7)), ("ended by itself".to_owned(), "ended (exit code 7)".to_owned()));
        assert_eq!(of_code(101), "failed by a defect (exit code 101)");
    }

    #[test]
    fn an_answer_is_to_what_was_asked() {
        let asks = |n| Query::Ask(vec![ObjectQuery::new("A", Vec::new()); n]);
        let tables = |n| Ok(Reply::Tables(vec![Err(Missing::Unnamed); n]));
        let (names, text) = (Ok(Reply::Names(Vec::new())), Query::Names(String::new()));
        assert!(
            fits(&asks(2), &tables(2))
                && fits(&text, &names)
                && fits(&asks(1), &Err(Unanswered::Failed(String::new())))
        );
        assert!(!fits(&asks(2), &tables(1)) && !fits(&asks(0), &names) && !fits(&text, &tables(0)));
    }

    /// A driver may hold a process that was ended: one after the other would fill the host.
    #[test]
    fn no_more_are_started_while_those_before_do_not_end() {
        let endings = Endings::default();
        let mut held: Vec<_> = (0..MOST_ENDING).map(|_| Counted::new(&endings.0)).collect();
        let start = || Child::start(&mut Command::new("no such program"), 1, &endings).unwrap_err().why;
        assert_eq!(start(), "4 before it were ended and have not ended");
        held.pop();
        assert!(!start().contains("ended"));
    }
}
