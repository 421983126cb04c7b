//! A pull parser: the caller says what it wants next.

use std::borrow::Cow;

use super::{Error, MAX_DEPTH, Scalar, Token};

/// Reads JSON from a slice, one value at a time, without copying strings that have no escape.
///
/// Only the values asked for are read: after the last one, what follows [`offset`](Self::offset) is the caller's
/// business (Go's `Decoder.Decode` looks at the first value only; `Unmarshal` refuses more).
#[derive(Debug)]
pub struct Parser<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth: usize,
    depth_limit: usize,
    pub(super) lenient: bool,
}

impl<'a> Parser<'a> {
    /// Strict, as Go reads.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, depth_limit: MAX_DEPTH, lenient: false }
    }

    /// For files written by hand: `//`, `/* */` and `#` comments count as white space, and a comma may stand before
    /// the closing bracket. Offsets stay those of `bytes`.
    pub fn lenient(bytes: &'a [u8]) -> Self {
        Self { lenient: true, ..Self::new(bytes) }
    }

    /// Refuses containers nested deeper than `limit`, for a caller that recurses.
    pub(super) fn with_depth_limit(self, limit: usize) -> Self {
        Self { depth_limit: limit, ..self }
    }

    /// The offset of the next unread byte; after [`peek`](Self::peek), of the value's first byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Skips white space, behind which nothing may stand.
    pub fn end(&mut self) -> Result<(), Error> {
        self.blank()?;
        if self.byte().is_none() { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    /// Skips white space and tells the kind of the next value. At the end of the input this is an error.
    pub fn peek(&mut self) -> Result<Token, Error> {
        self.blank()?;
        match self.byte() {
            Some(b'n') => Ok(Token::Null),
            Some(b't' | b'f') => Ok(Token::Bool),
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number),
            Some(b'"') => Ok(Token::String),
            Some(b'[') => Ok(Token::Array),
            Some(b'{') => Ok(Token::Object),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// `None`: `null`, which leaves a Go variable as it was.
    pub fn bool(&mut self) -> Result<Option<bool>, Error> {
        match self.peek()? {
            Token::Null => self.word("null").map(|()| None),
            Token::Bool => self.true_or_false().map(Some),
            other => Err(self.wrong_type("a boolean", other)),
        }
    }

    /// `None`: `null`. Only an integer literal counts: `60.0`, `6e1` and `"60"` are type errors, and so is a number
    /// beyond `i64`.
    pub fn integer(&mut self) -> Result<Option<i64>, Error> {
        match self.peek()? {
            Token::Null => self.word("null").map(|()| None),
            Token::Number => {
                let offset = self.at;
                let literal = self.number_text()?;
                literal.parse().map(Some).map_err(|_| Error {
                    offset,
                    message: format!("expected an integer, found the number {}", shortened(literal)),
                })
            }
            other => Err(self.wrong_type("an integer", other)),
        }
    }

    /// `None`: `null`. Borrowed unless an escape or bad UTF-8 had to be replaced.
    pub fn string(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        match self.peek()? {
            Token::Null => self.word("null").map(|()| None),
            Token::String => self.string_text().map(Some),
            other => Err(self.wrong_type("a string", other)),
        }
    }

    /// Any value, as Go decodes into an `interface{}`. A number that overflows is an error, also deep inside an array
    /// or object that is only skipped: Go would have converted it.
    pub fn value(&mut self) -> Result<Scalar<'a>, Error> {
        Ok(match self.peek()? {
            Token::Null => {
                self.word("null")?;
                Scalar::Null
            }
            Token::Bool => Scalar::Bool(self.true_or_false()?),
            Token::Number => Scalar::Number(self.float()?),
            Token::String => Scalar::String(self.string_text()?),
            Token::Array => {
                self.skip_value(true)?;
                Scalar::Array
            }
            Token::Object => {
                self.skip_value(true)?;
                Scalar::Object
            }
        })
    }

    /// Calls `each` before every element, which it must read. `false`: the value was `null`.
    pub fn array<E: From<Error>>(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<bool, E> {
        match self.peek()? {
            Token::Null => {
                self.word("null")?;
                return Ok(false);
            }
            Token::Array => self.open()?,
            other => return Err(self.wrong_type("an array", other).into()),
        }
        let mut first = true;
        while self.another(b']', first)? {
            first = false;
            each(self)?;
        }
        Ok(true)
    }

    /// Calls `each` with every key, in the order of the input and duplicates included; it must read the value (or
    /// [`skip`](Self::skip) it). `false`: the value was `null`.
    pub fn object<E: From<Error>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.members(|parser, _, key| each(parser, &key))
    }

    /// [`object`](Self::object) with the offset of each key's opening quote, and the key itself.
    pub(super) fn members<E: From<Error>>(
        &mut self,
        mut each: impl FnMut(&mut Self, usize, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self.peek()? {
            Token::Null => {
                self.word("null")?;
                return Ok(false);
            }
            Token::Object => self.open()?,
            other => return Err(self.wrong_type("an object", other).into()),
        }
        let mut first = true;
        while self.another(b'}', first)? {
            first = false;
            self.at_key()?;
            let offset = self.at;
            let key = self.string_text()?;
            self.colon()?;
            each(self, offset, key)?;
        }
        Ok(true)
    }

    /// Reads over one value of any kind, checking its syntax; numbers are not converted, as in Go.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.skip_value(false)
    }

    /// Recursion would put 10,000 frames on the stack for 10,000 brackets; the closing brackets due are kept instead.
    fn skip_value(&mut self, convert_numbers: bool) -> Result<(), Error> {
        let mut due: Vec<u8> = Vec::new();
        loop {
            let mut first = true;
            match self.peek()? {
                Token::Array => {
                    self.open()?;
                    due.push(b']');
                }
                Token::Object => {
                    self.open()?;
                    due.push(b'}');
                }
                scalar => {
                    self.skip_scalar(scalar, convert_numbers)?;
                    first = false;
                }
            }
            loop {
                let Some(&close) = due.last() else { return Ok(()) };
                if self.another(close, first)? {
                    if close == b'}' {
                        self.at_key()?;
                        self.scan_string()?;
                        self.colon()?;
                    }
                    break;
                }
                due.pop();
                first = false;
            }
        }
    }

    fn skip_scalar(&mut self, kind: Token, convert_numbers: bool) -> Result<(), Error> {
        match kind {
            Token::Null => self.word("null"),
            Token::Bool => self.true_or_false().map(drop),
            Token::Number if convert_numbers => self.float().map(drop),
            Token::Number => self.number_text().map(drop),
            _ => self.scan_string().map(drop),
        }
    }

    fn float(&mut self) -> Result<f64, Error> {
        let offset = self.at;
        let literal = self.number_text()?;
        match literal.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(Error { offset, message: format!("the number {} is out of range", shortened(literal)) }),
        }
    }

    /// Whether another element stands before the closing bracket, which is consumed if not.
    fn another(&mut self, close: u8, first: bool) -> Result<bool, Error> {
        self.blank()?;
        if !first && self.byte() != Some(close) {
            if !self.eat(b',') {
                let wanted = if close == b']' { "',' or ']'" } else { "',' or '}'" };
                return Err(self.unexpected(wanted));
            }
            self.blank()?;
            if !self.lenient {
                return Ok(true);
            }
        }
        if self.eat(close) {
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        Ok(true)
    }

    fn at_key(&mut self) -> Result<(), Error> {
        self.blank()?;
        if self.byte() == Some(b'"') { Ok(()) } else { Err(self.unexpected("a key in double quotes")) }
    }

    fn colon(&mut self) -> Result<(), Error> {
        self.blank()?;
        if self.eat(b':') { Ok(()) } else { Err(self.unexpected("':' after the key")) }
    }

    fn open(&mut self) -> Result<(), Error> {
        if self.depth >= self.depth_limit {
            return Err(self.error(&format!("nested deeper than {} levels", self.depth_limit)));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }
}

/// Enough of a literal to recognise it: a number may be megabytes long.
fn shortened(literal: &str) -> Cow<'_, str> {
    match literal.get(..32) {
        Some(start) if literal.len() > 32 => format!("{start}...").into(),
        _ => literal.into(),
    }
}
