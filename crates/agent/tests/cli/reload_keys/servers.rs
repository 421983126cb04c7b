//! Where points, reports and words go.

use serde_json::{Value, json};

use super::bed::{Bed, Stage};
use super::row::{Row, is_shown, tag_values};
use crate::harness::servers::hbs::{PLUGINS, REPORT};

/// Whether a cycle has what one of the two hbs assigns.
fn is_assigned(stage: &Stage<'_>, n: usize) -> bool {
    let port = (n + 1).to_string();
    stage.cycles().iter().any(|cycle| tag_values(cycle, "net.port.listen", "port") == [port.as_str()])
}

fn asks(stage: &Stage<'_>, n: usize) -> bool {
    !stage.hbs_calls(n, REPORT).is_empty() && is_assigned(stage, n)
}

fn speaks_debug(stage: &Stage<'_>, is_on: bool) -> bool {
    match is_on {
        true => stage.lines(" DEBUG ") > 0,
        false => !stage.cycles().is_empty() && stage.lines(" DEBUG ") == 0,
    }
}

/// Where what waits is put down; `None`: nowhere.
fn queue(stage: &Stage<'_>) -> Option<String> {
    stage.get("/queue")?.json()["data"]["dir"].as_str().map(str::to_owned)
}

/// Whether the log goes to a file; `null`: to none.
fn goes_to(stage: &Stage<'_>, file: &Value) -> bool {
    let shown = file.as_str().unwrap_or_default();
    let written = || std::fs::read_to_string(stage.agent.dir().join(shown)).is_ok_and(|log| log.contains(" INFO "));
    is_shown(stage, "log.file", &json!(shown)) && (file.is_null() || written())
}

pub fn rows(bed: &Bed) -> Vec<Row> {
    let transfers = bed.transfers.each_ref().map(|server| server.addr.clone());
    let hbs = bed.hbs.each_ref().map(|hbs| hbs.addr().to_owned());
    let hole = bed.hole.addr.clone();
    let (first, second) = (transfers[0].clone(), hbs[0].clone());
    vec![
        Row::new("transfer.addrs", json!([transfers[0]]), json!([transfers[1]]), move |stage, addrs| {
            stage.got_cycle(&stage.bed.transfers[usize::from(addrs[0] != json!(first))])
        }),
        Row::new("transfer.timeout", json!(1000), json!(345), |stage, ms| match ms.as_i64() {
            Some(345) => stage.lines("no connection within 345 ms") > 0,
            _ => is_shown(stage, "transfer.timeout", ms),
        })
        .also(json!({ "transfer": { "addrs": [hole] } })),
        Row::new("transfer.addr", Value::Null, json!(transfers[1]), |stage, addr| {
            stage.got_cycle(&stage.bed.transfers[usize::from(!addr.is_null())])
        })
        .also(json!({ "transfer": { "addrs": null } })),
        Row::new("heartbeat.enabled", json!(true), json!(false), |stage, on| match on {
            Value::Bool(true) => asks(stage, 0),
            // Without an hbs nobody would take back what it assigned.
            _ => stage.cycles().iter().any(|cycle| tag_values(cycle, "net.port.listen", "port").is_empty()),
        }),
        Row::new("heartbeat.addr", json!([hbs[0]]), json!([hbs[1]]), move |stage, addrs| {
            asks(stage, usize::from(addrs[0] != json!(second)))
        }),
        Row::new("heartbeat.interval", json!(1), json!(3600), |stage, seconds| match seconds.as_i64() {
            Some(1) => stage.hbs_calls(0, REPORT).len() >= 3,
            // The one at its start.
            _ => stage.cycles().len() >= 4 && stage.hbs_calls(0, REPORT).len() <= 1,
        }),
        Row::new("heartbeat.timeout", json!(1000), json!(321), |stage, ms| match ms.as_i64() {
            // What was assigned before stays so while no hbs answers.
            Some(321) => stage.lines("no connection within 321 ms") > 0 && is_assigned(stage, 0),
            _ => is_shown(stage, "heartbeat.timeout", ms),
        })
        .also(json!({ "heartbeat": { "addr": [hole] } })),
        Row::new("heartbeat.addrs", Value::Null, json!([hbs[1]]), |stage, addrs| {
            asks(stage, usize::from(!addrs.is_null()))
        })
        .also(json!({ "heartbeat": { "addr": null } })),
        Row::new("ip", json!(""), json!("10.9.8.7"), |stage, ip| {
            let said = if *ip == "" { &json!("127.0.0.1") } else { ip };
            stage.hbs_calls(0, REPORT).last().is_some_and(|report| report["IP"] == *said)
        }),
        Row::new("plugin.enabled", json!(false), json!(true), |stage, on| {
            let asked = !stage.hbs_calls(0, PLUGINS).is_empty();
            stage.hbs_calls(0, REPORT).len() >= 2 && *on == json!(asked)
        }),
        Row::new("debug", json!(false), json!(true), |stage, on| speaks_debug(stage, *on == true)),
        Row::new("log.level", json!("info"), json!("debug"), |stage, level| speaks_debug(stage, *level == "debug")),
        Row::new("log.file", Value::Null, json!("a.log"), goes_to),
        Row::new("logfile", Value::Null, json!("b.log"), goes_to),
        Row::new("queue.enabled", json!(true), json!(false), |stage, on| json!(queue(stage).is_some()) == *on),
        Row::new("state_dir", json!("var"), json!("elsewhere"), |stage, dir| {
            queue(stage).is_some_and(|queue| queue.ends_with(&format!("{}/queue", dir.as_str().unwrap_or_default())))
        }),
    ]
}
