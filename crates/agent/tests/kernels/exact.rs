//! Values that a person has worked out from the files, and series that must not be there.

use crate::harness::host::Host;
use crate::{MOST, config, values};

/// Values by hand from the files, and what must not be there.
fn check(kernel: &str, expected: &[(&str, f64)], absent: &[&str]) {
    let said = values(&Host::with_kernel(kernel).collect(&config()));
    let wrong: Vec<_> = expected.iter().filter(|(name, value)| said.get(*name) != Some(value)).collect();
    let instead: Vec<_> = wrong.iter().map(|(name, _)| said.get(*name)).collect();
    assert!(wrong.is_empty(), "{kernel}: expected {wrong:?}, said {instead:?}");
    for text in absent {
        let there: Vec<_> = said.keys().filter(|name| name.contains(text)).collect();
        assert!(there.is_empty(), "{kernel}: {there:?}");
    }
}

#[test]
fn kernel_3_10_has_no_available_memory_and_counts_to_32_bits() {
    let kb = 1024.0;
    check(
        "3.10",
        &[
            ("cpu.cnt", 4.0),
            ("cpu.switches", 4_294_967_296_123.0),
            ("cpu.mhz", 1800.0),
            ("load.15min", 0.05),
            ("mem.memtotal", 3_880_360.0 * kb),
            ("mem.memfree", (204_800.0 + 102_400.0 + 1_048_576.0) * kb),
            ("mem.memused", 2_524_584.0 * kb),
            ("mem.swaptotal", 4_063_228.0 * kb),
            ("mem.swapused", 0.0),
            ("kernel.maxfiles", 384_842.0),
            ("kernel.files.allocated", 1344.0),
            ("kernel.files.left", 383_498.0),
            ("kernel.maxproc", 32_768.0),
            ("net.if.in.bytes/iface=eth0", 3_221_225_472.0),
            ("net.if.out.bits/iface=eth0", 8.0 * 1_073_741_824.0),
            ("net.if.total.errors/iface=eth0", 1.0),
            ("net.if.in.multicast/iface=eth0", 77.0),
            ("net.if.in.percent/iface=eth0", 3_221_225_472.0 * 8.0 * 100.0 / 1e9),
            // 65535 is -1 in 16 bits, as kernels of this time print what they do not know.
            ("net.if.speed.bits/iface=virbr0-nic", 0.0),
            ("TcpExt.TW", 4_294_967_290.0),
            ("TcpExt.ListenDrops", 31.0),
            ("TcpExt.TCPTimeouts", 777.0),
            ("snmp.Udp.InDatagrams", 4_294_967_295.0),
            ("snmp.Udp.NoPorts", 12.0),
            ("snmp.Tcp.RetransSegs", 250.0),
            ("ss.estab", 17.0),
            ("ss.closed", 30.0 - (12.0 + 8.0 - 4.0)),
            ("ss.orphaned", 1.0),
            ("ss.timewait", 4.0),
            ("ss.slabinfo.timewait", 0.0),
            ("disk.io.read_requests/device=sda", 15_000.0),
            ("disk.io.read_sectors/device=sda", 4_294_967_290.0),
            ("disk.io.ios_in_progress/device=sda", 2.0),
            ("disk.io.msec_weighted_total/device=sda", 121_500.0),
            ("disk.io.read_bytes/device=sda", 0.0),
            ("disk.io.read_requests/device=sda5", 600.0),
            ("disk.io.write_requests/device=sdaa", 5.0),
            ("disk.io.read_merged/device=xvda1", 10.0),
            ("sys.processes", 6.0),
            ("sys.threads", 187.0),
            ("sys.uptime", 350_735.0),
            ("process.count/name=java", 1.0),
            ("process.threads/name=java", 87.0),
            ("process.handles/name=java", 6.0),
            ("process.mem/name=java", 250_000.0 * 4096.0),
            ("process.cpu.all/name=java", 0.0),
            ("process.threads/name=a) S (b", 2.0),
            ("process.count/name=defunct one", 0.0),
            ("process.count/name=nobody", 0.0),
            ("df.ready/mount=/boot", 1.0),
        ],
        &[
            "device=sda1",
            "device=sdb",
            "device=sdaaa",
            "device=dm-0",
            "device=md0",
            "device=loop0",
            "iface=eth0:1",
            "TcpExt.TCPLoss/",
            "snmp.Udp.IgnoredMulti",
            // Netlink would tell of the network around, not of this host.
            "ss.listen",
            "ss.synrecv",
            // It may not be read.
            "process.io.read_bytes/name=java",
            "process.mem/name=nobody",
            "mount=/run/user/0",
        ],
    );
}

#[test]
fn kernel_4_18_is_asked_past_a_container_and_counts_to_64_bits() {
    check(
        "4.18",
        &[
            ("cpu.cnt", 2.0),
            ("mem.memfree", 6_291_456.0 * 1024.0),
            ("mem.swapfree.percent", 0.0),
            ("load.1min", 12.34),
            ("kernel.files.allocated", 9_223_372_036_854_775_807.0),
            ("kernel.files.left", 0.0),
            ("kernel.maxproc", 131_072.0),
            // Of `proc/1`: `proc/net` is the container's.
            ("net.if.in.bytes/iface=lo", 2000.0),
            ("net.if.total.bytes/iface=ens3", 222_222_221_121.0),
            ("net.if.in.dropped/iface=ens3", 4321.0),
            ("net.if.speed.bits/iface=ens3", 25e9),
            ("net.if.speed.bits/iface=docker0", 0.0),
            ("net.if.speed.bits/iface=veth1a2b3c4", 1e10),
            ("net.if.speed.bits/iface=ens3.100", 0.0),
            ("net.if.out.bytes/iface=a_b_c_d", 24.0),
            ("net.if.in.bytes/iface=br-0a1b2c3d4e5f", 0.0),
            ("TcpExt.ArpFilter", 0.0),
            ("TcpExt.TCPAbortOnTimeout", MOST),
            ("snmp.Udp.InDatagrams", 100_000.0),
            ("snmp.Udp.IgnoredMulti", 250.0),
            ("ss.estab", 1500.0),
            ("ss.closed", 1900.0 - (2100.0 + 300.0 - 600.0)),
            ("ss.timewait", 600.0),
            ("disk.io.read_sectors/device=vda", 64_000.0),
            ("disk.io.read_requests/device=vdb", MOST),
            ("disk.io.util/device=vdb", 0.0),
            ("disk.io.write_requests/device=nvme0n1p1", 29_000.0),
            ("disk.io.read_requests/device=nbd0", 10.0),
            ("sys.processes", 5.0),
            ("sys.threads", 512.0),
            ("sys.uptime", 59.0),
            ("process.count/name=mysqld", 2.0),
            ("process.threads/name=mysqld", 44.0),
            ("process.mem/name=mysqld", 121_000.0 * 4096.0),
            ("process.handles/name=mysqld", 6.0),
            // The older one began 15 s after the boot.
            ("process.uptime/name=mysqld", 44.03),
            ("df.ready/mount=/var/lib/mysql data", 1.0),
            ("df.ready/mount=/media/a_b_c", 1.0),
        ],
        &[
            "TcpExt.TCPLostRetransmit",
            "TcpExt.TCPPrequeueDropped",
            "device=vda2",
            "device=vdc",
            "device=mmcblk0",
            "the/same/disk",
            "overlay",
        ],
    );
}

#[test]
fn kernel_5_15_has_128_processors_and_a_full_swap() {
    check(
        "5.15",
        &[
            ("cpu.cnt", 128.0),
            ("cpu.switches", 987_654_321_987.0),
            ("cpu.mhz", 2500.0),
            ("mem.memtotal", 1_056_403_092.0 * 1024.0),
            ("mem.swapused.percent", 100.0),
            ("load.15min", 131.07),
            ("kernel.maxfiles", 9_223_372_036_854_775_807.0),
            ("kernel.files.left", 9_223_372_036_854_775_807.0 - 262_144.0),
            ("net.if.in.bytes/iface=lo", MOST),
            ("net.if.total.bytes/iface=lo", MOST),
            ("net.if.total.bits/iface=lo", 8.0 * MOST),
            ("net.if.speed.bits/iface=enp193s0f0np0", 1e11),
            ("net.if.out.percent/iface=enp193s0f0np0", 4_503_599_627_370_496.0 * 8.0 * 100.0 / 1e11),
            ("net.if.in.multicast/iface=bond0", 8.0),
            ("net.if.out.compressed/iface=bond0", 16.0),
            ("net.if.speed.bits/iface=bond0", 0.0),
            ("snmp.Udp.MemErrors", 99.0),
            ("ss.estab", 40_000.0),
            ("ss.closed", 41_000.0 - (20_000.0 + 25_000.0 - 9000.0)),
            ("disk.io.write_sectors/device=sda", 9_600_000.0),
            ("disk.io.read_requests/device=sda6", 100.0),
            ("disk.io.read_requests/device=sdb", 1.0),
            ("sys.processes", 4.0),
            ("sys.threads", 4096.0),
            ("sys.uptime", 86_400_000.0),
            ("process.count/name=postgres", 2.0),
            ("process.uptime/name=postgres", 200.0),
        ],
        &["iface=broken0", "device=loop0", "device=zram0", "device=sr0", "device=md0", "fstype=squashfs", "fuse."],
    );
}

#[test]
fn kernel_6_1_has_one_processor_and_ipv6_only() {
    check(
        "6.1",
        &[
            ("cpu.cnt", 1.0),
            ("cpu.switches", MOST),
            ("cpu.mhz", 1800.0),
            ("mem.memfree", 450_000.0 * 1024.0),
            ("mem.swapused.percent", 50.0),
            ("net.if.total.bits/iface=wg-home.7", 80.0),
            ("net.if.speed.bits/iface=enp1s0", 0.0),
            ("ss.estab", 0.0),
            ("ss.closed", 2.0),
            ("snmp.Udp.MemErrors", 9.0),
            ("snmp.Tcp.retrans.percent", 0.0),
            ("disk.io.write_requests/device=vda", 40_000.0),
            ("sys.processes", 4.0),
            // The kernel keeps 15 bytes of a name.
            ("process.count/name=systemd-journald", 1.0),
            ("process.handles/name=systemd-journald", 7.0),
        ],
        &["device=vda1", "iface=eth0"],
    );
}
