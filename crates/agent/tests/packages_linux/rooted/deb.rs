//! dpkg, from the first installation to the purge.

use std::fs;

use super::root::{Root, has_own, is_installed, write_own};
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
        assert!(has_own(&root));
    }

    let removed = dpkg(&root, "--remove", "falcon-agent");
    assert_eq!(removed.err, "");
    assert_eq!(root.systemctl(), ["stop falcon-agent.service", "disable falcon-agent.service", "daemon-reload"]);
    assert!(!root.has("/usr/bin/falcon-agent") && !root.has(UNIT) && !root.has("/usr/share/falcon-agent"));
    assert!(has_own(&root), "what was configured and what waits is kept");

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
