//! Links and rights below `plugin.dir`, as Linux has them.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use falcon_agent::plugin::files::{Scan, scan};
use falcon_agent::plugin::place;
use rustix::fs::{CWD, FileType, Mode, mknodat};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn look(dir: &Path, binding: &str) -> Scan {
    scan(dir, &[binding.to_owned()])
}

fn reasons(scan: &Scan) -> String {
    scan.left.iter().map(|left| format!("{}: {}\n", left.what, left.why)).collect()
}

#[test]
fn a_link_is_followed_within_the_directory_and_never_out_of_it() {
    let (outside, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("60_evil"), "").unwrap();
    let sys = dir.path().join("sys");
    fs::create_dir(&sys).unwrap();
    fs::write(sys.join("common"), "").unwrap();
    symlink("common", sys.join("60_inside")).unwrap();
    symlink(outside.path().join("60_evil"), sys.join("60_outside")).unwrap();
    symlink("nothing", sys.join("60_broken")).unwrap();
    symlink("60_loop", sys.join("60_loop")).unwrap();
    symlink(outside.path(), dir.path().join("away")).unwrap();
    symlink("/", dir.path().join("root")).unwrap();

    let found = look(dir.path(), "sys");
    assert_eq!(found.plugins.iter().map(|plugin| plugin.key.as_str()).collect::<Vec<_>>(), ["sys/60_inside"]);
    let told = reasons(&found);
    assert!(told.contains("sys/60_outside: is a link, or behind one, that leads out of plugin.dir\n"), "{told}");
    assert!(
        told.contains("sys/60_broken: is not there\n") && told.contains("sys/60_loop: cannot be looked at"),
        "{told}"
    );
    for binding in ["away", "away/60_evil", "root/bin/sh", "sys/60_outside"] {
        let found = look(dir.path(), binding);
        assert!(found.plugins.is_empty() && reasons(&found).contains("leads out"), "{binding}: {found:?}");
    }
}

/// The official package has `./plugin` as a link to the agent's own.
#[test]
fn the_directory_itself_may_be_a_link() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("agent/plugin");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("60_a"), "").unwrap();
    symlink("agent/plugin", place.path().join("plugin")).unwrap();
    assert_eq!(look(&place.path().join("plugin"), "60_a").plugins.len(), 1);
}

#[test]
fn nothing_runs_that_others_can_change() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("plugin");
    let (sys, file) = (dir.join("sys"), dir.join("sys/60_a"));
    fs::create_dir_all(&sys).unwrap();
    fs::write(&file, "").unwrap();
    for (path, mode) in [(place.path(), 0o755), (dir.as_path(), 0o755), (sys.as_path(), 0o755), (file.as_path(), 0o755)]
    {
        chmod(path, mode);
    }
    assert_eq!(look(&dir, "sys").plugins.len(), 1);

    chmod(&dir, 0o757);
    let found = look(&dir, "sys");
    let why = found.unsafe_place.clone().unwrap();
    assert!(found.plugins.is_empty() && reasons(&found).contains(&why) && why.contains("everybody"), "{found:?}");
    assert!(why.contains("chmod go-w") && !why.contains("another plugin.dir"), "{why}");
    assert_eq!(place::check(&dir, &dir.canonicalize().unwrap()), Err(why));
    chmod(&dir, 0o755);

    for path in [&sys, &file] {
        chmod(path, 0o757);
        let found = look(&dir, "sys");
        assert!(found.plugins.is_empty() && found.unsafe_place.is_none(), "{found:?}");
        let told = reasons(&found);
        assert!(
            told.starts_with(&format!(
                "sys/60_a: {}: can be changed by everybody",
                path.canonicalize().unwrap().display()
            )),
            "{told}"
        );
        chmod(path, 0o755);
    }

    // Whoever may rename the directory puts another in its place.
    chmod(place.path(), 0o777);
    assert!(look(&dir, "sys").unsafe_place.unwrap().contains("put another plugin.dir there"));
    chmod(place.path(), 0o1777);
    assert_eq!(look(&dir, "sys").plugins.len(), 1);

    // So does who may turn a link that leads to it.
    let links = place.path().join("links");
    fs::create_dir(&links).unwrap();
    symlink(&dir, links.join("plugin")).unwrap();
    assert_eq!(look(&links.join("plugin"), "sys").plugins.len(), 1);
    chmod(&links, 0o777);
    assert!(look(&links.join("plugin"), "sys").unsafe_place.unwrap().contains("put another plugin.dir there"));
}

#[test]
fn what_is_no_file_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    mknodat(CWD, dir.path().join("60_pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(reasons(&look(dir.path(), "60_pipe")), "60_pipe(): is no file that can be run\n");
}
