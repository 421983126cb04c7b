//! `cpu.*`: shares of the processors' time over the whole interval, from two readings of the kernel's totals.
//!
//! Linux: `/proc/stat`. Windows: SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION over every processor group. A kernel counter
//! that steps back (idle and iowait do) counts as no progress, never as a giant one.

use falcon_sys::Host;
use falcon_sys::types::{CpuStat, CpuTimes};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::model::{Metric, On, Platform, Sets, Tags};

const SHARES: &str = "/proc/stat cpu; NtQuerySystemInformationEx(SystemProcessorPerformanceInformation)";
const LINUX: Sets = Sets::FALCON.and(Sets::LEONZYANG);
const ZERO: &str = "constant 0: Windows has no such time, and that agent sent it so";

const IDLE: Metric = Metric::gauge("cpu.idle", "%", Sets::LEGACY, SHARES).help("time without work");
const BUSY: Metric =
    Metric::gauge("cpu.busy", "%", Sets::GO, SHARES).help("100 - cpu.idle, so waiting for disks counts");
const USER: Metric = Metric::gauge("cpu.user", "%", Sets::LEGACY, SHARES).help("time in programs");
const SYSTEM: Metric = Metric::gauge("cpu.system", "%", Sets::LEGACY, SHARES)
    .help("time in the kernel; on Windows with interrupts and DPCs, which cpu.irq and cpu.softirq tell apart");
const IRQ: Metric = Metric::gauge("cpu.irq", "%", LINUX, SHARES).help("time in interrupt handlers");
const SOFTIRQ: Metric =
    Metric::gauge("cpu.softirq", "%", LINUX, SHARES).help("time in soft interrupts (Windows: DPCs)");
const NICE: Metric =
    Metric::gauge("cpu.nice", "%", LINUX, "/proc/stat cpu").on(On::Linux).help("time in niced programs");
const IOWAIT: Metric = Metric::gauge("cpu.iowait", "%", LINUX, "/proc/stat cpu")
    .on(On::Linux)
    .help("idle time with disk requests waiting");
const STEAL: Metric = Metric::gauge("cpu.steal", "%", LINUX, "/proc/stat cpu")
    .on(On::Linux)
    .help("time that the hypervisor gave to others");
const GUEST: Metric =
    Metric::gauge("cpu.guest", "%", LINUX, "/proc/stat cpu").on(On::Linux).help("time running virtual processors");
const NICE_ZERO: Metric = Metric::gauge("cpu.nice", "%", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const IOWAIT_ZERO: Metric = Metric::gauge("cpu.iowait", "%", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const STEAL_ZERO: Metric = Metric::gauge("cpu.steal", "%", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const GUEST_ZERO: Metric = Metric::gauge("cpu.guest", "%", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const SWITCHES: Metric =
    Metric::counter("cpu.switches", "switches", Sets::FALCON, "/proc/stat ctxt").on(On::Linux).help("context switches");
const COUNT: Metric = Metric::gauge(
    "cpu.cnt",
    "processors",
    Sets::EXTENDED,
    "/proc/stat cpuN; GetActiveProcessorCount(ALL_PROCESSOR_GROUPS)",
)
.help("logical processors that are online");
const INTERRUPTS: Metric = Metric::counter(
    "cpu.interrupts",
    "interrupts",
    Sets::EXTENDED,
    "/proc/stat intr; SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION.InterruptCount",
)
.help("hardware interrupts, all processors");

pub(super) const SPEC: Spec = Spec {
    name: "cpu",
    check: "cpustat",
    lane: Lane::Host,
    rates: true,
    metrics: &[
        IDLE,
        BUSY,
        USER,
        SYSTEM,
        IRQ,
        SOFTIRQ,
        NICE,
        IOWAIT,
        STEAL,
        GUEST,
        NICE_ZERO,
        IOWAIT_ZERO,
        STEAL_ZERO,
        GUEST_ZERO,
        SWITCHES,
        COUNT,
        INTERRUPTS,
    ],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Cpu { host: cx.host.clone(), before: None }))),
};

struct Cpu {
    host: Host,
    before: Option<CpuTimes>,
}

impl Collector for Cpu {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let stat = self.host.cpu_stat()?;
        if let Some(before) = self.before.replace(stat.times) {
            emit_shares(cx, &before, &stat.times, Platform::CURRENT);
        }
        emit_totals(cx, &stat);
        Ok(())
    }
}

fn emit_totals(cx: &mut Cx<'_>, stat: &CpuStat) {
    cx.emit(&COUNT, &Tags::NONE, f64::from(stat.count));
    if let Some(switches) = stat.context_switches {
        cx.emit(&SWITCHES, &Tags::NONE, float(switches));
    }
    if let Some(interrupts) = stat.interrupts {
        cx.emit(&INTERRUPTS, &Tags::NONE, float(interrupts));
    }
}

fn emit_shares(cx: &mut Cx<'_>, before: &CpuTimes, now: &CpuTimes, platform: Platform) {
    let gone = |field: fn(&CpuTimes) -> u64| float(field(now).saturating_sub(field(before)));
    let (user, nice, system, idle) = (gone(|t| t.user), gone(|t| t.nice), gone(|t| t.system), gone(|t| t.idle));
    let (iowait, irq, softirq, steal) = (gone(|t| t.iowait), gone(|t| t.irq), gone(|t| t.softirq), gone(|t| t.steal));
    // guest is part of user, guest_nice of nice. On Windows interrupts and DPCs are part of system.
    let total = match platform {
        Platform::Linux => user + nice + system + idle + iowait + irq + softirq + steal,
        Platform::Windows => user + system + idle,
    };
    let idle_share = percent(idle, total);
    let shares = [
        (&IDLE, idle_share),
        (&BUSY, if total > 0.0 { 100.0 - idle_share } else { 0.0 }),
        (&USER, percent(user, total)),
        (&SYSTEM, percent(system, total)),
        (&IRQ, percent(irq, total)),
        (&SOFTIRQ, percent(softirq, total)),
        (&NICE, percent(nice, total)),
        (&IOWAIT, percent(iowait, total)),
        (&STEAL, percent(steal, total)),
        (&GUEST, percent(gone(|t| t.guest), total)),
        (&NICE_ZERO, 0.0),
        (&IOWAIT_ZERO, 0.0),
        (&STEAL_ZERO, 0.0),
        (&GUEST_ZERO, 0.0),
    ];
    for (metric, share) in shares {
        cx.emit(metric, &Tags::NONE, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use std::collections::BTreeMap;

    fn shares(before: CpuTimes, now: CpuTimes, sets: Sets, platform: Platform) -> BTreeMap<String, f64> {
        let (_, said) = with_cx(sets, platform, |cx| emit_shares(cx, &before, &now, platform));
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
    }

    #[test]
    fn linux_shares_add_up_and_guest_is_not_counted_twice() {
        let before = CpuTimes::default();
        let now = CpuTimes {
            user: 30,
            nice: 10,
            system: 10,
            idle: 40,
            iowait: 4,
            irq: 1,
            softirq: 2,
            steal: 3,
            guest: 20,
            guest_nice: 5,
        };
        let said = shares(before, now, Sets::FALCON, Platform::Linux);
        assert_eq!(said["cpu.idle"], 40.0);
        assert_eq!(said["cpu.busy"], 60.0);
        assert_eq!(said["cpu.user"], 30.0);
        assert_eq!(said["cpu.guest"], 20.0);
        assert_eq!(said["cpu.steal"], 3.0);
        assert_eq!(said.len(), 10, "{said:?}");
    }

    #[test]
    fn windows_counts_interrupts_within_system() {
        let now = CpuTimes { user: 20, system: 30, idle: 50, irq: 5, softirq: 10, ..CpuTimes::default() };
        let said = shares(CpuTimes::default(), now, Sets::FALCON, Platform::Windows);
        assert_eq!((said["cpu.system"], said["cpu.irq"], said["cpu.softirq"]), (30.0, 5.0, 10.0));
        assert_eq!(said["cpu.user"] + said["cpu.system"] + said["cpu.idle"], 100.0);
        assert!(!said.contains_key("cpu.iowait"));
        let zeros = shares(CpuTimes::default(), now, Sets::LEONZYANG, Platform::Windows);
        assert_eq!(zeros["cpu.iowait"], 0.0);
    }

    /// The Go agent subtracts unsigned: iowait going back by one tick made it say 1.8e19 percent.
    #[test]
    fn a_counter_that_steps_back_is_no_progress() {
        let before = CpuTimes { user: 100, idle: 1000, iowait: 50, ..CpuTimes::default() };
        let now = CpuTimes { user: 150, idle: 1050, iowait: 49, ..CpuTimes::default() };
        let said = shares(before, now, Sets::FALCON, Platform::Linux);
        assert_eq!((said["cpu.iowait"], said["cpu.idle"], said["cpu.user"]), (0.0, 50.0, 50.0));
    }

    #[test]
    fn two_equal_readings_are_all_zero() {
        let times = CpuTimes { user: 1, idle: 2, ..CpuTimes::default() };
        assert!(shares(times, times, Sets::FALCON, Platform::Linux).values().all(|share| *share == 0.0));
    }
}
