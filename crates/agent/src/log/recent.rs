//! The last lines that tell of something wrong, for the page.
//!
//! Written by the thread that writes the log, so that what repeats is left out here too.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::config::Level;

use super::line::Line;

const MOST: usize = 20;
/// Bytes of a text.
const MOST_TEXT: usize = 500;

static LINES: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

pub(super) fn note(line: &Line) {
    push(&mut LINES.lock().unwrap_or_else(PoisonError::into_inner), line);
}

fn push(lines: &mut VecDeque<Line>, line: &Line) {
    if line.level > Level::Warn {
        return;
    }
    let mut line = line.clone();
    if line.text.len() > MOST_TEXT {
        line.text.truncate(line.text.floor_char_boundary(MOST_TEXT));
        line.text.push('…');
    }
    if lines.len() >= MOST {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// The newest last.
pub(crate) fn recent() -> Vec<Line> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_that_tell_of_something_wrong_are_kept_and_bounded() {
        let mut lines = VecDeque::new();
        for n in 0..50 {
            push(&mut lines, &Line::new(Level::Warn, "T003", format_args!("{n}")));
            push(&mut lines, &Line::new(Level::Info, "T002", format_args!("{n}")));
        }
        push(&mut lines, &Line::new(Level::Error, "C004", format_args!("{}", "长".repeat(1000))));
        assert_eq!((lines.len(), lines[0].text.as_str(), lines[18].text.as_str()), (MOST, "31", "49"));
        assert!(lines[19].text.len() <= MOST_TEXT + 3 && lines[19].text.ends_with('…'));
    }
}
