//! Steps that ask Go: the language in which the servers and the original agent are written.

use std::fs;

use anyhow::{Result, bail, ensure};

use super::Cx;
use crate::ledger::Passed;
use crate::tools::go;

const CASES: &str = "crates/agent/tests/fixtures/gojson-cases.txt";

/// The committed decoding cases are exactly what Go prints today, so nobody can have bent one to fit our decoder.
pub fn json_cases(cx: &Cx<'_>) -> Result<Passed> {
    let printed = go(cx.ws, &cx.ws.path("interop")).args(["run", "./gojsoncases"]).output()?;
    let committed = cx.ws.read(CASES)?;
    ensure!(!printed.is_empty(), "gojsoncases printed nothing");
    if let Some(difference) = first_difference(&committed, &printed) {
        bail!("{CASES} is not what Go prints\n{difference}");
    }
    println!("{} lines, as committed", printed.lines().count());
    Ok(Passed::GATE)
}

fn first_difference(committed: &str, printed: &str) -> Option<String> {
    if committed == printed {
        return None;
    }
    let (mut left, mut right) = (committed.lines(), printed.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |line: Option<&str>| line.map_or("(no such line)".to_owned(), str::to_owned);
                return Some(format!("line {number}\n  committed: {}\n  printed:   {}", shown(a), shown(b)));
            }
        }
    }
    Some("only the line ends differ".to_owned())
}

pub fn peer(cx: &Cx<'_>) -> Result<Passed> {
    let interop = cx.ws.path("interop");
    go(cx.ws, &interop).args(["vet", "./peer"]).show()?;
    let mut tests = 0;
    go(cx.ws, &interop).args(["test", "-count=1", "-v", "./peer"]).watch(|line| {
        tests += u64::from(line.starts_with("--- PASS: "));
    })?;
    ensure!(tests > 0, "the peer has no tests any more");
    let exe = cx.ws.peer_exe();
    if let Some(folder) = exe.parent() {
        fs::create_dir_all(folder)?;
    }
    go(cx.ws, &interop).args(["build", "-trimpath", "-o"]).arg(&exe).arg("./peer").show()?;
    Ok(Passed { tests, gates: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        let longer = first_difference("a\n", "a\nb\n").unwrap();
        assert_eq!(longer, "line 2\n  committed: (no such line)\n  printed:   b");
        assert_eq!(first_difference("a\r\n", "a\n").as_deref(), Some("only the line ends differ"));
    }
}
