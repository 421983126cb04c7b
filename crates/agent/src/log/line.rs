//! One event as one line: its level, its code, and a text that nobody can break out of.
//!
//! Texts hold what other programs sent. Invariants: a text has no line break and no control character, so that it can neither
//! fake a line nor speak to a terminal; it is bounded.

use std::fmt::{self, Write};

use crate::clock;
use crate::config::Level;

/// Bytes of a text.
const MOST: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Unix seconds of the wall clock.
    pub at_s: i64,
    pub level: Level,
    /// See `docs/log-codes.md`.
    pub code: &'static str,
    pub text: String,
}

impl Line {
    pub fn new(level: Level, code: &'static str, text: fmt::Arguments<'_>) -> Line {
        let mut line = Line { at_s: clock::wall_s(), level, code, text: String::new() };
        // What does not fit is left out.
        let _ = Plain(&mut line.text).write_fmt(text);
        line
    }

    /// As a file has it, without the line break.
    pub fn dated(&self) -> String {
        let t = falcon_sys::local_time(self.at_s);
        format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02} {self}", t.year, t.month, t.day, t.hour, t.minute, t.second)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.level, self.code, self.text)
    }
}

/// Text that is shown and never acted on, up to [`MOST`] bytes.
struct Plain<'a>(&'a mut String);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= MOST {
                if !self.0.ends_with('…') {
                    self.0.push('…');
                }
                return Err(fmt::Error);
            }
            // The line breaks of Unicode, and marks that turn the direction of what follows, are no control characters.
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
            {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(foreign: &str) -> String {
        Line::new(Level::Warn, "X001", format_args!("told: {foreign}")).text
    }

    /// A refusal of a server, put into the log as it came, wrote a second line that never happened.
    #[test]
    fn foreign_text_stays_in_its_line_and_does_not_speak_to_the_terminal() {
        assert_eq!(text("a\r\n2026-11-25 ERROR"), r"told: a\r\n2026-11-25 ERROR");
        assert_eq!(text("\u{1b}[2J\u{85}\u{2028}\u{202e}"), r"told: \u{1b}[2J\u{85}\u{2028}\u{202e}");
        assert_eq!(text("C:\\名 \"x\""), "told: C:\\名 \"x\"");
    }

    #[test]
    fn a_text_is_bounded() {
        let long = text(&"长".repeat(100_000));
        assert!(long.len() < MOST + 8 && long.ends_with("长…"), "{}", long.len());
    }

    #[test]
    fn a_line_says_when_how_grave_what_kind_and_what() {
        let line = Line { at_s: 1_700_000_000, ..Line::new(Level::Info, "A006", format_args!("stopped")) };
        let t = falcon_sys::local_time(line.at_s);
        let expected = format!("2023-11-{:02} {:02}:{:02}:20 INFO A006 stopped", t.day, t.hour, t.minute);
        assert_eq!(line.dated(), expected);
    }
}
