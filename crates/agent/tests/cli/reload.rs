//! Another configuration for an agent that runs: what changes takes effect, what is wrong changes nothing, and nothing that
//! waits or comes in meanwhile is lost.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::agent::{Agent, free_address};
use crate::harness::http;
use crate::harness::items::Item;
use crate::harness::now;
use crate::harness::servers::Server;

fn point(n: i64) -> serde_json::Value {
    json!([{ "endpoint": "app", "metric": "m", "value": n, "step": 1, "counterType": "GAUGE", "tags": "",
             "timestamp": now() - 10_000 + n }])
}

#[test]
fn interval_address_tags_and_level_change_without_a_restart() {
    let (first, second) = (Server::good(), Server::good());
    let config = |server: &Server, interval: u32| {
        json!({ "hostname": "h", "heartbeat": { "enabled": false },
                "transfer": { "addrs": [server.addr], "interval": interval, "replay_delay": 0 } })
    };
    let agent = Agent::start(&config(&first, 3600));
    agent.wait("a first cycle", || (!first.items().is_empty()).then_some(()));
    let mut new = config(&second, 1);
    new["default_tags"] = json!({ "room": "7" });
    let outcome = agent.reload(&new);
    assert_eq!((outcome["ok"].as_bool(), outcome["number"].as_u64()), (Some(true), Some(1)), "{outcome}");
    assert!(outcome["text"].as_str().unwrap().ends_with("changed: default_tags, transfer"), "{outcome}");
    let of = |item: &Item| item.metric == "agent.alive" && item.tags == "room=7" && item.step == 1;
    agent.wait("cycles at the other transfer", || {
        (second.items().iter().filter(|item| of(item)).count() > 1).then_some(())
    });
    assert_eq!(agent.lines("DEBUG"), Vec::<String>::new());
    new["log"] = json!({ "level": "debug", "file": "agent.log" });
    assert_eq!(agent.reload(&new)["ok"], json!(true));
    agent.wait_for_lines("DEBUG", 1);
    agent.wait("the new file of the log", || {
        std::fs::read_to_string(agent.dir().join("agent.log")).is_ok_and(|log| log.contains("DEBUG")).then_some(())
    });
    new["log"] = json!({ "level": "error" });
    assert_eq!(agent.reload(&new)["ok"], json!(true));
    let again = agent.reload(&new);
    assert!(again["text"].as_str().unwrap().ends_with("says what is in effect already"), "{again}");
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn the_listener_moves_and_clients_of_one_that_stays_are_never_refused() {
    let config = json!({ "hostname": "h", "heartbeat": { "enabled": false } });
    let mut agent = Agent::start(&config);
    let (stop, reloads) = (AtomicBool::new(false), 20);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut asked = 0;
            while !stop.load(Relaxed) {
                let answer = http::get(agent.http, "/health").unwrap_or_else(|error| panic!("{error} after {asked}"));
                assert_eq!(answer.status, 200);
                asked += 1;
            }
            asked
        });
        for n in 0..reloads {
            let mut new = config.clone();
            new["default_tags"] = json!({ "n": n.to_string() });
            assert_eq!(agent.reload(&new)["ok"], json!(true));
        }
        stop.store(true, Relaxed);
        assert!(client.join().expect("never refused") > reloads);
    });
    let mut new = config.clone();
    new["http"] = json!({ "listen": free_address().to_string() });
    let outcome = agent.reload(&new);
    assert_eq!(outcome["ok"], json!(true), "{outcome}");
    let before = std::mem::replace(&mut agent.http, new["http"]["listen"].as_str().unwrap().parse().unwrap());
    agent.wait("the new address", || http::get(agent.http, "/health").ok());
    assert!(http::get(before, "/health").is_err());
    // Off, which refuses at once instead of keeping clients waiting, and on again.
    let mut off = new.clone();
    off["http"]["enabled"] = json!(false);
    assert_eq!(agent.reload(&off)["ok"], json!(true));
    agent.wait("no server", || http::connect(agent.http).is_err().then_some(()));
    assert_eq!(agent.reload(&new)["ok"], json!(true));
    agent.wait("the server again", || http::get(agent.http, "/health").ok());
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn what_is_wrong_changes_nothing_and_is_told_with_line_and_key() {
    let server = Server::good();
    let good = json!({ "hostname": "h", "heartbeat": { "enabled": false },
                       "transfer": { "addrs": [server.addr], "interval": 1, "replay_delay": 0 } });
    let agent = Agent::start(&good);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = json!({ "http": { "listen": taken.local_addr().unwrap().to_string() } }).to_string();
    for (text, told) in [
        ("{\n  \"transfer\": {\n    \"interval\": \"often\" } }", "cfg.json:3:"),
        ("", "cfg.json"),
        ("{", "cfg.json:1:"),
        (elsewhere.as_str(), "http.listen: cannot listen on"),
        (r#"{"http": {"tls": {"cert": "nowhere.pem"}}}"#, "http.tls"),
    ] {
        let outcome = agent.reload_text(text);
        assert_eq!(outcome["ok"], json!(false), "{text}: {outcome}");
        assert!(outcome["text"].as_str().unwrap().contains(told), "{text}: {outcome}");
        agent.assert_healthy();
    }
    std::fs::remove_file(agent.dir().join("cfg.json")).unwrap();
    agent.signal(Signal::HUP);
    agent.wait_for_lines("nothing was changed", 6);
    let count = server.items().len();
    agent.wait("points as before", || (server.items().len() > count).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// A role puts files down and calls nobody.
#[test]
fn files_that_change_take_effect_by_themselves_and_a_bad_one_is_told_once() {
    let server = Server::good();
    let config = json!({ "hostname": "h", "heartbeat": { "enabled": false },
                         "transfer": { "addrs": [server.addr], "interval": 1, "replay_delay": 0 } });
    let agent = Agent::start(&config);
    let crc = || agent.health()["config"]["crc"].clone();
    let before = crc();
    let dir = agent.dir().join("cfg.d");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("10-role.json"), r#"{"default_tags": {"role": "web"}}"#).unwrap();
    fs::write(dir.join("20-bad.json"), "{\n \"hostname\": 1}").unwrap();
    agent.wait("the overlay's tag", || server.items().iter().any(|item| item.tags == "role=web").then_some(()));
    let health = agent.health()["config"].clone();
    assert_ne!(crc(), before);
    let sent =
        || server.items().iter().filter(|item| item.metric == "agent.config.crc").map(|item| item.value).next_back();
    agent.wait("its crc", || (sent() == crc().as_f64()).then_some(()));
    let bad = json!({ "file": "20-bad.json", "line": 2, "column": 14, "key": "hostname" });
    let expected = json!({ "crc": crc(), "overlays": ["10-role.json"], "skipped": [bad], "refused": false });
    assert_eq!(health, expected);
    agent.wait_for_lines("F006 ", 1);
    // With a cfg.json that is wrong all of it stays, and that is shown.
    assert_eq!(agent.reload_text("{\"debug\": 1}")["ok"], json!(false));
    let mut kept = expected.clone();
    kept["refused"] = json!(true);
    assert_eq!(agent.health()["config"], kept);
    // What is in effect does not change with it, and what is said of it does.
    fs::write(dir.join("20-bad.json"), "{\n \"debug\": 1}").unwrap();
    let again = agent.reload(&config);
    assert!(again["text"].as_str().unwrap().ends_with("says what is in effect already"), "{again}");
    assert!(again["warnings"].to_string().contains("20-bad.json:2:11: debug: expected"), "{again}");
    assert_eq!(agent.health()["config"]["skipped"][0]["key"], "debug");
    assert_eq!(agent.reload(&config)["ok"], json!(true));
    assert_eq!(agent.lines("F006 ").len(), 2, "once for each change");
    assert_eq!(agent.terminate().code, Some(0));
}

/// Beside one that reads such changes by itself, and that was started and given its file later: by then this one would have
/// read it.
#[test]
fn with_watch_off_files_that_change_wait_until_somebody_asks() {
    let config = |room: &str, watches: bool| {
        json!({ "hostname": "h", "heartbeat": { "enabled": false }, "default_tags": { "room": room },
                "reload": { "watch": watches } })
    };
    let agents = [false, true].map(|watches| (Agent::start(&config("0", watches)), watches));
    let room = |agent: &Agent| agent.get("/config").json()["data"]["default_tags"]["room"].clone();
    for (agent, watches) in &agents {
        let mut new = config("1", *watches);
        new["http"] = json!({ "listen": agent.http.to_string() });
        fs::write(agent.dir().join("cfg.json"), new.to_string()).unwrap();
    }
    let [(asked, _), (watching, _)] = &agents;
    watching.wait("the change", || (room(watching) == json!("1")).then_some(()));
    assert_eq!((room(asked), asked.lines("F003 ").len()), (json!("0"), 0), "{}", asked.state());
    let answer = asked.get("/config/reload").json();
    assert_eq!(answer["data"]["default_tags"]["room"], json!("1"), "{answer}");
    for (agent, _) in agents {
        assert_eq!(agent.terminate().code, Some(0));
    }
}

/// Points that were taken in before, during and after reloads arrive once each, in order, also those that only wait.
#[test]
fn nothing_that_was_taken_in_is_lost_and_no_stamp_is_given_twice() {
    let server = Server::good();
    let config = |n: i64| {
        json!({ "hostname": "h", "heartbeat": { "enabled": false }, "ignore": { "no.such.metric": n % 2 == 0 },
                "transfer": { "addrs": [server.addr], "interval": 1, "replay_delay": 0, "replay_pause": 0 } })
    };
    let agent = Agent::start(&config(0));
    let rounds = 12;
    for n in 1..=rounds {
        if n == 4 {
            server.down();
        } else if n == 8 {
            server.up();
        }
        assert_eq!(agent.post(point(2 * n).to_string().as_bytes()).status, 200, "{}", agent.state());
        assert_eq!(agent.reload(&config(n))["ok"], json!(true));
        assert_eq!(agent.post(point(2 * n + 1).to_string().as_bytes()).status, 200, "{}", agent.state());
    }
    let pushed = || -> Vec<i64> {
        let items = server.items();
        items.iter().filter(|item| item.endpoint == "app").map(|item| item.value as i64).collect()
    };
    agent.wait("all points", || (pushed().last() == Some(&(2 * rounds + 1))).then_some(()));
    // Only a call whose answer was lost, when the transfer went down, is made again.
    let mut next = 2;
    for call in server.calls().iter().filter(|call| call.taken) {
        let mut here = next;
        for item in call.items.iter().filter(|item| item.endpoint == "app") {
            assert_eq!(item.value as i64, here, "{:?}\n{}", pushed(), agent.state());
            here += 1;
        }
        if call.answered {
            next = here;
        }
    }
    assert_eq!(next, 2 * rounds + 2, "{:?}\n{}", pushed(), agent.state());
    let mut stamps: Vec<i64> =
        server.items().iter().filter(|item| item.metric == "agent.alive").map(|item| item.timestamp).collect();
    let count = stamps.len();
    stamps.dedup();
    assert_eq!(stamps.len(), count);
    assert_eq!(agent.terminate().code, Some(0));
}

/// What waits goes on in the queue of the new configuration, from memory to disk and from one bound to another; with no transfer
/// it stays where it is, which is told.
#[test]
fn what_waits_outlives_another_queue_and_none() {
    let server = Server::good();
    let config = |transfer: bool, queue: serde_json::Value| {
        let addrs = if transfer { vec![server.addr.clone()] } else { Vec::new() };
        json!({ "hostname": "h", "heartbeat": { "enabled": false }, "queue": queue,
                "transfer": { "addrs": addrs, "interval": 3600, "replay_delay": 0, "replay_pause": 0 } })
    };
    let agent = Agent::start(&config(true, json!({ "enabled": false })));
    agent.wait("a first cycle", || (!server.items().is_empty()).then_some(()));
    server.down();
    let queues = [json!({ "max_mb": 100 }), json!({ "max_mb": 200 }), json!({ "enabled": false }), json!({})];
    let mut n = 0;
    for queue in queues {
        n += 1;
        assert_eq!(agent.post(point(n).to_string().as_bytes()).status, 200, "{}", agent.state());
        assert_eq!(agent.reload(&config(true, queue))["ok"], json!(true));
    }
    agent.wait_for_lines("A016", 1);
    assert_eq!(agent.reload(&config(false, json!({})))["ok"], json!(true));
    agent.wait_for_lines("A016", 2);
    server.up();
    assert_eq!(agent.reload(&config(true, json!({})))["ok"], json!(true));
    let pushed = || -> Vec<i64> {
        let items = server.items();
        items.iter().filter(|item| item.endpoint == "app").map(|item| item.value as i64).collect()
    };
    agent.wait("all points", || (pushed().len() >= 4).then_some(()));
    assert_eq!(pushed(), [1, 2, 3, 4], "{}", agent.state());
    for code in ["A015", "used by another agent"] {
        assert_eq!(agent.lines(code), Vec::<String>::new());
    }
    assert_eq!(agent.terminate().code, Some(0));
}

/// A state directory that hangs is a disk that does: the outcome is left there by a thread of its own, and a stop does not wait
/// for it. One of the moments is in the middle of a reload.
#[test]
fn a_stop_in_the_middle_of_a_reload_is_a_stop() {
    let hanging = |agent: &Agent| {
        let run = agent.dir().join("var");
        std::fs::create_dir_all(&run).unwrap();
        let made = std::process::Command::new("mkfifo").arg(run.join("reload.new")).status();
        assert!(made.expect("mkfifo").success());
    };
    for hangs in [true, false] {
        let agent = Agent::start(&json!({ "hostname": "h" }));
        if hangs {
            hanging(&agent);
        }
        std::fs::write(agent.dir().join("cfg.json"), json!({ "hostname": "other" }).to_string()).unwrap();
        agent.signal(Signal::HUP);
        if hangs {
            agent.wait_for_lines("is in effect", 1);
        }
        let begin = std::time::Instant::now();
        let ended = agent.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.err.contains("SIGTERM: stopping"), "{}", ended.err);
        // The promise is 5 s, as long as the disk is waited for alone.
        assert!(begin.elapsed().as_millis() < 5000 || !hangs, "{}", ended.err);
    }
}
