//! `dns.query.*`: whether the names of `checks.dns` are answered, and how soon. Says nothing without them.
//!
//! With a `server` one question goes to it over UDP ([`packet`]), from a port of the system's choice and with a random number; of
//! the server's addresses the first that answers counts. Without one the system is asked for the name's addresses, by whatever
//! means it has (`hosts`, DNS, its own memory), on threads that may be lost ([`Resolver`]). Both go on side by side.

mod packet;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::probe::{AT_ONCE, Probes, Resolver, Why, each, end, first_of, report, split};
use super::{Collector, Context, Cx, Lane, Spec};
use crate::config::checks::Dns;
use crate::model::{Metric, Sets, Tags};
pub use packet::fuzz_answer;
use packet::{Question, Reply};

/// Packets that are read while waiting for the right one.
const PACKETS: usize = 64;
/// What a thread may be late beyond the timeout.
const GRACE: Duration = Duration::from_millis(500);

const SILENT: &str = "no answer in time";
const DEFECT: &str = "failed by a defect";
const SOURCE: &str = "DNS over UDP (RFC 1035); getaddrinfo";

const UP: Metric = Metric::gauge("dns.query.up", "1", Sets::EXTENDED, SOURCE)
    .tags(&["name", "server", "type"])
    .help("of `checks.dns`: 1 where the name has such a record and the answer came in time, else 0; without a server: `system`, `any`");
const TIME: Metric = Metric::gauge("dns.query.time", "ms", Sets::EXTENDED, SOURCE)
    .tags(&["name", "server", "type"])
    .help("until the answer; absent where it is 0");

pub(super) const SPEC: Spec = Spec {
    name: "dns",
    check: "",
    lane: Lane::Probe,
    rates: false,
    metrics: &[UP, TIME],
    options: &[],
    open: |cx: &Context| Ok(queries(cx).map(|queries| -> Box<dyn Collector> { Box::new(queries) })),
};

fn queries(cx: &Context) -> Option<Queries> {
    let checks = &cx.config.checks.dns;
    if checks.is_empty() {
        return None;
    }
    let (to_system, to_servers): (Vec<&Dns>, Vec<&Dns>) = checks.iter().partition(|check| check.server.is_empty());
    let of_server = |check: &Dns| ((check.clone(), Question::new(&check.name, check.record)), tags(check));
    Some(Queries {
        to_system: Probes::new(to_system.into_iter().map(|check| (check.clone(), tags(check)))),
        to_servers: Probes::new(to_servers.into_iter().map(of_server)),
        names: Resolver::new("dns server", cx.stats.clone()),
        system: Resolver::new("dns system", cx.stats.clone()),
    })
}

fn tags(check: &Dns) -> Tags {
    let (server, record) =
        if check.server.is_empty() { ("system", "any") } else { (check.server.as_str(), check.record.name()) };
    Tags::of(&[("name", &check.name), ("server", server), ("type", record)])
}

type ToServer = (Dns, Result<Question, String>);

struct Queries {
    to_system: Probes<Dns>,
    to_servers: Probes<ToServer>,
    /// Of servers.
    names: Resolver,
    system: Resolver,
}

type Answers = Vec<Result<Duration, Why>>;

impl Collector for Queries {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let end = end();
        self.to_system.remark(cx);
        self.to_servers.remark(cx);
        let Queries { to_system, to_servers, names, system } = self;
        let (to_system, to_servers) = (&to_system.list, &to_servers.list);
        // Neither takes of the other's time.
        let (by_system, by_servers) = thread::scope(|scope| {
            let of_servers = || ask_servers(to_servers, names, end);
            match thread::Builder::new().name("dns".to_owned()).spawn_scoped(scope, of_servers) {
                Ok(thread) => {
                    let by_system = ask_system(to_system, system, end);
                    (by_system, thread.join().map_err(|_| DEFECT.to_owned()))
                }
                Err(error) => (ask_system(to_system, system, end), Err(format!("no thread to ask: {error}"))),
            }
        });
        for ((check, tags), answer) in to_system.iter().zip(by_system) {
            report(cx, (&UP, &TIME), tags, &check.name, answer);
        }
        match by_servers {
            Ok(answers) => {
                for (((check, _), tags), answer) in to_servers.iter().zip(answers) {
                    report(cx, (&UP, &TIME), tags, &format!("{} at {}", check.name, check.server), answer);
                }
            }
            Err(why) if !to_servers.is_empty() => cx.problem("all servers", why),
            Err(_) => {}
        }
        Ok(())
    }
}

fn ask_servers(list: &[(ToServer, Tags)], names: &mut Resolver, end: Instant) -> Answers {
    let found = names.find(list.iter().map(|((check, _), _)| split(&check.server).0));
    let jobs: Vec<_> = list.iter().map(|(asked, _)| asked).zip(found).collect();
    each(
        end,
        &jobs,
        |((check, _), _)| wait(check),
        |((check, question), found)| {
            let question = question.as_ref().map_err(|why| Why::NotMade(why.clone()))?;
            let addresses = found.as_ref().map_err(|why| match why {
                Why::Failed(why) => Why::Failed(format!("of {}: {why}", check.server)),
                Why::NotMade(why) => Why::NotMade(why.clone()),
            })?;
            first_of(addresses, split(&check.server).1, wait(check), |server, wait| ask(server, question, wait))?
        },
    )
}

fn ask_system(list: &[(Dns, Tags)], system: &mut Resolver, end: Instant) -> Answers {
    let longest = list.iter().map(|(check, _)| wait(check)).max().unwrap_or_default();
    // Where nothing answers, a turn takes as long.
    let turns = u32::try_from(list.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
    let end = end.min(Instant::now() + (longest + GRACE) * turns);
    let names: Vec<&str> = list.iter().map(|(check, _)| check.name.as_str()).collect();
    let own = |place: usize| list.get(place).map_or(longest, |(check, _)| wait(check));
    let answers = system.resolve(&names, &own, end);
    list.iter().zip(answers).map(|((check, _), answer)| of_system(answer, wait(check))).collect()
}

fn wait(check: &Dns) -> Duration {
    Duration::from_millis(check.timeout.into())
}

fn of_system(answer: Result<(Vec<SocketAddr>, Duration), Why>, wait: Duration) -> Result<Duration, Why> {
    let failed = |why: &str| Err(Why::Failed(why.to_owned()));
    match answer? {
        (_, took) if took > wait => failed(SILENT),
        (addresses, _) if addresses.is_empty() => failed("it has no address"),
        (_, took) => Ok(took),
    }
}

/// One question to one address; an error within is the server's own answer, after which no other is asked.
fn ask(server: SocketAddr, question: &Question, wait: Duration) -> Result<Result<Duration, Why>, Why> {
    let why = |error: io::Error| Why::of(&error);
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Connected: nothing reaches it but what comes from the server's own address and port.
    let socket = UdpSocket::bind(any).map_err(why)?;
    socket.connect(server).map_err(why)?;
    // Keyed anew by the system for every thread that asks: nobody else can tell it beforehand.
    let [a, b, ..] = RandomState::new().hash_one(server).to_be_bytes();
    let id = u16::from_be_bytes([a, b]);
    let asked = Instant::now();
    socket.send(&question.packet(id)).map_err(why)?;
    let mut refusal = SILENT;
    let mut buffer = [0; 4096];
    for _ in 0..PACKETS {
        let left = wait.saturating_sub(asked.elapsed());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left)).map_err(why)?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(why(error)),
        };
        let took = asked.elapsed();
        match question.read(buffer.get(..length).unwrap_or_default(), id) {
            Reply::Found => return Ok(Ok(took)),
            Reply::None(why) => return Ok(Err(Why::Failed(why))),
            Reply::Foreign(what) => refusal = what,
        }
    }
    Err(Why::Failed(refusal.to_owned()))
}

#[cfg(test)]
mod tests;
