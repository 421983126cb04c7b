//! From the bytes between two quotes to a string (`unquoteBytes` in decode.go).

/// Decodes the inside of a string literal whose escapes the scanner has checked; a broken one would be dropped.
pub(super) fn unquote(raw: &[u8]) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        let Some(slash) = rest.iter().position(|&b| b == b'\\') else {
            push_lossy(&mut out, rest);
            return out;
        };
        let (plain, escape) = rest.split_at(slash);
        push_lossy(&mut out, plain);
        let taken = push_escape(&mut out, escape);
        rest = escape.get(taken..).unwrap_or_default();
    }
}

/// Every byte that is no part of well-formed UTF-8 becomes one U+FFFD: more of them than
/// `String::from_utf8_lossy` writes, which answers a truncated sequence with a single one.
pub(super) fn push_lossy(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// Decodes the escape at the start of `escape`; returns the bytes it took.
fn push_escape(out: &mut String, escape: &[u8]) -> usize {
    let plain = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let (c, taken) = unicode(escape);
            out.push(c);
            return taken;
        }
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    out.push(plain);
    2
}

/// `\uXXXX`, or two of them where they are a surrogate pair. Half a pair is U+FFFD and takes only itself, so that the
/// second half of a broken pair may still begin a good one.
fn unicode(escape: &[u8]) -> (char, usize) {
    let Some(unit) = hex4(escape) else { return (char::REPLACEMENT_CHARACTER, 6) };
    if let Some(c) = char::from_u32(unit) {
        return (c, 6);
    }
    let low = escape.get(6..).and_then(hex4);
    match (unit, low) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let c = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            (c.unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn hex4(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &b| Some(unit * 16 + char::from(b).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn each_bad_byte_is_one_replacement_character() {
        assert_eq!(unquote(b"\xe4\xbdA"), "\u{fffd}\u{fffd}A");
        assert_eq!(unquote(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(unquote(b"a\xff\\n\xff"), "a\u{fffd}\n\u{fffd}");
    }

    #[test]
    fn surrogates_pair_up_or_are_replaced_one_by_one() {
        assert_eq!(unquote(br"\ud83d\ude00"), "\u{1f600}");
        assert_eq!(unquote(br"\ud800\ud83d\ude00"), "\u{fffd}\u{1f600}");
        assert_eq!(unquote(br"\udc00\ud800x"), "\u{fffd}\u{fffd}x");
        assert_eq!(unquote(br"\ud800\u0041"), "\u{fffd}A");
    }
}
