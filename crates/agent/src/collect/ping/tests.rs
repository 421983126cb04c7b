use super::*;
use crate::collect::Collected;
use crate::collect::tests::{context, with_cx};
use crate::config::{Checks, Config};
use crate::model::Platform;
use std::collections::VecDeque;

const MS: Duration = Duration::from_millis(1);

/// A network that answers as it is told, and waits for nothing.
#[derive(Default)]
struct Fake {
    sent: u32,
    /// From this request on: what sending says.
    unsendable: Option<(u32, io::ErrorKind)>,
    /// What each wait brings; then nothing comes.
    brings: VecDeque<Result<Duration, &'static str>>,
}

impl Requests for Fake {
    fn send(&mut self, _: Duration) -> io::Result<()> {
        if let Some((from, error)) = self.unsendable
            && self.sent >= from
        {
            return Err(error.into());
        }
        self.sent += 1;
        Ok(())
    }

    fn receive(&mut self, _: Instant) -> io::Result<Option<Duration>> {
        self.brings.pop_front().transpose().map_err(io::Error::other)
    }
}

fn of(brings: &[Result<Duration, &'static str>]) -> Fake {
    Fake { brings: brings.iter().copied().collect(), ..Fake::default() }
}

#[test]
fn an_answer_that_is_late_is_none_and_a_refusal_is_told() {
    let mut network = of(&[Ok(5 * MS), Ok(11 * MS), Ok(10 * MS)]);
    let tally = ping(&mut network, 4, 10 * MS);
    let expected = Tally { requests: 4, times: vec![5 * MS, 10 * MS], ..Tally::default() };
    assert_eq!((network.sent, tally), (4, expected));
    let mut network = of(&[Err("host unreachable"), Ok(MS)]);
    let tally = ping(&mut network, 2, 10 * MS);
    let why = Some("host unreachable".to_owned());
    assert_eq!(tally, Tally { requests: 2, times: vec![MS], why, ..Tally::default() });
    let mut network = Fake { unsendable: Some((0, io::ErrorKind::NetworkDown)), ..Fake::default() };
    let tally = ping(&mut network, 2, MS);
    assert_eq!((tally.requests, tally.not_made), (2, None), "the network says so");
    assert!(tally.why.is_some());
}

// This host's lack of buffers was told as another host's loss.
#[test]
fn a_request_that_was_not_made_is_not_lost() {
    let no_memory = io::ErrorKind::OutOfMemory;
    let mut network = Fake { unsendable: Some((1, no_memory)), ..of(&[Ok(MS)]) };
    let tally = ping(&mut network, 4, 10 * MS);
    assert_eq!((tally.requests, tally.times.len(), tally.not_made.is_some()), (1, 1, true));
    let collected = told(tally);
    assert_eq!((said(&collected)[0], collected.problems.len()), (("ping.loss", 0.0), 1));
    let mut network = Fake { unsendable: Some((0, no_memory)), ..Fake::default() };
    let collected = told(ping(&mut network, 2, MS));
    assert_eq!((said(&collected), collected.problems.len()), (vec![], 1), "none was made");
}

// After that many errors the other requests went out in a burst, and no answer was read.
#[test]
fn many_errors_cost_no_answer() {
    let errors = std::iter::repeat_n(Err("host unreachable"), ERRORS as usize * 4 + 4);
    let brings: Vec<_> = errors.chain([Ok(MS), Ok(2 * MS), Ok(3 * MS), Ok(MS)]).collect();
    let tally = ping(&mut of(&brings), 4, Duration::from_secs(600));
    assert_eq!((tally.requests, tally.times.len()), (4, 4));
}

#[test]
fn a_network_that_only_refuses_has_an_end() {
    struct Refusing(u32);
    impl Requests for Refusing {
        fn send(&mut self, _: Duration) -> io::Result<()> {
            Ok(())
        }
        fn receive(&mut self, _: Instant) -> io::Result<Option<Duration>> {
            self.0 += 1;
            Err(io::ErrorKind::HostUnreachable.into())
        }
    }
    let mut network = Refusing(0);
    let tally = ping(&mut network, 3, Duration::from_secs(600));
    assert!(tally.times.is_empty() && tally.why.is_some());
    // Three gaps, at the pace.
    assert!(network.0 <= 3 * ERRORS + 3 + 3 * 101, "{}", network.0);
}

fn told(tally: Tally) -> Collected {
    let tags = Tags::of(&[("host", "h")]);
    with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| tally.report(cx, "h", &tags)).1
}

fn said(collected: &Collected) -> Vec<(&str, f64)> {
    assert!(collected.samples.iter().all(|sample| sample.tags.as_str().starts_with("host=")));
    collected.samples.iter().map(|sample| (&*sample.metric, sample.value.get())).collect()
}

#[test]
fn loss_is_a_share_and_times_are_of_what_was_answered() {
    let collected = told(Tally { requests: 4, times: vec![3 * MS, MS, 5 * MS], ..Tally::default() });
    let values = [("ping.loss", 25.0), ("ping.rtt", 3.0), ("ping.rtt.min", 1.0), ("ping.rtt.max", 5.0)];
    assert_eq!((said(&collected), collected.problems.len()), (values.to_vec(), 0));
    let silent = told(Tally { requests: 1, ..Tally::default() });
    assert_eq!(said(&silent), [("ping.loss", 100.0)]);
    assert_eq!(silent.problems, [("h".to_owned(), "no answer to any request".to_owned())]);
    let refused = told(Tally { requests: 2, times: vec![MS], why: Some("refused".to_owned()), ..Tally::default() });
    assert_eq!((refused.samples[0].value.get(), refused.problems.len()), (50.0, 1));
}

fn cycle(ping: Vec<Ping>) -> Collected {
    let config = Config { checks: Checks { ping, ..Checks::default() }, ..Config::standalone() };
    let mut collector = (SPEC.open)(&context(config)).unwrap().unwrap();
    with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1
}

#[test]
fn this_host_answers() {
    let collected = cycle(vec![Ping { host: "127.0.0.1".to_owned(), count: 2, timeout: 10_000 }]);
    let said = said(&collected);
    assert_eq!((said.len(), said[0]), (4, ("ping.loss", 0.0)), "{:?}", collected.problems);
    let [rtt, min, max] = [said[1].1, said[2].1, said[3].1];
    assert!(0.0 < min && min <= rtt && rtt <= max && max <= 10_000.0, "{said:?}");
}

#[test]
fn a_name_that_is_none_is_lost_and_told() {
    let collected = cycle(vec![Ping { host: "no..name".to_owned(), count: 4, timeout: 10 }]);
    assert_eq!(said(&collected), [("ping.loss", 100.0)]);
    assert!(collected.problems[0].1.starts_with("its name is not resolved"), "{:?}", collected.problems);
}

#[test]
fn without_hosts_there_is_nothing_to_do() {
    assert!((SPEC.open)(&context(Config::standalone())).unwrap().is_none());
}
