//! `mem.*`: physical memory and swap; on Windows also the commit charge and the kernel's own memory.
//!
//! Linux: `/proc/meminfo`. Windows: GlobalMemoryStatusEx, EnumPageFilesW, GetPerformanceInfo. What cannot be read is
//! absent, never 0.

use falcon_sys::Host;
use falcon_sys::types::{CommitInfo, MemInfo, SwapInfo};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::model::{Metric, On, Platform, Sets, Tags};

const MEM: &str = "/proc/meminfo; GlobalMemoryStatusEx";
const SWAP: &str = "/proc/meminfo; EnumPageFilesW";
const PERF: &str = "GetPerformanceInfo";
const SWAP_PERCENT_SETS: Sets = Sets::FALCON.and(Sets::WINDOWS_AGENT);

const TOTAL: Metric = Metric::gauge("mem.memtotal", "B", Sets::GO, MEM).help("physical memory");
const FREE: Metric = Metric::gauge("mem.memfree", "B", Sets::GO, MEM)
    .help("what programs can still get, caches included (MemAvailable)");
const USED: Metric = Metric::gauge("mem.memused", "B", Sets::GO, MEM).help("total - free");
const FREE_PERCENT: Metric = Metric::gauge("mem.memfree.percent", "%", Sets::GO, MEM).help("free of total");
const USED_PERCENT: Metric = Metric::gauge("mem.memused.percent", "%", Sets::LEGACY, MEM).help("used of total");
const SWAP_TOTAL: Metric = Metric::gauge("mem.swaptotal", "B", Sets::FALCON, SWAP).help("swap space, page files");
const SWAP_FREE: Metric = Metric::gauge("mem.swapfree", "B", Sets::FALCON, SWAP).help("swap not in use");
const SWAP_USED: Metric = Metric::gauge("mem.swapused", "B", Sets::FALCON, SWAP).help("swap in use");
const SWAP_FREE_PERCENT: Metric =
    Metric::gauge("mem.swapfree.percent", "%", Sets::FALCON, SWAP).help("free of total; 0 without swap");
const SWAP_USED_PERCENT: Metric = Metric::gauge("mem.swapused.percent", "%", SWAP_PERCENT_SETS, SWAP)
    .help("used of total; 0 without swap; true use of page files, not the commit charge");
const COMMIT_TOTAL: Metric =
    Metric::gauge("mem.commit.total", "B", Sets::EXTENDED, PERF).on(On::Windows).help("memory promised to programs");
const COMMIT_LIMIT: Metric =
    Metric::gauge("mem.commit.limit", "B", Sets::EXTENDED, PERF).on(On::Windows).help("most that can be promised");
const COMMIT_PEAK: Metric =
    Metric::gauge("mem.commit.peak", "B", Sets::EXTENDED, PERF).on(On::Windows).help("highest charge since boot");
const COMMIT_PERCENT: Metric = Metric::gauge("mem.commit.percent", "%", Sets::EXTENDED, PERF)
    .on(On::Windows)
    .help("charge of limit: at 100 allocations fail");
const CACHE: Metric = Metric::gauge("mem.cache", "B", Sets::EXTENDED, PERF).on(On::Windows).help("system cache");
const POOL_PAGED: Metric =
    Metric::gauge("mem.pool.paged", "B", Sets::EXTENDED, PERF).on(On::Windows).help("kernel's paged pool");
const POOL_NONPAGED: Metric =
    Metric::gauge("mem.pool.nonpaged", "B", Sets::EXTENDED, PERF).on(On::Windows).help("kernel's non-paged pool");

pub(super) const SPEC: Spec = Spec {
    name: "mem",
    check: "memory",
    lane: Lane::Host,
    rates: false,
    metrics: &[
        TOTAL,
        FREE,
        USED,
        FREE_PERCENT,
        USED_PERCENT,
        SWAP_TOTAL,
        SWAP_FREE,
        SWAP_USED,
        SWAP_FREE_PERCENT,
        SWAP_USED_PERCENT,
        COMMIT_TOTAL,
        COMMIT_LIMIT,
        COMMIT_PEAK,
        COMMIT_PERCENT,
        CACHE,
        POOL_PAGED,
        POOL_NONPAGED,
    ],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Mem { host: cx.host.clone() }))),
};

struct Mem {
    host: Host,
}

impl Collector for Mem {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        emit_memory(cx, &self.host.mem_info()?);
        match self.host.swap_info() {
            Ok(swap) => emit_swap(cx, &swap),
            Err(error) => cx.problem("swap", error),
        }
        if Platform::CURRENT == Platform::Windows {
            match falcon_sys::commit_info() {
                Ok(commit) => emit_commit(cx, &commit),
                Err(error) => cx.problem("commit charge", error),
            }
        }
        Ok(())
    }
}

fn emit_memory(cx: &mut Cx<'_>, mem: &MemInfo) {
    // A container's root can show more available than its total; what is used is never negative.
    let (total, free) = (float(mem.total_bytes), float(mem.available_bytes.min(mem.total_bytes)));
    cx.emit(&TOTAL, &Tags::NONE, total);
    cx.emit(&FREE, &Tags::NONE, free);
    cx.emit(&USED, &Tags::NONE, total - free);
    cx.emit(&FREE_PERCENT, &Tags::NONE, percent(free, total));
    cx.emit(&USED_PERCENT, &Tags::NONE, percent(total - free, total));
}

fn emit_swap(cx: &mut Cx<'_>, swap: &SwapInfo) {
    let (total, free) = (float(swap.total_bytes), float(swap.free_bytes.min(swap.total_bytes)));
    cx.emit(&SWAP_TOTAL, &Tags::NONE, total);
    cx.emit(&SWAP_FREE, &Tags::NONE, free);
    cx.emit(&SWAP_USED, &Tags::NONE, total - free);
    cx.emit(&SWAP_FREE_PERCENT, &Tags::NONE, percent(free, total));
    cx.emit(&SWAP_USED_PERCENT, &Tags::NONE, percent(total - free, total));
}

fn emit_commit(cx: &mut Cx<'_>, commit: &CommitInfo) {
    let (total, limit) = (float(commit.total_bytes), float(commit.limit_bytes));
    cx.emit(&COMMIT_TOTAL, &Tags::NONE, total);
    cx.emit(&COMMIT_LIMIT, &Tags::NONE, limit);
    cx.emit(&COMMIT_PEAK, &Tags::NONE, float(commit.peak_bytes));
    cx.emit(&COMMIT_PERCENT, &Tags::NONE, percent(total, limit));
    cx.emit(&CACHE, &Tags::NONE, float(commit.cache_bytes));
    cx.emit(&POOL_PAGED, &Tags::NONE, float(commit.pool_paged_bytes));
    cx.emit(&POOL_NONPAGED, &Tags::NONE, float(commit.pool_nonpaged_bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use std::collections::BTreeMap;

    fn said(emit: impl FnOnce(&mut Cx<'_>), platform: Platform) -> BTreeMap<String, f64> {
        let (_, said) = with_cx(Sets::FALCON.and(Sets::EXTENDED), platform, emit);
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
    }

    #[test]
    fn a_host_without_swap_says_zero_percent_used_and_free() {
        let said = said(|cx| emit_swap(cx, &SwapInfo::default()), Platform::Linux);
        assert_eq!((said["mem.swapused.percent"], said["mem.swapfree.percent"]), (0.0, 0.0));
        assert_eq!(said["mem.swaptotal"], 0.0);
    }

    #[test]
    fn used_is_never_negative() {
        let mem = MemInfo { total_bytes: 100, available_bytes: 130 };
        let said = said(|cx| emit_memory(cx, &mem), Platform::Linux);
        assert_eq!((said["mem.memused"], said["mem.memused.percent"], said["mem.memfree"]), (0.0, 0.0, 100.0));
    }

    #[test]
    fn the_commit_charge_is_told_on_windows_only() {
        let commit = CommitInfo { total_bytes: 90, limit_bytes: 100, ..CommitInfo::default() };
        assert_eq!(said(|cx| emit_commit(cx, &commit), Platform::Windows)["mem.commit.percent"], 90.0);
        assert!(said(|cx| emit_commit(cx, &commit), Platform::Linux).is_empty());
    }
}
