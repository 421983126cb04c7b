//! `mssql.access.*`: how data is reached, and the room it takes.

use super::table::{DETAIL, Object, shown, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const ACCESS: &str = "Access Methods";

pub(super) const OBJECTS: &[Object] =
    &[Object::new(ACCESS, &LINES), Object::new(ACCESS, &DETAIL_LINES).class(Class::Detail)];

const LINES: [Line; 12] = [
    total(ACCESS, "mssql.access.full_scans", "scans", &["Full Scans/sec"]),
    total(ACCESS, "mssql.access.range_scans", "scans", &["Range Scans/sec"]),
    total(ACCESS, "mssql.access.probe_scans", "scans", &["Probe Scans/sec"]),
    total(ACCESS, "mssql.access.index_searches", "searches", &["Index Searches/sec"]),
    total(ACCESS, "mssql.access.forwarded_records", "records", &["Forwarded Records/sec"]),
    total(ACCESS, "mssql.access.page_splits", "splits", &["Page Splits/sec"]),
    total(ACCESS, "mssql.access.pages_allocated", "pages", &["Pages Allocated/sec"]),
    total(ACCESS, "mssql.access.page_deallocations", "pages", &["Page Deallocations/sec"]),
    total(ACCESS, "mssql.access.lock_escalations", "escalations", &["Table Lock Escalations/sec"]),
    total(ACCESS, "mssql.access.workfiles_created", "files", &["Workfiles Created/sec"]),
    total(ACCESS, "mssql.access.worktables_created", "tables", &["Worktables Created/sec"]),
    shown(ACCESS, "mssql.access.worktables_from_cache_ratio", "%", &["Worktables From Cache Ratio"]),
];

/// A running total that is off by default.
const fn off(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    total(ACCESS, name, unit, counters).option(DETAIL)
}

const DETAIL_LINES: [Line; 30] = [
    off("mssql.access.extents_allocated", "extents", &["Extents Allocated/sec"]),
    off("mssql.access.extent_deallocations", "extents", &["Extent Deallocations/sec"]),
    off("mssql.access.freespace_scans", "scans", &["FreeSpace Scans/sec"]),
    off("mssql.access.freespace_page_fetches", "pages", &["FreeSpace Page Fetches/sec"]),
    off("mssql.access.skipped_ghosted_records", "records", &["Skipped Ghosted Records/sec"]),
    off("mssql.access.mixed_page_allocations", "pages", &["Mixed page allocations/sec"]),
    off("mssql.access.pages_compressed", "pages", &["Pages compressed/sec"]),
    off("mssql.access.page_compression_attempts", "pages", &["Page compression attempts/sec"]),
    off("mssql.access.au_cleanup.batches", "batches", &["AU cleanup batches/sec"]),
    off("mssql.access.au_cleanup.units", "units", &["AU cleanups/sec"]),
    off("mssql.access.au_cleanup.failed_batches", "batches", &["Failed AU cleanup batches/sec"]),
    off("mssql.access.deferred_drop.units", "units", &["Deferred dropped AUs"]),
    off("mssql.access.deferred_drop.rowsets", "rowsets", &["Deferred Dropped rowsets"]),
    off("mssql.access.deferred_drop.cleanups", "rowsets", &["Dropped rowset cleanups/sec"]),
    off("mssql.access.deferred_drop.skipped", "rowsets", &["Dropped rowsets skipped/sec"]),
    off("mssql.access.in_sys_xact_waits", "waits", &["InSysXact waits/sec"]),
    off("mssql.access.cookie.failed_leaf", "pages", &["Failed leaf page cookie"]),
    off("mssql.access.cookie.failed_tree", "pages", &["Failed tree page cookie"]),
    off("mssql.access.cookie.used_leaf", "pages", &["Used leaf page cookie"]),
    off("mssql.access.cookie.used_tree", "pages", &["Used tree page cookie"]),
    off("mssql.access.lob.by_reference_created", "objects", &["By-reference Lob Create Count"]),
    off("mssql.access.lob.by_reference_used", "objects", &["By-reference Lob Use Count"]),
    off("mssql.access.lob.readahead", "pages", &["Count Lob Readahead"]),
    off("mssql.access.lob.pulled_in_row", "values", &["Count Pull In Row"]),
    off("mssql.access.lob.pushed_off_row", "values", &["Count Push Off Row"]),
    off("mssql.access.lob.handles_created", "handles", &["LobHandle Create Count"]),
    off("mssql.access.lob.handles_destroyed", "handles", &["LobHandle Destroy Count"]),
    off("mssql.access.lob.providers_created", "providers", &["LobSS Provider Create Count"]),
    off("mssql.access.lob.providers_destroyed", "providers", &["LobSS Provider Destroy Count"]),
    off("mssql.access.lob.providers_truncated", "providers", &["LobSS Provider Truncation Count"]),
];
