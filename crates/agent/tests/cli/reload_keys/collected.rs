//! What is collected, and under which names.

use std::time::Duration;

use serde_json::{Value, json};

use super::bed::Bed;
use super::row::{Row, tag_values};
use crate::harness::items::Item;

/// Long enough for a cycle of a second to be missed.
const SILENCE: Duration = Duration::from_secs(3);

fn has(cycle: &[Item], metric: &str) -> bool {
    cycle.iter().any(|item| item.metric == metric)
}

fn interfaces(cycle: &[Item]) -> Vec<&str> {
    tag_values(cycle, "net.if.in.bytes", "iface")
}

pub fn rows(bed: &Bed) -> Vec<Row> {
    let udp = bed.udp.local_addr().expect("an address").to_string();
    vec![
        Row::of_cycle("hostname", json!("h"), json!("other"), |cycle, name| {
            cycle.iter().all(|item| item.endpoint == name.as_str().unwrap_or_default())
        }),
        Row::new("transfer.enabled", json!(true), json!(false), |stage, on| match on {
            Value::Bool(true) => !stage.cycles().is_empty(),
            _ => stage.cycles().is_empty() && stage.pushes_arrive_for() >= SILENCE,
        })
        .pauses(),
        Row::of_cycle("transfer.interval", json!(1), json!(2), |cycle, step| {
            cycle.iter().any(|item| item.metric == "agent.alive" && *step == json!(item.step))
        }),
        Row::of_cycle("default_tags", json!({}), json!({ "room": "7" }), |cycle, tags| {
            let tag = tags["room"].as_str().map_or_else(String::new, |room| format!("room={room}"));
            cycle.iter().filter(|item| item.metric == "agent.alive").all(|item| item.tags == tag)
        }),
        Row::of_cycle("ignore", json!({ "cpu.idle": false }), json!({ "cpu.idle": true }), |cycle, names| {
            has(cycle, "cpu.idle") != (names["cpu.idle"] == true)
        }),
        Row::of_cycle("collector.ifacePrefix", json!([]), json!(["eth1"]), |cycle, prefixes| {
            match prefixes.as_array().is_some_and(Vec::is_empty) {
                true => interfaces(cycle) == ["eth0", "eth1", "lo"],
                false => interfaces(cycle) == ["eth1"],
            }
        }),
        Row::of_cycle("collector.ifacePrefixIgnore", json!([]), json!(["eth0"]), |cycle, ignored| {
            match ignored.as_array().is_some_and(Vec::is_empty) {
                true => interfaces(cycle) == ["eth0", "eth1", "lo"],
                false => interfaces(cycle) == ["eth1", "lo"],
            }
        }),
        Row::of_cycle("collector.mountPoint", json!([]), json!(["/boot"]), |cycle, mounts| {
            let told = tag_values(cycle, "df.bytes.total", "mount");
            if mounts[0].is_null() { told.len() > 1 } else { told == ["/boot"] }
        }),
        Row::of_cycle("collector.names", json!(["falcon", "extended"]), json!(["falcon"]), |cycle, names| {
            has(cycle, "load.1min") && has(cycle, "sys.uptime") == names[1].is_string()
        }),
        Row::of_cycle("collector.intervals", json!({ "mem": 1 }), json!({ "mem": 2 }), |cycle, steps| {
            cycle.iter().any(|item| item.metric == "mem.memtotal" && steps["mem"] == json!(item.step))
        }),
        Row::of_cycle("collector.limits", json!({ "interfaces": 9 }), json!({ "interfaces": 1 }), |cycle, limits| {
            interfaces(cycle).len() == if limits["interfaces"] == 1 { 1 } else { 3 }
        }),
        Row::of_cycle("collector.process", json!([]), json!(["systemd"]), |cycle, names| {
            has(cycle, "process.mem") != names[0].is_null()
        }),
        Row::of_cycle("collector.mem", json!(true), json!(false), |cycle, on| json!(has(cycle, "mem.memtotal")) == *on),
        Row::new("collector.ntp", json!([]), json!([udp]), |stage, servers| {
            let mut datagram = [0; 64];
            match servers[0].is_null() {
                // Whatever has come is not asked for by what is in effect now.
                true => std::iter::repeat_with(|| stage.bed.udp.recv(&mut datagram)).any(|read| read.is_err()),
                false => stage.bed.udp.recv(&mut datagram).is_ok(),
            }
        }),
    ]
}
