//! `ss.*`: how many TCP sockets there are in each state, both families together.
//!
//! Linux: established, closed, orphaned and time-wait by the arithmetic of `ss -s` of iproute2 from `/proc/net/sockstat`,
//! `sockstat6` and `snmp`, which counts close-wait as established; the other states from a netlink dump that leaves these
//! out. Windows: the rows of GetTcpTable and GetTcp6Table by state.

use falcon_sys::Host;
use falcon_sys::types::{SockStat, TcpStates};

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::model::{Metric, On, Platform, Sets, Tags};

const COUNTED: &str = "/proc/net/sockstat, sockstat6, snmp; GetTcpTable, GetTcp6Table";
const SOCKSTAT: &str = "/proc/net/sockstat, sockstat6";
const STATES: &str = "netlink inet_diag; GetTcpTable, GetTcp6Table";

const fn falcon(name: &'static str, source: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "sockets", Sets::FALCON, source).help(help)
}
const fn state(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "sockets", Sets::EXTENDED, STATES).help(help)
}

const ESTABLISHED: Metric = falcon("ss.estab", COUNTED, "established; on Linux with close-wait");
const CLOSED: Metric =
    falcon("ss.closed", COUNTED, "without a connection; with time-wait, and on Linux with those never connected");
const TIME_WAIT: Metric = falcon("ss.timewait", COUNTED, "in time-wait");
const SYN_RECEIVED: Metric = falcon("ss.synrecv", STATES, "half open: syn received");
const ORPHANED: Metric = falcon("ss.orphaned", SOCKSTAT, "that no process holds any more").on(On::Linux);
const SLABINFO: Metric = falcon(
    "ss.slabinfo.timewait",
    "constant 0, as the Go agent sends it where ss prints none",
    "always 0: no kernel of today tells it",
)
.on(On::Linux);
const LISTEN: Metric = state("ss.listen", "listening");
const SYN_SENT: Metric = state("ss.synsent", "connecting: syn sent");
const FIN_WAIT_1: Metric = state("ss.finwait1", "closed here, not yet acknowledged");
const FIN_WAIT_2: Metric = state("ss.finwait2", "closed here, waiting for the peer to close");
const CLOSE_WAIT: Metric = state("ss.closewait", "closed by the peer, not yet by the program here: growth is a leak");
const CLOSING: Metric = state("ss.closing", "closed by both at once");
const LAST_ACK: Metric = state("ss.lastack", "closed by the peer first, waiting for its last acknowledgement");
const PORTS: Metric = Metric::gauge(
    "ss.ports.ephemeral.used.percent",
    "%",
    Sets::EXTENDED,
    "local ports of GetTcpTable and GetTcp6Table from 49152 on",
)
.on(On::Windows)
.help("of the default range of ports for outgoing connections, in the family that uses more: at 100 none can be made");

/// Numbers of MIB_TCP_STATE.
const MIB_CLOSED: usize = 1;
const MIB_SYN_RECEIVED: usize = 4;
const MIB_ESTABLISHED: usize = 5;
const MIB_TIME_WAIT: usize = 11;
const MIB_DELETE_TCB: usize = 12;
/// What is said of these states as it is.
const EXTENDED: [(&Metric, usize); 7] = [
    (&LISTEN, 2),
    (&SYN_SENT, 3),
    (&FIN_WAIT_1, 6),
    (&FIN_WAIT_2, 7),
    (&CLOSE_WAIT, 8),
    (&CLOSING, 9),
    (&LAST_ACK, 10),
];

pub(super) const SPEC: Spec = Spec {
    name: "ss",
    check: "ss -s",
    lane: Lane::Host,
    rates: false,
    metrics: &[
        ESTABLISHED,
        CLOSED,
        TIME_WAIT,
        SYN_RECEIVED,
        ORPHANED,
        SLABINFO,
        LISTEN,
        SYN_SENT,
        FIN_WAIT_1,
        FIN_WAIT_2,
        CLOSE_WAIT,
        CLOSING,
        LAST_ACK,
        PORTS,
    ],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Sockets { host: cx.host.clone() }))),
};

struct Sockets {
    host: Host,
}

impl Collector for Sockets {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if Platform::CURRENT == Platform::Linux && cx.wants(&ESTABLISHED) {
            match self.host.sock_stat() {
                Ok(stat) => emit_summary(cx, &stat),
                Err(error) => cx.problem("sockstat", error),
            }
        }
        if ![&SYN_RECEIVED, &LISTEN].into_iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        match self.host.tcp_states() {
            Ok(states) => emit_states(cx, &states, Platform::CURRENT),
            // Below another root than `/`, netlink would tell of the agent's own network.
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(error) => cx.problem("states", error),
        }
        Ok(())
    }
}

fn emit_summary(cx: &mut Cx<'_>, stat: &SockStat) {
    // The files are read one after the other: a difference that is negative by what happened in between is none.
    let closed = stat.tcp_allocated.saturating_add(stat.tcp_time_wait).saturating_sub(stat.tcp_in_use);
    cx.emit(&ESTABLISHED, &Tags::NONE, float(stat.tcp_established));
    cx.emit(&CLOSED, &Tags::NONE, float(closed));
    cx.emit(&ORPHANED, &Tags::NONE, float(stat.tcp_orphaned));
    cx.emit(&TIME_WAIT, &Tags::NONE, float(stat.tcp_time_wait));
    cx.emit(&SLABINFO, &Tags::NONE, 0.0);
}

fn emit_states(cx: &mut Cx<'_>, states: &TcpStates, platform: Platform) {
    let count = |state: usize| float(states.count.get(state).copied().unwrap_or(0));
    cx.emit(&SYN_RECEIVED, &Tags::NONE, count(MIB_SYN_RECEIVED));
    if platform == Platform::Windows {
        cx.emit(&ESTABLISHED, &Tags::NONE, count(MIB_ESTABLISHED));
        cx.emit(&TIME_WAIT, &Tags::NONE, count(MIB_TIME_WAIT));
        let closed = [MIB_CLOSED, MIB_TIME_WAIT, MIB_DELETE_TCB].into_iter().map(count).sum();
        cx.emit(&CLOSED, &Tags::NONE, closed);
    }
    for (metric, state) in EXTENDED {
        cx.emit(metric, &Tags::NONE, count(state));
    }
    if let Some(percent) = states.ephemeral_used_percent {
        cx.emit(&PORTS, &Tags::NONE, percent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use std::collections::BTreeMap;

    fn said(sets: Sets, platform: Platform, emit: impl FnOnce(&mut Cx<'_>)) -> BTreeMap<String, f64> {
        let (_, said) = with_cx(sets, platform, emit);
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
    }

    fn states() -> TcpStates {
        let mut count = [0; 13];
        (0u64..).zip(&mut count).for_each(|(n, count)| *count = 1 << n);
        TcpStates { count, ephemeral_used_percent: Some(12.5) }
    }

    /// What `ss -s` of iproute2 6 prints for these files.
    #[test]
    fn the_summary_is_that_of_ss() {
        let stat =
            SockStat { tcp_in_use: 120, tcp_orphaned: 3, tcp_time_wait: 40, tcp_allocated: 131, tcp_established: 77 };
        let said = said(Sets::FALCON, Platform::Linux, |cx| emit_summary(cx, &stat));
        let expected = [
            ("ss.closed", 51.0),
            ("ss.estab", 77.0),
            ("ss.orphaned", 3.0),
            ("ss.slabinfo.timewait", 0.0),
            ("ss.timewait", 40.0),
        ];
        assert_eq!(said, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn closed_is_never_negative_and_never_wraps() {
        let closed = |stat: SockStat| said(Sets::FALCON, Platform::Linux, |cx| emit_summary(cx, &stat))["ss.closed"];
        assert_eq!(closed(SockStat { tcp_in_use: 9, tcp_allocated: 3, ..SockStat::default() }), 0.0);
        let most = SockStat { tcp_allocated: u64::MAX, tcp_time_wait: u64::MAX, ..SockStat::default() };
        assert_eq!(closed(most), 18_446_744_073_709_551_615.0);
    }

    #[test]
    fn linux_takes_only_the_states_that_the_summary_has_not() {
        let both = Sets::FALCON.and(Sets::EXTENDED);
        let said = said(both, Platform::Linux, |cx| emit_states(cx, &states(), Platform::Linux));
        assert_eq!(said["ss.synrecv"], 16.0);
        assert_eq!(said["ss.listen"], 4.0);
        assert_eq!((said["ss.closewait"], said["ss.lastack"]), (256.0, 1024.0));
        assert!(!said.contains_key("ss.estab") && !said.contains_key("ss.ports.ephemeral.used.percent"));
        assert_eq!(said.len(), 8, "{said:?}");
    }

    #[test]
    fn windows_counts_time_wait_as_closed() {
        let falcon = said(Sets::FALCON, Platform::Windows, |cx| emit_states(cx, &states(), Platform::Windows));
        let expected = [
            ("ss.closed", f64::from(2 + 2048 + 4096)),
            ("ss.estab", 32.0),
            ("ss.synrecv", 16.0),
            ("ss.timewait", 2048.0),
        ];
        assert_eq!(falcon, expected.map(|(name, value)| (name.to_owned(), value)).into());
        let own = said(Sets::EXTENDED, Platform::Windows, |cx| emit_states(cx, &states(), Platform::Windows));
        assert_eq!((own.len(), own["ss.ports.ephemeral.used.percent"]), (8, 12.5));
    }
}
