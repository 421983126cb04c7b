//! What a verb says to people.

use std::io::Write as _;

/// A word for people, on a line of its own. Whoever stops listening (`| head -1`) ends nothing half done.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}
