//! `mssql.access.*`: how data is reached, and the room it takes.

use super::table::{DETAIL, From, Object, of, shown, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const ACCESS: &str = "Access Methods";

pub(super) const OBJECTS: &[Object] =
    &[Object::new(ACCESS, &LINES), Object::new(ACCESS, &DETAIL_LINES).class(Class::Detail)];

const LINES: [Line; 12] = [
    total("mssql.access.full_scans", "scans", of!("Access Methods", "Full Scans/sec")),
    total("mssql.access.range_scans", "scans", of!("Access Methods", "Range Scans/sec")),
    total("mssql.access.probe_scans", "scans", of!("Access Methods", "Probe Scans/sec")),
    total("mssql.access.index_searches", "searches", of!("Access Methods", "Index Searches/sec")),
    total("mssql.access.forwarded_records", "records", of!("Access Methods", "Forwarded Records/sec")),
    total("mssql.access.page_splits", "splits", of!("Access Methods", "Page Splits/sec")),
    total("mssql.access.pages_allocated", "pages", of!("Access Methods", "Pages Allocated/sec")),
    total("mssql.access.page_deallocations", "pages", of!("Access Methods", "Page Deallocations/sec")),
    total("mssql.access.lock_escalations", "escalations", of!("Access Methods", "Table Lock Escalations/sec")),
    total("mssql.access.workfiles_created", "files", of!("Access Methods", "Workfiles Created/sec")),
    total("mssql.access.worktables_created", "tables", of!("Access Methods", "Worktables Created/sec")),
    shown("mssql.access.worktables_from_cache_ratio", "%", of!("Access Methods", "Worktables From Cache Ratio")),
];

/// A running total that is off by default.
const fn off(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).option(DETAIL)
}

const DETAIL_LINES: [Line; 30] = [
    off("mssql.access.extents_allocated", "extents", of!("Access Methods", "Extents Allocated/sec")),
    off("mssql.access.extent_deallocations", "extents", of!("Access Methods", "Extent Deallocations/sec")),
    off("mssql.access.freespace_scans", "scans", of!("Access Methods", "FreeSpace Scans/sec")),
    off("mssql.access.freespace_page_fetches", "pages", of!("Access Methods", "FreeSpace Page Fetches/sec")),
    off("mssql.access.skipped_ghosted_records", "records", of!("Access Methods", "Skipped Ghosted Records/sec")),
    off("mssql.access.mixed_page_allocations", "pages", of!("Access Methods", "Mixed page allocations/sec")),
    off("mssql.access.pages_compressed", "pages", of!("Access Methods", "Pages compressed/sec")),
    off("mssql.access.page_compression_attempts", "pages", of!("Access Methods", "Page compression attempts/sec")),
    off("mssql.access.au_cleanup.batches", "batches", of!("Access Methods", "AU cleanup batches/sec")),
    off("mssql.access.au_cleanup.units", "units", of!("Access Methods", "AU cleanups/sec")),
    off("mssql.access.au_cleanup.failed_batches", "batches", of!("Access Methods", "Failed AU cleanup batches/sec")),
    off("mssql.access.deferred_drop.units", "units", of!("Access Methods", "Deferred dropped AUs")),
    off("mssql.access.deferred_drop.rowsets", "rowsets", of!("Access Methods", "Deferred Dropped rowsets")),
    off("mssql.access.deferred_drop.cleanups", "rowsets", of!("Access Methods", "Dropped rowset cleanups/sec")),
    off("mssql.access.deferred_drop.skipped", "rowsets", of!("Access Methods", "Dropped rowsets skipped/sec")),
    off("mssql.access.in_sys_xact_waits", "waits", of!("Access Methods", "InSysXact waits/sec")),
    off("mssql.access.cookie.failed_leaf", "pages", of!("Access Methods", "Failed leaf page cookie")),
    off("mssql.access.cookie.failed_tree", "pages", of!("Access Methods", "Failed tree page cookie")),
    off("mssql.access.cookie.used_leaf", "pages", of!("Access Methods", "Used leaf page cookie")),
    off("mssql.access.cookie.used_tree", "pages", of!("Access Methods", "Used tree page cookie")),
    off("mssql.access.lob.by_reference_created", "objects", of!("Access Methods", "By-reference Lob Create Count")),
    off("mssql.access.lob.by_reference_used", "objects", of!("Access Methods", "By-reference Lob Use Count")),
    off("mssql.access.lob.readahead", "pages", of!("Access Methods", "Count Lob Readahead")),
    off("mssql.access.lob.pulled_in_row", "values", of!("Access Methods", "Count Pull In Row")),
    off("mssql.access.lob.pushed_off_row", "values", of!("Access Methods", "Count Push Off Row")),
    off("mssql.access.lob.handles_created", "handles", of!("Access Methods", "LobHandle Create Count")),
    off("mssql.access.lob.handles_destroyed", "handles", of!("Access Methods", "LobHandle Destroy Count")),
    off("mssql.access.lob.providers_created", "providers", of!("Access Methods", "LobSS Provider Create Count")),
    off("mssql.access.lob.providers_destroyed", "providers", of!("Access Methods", "LobSS Provider Destroy Count")),
    off("mssql.access.lob.providers_truncated", "providers", of!("Access Methods", "LobSS Provider Truncation Count")),
];
