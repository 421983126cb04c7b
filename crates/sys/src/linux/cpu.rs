//! `/proc/stat`: the `cpu` line, the number of `cpuN` lines, `ctxt` and `intr`; and `/proc/loadavg`.
//!
//! Kernels differ in how many columns the `cpu` line has (4 in 2.4, 7 in 2.6, 8 with steal, 9 with guest, 10 since
//! 2.6.33): absent ones are 0. Values may step back between readings; nothing here compares readings.

use super::text::{lines, numbers};
use crate::types::{CpuStat, CpuTimes, LoadAvg};

pub(super) fn parse_stat(bytes: &[u8]) -> Result<CpuStat, &'static str> {
    let mut times = None;
    let mut stat = CpuStat::default();
    for line in lines(bytes) {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("cpu") => times = times.or_else(|| parse_times(words)),
            Some("ctxt") => stat.context_switches = words.next().and_then(|word| word.parse().ok()),
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

fn parse_times<'a>(words: impl Iterator<Item = &'a str>) -> Option<CpuTimes> {
    let columns = numbers(words)?;
    let [user, nice, system, idle, later @ ..] = columns.as_slice() else { return None };
    let later = |i: usize| later.get(i).copied().unwrap_or(0);
    Some(CpuTimes {
        user: *user,
        nice: *nice,
        system: *system,
        idle: *idle,
        iowait: later(0),
        irq: later(1),
        softirq: later(2),
        steal: later(3),
        guest: later(4),
        guest_nice: later(5),
    })
}

pub(super) fn parse_loadavg(bytes: &[u8]) -> Result<LoadAvg, &'static str> {
    let mut words = lines(bytes).next().unwrap_or("").split_ascii_whitespace();
    let mut load = || {
        let load: f64 = words.next()?.parse().ok()?;
        (load.is_finite() && load >= 0.0).then_some(load)
    };
    match (load(), load(), load()) {
        (Some(one), Some(five), Some(fifteen)) => Ok(LoadAvg { one, five, fifteen }),
        _ => Err("not three load averages"),
    }
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
            CpuStat { times, count: 2, context_switches: Some(8_735_543), interrupts: Some(199_292), dpcs: None }
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
            let _ = parse_stat(&KERNEL_6[..end]);
        }
    }

    #[test]
    fn load_averages_are_three_finite_numbers() {
        let load = parse_loadavg(b"0.20 1.18 12.75 1/80 11206\n").unwrap();
        assert_eq!(load, LoadAvg { one: 0.20, five: 1.18, fifteen: 12.75 });
        for file in ["", "1 2", "1 2 x", "nan 1 1", "1 inf 1", "1 1 -1"] {
            assert!(parse_loadavg(file.as_bytes()).is_err(), "{file:?}");
        }
    }
}
