//! `sys.ntp.*`: how far this host's clock is from that of time servers.
//!
//! An SNTP client of its own ([`packet`], [`ask`]) asks the servers of `collector.ntp`; where the configuration says nothing,
//! on Windows those that the Windows Time service is set to ([`servers`]), on Linux none. It measures and never sets a clock. At
//! most [`SERVERS`] are asked, each once in its [`Pace`], whatever the step: in between the last reading is said again. One that
//! asks to be left alone is. Each is asked on a thread that may be lost: resolving its name may hang.
//!
//! This collector asks for the time itself, which no other does: the wall clock is what it measures.

mod ask;
mod packet;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::clock::{SystemClock, WallClock};
use crate::isolate::{Isolated, Outcome};
use crate::model::{Metric, Platform, Sets, Tags};
use crate::stats::Stats;
use ask::{Refusal, ask};
use packet::Reading;
pub use packet::fuzz_answer;
use servers::Servers;

/// Servers that are asked; more tell no better time.
const SERVERS: usize = 4;
/// How often a server is asked.
#[derive(Clone, Copy)]
struct Pace {
    period: Duration,
    /// So long a reading is said again, also when a server does not answer once.
    fresh: Duration,
}

/// For servers that an administrator named: a minute, less what a cycle may come early.
const CONFIGURED: Pace = Pace { period: Duration::from_secs(59), fresh: Duration::from_secs(180) };
/// For those that Windows came with, which belong to others and serve the whole world.
const FOUND: Pace = Pace { period: Duration::from_secs(600), fresh: Duration::from_secs(1860) };
/// After a kiss-o'-death.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// For all addresses of a server together: the last server is asked after [`PATIENCE`] and a bit, and has to be through
/// before [`DEADLINE`].
const WAIT: Duration = Duration::from_secs(2);
/// A server slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a server counts as hung: its name is not resolved.
const DEADLINE: Duration = Duration::from_secs(5);

const SNTP: &str = "SNTP (RFC 4330)";

const OFFSET: Metric = Metric::gauge("sys.ntp.offset", "ms", Sets::FALCON.and(Sets::EXTENDED), SNTP)
    .help("clock of the time server less this host's: positive when this host is behind, as ntpq shows it");
const DELAY: Metric = Metric::gauge("sys.ntp.delay", "ms", Sets::EXTENDED, SNTP)
    .option("ntpDelay")
    .help("to that server and back: the offset is right to half of it");
const SOURCES: Metric = Metric::gauge("sys.ntp.sources", "servers", Sets::EXTENDED, SNTP)
    .help("time servers that answer and know the time; 0: the offset is unknown");

pub(super) const SPEC: Spec = Spec {
    name: "ntp",
    check: "",
    lane: Lane::Ntp,
    rates: false,
    metrics: &[OFFSET, DELAY, SOURCES],
    options: &[],
    open: |cx: &Context| {
        let (clock, stats) = (Arc::new(SystemClock), cx.stats.clone());
        Ok(match &cx.config.collector.ntp {
            Some(servers) if servers.is_empty() => None,
            Some(servers) => Some(Box::new(Ntp::new(servers.clone(), clock, stats))),
            None if Platform::CURRENT == Platform::Windows => {
                Some(Box::new(Ntp::finding(Servers::of_system(), clock, stats)))
            }
            None => None,
        })
    },
};

type Answer = Result<Reading, Refusal>;

struct Ntp {
    /// Where the servers come from, if not from the configuration.
    found: Option<Servers>,
    pace: Pace,
    servers: Vec<Server>,
    /// Not asked, as there are enough others.
    left_out: usize,
    asks: Isolated<Answer>,
    clock: Arc<dyn WallClock>,
    stats: Arc<Stats>,
    wait: Duration,
}

struct Server {
    /// `host:port`
    address: String,
    /// Not asked before.
    again: Option<Instant>,
    reading: Option<(Reading, Instant)>,
    problem: Option<String>,
}

impl Ntp {
    fn new(servers: Vec<String>, clock: Arc<dyn WallClock>, stats: Arc<Stats>) -> Ntp {
        let asks = Isolated::new("ntp");
        let mut ntp =
            Ntp { found: None, pace: CONFIGURED, servers: Vec::new(), left_out: 0, asks, clock, stats, wait: WAIT };
        ntp.set_servers(servers);
        ntp
    }

    fn finding(found: Servers, clock: Arc<dyn WallClock>, stats: Arc<Stats>) -> Ntp {
        Ntp { found: Some(found), pace: FOUND, ..Ntp::new(Vec::new(), clock, stats) }
    }

    /// Those that were there before keep their readings.
    fn set_servers(&mut self, mut addresses: Vec<String>) {
        self.left_out = addresses.len().saturating_sub(SERVERS);
        addresses.truncate(SERVERS);
        let mut before = std::mem::take(&mut self.servers);
        let server = |address| match before.iter().position(|server| server.address == address) {
            Some(place) => before.swap_remove(place),
            None => Server { address, again: None, reading: None, problem: None },
        };
        self.servers = addresses.into_iter().map(server).collect();
    }

    fn find(&mut self, now: Instant) {
        if let Some(servers) = self.found.as_mut().and_then(|found| found.list(now, &self.stats)) {
            self.set_servers(servers);
        }
    }

    fn ask(&mut self, now: Instant) {
        let due = |server: &&mut Server| server.again.is_none_or(|again| now >= again);
        let mut asked: Vec<&mut Server> = self.servers.iter_mut().filter(due).collect();
        let job = |server: &&mut Server| {
            let (address, wait, clock) = (server.address.clone(), self.wait, self.clock.clone());
            (server.address.clone(), move || ask(&address, wait, &*clock))
        };
        let answers = self.asks.run_all(asked.iter().map(job).collect(), PATIENCE, DEADLINE);
        for (server, (_, outcome)) in asked.iter_mut().zip(answers) {
            if outcome == (Outcome::Late { newly: true }) {
                self.stats.collect_hung.add(1);
            }
            server.take(outcome, now, self.pace.period);
        }
    }

    fn report(&self, cx: &mut Cx<'_>, now: Instant) {
        if let Some(problem) = self.found.as_ref().and_then(Servers::problem) {
            cx.problem("time servers of this host", problem);
        }
        if self.servers.is_empty() {
            return;
        }
        for server in &self.servers {
            if let Some(problem) = &server.problem {
                cx.problem(format!("server {}", server.address), problem);
            }
        }
        if self.left_out > 0 {
            let why = format!("the first {SERVERS} servers are asked, {} are not", self.left_out);
            cx.remark("collector.ntp", why);
        }
        let is_fresh = |read_at: Instant| now.saturating_duration_since(read_at) < self.pace.fresh;
        let readings = || {
            let readings = self.servers.iter().filter_map(|server| server.reading);
            readings.filter(|(_, read_at)| is_fresh(*read_at)).map(|(reading, _)| reading)
        };
        let count = readings().count();
        cx.emit(&SOURCES, &Tags::NONE, float(u64::try_from(count).unwrap_or(u64::MAX)));
        // The shorter the way, the less of it can be uneven.
        if let Some(best) = readings().min_by(|a, b| a.delay_ms.total_cmp(&b.delay_ms)) {
            cx.emit(&OFFSET, &Tags::NONE, best.offset_ms);
            cx.emit(&DELAY, &Tags::NONE, best.delay_ms);
        }
    }
}

impl Server {
    /// A server that is silent keeps its reading for as long as that is fresh: a packet may get lost. One that says that it
    /// does not know the time loses it.
    fn take(&mut self, outcome: Outcome<Answer>, now: Instant, period: Duration) {
        self.again = now.checked_add(period);
        self.problem = match outcome {
            Outcome::Done(Ok(reading)) => {
                self.reading = Some((reading, now));
                None
            }
            Outcome::Done(Err(Refusal::Kiss(code))) => {
                self.again = now.checked_add(LEFT_ALONE);
                self.reading = None;
                Some(format!("asks to be left alone ({code}); not asked for an hour"))
            }
            Outcome::Done(Err(Refusal::Unsynchronised(why))) => {
                self.reading = None;
                Some(why)
            }
            Outcome::Done(Err(Refusal::Silent(why))) => Some(why),
            Outcome::Late { .. } => {
                Some("no answer in time, or its name is not resolved; left alone until the question ends".to_owned())
            }
            Outcome::Panicked => Some("the client failed by a defect".to_owned()),
            Outcome::NoThread(why) => Some(format!("not asked: {why}")),
        };
    }
}

impl Collector for Ntp {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let now = Instant::now();
        self.find(now);
        self.ask(now);
        self.report(cx, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
