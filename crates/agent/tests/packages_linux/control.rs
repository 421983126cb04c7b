//! `control`, the script of the tar.gz.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::archive::{Folder, copy};
use crate::harness::agent::free_address;
use crate::harness::process::{Ended, Process, run};
use crate::harness::servers::Server;
use crate::harness::until;
use crate::{config, plain, works};

/// Ends what a test leaves.
struct Control(Folder);

impl Control {
    fn new() -> Control {
        Control(Folder::new("open falcon's \"agent\" $1"))
    }

    fn says(&self, verb: &str) -> Ended {
        self.called_as(&self.0.path().join("control"), Path::new("/"), verb)
    }

    fn called_as(&self, script: &Path, from: &Path, verb: &str) -> Ended {
        let mut command = plain(script);
        command.arg(verb).current_dir(from);
        run(command)
    }

    fn pid(&self) -> i32 {
        self.0.read("var/app.pid").trim().parse().expect("a pid file")
    }

    fn is_up(&self) -> bool {
        self.says("status").code == Some(0)
    }

    fn kill(&self) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), Signal::KILL).unwrap();
        until("its end", String::new, || (!self.is_up()).then_some(()));
    }

    fn log(&self) -> String {
        self.0.read("var/app.log")
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.says("stop");
    }
}

/// Of an agent that sends to nobody.
fn quiet() -> Value {
    json!({ "heartbeat": { "enabled": false }, "transfer": { "enabled": false },
            "http": { "listen": free_address().to_string() } })
}

#[test]
fn it_starts_says_how_it_is_restarts_and_stops() {
    let (control, server, listen) = (Control::new(), Server::good(), free_address());
    control.0.configure(&config(&server, listen));
    let down = control.says("status");
    assert_eq!((down.code, down.out.as_str()), (Some(3), "falcon-agent does not run\n"));
    let started = control.says("start");
    let (pid, folder) = (control.pid(), control.0.path());
    let log = folder.join("var/app.log");
    assert_eq!(started.out, format!("falcon-agent runs, pid {pid}; its log is {}\n", log.display()), "{started:?}");
    works(&server, listen, || control.log());
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), folder);
    let up = control.says("status");
    assert_eq!((up.code, up.out), (Some(0), format!("falcon-agent runs, pid {pid}\n")));
    let again = control.says("start");
    assert_eq!((again.code, again.out), (Some(0), format!("falcon-agent runs already, pid {pid}\n")));
    let restarted = control.says("restart");
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert!(restarted.out.starts_with("falcon-agent has stopped\nfalcon-agent runs, pid "), "{restarted:?}");
    assert_ne!(control.pid(), pid);
    works(&server, listen, || control.log());
    let stopped = control.says("stop");
    assert_eq!((stopped.code, stopped.out.as_str()), (Some(0), "falcon-agent has stopped\n"));
    assert_eq!(
        control.log().matches(" A007 ").count(),
        2,
        "both ended in good order, with nothing unsent:\n{}",
        control.log()
    );
    assert!(!folder.join("var/app.pid").exists());
    let stopped = control.says("stop");
    assert_eq!((stopped.code, stopped.out.as_str()), (Some(0), "falcon-agent does not run\n"));
    assert_eq!(control.says("status").code, Some(3));
}

#[test]
fn it_may_be_called_by_a_link_from_any_directory_and_by_a_relative_path() {
    let control = Control::new();
    control.0.configure(&quiet());
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("falcon control");
    symlink(control.0.path().join("control"), &link).unwrap();
    assert_eq!(control.called_as(&link, elsewhere.path(), "start").code, Some(0));
    let mut relative = plain("sh");
    relative.args(["control", "status"]).current_dir(control.0.path());
    assert_eq!(run(relative).code, Some(0));
    assert_eq!(control.called_as(&link, elsewhere.path(), "stop").out, "falcon-agent has stopped\n");
}

#[test]
fn without_a_configuration_it_makes_the_first_one() {
    let control = Control::new();
    // The port of the first configuration is this machine's.
    let first = control.0.path().join("config/cfg.first.json");
    fs::write(&first, quiet().to_string()).unwrap();
    let started = control.says("start");
    let file = control.0.path().join("config/cfg.json");
    let said = format!("{} is new: set transfer.addrs and heartbeat.addrs in it\n", file.display());
    assert!(started.code == Some(0) && started.out.starts_with(&said), "{started:?}");
    assert_eq!(fs::read(&file).unwrap(), fs::read(first).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn one_that_does_not_start_is_told_with_line_and_key() {
    let control = Control::new();
    fs::write(control.0.path().join("var/app.log"), "of another day\n").unwrap();
    fs::write(control.0.path().join("config/cfg.json"), "{\n  \"http\": { \"listen\": 5 }\n}\n").unwrap();
    let started = control.says("start");
    assert_eq!(started.code, Some(1), "{started:?}");
    let (first, rest) = started.err.split_once('\n').unwrap();
    assert!(first.starts_with("falcon-agent did not start, exit code 1; the end of "), "{started:?}");
    assert!(rest.contains("cfg.json:2:23: http.listen: ") && !rest.contains("of another day"), "{started:?}");
    assert!(!control.0.path().join("var/app.pid").exists());
    assert_eq!(control.says("status").code, Some(3));
}

#[test]
fn the_pid_file_of_one_that_was_killed_is_not_believed() {
    let control = Control::new();
    control.0.configure(&quiet());
    assert_eq!(control.says("start").code, Some(0));
    control.kill();
    let down = control.says("status");
    assert!(down.code == Some(3) && down.out.contains("was not stopped by control"), "{down:?}");
    // Its number is another process's by now: this one's.
    fs::write(control.0.path().join("var/app.pid"), format!("{}\n", std::process::id())).unwrap();
    assert_eq!(control.says("status").code, Some(3));
    assert_eq!(control.says("stop").out, "falcon-agent does not run\n");
    for nonsense in ["", "x", "0", "-1", "4711 4712", "99999999999999999999"] {
        fs::write(control.0.path().join("var/app.pid"), nonsense).unwrap();
        assert_eq!(control.says("status").code, Some(3), "{nonsense:?}");
    }
    assert_eq!(control.says("start").code, Some(0));
    assert!(control.is_up());
}

/// An upgrade by copying: the old file is gone under a running agent.
#[test]
fn one_whose_program_was_replaced_is_still_ours() {
    let control = Control::new();
    control.0.configure(&quiet());
    assert_eq!(control.says("start").code, Some(0));
    let (pid, bin) = (control.pid(), control.0.path().join("bin/falcon-agent"));
    copy(&bin, &bin.with_extension("new"));
    fs::rename(bin.with_extension("new"), &bin).unwrap();
    assert_eq!(control.says("status").out, format!("falcon-agent runs, pid {pid}\n"));
    assert_eq!(control.says("restart").code, Some(0));
    assert_ne!(control.pid(), pid);
}

/// The Go agent's app.log grew without bound, and so does every log that is standard error alone.
#[test]
fn the_log_is_kept_within_its_size_and_standard_error_goes_with_it() {
    let control = Control::new();
    let mut config = quiet();
    config["log"] = json!({ "max_mb": 1, "keep": 2 });
    control.0.configure(&config);
    let log = control.0.path().join("var/app.log");
    for old in ["first", "second"] {
        fs::write(&log, format!("{old} {}\n", "x".repeat(1 << 20))).unwrap();
        assert_eq!(control.says("start").code, Some(0));
        let begun = || control.log().contains(" A001 ").then_some(());
        until("the log's first lines", || control.log(), begun);
        assert!(!control.log().contains(old) && control.0.read("var/app.log.1").starts_with(old));
        for output in ["1", "2"] {
            assert_eq!(fs::read_link(format!("/proc/{}/fd/{output}", control.pid())).unwrap(), log);
        }
        assert_eq!(control.says("stop").code, Some(0));
    }
    assert!(!control.0.path().join("var/app.log.2").exists(), "two are kept");
}

#[test]
fn tail_follows_the_log_of_the_next_start_too() {
    let control = Control::new();
    control.0.configure(&quiet());
    let mut tail = plain("sh");
    // The harness shows standard error as it comes.
    tail.args(["-c", "exec \"$0\" tail >&2"]).arg(control.0.path().join("control"));
    let tail = Process::start(tail);
    for n in 1..=2 {
        assert_eq!(control.says("restart").code, Some(0));
        let seen = || (tail.err().matches(" A001 ").count() == n).then_some(());
        until("the first lines", || tail.err(), seen);
    }
    tail.signal(Signal::TERM);
    tail.wait();
}

#[test]
fn of_two_starts_at_once_one_starts() {
    let control = Control::new();
    control.0.configure(&quiet());
    let said: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| control.says("start").out)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let pid = control.pid();
    assert_eq!(said.iter().filter(|out| out.starts_with(&format!("falcon-agent runs, pid {pid};"))).count(), 1);
    assert_eq!(said.iter().filter(|out| **out == format!("falcon-agent runs already, pid {pid}\n")).count(), 3);
}

#[test]
fn other_words_get_the_usage() {
    let control = Control::new();
    for verb in ["build", "pack", "packbin", "frobnicate", ""] {
        let said = control.says(verb);
        assert!(said.code == Some(2) && said.err.starts_with("Usage: control start|stop|restart|status|tail\n"));
    }
    assert!(control.says("--help").success().starts_with("Usage: control "));
}

/// As another user: where one can be.
mod rooted {
    use super::*;

    #[test]
    fn who_has_no_right_to_it_is_told() {
        let control = Control::new();
        control.0.configure(&quiet());
        assert_eq!(control.says("start").code, Some(0));
        // The folder itself is readable for everybody.
        let dir = control.0.path().parent().unwrap().to_owned();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let as_nobody = |verb: &str| {
            let mut command = plain("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(control.0.path().join("control"));
            command.arg(verb).current_dir("/");
            run(command)
        };
        for verb in ["start", "stop", "restart"] {
            let said = as_nobody(verb);
            assert!(
                said.code == Some(4) && said.err.contains("/var cannot be written to: control is for root"),
                "{said:?}"
            );
        }
        assert!(control.is_up());
        assert_eq!(as_nobody("status").out, format!("falcon-agent runs, pid {}\n", control.pid()));
    }
}
