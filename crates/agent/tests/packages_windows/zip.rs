//! The zip, for those who copy files.

use std::fs;
use std::io::Read as _;

use serde_json::json;

use crate::harness::servers::Server;
use crate::host::{Host, package};
use crate::machine::{Machine, SERVICE, State};

#[test]
fn unpacked_installed_and_started_it_sends_points() {
    const DIR: &str = r"C:\tools\监控 agent";
    let server = Server::good();
    let host = Host { machine: Machine::without_agent(DIR) };
    let file = fs::File::open(package("-windows-x64.zip")).expect("the zip");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        let path = host.machine.path(&entry.name().expect("UTF-8"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let texts = [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "README.zh-CN.md",
        "cfg.example.json",
        "docs",
        "examples",
    ];
    assert_eq!(host.machine.files(), [&texts[..], &["falcon-agent.exe", "install.ps1"]].concat());
    let listen = host.machine.http().to_string();
    let values = ["--transfer", &server.addr, "--listen", &listen, "--interval", "1", "--endpoint", "unzipped"];
    let said = host.machine.done(&[&["install"], values.as_slice()].concat());
    // Nothing that the zip brings is a stranger's.
    assert!(!said.contains("other things in it"), "{said}");
    host.machine.done(&["start"]);
    host.machine.wait_for(SERVICE, State::Running);
    host.reports(&server, "unzipped");
    let config = fs::read(host.machine.path("cfg.json")).expect("a configuration");
    let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    assert_eq!(config["transfer"]["addrs"], json!([server.addr]));
}
