//! `configure`, and `adopt` of an agent that runs and of one that does not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::process::{Process, run};
use crate::{call, empty, with_config};

const GO: &str = include_str!("../fixtures/config/linux-agent.json");

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON")
}

/// The official layout: where its root is, and what is in `config`.
struct Old {
    root: TempDir,
    text: String,
}

impl Old {
    fn new(hostname: &str) -> Old {
        let root = empty();
        let mut config: Value = serde_json::from_str(GO).expect("JSON");
        config["hostname"] = json!(hostname);
        config["plugin"] = json!({ "enabled": true, "dir": "./plugin", "logs": "logs" });
        let text = serde_json::to_string_pretty(&config).expect("JSON");
        for dir in ["agent/bin", "agent/config", "plugin"] {
            fs::create_dir_all(root.path().join(dir)).expect("a folder");
        }
        fs::write(root.path().join("agent/config/cfg.json"), &text).expect("a file");
        fs::write(root.path().join("open-falcon"), "").expect("a file");
        Old { root, text }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.root.path()).expect("it is there").join(name)
    }

    /// A program of its name that lasts, as its CLI starts it.
    fn start(&self) -> Process {
        let agent = self.path("agent/bin/falcon-agent");
        fs::copy("/bin/sleep", &agent).expect("a copy");
        let mut command = std::process::Command::new(&agent);
        command.arg("600").current_dir(self.path("")).env("FALCON_ENDPOINT", "web-01");
        Process::start(command)
    }
}

#[test]
fn a_running_agent_is_stopped_and_its_file_says_what_it_reported() {
    let (old, new) = (Old::new(""), empty());
    let mut running = old.start();
    let target = new.path().join("config").join("cfg.json");
    let [dir, file] = [old.root.path(), &target].map(|path| path.display().to_string());
    let said = call(new.path(), &["adopt", &dir, "-c", &file]).success();
    let pid = running.pid();
    crate::harness::until("its end", || said.clone(), || running.has_ended().then_some(()));
    let back = format!(
        "cd {} && FALCON_ENDPOINT=web-01 {} 600 &",
        old.path("").display().to_string().trim_end_matches('/'),
        old.path("agent/bin/falcon-agent").display()
    );
    for word in [
        "stopped",
        &pid.to_string(),
        "endpoint web-01",
        &file,
        "to start this agent: ",
        &format!("run -c {file}"),
        &back,
    ] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
    let mut expected: Value = serde_json::from_str(&old.text).expect("JSON");
    expected["hostname"] = json!("web-01");
    expected["plugin"]["dir"] = json!(old.path("plugin"));
    expected["plugin"]["logs"] = json!(old.path("logs"));
    assert_eq!(read(&target), expected);
    assert_eq!(fs::metadata(&target).expect("a file").mode() & 0o777, 0o640);
    // Nothing of the old one is changed.
    assert_eq!(fs::read_to_string(old.path("agent/config/cfg.json")).expect("a file"), old.text);
}

#[test]
fn adopting_twice_says_that_it_is_so_and_what_somebody_wrote_is_kept() {
    let (old, new) = (Old::new("db-01"), with_config(r#"{"hostname": "mine"}"#));
    let dir = old.path("agent").display().to_string();
    let adopt = || call(new.path(), &["adopt", "--keep-running", &dir, "-c", "cfg.json"]).success();
    let running = old.start();
    let said = adopt();
    assert!(said.contains("cfg.json.before-adopt") && said.contains("runs on, pid "), "{said}");
    assert_eq!(read(&new.path().join("cfg.json.before-adopt")), json!({ "hostname": "mine" }));
    assert_eq!(read(&new.path().join("cfg.json"))["hostname"], "db-01");
    let again = adopt();
    assert!(again.contains("is so already") && !again.contains("wrote"), "{again}");
    let names = fs::read_dir(new.path()).expect("a folder").count();
    assert_eq!(names, 2, "cfg.json and what was there");
    drop(running);
}

#[test]
fn what_cannot_be_adopted_changes_nothing() {
    let old = Old::new("x");
    let new = with_config("{}");
    let adopt = |dir: &Path, code: i32| {
        let ended = call(new.path(), &["adopt", &dir.display().to_string(), "-c", "cfg.json"]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{ended:?}");
        assert_eq!(fs::read_to_string(new.path().join("cfg.json")).expect("a file"), "{}");
        ended.err
    };
    let none = adopt(&old.path("plugin"), 1);
    for place in ["plugin/cfg.json", "plugin/config/cfg.json", "plugin/agent/config/cfg.json"] {
        assert!(none.contains(place), "{none}");
    }
    assert!(adopt(&old.path("open-falcon"), 1).contains("is not a directory"));
    fs::write(old.path("agent/config/cfg.json"), "{\n\"hostname\": 7}").expect("a file");
    let mut running = old.start();
    assert!(adopt(&old.path("agent"), 1).contains("cfg.json:2:"));
    assert!(!running.has_ended(), "it was stopped for a file that is wrong");
    assert_eq!(call(new.path(), &["adopt"]).code, Some(2));
}

/// `adopt DIR | head -1`: the old agent was stopped, and the first word to nobody ended it before anything was written.
#[test]
fn what_nobody_reads_is_done_all_the_same() {
    let (old, new) = (Old::new(""), empty());
    let mut running = old.start();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let dir = old.root.path().display().to_string();
    let mut done = crate::harness::process::program(new.path(), &["adopt", &dir, "-c", "cfg.json"]);
    done.stdout(writer);
    assert_eq!(done.status().expect("it starts").code(), Some(0));
    assert!(running.has_ended());
    assert_eq!(read(&new.path().join("cfg.json"))["hostname"], "web-01");
}

/// A second agent that came up again with its endpoint would be one too many.
#[test]
fn a_program_of_the_directory_that_is_no_agent_runs_on() {
    let (old, new) = (Old::new("x"), empty());
    let other = old.path("agent/bin/falcon-graph");
    fs::copy("/bin/sleep", &other).expect("a copy");
    let mut command = std::process::Command::new(&other);
    command.arg("600").current_dir(old.path(""));
    let mut other = Process::start(command);
    let said = call(new.path(), &["adopt", &old.path("").display().to_string(), "-c", "cfg.json"]).success();
    assert!(!said.contains("stopped") && !other.has_ended(), "{said}");
}

#[test]
fn a_host_is_given_its_servers_by_one_command() {
    let dir = empty();
    let configure = |args: &[&str]| call(dir.path(), &[&["configure", "-c", "etc/cfg.json"], args].concat());
    let file = dir.path().join("etc/cfg.json");
    let said = configure(&["--transfer", "a:8433,b", "--hbs=h", "--tags", "idc=bj", "--endpoint", ""]).success();
    assert!(said.contains("transfer.addrs, heartbeat.addrs, default_tags"), "{said}");
    let config = read(&file);
    assert_eq!(config["transfer"]["addrs"], json!(["a:8433", "b:8433"]));
    assert_eq!((&config["heartbeat"]["addrs"], &config["hostname"]), (&json!(["h:6030"]), &json!("")));
    assert_eq!(config["default_tags"], json!({ "idc": "bj" }));

    // Over a file that is there all else stays, its rights too.
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replacen('{', "{ // mine", 1)).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    configure(&["--interval", "30", "--listen", "127.0.0.1:1988"]).success();
    let changed = fs::read_to_string(&file).expect("a file");
    let expected = text.replacen('{', "{ // mine", 1).replace(
        "\"addrs\": [\"a:8433\", \"b:8433\"], \"interval\": 60",
        "\"addrs\": [\"a:8433\", \"b:8433\"], \"interval\": 30",
    );
    assert_eq!(changed, expected.replace("\":1988\"", "\"127.0.0.1:1988\""));
    assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o777, 0o600);
    assert!(configure(&["--interval", "30"]).success().contains("is so already"));
    assert!(configure(&["--interval", " "]).success().contains("no value is given"));

    // What a role says counts more, and is told.
    fs::create_dir(dir.path().join("etc/cfg.d")).expect("a folder");
    fs::write(dir.path().join("etc/cfg.d/role.json"), r#"{"hostname": "role"}"#).expect("a file");
    let said = configure(&["--endpoint", "mine"]).success();
    assert!(said.contains("hostname: a file of cfg.d says otherwise"), "{said}");
}

#[test]
fn values_that_make_no_configuration_change_nothing_and_are_named() {
    let dir = with_config("{}");
    for (args, code, why) in [
        (&["--transfer", "a:99999"][..], 1, "--transfer: "),
        (&["--transfer", "a:1", "--interval", "x"], 1, "--interval: "),
        (&["--tags", "x"], 1, "--tags: "),
        (&[], 2, "a value is missing"),
        (&["--colour", "red"], 2, "--colour"),
    ] {
        let ended = call(dir.path(), &[&["configure", "-c", "cfg.json"], args].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.err.contains(why), "{ended:?}");
        assert_eq!(fs::read_to_string(dir.path().join("cfg.json")).expect("a file"), "{}");
    }
    fs::write(dir.path().join("cfg.json"), "{\n7}").expect("a file");
    let ended = call(dir.path(), &["configure", "-c", "cfg.json", "--hbs", "h"]);
    assert!(ended.code == Some(1) && ended.err.contains("cfg.json:2:"), "{ended:?}");
}

/// Without the right to write there, exit code 5 says so, and the old agent runs on.
#[test]
fn without_the_rights_nothing_is_changed() {
    let (old, new) = (Old::new("x"), empty());
    // Nobody may write there, root neither.
    let target = Path::new("/proc/falcon/cfg.json");
    let mut running = old.start();
    let dir = old.path("agent").display().to_string();
    let ended = call(new.path(), &["adopt", &dir, "-c", &target.display().to_string()]);
    assert!(matches!(ended.code, Some(1 | 5)) && ended.err.contains("nothing was changed"), "{ended:?}");
    assert!(!running.has_ended(), "{ended:?}");
    // As a user to whom that directory is closed.
    let copy = new.path().join("falcon-agent");
    fs::copy(crate::harness::exe(), &copy).expect("a copy");
    fs::set_permissions(new.path(), fs::Permissions::from_mode(0o555)).expect("ours");
    let mut command = std::process::Command::new(&copy);
    command.args(["configure", "-c", "etc/cfg.json", "--hbs", "h"]).current_dir(new.path());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let closed = run(command);
    assert_eq!(closed.code, Some(5), "{closed:?}");
    assert!(closed.err.contains("sudo"), "{closed:?}");
    fs::set_permissions(new.path(), fs::Permissions::from_mode(0o755)).expect("ours");
}
