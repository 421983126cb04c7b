//! `net.port.listen`: whether the ports that hbs assigned are served. Says nothing until something is assigned.
//!
//! A port is served where a TCP socket listens on it, of either family and at any address, or where a UDP socket has it. Linux:
//! netlink, else `/proc/net/tcp`, `tcp6`; `/proc/net/udp`, `udp6`. Windows: GetExtendedTcpTable, GetExtendedUdpTable. Where one
//! of the two cannot be read, a port that the other does not have is absent, and not closed.

use std::io;
use std::sync::Arc;

use falcon_sys::Host;
use falcon_sys::types::{Extent, Ports};

use super::{Collector, Context, Cx, Lane, Spec};
use crate::assigned::Assigned;
use crate::assigned::check::PortCheck;
use crate::model::{Metric, Sets};

const LISTEN: Metric = Metric::gauge(
    "net.port.listen",
    "1",
    Sets::ALL,
    "netlink inet_diag, /proc/net/tcp, tcp6, udp, udp6; GetExtendedTcpTable, GetExtendedUdpTable",
)
.tags(&["port"])
.help("assigned by hbs: 1 where TCP listens on the port or UDP has it, else 0");

pub(super) const SPEC: Spec = Spec {
    name: "port",
    check: "ss -tln",
    lane: Lane::Host,
    rates: false,
    metrics: &[LISTEN],
    options: &[],
    open: |cx: &Context| {
        let (host, assigned) = (cx.host.clone(), cx.assigned.clone());
        Ok(Some(Box::new(Listening { host, assigned, used: Ports::default() })))
    },
};

struct Listening {
    host: Host,
    assigned: Arc<Assigned>,
    /// Read into again and again.
    used: Ports,
}

impl Collector for Listening {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let checks = self.assigned.checks();
        if checks.ports.is_empty() || !cx.wants(&LISTEN) {
            return Ok(());
        }
        self.used.clear();
        let tcp = self.host.tcp_listening(&mut self.used);
        let udp = self.host.udp_bound(&mut self.used);
        let whole = [("tcp", tcp), ("udp", udp)]
            .into_iter()
            .fold(true, |whole, (table, told)| is_whole(cx, table, told) && whole);
        emit(cx, &checks.ports, &self.used, whole);
        Ok(())
    }
}

fn is_whole(cx: &mut Cx<'_>, table: &str, told: io::Result<Extent>) -> bool {
    match told {
        Ok(Extent::Whole) => true,
        Ok(Extent::Cut) => {
            cx.problem(table, "has more sockets than are read; a port that is not among them is left out");
            false
        }
        Err(error) => {
            cx.problem(table, error);
            false
        }
    }
}

/// `whole`: what is not in use is not served.
fn emit(cx: &mut Cx<'_>, checks: &[PortCheck], used: &Ports, whole: bool) {
    for check in checks {
        let served = check.port.is_some_and(|port| used.contains(port));
        if served || whole || check.port.is_none() {
            cx.emit(&LISTEN, &check.tags, f64::from(u8::from(served)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned::BuiltinMetric;
    use crate::collect::tests::with_cx;
    use crate::config::Config;
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
        let mut used = Ports::default();
        used.insert(80);
        let ((), collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| {
            let whole = is_whole(cx, "udp", Err(io::ErrorKind::PermissionDenied.into()));
            emit(cx, &assigned.checks().ports, &used, whole);
        });
        assert_eq!(said(&collected), [("port=80", 1.0), ("port=70000", 0.0)]);
        assert_eq!(collected.problems.len(), 1);
        let ((), collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| {
            let whole = is_whole(cx, "tcp", Ok(Extent::Cut)) | is_whole(cx, "udp", Ok(Extent::Whole));
            emit(cx, &assigned.checks().ports, &used, whole);
        });
        assert_eq!(said(&collected).len(), 3);
    }
}
