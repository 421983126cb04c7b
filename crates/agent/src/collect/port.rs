//! `net.port.*`: whether the ports that hbs assigned, or the configuration names, are served. Says nothing without them.
//!
//! A port is served where a TCP socket listens on it, of either family and at any address, or where a UDP socket has it. Linux:
//! netlink, else `/proc/net/tcp`, `tcp6`; `/proc/net/udp`, `udp6`. Windows: GetExtendedTcpTable, GetExtendedUdpTable. Where one
//! of the two cannot be read, a port that the other does not have is absent, and not closed. Which protocol it has to be, the
//! configuration alone can say.

use std::io;
use std::sync::Arc;

use falcon_sys::Host;
use falcon_sys::types::{Extent, Ports};

use super::{Collector, Context, Cx, Lane, Spec};
use crate::assigned::Assigned;
use crate::assigned::check::PortCheck;
use crate::config::checks::Protocol;
use crate::model::{Metric, Sets};

const LISTEN: Metric = Metric::gauge(
    "net.port.listen",
    "1",
    Sets::ALL,
    "netlink inet_diag, /proc/net/tcp, tcp6, udp, udp6; GetExtendedTcpTable, GetExtendedUdpTable",
)
.tags(&["port"])
.help("assigned by hbs, or of `checks.ports`: 1 where TCP listens on the port or UDP has it, else 0");
const TCP: Metric =
    Metric::gauge("net.port.tcp", "1", Sets::EXTENDED, "netlink inet_diag, /proc/net/tcp, tcp6; GetExtendedTcpTable")
        .tags(&["port"])
        .help("of `checks.ports` with `tcp`: 1 where TCP listens on the port, else 0");
const UDP: Metric = Metric::gauge("net.port.udp", "1", Sets::EXTENDED, "/proc/net/udp, udp6; GetExtendedUdpTable")
    .tags(&["port"])
    .help("of `checks.ports` with `udp`: 1 where a UDP socket has the port, else 0");

pub(super) const SPEC: Spec = Spec {
    name: "port",
    check: "ss -tln",
    lane: Lane::Host,
    rates: false,
    metrics: &[LISTEN, TCP, UDP],
    options: &[],
    open: |cx: &Context| {
        let (host, assigned) = (cx.host.clone(), cx.assigned.clone());
        Ok(Some(Box::new(Listening { host, assigned, tcp: Table::default(), udp: Table::default() })))
    },
};

struct Listening {
    host: Host,
    assigned: Arc<Assigned>,
    tcp: Table,
    udp: Table,
}

/// Ports of one protocol that are in use; read into again and again.
#[derive(Default)]
struct Table {
    used: Ports,
    /// What is not among them is not in use.
    is_whole: bool,
}

impl Collector for Listening {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let checks = self.assigned.checks();
        if checks.ports.is_empty() || !SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let (host, tcp, udp) = (&mut self.host, &mut self.tcp, &mut self.udp);
        tcp.read(cx, "tcp", |used| host.tcp_listening(used));
        udp.read(cx, "udp", |used| host.udp_bound(used));
        emit(cx, &checks.ports, tcp, udp);
        Ok(())
    }
}

impl Table {
    fn read(&mut self, cx: &mut Cx<'_>, name: &str, read: impl FnOnce(&mut Ports) -> io::Result<Extent>) {
        self.used.clear();
        self.is_whole = match read(&mut self.used) {
            Ok(Extent::Whole) => true,
            Ok(Extent::Cut) => {
                cx.problem(name, "has more sockets than are read; a port that is not among them is left out");
                false
            }
            Err(error) => {
                cx.problem(name, error);
                false
            }
        };
    }
}

fn emit(cx: &mut Cx<'_>, checks: &[PortCheck], tcp: &Table, udp: &Table) {
    for check in checks {
        let (metric, tables): (_, &[&Table]) = match check.protocol {
            Protocol::Any => (&LISTEN, &[tcp, udp]),
            Protocol::Tcp => (&TCP, &[tcp]),
            Protocol::Udp => (&UDP, &[udp]),
        };
        let is_served = check.port.is_some_and(|port| tables.iter().any(|table| table.used.contains(port)));
        if is_served || check.port.is_none() || tables.iter().all(|table| table.is_whole) {
            cx.emit(metric, &check.tags, f64::from(u8::from(is_served)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned::BuiltinMetric;
    use crate::assigned::check::Checks;
    use crate::collect::tests::with_cx;
    use crate::config::checks::Port;
    use crate::config::{self, Config};
    use crate::model::Platform;

    use std::net::{TcpListener, UdpSocket};

    fn said(collected: &super::super::Collected) -> Vec<(&str, f64)> {
        collected.samples.iter().map(|sample| (sample.tags.as_str(), sample.value.get())).collect()
    }

    fn assign(assigned: &Assigned, ports: &[u16]) {
        let metric = |port: &u16| BuiltinMetric { metric: LISTEN.name.to_owned(), tags: format!("port={port}") };
        assigned.set_metrics(ports.iter().map(metric).collect());
    }

    #[test]
    fn sockets_of_this_host_are_found_and_what_is_closed_or_taken_back_is_told() {
        let assigned = Arc::<Assigned>::default();
        let context = Context { assigned: assigned.clone(), ..crate::collect::tests::context(Config::standalone()) };
        let mut collector = (SPEC.open)(&context).unwrap().unwrap();
        let mut cycle = || with_cx(Sets::FALCON, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1;
        assert!(cycle().samples.is_empty());
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (tcp_port, udp_port) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
        // Privileged, and no service has it.
        assign(&assigned, &[tcp_port, udp_port, 1]);
        let (tcp_tags, udp_tags) = (format!("port={tcp_port}"), format!("port={udp_port}"));
        assert_eq!(said(&cycle()), [(tcp_tags.as_str(), 1.0), (udp_tags.as_str(), 1.0), ("port=1", 0.0)]);
        if let Ok(v6) = TcpListener::bind("[::1]:0") {
            let port = v6.local_addr().unwrap().port();
            assign(&assigned, &[port]);
            assert_eq!(said(&cycle()), [(format!("port={port}").as_str(), 1.0)]);
        }
        assigned.set_metrics(Vec::new());
        assert!(cycle().samples.is_empty(), "an assignment that is gone ends its series");
    }

    #[test]
    fn a_table_that_cannot_be_read_closes_no_port() {
        let metric = |tags: &str| BuiltinMetric { metric: LISTEN.name.to_owned(), tags: tags.to_owned() };
        let assigned = Assigned::default();
        assigned.set_metrics(vec![metric("port=80"), metric("port=81"), metric("port=70000")]);
        let table = |cx: &mut Cx<'_>, name: &str, used: &[u16], told: io::Result<Extent>| {
            let mut table = Table::default();
            table.read(cx, name, |ports| {
                used.iter().for_each(|port| ports.insert(*port));
                told
            });
            table
        };
        let ((), collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| {
            let tcp = table(cx, "tcp", &[80], Ok(Extent::Whole));
            let udp = table(cx, "udp", &[], Err(io::ErrorKind::PermissionDenied.into()));
            emit(cx, &assigned.checks().ports, &tcp, &udp);
        });
        assert_eq!(said(&collected), [("port=80", 1.0), ("port=70000", 0.0)]);
        assert_eq!(collected.problems.len(), 1);
        let ((), collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| {
            let tcp = table(cx, "tcp", &[80], Ok(Extent::Whole));
            let udp = table(cx, "udp", &[], Ok(Extent::Whole));
            emit(cx, &assigned.checks().ports, &tcp, &udp);
        });
        assert_eq!(said(&collected).len(), 3);
    }

    #[test]
    fn the_configuration_may_ask_for_one_protocol() {
        let ports = [(53, Protocol::Tcp), (53, Protocol::Udp), (53, Protocol::Any)];
        let ports = ports.map(|(port, protocol)| Port { port, protocol }).to_vec();
        let assigned = Assigned::default();
        assigned.configure(Checks::configured(&config::Checks { ports, ..config::Checks::default() }));
        let udp = Table {
            used: [53].into_iter().fold(Ports::default(), |mut ports, port| {
                ports.insert(port);
                ports
            }),
            is_whole: true,
        };
        // Without a whole list of TCP nothing is said of that alone.
        let tcp = Table::default();
        let ((), collected) =
            with_cx(Sets::ALL, Platform::CURRENT, |cx| emit(cx, &assigned.checks().ports, &tcp, &udp));
        let said: Vec<_> = collected.samples.iter().map(|sample| (&*sample.metric, sample.value.get())).collect();
        assert_eq!(said, [("net.port.udp", 1.0), ("net.port.listen", 1.0)]);
    }
}
