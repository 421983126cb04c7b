//! What every call into Windows needs: buffers that grow until the answer fits, errors that are errors, and text.

use crate::layout::text;
use std::ffi::{OsStr, c_void};
use std::os::windows::ffi::OsStrExt;
use std::{fmt, io, slice};
use windows_sys::Win32::Foundation::{FARPROC, FILETIME};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::core::{PCSTR, PCWSTR};

/// How often a call is made before the caller is told that the answer never fits: from 64 KiB to 64 MiB, where a call does
/// not say how much it needs, are eleven.
const MAX_TRIES: usize = 12;

/// What a call made of the buffer it was given.
pub(super) enum Answer {
    /// So many elements were written.
    Filled(usize),
    /// Too small; so many elements would do, as far as the call knows (0: it does not).
    TooSmall(usize),
    Failed(io::Error),
}

/// Calls with a buffer of `first` elements, and again with one that is at least twice as large while it is too small,
/// up to `most` elements. What a call says it wrote is believed only as far as the buffer reaches.
///
/// # Errors
/// The call's own, or [`io::ErrorKind::OutOfMemory`] where the answer does not fit `most` elements.
pub(super) fn fill<T: Copy + Default>(
    first: usize,
    most: usize,
    call: impl FnMut(&mut [T]) -> Answer,
) -> io::Result<Vec<T>> {
    let mut buffer = Vec::new();
    let len = grow(&mut buffer, first, most, call)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// [`fill`] in a buffer that has been used before; tells how many elements were written.
fn grow<T: Copy + Default>(
    buffer: &mut Vec<T>,
    first: usize,
    most: usize,
    mut call: impl FnMut(&mut [T]) -> Answer,
) -> io::Result<usize> {
    buffer.resize(buffer.len().max(first).min(most), T::default());
    for _ in 0..MAX_TRIES {
        match call(buffer) {
            Answer::Filled(len) => return Ok(len.min(buffer.len())),
            Answer::Failed(e) => return Err(e),
            Answer::TooSmall(_) if buffer.len() == most => break,
            Answer::TooSmall(need) => buffer.resize(need.max(buffer.len() * 2).min(most), T::default()),
        }
    }
    Err(io::Error::new(io::ErrorKind::OutOfMemory, "the answer fits no buffer"))
}

/// Memory that calls of the same kind write to again and again, aligned to 8. A clone begins with none of its own.
///
/// What one large answer took is given back after so many small ones that it was an exception.
#[derive(Default)]
pub(super) struct Buffer {
    words: Vec<u64>,
    /// Answers in a row that used less than a quarter of it.
    small: u8,
}

/// A buffer up to this size is not worth making smaller.
const KEPT_BYTES: usize = 512 << 10;

/// Two minutes and a half of the calls that are made every five seconds.
const SMALL_ANSWERS: u8 = 30;

impl Buffer {
    /// [`fill`] in bytes: `call` is told an address and how many bytes lie there.
    ///
    /// # Errors
    /// Those of [`fill`].
    pub(super) fn fill(
        &mut self,
        first_bytes: usize,
        most_bytes: usize,
        mut call: impl FnMut(*mut c_void, u32) -> Answer,
    ) -> io::Result<&[u8]> {
        const WORD: usize = size_of::<u64>();
        // Before the call: an answer may point into itself, so it is not moved.
        if self.small >= SMALL_ANSWERS && size_of_val(&*self.words) > KEPT_BYTES {
            self.small = 0;
            self.words.truncate((self.words.len() / 2).max(KEPT_BYTES / WORD));
            self.words.shrink_to_fit();
        }
        let mut written = 0;
        let words = match grow(&mut self.words, first_bytes.div_ceil(WORD), most_bytes.div_ceil(WORD), |words| {
            let bytes = u32::try_from(size_of_val(words)).unwrap_or(u32::MAX);
            match call(words.as_mut_ptr().cast(), bytes) {
                Answer::Filled(bytes) => {
                    written = bytes;
                    Answer::Filled(bytes.div_ceil(WORD))
                }
                Answer::TooSmall(bytes) => Answer::TooSmall(bytes.div_ceil(WORD)),
                failed @ Answer::Failed(_) => failed,
            }
        }) {
            Ok(words) => words,
            Err(error) => {
                // What did not fit has made it as large as it may be; a call that fails each time costs no allocation each time.
                if size_of_val(&*self.words) > KEPT_BYTES {
                    self.words = Vec::new();
                }
                return Err(error);
            }
        };
        self.small = if words < self.words.len() / 4 { self.small.saturating_add(1) } else { 0 };
        // SAFETY: `grow` tells no more words than the vector has; all of them are initialised, a byte needs no
        // alignment, and the vector stays borrowed as long as the bytes are.
        Ok(unsafe { slice::from_raw_parts(self.words.as_ptr().cast(), written.min(words * WORD)) })
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        Buffer::default()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} words)", self.words.len())
    }
}

/// A function that this Windows may have or not, of a library that is loaded anyway. Both names end with a NUL.
///
/// The caller gives the address the function's own type, which its documentation tells.
pub(super) fn procedure(library: PCWSTR, name: PCSTR) -> FARPROC {
    // SAFETY: both names end with a NUL, as every caller writes them with `w!` and `s!`; the libraries asked for are
    // imported, or ntdll: they are never unloaded, so neither is what they export.
    unsafe { GetProcAddress(GetModuleHandleW(library), name) }
}

/// A length as Windows counts it.
pub(super) fn len_u32<T>(buffer: &[T]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

/// The size of a structure, for the field or parameter in which Windows wants to be told.
pub(super) const fn size_u32<T>() -> u32 {
    size_of::<T>() as u32
}

/// The calling thread's last error. Some calls fail and set none: that must not read "completed successfully".
pub(super) fn last_error() -> io::Error {
    let e = io::Error::last_os_error();
    if e.raw_os_error() == Some(0) { io::Error::other("the call failed and gave no reason") } else { e }
}

/// `Err` of [`last_error`] where a BOOL is 0. Nothing may be called in between.
pub(super) fn check(ok: windows_sys::core::BOOL) -> io::Result<()> {
    if ok == 0 { Err(last_error()) } else { Ok(()) }
}

/// Text for a call: UTF-16 with its NUL.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] where the text has a NUL of its own, at which Windows would cut it.
pub(super) fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL inside a path"));
    }
    units.push(0);
    Ok(units)
}

/// Units of a text that is read from a pointer; longer ones are cut.
const MOST_UNITS: usize = 32 << 10;

/// The text at a pointer; empty where it is null.
///
/// # Safety
/// The pointer is null, or to units that end with a NUL.
pub(super) unsafe fn text_at(at: *const u16) -> String {
    if at.is_null() {
        return String::new();
    }
    let mut into = String::new();
    // SAFETY: the text ends with a NUL, behind which nothing is read: `map_while` stops there.
    let units = (0..MOST_UNITS).map_while(|unit| Some(unsafe { *at.add(unit) }).filter(|&unit| unit != 0));
    text::decode_into(units, &mut into);
    into
}

/// A time or a span in 100 ns.
pub(super) fn ticks(time: FILETIME) -> u64 {
    u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::{s, w};

    #[test]
    fn a_buffer_grows_to_what_is_needed() {
        let mut seen = Vec::new();
        let answer = fill::<u16>(4, 100, |buffer| {
            seen.push(buffer.len());
            if buffer.len() < 20 { Answer::TooSmall(20) } else { Answer::Filled(3) }
        });
        assert_eq!((answer.unwrap().len(), seen), (3, vec![4, 20]));
    }

    // A registry read once grew by 16 KB at each try while the data grew faster, and never came back.
    #[test]
    fn a_buffer_that_never_does_ends() {
        let mut seen = Vec::new();
        let answer = fill::<u8>(8, 50, |buffer| {
            seen.push(buffer.len());
            Answer::TooSmall(buffer.len() + 1)
        });
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(seen, [8, 16, 32, 50]);
        let mut tries = 0;
        let answer = fill::<u8>(1, usize::MAX, |_| {
            tries += 1;
            Answer::TooSmall(0)
        });
        assert!(answer.is_err() && tries == MAX_TRIES);
    }

    #[test]
    fn a_length_beyond_the_buffer_is_not_believed() {
        assert_eq!(fill::<u16>(4, 4, |_| Answer::Filled(usize::MAX)).unwrap(), [0; 4]);
    }

    #[test]
    fn a_buffer_is_used_again_and_tells_its_bytes() {
        let mut buffer = Buffer::default();
        let mut sizes = Vec::new();
        let bytes = buffer.fill(9, 1 << 10, |at, bytes| {
            sizes.push(bytes);
            if bytes < 100 {
                return Answer::TooSmall(101);
            }
            // SAFETY: `bytes` bytes lie there.
            unsafe { at.write_bytes(7, bytes as usize) };
            Answer::Filled(13)
        });
        assert_eq!(bytes.unwrap(), [7; 13]);
        // No smaller the next time, and what it says it wrote is believed as far as it reaches.
        let bytes = buffer.fill(9, 1 << 10, |_, bytes| {
            sizes.push(bytes);
            Answer::Filled(usize::MAX)
        });
        assert_eq!(bytes.unwrap(), [7; 104]);
        assert_eq!(sizes, [16, 104, 104]);
        assert_eq!(buffer.clone().fill(8, 8, |_, bytes| Answer::Filled(bytes as usize)).unwrap(), [0; 8]);
    }

    // A host that had 100,000 threads for a minute held the memory of their list for ever.
    #[test]
    fn what_an_exception_took_is_given_back() {
        let mut buffer = Buffer::default();
        let mut ask = |wanted: usize| {
            let mut had = 0;
            let answer = buffer.fill(8, 64 << 20, |_, bytes| {
                had = bytes as usize;
                if had < wanted { Answer::TooSmall(wanted) } else { Answer::Filled(wanted) }
            });
            assert_eq!(answer.unwrap().len(), wanted);
            had
        };
        assert_eq!(ask(8 << 20), 8 << 20);
        assert!((0..SMALL_ANSWERS).all(|_| ask(100 << 10) == 8 << 20));
        assert_eq!(ask(100 << 10), 4 << 20);
        // Twice a quarter is needed in between: it is no exception.
        for _ in 0..4 {
            assert!((2..SMALL_ANSWERS).all(|_| ask(100 << 10) == 4 << 20));
            assert_eq!(ask(2 << 20), 4 << 20);
        }
        assert_eq!((0..1000).map(|_| ask(100 << 10)).min(), Some(KEPT_BYTES));
    }

    #[test]
    fn a_function_that_is_not_there_is_none() {
        assert!(procedure(w!("ntdll.dll"), s!("NtQuerySystemInformation")).is_some());
        assert!(procedure(w!("ntdll.dll"), s!("NtNoSuchFunction")).is_none());
        assert!(procedure(w!("no-such-library.dll"), s!("NtQuerySystemInformation")).is_none());
    }

    #[test]
    fn text_with_a_nul_is_refused() {
        assert_eq!(wide(OsStr::new("C:\\")).unwrap(), [0x43, 0x3A, 0x5C, 0]);
        assert_eq!(wide(OsStr::new("a\0b")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
