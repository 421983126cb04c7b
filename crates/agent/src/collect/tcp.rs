//! `tcp.connect.*`: whether the addresses of `checks.tcp` take a connection, and how soon. Says nothing without them.
//!
//! Of a name's addresses one after the other is tried, in the order of the system (RFC 6724), each for an equal share of what is
//! left of the timeout, until one takes the connection; the time is that of this one. It is closed at once, with nothing said.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::probe::{Probes, Resolver, Why, each, end, first_of, report, split};
use super::{Collector, Context, Cx, Lane, Spec};
use crate::config::checks::Tcp;
use crate::model::{Metric, Sets, Tags};

const UP: Metric = Metric::gauge("tcp.connect.up", "1", Sets::EXTENDED, "connect")
    .tags(&["address"])
    .help("of `checks.tcp`: 1 where a connection was taken in time, else 0; 0 also where the name is not resolved");
const TIME: Metric = Metric::gauge("tcp.connect.time", "ms", Sets::EXTENDED, "connect")
    .tags(&["address"])
    .help("until it was taken, without resolving the name; absent where it was not");

const REFUSED: &str = "connection refused: nobody listens";

pub(super) const SPEC: Spec = Spec {
    name: "tcp",
    check: "",
    lane: Lane::Probe,
    rates: false,
    metrics: &[UP, TIME],
    options: &[],
    open: |cx: &Context| {
        let checks = cx.config.checks.tcp.iter();
        let probes = Probes::new(checks.map(|check| (check.clone(), Tags::of(&[("address", &check.address)]))));
        let names = Resolver::new("tcp", cx.stats.clone());
        Ok((!probes.list.is_empty()).then(|| -> Box<dyn Collector> { Box::new(Connections { probes, names }) }))
    },
};

struct Connections {
    probes: Probes<Tcp>,
    names: Resolver,
}

impl Collector for Connections {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let end = end();
        self.probes.remark(cx);
        let list = &self.probes.list;
        let found = self.names.find(list.iter().map(|(check, _)| split(&check.address).0));
        let jobs: Vec<_> = list.iter().map(|(check, _)| check).zip(found).collect();
        let wait = |check: &Tcp| Duration::from_millis(check.timeout.into());
        let answers = each(
            end,
            &jobs,
            |(check, _)| wait(check),
            |(check, found)| connect(found.as_ref().map_err(Clone::clone)?, split(&check.address).1, wait(check)),
        );
        for ((check, tags), answer) in list.iter().zip(answers) {
            report(cx, (&UP, &TIME), tags, &check.address, answer);
        }
        Ok(())
    }
}

fn connect(addresses: &[SocketAddr], port: u16, wait: Duration) -> Result<Duration, Why> {
    first_of(addresses, port, wait, |address, wait| {
        let started = Instant::now();
        // Closed when it is dropped.
        let taken = TcpStream::connect_timeout(&address, wait);
        let time = started.elapsed();
        let stream = taken.map_err(|error| Why::of(&error))?;
        if is_to_itself(&stream) { Err(Why::Failed(REFUSED.to_owned())) } else { Ok(time) }
    })
}

/// Where nobody listens on a port of this host that the system chose for the connection too, it connects to itself.
fn is_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Collected;
    use crate::collect::tests::{context, with_cx};
    use crate::config::checks::Tcp;
    use crate::config::{Checks, Config};
    use crate::model::Platform;
    use std::net::TcpListener;

    fn cycle(addresses: &[&str], timeout: u32) -> Collected {
        let tcp = addresses.iter().map(|address| Tcp { address: (*address).to_owned(), timeout }).collect();
        let config = Config { checks: Checks { tcp, ..Checks::default() }, ..Config::standalone() };
        let mut collector = (SPEC.open)(&context(config)).unwrap().unwrap();
        with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1
    }

    fn said(collected: &Collected) -> Vec<(&str, &str)> {
        collected.samples.iter().map(|sample| (&*sample.metric, sample.tags.as_str())).collect()
    }

    #[test]
    fn a_port_that_listens_is_up_and_one_that_does_not_is_down_and_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().to_string();
        let closed = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap().to_string()
        };
        let collected = cycle(&[&open, &closed], 10_000);
        let (open_tags, closed_tags) = (format!("address={open}"), format!("address={closed}"));
        let expected = [
            ("tcp.connect.up", open_tags.as_str()),
            ("tcp.connect.time", &open_tags),
            ("tcp.connect.up", &closed_tags),
        ];
        assert_eq!(said(&collected), expected);
        let values: Vec<f64> = collected.samples.iter().map(|sample| sample.value.get()).collect();
        assert!(values[0] == 1.0 && values[1] > 0.0 && values[1] <= 10_000.0 && values[2] == 0.0, "{values:?}");
        assert!(collected.problems.len() == 1 && collected.problems[0].0 == closed, "{:?}", collected.problems);
        // The far end sees a connection that ends.
        let (mut taken, _) = listener.accept().unwrap();
        assert_eq!(std::io::Read::read(&mut taken, &mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn ipv6_is_as_good_and_a_name_that_is_none_is_down() {
        // A host without IPv6 is a host too.
        let v6 = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let collected = cycle(&[&v6.local_addr().unwrap().to_string(), "no..name:80"], 10_000);
        let ups: Vec<f64> = collected.samples.iter().map(|sample| sample.value.get()).collect();
        assert_eq!((ups.len(), ups[0], ups[2]), (3, 1.0, 0.0), "{:?}", collected.problems);
        assert!(collected.problems[0].1.starts_with("its name is not resolved"), "{:?}", collected.problems);
    }

    // A port of this host without a server was told as up, once in a while.
    #[test]
    fn a_connection_to_itself_is_none() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.connect(&socket.local_addr().unwrap()).unwrap();
        assert!(is_to_itself(&socket.into()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_to_itself(&TcpStream::connect(listener.local_addr().unwrap()).unwrap()));
    }

    #[test]
    fn without_addresses_there_is_nothing_to_do() {
        assert!((SPEC.open)(&context(Config::standalone())).unwrap().is_none());
    }
}
