//! Text in the code page of consoles, which is that of the country: 936 in China.
//!
//! Source: Microsoft's reference of MultiByteToWideChar.

use crate::layout::text::decode_into;
use windows_sys::Win32::Globalization::{CP_OEMCP, MB_ERR_INVALID_CHARS, MultiByteToWideChar};

/// What programs write that know of no UTF-8; `None` where the bytes are no text of that code page.
pub fn oem_text(bytes: &[u8]) -> Option<String> {
    text_of(CP_OEMCP, bytes)
}

fn text_of(code_page: u32, bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some(String::new());
    }
    // A text of a code page has no more units of UTF-16 than bytes.
    let mut units = vec![0_u16; bytes.len()];
    let (len, from, to) = (i32::try_from(bytes.len()).ok()?, bytes.as_ptr(), units.as_mut_ptr());
    // SAFETY: as many bytes and units lie there as the call is told.
    let written = unsafe { MultiByteToWideChar(code_page, MB_ERR_INVALID_CHARS, from, len, to, len) };
    let written = usize::try_from(written).ok().filter(|written| *written > 0)?;
    let mut text = String::new();
    decode_into(units.iter().copied().take(written), &mut text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_the_same_in_every_code_page() {
        assert_eq!(oem_text(b"[{\"a\": 1}]\r\n").as_deref(), Some("[{\"a\": 1}]\r\n"));
        assert_eq!(oem_text(b"").as_deref(), Some(""));
    }

    // As programs of a Windows in China print it.
    #[test]
    fn chinese_is_read_and_half_a_character_is_no_text() {
        const GBK: u32 = 936;
        assert_eq!(text_of(GBK, b"\xB4\xC5\xC5\xCC").as_deref(), Some("磁盘"));
        assert_eq!(text_of(GBK, b"C:\xB4\xC5\xC5"), None);
    }
}
