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
    let info = performance()?;
    let bytes = |pages| bytes(pages, info.PageSize);
    Ok(CommitInfo {
        total_bytes: bytes(info.CommitTotal),
        limit_bytes: bytes(info.CommitLimit),
        peak_bytes: bytes(info.CommitPeak),
        cache_bytes: bytes(info.SystemCache),
        pool_paged_bytes: bytes(info.KernelPaged),
        pool_nonpaged_bytes: bytes(info.KernelNonpaged),
    })
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

struct PageFiles {
    page_bytes: usize,
    files: Vec<PageFile>,
}

/// The page files there are (EnumPageFilesW); a host may have none.
///
/// # Errors
/// The call's own.
pub fn page_files() -> io::Result<Vec<PageFile>> {
    let mut files = PageFiles { page_bytes: performance()?.PageSize, files: Vec::new() };
    // SAFETY: the callback gets `files` back as its context, and only during this call.
    check(unsafe { K32EnumPageFilesW(Some(add_page_file), (&raw mut files).cast()) })?;
    Ok(files.files)
}

pub(super) fn swap_info() -> io::Result<SwapInfo> {
    let mut swap = SwapInfo::default();
    for file in page_files()? {
        swap.total_bytes = swap.total_bytes.saturating_add(file.total_bytes);
        swap.free_bytes = swap.free_bytes.saturating_add(file.total_bytes.saturating_sub(file.used_bytes));
    }
    Ok(swap)
}

/// Called for each page file. Nothing in it can panic, for nothing may unwind into Windows.
unsafe extern "system" fn add_page_file(
    context: *mut c_void,
    info: *mut ENUM_PAGE_FILE_INFORMATION,
    name: PCWSTR,
) -> BOOL {
    // SAFETY: `page_files` passes its own live `PageFiles`, and is not touching it meanwhile.
    let files = unsafe { context.cast::<PageFiles>().as_mut() };
    // SAFETY: the structure is valid while the callback runs.
    let info = unsafe { info.as_ref() };
    if let (Some(files), Some(info)) = (files, info) {
        if files.files.len() >= MAX_PAGE_FILES {
            return 1;
        }
        let mut path = String::new();
        if !name.is_null() {
            // SAFETY: the name ends with a NUL, behind which nothing is read: `map_while` stops there.
            let units = (0..MAX_NAME).map_while(|at| Some(unsafe { *name.add(at) }).filter(|&unit| unit != 0));
            decode_into(units, &mut path);
        }
        files.files.push(PageFile {
            name: tag_path(&path),
            total_bytes: bytes(info.TotalSize, files.page_bytes),
            used_bytes: bytes(info.TotalInUse, files.page_bytes),
        });
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

    #[test]
    fn page_files_have_names_and_sizes_in_bytes() {
        let mut files = PageFiles { page_bytes: 4096, files: Vec::new() };
        assert_eq!(add(&mut files, 1000, 250, w!("\\??\\C:\\pagefile.sys")), 1);
        assert_eq!(add(&mut files, usize::MAX, 1, ptr::null()), 1);
        let expected = [
            PageFile { name: "C:/pagefile.sys".into(), total_bytes: 4_096_000, used_bytes: 1_024_000 },
            PageFile { name: String::new(), total_bytes: u64::MAX, used_bytes: 4096 },
        ];
        assert_eq!(files.files, expected);
        // SAFETY: null pointers are what this asks about; the callback dereferences none.
        let nothing = unsafe { add_page_file((&raw mut files).cast(), ptr::null_mut(), ptr::null()) };
        assert_eq!((nothing, files.files.len()), (1, 2));
    }

    #[test]
    fn more_page_files_than_there_may_be_are_not_kept() {
        let mut files = PageFiles { page_bytes: 4096, files: Vec::new() };
        for _ in 0..1000 {
            assert_eq!(add(&mut files, 1, 1, w!("x")), 1);
        }
        assert_eq!(files.files.len(), MAX_PAGE_FILES);
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let mut files = PageFiles { page_bytes: 4096, files: Vec::new() };
        let long = [u16::from(b'x'); MAX_NAME + 1];
        add(&mut files, 1, 1, long.as_ptr());
        assert_eq!(files.files[0].name.len(), MAX_NAME);
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
