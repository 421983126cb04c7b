//! `sys.ntp.*`: how far this host's clock is from that of time servers.
//!
//! An SNTP client of its own ([`packet`], [`ask`]) asks the servers of `collector.ntp`; where the configuration says nothing,
//! on Windows those that the Windows Time service is set to, on Linux none. It measures and never sets a clock. At most
//! [`SERVERS`] are asked, each once in [`PERIOD`], whatever the step: in between the last reading is said again. One that
//! asks to be left alone is. Each is asked on a thread that may be lost: resolving its name may hang.
//!
//! This collector asks for the time itself, which no other does: the wall clock is what it measures.

mod ask;
mod packet;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::clock::{SystemClock, WallClock};
use crate::isolate::{Isolated, Outcome};
use crate::model::{Metric, Sets, Tags};
use crate::stats::Stats;
use ask::{Refusal, ask};
use packet::Reading;

/// Servers that are asked; more tell no better time.
const SERVERS: usize = 4;
/// A minute, less what a cycle may come early.
const PERIOD: Duration = Duration::from_secs(59);
/// So long a reading is said again, also when a server does not answer once.
const FRESH: Duration = Duration::from_secs(180);
/// After a kiss-o'-death.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// For all addresses of a server together: the last server is asked after [`PATIENCE`] and a bit, and has to be through
/// before [`DEADLINE`].
const WAIT: Duration = Duration::from_secs(2);
/// A server slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a server counts as hung: its name is not resolved.
const DEADLINE: Duration = Duration::from_secs(5);
/// Of NTP, for the servers of Windows Time, which are names alone.
const PORT: u16 = 123;

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
        let servers = match &cx.config.collector.ntp {
            Some(servers) => servers.clone(),
            None => own_servers()?,
        };
        if servers.is_empty() {
            return Ok(None);
        }
        Ok(Some(Box::new(Ntp::new(servers, Arc::new(SystemClock), cx.stats.clone()))))
    },
};

/// What the system itself is set to; nothing where it does not tell (Linux).
fn own_servers() -> std::io::Result<Vec<String>> {
    match falcon_sys::ntp_servers() {
        Ok(names) => Ok(names.iter().map(|name| with_port(name)).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn with_port(name: &str) -> String {
    if name.contains(':') { format!("[{name}]:{PORT}") } else { format!("{name}:{PORT}") }
}

type Answer = Result<Reading, Refusal>;

struct Ntp {
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
    fn new(mut servers: Vec<String>, clock: Arc<dyn WallClock>, stats: Arc<Stats>) -> Ntp {
        let left_out = servers.len().saturating_sub(SERVERS);
        servers.truncate(SERVERS);
        let server = |address| Server { address, again: None, reading: None, problem: None };
        let servers = servers.into_iter().map(server).collect();
        Ntp { servers, left_out, asks: Isolated::new("ntp"), clock, stats, wait: WAIT }
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
            server.take(outcome, now);
        }
    }

    fn report(&self, cx: &mut Cx<'_>, now: Instant) {
        for server in &self.servers {
            if let Some(problem) = &server.problem {
                cx.problem(format!("server {}", server.address), problem);
            }
        }
        if self.left_out > 0 {
            let why = format!("the first {SERVERS} servers are asked, {} are not", self.left_out);
            cx.remark("collector.ntp", why);
        }
        let is_fresh = |read_at: Instant| now.saturating_duration_since(read_at) < FRESH;
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
    fn take(&mut self, outcome: Outcome<Answer>, now: Instant) {
        self.again = now.checked_add(PERIOD);
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
        self.ask(now);
        self.report(cx, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
