//! Names of servers, asked anew for every dial, each on a thread that may be lost.
//!
//! A resolver may hang for half a minute and more, and the runtime has few threads for such work: whoever asked for another
//! name there waited too. So each question has a thread of its own (see [`crate::isolate`]), at most one per name: it is
//! not asked again while it is out. Where it is late or has failed, the addresses of the last good answer are used; a late
//! answer is taken by the next dial.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::isolate::Worker;

/// How long an answer is waited for where nothing is known: resolvers give the first of several servers five seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// And where the addresses of an earlier answer can be used.
const PATIENCE_KNOWN: Duration = Duration::from_secs(2);

/// `host:port` to its addresses; may block for ever.
pub type Resolve = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

type Answer = Result<Vec<SocketAddr>, String>;

pub struct Names {
    resolve: Resolve,
    names: Mutex<BTreeMap<String, Name>>,
}

#[derive(Default)]
struct Name {
    /// Of the last good answer.
    known: Vec<SocketAddr>,
    /// The last question; its answer may be there.
    asked: Option<watch::Receiver<Option<Answer>>>,
}

impl Name {
    fn is_out(&self) -> bool {
        self.asked.as_ref().is_some_and(|answer| answer.borrow().is_none() && answer.has_changed().is_ok())
    }

    fn take_answer(&mut self) {
        let answer = self.asked.take().and_then(|answer| answer.borrow().clone());
        if let Some(Ok(addresses)) = answer {
            self.known = addresses;
        }
    }
}

impl Names {
    pub fn of_system() -> Names {
        Names::asking(Arc::new(|name: &str| name.to_socket_addrs().map(Iterator::collect)))
    }

    pub fn asking(resolve: Resolve) -> Names {
        Names { resolve, names: Mutex::default() }
    }

    /// The addresses of `host:port`, in the resolver's order; never none of them.
    ///
    /// # Errors
    /// Nothing is known of the name, and the resolver failed or did not answer in time.
    pub async fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let (answer, known, patience) = self.ask(name)?;
        match answered(answer, patience).await {
            Err(_) if !known.is_empty() => Ok(known),
            answer => answer.map_err(io::Error::other),
        }
    }

    /// The same as of now, for whoever checks the name too: no earlier answer stands in for a failure, and nothing is kept but
    /// that a question is out.
    ///
    /// # Errors
    /// The resolver failed or did not answer in time.
    pub async fn lookup_afresh(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let (answer, _, _) = self.ask(name)?;
        let answer = answered(answer, PATIENCE).await;
        self.names.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, name| name.is_out());
        answer.map_err(io::Error::other)
    }

    /// The answer to come, what is known meanwhile, and how long to wait.
    fn ask(&self, name: &str) -> io::Result<(watch::Receiver<Option<Answer>>, Vec<SocketAddr>, Duration)> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = names.entry(name.to_owned()).or_default();
        if entry.is_out()
            && let Some(asked) = &entry.asked
        {
            // It was waited for once.
            let patience = if entry.known.is_empty() { PATIENCE } else { Duration::ZERO };
            return Ok((asked.clone(), entry.known.clone(), patience));
        }
        entry.take_answer();
        let (back, asked) = watch::channel(None);
        let (resolve, question) = (self.resolve.clone(), name.to_owned());
        match Worker::spawn("resolve") {
            Ok(thread) => thread.run(move || {
                let answer = match resolve(&question) {
                    Ok(addresses) if addresses.is_empty() => Err("the name has no address".to_owned()),
                    answer => answer.map_err(|error| error.to_string()),
                };
                back.send_replace(Some(answer));
            }),
            Err(error) if entry.known.is_empty() => return Err(error),
            Err(_) => drop(back),
        }
        entry.asked = Some(asked.clone());
        let patience = if entry.known.is_empty() { PATIENCE } else { PATIENCE_KNOWN };
        Ok((asked, entry.known.clone(), patience))
    }
}

async fn answered(mut answer: watch::Receiver<Option<Answer>>, patience: Duration) -> Answer {
    match timeout(patience, answer.wait_for(Option::is_some)).await {
        Ok(Ok(answer)) => answer.clone().unwrap_or_else(|| Err("no answer".to_owned())),
        Ok(Err(_)) => Err("the resolver failed by a defect".to_owned()),
        Err(_) => Err(format!("the name was not resolved within {} s", patience.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::mpsc;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 8433))
    }

    /// Answers with what is sent, a question at a time, and counts the questions.
    fn scripted() -> (mpsc::Sender<io::Result<Vec<SocketAddr>>>, Arc<AtomicUsize>, Names) {
        let (script, answers) = mpsc::channel();
        let (answers, asked) = (Mutex::new(answers), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        let resolve = move |_: &str| {
            count.fetch_add(1, Relaxed);
            answers.lock().expect("unpoisoned").recv().unwrap_or_else(|_| Err(io::Error::other("the end")))
        };
        (script, asked, Names::asking(Arc::new(resolve)))
    }

    #[tokio::test]
    async fn a_name_is_asked_anew_each_time_and_a_failure_leaves_what_is_known() {
        let (script, asked, names) = scripted();
        script.send(Ok(vec![address(1), address(2)])).expect("sent");
        script.send(Ok(vec![address(3)])).expect("sent");
        script.send(Err(io::Error::other("SERVFAIL"))).expect("sent");
        script.send(Ok(vec![])).expect("sent");
        assert_eq!(names.lookup("a:1").await.expect("known"), [address(1), address(2)]);
        for _ in 0..3 {
            assert_eq!(names.lookup("a:1").await.expect("known"), [address(3)]);
        }
        assert_eq!(asked.load(Relaxed), 4);
        let written = names.lookup("10.0.0.9:8433").await.expect("an address");
        assert_eq!((written, asked.load(Relaxed)), (vec![address(9)], 4));
    }

    #[tokio::test]
    async fn a_name_of_which_nothing_is_known_tells_why() {
        let (script, _, names) = scripted();
        script.send(Err(io::Error::other("NXDOMAIN"))).expect("sent");
        script.send(Ok(vec![])).expect("sent");
        assert_eq!(names.lookup("a:1").await.expect_err("no such name").to_string(), "NXDOMAIN");
        assert_eq!(names.lookup("a:1").await.expect_err("empty").to_string(), "the name has no address");
        let defect = Names::asking(Arc::new(|_: &str| panic!("on purpose")));
        for _ in 0..2 {
            let error = defect.lookup("a:1").await.expect_err("a defect");
            assert_eq!(error.to_string(), "the resolver failed by a defect");
        }
    }

    #[tokio::test]
    async fn who_checks_the_name_too_gets_no_earlier_answer_and_leaves_nothing_behind() {
        let (script, asked, names) = scripted();
        script.send(Ok(vec![address(1)])).expect("sent");
        script.send(Err(io::Error::other("NXDOMAIN"))).expect("sent");
        assert_eq!(names.lookup_afresh("a:1").await.expect("known"), [address(1)]);
        assert_eq!(names.lookup_afresh("a:1").await.expect_err("gone").to_string(), "NXDOMAIN");
        assert_eq!(names.lookup_afresh("10.0.0.9:8433").await.expect("an address"), [address(9)]);
        assert_eq!((asked.load(Relaxed), names.names.lock().expect("unpoisoned").len()), (2, 0));
    }

    /// A resolver that hung took one of four threads at every try, and then nobody could resolve anything.
    #[tokio::test(start_paused = true)]
    async fn a_name_that_hangs_is_asked_once_and_its_late_answer_is_taken() {
        let (script, asked, names) = scripted();
        let start = tokio::time::Instant::now();
        for round in 1..=3 {
            let error = names.lookup("a:1").await.expect_err("hangs");
            assert_eq!(error.to_string(), "the name was not resolved within 8 s");
            assert_eq!(start.elapsed(), PATIENCE * round);
        }
        tokio::time::resume();
        let (answer, ()) = tokio::join!(names.lookup("a:1"), async {
            script.send(Ok(vec![address(1)])).expect("sent");
        });
        assert_eq!(answer.expect("late"), [address(1)]);
        assert_eq!(asked.load(Relaxed), 1);
        // Known now: a hang is waited for once, and briefly.
        script.send(Ok(vec![address(1)])).expect("sent");
        assert_eq!(names.lookup("a:1").await.expect("known"), [address(1)]);
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        for _ in 0..3 {
            assert_eq!(names.lookup("a:1").await.expect("known"), [address(1)]);
            assert!(start.elapsed() < PATIENCE_KNOWN * 2, "{:?}", start.elapsed());
        }
        assert!(asked.load(Relaxed) <= 3, "a question was asked while it was out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_hangs_holds_no_other_up() {
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let names = Names::asking(Arc::new(move |name: &str| {
            if name == "dead:1" {
                let _ = held.lock().expect("unpoisoned").recv();
            }
            Ok(vec![address(1)])
        }));
        assert!(names.lookup("dead:1").await.is_err());
        tokio::time::resume();
        assert_eq!(names.lookup("good:1").await.expect("resolved"), [address(1)]);
        drop(release);
        assert_eq!(names.lookup("dead:1").await.expect("resolved"), [address(1)]);
    }
}
