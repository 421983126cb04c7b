//! Text in the code page of consoles, which is that of the country: 936 in China.
//!
//! Source: Microsoft's reference of MultiByteToWideChar.

use super::ffi::last_error;
use crate::layout::text::decode_into;
use std::io;
use windows_sys::Win32::Globalization::{CP_OEMCP, MB_ERR_INVALID_CHARS, MultiByteToWideChar};

/// What programs write that know of no UTF-8; `None` where the bytes are no text of that code page.
pub fn oem_text(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some(String::new());
    }
    let mut units = vec![0_u16; bytes.len()];
    let written = convert(bytes, &mut units).ok()?;
    let mut text = String::new();
    decode_into(units.iter().copied().take(written), &mut text);
    Some(text)
}

/// A text of a code page has no more units of UTF-16 than bytes.
fn convert(bytes: &[u8], into: &mut [u16]) -> io::Result<usize> {
    let invalid = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    let (len, most) = (i32::try_from(bytes.len()).map_err(invalid)?, i32::try_from(into.len()).map_err(invalid)?);
    let (from, to) = (bytes.as_ptr(), into.as_mut_ptr());
    // SAFETY: as many bytes and units lie there as the call is told.
    let written = unsafe { MultiByteToWideChar(CP_OEMCP, MB_ERR_INVALID_CHARS, from, len, to, most) };
    usize::try_from(written).ok().filter(|written| *written > 0).ok_or_else(last_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_the_same_in_every_code_page() {
        assert_eq!(oem_text(b"[{\"a\": 1}]\r\n").as_deref(), Some("[{\"a\": 1}]\r\n"));
        assert_eq!(oem_text(b"").as_deref(), Some(""));
    }
}
