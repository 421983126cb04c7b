//! `/plugin/update` and `/plugin/reset`: plugins that are fetched while the agent runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use super::bed::{Bed, has_run, windows_stub};
use crate::harness::agent::Agent;
use crate::harness::http;
use crate::harness::is_windows;
use crate::harness::servers::hbs::REPORT;

/// A web server with these files; what is to be cut short ends in the middle.
fn web(files: BTreeMap<&'static str, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let Some(first) = lines.next() else { continue };
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = first.split(' ').nth(1).unwrap_or_default();
            let name = path.trim_start_matches('/');
            let answer = match files.get(name) {
                Some(bytes) => {
                    let sent = if name.starts_with("cut") { &bytes[..bytes.len() / 2] } else { bytes };
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
                    [head.as_bytes(), sent].concat()
                }
                None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
            };
            // Who has seen enough hangs up.
            let _ = stream.write_all(&answer);
        }
    });
    format!("http://{address}")
}

/// A zip of files that are not compressed, as programs of Unix write it.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let (crc, size) = (crc32fast::hash(bytes).to_le_bytes(), u32::try_from(bytes.len()).unwrap().to_le_bytes());
        let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
        // Version, flags, method, time and date.
        let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x58][..], &crc, &size, &size, &name_len, &[0, 0]].concat();
        let at = u32::try_from(out.len()).unwrap().to_le_bytes();
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
        let mode = (0o100_755_u32 << 16).to_le_bytes();
        let rest = [&[0; 6][..], &mode, &at].concat();
        central.extend([b"PK\x01\x02\x14\x03", &common[..], &rest, name.as_bytes()].concat());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let (size, at) = (u32::try_from(central.len()).unwrap(), u32::try_from(out.len()).unwrap());
    let end = [&[0; 4][..], &count, &count, &size.to_le_bytes(), &at.to_le_bytes(), &[0, 0]].concat();
    out.extend([&central[..], b"PK\x05\x06", &end].concat());
    out
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), bytes).unwrap();
    said(Command::new("sha256sum").arg(dir.path().join("x")))[..64].to_owned()
}

/// The tree of one plugin, as it lies in an archive of the platform's kind: its name, and its bytes.
fn archive(plugin: &str) -> (&'static str, Vec<u8>) {
    if is_windows() {
        return ("plugins.zip", zip(&[(&format!("x/{plugin}.exe"), &fs::read(windows_stub()).unwrap())]));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tree/x").join(plugin);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, include_str!("stub.sh")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let out = dir.path().join("out.tar.gz");
    said(Command::new("tar").arg("-czf").arg(&out).arg("-C").arg(dir.path().join("tree")).arg("."));
    ("plugins.tar.gz", fs::read(out).unwrap())
}

fn path_of(plugin: &str) -> String {
    if is_windows() { format!("x/{plugin}.exe") } else { format!("x/{plugin}") }
}

fn start(bed: &Bed, plugin: Value) -> Agent {
    let mut config = bed.config();
    config["plugin"] = plugin;
    Agent::start_in(&bed.home, &config)
}

/// What hbs is told of the version.
fn version(bed: &Bed, agent: &Agent, is_so: impl Fn(&str) -> bool) {
    agent.wait("the version at hbs", || {
        let last = bed.hbs.calls(REPORT).pop()?;
        is_so(last["PluginVersion"].as_str()?).then_some(())
    });
}

#[test]
fn an_archive_is_fetched_put_in_place_and_run() {
    let bed = Bed::new("fetched");
    let (name, bytes) = archive("1_args");
    let hash = sha256(&bytes);
    let url = format!("{}/{name}", web([(name, bytes)].into()));
    bed.hbs.runs(&["x"]);
    let agent = start(&bed, json!({ "enabled": true, "url": url, "sha256": hash }));
    version(&bed, &agent, |version| version.starts_with("Error:"));
    assert_eq!(agent.get("/plugin/update").text(), "success", "{}", agent.state());
    has_run(&agent, &path_of("1_args"));
    bed.wait_for(&agent, "argument");
    version(&bed, &agent, |version| version == format!("sha256:{hash}"));
    // Of the same there is nothing to fetch; what was changed is put back.
    assert_eq!(agent.get("/plugin/update").text(), "success");
    fs::remove_dir_all(bed.dir().join("x")).unwrap();
    assert_eq!(agent.get("/plugin/reset").text(), "success", "{}", agent.state());
    assert!(bed.dir().join(path_of("1_args")).exists());
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn an_archive_that_is_not_the_right_one_changes_nothing() {
    let (good, bytes) = archive("1_args");
    let evil = zip(&[("x/1_new.sh", b"#!/bin/sh\n"), ("../../evil", b"x")]);
    let cut = bytes.clone();
    let (right, of_evil) = (sha256(&bytes), sha256(&evil));
    let wrong = "0".repeat(64);
    let web = web([(good, bytes), ("evil.zip", evil), ("cut.tar.gz", cut)].into());
    for (file, hash, why) in [
        (good, &wrong, "its SHA-256 is"),
        ("evil.zip", &of_evil, "../../evil"),
        ("cut.tar.gz", &right, "it breaks off: "),
        ("none.zip", &right, "404"),
    ] {
        let bed = Bed::new("kept");
        let url = format!("{web}/{file}");
        let agent = start(&bed, json!({ "enabled": true, "url": url, "sha256": hash }));
        let answer = agent.get("/plugin/update");
        let text = answer.text();
        assert!(answer.status != 403 && text != "success", "{file}: {text}");
        assert!(text.contains(why), "{file}: {text}");
        let names: Vec<_> = fs::read_dir(bed.home.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(
            names.iter().all(|name| *name == "cfg.json" || *name == "plugin" || *name == "var" || *name == "logs"),
            "{names:?}"
        );
        assert_eq!(fs::read_dir(bed.dir()).unwrap().count(), 0, "{file}");
        assert!(!bed.home.path().parent().unwrap().join("evil").exists());
        assert_eq!(agent.terminate().code, Some(0));
    }
}

/// Of all the routes of the Go agent these two ran something for whoever asked.
#[test]
fn only_trusted_addresses_fetch_anything() {
    let bed = Bed::new("asked");
    let agent = start(&bed, json!({ "enabled": true, "url": "http://127.0.0.1:9/p.zip", "sha256": "0".repeat(64) }));
    for path in ["/plugin/update", "/plugin/reset"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.1.2.3\r\nConnection: close\r\n\r\n");
        let answer = http::one(agent.http, request.as_bytes()).unwrap();
        // A script that looks at nothing but the status notices.
        assert_eq!((answer.status, answer.text().as_str()), (403, "no privilege"), "{path}");
    }
    assert_eq!(agent.terminate().code, Some(0));
}

/// Wine has no git, and says so.
#[test]
fn plugins_come_from_git_as_they_did() {
    let bed = Bed::new("cloned");
    let work = bed.home.path().join("work");
    fs::remove_dir(bed.dir()).unwrap();
    let git = |dir: &Path, args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        said(Command::new("git").current_dir(dir).args(identity).args(args))
    };
    let commit = |plugin: &str| {
        let file = work.join("x").join(plugin);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, include_str!("stub.sh")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", plugin]);
        git(&work, &["rev-parse", "HEAD"])
    };
    fs::create_dir(&work).unwrap();
    git(&work, &["init", "-q"]);
    let first = commit("1_args");
    bed.hbs.runs(&["x"]);
    let agent = start(&bed, json!({ "enabled": true, "git": work.display().to_string() }));
    version(&bed, &agent, |version| version == "plugin dir not existent");
    if is_windows() {
        let text = agent.get("/plugin/update").text();
        assert!(text.contains("git") && text.contains("plugin.url"), "{text}");
        assert_eq!(agent.terminate().code, Some(0));
        return;
    }
    assert_eq!(agent.get("/plugin/update").text(), "success", "{}", agent.state());
    has_run(&agent, "x/1_args");
    version(&bed, &agent, |version| version == first);
    let second = commit("1_more");
    assert_eq!(agent.get("/plugin/update").text(), "success", "{}", agent.state());
    has_run(&agent, "x/1_more");
    version(&bed, &agent, |version| version == second);
    fs::write(bed.dir().join("x/1_more"), "damaged").unwrap();
    assert_eq!(agent.get("/plugin/reset").text(), "success", "{}", agent.state());
    assert_eq!(fs::read_to_string(bed.dir().join("x/1_more")).unwrap(), include_str!("stub.sh"));
    fs::remove_dir_all(&work).unwrap();
    let text = agent.get("/plugin/update").text();
    assert!(text.starts_with("git pull in dir:") && text.contains(" fail. error: "), "{text}");
    assert_eq!(agent.terminate().code, Some(0));
}
