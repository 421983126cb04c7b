//! Physical memory (GlobalMemoryStatusEx), commit charge and totals of the system (GetPerformanceInfo), and page files
//! (EnumPageFilesW).
//!
//! Page files are what `mem.swap*` means: the page-file fields of GlobalMemoryStatusEx are the commit limit.

use super::ffi::{check, size_u32};
use crate::layout::text::{MAX_NAME, decode_into, tag_path};
use crate::types::{CommitInfo, MemInfo, PageFile, SwapInfo, SysInfo};
use std::ffi::c_void;
use std::io;
use windows_sys::Win32::System::ProcessStatus::{
    ENUM_PAGE_FILE_INFORMATION, K32EnumPageFilesW, K32GetPerformanceInfo, PERFORMANCE_INFORMATION,
};
use windows_sys::Win32::System::SystemInformation::{GetTickCount64, GlobalMemoryStatusEx, MEMORYSTATUSEX};
use windows_sys::core::{BOOL, PCWSTR};

pub(super) fn mem_info() -> io::Result<MemInfo> {
    let mut status = MEMORYSTATUSEX { dwLength: size_u32::<MEMORYSTATUSEX>(), ..Default::default() };
    // SAFETY: a live structure that tells its own size.
    check(unsafe { GlobalMemoryStatusEx(&raw mut status) })?;
    Ok(MemInfo { total_bytes: status.ullTotalPhys, available_bytes: status.ullAvailPhys })
}

/// Commit charge and kernel memory (GetPerformanceInfo).
///
/// # Errors
/// The call's own.
pub fn commit_info() -> io::Result<CommitInfo> {
    Ok(commit(&performance()?))
}

fn commit(info: &PERFORMANCE_INFORMATION) -> CommitInfo {
    let bytes = |pages| bytes(pages, info.PageSize);
    let told = |pages| Some(bytes(pages)).filter(|bytes| *bytes > 0);
    CommitInfo {
        total_bytes: bytes(info.CommitTotal),
        limit_bytes: bytes(info.CommitLimit),
        peak_bytes: told(info.CommitPeak),
        cache_bytes: told(info.SystemCache),
        pool_paged_bytes: told(info.KernelPaged),
        pool_nonpaged_bytes: told(info.KernelNonpaged),
    }
}

fn performance() -> io::Result<PERFORMANCE_INFORMATION> {
    let size = size_u32::<PERFORMANCE_INFORMATION>();
    let mut info = PERFORMANCE_INFORMATION { cb: size, ..Default::default() };
    // SAFETY: a live structure of the size that is told.
    check(unsafe { K32GetPerformanceInfo(&raw mut info, size) })?;
    Ok(info)
}

fn bytes(pages: usize, page_bytes: usize) -> u64 {
    (pages as u64).saturating_mul(page_bytes as u64)
}

/// The size of a page.
///
/// # Errors
/// Those of GetPerformanceInfo.
pub(super) fn page_bytes() -> io::Result<u64> {
    Ok(performance()?.PageSize as u64)
}

pub(super) fn sys_info() -> io::Result<SysInfo> {
    let info = performance()?;
    // SAFETY: the call takes nothing.
    let uptime_ms = unsafe { GetTickCount64() };
    Ok(SysInfo {
        processes: Some(info.ProcessCount.into()),
        threads: Some(info.ThreadCount.into()),
        handles: Some(info.HandleCount.into()),
        uptime_s: Some(uptime_ms / 1000),
    })
}

/// Windows has at most 16.
const MAX_PAGE_FILES: usize = 64;

/// What the callback of EnumPageFilesW adds to.
struct PageFiles {
    page_bytes: usize,
    sum: SwapInfo,
    /// Each apart, where that is asked for.
    files: Option<Vec<PageFile>>,
}

impl PageFiles {
    fn read(files: Option<Vec<PageFile>>) -> io::Result<PageFiles> {
        let mut files = PageFiles { page_bytes: performance()?.PageSize, sum: SwapInfo::default(), files };
        // SAFETY: the callback gets `files` back as its context, and only during this call.
        check(unsafe { K32EnumPageFilesW(Some(add_page_file), (&raw mut files).cast()) })?;
        Ok(files)
    }
}

/// The page files there are (EnumPageFilesW); a host may have none.
///
/// # Errors
/// The call's own.
pub fn page_files() -> io::Result<Vec<PageFile>> {
    Ok(PageFiles::read(Some(Vec::new()))?.files.unwrap_or_default())
}

pub(super) fn swap_info() -> io::Result<SwapInfo> {
    Ok(PageFiles::read(None)?.sum)
}

/// Called for each page file. Nothing in it can panic, for nothing may unwind into Windows.
unsafe extern "system" fn add_page_file(
    context: *mut c_void,
    info: *mut ENUM_PAGE_FILE_INFORMATION,
    name: PCWSTR,
) -> BOOL {
    // SAFETY: `PageFiles::read` passes its own live `PageFiles`, and is not touching it meanwhile.
    let files = unsafe { context.cast::<PageFiles>().as_mut() };
    // SAFETY: the structure is valid while the callback runs.
    let info = unsafe { info.as_ref() };
    let (Some(PageFiles { page_bytes, sum, files }), Some(info)) = (files, info) else { return 1 };
    let (total_bytes, used_bytes) = (bytes(info.TotalSize, *page_bytes), bytes(info.TotalInUse, *page_bytes));
    sum.total_bytes = sum.total_bytes.saturating_add(total_bytes);
    sum.free_bytes = sum.free_bytes.saturating_add(total_bytes.saturating_sub(used_bytes));
    if let Some(files) = files.as_mut().filter(|files| files.len() < MAX_PAGE_FILES) {
        let mut path = String::new();
        if !name.is_null() {
            // SAFETY: the name ends with a NUL, behind which nothing is read: `map_while` stops there.
            let units = (0..MAX_NAME).map_while(|at| Some(unsafe { *name.add(at) }).filter(|&unit| unit != 0));
            decode_into(units, &mut path);
        }
        files.push(PageFile { name: tag_path(&path), total_bytes, used_bytes });
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;
    use windows_sys::w;

    fn add(files: &mut PageFiles, total: usize, in_use: usize, name: PCWSTR) -> BOOL {
        let mut info = ENUM_PAGE_FILE_INFORMATION { TotalSize: total, TotalInUse: in_use, ..Default::default() };
        // SAFETY: pointers to live structures of the types the callback expects; a name is null or ends with a NUL.
        unsafe { add_page_file((&raw mut *files).cast(), &raw mut info, name) }
    }

    fn empty(files: Option<Vec<PageFile>>) -> PageFiles {
        PageFiles { page_bytes: 4096, sum: SwapInfo::default(), files }
    }

    #[test]
    fn page_files_have_names_and_sizes_in_bytes() {
        let mut files = empty(Some(Vec::new()));
        assert_eq!(add(&mut files, 1000, 250, w!("\\??\\C:\\pagefile.sys")), 1);
        assert_eq!(files.sum, SwapInfo { total_bytes: 4_096_000, free_bytes: 3_072_000 });
        assert_eq!(add(&mut files, usize::MAX, 1, ptr::null()), 1);
        let expected = [
            PageFile { name: "C:/pagefile.sys".into(), total_bytes: 4_096_000, used_bytes: 1_024_000 },
            PageFile { name: String::new(), total_bytes: u64::MAX, used_bytes: 4096 },
        ];
        assert_eq!((files.files.as_deref(), files.sum.total_bytes), (Some(&expected[..]), u64::MAX));
        // SAFETY: null pointers are what this asks about; the callback dereferences none.
        let nothing = unsafe { add_page_file((&raw mut files).cast(), ptr::null_mut(), ptr::null()) };
        assert_eq!((nothing, files.files.map(|files| files.len())), (1, Some(2)));
    }

    // The sum is asked for in every cycle: it once made a text of each name to throw it away.
    #[test]
    fn a_sum_needs_no_names_and_never_falls_below_zero() {
        let mut files = empty(None);
        assert_eq!((add(&mut files, 2, 1, w!("x")), add(&mut files, 1, 5, w!("y"))), (1, 1));
        assert_eq!((files.sum, files.files), (SwapInfo { total_bytes: 3 * 4096, free_bytes: 4096 }, None));
    }

    #[test]
    fn more_page_files_than_there_may_be_are_not_kept() {
        let mut files = empty(Some(Vec::new()));
        for _ in 0..1000 {
            assert_eq!(add(&mut files, 1, 1, w!("x")), 1);
        }
        assert_eq!((files.files.unwrap().len(), files.sum.total_bytes), (MAX_PAGE_FILES, 4_096_000));
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let mut files = empty(Some(Vec::new()));
        let long = [u16::from(b'x'); MAX_NAME + 1];
        add(&mut files, 1, 1, long.as_ptr());
        assert_eq!(files.files.unwrap()[0].name.len(), MAX_NAME);
    }

    // Wine leaves these at 0: a kernel without any memory of its own.
    #[test]
    fn what_the_system_does_not_count_is_absent() {
        let told = PERFORMANCE_INFORMATION { PageSize: 4096, CommitTotal: 1, CommitLimit: 2, ..Default::default() };
        let expected = CommitInfo { total_bytes: 4096, limit_bytes: 8192, ..CommitInfo::default() };
        assert_eq!(commit(&told), expected);
        let told = PERFORMANCE_INFORMATION { CommitPeak: 3, SystemCache: 4, KernelPaged: 5, KernelNonpaged: 6, ..told };
        let expected = CommitInfo {
            peak_bytes: Some(3 * 4096),
            cache_bytes: Some(4 * 4096),
            pool_paged_bytes: Some(5 * 4096),
            pool_nonpaged_bytes: Some(6 * 4096),
            ..expected
        };
        assert_eq!(commit(&told), expected);
    }

    #[test]
    fn the_system_counts_its_processes_and_its_time() {
        let info = sys_info().unwrap();
        let (processes, threads) = (info.processes.unwrap(), info.threads.unwrap());
        assert!(processes >= 1 && threads >= processes && info.uptime_s.unwrap() > 0, "{info:?}");
    }

    #[test]
    fn pages_become_bytes_without_overflow() {
        assert_eq!(bytes(3, 4096), 12_288);
        assert_eq!(bytes(usize::MAX, 4096), u64::MAX);
    }

    #[test]
    fn the_two_calls_agree_on_the_memory() {
        let info = performance().unwrap();
        assert_eq!(info.PageSize, 4096);
        assert!(bytes(info.PhysicalTotal, info.PageSize).abs_diff(mem_info().unwrap().total_bytes) <= 4096);
    }
}
