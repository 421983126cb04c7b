//! `TcpExt.*`: what went wrong in the TCP of the kernel, as `netstat -s` shows it. Linux only.
//!
//! Source: `/proc/net/netstat`. The names are those that the Go agent sends; a column that this kernel lacks, or that is no
//! number, is absent alone.

use falcon_sys::Host;
use falcon_sys::types::NetCounters;

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::model::{Metric, On, Sets, Tags};

/// The protocol, and with a dot the prefix of the metrics.
const PROTOCOL: &str = "TcpExt";

const fn tcp_ext(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::FALCON, "/proc/net/netstat TcpExt").on(On::Linux).help(help)
}

const METRICS: &[Metric] = &[
    tcp_ext("TcpExt.ArpFilter", "packets", "ARP requests dropped by arp_filter"),
    tcp_ext("TcpExt.DelayedACKLocked", "acks", "delayed acks put off once more because the socket was in use"),
    tcp_ext("TcpExt.ListenDrops", "connections", "connections that a listening socket dropped, for any reason"),
    tcp_ext("TcpExt.ListenOverflows", "connections", "connections dropped because the accept queue was full"),
    tcp_ext("TcpExt.LockDroppedIcmps", "packets", "ICMP packets dropped because the socket was in use"),
    tcp_ext("TcpExt.PruneCalled", "times", "a socket's receive queue was trimmed for lack of memory"),
    tcp_ext("TcpExt.TCPAbortFailed", "connections", "no RST could be sent for want of memory"),
    tcp_ext("TcpExt.TCPAbortOnMemory", "connections", "aborted for lack of memory, or too many orphans"),
    tcp_ext("TcpExt.TCPAbortOnTimeout", "connections", "aborted because the peer no longer answered"),
    tcp_ext("TcpExt.TCPBacklogDrop", "packets", "dropped because a socket's backlog was full"),
    tcp_ext("TcpExt.TCPDSACKUndo", "times", "congestion control undone: the retransmission was not needed"),
    tcp_ext("TcpExt.TCPFastRetrans", "segments", "retransmitted before the timer ran out"),
    tcp_ext("TcpExt.TCPLoss", "segments", "lost, in kernels that count it"),
    tcp_ext("TcpExt.TCPLossFailures", "times", "a timer ran out while a loss was being recovered"),
    tcp_ext("TcpExt.TCPLostRetransmit", "segments", "retransmitted and lost again"),
    tcp_ext("TcpExt.TCPMemoryPressures", "times", "TCP came under memory pressure"),
    tcp_ext("TcpExt.TCPMinTTLDrop", "packets", "dropped because their TTL was below the socket's minimum"),
    tcp_ext("TcpExt.TCPPrequeueDropped", "packets", "dropped from the prequeue, in kernels that have one"),
    tcp_ext("TcpExt.TCPSchedulerFailed", "times", "collapsing a receive queue freed nothing, in kernels that count it"),
    tcp_ext("TcpExt.TCPSpuriousRTOs", "times", "a retransmission timer ran out without need"),
    tcp_ext("TcpExt.TCPTSReorder", "times", "reordering found by timestamps"),
    tcp_ext("TcpExt.TCPTimeouts", "times", "a retransmission timer ran out"),
    tcp_ext("TcpExt.TW", "sockets", "went from time-wait to closed by the timer"),
];

pub(super) const SPEC: Spec = Spec {
    name: "netstat",
    check: "netstat",
    lane: Lane::Host,
    rates: false,
    metrics: METRICS,
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Netstat { host: cx.host.clone(), columns: columns(), read: Vec::new() }))),
};

struct Netstat {
    host: Host,
    /// Of the metrics, in their order.
    columns: Vec<&'static str>,
    /// Read into again and again.
    read: Vec<Option<u64>>,
}

impl Collector for Netstat {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !METRICS.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        self.host.protocol_counts(NetCounters::Netstat, PROTOCOL, &self.columns, &mut self.read)?;
        emit(cx, &self.read);
        Ok(())
    }
}

/// What the kernel calls the metrics.
fn columns() -> Vec<&'static str> {
    METRICS.iter().filter_map(|metric| metric.name.strip_prefix(PROTOCOL)?.strip_prefix('.')).collect()
}

fn emit(cx: &mut Cx<'_>, counts: &[Option<u64>]) {
    for (metric, count) in METRICS.iter().zip(counts) {
        if let Some(count) = count {
            cx.emit(metric, &Tags::NONE, float(*count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::Platform;

    #[test]
    fn every_metric_has_its_column() {
        let columns = columns();
        assert_eq!((columns.len(), METRICS.len()), (23, 23));
        for (column, metric) in columns.iter().zip(METRICS) {
            assert_eq!(format!("TcpExt.{column}"), metric.name);
        }
    }

    /// The Go agent threw all of them away for one that was no number.
    #[test]
    fn a_column_that_cannot_be_read_costs_itself_only() {
        let mut counts: Vec<Option<u64>> = (0..23).map(Some).collect();
        (counts[2], counts[22]) = (None, Some(u64::MAX));
        let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| emit(cx, &counts));
        let said: Vec<_> = said.samples.iter().map(|s| (s.metric.as_ref(), s.value.get())).collect();
        assert_eq!(said.len(), 22);
        assert_eq!(
            said[..3],
            [("TcpExt.ArpFilter", 0.0), ("TcpExt.DelayedACKLocked", 1.0), ("TcpExt.ListenOverflows", 3.0)]
        );
        assert_eq!(said[21], ("TcpExt.TW", 18_446_744_073_709_551_615.0));
    }
}
