//! What a plugin has printed, as text: UTF-8, UTF-16 that says so, else the code page of the console; and as points.
//!
//! Programs of Windows write in the code page of their country unless they are told otherwise, and PowerShell's files in
//! UTF-16. A byte order mark may stand before the text, and behind it where two programs wrote.

use std::borrow::Cow;

use crate::push::{self, Batch, Refusal, Rules};

const UTF8_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];
/// Characters of what is shown of it.
const MOST_SHOWN: usize = 80;

/// Reads bytes in the console's code page, `None` where they are none of its.
pub type Oem<'a> = &'a dyn Fn(&[u8]) -> Option<String>;

/// The points that a plugin has printed; `None` where it has printed nothing.
///
/// # Errors
/// Why nothing of it is sent.
pub fn points(printed: &[u8], oem: Oem<'_>, rules: &Rules) -> Result<Option<Batch>, String> {
    let text = json(printed, oem)?;
    let text = trimmed(&text);
    if text.is_empty() {
        return Ok(None);
    }
    push::decode_whole(text, rules).map(Some).map_err(|refusal| match refusal {
        Refusal::Json(error) => format!(
            "printed what is no JSON array of points: {error}; it begins with `{}`: let it print nothing else, and its \
             messages on standard error",
            shown(text)
        ),
        Refusal::TooMany(most) => format!("printed more than {most} points, and none is sent: let it print fewer"),
    })
}

/// Bytes that JSON can be read from.
fn json<'a>(printed: &'a [u8], oem: Oem<'_>) -> Result<Cow<'a, [u8]>, String> {
    if let Some(text) = utf16(printed) {
        return Ok(Cow::Owned(text.into_bytes()));
    }
    if let Some(at) = printed.iter().position(|byte| *byte == 0) {
        return Err(format!(
            "printed binary data (a NUL at byte {at}): points are text in UTF-8, or in UTF-16 that begins with a byte \
             order mark"
        ));
    }
    Ok(match str::from_utf8(printed) {
        Ok(_) => Cow::Borrowed(printed),
        // What is no text of the code page either is left to the decoder, which replaces as Go does.
        Err(_) => oem(printed).map_or(Cow::Borrowed(printed), |text| Cow::Owned(text.into_bytes())),
    })
}

/// The same for people to read; what is no text is replaced. `is_cut`: only its beginning is there, which may end within a
/// character, and that one is left out.
pub fn text(printed: &[u8], is_cut: bool, oem: Oem<'_>) -> String {
    let text = match (utf16(printed), str::from_utf8(printed)) {
        (Some(text), _) if is_cut => text.trim_end_matches('\u{FFFD}').to_owned(),
        (Some(text), _) => text,
        (None, Ok(text)) => text.to_owned(),
        (None, Err(error)) => {
            let whole = printed.get(..error.valid_up_to()).filter(|_| is_cut && error.error_len().is_none());
            let shorter = || printed.split_last().filter(|_| is_cut).and_then(|(_, rest)| oem(rest));
            match whole {
                Some(whole) => String::from_utf8_lossy(whole).into_owned(),
                None => oem(printed).or_else(shorter).unwrap_or_else(|| String::from_utf8_lossy(printed).into_owned()),
            }
        }
    };
    match text.strip_prefix('\u{FEFF}') {
        Some(text) => text.to_owned(),
        None => text,
    }
}

fn utf16(printed: &[u8]) -> Option<String> {
    let (encoding, rest) = match printed {
        [0xFF, 0xFE, rest @ ..] => (encoding_rs::UTF_16LE, rest),
        [0xFE, 0xFF, rest @ ..] => (encoding_rs::UTF_16BE, rest),
        _ => return None,
    };
    Some(encoding.decode_without_bom_handling(rest).0.into_owned())
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    loop {
        let before = text.len();
        text = text.trim_ascii();
        text = text.strip_prefix(UTF8_MARK).unwrap_or(text);
        text = text.strip_suffix(UTF8_MARK).unwrap_or(text);
        if text.len() == before {
            return text;
        }
    }
}

/// The beginning of a foreign text, on one line.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..MOST_SHOWN * 4).unwrap_or(text));
    text.chars().take(MOST_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { now: 1_795_363_835, items: 3, default_tags: 0 };

    const POINT: &str = "{\"endpoint\":\"主机\",\"metric\":\"m\",\"value\":1,\"step\":60,\"counterType\":\"GAUGE\",\"tags\":\"\",\"timestamp\":5}";

    fn none(_: &[u8]) -> Option<String> {
        None
    }

    /// As a Windows in China reads it.
    fn gbk(bytes: &[u8]) -> Option<String> {
        encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
    }

    fn endpoints(printed: &[u8], oem: Oem<'_>) -> Vec<String> {
        let batch = points(printed, oem, &RULES).unwrap().unwrap();
        batch.samples.iter().map(|sample| sample.endpoint.as_deref().unwrap().to_owned()).collect()
    }

    fn why(printed: &[u8]) -> String {
        points(printed, &none, &RULES).unwrap_err()
    }

    #[test]
    fn every_encoding_gives_the_same_points() {
        let text = format!("[{POINT}]\r\n");
        let units = || text.encode_utf16();
        let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        for (printed, oem) in [
            (text.clone().into_bytes(), &none as Oem<'_>),
            (text.clone().into_bytes(), &gbk),
            (marked(UTF8_MARK, text.clone().into_bytes()), &none),
            (marked(&[0xFF, 0xFE], units().flat_map(u16::to_le_bytes).collect()), &none),
            (marked(&[0xFE, 0xFF], units().flat_map(u16::to_be_bytes).collect()), &gbk),
            (encoding_rs::GBK.encode(&text).0.into_owned(), &gbk),
        ] {
            assert_eq!(endpoints(&printed, oem), ["主机"], "{printed:?}");
        }
        // Without the code page its bytes are replaced, as Go does.
        assert!(endpoints(&encoding_rs::GBK.encode(&text).0, &none)[0].contains('\u{FFFD}'));
    }

    /// The byte order mark of a second program stood behind the points of the first.
    #[test]
    fn a_byte_order_mark_behind_the_text_is_none_of_it() {
        let printed = format!(" \r\n\u{FEFF}[{POINT}]\u{FEFF}\n\u{FEFF}");
        assert_eq!(endpoints(printed.as_bytes(), &none), ["主机"]);
        assert!(points(UTF8_MARK, &none, &RULES).unwrap().is_none());
    }

    #[test]
    fn who_prints_nothing_has_nothing_to_send() {
        for printed in ["", " \r\n\t\n", "\u{FEFF}\n"] {
            assert!(points(printed.as_bytes(), &none, &RULES).unwrap().is_none());
        }
        assert!(points(b"[]", &none, &RULES).unwrap().unwrap().samples.is_empty());
        assert!(points(b"null", &none, &RULES).unwrap().unwrap().samples.is_empty());
    }

    /// The Go agent fell over it.
    #[test]
    fn a_null_among_the_points_is_left_out_and_counted() {
        let batch = points(format!("[null,{POINT}]").as_bytes(), &none, &RULES).unwrap().unwrap();
        assert_eq!((batch.samples.len(), batch.refused_total()), (1, 1));
    }

    #[test]
    fn what_is_no_array_of_points_says_so() {
        assert_eq!(
            why(b"Hello\nworld"),
            "printed what is no JSON array of points: expected a value, found 'H' at byte 0; it begins with `Hello \
             world`: let it print nothing else, and its messages on standard error"
        );
        assert!(why(format!("[{POINT}][{POINT}]").as_bytes()).contains("expected the end, found '['"));
        assert!(why(format!("[{POINT}").as_bytes()).contains("unexpected end"));
        assert!(why(b"{}").contains("array"));
        assert_eq!(why(b"[null,null,null,null]"), "printed more than 3 points, and none is sent: let it print fewer");
        assert!(why(&b"\xFF\xFF\xFFx".repeat(1000)).len() < 600);
    }

    #[test]
    fn binary_data_is_named() {
        assert!(why(b"MZ\x90\x00\x03").starts_with("printed binary data (a NUL at byte 3)"));
        let unmarked: Vec<u8> = "[]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(why(&unmarked).contains("byte order mark"));
    }

    #[test]
    fn messages_are_text_whatever_they_are() {
        let whole = |printed: &[u8], oem: Oem<'_>| text(printed, false, oem);
        assert_eq!(whole("\u{FEFF}a".as_bytes(), &none), "a");
        assert_eq!(whole(b"\xFF\xFEa\0", &none), "a");
        assert_eq!(whole(b"\xD6\xF7", &gbk), "主");
        assert_eq!(whole(b"\xD6", &none), "\u{FFFD}");
    }

    /// 64 KB of Chinese in UTF-8 ended within a character, and all of them were read in the code page.
    #[test]
    fn a_message_that_is_cut_within_a_character_is_text_up_to_there() {
        let said = "磁盘满";
        for (bytes, oem) in [
            (said.as_bytes().to_vec(), &gbk as Oem<'_>),
            (said.as_bytes().to_vec(), &none),
            (encoding_rs::GBK.encode(said).0.into_owned(), &gbk),
            ([vec![0xFF, 0xFE], said.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(), &none),
        ] {
            assert_eq!(text(&bytes[..bytes.len() - 1], true, oem), "磁盘", "{bytes:?}");
            assert_eq!(text(&bytes, true, oem), said);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_printed_is_a_reason_to_fall(printed in prop::collection::vec(any::<u8>(), 0..64), mark in 0_usize..4) {
            let marks: [&[u8]; 4] = [b"", UTF8_MARK, &[0xFF, 0xFE], b"[{\"endpoint\":\""];
            let printed = [marks[mark], &printed].concat();
            let _ = points(&printed, &gbk, &RULES);
            let _ = text(&printed, true, &none);
        }
    }
}
