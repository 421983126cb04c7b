//! `mem.*`: physical memory and swap; on Windows also the commit charge, the kernel's own memory and paging.
//!
//! Linux: `/proc/meminfo`, `/proc/swaps`. Windows: GlobalMemoryStatusEx, EnumPageFilesW, GetPerformanceInfo,
//! NtQuerySystemInformation. What cannot be read is absent, never 0, and costs nothing else.

use falcon_sys::Host;
use falcon_sys::types::{CommitInfo, MemInfo, MemoryLists, PageFile, Paging, SwapInfo};

use super::{Collector, Context, Cx, Lane, Spec, float, percent};
use crate::model::{Metric, On, Sets, Tags};

const MEM: &str = "/proc/meminfo; GlobalMemoryStatusEx";
const SWAP: &str = "/proc/meminfo; EnumPageFilesW";
const PERF: &str = "GetPerformanceInfo";
const PAGING: &str = "NtQuerySystemInformation(SystemPerformanceInformation)";
const LISTS: &str = "NtQuerySystemInformation(SystemMemoryListInformation)";
/// Page lists ask for a privilege.
const MEMORY_LISTS: &str = "memoryLists";
const PAGING_DETAILS: &str = "pagingDetails";
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

const fn paging(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::EXTENDED, PAGING).on(On::Windows).help(help)
}
const fn list(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "B", Sets::EXTENDED, LISTS).on(On::Windows).option(MEMORY_LISTS).help(help)
}

const FAULTS: Metric = paging("mem.page.faults", "faults", "page faults, also those that need no disk");
const PAGES_IN: Metric = paging("mem.page.in", "pages", "read from disk to resolve faults");
const PAGES_OUT: Metric = paging("mem.page.out", "pages", "written to disk to free memory");
const READS: Metric = paging("mem.page.reads", "reads", "disk reads that resolve faults");
const WRITES: Metric = paging("mem.page.writes", "writes", "disk writes that free memory");
const PAGES: Metric = paging("mem.page.total", "pages", "mem.page.in + mem.page.out").option(PAGING_DETAILS);
const FREE_PTES: Metric = Metric::gauge("mem.ptes.free", "entries", Sets::EXTENDED, PAGING)
    .on(On::Windows)
    .option(PAGING_DETAILS)
    .help("system page table entries left");
const STANDBY: Metric = list("mem.standby", "cached pages that are free to be used otherwise");
const MODIFIED: Metric = list("mem.modified", "pages to be written before they are free");
const FREE_ZERO: Metric = list("mem.freezero", "free and zeroed pages");
const PAGE_FILE_USED: Metric =
    Metric::gauge("mem.pagefile.used.percent", "%", Sets::EXTENDED, "/proc/swaps; EnumPageFilesW")
        .tags(&["pagefile"])
        .option("pageFiles")
        .help("used of one page file, or of one swap area");

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
        FAULTS,
        PAGES_IN,
        PAGES_OUT,
        READS,
        WRITES,
        PAGES,
        FREE_PTES,
        STANDBY,
        MODIFIED,
        FREE_ZERO,
        PAGE_FILE_USED,
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
        // What nobody wants is not asked for, and then not missed either.
        if [&SWAP_TOTAL, &SWAP_USED_PERCENT].iter().any(|metric| cx.wants(metric)) {
            match self.host.swap_info() {
                Ok(swap) => emit_swap(cx, &swap),
                Err(error) => cx.problem("swap", error),
            }
        }
        if cx.wants(&COMMIT_TOTAL) {
            match falcon_sys::commit_info() {
                Ok(commit) => emit_commit(cx, &commit),
                Err(error) => cx.problem("commit charge", error),
            }
        }
        if [&FAULTS, &PAGES_IN, &PAGES_OUT, &READS, &WRITES, &PAGES, &FREE_PTES].iter().any(|metric| cx.wants(metric)) {
            match self.host.paging() {
                Ok(paging) => emit_paging(cx, &paging),
                Err(error) => cx.problem("paging", error),
            }
        }
        if [&STANDBY, &MODIFIED, &FREE_ZERO].iter().any(|metric| cx.wants(metric)) {
            match falcon_sys::memory_lists() {
                Ok(lists) => emit_lists(cx, &lists),
                Err(error) => cx.problem("page lists", error),
            }
        }
        if cx.wants(&PAGE_FILE_USED) {
            match falcon_sys::page_files() {
                Ok(files) => emit_page_files(cx, &files),
                Err(error) => cx.problem("page files", error),
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
    cx.emit(&COMMIT_PERCENT, &Tags::NONE, percent(total, limit));
    let told = [
        (&COMMIT_PEAK, commit.peak_bytes),
        (&CACHE, commit.cache_bytes),
        (&POOL_PAGED, commit.pool_paged_bytes),
        (&POOL_NONPAGED, commit.pool_nonpaged_bytes),
    ];
    for (metric, bytes) in told {
        if let Some(bytes) = bytes {
            cx.emit(metric, &Tags::NONE, float(bytes));
        }
    }
}

fn emit_paging(cx: &mut Cx<'_>, paging: &Paging) {
    let counts = [
        (&FAULTS, paging.faults),
        (&PAGES_IN, paging.pages_in),
        (&PAGES_OUT, paging.pages_out),
        (&READS, paging.reads),
        (&WRITES, paging.writes),
        (&PAGES, paging.pages_in.saturating_add(paging.pages_out)),
        (&FREE_PTES, paging.free_ptes),
    ];
    for (metric, count) in counts {
        cx.emit(metric, &Tags::NONE, float(count));
    }
}

fn emit_lists(cx: &mut Cx<'_>, lists: &MemoryLists) {
    cx.emit(&STANDBY, &Tags::NONE, float(lists.standby_bytes));
    cx.emit(&MODIFIED, &Tags::NONE, float(lists.modified_bytes));
    cx.emit(&FREE_ZERO, &Tags::NONE, float(lists.free_zero_bytes));
}

/// A page file without a size says nothing: none of it can be used.
fn emit_page_files(cx: &mut Cx<'_>, files: &[PageFile]) {
    for file in files.iter().filter(|file| file.total_bytes > 0) {
        let used = percent(float(file.used_bytes.min(file.total_bytes)), float(file.total_bytes));
        cx.emit(&PAGE_FILE_USED, &Tags::of(&[("pagefile", &file.name)]), used);
    }
}

#[cfg(test)]
mod tests;
