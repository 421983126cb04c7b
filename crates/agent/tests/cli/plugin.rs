//! `plugin run`: one plugin in the foreground.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::items::Item;
use crate::harness::process::{Process, program};
use crate::harness::until;
use crate::{call, with_config};

const POINTS: &str = r##"
cat <<END
[{"endpoint":"$FALCON_ENDPOINT","metric":"m","timestamp":$(($(date +%s) + 3600)),"step":$FALCON_STEP,"value":1,"counterType":"GAUGE","tags":"a=$1"},
 {"endpoint":"other","metric":"n","timestamp":0,"step":5,"value":2.5,"counterType":"COUNTER","tags":""},
 {"endpoint":"h","metric":"odd","timestamp":0,"step":60,"value":1,"counterType":"SUM","tags":""}]
END
"##;

fn put(dir: &Path, path: &str, lines: &str) {
    let file = dir.join("plugin").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
}

/// With `default_tags`, and with plugins off, for they are tried before they are switched on.
fn bed() -> TempDir {
    let dir = with_config(r#"{"hostname":"h","default_tags":{"idc":"bj"}}"#);
    put(dir.path(), "os/60_points.sh", POINTS);
    dir
}

#[test]
fn a_plugin_is_run_and_what_would_be_sent_is_shown() {
    let dir = bed();
    let ended = call(dir.path(), &["plugin", "run", "os/60_points.sh", "first"]);
    for part in [
        "60_points.sh\" \"first\"",
        "as a plugin with a cycle of 60 s, which may run for 59500 ms",
        "exit code 0 after ",
        "item 2 would not be sent: counterType is not GAUGE, COUNTER or DERIVE",
        "items of another endpoint than h: 1, the first of other",
        "items of a step below 30 s, which transfers raise to 30 s, losing points: 1",
        "items with a timestamp more than a minute ahead: 1",
    ] {
        assert!(ended.err.contains(part), "{part} is missing in:\n{}", ended.err);
    }
    let out = ended.success();
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["METRIC", "TAGS", "VALUE", "TYPE"],
            vec!["m", "a=first,idc=bj", "1", "GAUGE"],
            vec!["n", "idc=bj", "2.5", "COUNTER"]
        ]
    );
}

#[test]
fn json_is_the_array_that_a_transfer_would_get_from_a_plugin() {
    let dir = bed();
    let inside = dir.path().join("plugin/os/60_points.sh");
    let inside = inside.to_str().unwrap();
    let ways: [&[&str]; 5] = [
        &["os/60_points.sh", "a"],
        &["os/60_points.sh(a)"],
        &["plugin/os/60_points.sh", "a"],
        &["./plugin/../plugin/os/60_points.sh", "--", "a"],
        &[inside, "a"],
    ];
    for way in ways {
        let out = call(dir.path(), &[&["plugin", "run", "--format", "json"], way].concat()).success();
        let items = Item::parse_all(&serde_json::from_str::<Value>(&out).unwrap());
        let of: Vec<_> = items.iter().map(|item| (item.endpoint.as_str(), item.metric.as_str(), item.step)).collect();
        assert_eq!(of, [("h", "m", 60), ("other", "n", 5)], "{way:?}");
        assert_eq!(items[0].tags, "a=a,idc=bj", "{way:?}");
    }
}

/// The options of the agent's own, too, behind the path.
#[test]
fn arguments_are_the_plugins_as_they_are() {
    let dir = bed();
    put(dir.path(), "60_args.sh", "printf '%s|' \"$@\" >&2; exit 1");
    let given = ["-v", "-c", "a b", "", "$HOME", "x,y", "--format", "--help"];
    let ended = call(dir.path(), &[&["plugin", "run", "60_args.sh"][..], &given].concat());
    assert!(ended.err.contains(&format!("  {}|\n", given.join("|"))), "{}", ended.err);
    assert_eq!(ended.code, Some(1));
    // A file of root's would stand where the agent's user is to write.
    assert!(!dir.path().join("logs").exists());
}

#[test]
fn what_would_not_be_sent_ends_with_one_and_a_line_that_says_why() {
    let dir = bed();
    put(dir.path(), "60_empty.sh", "");
    put(dir.path(), "60_none.sh", "echo '[]'");
    put(dir.path(), "60_text.sh", "echo hello");
    put(dir.path(), "60_fails.sh", "echo '[]'; exit 3");
    put(dir.path(), "1_late.sh", "sleep 1000");
    put(dir.path(), "60_mode.sh", "echo '[]'");
    fs::set_permissions(dir.path().join("plugin/60_mode.sh"), Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.path().join("60_outside.sh"), "#!/bin/sh\n").unwrap();
    let outside = dir.path().join("60_outside.sh").display().to_string();
    for (path, why) in [
        ("60_empty.sh", "plugin 60_empty.sh: it printed nothing"),
        ("60_none.sh", "plugin 60_none.sh: nothing of what it printed would be sent"),
        ("60_text.sh", "plugin 60_text.sh: "),
        ("60_fails.sh", "exited with code 3 and said nothing on standard error"),
        ("1_late.sh", "still ran after 0.5 s"),
        ("60_mode.sh", "plugin 60_mode.sh: is not executable: chmod +x it"),
        ("60_absent.sh", "plugin 60_absent.sh: is not there"),
        ("os", "plugin os: is a directory"),
        ("../60_outside.sh", "has a .. in its path"),
        (&outside, "does not lie in plugin.dir"),
    ] {
        let ended = call(dir.path(), &["plugin", "run", path]);
        assert_eq!((ended.code, ended.out.lines().count() > 1), (Some(1), false), "{path}: {}", ended.err);
        let last = ended.err.lines().last().unwrap();
        assert!(last.starts_with("falcon-agent: ") && last.contains(why), "{path}: {}", ended.err);
    }
    let twice = call(dir.path(), &["plugin", "run", "os/60_points.sh(a)", "b"]);
    assert!(twice.code == Some(1) && twice.err.contains("give them in one way"), "{}", twice.err);
}

/// hbs's binding would not run it, and one wants to know what it does all the same.
#[test]
fn a_file_without_a_number_is_run_and_told() {
    let dir = bed();
    fs::rename(dir.path().join("plugin/os/60_points.sh"), dir.path().join("plugin/os/points.sh")).unwrap();
    let ended = call(dir.path(), &["plugin", "run", "os/points.sh"]);
    assert!(ended.err.starts_with("os/points.sh: its name does not begin with the seconds"), "{}", ended.err);
    assert!(ended.success().contains("METRIC"));
}

#[test]
fn nothing_is_run_from_a_directory_that_others_may_write_to() {
    let dir = bed();
    fs::set_permissions(dir.path().join("plugin"), Permissions::from_mode(0o777)).unwrap();
    let ended = call(dir.path(), &["plugin", "run", "os/60_points.sh"]);
    assert!(ended.code == Some(1) && ended.err.contains("can be changed by everybody"), "{}", ended.err);
    assert!(!ended.err.contains("exit code"), "{}", ended.err);
}

#[test]
fn a_signal_ends_it_with_all_that_it_has_started() {
    let dir = bed();
    let pids = dir.path().join("pids");
    let shown = pids.display();
    put(dir.path(), "60_tree.sh", &format!("sleep 1000 & echo $! $$ >{shown}.new; mv {shown}.new {shown}; wait"));
    let process = Process::start(program(dir.path(), &["plugin", "run", "60_tree.sh"]));
    let text = until("its processes", || process.err(), || fs::read_to_string(&pids).ok());
    process.signal(Signal::INT);
    let ended = process.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("SIGINT: it is ended"), "{}", ended.err);
    for pid in text.split_whitespace() {
        // One that has ended may wait for its parent.
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        until("its end", state, || (state().is_empty() || state().contains(") Z ")).then_some(()));
    }
}

#[test]
fn the_examples_run() {
    let dir = bed();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins/os/60_file_age.sh");
    put(dir.path(), "os/60_file_age.sh", "");
    fs::copy(examples, dir.path().join("plugin/os/60_file_age.sh")).unwrap();
    let ended = call(dir.path(), &["plugin", "run", "--format", "json", "os/60_file_age.sh", "cfg.json", "a,b\"c"]);
    let items: Value = serde_json::from_str(&ended.success()).unwrap();
    let of: Vec<_> = items.as_array().unwrap().iter().map(|item| (&item["metric"], &item["tags"])).collect();
    assert_eq!(
        of,
        [
            (&json!("file.exists"), &json!("path=cfg.json,idc=bj")),
            (&json!("file.age"), &json!("path=cfg.json,idc=bj")),
            (&json!("file.size"), &json!("path=cfg.json,idc=bj")),
            (&json!("file.exists"), &json!("path=a_b_c,idc=bj"))
        ]
    );
}
