//! The old tree or the new one, whatever happens in between; and never what somebody else put there.

use super::*;

use super::super::marker::{LIST, MARKER, Marker};
use super::super::staging::{Staging, put_back, tidy};
use super::super::swap::swap;

use std::time::SystemTime;

fn tree(dir: &Path, text: &str) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("60_a"), text).unwrap();
    let marker = Marker { url: String::new(), sha256: sha256(text.as_bytes()) };
    marker.write(dir, &["60_a".to_owned()]).unwrap();
}

fn host() -> Host {
    Host::having(&zip(&[Entry::file("60_a", "new")]))
}

#[test]
fn what_an_administrator_put_there_is_not_deleted() {
    let host = host();
    fs::create_dir_all(host.dir()).unwrap();
    host.update().unwrap();
    assert_eq!(host.files(), files(&[("60_a", "new")]), "an empty directory is as none");
    fs::remove_file(host.dir().join(MARKER)).unwrap();
    let why = host.refused();
    assert!(why.starts_with("there are things in it that came in no archive ("), "{why}");
    assert!(why.ends_with("), and they would be gone: move them away"), "{why}");
    fs::create_dir(host.dir().join(".git")).unwrap();
    assert!(host.refused().starts_with("it is a clone of git, which the archive would replace: move it away"));
    assert!(host.job().reset().is_err());
    assert_eq!(host.server.asked().len(), 1, "nothing was fetched for nothing");
}

/// What an administrator had put beside the plugins of an archive was gone after the next one, without a word.
#[test]
fn what_came_in_no_archive_is_taken_over_into_the_next() {
    let mut host = Host::having(&zip(&[Entry::file("60_a", "a"), Entry::file("gone/60_b", "b"), Entry::dir("old/")]));
    host.update().unwrap();
    for (path, text) in [("mine.cfg", "1"), ("gone/state", "2"), ("own/deep/60_c", "3"), ("60_a.bak", "4")] {
        let file = host.dir().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    fs::create_dir(host.dir().join("own/empty")).unwrap();
    host.offer(&zip(&[Entry::file("60_a", "newer"), Entry::file("own/60_d", "d")]));
    host.update().unwrap();
    let all = [
        ("60_a", "newer"),
        ("60_a.bak", "4"),
        ("gone/state", "2"),
        ("mine.cfg", "1"),
        ("own/60_d", "d"),
        ("own/deep/60_c", "3"),
    ];
    assert_eq!(host.files(), files(&all));
    assert!(host.dir().join("own/empty").is_dir() && !host.dir().join("old").exists());
    // A reset does the same, and again.
    for _ in 0..2 {
        host.job().reset().unwrap();
        assert_eq!(host.files(), files(&all));
    }
    assert_eq!(names(host.place.path()), ["plugin"]);
    // What has both is for a human.
    for (taken, inside) in [("mine.cfg", "mine.cfg"), ("own/deep", "own/deep"), ("60_a.bak/x", "60_a.bak")] {
        host.offer(&zip(&[Entry::file("60_a", "newest"), Entry::file(taken, "theirs")]));
        let why = host.refused();
        let inside: PathBuf = inside.split('/').collect();
        assert!(why.starts_with(&format!("{}: ", inside.display())) && why.contains("came in no archive"), "{why}");
        assert_eq!(host.files(), files(&all));
    }
    fs::remove_file(host.dir().join(LIST)).unwrap();
    assert!(host.refused().ends_with("nothing tells what is an administrator's: move the directory away"));
    assert_eq!(host.files(), files(&all));
}

/// Every new archive began the period of every plugin anew: one of a day never ran where there was one a day.
#[test]
fn what_a_new_archive_has_not_changed_keeps_its_time() {
    let mut host =
        Host::having(&zip(&[Entry::file("60_a", "same"), Entry::file("60_b", "1"), Entry::file("60_c", "x")]));
    host.update().unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in ["60_a", "60_b", "60_c"] {
        fs::File::options().append(true).open(host.dir().join(name)).unwrap().set_modified(then).unwrap();
    }
    host.offer(&zip(&[Entry::file("60_a", "same"), Entry::file("60_b", "2"), Entry::file("60_c", "xx")]));
    host.update().unwrap();
    let is_then = |name: &str| fs::metadata(host.dir().join(name)).unwrap().modified().unwrap() == then;
    assert_eq!(["60_a", "60_b", "60_c"].map(is_then), [true, false, false]);
}

#[test]
fn a_tree_that_cannot_be_put_there_leaves_the_old_one() {
    let host = host();
    tree(&host.dir(), "old");
    let staging = Staging::beside(&host.dir()).unwrap();
    let missing = host.place.path().join("missing");
    let why = swap(&host.job(), &staging, &missing, &host.dir()).unwrap_err();
    assert!(why.starts_with("the old plugins stay, for they cannot be replaced: "), "{why}");
    assert_eq!(host.files(), files(&[("60_a", "old")]));
    // Where there was none, there is none.
    fs::remove_dir_all(host.dir()).unwrap();
    let why = swap(&host.job(), &staging, &missing, &host.dir()).unwrap_err();
    assert!(why.starts_with("the plugins cannot be put there: "), "{why}");
    drop(staging);
    assert_eq!(names(host.place.path()), Vec::<String>::new());
}

#[test]
fn what_a_killed_agent_left_is_removed_and_the_old_tree_put_back() {
    let host = host();
    let left = || {
        let staging = Staging::beside(&host.dir()).unwrap();
        fs::create_dir_all(staging.tree().join("d")).unwrap();
        fs::write(staging.archive(), "x").unwrap();
        let old = staging.old();
        std::mem::forget(staging);
        old
    };
    // Killed between the two steps: the agent that begins next has its plugins.
    for by in [put_back, tidy] {
        tree(&left(), "old");
        by(&host.dir());
        assert_eq!(host.files(), files(&[("60_a", "old")]));
        fs::remove_dir_all(host.dir()).unwrap();
    }
    tree(&left(), "old");
    host.until("it is back", || {
        // Another test of this process may fetch at this moment.
        recover(&host.dir());
        host.dir().exists()
    });
    assert_eq!(host.files(), files(&[("60_a", "old")]));
    fs::remove_dir_all(host.dir()).unwrap();
    // Killed after them; and before, where nothing was there.
    tree(&host.dir(), "old");
    tree(&left(), "older");
    left();
    recover(&host.dir());
    assert_eq!(host.files(), files(&[("60_a", "old")]), "what is there is not replaced");
    host.update().unwrap();
    assert_eq!(names(host.place.path()), ["plugin"]);
    assert_eq!(host.files(), files(&[("60_a", "new")]));
}

/// An administrator's copy of the plugins was taken for a leftover, marker and all, and deleted; and what another had prepared
/// under the name of a directory of the agent's was taken for that.
#[test]
fn what_only_looks_like_a_leftover_stays() {
    let host = host();
    let at = |name: &str| host.place.path().join(name);
    for name in
        ["plugin.old", "plugin.new", "plugin.old-", "plugin.new-1", "plugin.new-5", "plugin.old-5", "plugins.new-7"]
    {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(name).join("mine"), "").unwrap();
    }
    for name in ["plugin.old-20260301", "plugin.new-8/old", "plugin.new-8/tree"] {
        tree(&at(name), "mine");
    }
    fs::write(at("plugin.new-2"), "").unwrap();
    let (before, prepared) = (names(host.place.path()), names(&at("plugin.new-1")));
    host.update().unwrap();
    let mut after = names(host.place.path());
    after.retain(|name| name != "plugin");
    assert_eq!(after, before);
    assert_eq!(names(&at("plugin.new-1")), prepared);
    assert_eq!(host.files(), files(&[("60_a", "new")]));
}

#[test]
fn one_fetch_is_under_way_at_a_time() {
    // Another test of this process may have it for a moment.
    let host = host();
    let one = std::cell::RefCell::new(None);
    host.until("no other fetch", || {
        *one.borrow_mut() = begun().ok();
        one.borrow().is_some()
    });
    assert!(begun().unwrap_err().contains("ask again"));
    // An agent that had just begun refused its first update: it was looking for trees to put back, which no update has to be told of.
    let recovering = lock(&RECOVERIES);
    let asked = std::thread::spawn(|| begun().map(drop));
    // One that does not wait is refused meanwhile.
    (0..10_000).take_while(|_| !asked.is_finished()).for_each(|_| std::thread::yield_now());
    drop(one.take());
    drop(recovering);
    asked.join().unwrap().unwrap();
}

/// The official package has a link there.
#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_replaced_and_the_link_stays() {
    let mut host = host();
    let real = host.place.path().join("real").join("plugin");
    fs::create_dir_all(real.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("real/plugin", host.dir()).unwrap();
    // First where it leads to nothing.
    for text in ["new", "newer"] {
        host.offer(&zip(&[Entry::file("60_a", text)]));
        host.update().unwrap();
        assert_eq!(host.files(), files(&[("60_a", text)]));
        assert!(fs::symlink_metadata(host.dir()).unwrap().is_symlink());
        assert_eq!(names(real.parent().unwrap()), ["plugin"]);
        assert_eq!(super::super::swap::place(&host.dir()).unwrap().file_name(), real.file_name());
    }
}

fn settings(dir: PathBuf) -> crate::plugin::Settings {
    crate::plugin::Settings { dir, logs: PathBuf::new(), cwd: PathBuf::new(), at_once: 1, memory_bytes: None }
}

#[test]
fn a_directory_is_from_the_root_and_a_slash_at_its_end_no_part_of_its_name() {
    let host = host();
    let dir = |dir: PathBuf| Job::new(&host.source, &settings(dir), &host.stop).dir;
    assert_eq!(dir(host.dir().join("")).as_os_str(), host.dir().as_os_str());
    let cwd = std::env::current_dir().unwrap();
    for written in ["plugin", "./plugin", "plugin/"] {
        assert_eq!(dir(PathBuf::from(written)), cwd.join("plugin"));
    }
}
