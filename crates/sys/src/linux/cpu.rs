//! `/proc/stat`: the `cpu` line, the `cpuN` lines, `ctxt`, `intr` and `procs_running`.
//!
//! Kernels differ in how many columns the `cpu` lines have (4 in 2.4, 7 in 2.6, 8 with steal, 9 with guest, 10 since
//! 2.6.33): absent ones are 0, and so is one of the later columns that is no number. Values may step back between readings; nothing here compares readings.

use super::Host;
use super::text::{lines, number, numbers};
use crate::types::{CoreTimes, CpuStat, CpuTimes};
use std::io;

const FILE: &str = "proc/stat";

/// No kernel is built for more processors.
const MAX_CORES: usize = 8192;

impl Host {
    /// `/proc/stat`.
    ///
    /// # Errors
    /// The file cannot be read, or has no `cpu` line ([`io::ErrorKind::InvalidData`]).
    pub fn cpu_stat(&mut self) -> io::Result<CpuStat> {
        self.parse(FILE, parse_stat)
    }

    /// The `cpuN` lines of `/proc/stat`: the processors that are online.
    ///
    /// # Errors
    /// The file cannot be read, or has no such line ([`io::ErrorKind::InvalidData`]).
    pub fn cpu_cores(&mut self, into: &mut Vec<CoreTimes>) -> io::Result<()> {
        self.parse(FILE, |bytes| parse_cores(bytes, into))
    }

    /// Threads that run or wait for a processor now, the reader's own among them (`procs_running` of `/proc/stat`).
    ///
    /// # Errors
    /// The file cannot be read, or does not tell ([`io::ErrorKind::InvalidData`]).
    pub fn run_queue(&mut self) -> io::Result<u64> {
        self.parse(FILE, parse_running)
    }
}

pub(super) fn parse_stat(bytes: &[u8]) -> Result<CpuStat, &'static str> {
    let mut times = None;
    let mut stat = CpuStat::default();
    for line in lines(bytes) {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("cpu") => times = times.or_else(|| parse_times(words)),
            Some("ctxt") => stat.context_switches = words.next().and_then(|word| word.parse().ok()),
            Some("procs_running") => stat.running = words.next().and_then(|word| word.parse().ok()),
            // The first number is the sum of the hundreds that follow.
            Some("intr") => stat.interrupts = words.next().and_then(|word| word.parse().ok()),
            Some(word) if is_one_processor(word) => stat.count = stat.count.saturating_add(1),
            _ => {}
        }
    }
    stat.times = times.ok_or("no usable `cpu` line")?;
    stat.count = stat.count.max(1);
    Ok(stat)
}

fn is_one_processor(word: &str) -> bool {
    word.strip_prefix("cpu").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn parse_times<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<CpuTimes> {
    let [user, nice, system, idle] = numbers(&mut words)?;
    let mut later = [0; 6];
    for (slot, word) in later.iter_mut().zip(words) {
        *slot = word.parse().unwrap_or(0);
    }
    let [iowait, irq, softirq, steal, guest, guest_nice] = later;
    Some(CpuTimes { user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice })
}

fn parse_cores(bytes: &[u8], into: &mut Vec<CoreTimes>) -> Result<(), &'static str> {
    into.clear();
    into.extend(lines(bytes).filter_map(parse_core).take(MAX_CORES));
    if into.is_empty() { Err("no usable `cpuN` line") } else { Ok(()) }
}

fn parse_core(line: &str) -> Option<CoreTimes> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next().filter(|word| is_one_processor(word))?;
    let number = name.strip_prefix("cpu")?.parse().ok()?;
    let times = parse_times(words)?;
    // As the shares of all processors have it: waiting for disks is not idle, and guests' time is part of user and nice.
    let busy = [times.user, times.nice, times.system, times.iowait, times.irq, times.softirq, times.steal];
    let total = busy.into_iter().fold(times.idle, u64::saturating_add);
    Some(CoreTimes { group: 0, number, idle: times.idle, total })
}

fn parse_running(bytes: &[u8]) -> Result<u64, &'static str> {
    let running = lines(bytes).find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "procs_running").then(|| number(&mut words))?
    });
    running.ok_or("no usable `procs_running` line")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL_6: &[u8] = b"cpu  10132153 290696 3084719 46828483 16683 0 25195 7 175628 3\n\
        cpu0 1393280 32966 572056 13343292 6130 0 17875 0 23933 0\n\
        cpu1 1335498 28612 502201 13359219 4120 0 7320 7 151695 3\n\
        intr 199292 2 0 0 0 0 0 0 0 1 0 0\nctxt 8735543\nbtime 1785500000\nprocesses 26442\n";

    #[test]
    fn reads_all_ten_columns() {
        let stat = parse_stat(KERNEL_6).unwrap();
        let times = CpuTimes {
            user: 10_132_153,
            nice: 290_696,
            system: 3_084_719,
            idle: 46_828_483,
            iowait: 16_683,
            irq: 0,
            softirq: 25_195,
            steal: 7,
            guest: 175_628,
            guest_nice: 3,
        };
        assert_eq!(
            stat,
            CpuStat {
                times,
                count: 2,
                context_switches: Some(8_735_543),
                interrupts: Some(199_292),
                dpcs: None,
                running: None
            }
        );
    }

    #[test]
    fn old_kernels_have_fewer_columns() {
        let of = |line: &str| parse_stat(line.as_bytes()).unwrap().times;
        assert_eq!(of("cpu 1 2 3 4\n"), CpuTimes { user: 1, nice: 2, system: 3, idle: 4, ..CpuTimes::default() });
        assert_eq!(of("cpu 1 2 3 4 5 6 7\n").softirq, 7);
        assert_eq!(of("cpu 1 2 3 4 5 6 7 8\n").steal, 8);
        assert_eq!(of("cpu 1 2 3 4 5 6 7 8 9\n"), CpuTimes { guest_nice: 0, ..of("cpu 1 2 3 4 5 6 7 8 9 0 11\n") });
    }

    #[test]
    fn what_is_missing_is_absent_and_not_zero() {
        let stat = parse_stat(b"cpu 1 2 3 4\n").unwrap();
        assert_eq!((stat.context_switches, stat.interrupts, stat.count), (None, None, 1));
    }

    #[test]
    fn garbage_is_skipped_and_a_file_without_times_is_an_error() {
        let stat = parse_stat(b"\xff\xfe\ncpu x\ncpufreq 3\ncpu-1 1\ncpu 1 2 3 4\nctxt\nintr -5\ncpu3").unwrap();
        assert_eq!((stat.times.idle, stat.count, stat.context_switches, stat.interrupts), (4, 1, None, None));
        for file in ["", "cpu", "cpu 1 2 3", "cpu 1 2 3 99999999999999999999", "cpu0 1 2 3 4"] {
            assert!(parse_stat(file.as_bytes()).is_err(), "{file:?}");
        }
    }

    #[test]
    fn every_truncation_is_survived() {
        for end in 0..KERNEL_6.len() {
            let file = &KERNEL_6[..end];
            let _ = (parse_stat(file), parse_cores(file, &mut Vec::new()), parse_running(file));
        }
    }

    #[test]
    fn each_processor_has_its_idle_share() {
        let mut cores = vec![CoreTimes::default(); 5];
        parse_cores(KERNEL_6, &mut cores).unwrap();
        let total = 1_393_280 + 32_966 + 572_056 + 13_343_292 + 6130 + 17_875;
        assert_eq!(cores[0], CoreTimes { group: 0, number: 0, idle: 13_343_292, total });
        assert_eq!((cores.len(), cores[1].number, cores[1].idle), (2, 1, 13_359_219));
        // Kernel 2.6.18 has no guest, and steal counts.
        parse_cores(b"cpu  9 9 9 9\ncpu7 1 2 3 4 5 6 7 8\n", &mut cores).unwrap();
        assert_eq!(cores, [CoreTimes { group: 0, number: 7, idle: 4, total: 36 }]);
    }

    #[test]
    fn processors_that_are_offline_or_damaged_cost_only_themselves() {
        let rows: String = (0..128).map(|n| format!("cpu{n} {n} 0 0 1000 0 0 0 0 0 0\n")).collect();
        let rows = rows.replace("cpu5 5 0", "cpu5 5 -1").replace("cpu9 9 0", "cpu9 \u{fffd}");
        let mut cores = Vec::new();
        parse_cores(format!("cpu 1 2 3 4\n{rows}cpu99999999999 1 2 3 4\ncpu1").as_bytes(), &mut cores).unwrap();
        assert_eq!(cores.len(), 126);
        assert_eq!((cores[125].number, cores[125].idle, cores[125].total), (127, 1000, 1127));
        let max = u64::MAX;
        parse_cores(format!("cpu0 {max} {max} {max} {max} {max}\n").as_bytes(), &mut cores).unwrap();
        assert_eq!((cores[0].idle, cores[0].total), (max, max));
        for file in ["", "cpu 1 2 3 4", "cpu0 1 2 3", "cpufreq 1 2 3 4"] {
            assert!(parse_cores(file.as_bytes(), &mut cores).is_err() && cores.is_empty(), "{file:?}");
        }
        let many: String = (0..9000).map(|n| format!("cpu{n} 1 2 3 4\n")).collect();
        parse_cores(many.as_bytes(), &mut cores).unwrap();
        assert_eq!(cores.len(), MAX_CORES);
    }

    // A kernel that printed a negative iowait had no cpu metrics at all.
    #[test]
    fn one_later_column_that_is_no_number_costs_itself() {
        let of = |line: &str| parse_stat(line.as_bytes()).unwrap().times;
        assert_eq!(of("cpu 1 2 3 4 -5 6 x 8 18446744073709551616 10\n"), of("cpu 1 2 3 4 0 6 0 8 0 10\n"));
        let mut cores = Vec::new();
        parse_cores(b"cpu0 1 2 3 4 -5 6\n", &mut cores).unwrap();
        assert_eq!(cores, [CoreTimes { group: 0, number: 0, idle: 4, total: 16 }]);
    }

    #[test]
    fn waiting_threads_are_told_or_refused() {
        assert_eq!(parse_running(b"ctxt 5\nprocs_running 3\nprocs_blocked 1\n"), Ok(3));
        assert_eq!(parse_stat(b"cpu 1 2 3 4\nprocs_running 3\n").unwrap().running, Some(3));
        for file in ["", "procs_running", "procs_running x", "procs_running -1", "procs_blocked 1"] {
            assert!(parse_running(file.as_bytes()).is_err(), "{file:?}");
        }
    }
}
