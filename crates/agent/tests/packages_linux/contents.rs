//! What dpkg and rpm say of the packages before they are installed.

use crate::harness::exe;
use crate::{FIRST, package, sources, tool};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_deb_says_what_it_is_and_needs() {
    let deb = package("_amd64.deb").display().to_string();
    let fields = ["Package", "Version", "Architecture", "Depends"].map(|name| format!("{name}: "));
    let about = tool("dpkg-deb", &["--field", &deb]).success();
    let said: Vec<&str> =
        fields.iter().map(|name| about.lines().find_map(|line| line.strip_prefix(name)).expect("a field")).collect();
    assert_eq!(said, ["falcon-agent", VERSION, "amd64", "libc6 (>= 2.17)"]);
    // It has none: cfg.json is made by postinst, so that an upgrade never asks.
    assert!(!tool("dpkg-deb", &["--info", &deb]).success().contains("conffiles"));
}

#[test]
fn the_deb_has_files_of_root_alone_with_their_modes() {
    let deb = package("_amd64.deb").display().to_string();
    let listed = tool("dpkg-deb", &["--contents", &deb]).success();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let mode = match fields[5] {
            "./usr/bin/falcon-agent" => "-rwxr-xr-x",
            name if name.ends_with('/') => "drwxr-xr-x",
            name if name.contains("/examples/") => "-rwxr-xr-x",
            _ => "-rw-r--r--",
        };
        assert_eq!((fields[0], fields[1]), (mode, "root/root"), "{line}");
    }
    for name in ["/lib/systemd/system/falcon-agent.service", "/usr/share/falcon-agent/cfg.json", "/docs/operations.md"]
    {
        assert!(listed.contains(name), "{name} in\n{listed}");
    }
    assert!(!listed.contains("./etc") && !listed.contains("./var"), "what a removal would take along:\n{listed}");
}

#[test]
fn the_rpm_is_whole_and_one_that_centos_7_can_read() {
    let rpm = package(".x86_64.rpm").display().to_string();
    let checked = tool("rpm", &["--checksig", &rpm]);
    assert!(checked.code == Some(0) && checked.out.contains("digests OK"), "{checked:?}");
    let format = "%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO} %{BUILDHOST}\\n";
    let about = tool("rpm", &["-qp", "--qf", format, &rpm]).success();
    assert_eq!(about, format!("falcon-agent {VERSION} 1 x86_64 gzip 8 falcon-agent\n"));
    let needs = tool("rpm", &["-qp", "--requires", &rpm]).success();
    let needs: std::collections::BTreeSet<&str> = needs.lines().collect();
    // rpmlib(...) of 4.11 and what a minimal system has; no library that automatic search would name.
    let expected = [
        "/bin/sh",
        "libc.so.6(GLIBC_2.17)(64bit)",
        "rpmlib(CompressedFileNames) <= 3.0.4-1",
        "rpmlib(FileDigests) <= 4.6.0-1",
        "rpmlib(PayloadFilesHavePrefix) <= 4.0-1",
    ];
    assert_eq!(needs, expected.into());
}

#[test]
fn the_rpm_has_files_of_root_alone_with_their_modes() {
    let rpm = package(".x86_64.rpm").display().to_string();
    let listed = tool("rpm", &["-qlp", "--dump", &rpm]).success();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let mode = match fields[0] {
            "/usr/bin/falcon-agent" => "0100755",
            _ if fields[4].starts_with("04") => "040755",
            name if name.contains("/examples/") => "0100755",
            _ => "0100644",
        };
        assert_eq!(fields[4..7], [mode, "root", "root"], "{line}");
    }
    for name in
        ["/usr/lib/systemd/system/falcon-agent.service ", "/usr/share/falcon-agent/cfg.json ", "/docs/operations.md "]
    {
        assert!(listed.contains(name), "{name} in\n{listed}");
    }
    assert!(!listed.contains("/etc") && !listed.contains("/var/") && !listed.contains("build-id"), "{listed}");
}

#[test]
fn the_first_configuration_is_valid_and_names_no_server() {
    let file = sources(FIRST).display().to_string();
    let said = tool(&exe().display().to_string(), &["config", "-c", &file]).success();
    let config: serde_json::Value = serde_json::from_str(&said).unwrap();
    for server in ["transfer", "heartbeat"] {
        assert_eq!(config[server]["addrs"], serde_json::json!([]), "{server}");
    }
}
