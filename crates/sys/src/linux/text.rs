//! Words and numbers of `/proc` files. A line that is not UTF-8 is no line of a table of numbers, and is skipped.
//! Nothing here takes memory.

/// The lines of a file that are text.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|&b| b == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
}

/// The next word as a number of 64 bits.
pub(super) fn number<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<u64> {
    words.next()?.parse().ok()
}

/// The next `N` words as numbers; `None` if there are fewer, or one of them is not a number of 64 bits. What follows
/// stays in `words`.
pub(super) fn numbers<'a, const N: usize>(words: &mut impl Iterator<Item = &'a str>) -> Option<[u64; N]> {
    let mut found = [0; N];
    for slot in &mut found {
        *slot = number(words)?;
    }
    Some(found)
}

/// A file that is one number on its first line, or begins with one.
pub(super) fn first_number(bytes: &[u8]) -> Option<u64> {
    number(&mut lines(bytes).next()?.split_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_numbers_as_asked_for_or_none() {
        let of = |text: &'static str| numbers::<2>(&mut text.split_ascii_whitespace());
        assert_eq!(of("1 18446744073709551615 x"), Some([1, u64::MAX]));
        for text in ["", "1", "1 x", "1 -2", "1 18446744073709551616", "1 2.0", "0x1 2"] {
            assert_eq!(of(text), None, "{text:?}");
        }
        let mut words = "1 2 rest".split_ascii_whitespace();
        assert_eq!((numbers::<2>(&mut words), words.next()), (Some([1, 2]), Some("rest")));
    }

    #[test]
    fn the_first_number_is_that_of_the_first_line() {
        assert_eq!(first_number(b"9223372036854775807\n"), Some(i64::MAX as u64));
        assert_eq!(first_number(b"1408\t0\t100\n"), Some(1408));
        for file in [&b""[..], b"\n5\n", b"-1\n", b"max\n", b"\xff\n"] {
            assert_eq!(first_number(file), None, "{file:?}");
        }
    }
}
