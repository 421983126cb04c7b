//! The old tree or the new one, whatever happens in between; and never what somebody else put there.

use super::*;

use super::super::swap::{Marker, swap, tidy};

fn tree(dir: &Path, text: &str) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("60_a"), text).unwrap();
    Marker { url: String::new(), sha256: sha256(text.as_bytes()) }.write(dir).unwrap();
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
    fs::remove_file(host.dir().join(swap::MARKER)).unwrap();
    let why = host.refused();
    assert_eq!(why, "there are things in it that came in no archive (60_a), and they would be gone: move them away");
    fs::create_dir(host.dir().join(".git")).unwrap();
    assert!(host.refused().starts_with("it is a clone of git, which the archive would replace: move it away"));
    assert!(host.job().reset().is_err());
    assert_eq!(host.server.asked().len(), 1, "nothing was fetched for nothing");
}

#[test]
fn a_tree_that_cannot_be_put_there_leaves_the_old_one() {
    let host = host();
    tree(&host.dir(), "old");
    let why = swap(&host.job(), &host.place.path().join("missing"), &host.dir()).unwrap_err();
    assert!(why.starts_with("the old plugins stay, for they cannot be replaced: "), "{why}");
    assert_eq!(host.files(), files(&[("60_a", "old")]));
    assert_eq!(names(host.place.path()), ["plugin"]);
    // Where there was none, there is none.
    fs::remove_dir_all(host.dir()).unwrap();
    assert!(swap(&host.job(), &host.place.path().join("missing"), &host.dir()).is_err());
    assert_eq!(names(host.place.path()), Vec::<String>::new());
}

#[test]
fn what_a_killed_agent_left_is_removed_and_the_old_tree_put_back() {
    let host = host();
    let at = |name: &str| host.place.path().join(name);
    // Killed between the two steps.
    tree(&at("plugin.old-77"), "old");
    fs::create_dir_all(at("plugin.new-77").join("tree").join("d")).unwrap();
    fs::write(at("plugin.new-77").join("archive"), "x").unwrap();
    tidy(&host.dir());
    assert_eq!(names(host.place.path()), ["plugin"]);
    assert_eq!(host.files(), files(&[("60_a", "old")]));
    // Killed after them; and before, where nothing was there.
    tree(&at("plugin.old-77"), "older");
    fs::create_dir(at("plugin.old-78")).unwrap();
    host.update().unwrap();
    assert_eq!(names(host.place.path()), ["plugin"]);
    assert_eq!(host.files(), files(&[("60_a", "new")]));
}

#[test]
fn what_only_looks_like_a_leftover_stays() {
    let host = host();
    let at = |name: &str| host.place.path().join(name);
    for name in
        ["plugin.old", "plugin.new", "plugin.old-", "plugin.old-1a", "plugin.new-5", "plugin.old-5", "plugins.old-7"]
    {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(name).join("mine"), "").unwrap();
    }
    tree(&at("plugin.old-x"), "mine");
    fs::write(at("plugin.new-6"), "").unwrap();
    let before = names(host.place.path());
    host.update().unwrap();
    let mut after = names(host.place.path());
    after.retain(|name| name != "plugin");
    assert_eq!(after, before);
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

#[test]
fn a_slash_at_the_end_is_no_part_of_the_name() {
    let host = host();
    let settings = crate::plugin::Settings {
        dir: host.dir().join(""),
        logs: PathBuf::new(),
        cwd: PathBuf::new(),
        at_once: 1,
        memory_bytes: None,
    };
    assert_eq!(Job::new(&host.source, &settings, &host.stop).dir.as_os_str(), host.dir().as_os_str());
}
