//! That nothing is missing: every series of the Linux agent of falcon-plus that this host can have (its
//! modules/agent/funcs), and those of our own that every Linux host can have.

use std::collections::BTreeSet;

use crate::{collect, links, storage, text};

/// `names` with a prefix and the same tags.
fn family<'a>(prefix: &'a str, names: &'a str, tags: &'a str) -> impl Iterator<Item = String> + 'a {
    let tags = if tags.is_empty() { String::new() } else { format!("/{tags}") };
    names.split_ascii_whitespace().map(move |name| format!("{prefix}{name}{tags}"))
}

/// The names of a pair of lines of `/proc/net/netstat` or `snmp`.
fn columns(file: &str, protocol: &str) -> Vec<String> {
    let header = text(file).lines().find_map(|line| line.strip_prefix(protocol).map(str::to_owned));
    header.unwrap_or_else(|| panic!("{file}: no {protocol}")).split_ascii_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_series_that_this_host_can_have_is_there() {
    let cpu = "idle busy user nice system iowait irq softirq steal guest cnt switches";
    let mem = "memtotal memfree memused memfree.percent memused.percent \
        swaptotal swapfree swapused swapfree.percent swapused.percent";
    let net = "in.bytes in.packets in.errors in.dropped in.fifo.errs in.frame.errs in.compressed in.multicast in.bits \
        in.percent out.bytes out.packets out.errors out.dropped out.fifo.errs out.collisions out.carrier.errs \
        out.compressed out.bits out.percent total.bytes total.packets total.errors total.dropped total.bits speed.bits";
    let disk = "read_requests read_merged read_sectors msec_read write_requests write_merged write_sectors msec_write \
        ios_in_progress msec_total msec_weighted_total read_bytes write_bytes avgrq_sz avgqu-sz await svctm util";
    let df = "bytes.total bytes.used bytes.free bytes.used.percent bytes.free.percent";
    let inodes = "inodes.total inodes.used inodes.free inodes.used.percent inodes.free.percent";
    let tcp_ext = "ArpFilter DelayedACKLocked ListenDrops ListenOverflows LockDroppedIcmps PruneCalled TCPAbortFailed \
        TCPAbortOnMemory TCPAbortOnTimeout TCPBacklogDrop TCPDSACKUndo TCPFastRetrans TCPLoss TCPLossFailures \
        TCPLostRetransmit TCPMemoryPressures TCPMinTTLDrop TCPPrequeueDropped TCPSchedulerFailed TCPSpuriousRTOs \
        TCPTSReorder TCPTimeouts TW";
    assert_eq!((net.split_ascii_whitespace().count(), tcp_ext.split_ascii_whitespace().count()), (26, 23));

    let mut expected: BTreeSet<String> = BTreeSet::from(["agent.alive".to_owned()]);
    expected.extend(family("cpu.", cpu, ""));
    expected.extend(family("mem.", mem, ""));
    expected.extend(family("load.", "1min 5min 15min", ""));
    expected.extend(family("kernel.", "maxfiles maxproc files.allocated files.left", ""));
    expected.extend(family("ss.", "estab closed orphaned synrecv timewait slabinfo.timewait", ""));
    expected.extend(family("ss.", "listen synsent finwait1 finwait2 closewait closing lastack", ""));
    expected.extend(family("sys.", "processes threads uptime proc.queue", ""));
    expected.extend(family("agent.", "mem.rss cpu.percent handles threads", ""));
    for name in links::interfaces() {
        expected.extend(family("net.if.", net, &format!("iface={name}")));
    }
    for name in storage::devices() {
        expected.extend(family("disk.io.", disk, &format!("device={name}")));
    }
    for (point, fstype) in storage::shown() {
        let stat = rustix::fs::statvfs(&*point).unwrap_or_else(|error| panic!("{point}: {error}"));
        let tags = format!("mount={point},fstype={fstype}");
        if stat.f_blocks > 0 {
            expected.extend(family("df.", df, &tags));
            expected.extend(family("df.statistics.", "total used used.percent", ""));
        }
        if stat.f_blocks > 0 && stat.f_files > 0 {
            expected.extend(family("df.", inodes, &tags));
        }
    }
    let known = columns("/proc/net/netstat", "TcpExt: ");
    let named = |name: &&str| known.iter().any(|column| column == name);
    expected.extend(tcp_ext.split_ascii_whitespace().filter(named).map(|name| format!("TcpExt.{name}")));
    expected.extend(columns("/proc/net/snmp", "Udp: ").iter().map(|name| format!("snmp.Udp.{name}")));

    let said: BTreeSet<String> = collect(&[]).iter().map(crate::name).collect();
    let missing: Vec<_> = expected.difference(&said).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
