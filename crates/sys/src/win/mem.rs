//! Physical memory (GlobalMemoryStatusEx), commit charge (GetPerformanceInfo) and page files (EnumPageFilesW).
//!
//! Page files are what `mem.swap*` means: the page-file fields of GlobalMemoryStatusEx are the commit limit.

use super::ffi::{check, size_u32};
use crate::types::{CommitInfo, MemInfo, SwapInfo};
use std::ffi::c_void;
use std::io;
use windows_sys::Win32::System::ProcessStatus::{
    ENUM_PAGE_FILE_INFORMATION, K32EnumPageFilesW, K32GetPerformanceInfo, PERFORMANCE_INFORMATION,
};
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};
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

#[derive(Default)]
struct PageFiles {
    total_pages: usize,
    used_pages: usize,
}

pub(super) fn swap_info() -> io::Result<SwapInfo> {
    let page_bytes = performance()?.PageSize;
    let mut files = PageFiles::default();
    // SAFETY: the callback gets `files` back as its context, and only during this call.
    check(unsafe { K32EnumPageFilesW(Some(add_page_file), (&raw mut files).cast()) })?;
    Ok(SwapInfo {
        total_bytes: bytes(files.total_pages, page_bytes),
        free_bytes: bytes(files.total_pages.saturating_sub(files.used_pages), page_bytes),
    })
}

/// Called for each page file. Nothing in it can panic, for nothing may unwind into Windows.
unsafe extern "system" fn add_page_file(
    context: *mut c_void,
    info: *mut ENUM_PAGE_FILE_INFORMATION,
    _name: PCWSTR,
) -> BOOL {
    // SAFETY: `swap_info` passes its own live `PageFiles`, and is not touching it meanwhile.
    let files = unsafe { context.cast::<PageFiles>().as_mut() };
    // SAFETY: the structure is valid while the callback runs.
    let info = unsafe { info.as_ref() };
    if let (Some(files), Some(info)) = (files, info) {
        files.total_pages = files.total_pages.saturating_add(info.TotalSize);
        files.used_pages = files.used_pages.saturating_add(info.TotalInUse);
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn page_files_add_up() {
        let mut files = PageFiles::default();
        for (total, in_use) in [(1000, 250), (500, 0), (usize::MAX, 1)] {
            let mut info = ENUM_PAGE_FILE_INFORMATION { TotalSize: total, TotalInUse: in_use, ..Default::default() };
            // SAFETY: both pointers are to live structures of the types the callback expects.
            let go_on = unsafe { add_page_file((&raw mut files).cast(), &raw mut info, ptr::null()) };
            assert_eq!(go_on, 1);
        }
        assert_eq!((files.total_pages, files.used_pages), (usize::MAX, 251));
        // SAFETY: null pointers are what this asks about; the callback dereferences none.
        assert_eq!(unsafe { add_page_file((&raw mut files).cast(), ptr::null_mut(), ptr::null()) }, 1);
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
