//! How runs end, and what is left of them.

use super::*;
use std::process::Command;

#[test]
fn who_does_not_end_is_ended_with_all_that_it_started() {
    let bed = Bed::new(
        "sleep 600 & echo $! > child; (sleep 600 & echo $! > grandchild; wait) & echo; sleep 600",
        ":again\ngoto again",
    );
    let performed = bed.run_for(SHORT);
    assert_eq!(performed.end, End::Late);
    assert!(performed.took >= SHORT && performed.took < PATIENCE);
    assert_eq!(
        why(performed),
        "still ran after 4 s and was ended with all that it started: make it quicker, or its cycle longer (the number in \
         front of its name)"
    );
    if is_linux() {
        until("its children's end", || is_gone(bed.pid("child")) && is_gone(bed.pid("grandchild")));
    }
}

/// As the Go agent waits for the end of the output.
#[test]
fn what_holds_the_output_of_a_plugin_that_has_ended_is_ended_at_the_deadline() {
    let bed = Bed::new(
        "sleep 600 & echo $! > child; echo '[]'",
        "if \"%1\"==\"again\" goto again\nstart /b cmd /c \"%~f0\" again\n:wait\nif not exist held goto wait\n\
         echo []\ngoto :eof\n:again\ncmd /c \"for /l %%i in (1,0,2) do @rem\" >held",
    );
    let performed = bed.run_for(SHORT);
    if is_linux() {
        assert_eq!(performed.end, End::Late);
        assert!(why(performed).starts_with("has ended, but what it started held its output open for 4 s"));
        until("its child's end", || is_gone(bed.pid("child")));
    } else {
        // What `start` of Wine starts has no output of its parent: it is ended with its job, and what it had open is free.
        let held = bed.dir.path().join("held");
        assert!(held.exists());
        until("its child's end", || fs::remove_file(&held).is_err() && !held.exists());
    }
}

#[test]
fn what_a_plugin_leaves_behind_is_ended_when_it_has_ended() {
    if !is_linux() {
        return;
    }
    let bed = Bed::new(&format!("sleep 600 >&- 2>&- & echo $! > child; echo '[{POINT}]'"), "");
    let performed = bed.run();
    assert_eq!((&performed.end, samples(&performed)), (&End::Exited(0), 1));
    until("its child's end", || is_gone(bed.pid("child")));
}

/// A daemon leaves the process group, and the Go agent never found it again.
#[test]
fn who_has_left_the_group_is_ended_too() {
    if !is_linux() {
        return;
    }
    let bed = Bed::new("setsid sh -c 'echo $$ > daemon; exec sleep 600' & echo '[]'", "");
    assert_eq!(bed.run_for(SHORT).end, End::Late);
    until("the daemon's end", || is_gone(bed.pid("daemon")));
}

/// A monitor hung for a process that a driver held. Here it is one that nobody finds again.
#[test]
fn what_cannot_be_ended_holds_up_nobody() {
    if !is_linux() {
        return;
    }
    let bed =
        Bed::new("(env -i setsid sh -c 'echo $$ > stray; exec sleep 600' &) ; while [ ! -s stray ]; do :; done", "");
    let performed = bed.run_for(SHORT);
    assert!(performed.end == End::Late && performed.took < PATIENCE);
    assert!(run::left() > 0 && !is_gone(bed.pid("stray")));
    assert!(Command::new("kill").arg(bed.pid("stray").to_string()).status().unwrap().success());
    until("its threads to end", || run::left() == 0);
}

#[test]
fn who_prints_without_end_is_ended_at_four_megabytes() {
    let line = "x".repeat(1000);
    let bed = Bed::new("yes | head -c 100000000; sleep 600", &format!("for /l %%i in (1,1,100000) do echo {line}"));
    let performed = bed.run();
    assert_eq!(performed.end, End::TooMuch);
    assert!(why(performed).starts_with("printed more than 4 MB and was ended"));
}

#[test]
fn the_agents_end_is_the_end_of_its_plugins() {
    let bed = Bed::new("sleep 600 & echo $! > child; wait", "echo x > child\n:again\ngoto again");
    let stop = bed.stop.clone();
    thread::scope(|scope| {
        let run = scope.spawn(|| bed.run_for(PATIENCE * 2));
        until("the plugin to run", || bed.read("child").is_some());
        stop.stop();
        assert_eq!(run.join().unwrap().end, End::Stopped);
    });
    if is_linux() {
        until("its child's end", || is_gone(bed.pid("child")));
    }
    // Nothing is started afterwards.
    let performed = bed.run();
    assert_eq!(performed.end, End::Stopped);
    assert_eq!(why(performed), "was ended because the agent stops");
}

#[test]
fn a_plugin_is_killed_by_others_too() {
    if !is_linux() {
        return;
    }
    let performed = Bed::new("kill -9 $$", "").run();
    assert_eq!(performed.end, End::Killed(9));
    assert!(why(performed).starts_with("was ended by signal 9"));
}

#[test]
fn memory_is_limited_where_it_is_asked_for() {
    if !is_linux() {
        return;
    }
    let mut bed = Bed::new("dd if=/dev/zero of=/dev/null bs=200000000 count=1 2>&1 | tail -1 >&2; echo '[]'", "");
    bed.settings.memory_bytes = Some(100_000_000);
    assert!(bed.run().stderr.contains("memory"));
    bed.settings.memory_bytes = Some(1_000_000_000);
    assert!(bed.run().stderr.contains("copied"));
}
