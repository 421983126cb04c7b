//! The lexical half of the parser: white space, words, numbers, string literals, and what to say of a wrong byte
//! (the grammar of scanner.go).

use std::borrow::Cow;

use super::lenient;
use super::parser::Parser;
use super::text;
use super::{Error, Token};

impl<'a> Parser<'a> {
    /// The literal of the number that stands here, checked against the grammar.
    pub(super) fn number_text(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.eat(b'-');
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let literal = self.bytes.get(start..self.at).unwrap_or_default();
        str::from_utf8(literal).map_err(|_| self.error("expected a number"))
    }

    pub(super) fn string_text(&mut self) -> Result<Cow<'a, str>, Error> {
        let (raw, escaped) = self.scan_string()?;
        match str::from_utf8(raw) {
            Ok(plain) if !escaped => Ok(Cow::Borrowed(plain)),
            _ => Ok(Cow::Owned(text::unquote(raw))),
        }
    }

    /// Reads a string literal: what is between its quotes, and whether there is an escape in it.
    pub(super) fn scan_string(&mut self) -> Result<(&'a [u8], bool), Error> {
        let start = self.at + 1;
        self.at = start;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len());
            self.at += plain;
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.broken_string(start)),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok((raw, escaped))
    }

    fn escape(&mut self) -> Result<(), Error> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.byte() {
                        Some(b) if b.is_ascii_hexdigit() => self.at += 1,
                        _ => return Err(self.unexpected("four hexadecimal digits after \\u")),
                    }
                }
            }
            _ => return Err(self.unexpected("one of \" \\ / b f n r t u after a backslash")),
        }
        Ok(())
    }

    /// Stopped at a control character or the end, inside a string.
    fn broken_string(&self, start: usize) -> Error {
        let mut error = match self.byte() {
            None => self.error("unexpected end of input inside a string"),
            Some(b'\n' | b'\r') => self.error("a string may not contain a line break: is its closing quote missing?"),
            Some(b) => {
                self.error(&format!("the control character 0x{b:02x} must be written as \\u{b:04x} in a string"))
            }
        };
        let inside = self.bytes.get(start..self.at).map(String::from_utf8_lossy).unwrap_or_default();
        if self.lenient
            && let Some(quote) = inside.chars().find(|&c| lenient::ascii_for(c) == Some('"'))
        {
            error.message = format!("{}; the string contains {}", error.message, lenient::described(quote));
        }
        error
    }

    pub(super) fn true_or_false(&mut self) -> Result<bool, Error> {
        let is_true = self.byte() == Some(b't');
        self.word(if is_true { "true" } else { "false" })?;
        Ok(is_true)
    }

    pub(super) fn word(&mut self, word: &'static str) -> Result<(), Error> {
        for expected in word.bytes() {
            if !self.eat(expected) {
                return Err(self.unexpected(word));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        if count == 0 {
            return Err(self.unexpected("a digit"));
        }
        self.at += count;
        Ok(())
    }

    pub(super) fn blank(&mut self) -> Result<(), Error> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'#' | b'/') if self.lenient => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    match lenient::comment(rest) {
                        Some(length) => self.at += length,
                        None if rest.starts_with(b"/*") => return Err(self.error("this comment is never closed")),
                        None => return Err(self.unexpected("a comment or a value")),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn error(&self, message: &str) -> Error {
        Error { offset: self.at, message: message.to_owned() }
    }

    pub(super) fn wrong_type(&self, wanted: &str, found: Token) -> Error {
        self.error(&format!("expected {wanted}, found {}", found.described()))
    }

    /// The next byte fits nothing that may stand here.
    pub(super) fn unexpected(&self, wanted: &str) -> Error {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // A character is four bytes at most; more would make each error cost the rest of the input.
        let next = rest.get(..4).unwrap_or(rest);
        let message = match (next.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()), next.first()) {
            (Some(c), _) => format!("expected {wanted}, found {}", lenient::described(c)),
            (None, Some(byte)) => format!("expected {wanted}, found the byte 0x{byte:02x}"),
            (None, None) => format!("unexpected end of input, expected {wanted}"),
        };
        self.error(&message)
    }
}
