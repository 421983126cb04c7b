//! How plugins run and end, as Linux has it: daemons, signals, links, modes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use falcon_agent::plugin::perform::{End, Performed, Stop, Terms, perform_and_keep};
use falcon_agent::plugin::{Plugin, Settings};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// Of a plugin that is to be ended at its deadline.
const SHORT_S: u32 = 4;

struct Bed {
    dir: TempDir,
    settings: Settings,
    plugin: Plugin,
}

impl Bed {
    /// One plugin with this text.
    fn new(text: &str) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let path = "sys/60_x.sh".to_owned();
        let plugins = dir.path().join("plugin");
        fs::create_dir_all(plugins.join("sys")).unwrap();
        let file = plugins.join(&path);
        // Nobody has it open for writing when it is started.
        let fresh = dir.path().join("fresh");
        fs::write(&fresh, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&fresh, Permissions::from_mode(0o755)).unwrap();
        fs::rename(fresh, file).unwrap();
        let (logs, cwd) = (dir.path().join("logs"), dir.path().to_owned());
        let settings = Settings { dir: plugins, logs, cwd, at_once: 1, memory_bytes: None };
        let key = format!("{}/{path}()", dir.path().display());
        let plugin = Plugin { key, path, args: Vec::new(), written_args: String::new(), cycle_s: 60, mtime_s: 0 };
        Bed { dir, settings, plugin }
    }

    fn short(text: &str) -> Bed {
        let mut bed = Bed::new(text);
        bed.plugin.cycle_s = SHORT_S;
        bed
    }

    fn run(&self) -> Performed {
        let terms = Terms { endpoint: "host-1".into(), default_tags: 0 };
        perform_and_keep(&self.plugin, &self.settings, &terms, &Stop::default(), &|_| true)
    }

    fn file(&self) -> PathBuf {
        self.settings.dir.join(&self.plugin.path)
    }

    fn log(&self) -> PathBuf {
        self.settings.logs.join("sys/60_x.sh().stderr.log")
    }

    fn lives(&self, name: &str) -> bool {
        let pid = fs::read_to_string(self.dir.path().join(name)).unwrap();
        falcon_sys::image_path(pid.trim().parse().unwrap()).is_ok()
    }
}

fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn why(performed: Performed) -> String {
    performed.batch.unwrap_err()
}

/// As the Go agent waits for the end of the output.
#[test]
fn what_holds_the_output_of_a_plugin_that_has_ended_is_ended_at_the_deadline() {
    let bed = Bed::short("sleep 600 & echo $! > child; echo '[]'");
    let performed = bed.run();
    assert_eq!(performed.end, End::Late);
    assert!(why(performed).starts_with("has ended, but what it started held its output open for 3.5 s"));
    until("its child's end", || !bed.lives("child"));
}

/// A daemon leaves the process group, and the Go agent never found it again.
#[test]
fn who_has_left_the_group_is_ended_at_the_deadline_too() {
    let bed = Bed::short("setsid sh -c 'echo $$ > daemon; exec sleep 600' & echo '[]'");
    assert_eq!(bed.run().end, End::Late);
    until("the daemon's end", || !bed.lives("daemon"));
}

/// One that closes what it inherits lets the plugin end well: one of them was left each minute.
#[test]
fn a_daemon_is_ended_when_the_plugin_has_ended_well() {
    let start = "setsid sh -c 'echo $$ > daemon; exec sleep 600' >/dev/null 2>&1 &\nwhile [ ! -s daemon ]; do :; done";
    let bed = Bed::new(&format!("{start}\necho '[]'"));
    assert_eq!(bed.run().end, End::Exited(0));
    until("the daemon's end", || !bed.lives("daemon"));
}

/// What sudo(8) starts cannot be found, and has the plugin's outputs: after 32 runs of one plugin none was started any more.
#[test]
fn what_cannot_be_ended_holds_up_its_own_plugin_alone() {
    let bed =
        Bed::short("(env -i setsid sh -c 'echo $$ > stray; exec sleep 600' &) ; while [ ! -s stray ]; do :; done");
    let performed = bed.run();
    assert!(performed.end == End::Late && performed.took < PATIENCE && bed.lives("stray"));
    let begun = Instant::now();
    let performed = bed.run();
    assert!(matches!(performed.end, End::NotStarted(_)) && begun.elapsed() < PATIENCE);
    assert!(why(performed).starts_with("an earlier run was ended, and something of it is left that did not end"));
    assert_eq!(Bed::new("echo '[]'").run().end, End::Exited(0));
    let stray = fs::read_to_string(bed.dir.path().join("stray")).unwrap();
    assert!(Command::new("kill").arg(stray.trim()).status().unwrap().success());
    fs::write(bed.file(), "#!/bin/sh\necho '[]'\n").unwrap();
    until("it to run again", || bed.run().end == End::Exited(0));
}

#[test]
fn a_plugin_is_killed_by_others_too() {
    let performed = Bed::new("kill -9 $$").run();
    assert_eq!(performed.end, End::Killed(9));
    assert!(why(performed).starts_with("was ended by signal 9"));
}

#[test]
fn memory_is_limited_where_it_is_asked_for() {
    let mut bed = Bed::new("dd if=/dev/zero of=/dev/null bs=200000000 count=1 2>&1 | tail -1 >&2; echo '[]'");
    bed.settings.memory_bytes = Some(100_000_000);
    assert!(bed.run().stderr.contains("memory"));
    bed.settings.memory_bytes = Some(1_000_000_000);
    assert!(bed.run().stderr.contains("copied"));
}

#[test]
fn a_plugin_that_is_replaced_while_it_runs_ends_as_it_began() {
    let bed = Bed::new("sed 's/^# old/# new/' \"$0\" > x; chmod +x x; mv x \"$0\"; echo '[]'\n# old");
    assert_eq!((bed.run().end, bed.run().end), (End::Exited(0), End::Exited(0)));
    assert!(fs::read_to_string(bed.file()).unwrap().contains("\n# new"));
}

/// A file without the right to be executed ended the Go agent.
#[test]
fn what_may_not_be_run_says_so() {
    let bed = Bed::new("");
    fs::set_permissions(bed.file(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(why(bed.run()), "is not executable: chmod +x it");
}

#[test]
fn a_file_that_is_still_being_written_is_waited_for_a_moment() {
    let bed = Bed::new("echo '[]'");
    let open = File::options().append(true).open(bed.file()).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(open);
        });
        assert_eq!(bed.run().end, End::Exited(0));
    });
}

#[test]
fn a_link_in_place_of_a_log_is_replaced_and_not_followed() {
    let bed = Bed::new("ln -sf \"$PWD/victim\" logs/sys/60_x.sh\\(\\).stderr.log; echo disk >&2");
    fs::create_dir_all(bed.settings.logs.join("sys")).unwrap();
    let victim = bed.dir.path().join("victim");
    fs::write(&victim, "mine\n").unwrap();
    bed.run();
    assert_eq!(fs::read_to_string(victim).unwrap(), "mine\n");
    assert_eq!(fs::read_to_string(bed.log()).unwrap(), "disk\n");
}

/// The agent wrote wherever it led.
#[test]
fn a_link_in_place_of_a_directory_of_logs_is_refused() {
    let bed = Bed::new("echo disk >&2; echo '[]'");
    let elsewhere = bed.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(&bed.settings.logs).unwrap();
    symlink(&elsewhere, bed.settings.logs.join("sys")).unwrap();
    let performed = bed.run();
    assert_eq!(performed.end, End::Exited(0));
    let remark = performed.remark.unwrap();
    assert!(
        remark.starts_with("what it said on standard error is not kept: ") && remark.contains("no link"),
        "{remark}"
    );
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[test]
fn what_plugins_say_is_for_the_agents_user() {
    let bed = Bed::new("echo disk >&2");
    bed.run();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&bed.settings.logs), mode(&bed.settings.logs.join("sys")), mode(&bed.log())),
        (0o700, 0o700, 0o640)
    );
}
