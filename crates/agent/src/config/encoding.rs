//! Which encoding a configuration file is in: Notepad's, an editor's on a Chinese Windows, or UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoding, GBK, UTF_16BE, UTF_16LE};

/// The text without its byte order mark, and a remark where the encoding was anything but clean UTF-8.
///
/// A mark decides; then a NUL beside the first character (which is ASCII in JSON) tells UTF-16; then valid UTF-8 is
/// UTF-8; what remains is GBK, the code page of a Chinese Windows. What fits no encoding is read as UTF-8 with its bad
/// bytes replaced, as Go would.
pub(super) fn decode(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = bytes.get(mark..).unwrap_or_default();
        return if encoding == UTF_16LE || encoding == UTF_16BE { utf16(encoding, text) } else { utf8_or(text, false) };
    }
    match bytes {
        [first, 0, ..] if *first != 0 => utf16(UTF_16LE, bytes),
        [0, second, ..] if *second != 0 => utf16(UTF_16BE, bytes),
        _ => utf8_or(bytes, true),
    }
}

fn utf16<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> (Cow<'a, str>, Option<String>) {
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    let remark = if broken { ", with damaged characters replaced" } else { "" };
    (text, Some(format!("the file is in {}{remark}; UTF-8 is the usual encoding", encoding.name())))
}

fn utf8_or(bytes: &[u8], try_gbk: bool) -> (Cow<'_, str>, Option<String>) {
    if let Ok(text) = str::from_utf8(bytes) {
        return (Cow::Borrowed(text), None);
    }
    if try_gbk && let Some(text) = GBK.decode_without_bom_handling_and_without_replacement(bytes) {
        return (text, Some("the file is not valid UTF-8 and was read as GBK; UTF-8 is the usual encoding".to_owned()));
    }
    let remark = "the file is valid in no known encoding; read as UTF-8 with damaged bytes replaced by U+FFFD";
    (String::from_utf8_lossy(bytes), Some(remark.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::decode;

    const TEXT: &str = "{\"hostname\": \"主机\"}";

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[track_caller]
    fn check(bytes: &[u8], remark: Option<&str>) {
        let (text, found) = decode(bytes);
        assert_eq!(text, TEXT);
        assert_eq!(found.as_deref().map(|found| remark.is_some_and(|part| found.contains(part))), remark.map(|_| true));
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        check(TEXT.as_bytes(), None);
        check(format!("\u{feff}{TEXT}").as_bytes(), None);
        check(&utf16(TEXT, u16::to_le_bytes), Some("UTF-16LE"));
        check(&utf16(TEXT, u16::to_be_bytes), Some("UTF-16BE"));
        check(&utf16(&format!("\u{feff}{TEXT}"), u16::to_le_bytes), Some("UTF-16LE"));
        check(&utf16(&format!("\u{feff}{TEXT}"), u16::to_be_bytes), Some("UTF-16BE"));
        check(b"{\"hostname\": \"\xd6\xf7\xbb\xfa\"}", Some("GBK"));
    }

    #[test]
    fn damage_is_replaced_and_told() {
        let (text, remark) = decode(b"{\"a\": \"\xff\xff\"}");
        assert_eq!(text, "{\"a\": \"\u{fffd}\u{fffd}\"}");
        assert!(remark.unwrap().contains("no known encoding"));
        let (text, remark) = decode(b"\xff\xfe{\0\x00\xd8}\0");
        assert_eq!(text, "{\u{fffd}}");
        assert!(remark.unwrap().contains("damaged"));
        assert_eq!(decode(b""), ("".into(), None));
    }
}
