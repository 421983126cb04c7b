//! Hosts of four kernels, each with the formats of its time and with what parsers stumble over: `fixtures/kernels`.
//!
//! Formats: proc(5) and the kernel's Documentation/filesystems/proc.rst, Documentation/admin-guide/iostats.rst. What each
//! host has beside its kernel: 3.10 partitions, aliases and values at the end of 32 bits; 4.18 a container's view beside
//! the host's (`proc/1`), values at the end of 64 bits and bad rows; 5.15 has 128 processors; 6.1 one, and no IPv4.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::collections::BTreeMap;

use harness::agent::Agent;
use harness::golden::{compare, series};
use harness::host::Host;
use harness::items::Item;
use harness::servers::Server;
use serde_json::{Value, json};

const KERNELS: [&str; 4] = ["3.10", "4.18", "5.15", "6.1"];
/// 2^64 - 1 as a transfer keeps it.
const MOST: f64 = u64::MAX as f64;

/// What is off by default too, without a row for each of 128 processors.
fn config() -> Value {
    json!({
        "hostname": "h",
        "collector": {
            "process": ["java", "mysqld", "postgres", "a) S (b", "systemd-journald", "defunct one", "nobody"],
            "frequency": true,
            "diskDetails": true,
            "dfReady": true,
        }
    })
}

/// `metric` or `metric/tags` to the value.
fn values(items: &[Item]) -> BTreeMap<String, f64> {
    let name = |item: &Item| match item.tags.as_str() {
        "" => item.metric.clone(),
        tags => format!("{}/{tags}", item.metric),
    };
    items.iter().map(|item| (name(item), item.value)).collect()
}

#[test]
fn each_has_its_series() {
    std::thread::scope(|scope| {
        for kernel in KERNELS {
            scope.spawn(move || {
                let host = Host::with_kernel(kernel);
                compare(&format!("kernel-{kernel}"), &host, &host.collect(&config()));
            });
        }
    });
}

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

/// One file lost costs what comes of it and nothing else.
#[test]
fn each_file_that_is_missing_costs_its_own_series() {
    let cases: [(&str, &[&str]); 17] = [
        (
            "proc/stat",
            &[
                "cpu.idle",
                "cpu.busy",
                "cpu.user",
                "cpu.nice",
                "cpu.system",
                "cpu.iowait",
                "cpu.irq",
                "cpu.softirq",
                "cpu.steal",
                "cpu.guest",
                "cpu.cnt",
                "cpu.switches",
                "cpu.interrupts",
                "cpu.mhz",
                "sys.proc.queue",
            ],
        ),
        ("proc/cpuinfo", &["cpu.mhz"]),
        ("proc/meminfo", &["mem."]),
        ("proc/loadavg", &["load.", "sys.threads"]),
        // The age of a process is told against it.
        ("proc/uptime", &["sys.uptime", "process."]),
        ("proc/mounts", &["df."]),
        ("proc/net/dev", &["net.if."]),
        ("proc/net/netstat", &["TcpExt."]),
        ("proc/net/snmp", &["snmp.", "ss."]),
        ("proc/net/sockstat", &["ss."]),
        ("proc/net/sockstat6", &[]),
        ("proc/diskstats", &["disk.io."]),
        ("proc/sys/fs/file-max", &["kernel.maxfiles", "kernel.files.left"]),
        ("proc/sys/fs/file-nr", &["kernel.files.allocated", "kernel.files.left"]),
        ("proc/sys/kernel/pid_max", &["kernel.maxproc"]),
        (
            "proc/9001",
            &[
                "process.cpu.all/name=java",
                "process.cpu.user/name=java",
                "process.cpu.sys/name=java",
                "process.mem/name=java",
                "process.threads/name=java",
                "process.handles/name=java",
                "process.uptime/name=java",
            ],
        ),
        ("sys", &[]),
    ];
    let whole = series(&Host::with_kernel("3.10").collect(&config()));
    std::thread::scope(|scope| {
        for (file, families) in cases {
            let whole = &whole;
            scope.spawn(move || {
                let host = Host::with_kernel("3.10");
                host.remove(file);
                let left = series(&host.collect(&config()));
                assert!(left.is_subset(whole), "without {file}: {:?}", left.difference(whole));
                let lost: Vec<_> = whole.difference(&left).cloned().collect();
                let expected: Vec<_> = whole
                    .iter()
                    .filter(|name| families.iter().any(|family| name.starts_with(family)))
                    .cloned()
                    .collect();
                assert_eq!(lost, expected, "without {file}");
                for family in families {
                    assert!(lost.iter().any(|name| name.starts_with(family)), "{file}: the fixture has no {family}");
                }
            });
        }
    });
}

/// An agent in a container sees the host through `proc/1`; where that has no files the ones beside it have to do.
#[test]
fn the_network_is_that_of_process_1() {
    let host = Host::with_kernel("4.18");
    let said = values(&host.collect(&config()));
    assert!(said.contains_key("net.if.in.bytes/iface=ens3"));
    host.remove("proc/1/net");
    let said = values(&host.collect(&config()));
    assert_eq!(said.get("net.if.in.bytes/iface=lo"), Some(&500.0));
    assert_eq!(said.get("TcpExt.PruneCalled"), Some(&9.0));
    assert_eq!(said.get("ss.estab"), Some(&1.0));
    assert!(!said.contains_key("net.if.in.bytes/iface=ens3"));
}

/// 32 bits that are full, a device that was replaced, a kernel that takes idle time back.
#[test]
fn counters_that_wrap_or_step_back_make_no_spike() {
    let host = Host::with_kernel("3.10");
    let transfer = Server::good();
    let mut config = config();
    config["transfer"] = json!({ "addrs": [transfer.addr], "interval": 1 });
    let agent = Agent::start_on(&host, &config);
    let cycles_after = |stamp: i64| {
        let mut cycles: BTreeMap<i64, Vec<Item>> = BTreeMap::new();
        for item in transfer.items().into_iter().filter(|item| item.timestamp > stamp) {
            cycles.entry(item.timestamp).or_default().push(item);
        }
        // The lanes of a cycle arrive apart.
        let last = |items: &Vec<Item>| {
            ["agent.alive", "df.statistics.total", "disk.io.util"].iter().all(|m| items.iter().any(|i| i.metric == *m))
        };
        cycles.retain(|_, items| last(items));
        cycles
    };
    let before = agent.wait("two cycles", || Some(cycles_after(0)).filter(|cycles| cycles.len() >= 2));
    let before = series(before.last_key_value().expect("two").1);
    host.rewrite("proc/stat", |text| text.replace("100000 200 30000 900000", "100100 200 29000 890000"));
    host.rewrite("proc/stat", |text| text.replace("cpu  400000 800 120000 3600000", "cpu  400400 800 119000 3590000"));
    host.rewrite("proc/diskstats", |text| {
        text.replace("sda 15000 120 4294967290 30500 20000", "sda 15004 120 10 30504 20000")
            .replace("sdaa 77 1 616 30 5 2 40 9 0 35 39", "sdaa 1 0 8 1 0 0 0 0 0 1 1")
    });
    host.rewrite("proc/net/dev", |text| text.replace("eth0:3221225472", "eth0: 5"));
    host.rewrite("proc/net/netstat", |text| text.replace("4294967290", "3"));
    host.rewrite("proc/9001/stat", |text| text.replace(" 500000 40000 ", " 400000 30000 "));
    let changed = harness::now();
    let after = agent.wait("three cycles", || Some(cycles_after(changed)).filter(|cycles| cycles.len() >= 3));
    let items: Vec<Item> = transfer.items();
    for item in &items {
        let most = match item.metric.as_str() {
            name if name.starts_with("cpu.") && item.counter_type == "GAUGE" && name != "cpu.mhz" => 100.0,
            "disk.io.util" | "process.cpu.all" | "process.cpu.user" | "process.cpu.sys" => 100.0,
            // 16 sectors, in no less than half a second.
            "disk.io.read_bytes" => 2.0 * 16.0 * 512.0,
            "disk.io.write_bytes" => 0.0,
            "disk.io.await" | "disk.io.svctm" | "disk.io.r_await" | "disk.io.w_await" => 10.0,
            _ => MOST,
        };
        assert!((0.0..=most).contains(&item.value), "{item:?}");
    }
    let last = after.last_key_value().expect("three").1;
    assert_eq!(series(last), before, "a series came or went");
    let last = values(last);
    // The 16 sectors that came after the 4,294,967,290th, in 64 bits.
    assert_eq!(last.get("disk.io.read_sectors/device=sda"), Some(&4_294_967_306.0));
    assert_eq!(last.get("disk.io.read_requests/device=sda"), Some(&15_004.0));
    assert_eq!(last.get("net.if.in.bytes/iface=eth0"), Some(&5.0), "as the kernel counts it");
    assert_eq!(last.get("cpu.cnt"), Some(&4.0));
}
