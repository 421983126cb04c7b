//! `ping.*`: whether the hosts of `checks.ping` answer echo requests, and how soon. Says nothing without them.
//!
//! The requests of a cycle go out [`GAP`] apart, whether or not the one before was answered: so a burst of loss does not take
//! them all. Of a name's addresses, in the order of the system (RFC 6724), the first to which this host has a way is asked. An
//! answer that comes after the timeout of its request is no answer; a request that this host could not make is none, and neither
//! lost. How requests are sent: [`falcon_sys::Echo`].

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::Echo;

use super::probe::{Probes, Resolver, Why, Whys, each, end, ms};
use super::{Collector, Context, Cx, Lane, Spec, percent};
use crate::config::checks::Ping;
use crate::model::{Metric, Sets, Tags};

/// Between two requests to a host.
const GAP: Duration = Duration::from_millis(100);
/// What is read at once of what routers say of one request; of more, one each [`PACE`].
const ERRORS: u32 = 4;
const PACE: Duration = Duration::from_millis(1);

const SOURCE: &str = "ICMP echo: ping or raw socket; IcmpSendEcho, Icmp6SendEcho2";

const LOSS: Metric = Metric::gauge("ping.loss", "%", Sets::EXTENDED, SOURCE).tags(&["host"]).help(
    "of `checks.ping`: requests of this cycle that no answer came to in time; 100 also where the name is not resolved",
);
const RTT: Metric = Metric::gauge("ping.rtt", "ms", Sets::EXTENDED, SOURCE)
    .tags(&["host"])
    .help("there and back, mean of what was answered; absent where nothing was");
const MIN: Metric = Metric::gauge("ping.rtt.min", "ms", Sets::EXTENDED, SOURCE).tags(&["host"]).help("the shortest");
const MAX: Metric = Metric::gauge("ping.rtt.max", "ms", Sets::EXTENDED, SOURCE).tags(&["host"]).help("the longest");

pub(super) const SPEC: Spec = Spec {
    name: "ping",
    check: "",
    lane: Lane::Probe,
    rates: false,
    metrics: &[LOSS, RTT, MIN, MAX],
    options: &[],
    open: |cx: &Context| {
        let checks = cx.config.checks.ping.iter();
        let probes = Probes::new(checks.map(|check| (check.clone(), Tags::of(&[("host", &check.host)]))));
        let names = Resolver::new("ping", cx.stats.clone());
        Ok((!probes.list.is_empty()).then(|| -> Box<dyn Collector> { Box::new(Pings { probes, names }) }))
    },
};

struct Pings {
    probes: Probes<Ping>,
    names: Resolver,
}

/// What came of the requests to one host.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Those that were made.
    requests: u32,
    /// Why others were not, the last.
    not_made: Option<String>,
    /// Of answers that came in time.
    times: Vec<Duration>,
    /// What was said instead of an answer, the last.
    why: Option<String>,
}

impl Collector for Pings {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let end = end();
        self.probes.remark(cx);
        let list = &self.probes.list;
        let found = self.names.find(list.iter().map(|(check, _)| check.host.as_str()));
        let jobs: Vec<_> = list.iter().map(|(check, _)| check).zip(found).collect();
        let longest = |(check, _): &(&Ping, _)| GAP * check.count + millis(check.timeout);
        let answers = each(end, &jobs, longest, |(check, found)| {
            let echo = open(found.as_ref().map_err(Clone::clone)?)?;
            Ok(echo.map(|mut echo| ping(&mut echo, check.count, millis(check.timeout))))
        });
        let mut no_right = None;
        for ((check, tags), answer) in list.iter().zip(answers) {
            match answer {
                Ok(Ok(tally)) => tally.report(cx, &check.host, tags),
                Ok(Err(why)) => no_right = Some(why),
                Err(why) => {
                    if matches!(why, Why::Failed(_)) {
                        cx.emit(&LOSS, tags, 100.0);
                    }
                    cx.problem(check.host.as_str(), why.text());
                }
            }
        }
        if let Some(why) = no_right {
            cx.problem("all hosts", why);
        }
        Ok(())
    }
}

fn millis(timeout: u32) -> Duration {
    Duration::from_millis(timeout.into())
}

/// What this process has no right to send; why.
type NoRight = String;

/// To the first address to which there is a way.
fn open(addresses: &[SocketAddr]) -> Result<Result<Echo, NoRight>, Why> {
    let mut whys = Whys::default();
    for address in addresses {
        match Echo::open(*address) {
            Ok(echo) => return Ok(Ok(echo)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Err(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NetworkUnreachable => {
                whys.add(Why::Failed(format!("no way to it: {error}")));
            }
            Err(error) => whys.add(Why::of(&error)),
        }
    }
    Err(whys.all("its name has no address"))
}

/// What sends requests to one host; [`Echo`], or a test's.
trait Requests {
    fn send(&mut self, wait: Duration) -> io::Result<()>;
    fn receive(&mut self, until: Instant) -> io::Result<Option<Duration>>;
}

impl Requests for Echo {
    fn send(&mut self, wait: Duration) -> io::Result<()> {
        Echo::send(self, wait)
    }

    fn receive(&mut self, until: Instant) -> io::Result<Option<Duration>> {
        Echo::receive(self, until)
    }
}

fn ping(requests: &mut dyn Requests, count: u32, wait: Duration) -> Tally {
    let started = Instant::now();
    let mut tally = Tally::default();
    let (mut waiting, mut errors) = (0_u32, 0_u32);
    for n in 1..=count {
        match requests.send(wait).map_err(|error| Why::of(&error)) {
            Ok(()) => {
                tally.requests += 1;
                waiting += 1;
            }
            Err(Why::Failed(why)) => {
                tally.requests += 1;
                tally.why = Some(why);
            }
            Err(Why::NotMade(why)) => tally.not_made = Some(why),
        }
        let is_last = n == count;
        let mut until = if is_last { Instant::now() + wait } else { started + GAP * n };
        let mut is_ending = false;
        while waiting > 0 || !is_last {
            // Each has had its answer or an error. What was said of another's request (a raw socket gets that too) costs none its
            // answer, for which there is a bit of time.
            if is_last && errors >= waiting && !is_ending {
                is_ending = true;
                until = until.min(Instant::now() + GAP);
            }
            match requests.receive(until) {
                Ok(None) => break,
                Ok(Some(time)) => {
                    waiting = waiting.saturating_sub(1);
                    if time <= wait {
                        tally.times.push(time);
                    }
                }
                Err(error) => {
                    errors += 1;
                    tally.why = Some(error.to_string());
                    if Instant::now() >= until {
                        break;
                    }
                    if errors > ERRORS * count {
                        thread::sleep(PACE);
                    }
                }
            }
        }
    }
    tally
}

impl Tally {
    fn report(self, cx: &mut Cx<'_>, host: &str, tags: &Tags) {
        if let Some(why) = self.not_made {
            cx.problem(host, format_args!("a request was not made: {why}"));
        }
        if self.requests == 0 {
            return;
        }
        let answered = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let lost = self.requests.saturating_sub(answered);
        cx.emit(&LOSS, tags, percent(lost.into(), self.requests.into()));
        if let (Some(min), Some(max)) = (self.times.iter().min(), self.times.iter().max()) {
            cx.emit(&RTT, tags, ms(self.times.iter().sum()) / f64::from(answered));
            cx.emit(&MIN, tags, ms(*min));
            cx.emit(&MAX, tags, ms(*max));
        }
        match self.why {
            Some(why) if lost > 0 => cx.problem(host, why),
            None if answered == 0 => cx.problem(host, "no answer to any request"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
