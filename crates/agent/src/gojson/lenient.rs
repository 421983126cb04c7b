//! What people write into a configuration file: comments, and characters of a Chinese input method where ASCII is due.

/// The ASCII character to type instead of a look-alike from an input method or a word processor, if `c` is one.
pub(super) fn ascii_for(c: char) -> Option<char> {
    Some(match c {
        '\u{3000}' | '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{feff}' => ' ',
        '“' | '”' | '„' | '‟' | '‘' | '’' | '「' | '」' | '＂' | '＇' => '"',
        '【' => '[',
        '】' => ']',
        '、' => ',',
        '–' | '—' | '−' => '-',
        // U+FF01 to U+FF5E are ASCII 0x21 to 0x7E, moved as one block.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)?,
        _ => return None,
    })
}

/// A character for a message: itself, its code point where it is not plain ASCII, and what to type instead.
pub(super) fn described(c: char) -> String {
    let code = u32::from(c);
    match ascii_for(c) {
        Some(' ') => format!("the blank U+{code:04X}; use an ordinary space instead"),
        Some(ascii) => format!("{c:?} (U+{code:04X}); use the ASCII character {ascii} instead"),
        None if c.is_ascii_graphic() => format!("{c:?}"),
        None => format!("{c:?} (U+{code:04X})"),
    }
}

/// The bytes of the comment that `rest` begins with, without the line break that ends it. `None`: it is no comment, or
/// a `/*` that is never closed.
pub(super) fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"#") || rest.starts_with(b"//") {
        return Some(rest.iter().position(|&b| b == b'\n' || b == b'\r').unwrap_or(rest.len()));
    }
    let inside = rest.strip_prefix(b"/*")?;
    inside.windows(2).position(|two| two == b"*/").map(|end| end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_have_an_ascii_character() {
        let pairs = [('：', ':'), ('，', ','), ('“', '"'), ('｛', '{'), ('］', ']'), ('７', '7'), ('\u{3000}', ' ')];
        for (wide, ascii) in pairs {
            assert_eq!(ascii_for(wide), Some(ascii), "{wide}");
        }
        assert_eq!(ascii_for('中'), None);
    }

    #[test]
    fn a_comment_ends_where_it_should() {
        assert_eq!(comment(b"# x\ny"), Some(3));
        assert_eq!(comment(b"// x\r\ny"), Some(4));
        assert_eq!(comment(b"/* * / */1"), Some(9));
        assert_eq!(comment(b"/*/"), None);
        assert_eq!(comment(b"//"), Some(2));
    }
}
