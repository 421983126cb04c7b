//! One job whose answer is good also when it is late: a list that a slow device holds up is taken in a later call, where
//! [`Isolated`](super::Isolated) would throw it away and ask again, and be too late again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Outcome, Worker, done};

/// A job that is out at most once.
pub struct Single<T> {
    name: &'static str,
    out: Option<Receiver<std::thread::Result<T>>>,
}

impl<T: Send + 'static> Single<T> {
    pub fn new(name: &'static str) -> Single<T> {
        Single { name, out: None }
    }

    /// The answer of the job that is still out, if it has come; else that of a new one, waited for until the deadline. What
    /// was too late once is not waited for again.
    pub fn ask(&mut self, job: impl FnOnce() -> T + Send + 'static, deadline: Duration) -> Outcome<T> {
        let (answer, wait, newly) = match self.out.take() {
            Some(answer) => (answer, Duration::ZERO, false),
            None => {
                let thread = match Worker::spawn(self.name) {
                    Ok(thread) => thread,
                    Err(error) => return Outcome::NoThread(error.to_string()),
                };
                let (back, answer) = mpsc::sync_channel(1);
                thread.run(move || {
                    // A send fails only when nobody waits any more: then the answer is of no use.
                    let _ = back.send(catch_unwind(AssertUnwindSafe(job)));
                });
                (answer, deadline, true)
            }
        };
        match answer.recv_timeout(wait) {
            Ok(result) => done(result),
            Err(RecvTimeoutError::Disconnected) => Outcome::Panicked,
            Err(RecvTimeoutError::Timeout) => {
                self.out = Some(answer);
                Outcome::Late { newly }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_late_answer_is_taken_by_a_later_call() {
        let mut single = Single::new("test");
        let (release, held) = mpsc::channel::<()>();
        let slow = move || {
            let _ = held.recv();
            1
        };
        assert_eq!(single.ask(slow, Duration::ZERO), Outcome::Late { newly: true });
        assert_eq!(single.ask(|| panic!("started twice"), LONG), Outcome::Late { newly: false });
        drop(release);
        // The answer comes while others are asked for: as soon as it is there, it is handed out.
        let late = loop {
            match single.ask(|| panic!("started twice"), LONG) {
                Outcome::Late { newly: false } => std::thread::yield_now(),
                other => break other,
            }
        };
        assert_eq!(late, Outcome::Done(1));
        assert_eq!(single.ask(|| 2, LONG), Outcome::Done(2));
    }

    #[test]
    fn a_panic_is_an_answer_too() {
        let mut single = Single::new("test");
        assert_eq!(single.ask(|| panic!("on purpose"), LONG), Outcome::<u32>::Panicked);
        assert_eq!(single.ask(|| 1, LONG), Outcome::Done(1));
    }
}
