//! Rust source without its comments and literals, so that a search for a word finds code only.
//!
//! Follows the token rules of the Rust Reference ("Tokens", "Comments"). Invariant: newlines are kept, so that line
//! numbers hold.

/// The code of `source`: comments, strings and character literals are replaced by blanks.
pub fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    let mut in_word = false;
    while let Some(&c) = chars.get(at) {
        let rest = chars.get(at..).unwrap_or_default();
        let length = if rest.starts_with(&['/', '/']) {
            rest.iter().take_while(|c| **c != '\n').count()
        } else if rest.starts_with(&['/', '*']) {
            block_comment(rest)
        } else if c == '"' {
            string(rest)
        } else if c == '\'' {
            char_literal(rest)
        } else if !in_word && matches!(rest, ['r', ..] | ['b' | 'c', 'r', ..]) {
            raw_string(rest)
        } else {
            0
        };
        if length == 0 {
            out.push(c);
            in_word = is_word(c);
            at += 1;
            continue;
        }
        out.extend(rest.iter().take(length).map(|c| if *c == '\n' { '\n' } else { ' ' }));
        in_word = false;
        at += length;
    }
    out
}

/// The lines, counted from 1, on which `word` stands as a whole word of code.
pub fn lines_with_word(source: &str, word: &str) -> Vec<usize> {
    let code = code(source);
    let has_word = |line: &str| line.split(|c| !is_word(c)).any(|found| found == word);
    code.lines().enumerate().filter(|(_, line)| has_word(line)).map(|(index, _)| index + 1).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest.starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &[char]) -> usize {
    let mut at = 1;
    while let Some(c) = text.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// 0 for a lifetime.
fn char_literal(text: &[char]) -> usize {
    match (text.get(1), text.get(2)) {
        // The escaped character itself may be the quote.
        (Some('\\'), _) => text.iter().skip(3).position(|c| *c == '\'').map_or(0, |end| end + 4),
        (Some(_), Some('\'')) => 3,
        _ => 0,
    }
}

/// 0 for what only begins like one, such as a raw identifier or the word `br`.
fn raw_string(text: &[char]) -> usize {
    let prefix = text.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let hashes = text.iter().skip(prefix).take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if text.get(open) != Some(&'"') {
        return 0;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = text.get(open + 1..).unwrap_or_default();
    let end = body.windows(closing.len()).position(|window| window == closing);
    end.map_or(text.len(), |end| open + 1 + end + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> bool {
        !lines_with_word(source, "unsafe").is_empty()
    }

    #[test]
    fn the_word_is_found_in_code_only() {
        for code in ["unsafe {}", "fn f() { g(); unsafe{h()} }", "let c = '\"'; unsafe {}", "let l: &'a str; unsafe {}"]
        {
            assert!(found(code), "{code}");
        }
        for other in [
            "// unsafe",
            "/* /* */ unsafe */",
            "\"unsafe\"",
            "\"a \\\" unsafe\"",
            "r#\"a \" unsafe\"#",
            "br\"unsafe\"",
            "#![forbid(unsafe_code)]",
            "let not_unsafe = 1;",
        ] {
            assert!(!found(other), "{other}");
        }
    }

    #[test]
    fn literals_end_where_they_end() {
        for code in [
            "\"\\\\\"; unsafe",
            "'\\''; unsafe",
            "'\\u{1F600}'; unsafe",
            "r\"\\\"; unsafe",
            "/* */ unsafe",
            "br; unsafe",
        ] {
            assert!(found(code), "{code}");
        }
        assert!(found("for\"x\" unsafe"), "the r of a word begins no raw string");
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        assert_eq!(lines_with_word("/*\n\n*/ \"a\nb\"\nunsafe", "unsafe"), [5]);
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for text in ["/* unsafe", "\"unsafe", "r#\"unsafe", "'\\"] {
            assert!(!found(text), "{text}");
        }
    }
}
