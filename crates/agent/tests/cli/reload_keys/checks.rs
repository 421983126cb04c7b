//! What is checked without hbs.

use serde_json::{Value, json};

use super::bed::Bed;
use super::row::{Row, is_shown, tag_values};

/// One that brings a series with this value of a tag.
fn brings(key: &'static str, entry: Value, metric: &'static str, tag: (&'static str, String)) -> Row {
    Row::of_cycle(key, json!([]), json!([entry]), move |cycle, entries| {
        tag_values(cycle, metric, tag.0).contains(&tag.1.as_str()) != entries[0].is_null()
    })
}

pub fn rows(bed: &Bed) -> Vec<Row> {
    let address = bed.transfers[1].addr.clone();
    // Where nobody listens.
    let url = format!("http://{}/x", bed.listen[1]);
    let dir = bed.dir.path().display().to_string();
    vec![
        brings("checks.ports", json!(3), "net.port.listen", ("port", "3".to_owned())),
        brings("checks.processes", json!("systemd"), "proc.num", ("name", "systemd".to_owned())),
        brings("checks.directories", json!(dir), "du.bs", ("path", dir.clone())),
        brings("checks.tcp", json!(address), "tcp.connect.up", ("address", address.clone())),
        brings("checks.dns", json!("localhost"), "dns.query.up", ("name", "localhost".to_owned())),
        // Not every user may send echo requests (`probes`).
        Row::new("checks.ping", json!([]), json!(["127.0.0.1"]), |stage, hosts| match hosts[0].is_null() {
            true => is_shown(stage, "checks.ping", hosts),
            false => is_shown(stage, "checks.ping.0.host", &hosts[0]),
        }),
        brings("checks.urls", json!(url), "url.check.up", ("url", url.clone())),
    ]
}
