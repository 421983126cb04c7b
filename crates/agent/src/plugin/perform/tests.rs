//! Plugins are files of a shell on Linux and batch files on Windows.

use super::*;
use crate::model::Platform;
use std::fs;
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

mod ends;

/// Far more than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what ends at its deadline.
const SHORT: Duration = Duration::from_secs(4);

const POINT: &str =
    r#"{"endpoint":"h","metric":"m","value":1,"step":60,"counterType":"GAUGE","tags":"","timestamp":5}"#;

fn is_linux() -> bool {
    Platform::CURRENT == Platform::Linux
}

struct Bed {
    dir: TempDir,
    settings: Settings,
    plugin: Plugin,
    stop: Stop,
}

impl Bed {
    /// One plugin with this text.
    fn new(linux: &str, windows: &str) -> Bed {
        let (name, text) = if is_linux() {
            ("sys/60_x.sh", format!("#!/bin/sh\n{linux}\n"))
        } else {
            ("sys/60_x.bat", format!("@echo off\r\n{}\r\n", windows.replace('\n', "\r\n")))
        };
        let dir = tempfile::tempdir().unwrap();
        let plugins = dir.path().join("plugin");
        fs::create_dir_all(plugins.join("sys")).unwrap();
        let file = plugins.join(name);
        if is_linux() {
            // It is written with the rights of the file that was there.
            fs::copy("/bin/sh", &file).unwrap();
        }
        fs::write(&file, text).unwrap();
        let settings = Settings {
            dir: plugins,
            logs: dir.path().join("logs"),
            cwd: dir.path().to_owned(),
            at_once: 1,
            memory_bytes: None,
        };
        let plugin = Plugin {
            key: format!("{name}()"),
            path: name.to_owned(),
            args: Vec::new(),
            written_args: String::new(),
            cycle_s: 60,
            mtime_s: 0,
        };
        Bed { dir, settings, plugin, stop: Stop::default() }
    }

    fn run(&self) -> Performed {
        self.run_for(PATIENCE)
    }

    fn run_for(&self, time: Duration) -> Performed {
        let terms = Terms { endpoint: "host-1".into(), default_tags: 0 };
        perform_within(&self.plugin, &self.settings, &terms, &self.stop, time, true, &|_| true)
    }

    fn file(&self) -> PathBuf {
        self.settings.dir.join(&self.plugin.path)
    }

    /// What the plugin wrote where it runs.
    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.dir.path().join(name)).ok().filter(|text| text.ends_with('\n'))
    }

    /// What it said last, as it is kept.
    fn said(&self) -> Option<String> {
        fs::read_to_string(self.settings.logs.join(format!("{}().stderr.log", self.plugin.path))).ok()
    }

    /// One that starts another process, and goes on with this once that runs.
    fn with_child(linux: &str, windows: &str) -> Bed {
        // The child has a child of its own that has a file open.
        let started =
            "if \"%1\"==\"again\" goto again\nstart /b cmd /c \"%~f0\" again\n:wait\nif not exist held goto wait";
        let child = ":again\ncmd /c \"for /l %%i in (1,0,2) do @rem\" >held";
        Bed::new(
            &format!("sleep 600 >&- 2>&- & echo $! > child\n{linux}"),
            &format!("{started}\n{windows}\ngoto :eof\n{child}"),
        )
    }

    fn child_lives(&self) -> bool {
        if is_linux() {
            let pid = self.read("child").unwrap().trim().parse().unwrap();
            return falcon_sys::image_path(pid).is_ok();
        }
        let held = self.dir.path().join("held");
        // What is open is not removed.
        let _ = fs::remove_file(&held);
        held.exists()
    }
}

fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn samples(performed: &Performed) -> usize {
    performed.batch.as_ref().unwrap().as_ref().map_or(0, |batch| batch.samples.len())
}

fn why(performed: Performed) -> String {
    performed.batch.unwrap_err()
}

#[test]
fn what_a_plugin_prints_is_what_is_sent_and_it_is_told_of_the_host() {
    let bed = Bed::new(
        r#"printf '[{"endpoint":"%s","metric":"m","value":1,"step":%s,"counterType":"GAUGE","tags":"","timestamp":5}]\n' "$FALCON_ENDPOINT" "$FALCON_STEP"; pwd > here"#,
        r#"echo [{"endpoint":"%FALCON_ENDPOINT%","metric":"m","value":1,"step":%FALCON_STEP%,"counterType":"GAUGE","tags":"","timestamp":5}]
echo x > here"#,
    );
    let performed = bed.run();
    assert_eq!((&performed.end, &performed.stderr, &performed.remark), (&End::Exited(0), &String::new(), &None));
    assert!(performed.began_s > 1_600_000_000);
    let batch = performed.batch.unwrap().unwrap();
    assert_eq!((batch.samples[0].endpoint.as_deref(), batch.samples[0].step), (Some("host-1"), 60));
    assert!(bed.read("here").is_some());
    assert!(!bed.settings.logs.exists());
}

#[test]
fn who_prints_nothing_sends_nothing_and_has_not_failed() {
    let performed = Bed::new(":", "rem").run();
    assert!(performed.end == End::Exited(0) && performed.batch.unwrap().is_none());
}

#[test]
fn a_failure_with_nothing_on_standard_error_sends_nothing() {
    let performed = Bed::new(&format!("echo '[{POINT}]'; exit 3"), &format!("echo [{POINT}]\nexit /b 3")).run();
    assert_eq!(performed.end, End::Exited(3));
    assert!(why(performed).starts_with("exited with code 3 and said nothing on standard error"));
}

/// The Go agent forgets the exit code where there is something on standard error, and plugins in the field rely on it.
#[test]
fn a_failure_that_says_what_is_wrong_sends_what_it_printed_and_is_kept() {
    let bed = Bed::new(
        &format!("echo '[{POINT}]'; echo disk >&2; exit 1"),
        &format!("echo [{POINT}]\necho disk>&2\nexit /b 1"),
    );
    let performed = bed.run();
    assert_eq!((&performed.end, samples(&performed)), (&End::Exited(1), 1));
    assert_eq!(performed.stderr.trim_end(), "disk");
    assert_eq!(bed.said().unwrap().trim_end(), "disk");
    // Written anew each time.
    bed.run();
    assert_eq!(bed.said().unwrap().trim_end(), "disk");
}

#[test]
fn of_an_endless_standard_error_the_beginning_is_kept() {
    let line = "x".repeat(1000);
    let bed = Bed::new(
        &format!("yes | head -c 1000000 >&2; echo '[{POINT}]'"),
        &format!("for /l %%i in (1,1,1000) do echo {line}>&2\necho [{POINT}]"),
    );
    let performed = bed.run();
    assert_eq!((&performed.end, samples(&performed)), (&End::Exited(0), 1));
    assert_eq!(performed.stderr.len(), MOST_TOLD);
    let log = bed.said().unwrap();
    assert!(log.len() < MOST_STDERR + 100 && log.ends_with(" bytes more\n"), "{}", log.len());
}

#[test]
fn arguments_arrive_as_they_are() {
    let args = ["a b", "", "$(id)", "`id`;x", "%PATH%", "x&y", "'q'", "*", "-n", "中文", "^|<>"];
    let mut bed = Bed::new(
        "for arg in \"$@\"; do printf '%s\\n' \"$arg\"; done > args",
        "set FALCON_STEP=seen\n:next\nif \"%~1\"==\"end\" goto :eof\n>>args echo %1\nshift\ngoto next",
    );
    if is_linux() {
        bed.plugin.args =
            args.iter().map(|arg| (*arg).to_owned()).chain(["a\"b".to_owned(), "a\nb".to_owned()]).collect();
        let performed = bed.run();
        assert!(performed.batch.unwrap().is_none());
        assert_eq!(bed.read("args").unwrap(), format!("{}\na\"b\na\nb\n", args.join("\n")));
        return;
    }
    // A batch file sees the quotes that keep an argument together.
    bed.plugin.args = ["a b", "x&y", "c,d", "%FALCON_STEP%", "end"].map(str::to_owned).to_vec();
    bed.run().batch.unwrap();
    let args = bed.read("args").unwrap();
    let rest = args.strip_prefix("\"a b\"\r\n\"x&y\"\r\n\"c,d\"\r\n").unwrap();
    // It came as it is. Wine's batch files read what they put in for %1 once more; before them it would be 60.
    assert!(matches!(rest, "\"%FALCON_STEP%\"\r\n" | "\"seen\"\r\n"), "{rest}");
}

#[test]
fn no_batch_file_gets_what_a_shell_would_read() {
    let mut bed = Bed::new("echo '[]'", "echo []");
    bed.plugin.args = vec!["a\nb".to_owned()];
    let performed = bed.run();
    if is_linux() {
        assert_eq!(samples(&performed), 0);
        return;
    }
    assert!(matches!(performed.end, End::NotStarted(_)));
    assert!(why(performed).starts_with("has an argument that no batch file can be given"));
}

#[test]
fn a_plugin_may_write_beside_itself_and_remove_itself() {
    let bed = Bed::new(
        &format!("echo x > \"$(dirname \"$0\")/state\"; rm \"$0\"; echo '[{POINT}]'"),
        &format!("echo x > \"%~dp0state\"\necho [{POINT}] & del \"%~f0\""),
    );
    assert_eq!(samples(&bed.run()), 1);
    assert!(bed.file().with_file_name("state").exists() && !bed.file().exists());
    let performed = bed.run();
    assert_eq!(performed.end, End::NotStarted("is not there".to_owned()));
    assert_eq!(why(performed), "is not there");
}

/// Without it names in Chinese were question marks.
#[test]
fn the_code_page_of_windows_is_read() {
    let bed = Bed::new("", "");
    let mut text = fs::read(bed.file()).unwrap();
    let point = POINT.replace("\"h\"", "\"h?\"");
    let line = if is_linux() { format!("echo '[{point}]'\n") } else { format!("echo [{point}]\r\n") };
    text.extend(line.bytes().map(|byte| if byte == b'?' { 0x82 } else { byte }));
    fs::write(bed.file(), text).unwrap();
    let batch = bed.run().batch.unwrap().unwrap();
    let endpoint = batch.samples[0].endpoint.as_deref().unwrap();
    assert_eq!(endpoint.ends_with('\u{FFFD}'), falcon_sys::oem_text(&[0x82]).is_none(), "{endpoint}");
}

#[test]
fn a_damaged_program_says_so() {
    let mut bed = Bed::new("", "");
    let damaged = "sys/60_y.exe";
    let file = bed.settings.dir.join(damaged);
    fs::copy(bed.file(), &file).unwrap();
    fs::write(&file, "MZ and no more").unwrap();
    bed.plugin.path = damaged.to_owned();
    let performed = bed.run();
    assert!(matches!(performed.end, End::NotStarted(_)));
    let why = why(performed);
    assert!(why.starts_with("is no program of this "), "{why}");
}

#[test]
fn a_log_that_cannot_be_written_is_a_remark() {
    let bed = Bed::new("echo disk >&2; echo '[]'", "echo disk>&2\necho []");
    fs::write(&bed.settings.logs, "a file").unwrap();
    let performed = bed.run();
    assert_eq!(samples(&performed), 0);
    assert!(performed.remark.unwrap().starts_with("what it said on standard error is not kept: "));
}

#[test]
fn what_is_gone_says_so() {
    let bed = Bed::new("", "");
    fs::remove_file(bed.file()).unwrap();
    assert_eq!(bed.run().end, End::NotStarted("is not there".to_owned()));
}

/// The system's word for it was taken for one about the file.
#[test]
fn a_directory_to_run_in_that_is_not_there_is_the_reason() {
    let mut bed = Bed::new("", "");
    bed.settings.cwd = bed.dir.path().join("away");
    let why = why(bed.run());
    assert!(why.starts_with("is to run in ") || why.starts_with("cannot be started"), "{why}");
    assert!(!is_linux() || why.contains("away"), "{why}");
}

/// As `plugin run` does it: a file of root's stood where the agent's user was to write.
#[test]
fn what_is_only_tried_keeps_no_file() {
    let bed = Bed::new("echo disk >&2", "echo disk>&2");
    let terms = Terms { endpoint: "host-1".into(), default_tags: 0 };
    assert_eq!(perform(&bed.plugin, &bed.settings, &terms, &bed.stop).stderr.trim_end(), "disk");
    assert!(!bed.settings.logs.exists());
    perform_and_keep(&bed.plugin, &bed.settings, &terms, &bed.stop, &|_| true);
    assert_eq!(bed.said().unwrap().trim_end(), "disk");
}

#[test]
fn what_is_not_wanted_once_there_is_room_for_it_is_not_decoded() {
    let bed = Bed::new("echo []", "echo []");
    let terms = Terms { endpoint: "host-1".into(), default_tags: 0 };
    let asked = std::cell::Cell::new(0);
    let room = |bytes| {
        asked.set(bytes);
        false
    };
    let performed = perform_and_keep(&bed.plugin, &bed.settings, &terms, &bed.stop, &room);
    assert_eq!((performed.end, performed.batch.unwrap_err().as_str()), (End::Exited(0), STOPPED));
    assert!((3..=4).contains(&asked.get()));
}
