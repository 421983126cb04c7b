//! Golden files: which series a host has, one in a line, in `fixtures/inventory`; what a route answers, in `fixtures/routes`.
//! `FALCON_BLESS=1` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::host::Host;
use super::items::Item;

pub fn series(items: &[Item]) -> BTreeSet<String> {
    items.iter().map(Item::series).collect()
}

/// Compares the series of a cycle with `fixtures/inventory/NAME.txt`.
pub fn compare(name: &str, host: &Host, items: &[Item]) {
    let seen = series(items);
    assert_eq!(seen.len(), items.len(), "{name}: a series came twice");
    // The fake mounts are directories of the file system that holds temporary files, and not every one has inodes.
    let inodes = rustix::fs::statvfs(host.root()).expect("it exists").f_files > 0;
    compare_lines(name, &seen, |line| inodes || !line.starts_with("df.inodes."));
}

/// The same of any lines, less those of the file that this machine cannot have.
pub fn compare_lines(name: &str, seen: &BTreeSet<String>, can_be: impl Fn(&str) -> bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/inventory/{name}.txt"));
    if std::env::var_os("FALCON_BLESS").is_some() {
        let text: String = seen.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).expect("writable");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let golden: BTreeSet<String> = golden.lines().filter(|line| can_be(line)).map(str::to_owned).collect();
    let gone = golden.difference(seen).map(|line| format!("- {line}\n"));
    let new = seen.difference(&golden).map(|line| format!("+ {line}\n"));
    let difference: String = gone.chain(new).collect();
    assert!(
        difference.is_empty(),
        "{} is not what the agent collects:\n{difference}If that is meant: FALCON_BLESS=1 and this test again",
        path.display(),
    );
}

/// Compares a text, line by line, with `fixtures/NAME.txt`.
pub fn compare_text(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.txt"));
    if std::env::var_os("FALCON_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
        fs::write(&path, seen).expect("writable");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let differs = golden.lines().zip(seen.lines()).position(|(golden, seen)| golden != seen);
    let at = differs.unwrap_or_else(|| golden.lines().count().min(seen.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(no such line)").to_owned();
    assert!(
        golden == seen,
        "{}:{}\n- {}\n+ {}\nIf that is meant: FALCON_BLESS=1 and this test again",
        path.display(),
        at + 1,
        line(&golden),
        line(seen),
    );
}
