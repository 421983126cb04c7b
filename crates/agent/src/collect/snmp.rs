//! `snmp.Tcp.*`, `snmp.Udp.*` and `tcpip.*`: what TCP and UDP count since boot, by the names of SNMP.
//!
//! Linux: `/proc/net/snmp`, where TCP is of both families and UDP of IPv4 alone, as the Go agent sends it; a column of
//! `Udp` that this kernel lacks is absent alone. Windows: GetTcpStatisticsEx2 and GetUdpStatisticsEx2, both families summed;
//! `tcpip.*` is of IPv4 alone, as freedomkk's agent has it.

use falcon_sys::Host;
use falcon_sys::types::{NetCounters, TcpCounts, TcpStats, UdpCounts};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::model::{Metric, On, Platform, Sets, Tags};

const TCP: &str = "/proc/net/snmp Tcp; GetTcpStatisticsEx2, IPv4 + IPv6";
const TCP_V4: &str = "GetTcpStatisticsEx2, IPv4";
const UDP: &str = "/proc/net/snmp Udp; GetUdpStatisticsEx2, IPv4 + IPv6";
const UDP_LINUX: &str = "/proc/net/snmp Udp";

const fn tcp(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::EXTENDED, TCP).help(help)
}
const fn udp(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, "datagrams", Sets::FALCON, UDP).help(help)
}
const fn udp_linux(name: &'static str, help: &'static str) -> Metric {
    Metric { source: UDP_LINUX, on: On::Linux, ..udp(name, help) }
}
const fn freedomkk(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, "connections", Sets::FREEDOMKK, TCP_V4).on(On::Windows).help(help)
}

const ACTIVE_OPENS: Metric = tcp("snmp.Tcp.ActiveOpens", "connections", "begun from here");
const PASSIVE_OPENS: Metric = tcp("snmp.Tcp.PassiveOpens", "connections", "begun by peers");
const ATTEMPT_FAILS: Metric = tcp("snmp.Tcp.AttemptFails", "connections", "that did not come about");
const ESTAB_RESETS: Metric = tcp("snmp.Tcp.EstabResets", "connections", "established ones that were reset");
const IN_SEGS: Metric = tcp("snmp.Tcp.InSegs", "segments", "received");
const OUT_SEGS: Metric = tcp("snmp.Tcp.OutSegs", "segments", "sent, without those that were only sent again");
const RETRANS_SEGS: Metric = tcp("snmp.Tcp.RetransSegs", "segments", "sent again");
const IN_ERRS: Metric = tcp("snmp.Tcp.InErrs", "segments", "received with errors");
const OUT_RSTS: Metric = tcp("snmp.Tcp.OutRsts", "segments", "sent to reset a connection");
const CURR_ESTAB: Metric = Metric::gauge("snmp.Tcp.CurrEstab", "connections", Sets::EXTENDED, TCP)
    .help("established, or closed by the peer alone");
const RETRANS_PERCENT: Metric = Metric::gauge("snmp.Tcp.retrans.percent", "%", Sets::EXTENDED, TCP)
    .help("segments sent again, of those sent in the interval; 0 when none was sent");

const V4_FAILURES: Metric = freedomkk("tcpip.confailures", "that did not come about");
const V4_ACTIVE: Metric = freedomkk("tcpip.conactive", "begun from here");
const V4_PASSIVE: Metric = freedomkk("tcpip.conpassive", "begun by peers");
const V4_RESET: Metric = freedomkk("tcpip.conreset", "established ones that were reset");
const V4_ESTABLISHED: Metric = Metric::gauge("tcpip.conestablished", "connections", Sets::FREEDOMKK, TCP_V4)
    .on(On::Windows)
    .help("established, or closed by the peer alone");

const IN_DATAGRAMS: Metric = udp("snmp.Udp.InDatagrams", "delivered to programs");
const NO_PORTS: Metric = udp("snmp.Udp.NoPorts", "received for ports on which nobody listens");
const IN_ERRORS: Metric = udp("snmp.Udp.InErrors", "received and not delivered for other reasons");
const OUT_DATAGRAMS: Metric = udp("snmp.Udp.OutDatagrams", "sent");
const RCVBUF_ERRORS: Metric = udp_linux("snmp.Udp.RcvbufErrors", "dropped because a socket's receive buffer was full");
const SNDBUF_ERRORS: Metric = udp_linux("snmp.Udp.SndbufErrors", "not sent because a socket's send buffer was full");
const IN_CSUM_ERRORS: Metric = udp_linux("snmp.Udp.InCsumErrors", "received with a wrong checksum");
const IGNORED_MULTI: Metric = udp_linux("snmp.Udp.IgnoredMulti", "multicast that nobody here wanted");
const MEM_ERRORS: Metric = udp_linux("snmp.Udp.MemErrors", "dropped for lack of memory");
/// The columns of `Udp` that the Go agent knows, and their metrics; it sends what the kernel has.
const UDP_COLUMNS: [(&str, &Metric); 9] = [
    ("InDatagrams", &IN_DATAGRAMS),
    ("NoPorts", &NO_PORTS),
    ("InErrors", &IN_ERRORS),
    ("OutDatagrams", &OUT_DATAGRAMS),
    ("RcvbufErrors", &RCVBUF_ERRORS),
    ("SndbufErrors", &SNDBUF_ERRORS),
    ("InCsumErrors", &IN_CSUM_ERRORS),
    ("IgnoredMulti", &IGNORED_MULTI),
    ("MemErrors", &MEM_ERRORS),
];

pub(super) const SPEC: Spec = Spec {
    name: "snmp",
    check: "snmp",
    lane: Lane::Host,
    rates: true,
    metrics: &[
        ACTIVE_OPENS,
        PASSIVE_OPENS,
        ATTEMPT_FAILS,
        ESTAB_RESETS,
        IN_SEGS,
        OUT_SEGS,
        RETRANS_SEGS,
        IN_ERRS,
        OUT_RSTS,
        CURR_ESTAB,
        RETRANS_PERCENT,
        V4_FAILURES,
        V4_ACTIVE,
        V4_PASSIVE,
        V4_RESET,
        V4_ESTABLISHED,
        IN_DATAGRAMS,
        NO_PORTS,
        IN_ERRORS,
        OUT_DATAGRAMS,
        RCVBUF_ERRORS,
        SNDBUF_ERRORS,
        IN_CSUM_ERRORS,
        IGNORED_MULTI,
        MEM_ERRORS,
    ],
    options: &[],
    open: |cx: &Context| {
        let columns = UDP_COLUMNS.map(|(column, _)| column);
        Ok(Some(Box::new(Snmp { host: cx.host.clone(), tcp: None, columns, read: Vec::new() })))
    },
};

struct Snmp {
    host: Host,
    /// Of the last cycle, both families.
    tcp: Option<TcpCounts>,
    columns: [&'static str; UDP_COLUMNS.len()],
    /// Read into again and again.
    read: Vec<Option<u64>>,
}

impl Collector for Snmp {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if cx.wants(&IN_SEGS) || cx.wants(&V4_ACTIVE) {
            match self.host.tcp_stats() {
                Ok(stats) => self.report(cx, &stats),
                Err(error) => cx.problem("TCP", error),
            }
        }
        if cx.wants(&IN_DATAGRAMS) {
            let result = match Platform::CURRENT {
                Platform::Linux => self
                    .host
                    .protocol_counts(NetCounters::Snmp, "Udp", &self.columns, &mut self.read)
                    .map(|()| emit_columns(cx, &self.read)),
                Platform::Windows => self.host.udp_stats().map(|counts| emit_udp(cx, &counts)),
            };
            if let Err(error) = result {
                cx.problem("UDP", error);
            }
        }
        Ok(())
    }
}

impl Snmp {
    /// What is of IPv4 alone is said also where IPv6 cannot be read; a sum of one family would be a count that falls.
    fn report(&mut self, cx: &mut Cx<'_>, stats: &TcpStats) {
        emit_v4(cx, &stats.v4);
        if !cx.wants(&IN_SEGS) {
            return;
        }
        let now = match &stats.v6 {
            Ok(v6) => both_families(&stats.v4, v6.unwrap_or_default()),
            Err(error) => return cx.problem("TCP over IPv6", error),
        };
        emit_tcp(cx, &now);
        if let Some(before) = self.tcp.replace(now) {
            emit_retransmitted(cx, &before, &now);
        }
    }
}

fn both_families(a: &TcpCounts, b: TcpCounts) -> TcpCounts {
    TcpCounts {
        active_opens: a.active_opens.saturating_add(b.active_opens),
        passive_opens: a.passive_opens.saturating_add(b.passive_opens),
        attempt_fails: a.attempt_fails.saturating_add(b.attempt_fails),
        estab_resets: a.estab_resets.saturating_add(b.estab_resets),
        established: a.established.saturating_add(b.established),
        in_segs: a.in_segs.saturating_add(b.in_segs),
        out_segs: a.out_segs.saturating_add(b.out_segs),
        retrans_segs: a.retrans_segs.saturating_add(b.retrans_segs),
        in_errs: a.in_errs.saturating_add(b.in_errs),
        out_rsts: a.out_rsts.saturating_add(b.out_rsts),
    }
}

fn emit_tcp(cx: &mut Cx<'_>, counts: &TcpCounts) {
    let values = [
        (&ACTIVE_OPENS, counts.active_opens),
        (&PASSIVE_OPENS, counts.passive_opens),
        (&ATTEMPT_FAILS, counts.attempt_fails),
        (&ESTAB_RESETS, counts.estab_resets),
        (&IN_SEGS, counts.in_segs),
        (&OUT_SEGS, counts.out_segs),
        (&RETRANS_SEGS, counts.retrans_segs),
        (&IN_ERRS, counts.in_errs),
        (&OUT_RSTS, counts.out_rsts),
        (&CURR_ESTAB, counts.established),
    ];
    for (metric, value) in values {
        cx.emit(metric, &Tags::NONE, float(value));
    }
}

fn emit_v4(cx: &mut Cx<'_>, counts: &TcpCounts) {
    let values = [
        (&V4_FAILURES, counts.attempt_fails),
        (&V4_ACTIVE, counts.active_opens),
        (&V4_PASSIVE, counts.passive_opens),
        (&V4_RESET, counts.estab_resets),
        (&V4_ESTABLISHED, counts.established),
    ];
    for (metric, value) in values {
        cx.emit(metric, &Tags::NONE, float(value));
    }
}

/// Nothing where a counter stepped back: it began anew, and its difference tells nothing.
fn emit_retransmitted(cx: &mut Cx<'_>, before: &TcpCounts, now: &TcpCounts) {
    let again = now.retrans_segs.checked_sub(before.retrans_segs);
    let sent = now.out_segs.checked_sub(before.out_segs);
    if let (Some(again), Some(sent)) = (again, sent) {
        // Those sent again are not among those sent: when nothing else goes out there may be more of them.
        cx.emit(&RETRANS_PERCENT, &Tags::NONE, percent(float(again), float(sent)).min(100.0));
    }
}

fn emit_columns(cx: &mut Cx<'_>, counts: &[Option<u64>]) {
    for ((_, metric), count) in UDP_COLUMNS.iter().zip(counts) {
        if let Some(count) = count {
            cx.emit(metric, &Tags::NONE, float(*count));
        }
    }
}

fn emit_udp(cx: &mut Cx<'_>, counts: &UdpCounts) {
    let values = [
        (&IN_DATAGRAMS, counts.in_datagrams),
        (&NO_PORTS, counts.no_ports),
        (&IN_ERRORS, counts.in_errors),
        (&OUT_DATAGRAMS, counts.out_datagrams),
    ];
    for (metric, value) in values {
        cx.emit(metric, &Tags::NONE, float(value));
    }
}

#[cfg(test)]
mod tests;
