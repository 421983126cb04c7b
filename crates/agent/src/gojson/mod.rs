//! The one edge for JSON that comes from outside: pushes, plugin output, server answers, `cfg.json`.
//!
//! Bytes are decoded as Go's `encoding/json` decodes them, because the field's scripts and servers were written against
//! it: keys match exactly and else under Go's case folding, the last of duplicate keys wins, `null` leaves a scalar as
//! it was, integers come from integer literals only, bad UTF-8 and lone surrogates become U+FFFD.
//!
//! Invariants: every path returns a `Result`; no byte can cause a panic, a stack overflow or more than linear work.
//! A [`Parser`] that has returned an error stays where it stopped and is good for its [`Parser::offset`] only.
//!
//! Source of truth: `encoding/json/{scanner,decode,fold,stream}.go`; `tests/fixtures/gojson-cases.txt` is printed by
//! `interop/gojsoncases`, a Go program, so that what is expected is Go's word and not ours.

mod framer;
mod lenient;
mod node;
mod parser;
mod scan;
mod text;

use std::borrow::Cow;
use std::fmt;

pub use framer::Framer;
pub use node::{Member, Node, Value};
pub use parser::Parser;

/// Containers inside containers that are still accepted; one more is an error (`maxNestingDepth` in scanner.go).
pub const MAX_DEPTH: usize = 10_000;

/// What is wrong with the input, and at which byte of it (0-based).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub offset: usize,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for Error {}

/// The kind of the next value, told by its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Token {
    /// For messages: "found a string".
    fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// What Go stores in an `interface{}`, as far as the agent needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// `null`: a nil interface.
    Null,
    Bool(bool),
    /// Always finite: a literal that overflows is an error, as in Go.
    Number(f64),
    String(Cow<'a, str>),
    /// Checked and skipped over.
    Array,
    /// Checked and skipped over.
    Object,
}

/// Whether an object's key selects the struct field of this JSON name.
///
/// Go takes an exact match first; a decoder whose field names do not fold onto each other (all of ours) can ask this
/// alone. Folding is ASCII case plus the two letters beyond ASCII that fold into it: U+017F and U+212A.
pub fn key_is(key: &str, field: &str) -> bool {
    key == field || key.chars().map(fold).eq(field.chars().map(fold))
}

fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_as_in_go() {
        assert!(key_is("CounterType", "counterType"));
        assert!(key_is("tag\u{17f}", "tags"));
        assert!(key_is("\u{212a}ey", "key"));
        assert!(!key_is("tag", "tags"));
        assert!(!key_is("tagss", "tags"));
        // Folding beyond ASCII would be Unicode's, not Go's rule for ASCII field names.
        assert!(!key_is("ıp", "ip"));
    }
}
