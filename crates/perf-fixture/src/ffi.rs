//! The three functions that Windows calls in a provider's DLL, with the one fault of Wine's that stands in their way.
//!
//! Wine hands the first provider a place 88 bytes (PERF_DATA_BLOCK, which it counts twice) behind where it will read the
//! answer. It is corrected here and nowhere else: what reads the answer is the same under Windows and Wine.
//! Source: Microsoft's pages of OpenPerformanceData, CollectPerformanceData and ClosePerformanceData.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;
use std::{process, ptr, slice, thread};

use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
    GetModuleHandleExW, GetModuleHandleW, GetProcAddress,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::{s, w};

use crate::provider::{Outcome, SUCCESS, serve};
use crate::script::Now;

const PERF_DATA_BLOCK: usize = 88;

/// Longer than any query.
const MOST_UNITS: usize = 64 << 10;

/// # Safety
/// Nothing is read.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn OpenFixture(_devices: *const u16) -> u32 {
    SUCCESS
}

/// # Safety
/// Nothing is read.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CloseFixture() -> u32 {
    SUCCESS
}

/// # Safety
/// As CollectPerformanceData has it: a text that ends with a NUL; `*data` has room for `*bytes` bytes; live numbers.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CollectFixture(
    query: *const u16,
    data: *mut *mut u8,
    bytes: *mut u32,
    objects: *mut u32,
) -> u32 {
    if query.is_null() || data.is_null() || bytes.is_null() || objects.is_null() {
        return ERROR_INVALID_PARAMETER;
    }
    // SAFETY: the caller's promise.
    let (query, room) = unsafe { (text(query), bytes.replace(0) as usize) };
    // SAFETY: the caller's promise.
    unsafe { objects.write(0) };
    let answer = match serve(&own_path(), &query, room, now()) {
        Outcome::Answered(answer) => answer,
        Outcome::Hang => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        Outcome::Exit => process::exit(0),
        // SAFETY: none: to read what is not there is what this is for.
        Outcome::Crash => return unsafe { ptr::null::<u32>().wrapping_add(1).read_volatile() },
    };
    if answer.code == SUCCESS {
        let back = if is_wine() { PERF_DATA_BLOCK } else { 0 };
        // SAFETY: `room` bytes lie there, and no more are written; under Wine the caller's own header is in front.
        unsafe {
            let place = (*data).sub(back);
            ptr::copy_nonoverlapping(answer.bytes.as_ptr(), place, answer.bytes.len());
            data.write((*data).add(answer.bytes.len()));
            bytes.write(u32::try_from(answer.bytes.len()).unwrap_or(0));
            objects.write(answer.objects);
        }
    }
    answer.code
}

/// # Safety
/// The text ends with a NUL.
unsafe fn text(at: *const u16) -> String {
    // SAFETY: nothing behind the NUL is read.
    let length = (0..MOST_UNITS).take_while(|n| unsafe { at.add(*n).read_unaligned() } != 0).count();
    // SAFETY: so many units were just read; Wine's are aligned, as a name of a value is.
    String::from_utf16_lossy(unsafe { slice::from_raw_parts(at, length) })
}

fn own_path() -> PathBuf {
    let mut module = ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut name = [0; 1024];
    // SAFETY: an address in this module; a live handle; the name has as many units as the call is told.
    let length = unsafe {
        GetModuleHandleExW(flags, (own_path as fn() -> PathBuf as *const ()).cast(), &raw mut module);
        GetModuleFileNameW(module, name.as_mut_ptr(), 1024)
    };
    OsString::from_wide(name.get(..length as usize).unwrap_or_default()).into()
}

fn now() -> Now {
    let (mut ticks, mut ticks_per_s) = (0, 0);
    // SAFETY: live numbers.
    unsafe {
        QueryPerformanceCounter(&raw mut ticks);
        QueryPerformanceFrequency(&raw mut ticks_per_s);
    }
    Now { ticks: ticks.cast_unsigned(), ticks_per_s: ticks_per_s.cast_unsigned(), ..Now::of_clock() }
}

fn is_wine() -> bool {
    // SAFETY: names that end with a NUL; ntdll.dll is loaded as long as the process lives.
    unsafe { GetProcAddress(GetModuleHandleW(w!("ntdll.dll")), s!("wine_get_version")) }.is_some()
}
