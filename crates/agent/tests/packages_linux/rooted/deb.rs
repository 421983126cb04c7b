//! dpkg, from the first installation to the purge.

use std::fs;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::root::{LEFT, Root, has_own, is_installed, write_own};
use crate::harness::process::Ended;
use crate::package;

const UNIT: &str = "/lib/systemd/system/falcon-agent.service";
const FAILED: &str = "falcon-agent is installed and does not run: systemctl status falcon-agent says why\n";

fn brought(root: &Root) -> String {
    root.bring(&package("_amd64.deb"))
}

/// The package once more, as a later version.
fn newer(root: &Root) -> String {
    let deb = brought(root);
    root.run(&["dpkg-deb", "--raw-extract", &deb, "/packages/newer"]).success();
    let control = root.path("/packages/newer/DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    fs::write(&control, text.replace(&version, "Version: 999.1\n")).unwrap();
    root.run(&["dpkg-deb", "-Znone", "--build", "/packages/newer", "/packages/newer.deb"]).success();
    "/packages/newer.deb".to_owned()
}

fn dpkg(root: &Root, what: &str, of: &str) -> Ended {
    let ended = root.run(&["dpkg", what, of]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

#[test]
fn it_is_installed_upgraded_removed_and_purged() {
    let root = Root::new();
    let deb = brought(&root);
    let installed = dpkg(&root, "--install", &deb);
    assert_eq!(installed.err, "", "in silence");
    is_installed(&root, UNIT);
    assert_eq!(root.systemctl(), ["daemon-reload", "enable falcon-agent.service", "start falcon-agent.service"]);
    assert!(root.run(&["/usr/bin/falcon-agent", "-v"]).success().contains("version"));

    write_own(&root);
    let newer = newer(&root);
    for version in [&newer, &deb, &deb] {
        // Also down, and the same once more. It runs after it, if it ran before: the agent keeps what it has not sent.
        let upgraded = dpkg(&root, "--install", version);
        assert!(!upgraded.err.contains("falcon-agent is"), "{upgraded:?}");
        assert_eq!(root.systemctl(), ["daemon-reload", "try-restart falcon-agent.service"]);
        assert!(has_own(&root) && LEFT.iter().all(|name| root.has(name)));
    }

    let removed = dpkg(&root, "--remove", "falcon-agent");
    assert_eq!(removed.err, "");
    assert_eq!(root.systemctl(), ["stop falcon-agent.service", "disable falcon-agent.service", "daemon-reload"]);
    assert!(!root.has("/usr/bin/falcon-agent") && !root.has(UNIT) && !root.has("/usr/share/falcon-agent"));
    assert!(has_own(&root), "what was configured and what waits is kept");
    assert!(!LEFT.iter().any(|name| root.has(name)), "executables of upgrades outlived the package");

    dpkg(&root, "--install", &deb);
    assert_eq!(root.systemctl(), ["daemon-reload", "enable falcon-agent.service", "start falcon-agent.service"]);
    assert!(has_own(&root), "the old configuration is found again");
    let state: Vec<_> =
        fs::read_dir(root.path("/var/lib/falcon-agent")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(state, ["queue"]);

    dpkg(&root, "--purge", "falcon-agent");
    assert!(!root.has("/etc/falcon-agent") && !root.has("/var/lib/falcon-agent") && !root.has(UNIT));
    assert!(root.run(&["dpkg", "--audit"]).success().is_empty());
}

#[test]
fn a_service_that_does_not_start_is_told_and_fails_nothing() {
    let root = Root::new();
    fs::write(root.path("/systemctl.fails"), "").unwrap();
    let deb = brought(&root);
    for _ in 0..2 {
        assert_eq!(dpkg(&root, "--install", &deb).err, FAILED);
    }
    dpkg(&root, "--purge", "falcon-agent");
}

#[test]
fn an_image_without_a_running_systemd_is_enabled_and_one_without_any_gets_the_files() {
    let root = Root::new();
    fs::remove_dir_all(root.path("/run/systemd")).unwrap();
    let deb = brought(&root);
    assert_eq!(dpkg(&root, "--install", &deb).err, "");
    assert_eq!(root.systemctl(), ["enable falcon-agent.service"]);
    dpkg(&root, "--purge", "falcon-agent");
    assert_eq!(root.systemctl(), ["disable falcon-agent.service"]);
    fs::remove_file(root.path("/usr/bin/systemctl")).unwrap();
    assert_eq!(dpkg(&root, "--install", &deb).err, "");
    is_installed(&root, UNIT);
    assert_eq!(dpkg(&root, "--purge", "falcon-agent").err, "");
}

#[test]
fn a_policy_that_forbids_to_start_services_is_obeyed() {
    let root = Root::new();
    root.script("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
    let deb = brought(&root);
    for calls in [&["daemon-reload", "enable falcon-agent.service"][..], &["daemon-reload"]] {
        assert_eq!(dpkg(&root, "--install", &deb).err, "");
        assert_eq!(root.systemctl(), calls);
    }
}

/// It was left stopped and disabled, and nothing said so.
#[test]
fn a_removal_that_is_broken_off_starts_it_again() {
    let root = Root::new();
    let deb = brought(&root);
    dpkg(&root, "--install", &deb);
    root.systemctl();
    let prerm = "/var/lib/dpkg/info/falcon-agent.prerm";
    let text = root.read(prerm);
    root.script(prerm, &format!("{text}exit 1\n"));
    assert_eq!(root.run(&["dpkg", "--remove", "falcon-agent"]).code, Some(1));
    let calls = ["stop", "disable", "enable", "start"].map(|verb| format!("{verb} falcon-agent.service"));
    assert_eq!(root.systemctl(), calls);
    root.script(prerm, &text);
    dpkg(&root, "--purge", "falcon-agent");
}

/// On a disk of its own, as a large queue may be: the purge failed, and the package stayed half removed.
#[test]
fn state_that_is_a_mount_point_is_emptied_and_told() {
    let root = Root::new();
    dpkg(&root, "--install", &brought(&root));
    let state = root.path("/var/lib/falcon-agent");
    mount("state", &state, "tmpfs", MountFlags::empty(), None).unwrap();
    fs::write(state.join("points"), "").unwrap();
    let purged = dpkg(&root, "--purge", "falcon-agent");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
    unmount(&state, UnmountFlags::DETACH).unwrap();
    let told = "falcon-agent is purged, and /var/lib/falcon-agent could not be removed\n";
    assert!(purged.err.starts_with(told), "{purged:?}");
    assert!(!root.has("/etc/falcon-agent") && root.run(&["dpkg", "--audit"]).success().is_empty());
}
