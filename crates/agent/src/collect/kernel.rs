//! `kernel.*`: how many files and processes the kernel allows, and how many files are open. Linux only: Windows has no such
//! limits.
//!
//! Source: `/proc/sys/fs` and `/proc/sys/kernel`. A file that cannot be read costs its own metrics alone.

use falcon_sys::Host;
use falcon_sys::types::KernelLimits;

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::model::{Metric, On, Sets, Tags};

const fn linux(name: &'static str, unit: &'static str, source: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::FALCON, source).on(On::Linux).help(help)
}

const MAX_FILES: Metric =
    linux("kernel.maxfiles", "files", "/proc/sys/fs/file-max", "open files that the kernel allows");
const MAX_PROC: Metric =
    linux("kernel.maxproc", "pids", "/proc/sys/kernel/pid_max", "pids, of processes and threads, that there can be");
const ALLOCATED: Metric =
    linux("kernel.files.allocated", "files", "/proc/sys/fs/file-nr", "file handles that the kernel has allocated");
const LEFT: Metric =
    linux("kernel.files.left", "files", "/proc/sys/fs/file-max, file-nr", "kernel.maxfiles - kernel.files.allocated");

pub(super) const SPEC: Spec = Spec {
    name: "kernel",
    check: "kernel",
    lane: Lane::Host,
    rates: false,
    metrics: &[MAX_FILES, MAX_PROC, ALLOCATED, LEFT],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Kernel { host: cx.host.clone() }))),
};

struct Kernel {
    host: Host,
}

impl Collector for Kernel {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            emit(cx, &self.host.kernel_limits()?);
        }
        Ok(())
    }
}

fn emit(cx: &mut Cx<'_>, limits: &KernelLimits) {
    let files = [
        (&MAX_FILES, "fs/file-max", limits.max_files),
        (&MAX_PROC, "kernel/pid_max", limits.max_proc),
        (&ALLOCATED, "fs/file-nr", limits.files_allocated),
    ];
    for (metric, file, value) in files {
        match value {
            Some(value) => cx.emit(metric, &Tags::NONE, float(value)),
            None => cx.problem(file, "cannot be read, or is no number"),
        }
    }
    if let (Some(most), Some(allocated)) = (limits.max_files, limits.files_allocated) {
        // The superuser may open more than the limit.
        cx.emit(&LEFT, &Tags::NONE, float(most.saturating_sub(allocated)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::Platform;

    fn said(limits: KernelLimits) -> (Vec<(String, f64)>, usize) {
        let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| emit(cx, &limits));
        let values = said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect();
        (values, said.problems.len())
    }

    fn named<const N: usize>(expected: [(&str, f64); N]) -> Vec<(String, f64)> {
        expected.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    #[test]
    fn a_limit_of_the_64_bits_of_a_modern_kernel_is_no_overflow() {
        let limits =
            KernelLimits { max_files: Some(i64::MAX as u64), max_proc: Some(4_194_304), files_allocated: Some(1024) };
        let huge = float(i64::MAX as u64);
        let expected = named([
            ("kernel.maxfiles", huge),
            ("kernel.maxproc", 4_194_304.0),
            ("kernel.files.allocated", 1024.0),
            ("kernel.files.left", float(i64::MAX as u64 - 1024)),
        ]);
        assert_eq!(said(limits), (expected, 0));
    }

    /// The Go agent's list ended at the first file that could not be read.
    #[test]
    fn a_file_that_cannot_be_read_costs_its_own_metrics_alone() {
        let limits = KernelLimits { max_files: None, max_proc: Some(32_768), files_allocated: Some(7) };
        assert_eq!(said(limits), (named([("kernel.maxproc", 32_768.0), ("kernel.files.allocated", 7.0)]), 1));
        assert_eq!(said(KernelLimits::default()), (Vec::new(), 3));
    }

    #[test]
    fn more_open_files_than_allowed_leave_none_and_not_fewer() {
        let limits = KernelLimits { max_files: Some(10), max_proc: Some(1), files_allocated: Some(12) };
        assert_eq!(said(limits).0.last(), Some(&("kernel.files.left".to_owned(), 0.0)));
    }
}
