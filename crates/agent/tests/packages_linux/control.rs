//! `control`, the script of the tar.gz.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    assert_eq!(restarted.err, "");
    assert_ne!(control.pid(), pid);
    works(&server, listen, || control.log());
    let stopped = control.says("stop");
    let said = (stopped.code, stopped.out.as_str(), stopped.err.as_str());
    assert_eq!(said, (Some(0), "falcon-agent has stopped\n", ""));
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
    control.0.put("var/app.log", "of another day\n");
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

/// A wrong cfg.json was found when the agent that could run was gone.
#[test]
fn a_restart_with_a_wrong_configuration_leaves_the_one_that_runs() {
    let control = Control::new();
    control.0.configure(&quiet());
    assert_eq!(control.says("start").code, Some(0));
    let pid = control.pid();
    control.0.configure(&json!({ "http": { "listen": 5 } }));
    let restarted = control.says("restart");
    assert!(restarted.code == Some(1) && restarted.err.starts_with("not restarted: "), "{restarted:?}");
    assert!(restarted.err.contains("http.listen: "), "{restarted:?}");
    assert_eq!(control.says("status").out, format!("falcon-agent runs, pid {pid}\n"));
}

/// Its program with another configuration was taken for it, and stopped.
#[test]
fn one_with_another_configuration_is_not_ours_and_one_by_a_relative_path_is() {
    let control = Control::new();
    control.0.configure(&quiet());
    let folder = control.0.path();
    fs::write(folder.join("config/other.json"), quiet().to_string()).unwrap();
    let started = |config: &str| {
        let mut agent = plain(folder.join("bin/falcon-agent"));
        agent.args(["run", "-c", config]).current_dir(&folder);
        let agent = Process::start(agent);
        until("it to run", || agent.err(), || agent.err().contains(" A001 ").then_some(()));
        agent
    };
    let other = started("config/other.json");
    assert_eq!(control.says("status").code, Some(3));
    fs::create_dir_all(folder.join("var")).unwrap();
    fs::write(folder.join("var/app.pid"), other.pid().to_string()).unwrap();
    assert_eq!(control.says("stop").out, "falcon-agent does not run\n");
    let ours = started("config/cfg.json");
    assert_eq!(control.says("status").out, format!("falcon-agent runs, pid {}\n", ours.pid()));
    assert_eq!(control.says("stop").code, Some(0));
    assert_eq!(ours.wait().code, Some(0));
    other.signal(Signal::TERM);
    assert_eq!(other.wait().code, Some(0));
}

/// In a dead mount it waits for the kernel: control waited with it, for ever.
#[test]
fn one_that_not_even_a_kill_ends_is_told() {
    let control = Control::new();
    control.0.configure(&quiet());
    assert_eq!(control.says("start").code, Some(0));
    let script = fs::read_to_string(control.0.path().join("control")).unwrap();
    assert!(script.contains("\nset -u\n") && script.contains("sleep 0.1 "));
    let deaf = script.replace("\nset -u\n", "\nset -u\nkill() { :; }\n").replace("sleep 0.1 ", "sleep 0.001 ");
    control.0.put("deaf", &deaf);
    let mut stop = plain("sh");
    stop.arg(control.0.path().join("deaf")).arg("stop");
    let stopped = run(stop);
    let lines: Vec<&str> = stopped.err.lines().collect();
    assert!(stopped.code == Some(1) && lines.len() == 2, "{stopped:?}");
    assert!(lines[0].ends_with("it is killed") && lines[1].contains("does not end"), "{stopped:?}");
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
        control.0.put("var/app.log", &format!("{old} {}\n", "x".repeat(1 << 20)));
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

/// The agent renamed and removed files in a directory that is not its own alone, as root in any.
#[test]
fn in_a_directory_that_others_may_write_to_the_log_is_left_alone() {
    let control = Control::new();
    let mut config = quiet();
    config["log"] = json!({ "max_mb": 1, "keep": 2 });
    control.0.configure(&config);
    control.0.put("var/app.log", &format!("old {}\n", "x".repeat(1 << 20)));
    fs::set_permissions(control.0.path().join("var"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(control.says("start").code, Some(0));
    until("the log's first lines", String::new, || control.log().contains(" A001 ").then_some(()));
    assert!(control.log().starts_with("old ") && !control.0.path().join("var/app.log.1").exists());
}

/// With `log.file` where nothing can be written the agent said nothing anywhere.
#[test]
fn what_log_file_does_not_take_is_in_the_log_of_control() {
    let control = Control::new();
    let mut config = quiet();
    config["log"] = json!({ "file": "var/taken" });
    control.0.configure(&config);
    fs::create_dir_all(control.0.path().join("var/taken")).unwrap();
    assert_eq!(control.says("start").code, Some(0));
    let told = || [" A001 ", " L002 "].iter().all(|code| control.log().contains(code)).then_some(());
    until("the trouble with the file", || control.log(), told);
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

    fn open_to_everybody(control: &Control) -> PathBuf {
        let folder = control.0.path();
        fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn nobodys(program: &Path) -> Command {
        let mut command = plain("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        command
    }

    /// Whoever ran the program as control would was taken for the agent: `start` started none, `stop` ended his.
    #[test]
    fn another_users_process_is_not_ours() {
        let control = Control::new();
        control.0.configure(&quiet());
        let folder = open_to_everybody(&control);
        let mut command = nobodys(&folder.join("bin/falcon-agent"));
        command.arg("-c").arg(folder.join("config/cfg.json")).current_dir("/");
        let theirs = Process::start(command);
        until("it to run", || theirs.err(), || theirs.err().contains(" A001 ").then_some(()));
        assert_eq!(control.says("status").code, Some(3));
        fs::create_dir_all(folder.join("var")).unwrap();
        fs::write(folder.join("var/app.pid"), theirs.pid().to_string()).unwrap();
        assert_eq!(control.says("stop").out, "falcon-agent does not run\n");
        theirs.signal(Signal::TERM);
        assert_eq!(theirs.wait().code, Some(0));
    }

    #[test]
    fn who_has_no_right_to_it_is_told() {
        let control = Control::new();
        control.0.configure(&quiet());
        assert_eq!(control.says("start").code, Some(0));
        // The folder itself is readable for everybody.
        let folder = open_to_everybody(&control);
        let as_nobody = |verb: &str| {
            let mut command = nobodys(&folder.join("control"));
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
