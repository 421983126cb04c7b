//! Plugins, from what hbs binds to the points at the transfer: the finished executable with programs that mean it well, and with
//! every one of the checklist that does not.

mod bed;
mod cases;
mod interpreters;
mod update;

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::harness::process::{Process, program, run};
use crate::harness::until;
use bed::{Bed, has_run, shown, wait_until};

/// With Go's own `net/rpc` on both sides.
#[test]
fn what_go_binds_runs_until_it_is_unbound() {
    let mut peer = Peer::start();
    let bed = Bed::new("bound");
    let file = bed.put("os/1_args");
    let mut config = peer.config("bound");
    config["plugin"] = json!({ "enabled": true });
    let agent = Agent::start_in(&bed.home, &config);
    agent.wait("nothing bound", || (agent.get("/plugins").json()["data"] == json!({})).then_some(()));
    let said = |peer: &Peer, text: &str| {
        let items = peer.items_of("bound");
        items.iter().filter(|item| item.metric == "argument" && item.tags.ends_with(text)).count()
    };
    peer.hbs_says(&json!({ "Plugins": [format!("{file}(a,b c)")] }));
    // "b c" in hexadecimal.
    peer.wait("its points", &agent, || (said(&peer, "text=622063") >= 2).then_some(()));
    peer.wait("the other argument", &agent, || (said(&peer, "text=61") >= 2).then_some(()));

    // The directory instead, where the file has no arguments, and a file is put beside it while it runs.
    peer.hbs_says(&json!({ "Plugins": ["os"] }));
    has_run(&agent, &file);
    assert_eq!(shown(&agent, &format!("{file}(a,b c)")), None);
    let more = bed.put("os/1_more");
    peer.wait("the new file's", &agent, || (said(&peer, "by=more") >= 1).then_some(()));
    assert_eq!(shown(&agent, &more).unwrap()["FilePath"], json!(more));

    peer.hbs_says(&json!({}));
    agent.wait("nothing bound", || (agent.get("/plugins").json()["data"] == json!({})).then_some(()));
    let stamps = |peer: &Peer| peer.cycles().len();
    // What was printed before may be on its way.
    let before = stamps(&peer);
    peer.wait("cycles", &agent, || (stamps(&peer) >= before + 2).then_some(()));
    let (args, more, before) = (said(&peer, "by=args"), said(&peer, "by=more"), stamps(&peer));
    peer.wait("cycles", &agent, || (stamps(&peer) >= before + 4).then_some(()));
    assert_eq!((said(&peer, "by=args"), said(&peer, "by=more")), (args, more), "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn a_plugin_that_is_replaced_while_it_runs_is_the_new_one_from_then_on() {
    let bed = Bed::new("replaced");
    let file = bed.hangs("x/5_job");
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    wait_until(&agent, &file, |shown| shown["state"] == "running");
    bed.prints("x/5_job", "job.second");
    bed.wait_for(&agent, "job.second");
    // And once more, while it does not.
    bed.prints("x/5_job", "job.third");
    bed.wait_for(&agent, "job.third");
    bed.wait_for_no_process();
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn a_plugin_that_is_removed_while_it_runs_is_ended_and_missed() {
    let bed = Bed::new("removed");
    let file = bed.hangs("x/4_job");
    let key = format!("{file}()");
    bed.hbs.runs(&[&file]);
    let agent = bed.start();
    wait_until(&agent, &key, |shown| shown["state"] == "running");
    fs::remove_file(bed.dir().join(&file)).unwrap();
    let left = wait_until(&agent, &file, |shown| shown["state"] == "left");
    assert_eq!(left["reason"], json!("is not there"));
    bed.wait_for_no_process();
    assert_eq!(agent.terminate().code, Some(0));
}

/// What is bound no longer is ended where it stands; the Go agent let it finish and sent what it printed.
#[test]
fn what_is_no_longer_bound_is_ended() {
    let bed = Bed::new("unbound");
    let (file, tree) = (bed.hangs("x/30_job"), bed.put("x/3_tree"));
    // The shorter one shows that all of it runs.
    let short = bed.hangs("x/3_short");
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    for key in [&tree, &short] {
        wait_until(&agent, key, |shown| shown["state"] == "running");
    }
    agent.wait("their processes", || (!bed.processes().is_empty()).then_some(()));
    bed.hbs.runs(&[&file]);
    bed.wait_for_no_process();
    wait_until(&agent, &format!("{file}()"), |shown| shown["state"] == "waiting");
    assert_eq!(shown(&agent, &tree), None);
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn an_agent_that_is_stopped_while_plugins_run_leaves_no_process() {
    let bed = Bed::new("stopped");
    let files = [bed.hangs("x/4_job"), bed.put("x/4_hang"), bed.put("x/4_tree")];
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    // All were bound at once, and are due so.
    for file in &files {
        wait_until(&agent, file, |shown| shown["state"] == "running");
    }
    let ended = agent.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    bed.wait_for_no_process();
}

/// In the order of their keys as there is room, and each of them.
#[test]
fn two_hundred_at_once() {
    const ALL: usize = 200;
    const AT_ONCE: usize = 16;
    let bed = Bed::new("hundreds");
    for n in 0..ALL {
        bed.put(&format!("x/20_brief{n:03}"));
    }
    bed.hbs.runs(&["x"]);
    let mut config = bed.config();
    config["plugin"]["at_once"] = json!(AT_ONCE);
    let agent = Agent::start_in(&bed.home, &config);
    let tagged = || {
        let mut tags: Vec<String> = bed.items("argument").into_iter().map(|item| item.tags).collect();
        tags.sort();
        tags.dedup();
        tags.len()
    };
    let mut most = 0;
    agent.wait("a point of each", || {
        let shown = agent.get("/plugins").json();
        let running = shown["data"].as_object()?.values().filter(|shown| shown["state"] == "running").count();
        most = most.max(running);
        (tagged() == ALL).then_some(())
    });
    // Each takes a moment, so that all places are taken while others wait.
    assert_eq!(most, AT_ONCE);
    assert_eq!(agent.terminate().code, Some(0));
    bed.wait_for_no_process();
}

/// A directory that others may write to hands them the agent's rights.
#[test]
fn nothing_runs_from_a_directory_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::new("unsafe");
    let file = bed.put("x/1_args");
    let open = |mode: u32| fs::set_permissions(bed.dir(), fs::Permissions::from_mode(mode)).unwrap();
    open(0o777);
    bed.hbs.runs(&["x"]);
    let agent = bed.start();
    let left = wait_until(&agent, "x", |shown| shown["state"] == "left");
    assert!(left["reason"].as_str().unwrap().contains("can be changed by"), "{left}");
    assert!(bed.items("argument").is_empty());
    open(0o755);
    has_run(&agent, &file);
    assert_eq!(agent.terminate().code, Some(0));
}

/// `falcon-agent plugin run`, before anything is bound or switched on.
#[test]
fn one_is_tried_in_the_foreground_and_a_signal_ends_all_of_it() {
    let bed = Bed::new("tried");
    fs::write(bed.home.path().join("cfg.json"), r#"{"hostname":"tried"}"#).unwrap();
    let (args, hang) = (bed.put("x/60_args"), bed.hangs("x/60_job"));
    let ended = run(program(bed.home.path(), &["plugin", "run", "--format", "json", &args, "-v", "a \"b\""]));
    assert!(ended.err.contains("exit code 0 after"), "{}", ended.err);
    let items = Item::parse_all(&serde_json::from_str(&ended.success()).unwrap());
    let tags: Vec<&str> = items.iter().map(|item| item.tags.as_str()).collect();
    assert_eq!(tags, ["by=args", "by=args,text=2d76", "by=args,text=6120226222"]);
    assert!(items.iter().all(|item| item.endpoint == "tried" && item.step == 60), "{items:?}");

    let process = Process::start(program(bed.home.path(), &["plugin", "run", &hang]));
    until("its processes", || process.err(), || (!bed.processes().is_empty()).then_some(()));
    process.signal(Signal::INT);
    let ended = process.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains(": it is ended"), "{}", ended.err);
    bed.wait_for_no_process();
}

/// With plugins off hbs is not asked, and the routes say so.
#[test]
fn plugins_are_off_until_they_are_switched_on() {
    let bed = Bed::new("off");
    bed.put("x/1_args");
    bed.hbs.runs(&["x"]);
    let mut config = bed.config();
    config["plugin"]["enabled"] = json!(false);
    let agent = Agent::start_in(&bed.home, &config);
    bed.wait_for(&agent, "agent.alive");
    for path in ["/plugin/update", "/plugin/reset"] {
        assert_eq!(agent.get(path).text(), "plugin not enabled");
    }
    assert_eq!(agent.get("/plugins").json()["data"], json!({}));
    assert!(bed.hbs.calls(crate::harness::servers::hbs::PLUGINS).is_empty());
    assert_eq!(agent.terminate().code, Some(0));
}
