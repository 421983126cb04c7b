//! The static executable in a root folder like that of CentOS 7, but without a glibc: a mount namespace and chroot(2). That
//! needs one in which this process may mount; `cargo xtask test` runs these where the system gives one, and says so where it
//! does not.

use std::fs::{self, copy, create_dir_all, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::agent::{Agent, Home};
use crate::harness::exe;
use crate::harness::items::Item;
use crate::harness::process::{Ended, run};
use crate::harness::servers::Server;

/// A name that only the root's own /etc/hosts knows.
const TRANSFER: &str = "transfer.of-this-root";

/// Mounts what the kernel tells, and goes in.
const ENTER: &str = r#"root=$1; shift
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder" || exit 111; done
exec chroot "$root" "$@""#;

/// A root folder with this as its only program.
fn root(program: &Path) -> Home {
    let home = Home::new();
    let root = home.path();
    for folder in ["dev", "etc", "proc", "sys", "tmp", "usr/bin", "var"] {
        create_dir_all(root.join(folder)).unwrap();
    }
    for (file, text) in [
        ("centos-release", "CentOS Linux release 7.9.2009 (Core)\n"),
        ("passwd", "root:x:0:0:root:/root:/bin/bash\n"),
        ("group", "root:x:0:\n"),
        ("hosts", &format!("127.0.0.1 localhost {TRANSFER}\n")),
    ] {
        write(root.join("etc").join(file), text).unwrap();
    }
    copy(program, root.join("usr/bin/falcon-agent")).unwrap();
    home
}

fn static_exe() -> PathBuf {
    std::env::var_os("FALCON_STATIC_EXE").expect("FALCON_STATIC_EXE: the static executable").into()
}

/// Its program with these arguments, in there.
fn within(root: &Path, args: &[&str]) -> Command {
    const WAYS: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let unshare = |way: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(way);
        unshare
    };
    let works = |way: &&&[&str]| {
        let mut mount = unshare(way);
        mount.args(["mount", "-t", "tmpfs", "none"]).arg(root.join("tmp"));
        mount.output().expect("`unshare` of util-linux").status.success()
    };
    let way = WAYS.iter().find(works).expect("a mount namespace: `unshare --mount`, as root or with --map-root-user");
    let mut command = unshare(way);
    command.args(["sh", "-c", ENTER, "sh"]).arg(root).arg("/usr/bin/falcon-agent").args(args);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.current_dir(root).env_clear().env("PATH", path);
    command
}

#[test]
fn the_root_runs_nothing_that_needs_a_library() {
    let ended = run(within(root(&exe()).path(), &["-v"]));
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("No such file"), "{ended:?}");
}

#[test]
fn it_tells_its_version_its_configuration_and_its_values() {
    let home = root(&static_exe());
    let version = run(within(home.path(), &["-v"])).success();
    assert!(version.contains(concat!("version ", env!("CARGO_PKG_VERSION"))), "{version}");

    write(home.path().join("cfg.json"), json!({ "hostname": "in-the-root" }).to_string()).unwrap();
    let config = run(within(home.path(), &["config", "-c", "/cfg.json"])).success();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&config).unwrap()["hostname"], "in-the-root");

    let Ended { code, out, err } = run(within(home.path(), &["collect", "--format", "json", "-c", "/cfg.json"]));
    assert_eq!(code, Some(0), "{err}");
    let items = Item::parse_all(&serde_json::from_str(&out).unwrap());
    for metric in ["agent.alive", "cpu.idle", "mem.memtotal", "load.1min", "kernel.maxfiles", "net.if.in.bytes"] {
        let item = items.iter().find(|item| item.metric == metric);
        assert!(item.is_some_and(|item| item.endpoint == "in-the-root"), "{metric}: {out}");
    }
    let driver = Path::new("/proc/driver/nvidia").exists();
    let complaints: Vec<&str> = err.lines().filter(|line| line.contains("gpu")).collect();
    assert_eq!(complaints.len(), usize::from(driver), "{err}");
    assert!(complaints.iter().all(|line| line.contains("install the package for glibc instead")), "{err}");
}

#[test]
fn it_finds_a_transfer_by_name_sends_to_it_and_ends_when_told() {
    let home = root(&static_exe());
    let server = Server::good();
    let port = server.addr.rsplit_once(':').unwrap().1;
    let config = json!({
        "hostname": "in-the-root",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": true, "addrs": [format!("{TRANSFER}:{port}")], "interval": 1, "timeout": 1000 },
    });
    let agent = Agent::launch_in(&home, &config, |_| within(home.path(), &["run", "-c", "/cfg.json"])).answering();
    let arrived = || server.items().into_iter().find(|item| item.metric == "cpu.idle");
    let item = agent.wait("values at the transfer", arrived);
    assert_eq!((item.endpoint.as_str(), item.step), ("in-the-root", 1));
    let root = fs::read_link(format!("/proc/{}/root", agent.pid())).unwrap();
    assert_eq!(root, home.path().canonicalize().unwrap(), "it runs in there");
    assert_eq!(agent.terminate().code, Some(0));
}
