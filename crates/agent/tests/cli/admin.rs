//! The agent reloaded and ended over its port, by a script on this host.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::harness::agent::{Agent, free_address};
use crate::harness::http;
use crate::harness::namespace::{give_address, is_within};
use crate::harness::openapi::Description;

/// What the file says now, with the port that the agent has.
fn write(agent: &Agent, config: &Value) {
    let mut config = config.clone();
    if config["http"]["listen"].is_null() {
        config["http"]["listen"] = json!(agent.http.to_string());
    }
    fs::write(agent.dir().join("cfg.json"), config.to_string()).expect("a file");
}

fn reload(agent: &Agent) -> Value {
    agent.get("/config/reload").json()
}

#[test]
fn a_reload_answers_with_what_is_in_effect_and_a_bad_file_changes_nothing() {
    let config = json!({ "hostname": "first", "heartbeat": { "enabled": false } });
    let agent = Agent::start(&config);
    write(&agent, &json!({ "hostname": "second", "mssql": { "password": "hunter2" } }));
    let answer = reload(&agent);
    assert_eq!((&answer["msg"], &answer["data"]["hostname"]), (&json!("success"), &json!("second")), "{answer}");
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
    assert_eq!(agent.get("/proc/kernel/hostname").text(), r#"{"msg":"success","data":"second"}"#);
    assert_eq!(agent.get("/config").json()["data"], answer["data"]);
    // What SIGHUP leaves for who waits is left too.
    let left = agent.dir().join("var/reload.json");
    agent.wait("its notes", || fs::read_to_string(&left).ok().filter(|notes| notes.contains("changed: ")));
    fs::write(agent.dir().join("cfg.json"), "{\n\"hostname\": 7}").expect("a file");
    let refused = reload(&agent);
    assert!(refused["msg"].as_str().is_some_and(|msg| msg.contains("cfg.json:2:")), "{refused}");
    assert!(refused["data"].is_null(), "{refused}");
    assert_eq!(agent.get("/proc/kernel/hostname").text(), r#"{"msg":"success","data":"second"}"#);
    assert_eq!(agent.terminate().code, Some(0));
}

/// The server that was asked ends in the middle of the reload: it answers all the same.
#[test]
fn a_reload_that_moves_the_port_is_answered_at_the_old_one() {
    let agent = Agent::start(&json!({ "hostname": "h", "heartbeat": { "enabled": false } }));
    let next = free_address();
    write(&agent, &json!({ "hostname": "moved", "http": { "listen": next.to_string() } }));
    let answer = reload(&agent);
    assert_eq!(answer["data"]["http"]["listen"], json!(next.to_string()), "{answer}");
    let moved = || http::get(next, "/proc/kernel/hostname").ok().filter(|answer| answer.text().contains("moved"));
    agent.wait("the new port", moved);
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn many_who_reload_at_once_are_all_answered() {
    let agent = Agent::start(&json!({ "hostname": "h", "heartbeat": { "enabled": false } }));
    write(&agent, &json!({ "hostname": "other", "heartbeat": { "enabled": false } }));
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(|| reload(&agent))).collect();
        for answer in asked {
            assert_eq!(answer.join().expect("no panic")["data"]["hostname"], json!("other"));
        }
    });
    assert_eq!(agent.terminate().code, Some(0));
}

/// As a signal ends it: in order, and what no transfer took is on disk.
#[test]
fn an_exit_ends_it_and_keeps_what_waits() {
    let dead = free_address();
    let agent = Agent::start(&json!({
        "hostname": "h",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false, "addrs": [dead.to_string()] },
    }));
    agent.push(&json!([{ "endpoint": "app", "metric": "m", "value": 1, "step": 60, "counterType": "GAUGE", "tags": "",
                         "timestamp": crate::harness::now() }]));
    let (home, ended) = agent.exit_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("/exit: stopping"), "{}", ended.err);
    assert!(home.queue_bytes() > 0, "{}", ended.err);
}

/// A key that comes to `cfg.json` comes to `docs/openapi.json` too.
#[test]
fn a_configuration_with_something_in_every_list_is_described() {
    let dead = free_address().to_string();
    let agent = Agent::start(&json!({
        "hostname": "h",
        "heartbeat": { "enabled": false, "addrs": [dead] },
        "transfer": { "enabled": false, "addrs": [dead] },
        "http": { "allow": ["10.0.0.0/8"], "admin_allow": ["10.0.0.1"], "hosts": ["agent.example"] },
        "collector": {
            "ifacePrefix": ["eth"],
            "mountPoint": ["/"],
            "process": ["sshd"],
            "ntp": [],
            "intervals": { "du": 300 },
            "limits": { "interfaces": 8 },
            "gpu": false,
            "counters": [{ "object": "System", "counters": ["Threads"], "metric": "sys.x", "tags": { "a": "b" } }, { "object": "Memory" }],
        },
        "checks": {
            "ports": [1, { "port": 1, "protocol": "udp" }],
            "processes": ["sshd"],
            "directories": ["/nowhere"],
            "urls": [{ "url": format!("http://{dead}/"), "status": [200, "300-399"], "timeout": 1 }],
            "ping": ["127.0.0.1"],
            "tcp": [dead],
            "dns": [{ "name": "localhost", "server": dead, "type": "AAAA", "timeout": 10 }],
        },
        "service": { "names": ["ssh*"], "alive": "exists" },
        "default_tags": { "idc": "bj" },
        "ignore": { "cpu.busy": true },
        "iis": { "enabled": true, "websites": ["a"], "exclude": ["b"] },
        "mssql": { "enabled": false, "addr": "h", "port": 1433, "username": "u", "password": "p", "encrypt": "disable" },
    }));
    let description = Description::read();
    for path in ["/config", "/config/reload"] {
        let answer = agent.get(path);
        description.assert_has("GET", path, &answer);
        let (checks, collector) = (&answer.json()["data"]["checks"], &answer.json()["data"]["collector"]);
        assert!(checks.as_object().is_some_and(|lists| lists.values().all(|list| list[0] != Value::Null)), "{checks}");
        assert_eq!(collector["counters"].as_array().map(Vec::len), Some(2), "{collector}");
    }
    assert_eq!(agent.terminate().code, Some(0));
}

/// A client that is not trusted, and says that it is another.
#[test]
fn whose_address_is_written_down_makes_nobody_trusted() {
    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    if !is_within("admin::whose_address_is_written_down_makes_nobody_trusted") {
        return;
    }
    give_address(OWN);
    let listen = SocketAddr::new(OWN, 1988);
    let config =
        json!({ "hostname": "h", "heartbeat": { "enabled": false }, "http": { "listen": listen.to_string() } });
    let agent = Agent::start(&config);
    for path in ["/exit", "/config/reload", "/config"] {
        for line in [
            "Host: 127.0.0.1",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-For: ::1, 127.0.0.1",
            "X-Forwarded-Host: localhost",
            "X-Real-IP: 127.0.0.1",
            "X-Client-IP: 127.0.0.1",
            "X-Originating-IP: 127.0.0.1",
            "X-Remote-Addr: 127.0.0.1",
            "X-Cluster-Client-IP: 127.0.0.1",
            "True-Client-IP: 127.0.0.1",
            "CF-Connecting-IP: 127.0.0.1",
            "Client-IP: 127.0.0.1",
            "Forwarded: for=127.0.0.1;host=localhost",
            "Referer: http://127.0.0.1/",
        ] {
            let host = if line.starts_with("Host") { "" } else { "Host: localhost\r\n" };
            let request = format!("GET {path} HTTP/1.1\r\n{host}{line}\r\nConnection: close\r\n\r\n");
            let answer = http::one(agent.http, request.as_bytes()).expect("an answer");
            // With 200: for its address, not for what a browser may not.
            let refused = answer.status == 200 && answer.text() == "no privilege";
            assert!(refused, "{path} {line}: {answer:?}");
        }
    }
    agent.assert_healthy();
    assert_eq!(agent.lines("asks for"), [""; 0]);
}
