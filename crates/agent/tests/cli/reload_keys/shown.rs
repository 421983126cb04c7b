//! Keys without an effect on Linux, and those whose effect takes a clock: `/config` has the value that is in effect, and the
//! outcome names the key.

use serde_json::{Value, json};

use super::row::{Row, is_shown};

/// One that is never shown itself.
fn secret(key: &'static str) -> Row {
    Row::new(key, Value::Null, json!("very-secret-indeed"), move |stage, value| {
        is_shown(stage, key, &if value.is_null() { Value::Null } else { json!("******") })
    })
}

pub fn rows() -> Vec<Row> {
    let counters =
        |object: &str| json!([{ "object": object, "counters": ["*"], "instances": ["a"], "exclude": ["b"] }]);
    vec![
        // Windows alone has performance counters.
        Row::shown("collector.counters", counters("Print Queue"), counters("MSMQ Queue")),
        Row::shown("perf.timeout", json!(10), json!(7)),
        Row::shown("perf.memory_mb", json!(64), json!(99)),
        // As IIS and SQL Server are at home there.
        Row::shown("iis.enabled", json!("auto"), json!(false)),
        Row::shown("iis.websites", json!([]), json!(["shop"])),
        Row::shown("iis.exclude", json!([]), json!(["Default Web Site"])),
        Row::shown("mssql.enabled", json!("auto"), json!(true)),
        Row::shown("mssql.instance", json!([]), json!(["shop"])),
        Row::shown("mssql.exclude", json!([]), json!(["tempdb"])),
        // A login that counters do not need.
        Row::shown("mssql.addr", Value::Null, json!("10.0.0.1")),
        Row::shown("mssql.port", Value::Null, json!(1433)),
        Row::shown("mssql.encrypt", Value::Null, json!("disable")),
        secret("mssql.username"),
        secret("mssql.password"),
        // A host of the tests has no systemd; `*.alive` are of Windows.
        Row::shown("service.names", json!([]), json!(["nginx"])),
        Row::shown("service.alive", json!("running"), json!("exists")),
        // hbs of this table binds none (`interop`'s `plugins`, and `plugin`).
        Row::shown("plugin.dir", json!("./plugin"), json!("./plugins")),
        Row::shown("plugin.git", json!(""), json!("https://example.com/plugin.git")),
        Row::shown("plugin.url", json!(""), json!("https://example.com/plugin.zip")),
        Row::shown("plugin.sha256", json!(""), json!("0123456789abcdef".repeat(4))),
        Row::shown("plugin.key", json!(""), json!("RW".repeat(28))),
        Row::shown("plugin.logs", json!("./logs"), json!("./plugin-logs")),
        Row::shown("plugin.at_once", json!(8), json!(1)),
        Row::shown("plugin.memory_mb", json!(512), json!(0)),
        // Each takes a backlog and a clock (`falcon::transfer`, `queue`).
        Row::shown("transfer.replay_delay", json!(0), json!(1)),
        Row::shown("transfer.replay_speed", json!(0), json!(1000)),
        Row::shown("transfer.replay_pause", json!(0), json!(1)),
        Row::shown("queue.max_mb", json!(256), json!(64)),
        Row::shown("queue.max_age", json!(43_200), json!(86_400)),
        // Takes half a minute over its limit (`guard`).
        Row::shown("guard.enabled", json!(true), json!(false)),
        Row::shown("guard.memory_mb", json!(200), json!(400)),
        Row::shown("guard.cpu_percent", json!(20), json!(0)),
        // Takes a file of its size (`log`).
        Row::shown("log.max_mb", json!(10), json!(1)),
        Row::shown("log.keep", json!(5), json!(2)),
        // `reload`, beside this table, has what it does.
        Row::shown("reload.watch", json!(true), json!(false)),
        // A client elsewhere: this host may always (`http`).
        Row::shown("http.allow", json!([]), json!(["10.0.0.0/8"])),
        Row::shown("http.admin_allow", json!([]), json!(["10.0.0.0/8"])),
        // Hundreds of connections and megabytes at once (`http`, and the faults' `crowd`).
        Row::shown("http.limits.connections", json!(256), json!(64)),
        Row::shown("http.limits.in_flight", json!(16_777_216), json!(8_388_608)),
    ]
}
