//! `cpu.*`: shares of the processors' time over the whole interval, from two readings of the kernel's totals.
//!
//! Linux: `/proc/stat`. Windows: SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION over every processor group. A kernel counter
//! that steps back (idle and iowait do) counts as no progress, never as a giant one. What is off by default is asked
//! for apart, so that its failure costs itself only.

use std::collections::HashMap;

use falcon_sys::Host;
use falcon_sys::types::{CoreTimes, CpuStat, CpuTimes};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::model::{Metric, On, Platform, Sets, Tags};

const SHARES: &str = "/proc/stat cpu; NtQuerySystemInformationEx(SystemProcessorPerformanceInformation)";
const SHARES_WINDOWS: &str = "NtQuerySystemInformationEx(SystemProcessorPerformanceInformation)";
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
const SWITCHES: Metric = Metric::counter(
    "cpu.switches",
    "switches",
    Sets::FALCON,
    "/proc/stat ctxt; SYSTEM_INTERRUPT_INFORMATION.ContextSwitches",
)
.help("context switches, all processors");
const COUNT: Metric = Metric::gauge(
    "cpu.cnt",
    "processors",
    Sets::EXTENDED,
    "/proc/stat cpuN; records of SystemProcessorPerformanceInformation",
)
.help("logical processors that are online");
const INTERRUPTS: Metric = Metric::counter(
    "cpu.interrupts",
    "interrupts",
    Sets::EXTENDED,
    "/proc/stat intr; SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION.InterruptCount",
)
.help("hardware interrupts, all processors");

const DPCS: Metric = Metric::counter("cpu.dpcs", "calls", Sets::EXTENDED, "SYSTEM_INTERRUPT_INFORMATION.DpcCount")
    .on(On::Windows)
    .help("deferred procedure calls, all processors");
const CORE_BUSY: Metric = Metric::gauge(
    "cpu.core.busy",
    "%",
    Sets::EXTENDED,
    "/proc/stat cpuN; NtQuerySystemInformationEx(SystemProcessorPerformanceInformation)",
)
.tags(&["core"])
.option("cores")
.help("100 - idle of one logical processor as in cpu.busy, by its group and number (Linux: group 0)");
const MHZ: Metric = Metric::gauge(
    "cpu.mhz",
    "MHz",
    Sets::EXTENDED,
    "/proc/cpuinfo, cpufreq/scaling_cur_freq; CallNtPowerInformation(ProcessorInformation)",
)
.option("frequency")
.help("present clock frequency, mean of all processors");
const SQL_BUSY: Metric =
    Metric::gauge("sqlserver.processor_info.total.processor_time", "%", Sets::WINDOWS_AGENT, SHARES_WINDOWS)
        .on(On::Windows)
        .help("100 - cpu.idle");

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
        DPCS,
        CORE_BUSY,
        MHZ,
        SQL_BUSY,
    ],
    options: &[],
    open: |cx: &Context| {
        let cores = Cores::default();
        Ok(Some(Box::new(Cpu { host: cx.host.clone(), before: None, table: Vec::new(), cores })))
    },
};

struct Cpu {
    host: Host,
    before: Option<CpuTimes>,
    /// Read into again and again.
    table: Vec<CoreTimes>,
    cores: Cores,
}

impl Collector for Cpu {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let stat = self.host.cpu_stat()?;
        if let Some(before) = self.before.replace(stat.times) {
            emit_shares(cx, &before, &stat.times, Platform::CURRENT);
        }
        emit_totals(cx, &stat);
        if cx.wants(&CORE_BUSY) {
            match self.host.cpu_cores(&mut self.table) {
                Ok(()) => self.cores.emit(cx, &self.table),
                Err(error) => cx.problem("times of each processor", error),
            }
        }
        if cx.wants(&MHZ) {
            match self.host.cpu_mhz() {
                Ok(mhz) => cx.emit(&MHZ, &Tags::NONE, mhz),
                Err(error) => cx.problem("clock frequency", error),
            }
        }
        Ok(())
    }
}

/// The processors by group and number.
#[derive(Default)]
struct Cores {
    seen: HashMap<(u16, u32), Core>,
    cycle: u64,
}

struct Core {
    tags: Tags,
    before: CoreTimes,
    /// The cycle in which it was last there.
    cycle: u64,
}

impl Cores {
    /// Says those that were there before; one that went offline is forgotten.
    fn emit(&mut self, cx: &mut Cx<'_>, table: &[CoreTimes]) {
        self.cycle += 1;
        for now in table {
            let core = self.seen.entry((now.group, now.number)).or_insert_with(|| Core {
                tags: Tags::of(&[("core", &format!("{}_{}", now.group, now.number))]),
                before: *now,
                cycle: 0,
            });
            core.cycle = self.cycle;
            if let Some(busy) = core_busy(&core.before, now) {
                cx.emit(&CORE_BUSY, &core.tags, busy);
            }
            core.before = *now;
        }
        self.seen.retain(|_, core| core.cycle == self.cycle);
    }
}

/// `None` where no time has passed, or it stepped back.
fn core_busy(before: &CoreTimes, now: &CoreTimes) -> Option<f64> {
    let total = now.total.checked_sub(before.total).filter(|total| *total > 0)?;
    let idle = now.idle.saturating_sub(before.idle).min(total);
    Some(percent(float(total - idle), float(total)))
}

fn emit_totals(cx: &mut Cx<'_>, stat: &CpuStat) {
    cx.emit(&COUNT, &Tags::NONE, f64::from(stat.count));
    if let Some(switches) = stat.context_switches {
        cx.emit(&SWITCHES, &Tags::NONE, float(switches));
    }
    if let Some(interrupts) = stat.interrupts {
        cx.emit(&INTERRUPTS, &Tags::NONE, float(interrupts));
    }
    if let Some(dpcs) = stat.dpcs {
        cx.emit(&DPCS, &Tags::NONE, float(dpcs));
    }
}

/// What the processors did between two readings, in percent of their time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shares {
    pub idle: f64,
    pub busy: f64,
    pub user: f64,
    pub nice: f64,
    pub system: f64,
    pub iowait: f64,
    pub irq: f64,
    pub softirq: f64,
    pub steal: f64,
    pub guest: f64,
}

pub(crate) fn shares(before: &CpuTimes, now: &CpuTimes, platform: Platform) -> Shares {
    let gone = |field: fn(&CpuTimes) -> u64| float(field(now).saturating_sub(field(before)));
    let (user, nice, system, idle) = (gone(|t| t.user), gone(|t| t.nice), gone(|t| t.system), gone(|t| t.idle));
    let (iowait, irq, softirq, steal) = (gone(|t| t.iowait), gone(|t| t.irq), gone(|t| t.softirq), gone(|t| t.steal));
    // guest is part of user, guest_nice of nice. On Windows interrupts and DPCs are part of system.
    let total = match platform {
        Platform::Linux => user + nice + system + idle + iowait + irq + softirq + steal,
        Platform::Windows => user + system + idle,
    };
    let idle_share = percent(idle, total);
    Shares {
        idle: idle_share,
        busy: if total > 0.0 { 100.0 - idle_share } else { 0.0 },
        user: percent(user, total),
        nice: percent(nice, total),
        system: percent(system, total),
        iowait: percent(iowait, total),
        irq: percent(irq, total),
        softirq: percent(softirq, total),
        steal: percent(steal, total),
        guest: percent(gone(|t| t.guest), total),
    }
}

fn emit_shares(cx: &mut Cx<'_>, before: &CpuTimes, now: &CpuTimes, platform: Platform) {
    let of = shares(before, now, platform);
    let shares = [
        (&IDLE, of.idle),
        (&BUSY, of.busy),
        (&SQL_BUSY, of.busy),
        (&USER, of.user),
        (&SYSTEM, of.system),
        (&IRQ, of.irq),
        (&SOFTIRQ, of.softirq),
        (&NICE, of.nice),
        (&IOWAIT, of.iowait),
        (&STEAL, of.steal),
        (&GUEST, of.guest),
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
mod tests;
