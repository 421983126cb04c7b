//! `process.*`: what the processes of a configured name use together; and of SQL Server's first two processes what the
//! Python agent said.
//!
//! Linux: `/proc/PID/comm`, `stat`, `io`, `fd` and `cmdline`. Windows: one SYSTEM_PROCESS_INFORMATION snapshot. All processes are listed once a
//! cycle, whatever is asked. Names: `collector.process`, compared on Linux with the kernel's own name of the process,
//! which the command line completes where it is cut at 15 bytes, on Windows with the image's name; see [`pattern`].
//! Several names may fit one process.
//!
//! What runs is accounted by process, see [`gains`]; so one that ends takes nothing away. A sum of which one process cannot
//! be read is absent.

pub(crate) mod gains;
mod pattern;

use falcon_sys::Host;
use falcon_sys::types::Proc;

use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec, float};
use crate::config::NameSet;
use crate::model::{Metric, On, Platform, Sets, Tags};
use gains::{Cpu, Gains, Seen};
use pattern::Pattern;

const NAME: &[&str] = &["name"];
const STAT: &str = "/proc/PID/stat; SYSTEM_PROCESS_INFORMATION";
const FD: &str = "/proc/PID/fd; SYSTEM_PROCESS_INFORMATION.HandleCount";
const IO: &str = "/proc/PID/io; SYSTEM_PROCESS_INFORMATION.ReadTransferCount, WriteTransferCount";
const SQLSERVR: &str = "SYSTEM_PROCESS_INFORMATION";

/// In every name set: who lists a process in the configuration wants to hear of it.
const fn of_name(name: &'static str, unit: &'static str, source: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::ALL, source).tags(NAME).help(help)
}
const fn bytes(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, "B", Sets::ALL, IO).tags(NAME).help(help)
}
const fn python(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "%", Sets::WINDOWS_AGENT, SQLSERVR).on(On::Windows).help(help)
}

const COUNT: Metric = of_name("process.count", "processes", STAT, "that run under this name; 0: none does");
const CPU: Metric = of_name("process.cpu.all", "%", STAT, "of one processor, mean over the interval");
const CPU_USER: Metric = of_name("process.cpu.user", "%", STAT, "of one processor, in the program's own code");
const CPU_SYS: Metric = of_name("process.cpu.sys", "%", STAT, "of one processor, in the kernel for it");
const MEM: Metric = of_name("process.mem", "B", STAT, "resident set; Windows: private bytes (commit)");
const WORKING_SET: Metric =
    of_name("process.mem.ws", "B", "SYSTEM_PROCESS_INFORMATION.WorkingSetSize", "working set").on(On::Windows);
const THREADS: Metric = of_name("process.threads", "threads", STAT, "all threads");
const HANDLES: Metric = of_name("process.handles", "handles", FD, "open handles (Linux: file descriptors)");
const UPTIME: Metric = of_name("process.uptime", "s", STAT, "since the oldest one began");
const READ: Metric = bytes("process.io.read_bytes", "read since the agent began; Linux: from storage alone");
const WRITTEN: Metric = bytes("process.io.write_bytes", "written since the agent began; Linux: to storage alone");
const SQL_KERNEL: Metric = python(
    "sqlserver.proc.sqlservr.privileged_time",
    "of one processor, in the kernel for the first sqlservr, 100 at most",
);
const SQL_CPU: Metric = python(
    "sqlserver.proc.sqlservr.1.processor_time",
    "of one processor, the second sqlservr, 100 at most; absent where one alone runs",
);

const SQL_IMAGE: &str = "sqlservr";

pub(super) const SPEC: Spec = Spec {
    name: "process",
    check: "",
    lane: Lane::Host,
    rates: true,
    metrics: &[
        COUNT,
        CPU,
        CPU_USER,
        CPU_SYS,
        MEM,
        WORKING_SET,
        THREADS,
        HANDLES,
        UPTIME,
        READ,
        WRITTEN,
        SQL_KERNEL,
        SQL_CPU,
    ],
    options: &[],
    open: |cx: &Context| {
        let collector = &cx.config.collector;
        let sql = Platform::CURRENT == Platform::Windows && collector.names.contains(&NameSet::WindowsAgent);
        if collector.process.is_empty() && !sql {
            return Ok(None);
        }
        Ok(Some(Box::new(Processes {
            host: cx.host.clone(),
            guard: Guard::new(Guarded::Processes, &cx.config, &cx.stats),
            names: collector.process.iter().map(|name| Watched::new(name, Platform::CURRENT)).collect(),
            sql: sql.then(|| Pattern::new(SQL_IMAGE, Platform::CURRENT)),
            shown: Vec::new(),
            table: Vec::new(),
            seen: Seen::default(),
        })))
    },
};

struct Processes {
    host: Host,
    guard: Guard,
    names: Vec<Watched>,
    /// Asked for by the name set, not by the configuration.
    sql: Option<Pattern>,
    /// Places in `names` of what is reported.
    shown: Vec<usize>,
    /// Read into again and again.
    table: Vec<Proc>,
    seen: Seen,
}

impl Collector for Processes {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let Processes { host, guard, names, sql, shown, table, seen } = self;
        shown.clear();
        shown.extend(0..names.len());
        let name = |place: &usize| names.get(*place).map_or_else(String::new, |watched| watched.name.clone());
        guard.apply(cx, shown, name, |_| 0);
        let mut wanted = |name: &str| {
            let mut watched = shown.iter().filter_map(|place| names.get(*place)).map(|watched| &watched.pattern);
            watched.any(|pattern| pattern.fits(name)) || sql.as_ref().is_some_and(|pattern| pattern.fits(name))
        };
        seen.pass(cx.tick.elapsed);
        host.processes(&mut wanted, table)?;
        let gains = seen.advance(table);
        for place in &*shown {
            if let Some(watched) = names.get_mut(*place) {
                watched.report(cx, table, gains);
            }
        }
        if let Some(pattern) = sql {
            emit_sql(cx, pattern, table, gains);
        }
        Ok(())
    }
}

/// One configured name.
struct Watched {
    name: String,
    pattern: Pattern,
    tags: Tags,
    /// Since the agent began, of all processes that fitted.
    read_bytes: u64,
    written_bytes: u64,
}

impl Watched {
    fn new(name: &str, platform: Platform) -> Watched {
        Watched {
            name: name.to_owned(),
            pattern: Pattern::new(name, platform),
            tags: Tags::of(&[("name", name)]),
            read_bytes: 0,
            written_bytes: 0,
        }
    }

    fn report(&mut self, cx: &mut Cx<'_>, table: &[Proc], gains: Gains<'_>) {
        let Watched { pattern, tags, read_bytes, written_bytes, .. } = self;
        let fitting = || table.iter().zip(gains.all).filter(|(process, _)| pattern.fits(&process.name));
        let count = fitting().count();
        cx.emit(&COUNT, tags, float(u64::try_from(count).unwrap_or(u64::MAX)));
        if count == 0 {
            return;
        }
        for (_, gain) in fitting() {
            *read_bytes = read_bytes.saturating_add(gain.read_bytes);
            *written_bytes = written_bytes.saturating_add(gain.written_bytes);
        }
        let cpu = fitting().filter_map(|(_, gain)| gain.cpu).reduce(Cpu::plus);
        if let Some(cpu) = cpu {
            let shares = [(&CPU, cpu.total_us()), (&CPU_USER, cpu.user_us), (&CPU_SYS, cpu.kernel_us)];
            for (metric, us) in shares {
                if let Some(percent) = gains.percent_of_one_cpu(us) {
                    cx.emit(metric, tags, percent);
                }
            }
        }
        // What one of them keeps from us leaves no sum.
        let sum = |of: fn(&Proc) -> Option<u64>| {
            fitting().try_fold(0u64, |sum, (process, _)| Some(sum.saturating_add(of(process)?)))
        };
        let is_told = |of: fn(&Proc) -> Option<u64>| fitting().all(|(process, _)| of(process).is_some());
        let values = [
            (&MEM, sum(|process| process.memory_bytes)),
            (&WORKING_SET, sum(|process| Some(process.working_set_bytes))),
            (&THREADS, sum(|process| Some(process.threads))),
            (&HANDLES, sum(|process| process.handles)),
            (&READ, is_told(|process| process.read_bytes).then_some(*read_bytes)),
            (&WRITTEN, is_told(|process| process.written_bytes).then_some(*written_bytes)),
        ];
        for (metric, value) in values {
            if let Some(value) = value {
                cx.emit(metric, tags, float(value));
            }
        }
        cx.emit(&UPTIME, tags, fitting().map(|(process, _)| process.age_s).fold(0.0, f64::max));
    }
}

/// The Python agent asked a counter that ends at 100, of processes that are told apart by their place in the list.
fn emit_sql(cx: &mut Cx<'_>, pattern: &Pattern, table: &[Proc], gains: Gains<'_>) {
    let mut found = table.iter().zip(gains.all).filter(|(process, _)| pattern.fits(&process.name));
    let (first, second) = (found.next(), found.next());
    let share = |us: u64| gains.percent_of_one_cpu(us).map(|percent| percent.min(100.0));
    if let Some(percent) = first.and_then(|(_, gain)| share(gain.cpu?.kernel_us)) {
        cx.emit(&SQL_KERNEL, &Tags::NONE, percent);
    }
    if let Some(percent) = second.and_then(|(_, gain)| share(gain.cpu?.total_us())) {
        cx.emit(&SQL_CPU, &Tags::NONE, percent);
    }
}

#[cfg(test)]
mod tests;
