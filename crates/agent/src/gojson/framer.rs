//! Finds where one JSON object ends in a stream of bytes, without decoding it.
//!
//! The wire has no length prefix: requests and answers are JSON values one after another, and a value may come in any
//! number of pieces (`json.Decoder` in stream.go). Every byte is looked at once, however the stream is cut.

use super::{Error, MAX_DEPTH};

/// Counts brackets outside of strings. The syntax in between is the parser's business once the object is complete; how
/// long an object may grow is the caller's.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    depth: usize,
    /// Bytes taken since the last object ended, for errors.
    seen: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Before,
    Inside,
    Text,
    Escape,
    Broken,
}

impl Framer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets a value that has begun, or an error.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the next piece of the stream. `Some(n)`: the first `n` bytes of it complete the object (white space before
    /// the object counts as part of it); push what is left again, it belongs to the next one.
    ///
    /// # Errors
    /// The stream is not JSON: something other than `{` begins a value, a control character stands in a string, or
    /// containers are nested beyond [`MAX_DEPTH`]. The error is repeated until [`reset`](Self::reset).
    pub fn push(&mut self, piece: &[u8]) -> Result<Option<usize>, Error> {
        for (index, &byte) in piece.iter().enumerate() {
            self.state = match (self.state, byte) {
                (State::Before, b' ' | b'\t' | b'\r' | b'\n') => State::Before,
                (State::Before, b'{') | (State::Inside, b'{' | b'[') if self.depth < MAX_DEPTH => {
                    self.depth += 1;
                    State::Inside
                }
                (State::Inside, b'{' | b'[') => {
                    return Err(self.broken(&format!("nested deeper than {MAX_DEPTH} levels")));
                }
                (State::Inside, b'}' | b']') if self.depth == 1 => {
                    self.reset();
                    return Ok(Some(index + 1));
                }
                (State::Inside, b'}' | b']') => {
                    self.depth -= 1;
                    State::Inside
                }
                (State::Inside, b'"') => State::Text,
                (State::Inside, _) => State::Inside,
                (State::Text, b'"') => State::Inside,
                (State::Text, b'\\') => State::Escape,
                (State::Text | State::Escape, 0..=0x1f) => return Err(self.broken("control character in a string")),
                (State::Text | State::Escape, _) => State::Text,
                (State::Before | State::Broken, _) => return Err(self.broken("expected '{'")),
            };
            self.seen += 1;
        }
        Ok(None)
    }

    fn broken(&mut self, message: &str) -> Error {
        self.state = State::Broken;
        Error { offset: self.seen, message: message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_values_in_one_piece_are_told_apart() {
        let mut framer = Framer::new();
        let stream = b" {\"a\":\"}\\\"{\"}\n{\"b\":[{}]} x";
        let first = framer.push(stream).unwrap().unwrap();
        assert_eq!(&stream[..first], b" {\"a\":\"}\\\"{\"}");
        let second = framer.push(&stream[first..]).unwrap().unwrap();
        assert_eq!(&stream[first..first + second], b"\n{\"b\":[{}]}");
        let error = framer.push(&stream[first + second..]).unwrap_err();
        assert_eq!(error.offset, 1);
        assert_eq!(framer.push(b"{}").unwrap_err(), error, "an error stays until reset");
        framer.reset();
        assert_eq!(framer.push(b"{}"), Ok(Some(2)));
    }

    #[test]
    fn the_depth_is_bounded() {
        let mut framer = Framer::new();
        assert_eq!(framer.push(b"{"), Ok(None));
        assert_eq!(framer.push(&vec![b'['; MAX_DEPTH - 1]), Ok(None));
        assert_eq!(framer.push(b"[").unwrap_err().offset, MAX_DEPTH);
    }

    proptest! {
        #[test]
        fn the_end_does_not_depend_on_the_cuts(
            inner in r#"([\[\]{}\\":,a ]|\\")*"#,
            cuts in prop::collection::vec(1usize..9, 0..40),
        ) {
            let stream = format!(" {{\"k\":\"v\",{inner}}}}}]]{{}}");
            let whole = Framer::new().push(stream.as_bytes());
            let mut framer = Framer::new();
            let (mut rest, mut done, mut cuts) = (stream.as_bytes(), 0, cuts.into_iter());
            let in_pieces = loop {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                match framer.push(piece) {
                    Ok(None) if after.is_empty() => break Ok(None),
                    Ok(None) => (rest, done) = (after, done + piece.len()),
                    Ok(Some(end)) => break Ok(Some(done + end)),
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(in_pieces, whole);
        }
    }
}
