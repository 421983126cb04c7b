//! Names of instances: UTF-16, or bytes in the code page that the object names.

use encoding_rs::{
    BIG5, EUC_KR, Encoding, GB18030, GBK, IBM866, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

/// Characters of a name.
const LONGEST: usize = 1024;
/// A character of GB18030 is the longest: four bytes.
const LONGEST_BYTES: usize = 4 * LONGEST;

/// The text before the first NUL, without what exceeds the longest name; what is no character is U+FFFD.
pub(super) fn decode(bytes: &[u8], code_page: u32) -> String {
    if code_page == 0 {
        let (units, _) = bytes.as_chunks::<2>();
        let units = units.iter().copied().map(u16::from_le_bytes).take_while(|unit| *unit != 0);
        return char::decode_utf16(units).take(LONGEST).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let bytes = bytes.get(..LONGEST_BYTES).unwrap_or(bytes);
    let (text, _) = encoding(code_page).decode_without_bom_handling(bytes);
    text.chars().take(LONGEST).collect()
}

/// What is in a code page that nobody knows here is ASCII or UTF-8 most of the time.
fn encoding(code_page: u32) -> &'static Encoding {
    match code_page {
        866 => IBM866,
        874 => WINDOWS_874,
        932 => SHIFT_JIS,
        936 => GBK,
        949 => EUC_KR,
        950 => BIG5,
        1250 => WINDOWS_1250,
        1251 => WINDOWS_1251,
        1252 => WINDOWS_1252,
        1253 => WINDOWS_1253,
        1254 => WINDOWS_1254,
        1255 => WINDOWS_1255,
        1256 => WINDOWS_1256,
        1257 => WINDOWS_1257,
        1258 => WINDOWS_1258,
        54_936 => GB18030,
        _ => UTF_8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_name_ends_with_its_nul_and_damaged_characters_are_replaced() {
        assert_eq!(decode(&utf16("Default Web Site\0rest"), 0), "Default Web Site");
        assert_eq!(decode(&utf16("网站😀"), 0), "网站😀");
        assert_eq!(decode(&[0x41, 0, 0x00, 0xD8, 0x42, 0, 0x43], 0), "A\u{FFFD}B");
        assert_eq!((decode(&[], 0), decode(&[0x41], 0), decode(&[0, 0], 1252)), Default::default());
    }

    #[test]
    fn bytes_are_read_in_the_code_page_of_the_object() {
        for (code_page, bytes, text) in [
            (936, &b"\xCD\xF8\xD5\xBE\0"[..], "网站"),
            (950, b"\xBA\xF4\xAF\xB8", "網站"),
            (932, b"\x83T\x83C\x83g", "サイト"),
            (949, b"\xBB\xE7\xC0\xCC\xC6\xAE", "사이트"),
            (1252, b"caf\xE9", "café"),
            (1251, b"\xF1\xE0\xE9\xF2", "сайт"),
            (65_001, "网站".as_bytes(), "网站"),
            (437, b"a\xFFb", "a\u{FFFD}b"),
            (437, "网站".as_bytes(), "网站"),
        ] {
            assert_eq!(decode(bytes, code_page), text, "{code_page}");
        }
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(decode(&utf16(&"网".repeat(3000)), 0), "网".repeat(LONGEST));
        assert_eq!(decode("网".repeat(3000).as_bytes(), 65_001), "网".repeat(LONGEST));
        assert_eq!(decode(&[b'a'; 5000], 936), "a".repeat(LONGEST));
    }
}
