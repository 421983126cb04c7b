//! How runs end, and what is left of them.

use super::*;

#[test]
fn who_does_not_end_is_ended_with_all_that_it_started() {
    let bed = Bed::with_child("(sleep 600; :) & sleep 600", ":more\ngoto more");
    let performed = bed.run_for(SHORT);
    assert_eq!(performed.end, End::Late);
    assert!(performed.took >= SHORT && performed.took < PATIENCE);
    assert_eq!(
        why(performed),
        "still ran after 4 s and was ended with all that it started: make it quicker, or its cycle longer (the number in \
         front of its name)"
    );
    until("its child's end", || !bed.child_lives());
}

#[test]
fn what_a_plugin_leaves_behind_is_ended() {
    let bed = Bed::with_child(&format!("echo '[{POINT}]'"), &format!("echo [{POINT}]"));
    if is_linux() {
        let performed = bed.run();
        assert_eq!((&performed.end, samples(&performed)), (&End::Exited(0), 1));
    } else {
        // What cmd.exe starts has its outputs, also where it is told to have others.
        let performed = bed.run_for(SHORT);
        assert_eq!(performed.end, End::Late);
        assert!(why(performed).starts_with("has ended, but what it started held its output open for 4 s"));
    }
    until("its child's end", || !bed.child_lives());
}

#[test]
fn who_prints_without_end_is_ended_at_four_megabytes() {
    let line = "x".repeat(1000);
    let bed =
        Bed::with_child("yes | head -c 100000000; sleep 600", &format!("for /l %%i in (1,1,100000) do echo {line}"));
    let performed = bed.run();
    assert_eq!(performed.end, End::TooMuch);
    assert!(why(performed).starts_with("printed more than 4 MB and was ended"));
    until("its child's end", || !bed.child_lives());
}

#[test]
fn the_agents_end_is_the_end_of_its_plugins() {
    let bed = Bed::with_child("echo > runs; wait", "echo x > runs\n:more\ngoto more");
    let stop = bed.stop.clone();
    thread::scope(|scope| {
        let run = scope.spawn(|| bed.run_for(PATIENCE * 2));
        until("the plugin to run", || bed.read("runs").is_some());
        assert!(bed.child_lives());
        stop.stop();
        assert_eq!(run.join().unwrap().end, End::Stopped);
    });
    until("its child's end", || !bed.child_lives());
    // Nothing is started afterwards.
    let performed = bed.run();
    assert_eq!(performed.end, End::Stopped);
    assert_eq!(why(performed), "was ended before it was over");
}
