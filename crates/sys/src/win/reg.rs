//! Texts and numbers of the registry.

use super::ffi::{Answer, fill, size_u32};
use crate::layout::text::text;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, NO_ERROR};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, RRF_NOEXPAND, RRF_RT_REG_DWORD, RRF_RT_REG_EXPAND_SZ, RRF_RT_REG_SZ, RegGetValueW,
};
use windows_sys::core::PCWSTR;

/// Units of the longest text that is read.
const MOST_UNITS: usize = 64 << 10;

/// A text value below HKEY_LOCAL_MACHINE, as it stands there; `None` where there is no such key or value. Both names
/// end with a NUL, as `w!` writes them. The call opens and closes the key itself, so there is no handle to lose.
///
/// # Errors
/// The call's own, also where the value is no text.
pub(super) fn text_value(key: PCWSTR, name: PCWSTR) -> io::Result<Option<String>> {
    text_below(HKEY_LOCAL_MACHINE, key, name)
}

/// The same below a key that is open; no path means the key itself.
pub(super) fn text_below(above: HKEY, path: PCWSTR, name: PCWSTR) -> io::Result<Option<String>> {
    let units = fill(256, MOST_UNITS, |buffer: &mut [u16]| {
        let mut bytes = u32::try_from(size_of_val(buffer)).unwrap_or(u32::MAX);
        let flags = RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND;
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: the key above is open; both names end with a NUL, or the path is null; the buffer has as many bytes as
        // the call is told; the type is not asked for.
        let code = unsafe { RegGetValueW(above, path, name, flags, ptr::null_mut(), to, &raw mut bytes) };
        match code {
            NO_ERROR => Answer::Filled(bytes as usize / 2),
            ERROR_MORE_DATA => Answer::TooSmall(bytes as usize / 2 + 1),
            code => Answer::Failed(io::Error::from_raw_os_error(code.cast_signed())),
        }
    });
    match units {
        Ok(units) => Ok(Some(text(&units))),
        Err(e) if e.raw_os_error() == Some(ERROR_FILE_NOT_FOUND.cast_signed()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A number (REG_DWORD) below HKEY_LOCAL_MACHINE; `None` where there is no such key or value. Both names end with a NUL.
///
/// # Errors
/// The call's own, also where the value is no such number.
pub(super) fn number_value(key: PCWSTR, name: PCWSTR) -> io::Result<Option<u32>> {
    let (mut number, mut bytes) = (0_u32, size_u32::<u32>());
    let (flags, to) = (RRF_RT_REG_DWORD, (&raw mut number).cast());
    // SAFETY: both names end with a NUL; a live number of as many bytes as the call is told; the type is not asked for.
    match unsafe { RegGetValueW(HKEY_LOCAL_MACHINE, key, name, flags, ptr::null_mut(), to, &raw mut bytes) } {
        NO_ERROR => Ok(Some(number)),
        ERROR_FILE_NOT_FOUND => Ok(None),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::w;

    const WINDOWS: PCWSTR = w!("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion");

    #[test]
    fn a_value_is_its_text() {
        let version = text_value(WINDOWS, w!("CurrentVersion")).unwrap().unwrap();
        assert!(
            version.split('.').count() == 2 && version.split('.').all(|part| part.parse::<u32>().is_ok()),
            "{version}"
        );
    }

    #[test]
    fn what_is_not_there_is_none_and_what_is_no_text_is_an_error() {
        assert_eq!(text_value(WINDOWS, w!("NoSuchValueOfAnyHost")).unwrap(), None);
        assert_eq!(text_value(w!("SOFTWARE\\NoSuchKeyOfAnyHost"), w!("x")).unwrap(), None);
        assert!(text_value(WINDOWS, w!("InstallDate")).is_err());
        assert!(number_value(WINDOWS, w!("InstallDate")).unwrap().is_some());
        assert_eq!(number_value(WINDOWS, w!("NoSuchValueOfAnyHost")).unwrap(), None);
        assert_eq!(number_value(w!("SOFTWARE\\NoSuchKeyOfAnyHost"), w!("x")).unwrap(), None);
        assert!(number_value(WINDOWS, w!("CurrentVersion")).is_err());
    }
}
