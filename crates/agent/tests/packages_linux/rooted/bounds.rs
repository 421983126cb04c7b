//! Inside the unit's bounds the agent measures what it measures without them: the mounts that systemd makes for it, its
//! capabilities and `no_new_privs`, made by hand. What only seccomp does (address families, real time, name spaces) is not.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Child, Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::unit::values;
use crate::harness::exe;
use crate::harness::process::run;
use crate::plain;

const NOBODY: u32 = 65534;

/// As ProtectSystem=full, ProtectHome=read-only, ProtectKernelTunables and ProtectControlGroups have them (systemd.exec(5), and
/// namespace.c of systemd 252): each a mount of what is there, read-only from then on.
const MOUNTS: &str = r#"
for dir in /usr /boot /efi /etc /home /root /run/user /proc/sys /proc/fs /proc/irq /proc/bus /sys /sys/fs/cgroup; do
    [ -d "$dir" ] || continue
    mount --rbind "$dir" "$dir" && mount -o remount,bind,ro "$dir" || exit 99
done
! touch /usr/falcon-agent-test /etc/falcon-agent-test /root/falcon-agent-test 2>/dev/null || exit 98
exec "$@"
"#;

/// A user's process, and a directory that only he may read.
struct Others {
    sleep: Child,
    dir: TempDir,
}

impl Others {
    fn new() -> Others {
        let mut sleep = Command::new("setpriv");
        sleep.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "600"]);
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("file"), vec![1; 70_000]).unwrap();
        chown(&closed, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        Others { sleep: sleep.spawn().unwrap(), dir }
    }

    fn config(&self) -> Value {
        json!({
            "hostname": "packages",
            "heartbeat": { "enabled": false },
            "transfer": { "enabled": false },
            "collector": { "process": ["sleep"], "mountPoint": [] },
            "checks": {
                "directories": [self.dir.path().join("closed")],
                "processes": [{ "name": "sleep" }],
                "ping": ["127.0.0.1"],
            },
        })
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.sleep.kill();
        let _ = self.sleep.wait();
    }
}

fn collected(command: &mut Command, config: &std::path::Path) -> Vec<Value> {
    let mut command = std::mem::replace(command, plain("true"));
    command.arg(exe()).args(["collect", "--format", "json", "-c"]).arg(config);
    let text = run(command).success();
    serde_json::from_str(&text).expect("an array of points")
}

/// Metric and tags of each.
fn series(points: &[Value]) -> BTreeSet<(String, String)> {
    let text = |point: &Value, key: &str| point[key].as_str().unwrap_or_default().to_owned();
    points.iter().map(|point| (text(point, "metric"), text(point, "tags"))).collect()
}

/// The capabilities of the unit in the words of setpriv(1).
fn bounding_set() -> String {
    let all = values("CapabilityBoundingSet").join(" ").to_lowercase();
    let kept = all.split(' ').map(|name| name.replace("cap_", ",+"));
    "-all".to_owned() + &kept.collect::<String>()
}

#[test]
fn the_agent_measures_the_same_inside_the_bounds_of_the_unit() {
    let others = Others::new();
    let config = others.dir.path().join("cfg.json");
    fs::write(&config, others.config().to_string()).unwrap();
    let free = collected(plain("env").arg("--"), &config);
    let mut bound = plain("unshare");
    let bounding = format!("--bounding-set={}", bounding_set());
    bound.args(["--mount", "sh", "-c", MOUNTS, "sh", "setpriv", "--no-new-privs", &bounding]);
    let bound = collected(&mut bound, &config);
    let (free_series, bound_series) = (series(&free), series(&bound));
    let lost: Vec<_> = free_series.difference(&bound_series).collect();
    let more: Vec<_> = bound_series.difference(&free_series).collect();
    assert!(lost.is_empty() && more.is_empty(), "lost: {lost:?}\nmore: {more:?}");
    let has = |metric: &str| bound.iter().find(|point| point["metric"] == metric).unwrap_or_else(|| panic!("{metric}"));
    assert!(has("du.bs")["value"].as_f64().unwrap() >= 70_000.0, "a directory that is closed to others");
    assert!(has("proc.num")["value"].as_f64().unwrap() >= 1.0);
    assert_eq!(has("ping.loss")["value"].as_f64(), Some(0.0));
    let sizes = |points: &[Value]| -> BTreeSet<String> {
        let totals = points.iter().filter(|point| point["metric"] == "df.bytes.total");
        totals.map(|point| format!("{} {}", point["tags"], point["value"])).collect()
    };
    assert_eq!(sizes(&free), sizes(&bound), "the host's file systems, each once");
}
