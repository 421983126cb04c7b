//! An agent with plugins, an hbs that binds them, and what became of each.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::harness::agent::{Agent, Home};
use crate::harness::items::Item;
use crate::harness::servers::{Hbs, Server};
use crate::harness::{is_windows, until};

/// On Linux all that the program of `interop/plugin` is on Windows.
const STUB: &str = include_str!("stub.sh");

pub struct Bed {
    pub transfer: Server,
    pub hbs: Hbs,
    pub home: Home,
    endpoint: &'static str,
}

/// The program of `interop/plugin`.
pub fn windows_stub() -> PathBuf {
    std::env::var_os("FALCON_TEST_PLUGIN").expect("FALCON_TEST_PLUGIN: `cargo xtask test` builds and sets it").into()
}

/// A file that may be run, put there whole, and changed at no second of those before.
pub fn place(file: &Path, write: impl FnOnce(&Path)) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let before = fs::metadata(file).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    // Elsewhere: what lies in its folder is looked at.
    let whole = tempfile::tempdir().expect("a folder");
    let fresh = whole.path().join("fresh");
    write(&fresh);
    fs::set_permissions(&fresh, Permissions::from_mode(0o755)).expect("its owner");
    let changed = SystemTime::now().max(before + Duration::from_secs(2));
    File::options().append(true).open(&fresh).and_then(|file| file.set_modified(changed)).expect("its owner");
    fs::rename(&fresh, file).expect("the same file system");
}

impl Bed {
    pub fn new(endpoint: &'static str) -> Bed {
        let bed = Bed { transfer: Server::good(), hbs: Hbs::start(), home: Home::new(), endpoint };
        fs::create_dir(bed.dir()).expect("a folder");
        bed
    }

    /// `plugin.dir`.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("plugin")
    }

    pub fn config(&self) -> Value {
        json!({
            "hostname": self.endpoint,
            "plugin": { "enabled": true },
            "heartbeat": { "enabled": true, "addr": [self.hbs.addr()], "interval": 1, "timeout": 500 },
            "transfer": { "enabled": true, "addrs": [self.transfer.addr], "interval": 1, "replay_delay": 0 },
        })
    }

    pub fn start(&self) -> Agent {
        Agent::start_in(&self.home, &self.config())
    }

    /// A plugin that does what the end of its name says; answers its path with the platform's ending.
    pub fn put(&self, path: &str) -> String {
        if !is_windows() {
            place(&self.dir().join(path), |file| fs::write(file, STUB).expect("a file"));
            return path.to_owned();
        }
        let path = format!("{path}.exe");
        place(&self.dir().join(&path), |file| _ = fs::copy(windows_stub(), file).expect("a copy"));
        path
    }

    /// A script of the platform with these lines.
    fn script(&self, path: &str, sh: &str, batch: &str) -> String {
        let (path, text) = match is_windows() {
            true => (format!("{path}.bat"), format!("@echo off\r\n{batch}\r\n")),
            false => (format!("{path}.sh"), format!("#!/bin/sh\n{sh}\n")),
        };
        place(&self.dir().join(&path), |file| fs::write(file, text).expect("a file"));
        path
    }

    /// One that prints a point of this metric.
    pub fn prints(&self, path: &str, metric: &str) -> String {
        let sh = format!(
            "echo '[{{\"endpoint\":\"'\"$FALCON_ENDPOINT\"'\",\"metric\":\"{metric}\",\"timestamp\":0,\"step\":1,\"value\":1,\
             \"counterType\":\"GAUGE\",\"tags\":\"\"}}]'"
        );
        let batch = format!(
            "echo [{{\"endpoint\":\"%FALCON_ENDPOINT%\",\"metric\":\"{metric}\",\"timestamp\":0,\"step\":1,\"value\":1,\
             \"counterType\":\"GAUGE\",\"tags\":\"\"}}]"
        );
        self.script(path, &sh, &batch)
    }

    /// One that runs until it is ended.
    pub fn hangs(&self, path: &str) -> String {
        if is_windows() {
            // What the batch file starts lies beside it, and is no plugin by its name.
            let beside = self.dir().join(path).with_file_name("hang.exe");
            place(&beside, |file| _ = fs::copy(windows_stub(), file).expect("a copy"));
        }
        self.script(path, "sleep 1000", "\"%~dp0hang.exe\"")
    }

    /// Points of this host with this metric, in the order of their arrival.
    pub fn items(&self, metric: &str) -> Vec<Item> {
        let mut items = self.transfer.items();
        items.retain(|item| item.metric == metric && item.endpoint == self.endpoint);
        items
    }

    pub fn wait_for(&self, agent: &Agent, metric: &str) {
        agent.wait(metric, || (!self.items(metric).is_empty()).then_some(()));
    }

    /// The arguments that a plugin, or what runs it, was given at a run of which all has arrived: the one before the last.
    pub fn arguments(&self, agent: &Agent, by: &str) -> Vec<String> {
        agent.wait(&format!("two runs of {by}"), || {
            let mut runs: Vec<Vec<String>> = Vec::new();
            for item in self.items("argument") {
                let Some(rest) = item.tags.strip_prefix(&format!("by={by}")) else { continue };
                match rest {
                    "" => runs.push(Vec::new()),
                    rest => runs.last_mut()?.push(decoded(rest.strip_prefix(",text=")?)),
                }
            }
            runs.pop()?;
            runs.pop()
        })
    }

    /// What became of processes that plugins of this bed have started; none of the agent's own.
    pub fn processes(&self) -> Vec<String> {
        let endpoint = format!("FALCON_ENDPOINT={}", self.endpoint);
        let home = self.home.path().file_name().expect("a name").to_string_lossy().into_owned();
        let look = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.parse::<u32>().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let is_ours = match is_windows() {
                // Of Wine's processes this alone is seen.
                true => line.contains(&home) && line.contains("plugin"),
                false => {
                    let environment = fs::read(entry.path().join("environ")).ok()?;
                    environment.split(|byte| *byte == 0).any(|variable| variable == endpoint.as_bytes())
                }
            };
            (is_ours && !line.is_empty()).then_some(line)
        };
        fs::read_dir("/proc").expect("proc(5)").flatten().filter_map(look).collect()
    }

    pub fn wait_for_no_process(&self) {
        until("no process", || format!("{:#?}", self.processes()), || self.processes().is_empty().then_some(()));
    }
}

fn decoded(hex: &str) -> String {
    let digits: Vec<u8> =
        hex.bytes().map(|b| u8::try_from(char::from(b).to_digit(16).expect("hex")).unwrap()).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8(bytes).expect("UTF-8")
}

/// What `/plugins` has under a key.
pub fn shown(agent: &Agent, key: &str) -> Option<Value> {
    let all = agent.get("/plugins").json();
    all["data"].get(key).cloned()
}

/// Waits until what `/plugins` has under a key is so.
pub fn wait_until(agent: &Agent, key: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let what = format!("{key} to be as expected");
    until(
        &what,
        || format!("{:#}\n{}", agent.get("/plugins").json(), agent.state()),
        || shown(agent, key).filter(|shown| is_so(shown)),
    )
}

/// Waits until it has run.
pub fn has_run(agent: &Agent, key: &str) -> Value {
    wait_until(agent, key, |shown| shown["runs"].as_u64() > Some(0))
}
