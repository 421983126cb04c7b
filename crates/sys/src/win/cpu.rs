//! Processors: NtQuerySystemInformationEx once per processor group.
//!
//! Where no NT call answers, GetSystemTimes is the last resort, which sees one group only. Which of them answers never
//! changes while a system runs, so differences stay meaningful.
//!
//! Context switches come from the processors' own counts, as DPCs do: the system's total in
//! SystemPerformanceInformation is their sum in 32 bits, which 64 busy processors wrap within the hour. There is no
//! falling back from one to the other, for a source that changes is a counter that jumps.

use super::ffi::{Buffer, check, ticks};
use super::ntdll::{Class, processor_power, query_groups};
use crate::layout::processor::{POWER_BYTES, SWITCHES_BYTES, TIMES_BYTES, Times, mean_mhz, switches, times};
use crate::layout::widened::Widened;
use crate::types::{CoreTimes, CpuStat, CpuTimes};
use std::io;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{ALL_PROCESSOR_GROUPS, GetActiveProcessorCount, GetSystemTimes};

/// What the processors count in 32 bits.
#[derive(Debug, Default)]
pub(super) struct Counts {
    interrupts: Widened,
    context_switches: Widened,
    dpcs: Widened,
}

pub(super) fn stat(counts: &mut Counts, buffer: &mut Buffer) -> io::Result<CpuStat> {
    let mut stat = CpuStat::default();
    let read = query_groups(Class::ProcessorPerformance, TIMES_BYTES, buffer, |group, bytes| {
        times(bytes).for_each(|times| add(&mut stat, times));
        counts.interrupts.add(group, times(bytes).map(|times| times.interrupts));
    });
    match read {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => return system_times(),
        other => other?,
    }
    stat.interrupts = Some(counts.interrupts.sum());
    // A host that does not tell these still has its times.
    let read = query_groups(Class::Interrupts, SWITCHES_BYTES, buffer, |group, bytes| {
        counts.context_switches.add(group, switches(bytes).map(|processor| processor.context_switches));
        counts.dpcs.add(group, switches(bytes).map(|processor| processor.dpcs));
    });
    // No system runs without switching: zeros are records that nobody filled.
    if read.is_ok() && counts.context_switches.sum() > 0 {
        stat.context_switches = Some(counts.context_switches.sum());
        stat.dpcs = Some(counts.dpcs.sum());
    }
    Ok(stat)
}

fn add(stat: &mut CpuStat, processor: Times) {
    let times = &mut stat.times;
    times.user = times.user.saturating_add(processor.user);
    // Idle is in the kernel's time, and may be read a moment later.
    times.system = times.system.saturating_add(processor.kernel.saturating_sub(processor.idle));
    times.idle = times.idle.saturating_add(processor.idle);
    times.irq = times.irq.saturating_add(processor.interrupt);
    times.softirq = times.softirq.saturating_add(processor.dpc);
    stat.count = stat.count.saturating_add(1);
}

pub(super) fn cores(buffer: &mut Buffer, into: &mut Vec<CoreTimes>) -> io::Result<()> {
    into.clear();
    query_groups(Class::ProcessorPerformance, TIMES_BYTES, buffer, |group, bytes| {
        into.extend(times(bytes).zip(0..).map(|(times, number)| CoreTimes {
            group,
            number,
            idle: times.idle,
            total: times.kernel.saturating_add(times.user),
        }));
    })
}

pub(super) fn mhz(buffer: &mut Buffer) -> io::Result<f64> {
    let no_clock = || io::Error::new(io::ErrorKind::InvalidData, "no processor tells its clock");
    mean_mhz(processor_power(POWER_BYTES, buffer)?).ok_or_else(no_clock)
}

fn system_times() -> io::Result<CpuStat> {
    let [mut idle, mut kernel, mut user] = [FILETIME::default(); 3];
    // SAFETY: three pointers to live structures.
    check(unsafe { GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user) })?;
    // SAFETY: the call takes a number.
    let count = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) }.max(1);
    let times = CpuTimes {
        user: ticks(user),
        system: ticks(kernel).saturating_sub(ticks(idle)),
        idle: ticks(idle),
        ..CpuTimes::default()
    };
    Ok(CpuStat { times, count, ..CpuStat::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_add_up_and_interrupt_time_is_not_counted_twice() {
        let mut stat = CpuStat::default();
        add(&mut stat, Times { idle: 60, kernel: 80, user: 20, dpc: 3, interrupt: 4, interrupts: 9 });
        add(&mut stat, Times { idle: 10, kernel: 30, user: 70, dpc: 1, interrupt: 1, interrupts: 9 });
        let times = CpuTimes { user: 90, system: 40, idle: 70, irq: 5, softirq: 4, ..CpuTimes::default() };
        assert_eq!(stat, CpuStat { times, count: 2, ..CpuStat::default() });
    }

    #[test]
    fn idle_ahead_of_the_kernel_is_no_underflow_and_no_sum_overflows() {
        let mut stat = CpuStat::default();
        let max = u64::MAX;
        add(&mut stat, Times { idle: 11, kernel: 10, user: max, dpc: max, interrupt: max, interrupts: 0 });
        add(&mut stat, Times { idle: max, kernel: 0, user: max, dpc: max, interrupt: max, interrupts: 0 });
        assert_eq!((stat.times.system, stat.times.user, stat.times.idle), (0, max, max));
    }

    // The two sources are different calls: on a machine of one group they mean the same processors and the same boot.
    #[test]
    fn the_last_resort_agrees_with_the_groups() {
        let system = system_times().unwrap();
        let groups = stat(&mut Counts::default(), &mut Buffer::default()).unwrap();
        assert_eq!(system.count, groups.count);
        let total = |t: CpuTimes| t.user + t.system + t.idle;
        let (a, b) = (total(system.times), total(groups.times));
        assert!(a.abs_diff(b) <= a / 20, "{system:?} {groups:?}");
    }
}
