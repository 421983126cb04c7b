//! `sys.*`: totals of the whole system: processes, threads, handles, time since boot; on Windows also system calls and
//! exceptions. (`sys.proc.queue` belongs to the load.)
//!
//! Linux: `/proc`, `/proc/loadavg`, `/proc/uptime`. Windows: GetPerformanceInfo, GetTickCount64, and the system's own
//! counts by NtQuerySystemInformation.

use std::io;

use falcon_sys::Host;
use falcon_sys::types::SysInfo;

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::model::{Metric, On, Sets, Tags};

const PROCESSES: Metric = Metric::gauge(
    "sys.processes",
    "processes",
    Sets::EXTENDED,
    "directories of /proc; PERFORMANCE_INFORMATION.ProcessCount",
)
.help("all there are");
const THREADS: Metric = Metric::gauge(
    "sys.threads",
    "threads",
    Sets::EXTENDED,
    "/proc/loadavg, number of scheduling entities; PERFORMANCE_INFORMATION.ThreadCount",
)
.help("of all processes and of the kernel");
const HANDLES: Metric = Metric::gauge("sys.handles", "handles", Sets::EXTENDED, "PERFORMANCE_INFORMATION.HandleCount")
    .on(On::Windows)
    .help("open in all processes");
const UPTIME: Metric = Metric::gauge("sys.uptime", "s", Sets::EXTENDED, "/proc/uptime; GetTickCount64")
    .help("since boot; on Windows a fast start-up goes on counting");
const SYSCALLS: Metric =
    Metric::counter("sys.syscalls", "calls", Sets::EXTENDED, "SYSTEM_PERFORMANCE_INFORMATION.SystemCalls")
        .on(On::Windows)
        .help("system calls of all processors");
const EXCEPTIONS: Metric = Metric::counter(
    "sys.exceptions",
    "exceptions",
    Sets::EXTENDED,
    "SYSTEM_EXCEPTION_INFORMATION.ExceptionDispatchCount",
)
.on(On::Windows)
.help("exceptions that the system dispatched");

pub(super) const SPEC: Spec = Spec {
    name: "sys",
    check: "sys",
    lane: Lane::Host,
    rates: false,
    metrics: &[PROCESSES, THREADS, HANDLES, UPTIME, SYSCALLS, EXCEPTIONS],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Sys { host: cx.host.clone() }))),
};

struct Sys {
    host: Host,
}

impl Collector for Sys {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if [&PROCESSES, &THREADS, &HANDLES, &UPTIME].into_iter().any(|metric| cx.wants(metric)) {
            match self.host.sys_info() {
                Ok(info) => emit(cx, &info),
                Err(error) => cx.problem("totals", error),
            }
        }
        if cx.wants(&SYSCALLS) {
            emit_count(cx, &SYSCALLS, "system calls", self.host.paging().map(|paging| paging.syscalls));
        }
        if cx.wants(&EXCEPTIONS) {
            emit_count(cx, &EXCEPTIONS, "exceptions", self.host.exceptions());
        }
        Ok(())
    }
}

/// A system that does not count this is no failure.
fn emit_count(cx: &mut Cx<'_>, metric: &'static Metric, what: &str, count: io::Result<u64>) {
    match count {
        Ok(count) => cx.emit(metric, &Tags::NONE, float(count)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(error) => cx.problem(what, error),
    }
}

fn emit(cx: &mut Cx<'_>, info: &SysInfo) {
    let totals =
        [(&PROCESSES, info.processes), (&THREADS, info.threads), (&HANDLES, info.handles), (&UPTIME, info.uptime_s)];
    for (metric, value) in totals {
        if let Some(value) = value {
            cx.emit(metric, &Tags::NONE, float(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::Platform;

    fn said(info: SysInfo, platform: Platform) -> Vec<(String, f64)> {
        let (_, said) = with_cx(Sets::EXTENDED, platform, |cx| emit(cx, &info));
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
    }

    #[test]
    fn a_count_that_the_system_does_not_keep_is_no_problem_and_one_that_fails_is() {
        let said = |count| with_cx(Sets::EXTENDED, Platform::Windows, |cx| emit_count(cx, &SYSCALLS, "x", count)).1;
        assert_eq!(said(Ok(u64::MAX)).samples.len(), 1);
        let absent = said(Err(io::ErrorKind::Unsupported.into()));
        assert!(absent.samples.is_empty() && absent.problems.is_empty());
        assert_eq!(said(Err(io::ErrorKind::PermissionDenied.into())).problems.len(), 1);
    }

    #[test]
    fn what_the_platform_does_not_tell_is_absent() {
        let info = SysInfo { processes: Some(1), threads: None, handles: Some(3), uptime_s: Some(u64::MAX) };
        let uptime = ("sys.uptime".to_owned(), 18_446_744_073_709_551_615.0);
        let processes = ("sys.processes".to_owned(), 1.0);
        assert_eq!(said(info, Platform::Linux), [processes.clone(), uptime.clone()], "handles are Windows' own");
        assert_eq!(said(info, Platform::Windows), [processes, ("sys.handles".to_owned(), 3.0), uptime]);
        assert!(said(SysInfo::default(), Platform::Windows).is_empty());
    }
}
