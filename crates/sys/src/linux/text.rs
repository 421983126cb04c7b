//! Words and numbers of `/proc` files. A line that is not UTF-8 is no line of a table of numbers, and is skipped.

/// The lines of a file that are text.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|&b| b == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
}

/// All words as numbers; `None` if one of them is not a number of 64 bits.
pub(super) fn numbers<'a>(words: impl Iterator<Item = &'a str>) -> Option<Vec<u64>> {
    words.map(|word| word.parse().ok()).collect()
}
