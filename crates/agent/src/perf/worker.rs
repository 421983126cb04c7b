//! The process that is asked for performance counters: `falcon-agent perf-worker`, a child of the agent.
//!
//! It does one thing after the other, so nothing is closed while a query is under way. It is ended by the end of its input;
//! where nothing of the system holds it, also by the end of the agent, whatever a provider is doing then. Who asks whom is not
//! its business: what it cannot answer within the agent's patience costs this process alone.

use std::io::{self, IsTerminal as _, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::client::{ObjectQuery, Tables, Unanswered};
use super::protocol::{Answer, Begin, Hello, Query, Reply, Request, frame, parse, receive, send};
use super::reader::{Reader, System};
use super::rows::Missing;

/// What is open is closed after this time: providers that leak are unloaded, and what an installer changed is seen.
const OPEN_FOR: Duration = Duration::from_secs(600);

/// What reads the counters.
pub trait Answers {
    /// # Errors
    /// Where nothing was answered.
    fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, Unanswered>;

    /// # Errors
    /// Where no table of names can be read.
    fn names(&mut self, prefix: &str) -> Result<Vec<String>, Unanswered>;

    /// Services whose counters are switched off, as far as the system tells.
    fn disabled(&mut self) -> Vec<String>;

    /// Lets go of what is open: it is opened again by the next query.
    fn close(&mut self);
}

impl<S: System> Answers for Reader<S> {
    fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, Unanswered> {
        Reader::ask(self, objects)
    }

    fn names(&mut self, prefix: &str) -> Result<Vec<String>, Unanswered> {
        Reader::names(self, prefix)
    }

    fn disabled(&mut self) -> Vec<String> {
        Reader::disabled(self).unwrap_or_default()
    }

    fn close(&mut self) {
        Reader::close(self);
    }
}

/// The whole process. What answers is made when it is known that an agent asks.
pub fn run<A: Answers>(make: impl FnOnce() -> A) -> ExitCode {
    let explained = |why: &str| {
        eprintln!("falcon-agent: perf-worker reads performance counters for the agent, which starts it itself{why}");
        ExitCode::FAILURE
    };
    if io::stdin().is_terminal() || io::stdout().is_terminal() {
        return explained("");
    }
    falcon_sys::no_error_dialogs();
    let (mut input, mut output) = match falcon_sys::private_stdio() {
        Ok(files) => files,
        Err(error) => return explained(&format!(": {error}")),
    };
    let begin = match greet(&mut input, &mut output) {
        Ok(begin) => begin,
        Err(error) => return explained(&format!(": {error}")),
    };
    let clock = Instant::now();
    let served = serve(&mut input, &mut output, &mut make(), begin.memory_bytes, &mut || Now {
        at: clock.elapsed(),
        rss_bytes: falcon_sys::self_usage().ok().map(|usage| usage.rss_bytes),
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Tells the other side who is here, once it has told who it is.
fn greet(input: &mut impl Read, output: &mut impl Write) -> io::Result<Begin> {
    let begin = receive(input)?.ok_or_else(|| io::Error::other("nobody asks"))?;
    let begin: Begin = parse(&begin)?;
    begin.hello.check()?;
    if begin.is_loose {
        falcon_sys::end_with_parent()?;
    }
    send(output, &frame(&Hello::own())?)?;
    Ok(begin)
}

/// One look at the clock and at this process.
#[derive(Clone, Copy, Debug)]
struct Now {
    /// Since any moment.
    at: Duration,
    rss_bytes: Option<u64>,
}

/// Answers until nobody asks any more.
fn serve(
    input: &mut impl Read,
    output: &mut impl Write,
    answers: &mut impl Answers,
    memory_bytes: u64,
    look: &mut dyn FnMut() -> Now,
) -> io::Result<()> {
    let mut opened = Opened::new(look().at, memory_bytes);
    let mut listed: Option<Duration> = None;
    while let Some(body) = receive(input)? {
        let Request { id, query } = parse(&body)?;
        let reply = match query {
            Query::Ask(objects) => answers.ask(&objects).map(Reply::Tables),
            Query::Names(prefix) => answers.names(&prefix).map(Reply::Names),
        };
        let now = look();
        let is_wanting = matches!(&reply, Ok(Reply::Tables(tables)) if tables.contains(&Err(Missing::Unserved)));
        let is_due = listed.is_none_or(|at| now.at.saturating_sub(at) >= OPEN_FOR);
        let disabled = if is_wanting && is_due { answers.disabled() } else { Vec::new() };
        listed = if is_wanting && is_due { Some(now.at) } else { listed };
        let closes = opened.is_due(now);
        let answer = Answer { id, rss_bytes: now.rss_bytes, disabled, closes, reply };
        let framed = frame(&answer).or_else(|error| {
            // The cause is the same each time, its length is not.
            let why = match error.kind() {
                io::ErrorKind::InvalidInput => "the answer is longer than the agent takes".to_owned(),
                _ => error.to_string(),
            };
            frame(&Answer { reply: Err(Unanswered::Failed(why)), ..answer })
        })?;
        send(output, &framed)?;
        if closes {
            answers.close();
            opened = Opened::new(look().at, memory_bytes);
        }
    }
    // Libraries go while this process can still be ended from outside.
    answers.close();
    Ok(())
}

/// Since when providers are open, and what this process needed after the first query since.
#[derive(Debug)]
struct Opened {
    at: Duration,
    rss_bytes: Option<u64>,
    /// By which it may grow meanwhile.
    growth_bytes: u64,
}

impl Opened {
    fn new(at: Duration, memory_bytes: u64) -> Opened {
        Opened { at, rss_bytes: None, growth_bytes: memory_bytes / 2 }
    }

    /// Whether it is time to close them, after the answer to a query.
    fn is_due(&mut self, now: Now) -> bool {
        let rss_bytes = now.rss_bytes.unwrap_or(0);
        let first = *self.rss_bytes.get_or_insert(rss_bytes);
        rss_bytes > first.saturating_add(self.growth_bytes) || now.at.saturating_sub(self.at) >= OPEN_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Says what it was asked.
    #[derive(Default)]
    struct Recorded {
        said: Vec<String>,
        long: bool,
    }

    impl Answers for Recorded {
        fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, Unanswered> {
            self.said.push(objects.iter().map(|query| query.object.as_str()).collect::<Vec<_>>().join("+"));
            Ok(vec![Err(Missing::Unserved); objects.len()])
        }

        fn names(&mut self, prefix: &str) -> Result<Vec<String>, Unanswered> {
            self.said.push(format!("{prefix}*"));
            match self.long {
                true => Ok(vec!["x".repeat(crate::perf::protocol::MOST_BYTES)]),
                false => Err(Unanswered::NoNames("no table".to_owned())),
            }
        }

        fn disabled(&mut self) -> Vec<String> {
            self.said.push("disabled?".to_owned());
            vec!["W3SVC".to_owned()]
        }

        fn close(&mut self) {
            self.said.push("close".to_owned());
        }
    }

    fn asks(id: u64) -> Vec<u8> {
        frame(&Request { id, query: Query::Ask(vec![ObjectQuery::new("A", vec![]), ObjectQuery::new("B", vec![])]) })
            .unwrap()
    }

    fn names(id: u64) -> Vec<u8> {
        frame(&Request { id, query: Query::Names("W".to_owned()) }).unwrap()
    }

    /// What is said to somebody who asks so much, with looks at the clock (seconds, MB).
    fn served(input: &[u8], answers: &mut Recorded, looks: &[(u64, u64)]) -> (io::Result<()>, Vec<Answer>) {
        let (mut output, mut looks) = (Vec::new(), looks.iter());
        let mut look = || {
            let (s, mb) = looks.next().copied().unwrap_or((0, 0));
            Now { at: Duration::from_secs(s), rss_bytes: Some(mb * 1_000_000) }
        };
        let result = serve(&mut &*input, &mut output, answers, 64_000_000, &mut look);
        let (mut said, mut rest) = (Vec::new(), output.as_slice());
        while let Some(body) = receive(&mut rest).unwrap() {
            said.push(parse(&body).unwrap());
        }
        (result, said)
    }

    #[test]
    fn every_request_is_answered_in_turn_until_nobody_asks_any_more() {
        let mut answers = Recorded::default();
        let (result, said) = served(&[asks(4), names(9)].concat(), &mut answers, &[(0, 5), (1, 5), (2, 6)]);
        result.unwrap();
        assert_eq!(answers.said, ["A+B", "disabled?", "W*", "close"]);
        let nameless = Err(Unanswered::NoNames("no table".to_owned()));
        let tables = Ok(Reply::Tables(vec![Err(Missing::Unserved), Err(Missing::Unserved)]));
        assert_eq!(
            said[0],
            Answer {
                id: 4,
                rss_bytes: Some(5_000_000),
                disabled: vec!["W3SVC".to_owned()],
                closes: false,
                reply: tables
            }
        );
        assert_eq!(
            said[1],
            Answer { id: 9, rss_bytes: Some(6_000_000), disabled: vec![], closes: false, reply: nameless }
        );
    }

    /// On a host whose SQL Server has no counters every key of every service was read in each cycle.
    #[test]
    fn what_is_switched_off_is_looked_for_every_ten_minutes_where_something_is_missing() {
        let mut answers = Recorded::default();
        let all = [asks(1), asks(2), asks(3)].concat();
        let (_, said) = served(&all, &mut answers, &[(0, 5), (1, 5), (600, 5), (600, 5), (601, 5)]);
        let of: Vec<usize> = said.iter().map(|answer| answer.disabled.len()).collect();
        assert_eq!(of, [1, 0, 1]);
    }

    #[test]
    fn an_answer_that_is_too_long_is_an_error_and_the_next_one_comes() {
        let mut answers = Recorded { long: true, ..Recorded::default() };
        let (result, said) = served(&[names(1), asks(2)].concat(), &mut answers, &[]);
        result.unwrap();
        let long = Unanswered::Failed("the answer is longer than the agent takes".to_owned());
        assert_eq!(said[0].reply, Err(long));
        assert!(said[1].reply.is_ok() && said[1].id == 2);
    }

    #[test]
    fn what_is_no_request_ends_it() {
        for input in [&b"dir\r\n"[..], &asks(1)[..9], &frame(&"x").unwrap()] {
            let mut answers = Recorded::default();
            let (result, said) = served(input, &mut answers, &[]);
            assert!(result.is_err() && said.is_empty() && answers.said.is_empty());
        }
    }

    #[test]
    fn what_is_open_is_closed_after_ten_minutes_and_where_it_grew_by_half_of_what_it_may_have() {
        let mut answers = Recorded::default();
        let all = [names(1), names(2), names(3), names(4), names(5), names(6)].concat();
        // At the start, after each query, and after each closing.
        let looks = [
            (0, 5),
            (599, 30),
            (600, 30),
            (601, 20),
            (900, 31),
            (901, 63),
            (902, 64),
            (903, 30),
            (904, 90),
            (905, 122),
        ];
        let (result, said) = served(&all, &mut answers, &looks);
        result.unwrap();
        assert_eq!(
            said.iter().map(|answer| answer.closes).collect::<Vec<_>>(),
            [false, true, false, false, true, false]
        );
        assert_eq!(answers.said, ["W*", "W*", "close", "W*", "W*", "W*", "close", "W*", "close"]);
    }

    #[test]
    fn nobody_is_greeted_who_does_not_say_who_he_is() {
        let begin = Begin { hello: Hello::own(), is_loose: false, memory_bytes: 1 };
        let mut output = Vec::new();
        assert_eq!(greet(&mut frame(&begin).unwrap().as_slice(), &mut output).unwrap(), begin);
        assert_eq!(parse::<Hello>(&receive(&mut output.as_slice()).unwrap().unwrap()).unwrap(), Hello::own());
        for input in [&b""[..], b"GET / HTTP/1.1\r\n", &asks(1), &frame(&Hello::own()).unwrap()] {
            let mut output = Vec::new();
            assert!(greet(&mut &*input, &mut output).is_err() && output.is_empty());
        }
    }
}
