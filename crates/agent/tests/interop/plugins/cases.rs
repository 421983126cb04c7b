//! What plugins do amiss: each case costs itself, and `/plugins` says why.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use super::bed::{Bed, has_run, shown, wait_until};
use crate::harness::agent::Agent;
use crate::harness::is_windows;

/// One plugin that does what its name says, run every three seconds.
struct Case {
    name: &'static str,
    /// In `last_error`; empty: there is none.
    error: &'static str,
    /// The metric that arrives; empty: none of it does.
    metric: &'static str,
}

const fn case(name: &'static str, error: &'static str, metric: &'static str) -> Case {
    Case { name, error, metric }
}

const CASES: [Case; 11] = [
    case("hang", "still ran after 2.5 s", ""),
    case("tree", "held its output open for 2.5 s", ""),
    case("leave", "", "started"),
    case("flood", "printed more than 4 MB", ""),
    case("binary", "NUL", ""),
    case("gbk", "", "gbk"),
    case("mark", "", "mark"),
    case("wide", "", "wide"),
    case("fail", "exit code 1", "fail"),
    case("silent", "code 1", ""),
    case("own", "", "own"),
];

#[test]
fn each_that_means_it_no_good_costs_itself_alone() {
    let bed = Bed::new("cases");
    let files: Vec<String> = CASES.iter().map(|case| bed.put(&format!("x/3_{}", case.name))).collect();
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    for (case, file) in CASES.iter().zip(&files) {
        // More than one run: what one has left must not stand in the way of the next.
        let shown = wait_until(&agent, file, |shown| shown["runs"].as_u64() > Some(1));
        let error = shown["last_error"].as_str().unwrap_or_default();
        assert_eq!(error.is_empty(), case.error.is_empty(), "{}: {shown:#}", case.name);
        assert!(error.contains(case.error), "{}: {shown:#}", case.name);
        if !case.metric.is_empty() {
            bed.wait_for(&agent, case.metric);
            assert_eq!(shown["items"], json!(1), "{}: {shown:#}", case.name);
        }
    }
    // Each of them had printed a point before, or would have after.
    for metric in ["hang", "flood", "binary", "silent"] {
        assert!(bed.items(metric).is_empty(), "{metric}");
    }
    let fail = shown(&agent, &files[8]).unwrap();
    assert_eq!((&fail["exit"], fail["stderr"].as_str().unwrap().trim_end()), (&json!(1), "the disk is on fire"));
    let log = bed.home.path().join(format!("logs/{}().stderr.log", files[8]));
    assert_eq!(fs::read_to_string(&log).unwrap().trim_end(), "the disk is on fire", "{}", log.display());
    assert!(bed.dir().join("x/written").exists());
    assert_eq!(agent.lines(" U010 ").iter().filter(|line| line.contains("3_hang")).count(), 1, "{}", agent.state());
    agent.assert_healthy();
    bed.hbs.runs(&[]);
    agent.wait("nothing bound", || (agent.get("/plugins").json()["data"] == json!({})).then_some(()));
    // Those that children of children have outlived among them.
    bed.wait_for_no_process();
    assert_eq!(agent.terminate().code, Some(0));
}

/// Waits until a key is left out, for this.
fn left(agent: &Agent, key: &str, why: &str) -> Value {
    let shown = wait_until(agent, key, |shown| shown["state"] == "left");
    assert!(shown["reason"].as_str().unwrap().contains(why), "{key}: {shown}");
    shown
}

#[test]
fn what_hbs_says_leads_to_no_file_outside_and_each_that_does_not_run_says_why() {
    let bed = Bed::new("confined");
    let good = bed.put("x/1_args");
    // By a copy of it, should a path lead there.
    let outside = bed.home.path().join("1_outside");
    fs::copy(bed.dir().join(&good), &outside).unwrap();
    let no_number = bed.put("x/readme");
    let zero = bed.put("x/0_zero");
    let endless = bed.put("x/99999_long");
    let device = if is_windows() { "x/nul" } else { "x/NUL.txt" };
    let mut bindings = vec!["x", r"..\1_outside", "x/../../1_outside", "C:1_outside", r"\\server\share\1_x"];
    bindings.extend(["//server/share/1_x", "x/1_args:stream", "x./1_args", device, "nowhere", "x/1_none.sh(a)"]);
    symlink(&outside, bed.dir().join("x/1_link")).unwrap();
    symlink(bed.home.path(), bed.dir().join("home")).unwrap();
    if !is_windows() {
        bindings.push("home/1_outside");
    }
    bed.hbs.runs(&bindings);
    let agent = bed.start();
    let run = has_run(&agent, &good);
    for member in ["FilePath", "MTime", "Cycle", "Args"] {
        assert!(!run[member].is_null(), "{run:#}");
    }
    for (key, why) in [
        (r"..\1_outside", ".."),
        ("x/../../1_outside", ".."),
        ("C:1_outside", "has a : in its path"),
        (r"\\server\share\1_x", "is a path from the root"),
        ("//server/share/1_x", "is a path from the root"),
        ("x/1_args:stream", "has a : in its path"),
        ("x./1_args", "ends in a dot"),
        (device, "device"),
        ("nowhere", "is not there"),
        ("x/1_none.sh(a)", "is not there"),
        (&no_number, "its name does not begin with the seconds"),
        (&zero, "a cycle of 0 s is none"),
        (&endless, "a cycle of 99999 s is none"),
    ] {
        left(&agent, key, why);
    }
    if !is_windows() {
        // Wine follows links of Linux without showing them.
        left(&agent, "x/1_link", "leads out of plugin.dir");
        left(&agent, "home/1_outside", "leads out of plugin.dir");
    }
    assert!(bed.items("argument").iter().all(|item| item.tags.starts_with("by=args")), "{:#?}", bed.items("argument"));
    assert_eq!(agent.terminate().code, Some(0));
}

/// Nothing between hbs and the program takes them for anything but what they are.
#[test]
fn arguments_arrive_as_they_are_written() {
    let bed = Bed::new("arguments");
    let file = bed.put("x/1_args");
    let written = r#"a "b" c,& calc.exe,%PATH%,$HOME `id`,,x^y|z>w,C:\a b\,it's,中文,--flag=1"#;
    bed.hbs.runs(&[&format!("{file}({written})")]);
    let agent = bed.start();
    let expected =
        [r#"a "b" c"#, "& calc.exe", "%PATH%", "$HOME `id`", "", "x^y|z>w", r"C:\a b,it's", "中文", "--flag=1"];
    assert_eq!(bed.arguments(&agent, "args"), expected);
    let shown = shown(&agent, &format!("{file}({written})")).unwrap();
    assert_eq!((&shown["Args"], &shown["FilePath"], &shown["Cycle"]), (&json!(written), &json!(file), &json!(1)));
    assert_eq!(agent.terminate().code, Some(0));
}

/// A file without the right to be run ended the Go agent. Windows has no such right.
#[test]
fn what_linux_cannot_run_says_what_is_missing() {
    if is_windows() {
        return;
    }
    let bed = Bed::new("rights");
    let file = |name: &str, text: &str, mode: u32| {
        let path = bed.dir().join("x").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        format!("x/{name}")
    };
    let cases = [
        (file("1_mode.sh", "#!/bin/sh\necho '[]'\n", 0o644), "is not executable: chmod +x it"),
        (file("1_crlf.sh", "#!/bin/sh\r\necho '[]'\r\n", 0o755), "has the line ends of Windows"),
        (file("1_gone.py", "#!/opt/none/python\nprint('[]')\n", 0o755), "/opt/none/python"),
        (file("1_none.sh", "echo '[]'\n", 0o755), "first line that names its interpreter"),
        (file("1_open.sh", "#!/bin/sh\necho '[]'\n", 0o777), "can be changed by everybody"),
    ];
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    for (file, why) in &cases {
        let shown = wait_until(&agent, file, |shown| shown["runs"].as_u64() > Some(0) || shown["state"] == "left");
        let said = format!("{}{}", shown["last_error"].as_str().unwrap_or_default(), shown["reason"]);
        assert!(said.contains(why), "{file}: {shown:#}");
    }
    assert_eq!(agent.terminate().code, Some(0));
}
