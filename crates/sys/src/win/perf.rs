//! Performance counters as the registry has them (HKEY_PERFORMANCE_DATA): answers as bytes and as long as Windows says, name
//! tables as they stand there. Nothing here reads what they say.
//!
//! A query loads libraries of other programs into this process and runs them: they may hang it, end it, or write where
//! they should not. So it is made in a process that can be lost. Source: Microsoft's pages on performance counters
//! ("Using the Registry Functions to Consume Counter Data") and of RegQueryValueEx, which does not say how much a query
//! needs: its length is undefined where the answer does not fit.

use super::ffi::{Answer, Buffer, fill, len_u32, wide};
use super::reg::number_value;
use super::registry::{READ, find, key_at};
use crate::types::PerfNames;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, ptr, thread};
use windows_sys::Win32::Foundation::{
    ERROR_BUSY, ERROR_FILE_NOT_FOUND, ERROR_LOCK_FAILED, ERROR_MORE_DATA, ERROR_NOT_READY, NO_ERROR, WIN32_ERROR,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_PERFORMANCE_DATA, HKEY_PERFORMANCE_TEXT, RegCloseKey, RegQueryValueExW,
};
use windows_sys::w;

const FIRST_BYTES: usize = 64 << 10;
const MOST_BYTES: usize = 64 << 20;

/// Behind what Windows is told of lies so much more: Windows does not check the libraries unless it is told to, and one that
/// counts wrong should spoil nothing but the answer.
const SPARE_BYTES: u32 = 4 << 10;

/// Queries whose size is remembered.
const MOST_QUERIES: usize = 256;

const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

const PERFLIB: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Perflib";
const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";

/// Whether this process has opened HKEY_PERFORMANCE_DATA, by asking it for anything.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Queries of performance data. One of these in a process: closing ends for all of it what was loaded.
#[derive(Debug, Default)]
pub struct PerfData {
    buffer: Buffer,
    /// What the last answer of each query needed, with some room to grow.
    sizes: HashMap<String, usize>,
}

impl PerfData {
    /// Nothing is opened before the first query.
    #[must_use]
    pub fn new() -> PerfData {
        PerfData::default()
    }

    /// A PERF_DATA_BLOCK with all that belongs to it, if the libraries told the truth. `what` is the indexes of the wanted
    /// objects in decimal, with blanks between them. May hang, for it waits for code of other programs.
    ///
    /// # Errors
    /// Those of RegQueryValueExW, of which what says that it is busy is tried five times more;
    /// [`io::ErrorKind::OutOfMemory`] where the answer does not fit 64 MiB.
    pub fn query(&mut self, what: &str) -> io::Result<&[u8]> {
        let name = wide(OsStr::new(what))?;
        IS_OPEN.store(true, Ordering::Relaxed);
        let PerfData { buffer, sizes } = self;
        let first = sizes.get(what).copied().unwrap_or(FIRST_BYTES);
        let answer = ask(buffer, first, BUSY_PAUSE, |at, size| {
            // SAFETY: the key is a constant of the system's; the name ends with a NUL; so many bytes lie there, and the
            // length is a live number; nobody asks for the type.
            unsafe {
                RegQueryValueExW(HKEY_PERFORMANCE_DATA, name.as_ptr(), ptr::null(), ptr::null_mut(), at, &raw mut *size)
            }
        })?;
        if sizes.len() >= MOST_QUERIES && !sizes.contains_key(what) {
            sizes.clear();
        }
        sizes.insert(what.to_owned(), (answer.len() + answer.len() / 4).clamp(FIRST_BYTES, MOST_BYTES));
        Ok(answer)
    }

    /// Has the libraries unloaded, and what they keep forgotten, also where [`perf_names`] opened them. The next query loads
    /// them anew.
    pub fn close(&mut self) {
        if IS_OPEN.swap(false, Ordering::Relaxed) {
            // SAFETY: the key is a constant of the system's, no query is being made.
            unsafe { RegCloseKey(HKEY_PERFORMANCE_DATA) };
        }
    }
}

impl Drop for PerfData {
    fn drop(&mut self) {
        self.close();
    }
}

/// Calls with a buffer that grows. What the call says it wrote is believed as far as it was told that there is room.
fn ask(
    buffer: &mut Buffer,
    first: usize,
    pause: Duration,
    mut call: impl FnMut(*mut u8, &mut u32) -> WIN32_ERROR,
) -> io::Result<&[u8]> {
    let (spare, mut tries) = (SPARE_BYTES as usize, BUSY_TRIES);
    buffer.fill(first + spare, MOST_BYTES + spare, |at, bytes| {
        let room = bytes.saturating_sub(SPARE_BYTES);
        let (code, size) = patiently(&mut tries, pause, || {
            let mut size = room;
            (call(at.cast(), &mut size), size)
        });
        match code {
            NO_ERROR => Answer::Filled(size.min(room) as usize),
            ERROR_MORE_DATA => Answer::TooSmall(0),
            code => Answer::Failed(io::Error::from_raw_os_error(code.cast_signed())),
        }
    })
}

/// Calls again while the counters are busy and there are tries left.
fn patiently(tries: &mut u32, pause: Duration, mut call: impl FnMut() -> (WIN32_ERROR, u32)) -> (WIN32_ERROR, u32) {
    loop {
        let answer = call();
        if !matches!(answer.0, ERROR_BUSY | ERROR_NOT_READY | ERROR_LOCK_FAILED) || *tries == 0 {
            return answer;
        }
        *tries -= 1;
        thread::sleep(pause);
    }
}

/// A table of names: an index, its text, the next index, ..., each with a NUL. It may hang like a query.
///
/// # Errors
/// Those of the calls, also where there is no such table; [`io::ErrorKind::OutOfMemory`] beyond 16 MiB.
pub fn perf_names(source: PerfNames) -> io::Result<Vec<u16>> {
    let below = |key: &str| {
        let key = find(&format!(r"{PERFLIB}\{key}"), READ)?;
        let key = key.ok_or_else(|| io::Error::from_raw_os_error(ERROR_FILE_NOT_FOUND.cast_signed()))?;
        table(key.raw(), "Counter")
    };
    match source {
        PerfNames::Text => {
            let names = table(HKEY_PERFORMANCE_TEXT, "Counter");
            // SAFETY: the key is a constant of the system's, which this function alone uses.
            unsafe { RegCloseKey(HKEY_PERFORMANCE_TEXT) };
            names
        }
        PerfNames::Data => {
            IS_OPEN.store(true, Ordering::Relaxed);
            table(HKEY_PERFORMANCE_DATA, "Counter 009")
        }
        PerfNames::Registry => below("009"),
        PerfNames::CurrentLanguage => below("CurrentLanguage"),
    }
}

fn table(key: HKEY, value: &str) -> io::Result<Vec<u16>> {
    /// A host with many products has 300 KB.
    const FIRST_UNITS: usize = 256 << 10;
    const MOST_UNITS: usize = 8 << 20;
    let value = wide(OsStr::new(value))?;
    let mut tries = BUSY_TRIES;
    let mut units = fill(FIRST_UNITS, MOST_UNITS, |buffer: &mut [u16]| {
        let (code, size) = patiently(&mut tries, BUSY_PAUSE, || {
            let mut size = len_u32(buffer).saturating_mul(2);
            let (no, to) = (ptr::null_mut(), buffer.as_mut_ptr().cast());
            // SAFETY: the key is open or a constant of the system's; the name ends with a NUL; the buffer has as many bytes
            // as `size` says; nobody asks for the type.
            let code = unsafe { RegQueryValueExW(key, value.as_ptr(), ptr::null(), no, to, &raw mut size) };
            (code, size)
        });
        match code {
            NO_ERROR => Answer::Filled(size as usize / 2),
            ERROR_MORE_DATA => Answer::TooSmall(0),
            code => Answer::Failed(io::Error::from_raw_os_error(code.cast_signed())),
        }
    })?;
    units.shrink_to_fit();
    Ok(units)
}

/// The largest index of a counter (`Last Counter`), which grows where counters are installed; `None` where the system does
/// not keep it.
///
/// # Errors
/// Those of RegGetValueW.
pub fn perf_last_counter() -> io::Result<Option<u32>> {
    number_value(w!("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Perflib"), w!("Last Counter"))
}

/// The services whose counters are switched off (`Disable Performance Counters`): Windows does that after a fault of theirs,
/// and so do some tools. What may not be read counts as not switched off.
///
/// # Errors
/// Those of listing the services' keys.
pub fn perf_disabled() -> io::Result<Vec<String>> {
    disabled_below(SERVICES)
}

fn disabled_below(services: &str) -> io::Result<Vec<String>> {
    const MOST_SERVICES: usize = 10_000;
    const MOST_DISABLED: usize = 256;
    let mut disabled = Vec::new();
    let Some(key) = find(services, READ)? else { return Ok(disabled) };
    for at in 0..MOST_SERVICES {
        let Some(name) = key_at(&key, at)? else { break };
        let path = wide(OsStr::new(&format!(r"{services}\{name}\Performance")))?;
        if let Ok(Some(1..)) = number_value(path.as_ptr(), w!("Disable Performance Counters")) {
            disabled.push(name);
        }
        if disabled.len() == MOST_DISABLED {
            break;
        }
    }
    Ok(disabled)
}

#[cfg(test)]
mod tests;
