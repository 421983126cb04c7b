use super::*;
use crate::collect::tests::with_cx;
use std::io;

fn said(sets: Sets, platform: Platform, emit: impl FnOnce(&mut Cx<'_>)) -> Vec<(String, f64)> {
    let (_, said) = with_cx(sets, platform, emit);
    said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
}

fn snmp() -> Snmp {
    Snmp { host: Host::new("/"), tcp: None, columns: UDP_COLUMNS.map(|(column, _)| column), read: Vec::new() }
}

fn numbered(from: u64) -> TcpCounts {
    TcpCounts {
        active_opens: from,
        passive_opens: from + 1,
        attempt_fails: from + 2,
        estab_resets: from + 3,
        established: from + 4,
        in_segs: from + 5,
        out_segs: from + 6,
        retrans_segs: from + 7,
        in_errs: from + 8,
        out_rsts: from + 9,
    }
}

fn expect<const N: usize>(seen: &[(String, f64)], expected: [(&str, f64); N]) {
    let seen: Vec<(&str, f64)> = seen.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn both_families_are_summed_and_freedomkks_names_are_of_ipv4() {
    let stats = TcpStats { v4: numbered(10), v6: Ok(Some(numbered(1000))) };
    let sets = Sets::EXTENDED.and(Sets::FREEDOMKK);
    let seen = said(sets, Platform::Windows, |cx| snmp().report(cx, &stats));
    expect(
        &seen,
        [
            ("tcpip.confailures", 12.0),
            ("tcpip.conactive", 10.0),
            ("tcpip.conpassive", 11.0),
            ("tcpip.conreset", 13.0),
            ("tcpip.conestablished", 14.0),
            ("snmp.Tcp.ActiveOpens", 1010.0),
            ("snmp.Tcp.PassiveOpens", 1012.0),
            ("snmp.Tcp.AttemptFails", 1014.0),
            ("snmp.Tcp.EstabResets", 1016.0),
            ("snmp.Tcp.InSegs", 1020.0),
            ("snmp.Tcp.OutSegs", 1022.0),
            ("snmp.Tcp.RetransSegs", 1024.0),
            ("snmp.Tcp.InErrs", 1026.0),
            ("snmp.Tcp.OutRsts", 1028.0),
            ("snmp.Tcp.CurrEstab", 1018.0),
        ],
    );
    let most = TcpCounts { in_segs: u64::MAX, ..TcpCounts::default() };
    assert_eq!(both_families(&most, most).in_segs, u64::MAX);
    assert_eq!(both_families(&most, TcpCounts::default()), most);
    assert!(said(Sets::FREEDOMKK, Platform::Linux, |cx| emit_v4(cx, &most)).is_empty());
}

/// A call for IPv6 that failed cost IPv4 as well.
#[test]
fn without_ipv6s_answer_there_are_no_sums_and_ipv4s_names_go_on() {
    let stats = || TcpStats { v4: numbered(10), v6: Err(io::Error::other("no answer")) };
    let mut snmp = snmp();
    let (_, all) = with_cx(Sets::EXTENDED.and(Sets::FREEDOMKK), Platform::Windows, |cx| snmp.report(cx, &stats()));
    assert!(all.samples.len() == 5 && all.samples.iter().all(|s| s.metric.starts_with("tcpip.")), "{:?}", all.samples);
    assert_eq!(all.problems, [("TCP over IPv6".to_owned(), "no answer".to_owned())]);
    let (_, few) = with_cx(Sets::FREEDOMKK, Platform::Windows, |cx| snmp.report(cx, &stats()));
    assert_eq!((few.samples.len(), few.problems.len()), (5, 0), "nobody asked for a sum");
    // The share is of the time since the last sum, and the next cycle with one says it.
    for (v4, share) in [((1000, 500), None), ((1200, 505), Some(2.5))] {
        let counts = TcpCounts { out_segs: v4.0, retrans_segs: v4.1, ..TcpCounts::default() };
        let stats = TcpStats { v4: counts, v6: Ok(None) };
        let (_, said) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| snmp.report(cx, &stats));
        let seen = said.samples.iter().find(|s| s.metric == "snmp.Tcp.retrans.percent").map(|s| s.value.get());
        assert_eq!((said.problems.len(), seen), (0, share));
    }
}

fn retransmitted(before: (u64, u64), now: (u64, u64)) -> Option<f64> {
    let counts = |(out_segs, retrans_segs)| TcpCounts { out_segs, retrans_segs, ..TcpCounts::default() };
    let seen = said(Sets::EXTENDED, Platform::Linux, |cx| emit_retransmitted(cx, &counts(before), &counts(now)));
    seen.first().map(|(_, value)| *value)
}

#[test]
fn retransmissions_are_a_share_of_the_interval() {
    assert_eq!(retransmitted((1000, 500), (1200, 505)), Some(2.5));
    assert_eq!(retransmitted((1000, 500), (1000, 500)), Some(0.0), "nothing was sent");
    assert_eq!(retransmitted((1000, 500), (1001, 505)), Some(100.0));
    assert_eq!(retransmitted((1000, 500), (999, 505)), None, "the counter began anew");
    assert_eq!(retransmitted((1000, 500), (1001, 4)), None);
    assert_eq!(retransmitted((0, 0), (u64::MAX, u64::MAX)), Some(100.0));
}

#[test]
fn of_udp_every_column_that_the_kernel_has() {
    let all: Vec<Option<u64>> = (1..10).map(Some).collect();
    let seen = said(Sets::FALCON, Platform::Linux, |cx| emit_columns(cx, &all));
    assert_eq!(seen.len(), 9);
    for ((column, _), (name, _)) in UDP_COLUMNS.iter().zip(&seen) {
        assert_eq!(*name, format!("snmp.Udp.{column}"));
    }
    // A kernel of 2012, and one value that was no number.
    let mut few = all;
    few[1] = None;
    few[6..].fill(None);
    let seen = said(Sets::FALCON, Platform::Linux, |cx| emit_columns(cx, &few));
    expect(
        &seen,
        [
            ("snmp.Udp.InDatagrams", 1.0),
            ("snmp.Udp.InErrors", 3.0),
            ("snmp.Udp.OutDatagrams", 4.0),
            ("snmp.Udp.RcvbufErrors", 5.0),
            ("snmp.Udp.SndbufErrors", 6.0),
        ],
    );
    assert!(said(Sets::FALCON, Platform::Linux, |cx| emit_columns(cx, &[])).is_empty());
}

#[test]
fn windows_has_four_of_udp() {
    let counts = UdpCounts { in_datagrams: 1, no_ports: 2, in_errors: 3, out_datagrams: u64::MAX };
    let seen = said(Sets::FALCON, Platform::Windows, |cx| emit_udp(cx, &counts));
    expect(
        &seen,
        [
            ("snmp.Udp.InDatagrams", 1.0),
            ("snmp.Udp.NoPorts", 2.0),
            ("snmp.Udp.InErrors", 3.0),
            ("snmp.Udp.OutDatagrams", 18_446_744_073_709_551_615.0),
        ],
    );
}
