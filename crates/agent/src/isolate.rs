//! Threads that may be lost: the way to call what can hang for ever (a dead NFS mount, a driver, a provider).
//!
//! A job runs on a thread of its own pool, never on the runtime's. One that does not answer in time
//! is left behind with its thread and its key is remembered: it is not started again until it has come back. Where
//! [`MOST_OUT`] threads are lost, only jobs that answered when they were last asked are started: so their number is
//! bounded also where keys come and go. What is asked for rarely and is good also when it is late is a [`Single`].

mod single;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::stats::Count;
pub use single::Single;

/// Threads that may be lost before what is new, or has not answered, is no longer asked.
const MOST_OUT: usize = 64;

/// What even a late job is waited for before the next one gets a thread of its own.
const LEAST_PATIENCE: Duration = Duration::from_millis(10);

type Job = Box<dyn FnOnce() + Send>;

/// One thread that runs jobs in turn and ends when its handle is dropped (or when the job it hangs in returns).
pub struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Fails where the system gives no more threads.
    pub fn spawn(name: &str) -> io::Result<Worker> {
        let (jobs, queue) = mpsc::channel::<Job>();
        // The jobs are readers of small files and tables; the default of 2 MiB would only be address space, but 32-bit
        // quotas and containers count it.
        std::thread::Builder::new().name(name.to_owned()).stack_size(512 * 1024).spawn(move || {
            for job in queue {
                job();
            }
        })?;
        Ok(Worker { jobs })
    }

    /// Hands the job over. Where the thread is gone (a job panicked past its own guard) the job is dropped, and with it the
    /// sender of its answer: whoever waits for that is told.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.jobs.send(Box::new(job));
    }
}

/// How one job ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    Done(T),
    Panicked,
    /// Not back at the deadline. `newly`: it is the first time since it last answered.
    Late {
        newly: bool,
    },
    /// The system gave no thread to run it on, or too many are lost.
    NoThread(String),
}

/// What is said of a job that is late, where its answer is of no use any more when it comes.
pub const LEFT_ALONE: &str = "does not answer; it is left alone until it does";

impl<T> Outcome<io::Result<T>> {
    /// The answer, or why there is none: `late` of one that is out. Of those that hang each is counted once.
    ///
    /// # Errors
    /// The job's own, and what kept it from answering.
    pub fn answer(self, late: &str, hung: &Count) -> io::Result<T> {
        match self {
            Outcome::Done(answer) => answer,
            Outcome::Panicked => Err(io::Error::other("the reader failed by a defect")),
            Outcome::NoThread(why) => Err(io::Error::other(format!("not asked: {why}"))),
            Outcome::Late { newly } => {
                if newly {
                    hung.add(1);
                }
                Err(io::Error::other(late))
            }
        }
    }
}

/// Jobs by key, each allowed to hang alone.
pub struct Isolated<T> {
    name: &'static str,
    out: BTreeMap<String, Receiver<std::thread::Result<T>>>,
    /// Keys of the last run that came back.
    answered: BTreeSet<String>,
}

impl<T: Send + 'static> Isolated<T> {
    pub fn new(name: &'static str) -> Isolated<T> {
        Isolated { name, out: BTreeMap::new(), answered: BTreeSet::new() }
    }

    /// Runs all jobs and answers in their order. One thread serves them all while they answer; a job that takes longer
    /// than `patience` is left on its thread and the rest go on with a new one. Late answers are accepted until `deadline`
    /// after the call; then the job counts as hung.
    pub fn run_all<F: FnOnce() -> T + Send + 'static>(
        &mut self,
        jobs: Vec<(String, F)>,
        mut patience: Duration,
        deadline: Duration,
    ) -> Vec<(String, Outcome<T>)> {
        self.forget_returned();
        let end = Instant::now() + deadline;
        let mut worker: Option<Worker> = None;
        let mut answers: Vec<(String, Outcome<T>)> = Vec::with_capacity(jobs.len());
        let mut waiting: Vec<(usize, Receiver<std::thread::Result<T>>)> = Vec::new();
        for (key, job) in jobs {
            if self.out.contains_key(&key) {
                answers.push((key, Outcome::Late { newly: false }));
                continue;
            }
            if self.out.len() + waiting.len() >= MOST_OUT && !self.answered.contains(&key) {
                let why = format!("{MOST_OUT} others have not come back");
                answers.push((key, Outcome::NoThread(why)));
                continue;
            }
            let thread = match worker.take().map_or_else(|| Worker::spawn(self.name), Ok) {
                Ok(thread) => thread,
                Err(error) => {
                    answers.push((key, Outcome::NoThread(error.to_string())));
                    continue;
                }
            };
            let (back, answer) = mpsc::sync_channel(1);
            thread.run(move || {
                // A send fails only when nobody waits any more: then the answer is of no use.
                let _ = back.send(catch_unwind(AssertUnwindSafe(job)));
            });
            let left = end.saturating_duration_since(Instant::now());
            match answer.recv_timeout(patience.min(left)) {
                Ok(result) => {
                    worker = Some(thread);
                    answers.push((key, done(result)));
                }
                Err(RecvTimeoutError::Disconnected) => answers.push((key, Outcome::Panicked)),
                Err(RecvTimeoutError::Timeout) => {
                    // A second dead mount of the same server will not answer either: do not spend the same time on it.
                    patience = (patience / 4).max(LEAST_PATIENCE);
                    waiting.push((answers.len(), answer));
                    answers.push((key, Outcome::Late { newly: true }));
                }
            }
        }
        for (place, answer) in waiting {
            let left = end.saturating_duration_since(Instant::now());
            let Some((key, outcome)) = answers.get_mut(place) else { continue };
            match answer.recv_timeout(left) {
                Ok(result) => *outcome = done(result),
                Err(RecvTimeoutError::Disconnected) => *outcome = Outcome::Panicked,
                Err(RecvTimeoutError::Timeout) => {
                    self.out.insert(key.clone(), answer);
                }
            }
        }
        let came_back = |outcome: &Outcome<T>| matches!(outcome, Outcome::Done(_) | Outcome::Panicked);
        self.answered = answers.iter().filter(|(_, outcome)| came_back(outcome)).map(|(key, _)| key.clone()).collect();
        answers
    }

    /// Jobs of earlier runs that came back since are no longer out, asked for or not; their answers are too old.
    fn forget_returned(&mut self) {
        self.out.retain(|_, answer| matches!(answer.try_recv(), Err(TryRecvError::Empty)));
    }
}

fn done<T>(result: std::thread::Result<T>) -> Outcome<T> {
    result.map_or(Outcome::Panicked, Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that is busy takes its time for a job that answers at once.
    const SOON: Duration = Duration::from_millis(500);
    const LONG: Duration = Duration::from_secs(600);
    type Boxed = Box<dyn FnOnce() -> u32 + Send>;

    fn quick(key: &str, value: u32) -> (String, Boxed) {
        (key.to_owned(), Box::new(move || value))
    }

    fn hanging(key: &str) -> (mpsc::Sender<()>, (String, Boxed)) {
        let (release, held) = mpsc::channel::<()>();
        let job: Boxed = Box::new(move || {
            let _ = held.recv();
            99
        });
        (release, (key.to_owned(), job))
    }

    #[test]
    fn a_job_that_hangs_costs_only_itself_and_is_not_started_again() {
        let mut jobs = Isolated::new("test");
        let (release, dead) = hanging("dead");
        let answers = jobs.run_all(vec![quick("a", 1), dead, quick("b", 2)], SOON, 2 * SOON);
        assert_eq!(answers[0].1, Outcome::Done(1));
        assert_eq!(answers[1].1, Outcome::Late { newly: true });
        assert_eq!(answers[2].1, Outcome::Done(2));
        assert_eq!(jobs.out.len(), 1);

        let second: Boxed = Box::new(|| panic!("started twice"));
        let answers = jobs.run_all(vec![("dead".to_owned(), second), quick("b", 3)], SOON, LONG);
        assert_eq!(answers[0].1, Outcome::Late { newly: false });
        assert_eq!(answers[1].1, Outcome::Done(3));

        drop(release);
        // The lost thread answers now; as soon as it has, the key is free again.
        while !jobs.out.is_empty() {
            jobs.forget_returned();
            std::thread::yield_now();
        }
        let answers = jobs.run_all(vec![quick("dead", 4)], LONG, LONG);
        assert_eq!(answers[0].1, Outcome::Done(4));
        assert!(jobs.out.is_empty());
    }

    // Every remount of a dead share is a new key: threads were lost without end.
    #[test]
    fn the_number_of_lost_threads_is_bounded_and_what_answers_goes_on() {
        let mut jobs = Isolated::new("test");
        let short = Duration::from_millis(1);
        let mut releases = Vec::new();
        for n in 1..MOST_OUT {
            let (release, dead) = hanging(&n.to_string());
            releases.push(release);
            assert_eq!(jobs.run_all(vec![dead], LONG, short)[0].1, Outcome::Late { newly: true });
        }
        let (release, dead) = hanging("last");
        releases.push(release);
        let answers = jobs.run_all(vec![quick("good", 2), dead], SOON, 2 * SOON);
        assert_eq!((&answers[0].1, &answers[1].1), (&Outcome::Done(2), &Outcome::Late { newly: true }));
        let answers = jobs.run_all(vec![quick("good", 3), quick("new", 4)], LONG, LONG);
        assert_eq!(answers[0].1, Outcome::Done(3));
        assert!(matches!(&answers[1].1, Outcome::NoThread(why) if why.contains("64 others")), "{answers:?}");
        // Nobody asks for the old keys any more: they are forgotten all the same.
        drop(releases);
        while !jobs.out.is_empty() {
            jobs.forget_returned();
            std::thread::yield_now();
        }
        assert_eq!(jobs.run_all(vec![quick("new", 5)], LONG, LONG)[0].1, Outcome::Done(5));
    }

    #[test]
    fn a_panic_is_an_answer_too() {
        let mut jobs = Isolated::new("test");
        let bad: Boxed = Box::new(|| panic!("on purpose"));
        let answers = jobs.run_all(vec![("bad".to_owned(), bad), quick("a", 1)], LONG, LONG);
        assert_eq!(answers[0].1, Outcome::Panicked);
        assert_eq!(answers[1].1, Outcome::Done(1));
    }

    #[test]
    fn a_slow_answer_before_the_deadline_counts() {
        let mut jobs = Isolated::new("test");
        let (release, slow) = hanging("slow");
        let other: Boxed = Box::new(move || {
            drop(release);
            1
        });
        let answers = jobs.run_all(vec![slow, ("other".to_owned(), other)], SOON, LONG);
        assert_eq!(answers[0].1, Outcome::Done(99));
        assert_eq!(answers[1].1, Outcome::Done(1));
    }
}
