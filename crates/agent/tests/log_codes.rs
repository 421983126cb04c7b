//! `docs/log-codes.md` against the source: every line that the agent logs has a code, none stands for two, and the manual has
//! exactly these, with level and text.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the agent that are no tests, without the tests within them.
fn sources() -> Vec<(PathBuf, String)> {
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "tests" || name == "tests.rs" || name == "fake.rs" {
                continue;
            }
            if path.is_dir() {
                dirs.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                files.push((path, code));
            }
        }
    }
    files
}

/// What a call says: its level, its code, and its text as it is written, placeholders and all.
fn call(arguments: &str) -> Option<(String, String, String)> {
    let (level, rest) = arguments.trim_start().split_once(',')?;
    let (code, rest) = rest.trim_start().strip_prefix('"')?.split_once("\",")?;
    let mut text = String::new();
    let mut chars = rest.trim_start().strip_prefix('"')?.chars().peekable();
    loop {
        match chars.next()? {
            '"' => return Some((level.to_owned(), code.to_owned(), text)),
            '\\' if chars.next_if_eq(&'\n').is_some() => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

/// By code: the level and the text. What the log says of itself it does not say by `say!`.
fn said() -> BTreeMap<String, (String, String)> {
    let mut said = BTreeMap::new();
    let mut add = |path: &Path, code: &str, level: &str, text: String| {
        let parts = code.split_at_checked(1).unwrap_or_default();
        let fits = parts.0.bytes().all(|b| b.is_ascii_uppercase()) && parts.1.parse::<u16>().is_ok();
        assert!(fits && code.len() == 4, "{}: {code} is no code", path.display());
        let before = said.insert(code.to_owned(), (level.to_uppercase(), text));
        assert_eq!(before, None, "{}: {code} stands at two calls", path.display());
    };
    for (path, source) in sources() {
        for (at, start) in source.match_indices("crate::log::say!(") {
            let arguments = &source[at + start.len()..];
            let (level, code, text) = call(arguments).unwrap_or_else(|| {
                panic!("{}: a line without a code: {}", path.display(), &arguments[..60.min(arguments.len())])
            });
            add(&path, &code, &level, text);
        }
        for (at, start) in source.match_indices("Line::new(Level::") {
            let (level, rest) = source[at + start.len()..].split_once(", \"").unwrap();
            let (before, _) = source.split_at(at);
            let (_, text) = before.rsplit_once("format_args!(\"").unwrap();
            add(&path, &rest[..4], level, text.split_once('"').unwrap().0.to_owned());
        }
    }
    said
}

/// One row of the table: code, level, text, what it means, what to do.
fn rows() -> Vec<Vec<String>> {
    let manual = include_str!("../../../docs/log-codes.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_manual_has_exactly_the_codes_of_the_source() {
    let said = said();
    assert!(said.len() > 60, "{} calls were found", said.len());
    let rows = rows();
    for row in &rows {
        let [code, level, text, means, _] = row.as_slice() else { panic!("{row:?} has {} cells", row.len()) };
        let code = code.trim_matches('`');
        let Some((known, expected)) = said.get(code) else { panic!("docs/log-codes.md: no line has the code {code}") };
        // Markdown has two ticks and a blank around what has a tick in it.
        let ticks = if expected.contains('`') { ("`` ", " ``") } else { ("`", "`") };
        assert_eq!((level, text), (known, &format!("{}{expected}{}", ticks.0, ticks.1)), "{code}");
        assert!(!means.is_empty(), "{code}");
    }
    let told: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let missing: Vec<_> = said.iter().filter(|(code, _)| !told.contains(&code.as_str())).collect();
    assert!(missing.is_empty(), "not in docs/log-codes.md: {missing:#?}");
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "a code has two rows");
    assert!(told.is_sorted(), "the rows are not sorted by code");
}

#[test]
fn every_code_that_the_log_knows_is_one() {
    let said = said();
    for (path, source) in sources() {
        let own = path.ends_with("log/quiet.rs") || path.ends_with("log/event.rs");
        for literal in source.split('"').filter(|_| own) {
            let is_code = literal.len() == 4 && literal[1..].parse::<u16>().is_ok();
            assert!(!is_code || said.contains_key(literal), "{}: {literal}", path.display());
        }
    }
}
