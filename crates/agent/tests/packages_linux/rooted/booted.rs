//! The package on a host that systemd has booted: one in name spaces, with a root of its own and a cgroup of its own.
//!
//! Its service runs as systemd runs it: with the mounts, capabilities and system calls that the unit leaves it. Inside these
//! bounds the agent has to measure what it measures without them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::root::Root;
use crate::harness::agent::free_address;
use crate::harness::process::{Ended, Process, run};
use crate::harness::servers::Server;
use crate::harness::until;
use crate::{config, package, plain, sources, works};

const NOBODY: u32 = 65534;

/// Makes the cgroup, of which the host's own are no part, and the name spaces, and becomes process 1 of them. `$1` is the root,
/// `$2` where the tree of cgroups is to be mounted, `$3` the name of the one in it. No unit of this machine is started.
const BOOT: &str = r#"
mkdir "$2" && mount -t cgroup2 packages "$2" && mkdir "$2/$3" && echo $$ >"$2/$3/cgroup.procs" || exit 99
exec unshare --pid --fork --kill-child --uts --ipc --cgroup --mount sh -c '
    mount -t proc packages "$1/proc" && mount -t cgroup2 packages "$1/sys/fs/cgroup" && mount -t tmpfs packages "$1/run" || exit 99
    rm -f "$1"/etc/systemd/system/*.wants/* "$1"/lib/systemd/system/*.wants/* "$1"/usr/lib/systemd/system/*.wants/*
    exec env -i container=packages PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" /lib/systemd/systemd --system \
        --unit=multi-user.target --log-target=console systemd.unified_cgroup_hierarchy=1
' sh "$1"
"#;

struct Booted {
    // In this order they end.
    init: Process,
    _cgroup: Cgroup,
    root: Root,
}

/// Gone with what systemd has made in it.
struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        fn remove(dir: &Path) {
            let below = fs::read_dir(dir).into_iter().flatten().flatten();
            below
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .for_each(|entry| remove(&entry.path()));
            let _ = fs::remove_dir(dir);
        }
        // Its processes are being killed with the first of them, and do not hold up an unwinding test for ever.
        for _ in 0..500 {
            remove(&self.0);
            if !self.0.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Booted {
    fn new() -> Booted {
        let root = Root::bare();
        // Named as the root is: for each test another one.
        let own = root.beside("");
        let name = format!("falcon-agent{}", own.file_name().expect("a directory").display());
        let tree = root.beside("cgroups");
        let mut boot = plain("sh");
        boot.args(["-c", BOOT, "sh"]).arg(root.path("/")).arg(&tree).arg(&name);
        let booted = Booted { init: Process::start(boot), _cgroup: Cgroup(tree.join(name)), root };
        until(
            "systemd to be up",
            || booted.init.err(),
            || {
                let said = booted.inner()?.run(&booted, &["systemctl", "is-system-running"]);
                ["running", "degraded"].contains(&said.out.trim()).then_some(())
            },
        );
        booted
    }

    /// Process 1 of the name spaces, as it is numbered here, once there is one.
    fn inner(&self) -> Option<Inner> {
        let pid = self.init.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Some(Inner(children.split_whitespace().next()?.to_owned()))
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.inner().expect("it runs").run(self, args)
    }

    fn systemctl(&self, args: &[&str]) -> String {
        let said = self.run(&[&["systemctl", "--no-pager"], args].concat());
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}\n{}", self.init.err());
        said.out.trim().to_owned()
    }

    /// Runs this in the bounds of the unit, as its service; the output is `/var/NAME` then.
    fn once(&self, name: &str, command: &[&str]) {
        let unit = fs::read_to_string(sources("packaging/linux/falcon-agent.service")).unwrap();
        let start = "ExecStart=/usr/bin/falcon-agent run -c /etc/falcon-agent/cfg.json\n";
        assert!(unit.contains(start) && unit.contains("Restart=on-failure\n"));
        let once = format!("Type=oneshot\nStandardOutput=file:/var/{name}\nExecStart={}\n", command.join(" "));
        let unit = unit.replace(start, &once).replace("Restart=on-failure\n", "Restart=no\n");
        fs::write(self.root.path(&format!("/etc/systemd/system/{name}.service")), unit).unwrap();
        self.systemctl(&["daemon-reload"]);
        self.systemctl(&["start", name]);
    }

    fn shows(&self, property: &str) -> String {
        self.systemctl(&["show", "--value", "--property", property, "falcon-agent"])
    }
}

struct Inner(String);

impl Inner {
    fn command(&self, root: &Root, args: &[&str]) -> Command {
        let mut command = plain("nsenter");
        command.args(["-t", &self.0, "-m", "-p", "-u", "-i", "-C", "chroot"]).arg(root.path("/")).args(args);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn run(&self, booted: &Booted, args: &[&str]) -> Ended {
        run(self.command(&booted.root, args))
    }
}

/// With what a service can measure only by its capabilities: another user's process, a directory that is closed to others,
/// echo requests.
fn demanding(root: &Root) -> Value {
    let closed = root.path("/var/closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("file"), vec![1; 70_000]).unwrap();
    chown(&closed, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    json!({
        "hostname": "packages",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false },
        "collector": { "process": ["sleep"] },
        "checks": { "directories": ["/var/closed"], "processes": [{ "name": "sleep" }], "ping": ["127.0.0.1"] },
    })
}

/// Metric and tags of each point.
fn series(points: &[Value]) -> BTreeSet<(String, String)> {
    let text = |point: &Value, key: &str| point[key].as_str().unwrap_or_default().to_owned();
    points.iter().map(|point| (text(point, "metric"), text(point, "tags"))).collect()
}

#[test]
fn the_agent_measures_the_same_inside_the_bounds_of_its_unit() {
    let booted = Booted::new();
    let root = &booted.root;
    let exe = root.bring(&crate::harness::exe());
    fs::write(root.path("/var/demanding.json"), demanding(root).to_string()).unwrap();
    let mine = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "600"];
    let _sleep = Process::start(booted.inner().unwrap().command(root, &mine));
    until("another user's process", String::new, || {
        (booted.run(&["pgrep", "-x", "sleep"]).code == Some(0)).then_some(())
    });
    let collect = [exe.as_str(), "collect", "--format", "json", "-c", "/var/demanding.json"];
    let points = |text: String| serde_json::from_str::<Vec<Value>>(&text).expect("an array of points");
    let free = points(booted.run(&collect).success());

    booted.once("collected", &collect);
    let bound = points(root.read("/var/collected"));

    let (free_series, bound_series) = (series(&free), series(&bound));
    let lost: Vec<_> = free_series.difference(&bound_series).collect();
    let more: Vec<_> = bound_series.difference(&free_series).collect();
    assert!(lost.is_empty() && more.is_empty(), "lost: {lost:?}\nmore: {more:?}");
    let has = |metric: &str| bound.iter().find(|point| point["metric"] == metric).unwrap_or_else(|| panic!("{metric}"));
    assert!(has("du.bs")["value"].as_f64().unwrap() >= 70_000.0, "a directory that is closed to others");
    assert!(has("proc.num")["value"].as_f64().unwrap() >= 1.0);
    assert_eq!(has("ping.loss")["value"].as_f64(), Some(0.0));
    has("process.io.read_bytes");
    let sizes = |points: &[Value]| -> BTreeSet<String> {
        let totals = points.iter().filter(|point| point["metric"] == "df.bytes.total");
        totals.map(|point| format!("{} {}", point["tags"], point["value"])).collect()
    };
    assert_eq!(sizes(&free), sizes(&bound), "the host's file systems, each once");
}

/// As for the databases whose users alone are let in. PAM refuses what it may not audit.
#[test]
fn a_plugin_may_become_another_user() {
    let booted = Booted::new();
    let root = &booted.root;
    let exe = root.bring(&crate::harness::exe());
    let config = json!({ "plugin": { "enabled": true, "dir": "/var/plugin" }, "transfer": { "enabled": false } });
    fs::write(root.path("/var/plugins.json"), config.to_string()).unwrap();
    fs::create_dir(root.path("/var/plugin")).unwrap();
    let item = r#"[{\"metric\":\"who\",\"value\":1,\"tags\":\"user=$user\"}]"#;
    let text = format!("#!/bin/sh\nuser=$(su nobody -s /bin/sh -c 'id -un') && echo \"{item}\"\n");
    root.script("/var/plugin/60_who.sh", &text);
    booted.once("who", &[&exe, "plugin", "run", "-c", "/var/plugins.json", "--format", "json", "60_who.sh"]);
    assert!(root.read("/var/who").contains("user=nobody"), "{}", root.read("/var/who"));
}

#[test]
fn the_package_brings_a_service_that_runs_reloads_comes_back_and_goes() {
    let booted = Booted::new();
    let (root, server, listen) = (&booted.root, Server::good(), free_address());
    let state = || booted.systemctl(&["show", "falcon-agent"]);
    // One that is there is used as it is: else this would listen where the machine's own agent may.
    let file = root.path("/etc/falcon-agent/cfg.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, config(&server, listen).to_string()).unwrap();
    let faster = root.path("/etc/systemd/system/falcon-agent.service.d/faster.conf");
    fs::create_dir_all(faster.parent().unwrap()).unwrap();
    fs::write(faster, "[Service]\nRestartSec=1\n").unwrap();
    let deb = root.bring(&package("_amd64.deb"));
    booted.run(&["dpkg", "--install", &deb]).success();
    assert_eq!(booted.systemctl(&["is-enabled", "falcon-agent"]), "enabled");
    works(&server, listen, state);

    let mut changed = config(&server, listen);
    changed["default_tags"] = json!({ "rack": "7" });
    fs::write(&file, changed.to_string()).unwrap();
    booted.systemctl(&["reload", "falcon-agent"]);
    let outcome = || fs::read_to_string(root.path("/var/lib/falcon-agent/reload.json")).ok();
    until("the outcome of a reload", state, || outcome().filter(|text| text.contains("default_tags")));

    let pid = booted.shows("MainPID");
    booted.run(&["kill", "-KILL", &pid]).success();
    let back = || (booted.shows("ActiveState") == "active" && booted.shows("MainPID") != pid).then_some(());
    until("it to come back", state, back);
    works(&server, listen, state);

    let pid = booted.shows("MainPID");
    booted.run(&["dpkg", "--install", &deb]).success();
    assert!(booted.shows("MainPID") != pid && booted.shows("ActiveState") == "active", "an upgrade restarts it");
    works(&server, listen, state);

    booted.systemctl(&["stop", "falcon-agent"]);
    assert_eq!((booted.shows("Result"), booted.shows("ExecMainStatus")), ("success".into(), "0".into()));
    booted.run(&["dpkg", "--install", &deb]).success();
    assert_eq!(booted.shows("ActiveState"), "inactive", "what an administrator stopped stays so");

    // Wrong, it is tried again and again, and runs as soon as it is right.
    fs::write(&file, "{").unwrap();
    booted.systemctl(&["start", "falcon-agent"]);
    until("a second try", state, || booted.shows("NRestarts").parse::<u32>().is_ok_and(|n| n >= 2).then_some(()));
    fs::write(&file, config(&server, listen).to_string()).unwrap();
    works(&server, listen, state);

    booted.run(&["dpkg", "--purge", "falcon-agent"]).success();
    assert_eq!(booted.run(&["systemctl", "is-active", "falcon-agent"]).out.trim(), "inactive");
    assert!(!root.has("/etc/systemd/system/multi-user.target.wants/falcon-agent.service"));
    booted.init.signal(Signal::KILL);
}
