use super::packet::answer;
use super::*;
use crate::collect::Collected;
use crate::collect::tests::{context, with_cx};
use crate::config::checks::Record;
use crate::config::{Checks, Config};
use crate::model::Platform;
use std::thread::JoinHandle;

/// An answer that does come is not waited for so long.
const LONG_MS: u32 = 10_000;
const SHORT_MS: u32 = 30;
const GOOD: u16 = 0x8180;

/// A name server on loopback.
struct Fake(UdpSocket);

impl Fake {
    fn new() -> Fake {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Fake(socket)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Answers the next question with these packets, made of it.
    fn answers(&self, packets: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> JoinHandle<()> {
        let socket = self.0.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            let (length, from) = socket.recv_from(&mut question).unwrap();
            for packet in packets(&question[..length]) {
                socket.send_to(&packet, from).unwrap();
            }
        })
    }
}

fn of(name: &str, server: &str, timeout: u32) -> Dns {
    Dns { name: name.to_owned(), server: server.to_owned(), record: Record::A, timeout }
}

fn cycle(dns: Vec<Dns>) -> Collected {
    let config = Config { checks: Checks { dns, ..Checks::default() }, ..Config::standalone() };
    let mut collector = (SPEC.open)(&context(config)).unwrap().unwrap();
    with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1
}

/// What one question says: whether up, in how many ms, and the problem.
fn asked(dns: Dns) -> (Option<f64>, Option<f64>, Option<String>) {
    let collected = cycle(vec![dns]);
    let value = |name: &str| collected.samples.iter().find(|sample| sample.metric == name).map(|s| s.value.get());
    assert!(collected.problems.len() <= 1, "{:?}", collected.problems);
    (value("dns.query.up"), value("dns.query.time"), collected.problems.into_iter().next().map(|(_, why)| why))
}

#[test]
fn a_record_is_up_and_its_time_is_told() {
    let server = Fake::new();
    let thread = server.answers(|question| vec![answer(question, GOOD, &[Record::Cname, Record::A])]);
    let collected = cycle(vec![of("www.example.com", &server.address(), LONG_MS)]);
    thread.join().unwrap();
    let tags = format!("name=www.example.com,server={},type=A", server.address());
    assert!(collected.samples.iter().all(|sample| sample.tags.as_str() == tags), "{:?}", collected.samples);
    let values: Vec<f64> = collected.samples.iter().map(|sample| sample.value.get()).collect();
    assert!(values.len() == 2 && values[0] == 1.0 && values[1] > 0.0, "{values:?} {:?}", collected.problems);
}

#[test]
fn what_is_no_answer_does_not_hide_the_one_that_is() {
    let server = Fake::new();
    let thread = server.answers(|question| {
        let mut foreign = answer(question, GOOD | 3, &[]);
        foreign[0] ^= 1;
        vec![Vec::new(), b"HTTP/1.1 400".to_vec(), foreign, question.to_vec(), answer(question, GOOD, &[Record::A])]
    });
    let (up, _, problem) = asked(of("a.example.", &server.address(), LONG_MS));
    thread.join().unwrap();
    assert_eq!((up, problem), (Some(1.0), None));
}

#[test]
fn an_answer_to_another_question_is_none() {
    let server = Fake::new();
    let thread = server.answers(|question| {
        let mut foreign = answer(question, GOOD, &[Record::A]);
        foreign[1] ^= 1;
        vec![foreign]
    });
    let (up, time, problem) = asked(of("a.example", &server.address(), SHORT_MS));
    thread.join().unwrap();
    assert_eq!((up, time), (Some(0.0), None));
    // It may have come too late for this machine to see it.
    let problem = problem.unwrap();
    assert!(["an answer to another question", SILENT].contains(&problem.as_str()), "{problem}");
}

#[test]
fn a_server_that_has_nothing_or_is_not_there_is_down_with_the_reason() {
    for (flags, reason) in
        [(GOOD | 3, "NXDOMAIN"), (GOOD | 2, "SERVFAIL"), (GOOD | 5, "REFUSED"), (GOOD, "no such record")]
    {
        let server = Fake::new();
        let thread = server.answers(move |question| vec![answer(question, flags, &[])]);
        let (up, time, problem) = asked(of("a.example", &server.address(), LONG_MS));
        thread.join().unwrap();
        assert_eq!((up, time), (Some(0.0), None));
        assert!(problem.as_ref().is_some_and(|problem| problem.contains(reason)), "{problem:?}");
    }
    let silent = Fake::new();
    let (up, time, problem) = asked(of("a.example", &silent.address(), SHORT_MS));
    assert_eq!((up, time, problem.as_deref()), (Some(0.0), None, Some(SILENT)));
    let gone = Fake::new().address();
    let (up, time, problem) = asked(of("a.example", &gone, SHORT_MS));
    assert!(up == Some(0.0) && time.is_none() && problem.is_some(), "{problem:?}");
}

#[test]
fn what_cannot_be_asked_says_nothing_but_why() {
    let (up, time, problem) = asked(of("中国.example", "127.0.0.1:53", SHORT_MS));
    assert_eq!((up, time), (None, None));
    assert!(problem.as_ref().is_some_and(|problem| problem.contains("ASCII")), "{problem:?}");
    let (up, _, problem) = asked(of("a.example", "no..name:53", SHORT_MS));
    assert_eq!(up, Some(0.0));
    assert!(problem.as_ref().is_some_and(|problem| problem.starts_with("of no..name")), "{problem:?}");
}

#[test]
fn the_system_is_asked_without_a_server() {
    let collected = cycle(vec![of("localhost", "", LONG_MS), of("no..name", "", LONG_MS)]);
    let ups: Vec<_> = collected
        .samples
        .iter()
        .filter(|sample| sample.metric == "dns.query.up")
        .map(|sample| (sample.tags.as_str(), sample.value.get()))
        .collect();
    let tags = |name: &str| format!("name={name},server=system,type=any");
    assert_eq!(ups, [(tags("localhost").as_str(), 1.0), (tags("no..name").as_str(), 0.0)]);
    assert_eq!((collected.samples.len(), collected.problems.len()), (3, 1));
}

#[test]
fn a_system_that_is_late_or_has_nothing_is_down_and_one_that_was_not_asked_is_absent() {
    let second = Duration::from_secs(1);
    let one = || vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    assert_eq!(of_system(Ok((one(), second)), second), Ok(second));
    assert_eq!(of_system(Ok((one(), 2 * second)), second), Err(Why::Failed(SILENT.to_owned())));
    assert!(matches!(of_system(Ok((Vec::new(), second)), second), Err(Why::Failed(_))));
    let not_made = Err(Why::NotMade("none".to_owned()));
    assert_eq!(of_system(not_made.clone().map(|()| (one(), second)), second), not_made.map(|()| second));
}

// The system's own timeouts were taken from the time of the servers.
#[test]
fn a_system_that_hangs_takes_no_time_from_the_servers() {
    let server = Fake::new();
    let (asked, wait_for_server) = std::sync::mpsc::channel::<()>();
    let thread = server.answers(move |question| {
        asked.send(()).unwrap();
        vec![answer(question, GOOD, &[Record::A])]
    });
    let waiting = std::sync::Mutex::new(wait_for_server);
    let hangs = move |_: &str| {
        // Back as soon as the server was asked, which is told as an error where it is not.
        let asked = waiting.lock().unwrap().recv_timeout(Duration::from_secs(60));
        asked.map(|()| Vec::new()).map_err(io::Error::other)
    };
    let dns = [of("a.example", &server.address(), LONG_MS), of("b.example", "", LONG_MS)].to_vec();
    let config = Config { checks: Checks { dns, ..Checks::default() }, ..Config::standalone() };
    let mut queries = queries(&context(config)).unwrap();
    queries.system = Resolver::asking("test", std::sync::Arc::default(), std::sync::Arc::new(hangs));
    let ((), collected) = with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| queries.collect(cx).unwrap());
    thread.join().unwrap();
    assert_eq!(collected.problems, [("b.example".to_owned(), "it has no address".to_owned())]);
    assert_eq!(collected.samples.len(), 3, "down, and up with its time");
}

#[test]
fn without_names_there_is_nothing_to_do() {
    assert!((SPEC.open)(&context(Config::standalone())).unwrap().is_none());
}
