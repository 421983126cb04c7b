//! A reading as an event of the stream.

use bytes::Bytes;
use falcon_sys::types::LoadAvg;
use serde_json::{Value, json};

use super::reading::Reading;
use crate::clock;
use crate::hub::Hub;
use crate::model::Tags;
use crate::stats::Stats;

pub(super) fn event(of: &Reading, stats: &Stats, hub: &Hub) -> Bytes {
    let now = clock::agent().look().at_ms;
    let cpu = of.cpu.as_ref().map(|cpu| {
        json!({
            "busy": short(cpu.busy), "user": short(cpu.user + cpu.nice), "system": short(cpu.system), "iowait": short(cpu.iowait),
        })
    });
    let mem = of.mem.map(|mem| {
        let available = mem.available_bytes.min(mem.total_bytes);
        json!({ "total": mem.total_bytes, "used": mem.total_bytes - available, "available": available })
    });
    let load = of.load.map(|LoadAvg { one, five, fifteen }| [one, five, fifteen]).or_else(|| emulated(hub, now));
    let net = of
        .net
        .as_ref()
        .map(|net| json!({ "in": net.received.round(), "out": net.sent.round(), "of": tagged(&net.of) }));
    let disk = of.disk.as_ref().map(|disk| {
        json!({
            "read": disk.read.round(), "write": disk.write.round(), "util": short(disk.util), "of": tagged(&disk.of),
        })
    });
    let mut event = json!({
        "t": now,
        "cpu": cpu,
        "mem": mem,
        "load": load.map(|load| load.map(short)),
        "queue": of.queue,
        "net": net,
        "disk": disk,
        "up": stats.transfer_up.get(),
        "sent": stats.sent.get(),
        "waiting": stats.queued.get(),
    });
    if let (Some(top), Value::Object(event)) = (&of.top, &mut event) {
        let shown = top.iter().map(|of| json!({ "pid": of.pid, "name": of.name, "cpu": short(of.cpu), "mem": of.mem }));
        event.insert("top".to_owned(), shown.collect());
    }
    // JSON has no line break of its own, so an event is one line.
    format!("data: {event}\n\n").into()
}

/// Windows has no averages; the collector `load` has.
fn emulated(hub: &Hub, now_ms: i64) -> Option<[f64; 3]> {
    let of = |metric| hub.collected(metric, now_ms.div_euclid(1000));
    Some([of("load.1min")?, of("load.5min")?, of("load.15min")?])
}

/// Names as they stand in the tags of series, so that the same can be found there.
fn tagged(names: &[String]) -> Vec<String> {
    names.iter().map(|name| Tags::of(&[("", name)]).as_str().replacen('=', "", 1)).collect()
}

/// Two digits behind the point are more than anybody sees.
fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
