//! Files that are not there.

use crate::config;
use crate::harness::golden::series;
use crate::harness::host::Host;

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
