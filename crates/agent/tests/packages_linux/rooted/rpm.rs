//! rpm, from the first installation to the removal. Its database is the root's own: this machine's is dpkg's.

use std::fs;
use std::path::PathBuf;

use super::root::{LEFT, Root, has_own, is_installed, write_own};
use crate::harness::process::Ended;
use crate::{package, sources, tool};

const UNIT: &str = "/usr/lib/systemd/system/falcon-agent.service";
const FAILED: &str = "falcon-agent is installed and does not run: systemctl status falcon-agent says why\n";
const INSTALLED: [&str; 3] = ["daemon-reload", "enable falcon-agent.service", "start falcon-agent.service"];

/// What Debian's rpm wants before it does anything, and no dependencies, for those are in dpkg's database.
const ANYWAY: [&str; 4] = ["--force-debian", "--dbpath", "/var/lib/rpm", "--nodeps"];

fn rpm(root: &Root, args: &[&str]) -> Ended {
    let ended = root.run(&[&["rpm"][..], &ANYWAY, args].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// The scripts of the spec with little in it, as a later version.
fn newer(root: &Root) -> String {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    let content =
        ["usr/bin/falcon-agent", &UNIT[1..], "usr/share/falcon-agent/cfg.json", "usr/share/doc/falcon-agent/x"];
    for file in content.map(|name| files.join(name)) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "newer").unwrap();
    }
    let below = |name: &str| dir.path().join(name).display().to_string();
    let settings = [
        ("_topdir", below("top")),
        ("_rpmdir", below("")),
        ("_dbpath", below("db")),
        ("_rpmfilename", "newer.rpm".to_owned()),
        ("__os_install_post", "%{nil}".to_owned()),
        ("debug_package", "%{nil}".to_owned()),
        ("agent_version", "999.1".to_owned()),
        ("agent_files", files.display().to_string()),
    ];
    let settings = settings.map(|(name, value)| format!("{name} {value}"));
    let spec = sources("packaging/linux/rpm/falcon-agent.spec").display().to_string();
    let mut args = vec!["-bb", "--quiet", "--nodeps", "--target", "x86_64-linux"];
    settings.iter().for_each(|setting| args.extend(["--define", setting]));
    args.push(&spec);
    tool("rpmbuild", &args).success();
    root.bring(&PathBuf::from(below("newer.rpm")))
}

#[test]
fn it_is_installed_upgraded_and_removed() {
    let root = Root::new();
    let package = root.bring(&package(".x86_64.rpm"));
    assert_eq!(rpm(&root, &["--install", &package]).err, "", "in silence");
    is_installed(&root, UNIT);
    assert_eq!(root.systemctl(), INSTALLED);
    assert!(root.run(&["/usr/bin/falcon-agent", "-v"]).success().contains("version"));
    assert_eq!(rpm(&root, &["--verify", "falcon-agent"]).out, "");

    write_own(&root);
    let newer = newer(&root);
    for (how, version) in [("-U", &newer), ("--oldpackage", &package), ("--reinstall", &package)] {
        let args: &[&str] = if how == "--oldpackage" { &["-U", how, version] } else { &[how, version] };
        assert_eq!(rpm(&root, args).err, "");
        assert_eq!(root.systemctl(), ["daemon-reload", "daemon-reload", "try-restart falcon-agent.service"], "{how}");
        assert!(has_own(&root) && LEFT.iter().all(|name| root.has(name)));
    }

    assert_eq!(rpm(&root, &["--erase", "falcon-agent"]).err, "");
    assert_eq!(root.systemctl(), ["stop falcon-agent.service", "disable falcon-agent.service", "daemon-reload"]);
    assert!(!root.has("/usr/bin/falcon-agent") && !root.has(UNIT) && !root.has("/usr/share/falcon-agent"));
    assert!(has_own(&root), "what was configured and what waits is kept");
    assert!(!LEFT.iter().any(|name| root.has(name)), "executables of upgrades outlived the package");
    rpm(&root, &["--install", &package]);
    assert_eq!(root.systemctl(), INSTALLED);
    assert!(has_own(&root), "the old configuration is found again");
}

#[test]
fn a_service_that_does_not_start_is_told_and_fails_nothing() {
    let root = Root::new();
    fs::write(root.path("/systemctl.fails"), "").unwrap();
    let package = root.bring(&package(".x86_64.rpm"));
    assert_eq!(rpm(&root, &["--install", &package]).err, FAILED);
    assert_eq!(rpm(&root, &["--reinstall", &package]).err, FAILED);
    assert_eq!(rpm(&root, &["--erase", "falcon-agent"]).err, "");
}

#[test]
fn an_image_without_a_running_systemd_is_enabled_and_one_without_any_gets_the_files() {
    let root = Root::new();
    fs::remove_dir_all(root.path("/run/systemd")).unwrap();
    let package = root.bring(&package(".x86_64.rpm"));
    assert_eq!(rpm(&root, &["--install", &package]).err, "");
    assert_eq!(root.systemctl(), ["enable falcon-agent.service"]);
    rpm(&root, &["--erase", "falcon-agent"]);
    assert_eq!(root.systemctl(), ["disable falcon-agent.service"]);
    fs::remove_file(root.path("/usr/bin/systemctl")).unwrap();
    assert_eq!(rpm(&root, &["--install", &package]).err, "");
    is_installed(&root, UNIT);
    assert_eq!(rpm(&root, &["--erase", "falcon-agent"]).err, "");
}
