//! `falcon-agent queue`, with a running agent and without.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::call;
use crate::harness::agent::Agent;
use crate::harness::http;
use crate::harness::servers::Dead;
use crate::with_config;

fn points(count: usize) -> Value {
    let point = |n: usize| json!({ "endpoint": "e", "metric": format!("m{n}"), "value": 1, "step": 60, "counterType": "GAUGE" });
    (0..count).map(point).collect()
}

#[test]
fn without_a_transfer_or_a_file_there_is_nothing_to_tell() {
    let dir = with_config(r#"{ "transfer": { "addrs": ["127.0.0.1:1"] } }"#);
    let told = call(dir.path(), &["queue"]).success();
    assert!(told.contains("is not there: nothing waits on disk"), "{told}");
    let off = with_config(r#"{ "queue": { "enabled": false } }"#);
    let ended = call(off.path(), &["queue", "verify"]);
    assert!(ended.code == Some(1) && ended.err.contains("keeps no queue on disk"), "{ended:?}");
    assert_eq!(call(dir.path(), &["queue", "empty"]).code, Some(2));
}

#[test]
fn it_asks_the_running_agent_and_works_on_the_files_when_that_has_gone() {
    let dead = Dead::start();
    let agent = Agent::start(&json!({ "hostname": "h", "transfer": { "enabled": false, "addrs": [dead.addr] } }));
    agent.push(&points(7));
    let dir = agent.dir().to_owned();
    let ask = |what: &str| call(&dir, &["queue", what]).success();
    agent.wait("the points on disk", || ask("status").contains("disk     7 points").then_some(()));
    let status = ask("status");
    for line in
        ["told by the running agent", "waiting  7 points, the oldest for", "memory   0 points", "lost     nothing"]
    {
        assert!(status.contains(line), "{line:?} in\n{status}");
    }
    assert!(ask("verify").contains("1 records of 7 points are whole, 0 damaged"), "{}", ask("verify"));
    // A GET, a POST without a file in the directory, and one that names a file elsewhere.
    for request in
        ["GET /queue/purge", "POST /queue/purge", "POST /queue/purge HTTP/1.1\r\nX-Falcon-Proof: purge-../../../../etc"]
    {
        let request = if request.contains("HTTP") { request.to_owned() } else { format!("{request} HTTP/1.1") };
        let answer =
            http::one(agent.http, format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        assert!([403, 405].contains(&answer.status), "{request}: {}", answer.status);
    }
    assert!(ask("status").contains("waiting  7 points"));
    assert!(ask("purge").contains("purged   7 points"));
    assert!(ask("status").contains("lost     purged 7"), "{}", ask("status"));
    agent.push(&points(3));
    let (dir, ended) = agent.stop_and_keep();
    assert!(ended.err.contains("3 points are on disk and are sent after the next start"), "{}", ended.err);
    let ask = |what: &str| call(dir.path(), &["queue", what]).success();
    let status = ask("status");
    assert!(status.contains("no agent uses it; told by its files") && status.contains("waiting  3 points"), "{status}");
    assert!(ask("verify").contains("records of 3 points are whole, 0 damaged"), "{}", ask("verify"));
    assert!(ask("purge").contains("purged   3 points"));
    assert!(ask("status").contains("waiting  0 points"));
}

/// Root could not see or empty the queue of an agent that runs as a user of its own, which is how a service is run.
#[test]
fn the_files_of_an_agent_of_another_user_are_for_root() {
    let dir = with_config(&json!({ "http": { "enabled": false }, "state_dir": "state" }).to_string());
    let queue = dir.path().join("state/queue");
    fs::create_dir_all(&queue).unwrap();
    fs::write(queue.join("lock"), "").unwrap();
    // The agent would not have it.
    fs::set_permissions(&queue, Permissions::from_mode(0o777)).unwrap();
    for what in ["status", "verify", "purge"] {
        let told = call(dir.path(), &["queue", what]).success();
        assert!(told.contains("no agent uses it; told by its files"), "{told}");
    }
}

/// In a shell the queue of a service was looked for in `var`, and nothing seemed to wait.
#[test]
fn the_running_agent_says_where_its_queue_is() {
    let (dead, state) = (Dead::start(), tempfile::tempdir().unwrap());
    let config = json!({ "hostname": "h", "transfer": { "enabled": false, "addrs": [dead.addr] } });
    let agent = Agent::start_with(&config, &[("STATE_DIRECTORY", state.path().as_os_str())]);
    agent.push(&points(7));
    let ask = |what: &str| call(agent.dir(), &["queue", what]).success();
    agent.wait("the points on disk", || ask("status").contains("disk     7 points").then_some(()));
    let theirs = state.path().join("queue").display().to_string();
    for (what, text) in
        [("status", "waiting  7 points"), ("verify", "7 points are whole"), ("purge", "purged   7 points")]
    {
        let told = ask(what);
        assert!(told.starts_with(&theirs) && told.contains(text), "{told}");
    }
}

/// A configuration with the port of another agent, and a directory of its own.
#[test]
fn an_agent_of_another_directory_is_not_asked() {
    let dead = Dead::start();
    let agent = Agent::start(&json!({ "hostname": "h", "transfer": { "enabled": false, "addrs": [dead.addr] } }));
    agent.push(&points(7));
    let listen = agent.http.to_string();
    let other = with_config(&json!({ "http": { "listen": listen }, "state_dir": "mine" }).to_string());
    let told = call(other.path(), &["queue", "purge"]).success();
    assert!(
        told.contains("mine/queue is not there") && told.contains("the agent that answers keeps its queue in"),
        "{told}"
    );
    assert!(call(agent.dir(), &["queue"]).success().contains("waiting  7 points"));
}
