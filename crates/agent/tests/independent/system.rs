//! Memory, load, uptime and threads, as sysinfo(2) says them; processors, as sysfs lists them.

use rustix::system::sysinfo;

use crate::{Facts, collect, compare, exactly, names, text};

#[test]
fn memory_is_what_sysinfo_says() {
    compare("mem", || {
        let info = sysinfo();
        let bytes = |units: u64| exactly(units as f64 * f64::from(info.mem_unit));
        Facts::from([
            ("mem.memtotal".to_owned(), bytes(info.totalram)),
            ("mem.swaptotal".to_owned(), bytes(info.totalswap)),
            ("mem.swapfree".to_owned(), bytes(info.freeswap)),
        ])
    });
}

#[test]
fn what_is_free_and_what_is_used_is_all() {
    let items = collect(&["--only", "mem"]);
    let of =
        |metric: &str| items.iter().find(|item| item.metric == metric).unwrap_or_else(|| panic!("no {metric}")).value;
    let (total, free, used) = (of("mem.memtotal"), of("mem.memfree"), of("mem.memused"));
    assert!(free > 0.0 && used > 0.0, "{free} {used}");
    assert_eq!(free + used, total);
    assert_eq!(of("mem.memused.percent"), used * 100.0 / total);
}

/// The kernel keeps 11 bits behind the point, shows 16 of them here and two rounded digits there.
#[test]
fn load_is_what_sysinfo_says() {
    compare("load", || {
        let loads = sysinfo().loads.map(|load| load as f64 / 65_536.0);
        let names = ["load.1min", "load.5min", "load.15min"];
        names.into_iter().zip(loads).map(|(name, load)| (name.to_owned(), (load - 0.01, load + 0.01))).collect()
    });
}

#[test]
fn uptime_threads_and_processes_are_what_others_count() {
    compare("sys", || {
        let info = sysinfo();
        let processes = names("/proc").iter().filter(|name| name.parse::<u32>().is_ok()).count();
        let uptime = info.uptime as f64;
        Facts::from([
            // sysinfo() rounds up.
            ("sys.uptime".to_owned(), (uptime - 1.0, uptime)),
            // The agent counts itself, and up to a thread for each of its lanes.
            ("sys.threads".to_owned(), (f64::from(info.procs) + 1.0, f64::from(info.procs) + 8.0)),
            ("sys.processes".to_owned(), exactly(processes as f64 + 1.0)),
        ])
    });
}

/// `0-3,8` (Documentation/admin-guide/cputopology.rst).
fn processors(list: &str) -> usize {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().expect("a number") + 1 - first.parse::<usize>().expect("a number")
    };
    list.trim().split(',').map(count).sum()
}

#[test]
fn processors_are_those_that_are_online() {
    assert_eq!((processors("0\n"), processors("0-3,8,10-11\n")), (1, 7));
    compare("cpu", || {
        let online = processors(&text("/sys/devices/system/cpu/online"));
        Facts::from([("cpu.cnt".to_owned(), exactly(online as f64))])
    });
}

#[test]
fn shares_of_processor_time_make_a_whole() {
    let items = collect(&["--only", "cpu"]);
    let of = |name: &str| items.iter().find(|i| i.metric == name).unwrap_or_else(|| panic!("no {name}")).value;
    let parts = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let sum: f64 = parts.iter().map(|part| of(&format!("cpu.{part}"))).sum();
    assert!((sum - 100.0).abs() < 1e-6, "{sum}");
    assert!((of("cpu.busy") + of("cpu.idle") - 100.0).abs() < 1e-6);
}
