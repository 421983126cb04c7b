//! What is to come of an upgrade, whoever keeps the agent running.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::bed::{Bed, Pushes, another, program, running, sha256, stub, upgrade};
use crate::harness::process::Ended;
use crate::harness::servers::Server;
use crate::harness::until;
use crate::prefix::Running;

/// How an upgrade must end, and a word of why.
fn ends(bed: &dyn Bed, ended: Ended, code: i32, word: &str) -> String {
    let Ended { code: seen, out, err } = ended;
    let said = format!("{out}{err}");
    assert!(seen == Some(code) && said.contains(word), "{seen:?}, wanted {code} and {word:?}: {said}\n{}", bed.state());
    said
}

fn upgrade_ends(bed: &dyn Bed, file: &Path, words: &[&str], code: i32, word: &str) -> String {
    ends(bed, upgrade(bed, file, words), code, word)
}

/// What is refused changes nothing: neither a file nor the process.
pub fn refusals(bed: &dyn Bed, server: &Server) {
    let dir = TempDir::new().unwrap();
    let (pid, target) = (running(bed), bed.beside(&program("")));
    let hash = sha256(&target);
    let good = another(dir.path(), "good");
    let with = |file: &Path, hash: &str| Running::start(bed.upgrade(file, &["--sha256", hash])).wait();
    ends(bed, with(&good, &hash), 10, "is another file: its SHA-256 is");
    ends(bed, with(&dir.path().join("none"), &hash), 10, "none");
    ends(bed, with(dir.path(), &hash), 10, "regular file");
    ends(bed, with(&good, "12ab"), 2, "64 hexadecimal digits");
    ends(bed, Running::start(bed.upgrade(&good, &[])).wait(), 2, "--sha256");
    let text = dir.path().join("text");
    fs::write(&text, "no program\n").unwrap();
    upgrade_ends(bed, &text, &[], 11, "nothing was changed");
    upgrade_ends(bed, &stub("refuse"), &[], 11, "nothing was changed");
    upgrade_ends(bed, &target, &[], 0, "already");
    server.down();
    upgrade_ends(bed, &good, &[], 12, "no transfer acknowledges");
    server.up();
    assert_eq!((running(bed), sha256(&target)), (pid, hash), "{}", bed.state());
    for left in [".new", ".old", ".failed"] {
        assert!(!bed.beside(&program(left)).exists(), "{left}");
    }
}

/// The old one runs again, and the bad one lies beside it.
pub fn is_put_back(bed: &dyn Bed, pushes: &Pushes, name: &str, word: &str) -> String {
    let (pid, target) = (running(bed), bed.beside(&program("")));
    pushes.follow(bed);
    let hash = sha256(&target);
    let said = upgrade_ends(bed, &stub(name), &["--within", "5"], 13, word);
    assert!(said.contains("the old executable runs again"), "{said}");
    assert_ne!(running(bed), pid);
    assert_eq!(sha256(&target), hash, "{said}");
    assert_eq!(sha256(&bed.beside(&program(".failed"))), sha256(&stub(name)), "{said}");
    assert!(!bed.beside(&program(".new")).exists() && !bed.beside(&program(".old")).exists(), "{said}");
    said
}

/// The new one runs, and the command that is shown leads back.
pub fn there_and_back(bed: &dyn Bed, pushes: &Pushes) {
    let dir = TempDir::new().unwrap();
    let (pid, target, old) = (running(bed), bed.beside(&program("")), bed.beside(&program(".old")));
    let hash = sha256(&target);
    let good = another(dir.path(), "good");
    pushes.follow(bed);
    let said = upgrade_ends(bed, &good, &[], 0, "to go back: ");
    assert!(said.contains(&hash) && said.contains("version"), "{said}");
    let new = running(bed);
    assert_ne!(new, pid, "{said}");
    assert_eq!((sha256(&target), sha256(&old)), (sha256(&good), hash.clone()), "{said}");
    assert!(!bed.beside(&program(".new")).exists());
    pushes.follow(bed);
    upgrade_ends(bed, &old, &[], 0, "to go back: ");
    assert_ne!(running(bed), new);
    assert_eq!((sha256(&target), sha256(&old)), (hash, sha256(&good)));
}

/// One at a time; and what one leaves that was killed in the middle is no trouble for the next.
pub fn killed_and_repeated(bed: &dyn Bed, pushes: &Pushes) {
    let dir = TempDir::new().unwrap();
    running(bed);
    pushes.follow(bed);
    let (target, mute) = (bed.beside(&program("")), stub("mute"));
    let (proved, hash) = (sha256(&target), sha256(&mute));
    let first = Running::start(bed.upgrade(&mute, &["--sha256", &hash, "--within", "600"]));
    until(
        "the mute one in place",
        || bed.state(),
        || (sha256(&target) == hash && !bed.pids().is_empty()).then_some(()),
    );
    // What is in place knows no verb.
    let good = another(dir.path(), "once more.exe");
    let by_itself = || Running::start(bed.upgrade_by_itself(&good, &["--sha256", &sha256(&good)])).wait();
    ends(bed, by_itself(), 1, "another upgrade");
    bed.kill(first);
    ends(bed, by_itself(), 0, "upgraded");
    running(bed);
    assert_eq!(sha256(&target), sha256(&good));
    // What nobody judged is not what one goes back to: it took the place of the last good one.
    assert_eq!(sha256(&bed.beside(&program(".old"))), proved);
    // The same file again is judged, not taken for good because it runs.
    pushes.follow(bed);
    let next = another(dir.path(), "next.exe");
    let hash = sha256(&next);
    let first = Running::start(bed.upgrade(&next, &["--sha256", &hash]));
    until("the next in place", || bed.state(), || (sha256(&target) == hash && !bed.pids().is_empty()).then_some(()));
    bed.kill(first);
    let said = upgrade_ends(bed, &next, &[], 0, "it runs now");
    assert!(said.contains("no upgrade has judged it") || said.contains("it does not run"), "{said}");
    upgrade_ends(bed, &next, &[], 0, "nothing to do");
}

/// An agent that does not run is no obstacle.
pub fn starts(bed: &dyn Bed) {
    let dir = TempDir::new().unwrap();
    until("its end", || bed.state(), || bed.pids().is_empty().then_some(()));
    let good = another(dir.path(), "starts");
    upgrade_ends(bed, &good, &[], 0, "upgraded");
    running(bed);
    assert_eq!(sha256(&bed.beside(&program(""))), sha256(&good));
}
