//! Load averages, the time since boot, and the time of day.

use std::io;
use std::sync::Arc;

use falcon_sys::Host;
use falcon_sys::types::{LoadAvg, LocalTime};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Site;
use super::super::answer::Response;
use super::cpu::processors;
use super::{NOT_PREPARED, Told, data, number, told};
use crate::clock;

/// As the system tells it; Windows tells no averages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    averages: Option<[f64; 3]>,
    running: u64,
    all: u64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    #[serde(rename = "Avg1min")]
    one: Value,
    #[serde(rename = "Avg5min")]
    five: Value,
    #[serde(rename = "Avg15min")]
    fifteen: Value,
    running_processes: u64,
    total_processes: u64,
}

fn read(host: &mut Host) -> io::Result<Load> {
    let averages = match host.load_avg() {
        Ok(LoadAvg { one, five, fifteen }) => Some([one, five, fifteen]),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => None,
        Err(error) => return Err(error),
    };
    Ok(Load { averages, running: host.run_queue()?, all: host.sys_info()?.threads.unwrap_or(0) })
}

/// With the averages that the collector `load` emulated last, where the system has none.
async fn told_load(site: &Site) -> Told<(Load, [f64; 3])> {
    let load = site.facts.ask(&site.facts.load, read).await?;
    let emulated = || {
        let now = clock::unix_s();
        let [one, five, fifteen] =
            ["load.1min", "load.5min", "load.15min"].map(|metric| site.hub.collected(metric, now));
        Some([one?, five?, fifteen?])
    };
    let averages = load.averages.or_else(emulated).ok_or(NOT_PREPARED)?;
    Ok((load, averages))
}

pub(super) async fn load(site: Arc<Site>) -> Response {
    told(told_load(&site).await.map(|(load, averages)| {
        let [one, five, fifteen] = averages.map(number);
        Shown { one, five, fifteen, running_processes: load.running, total_processes: load.all }
    }))
}

pub(super) async fn load_page(site: Arc<Site>) -> Response {
    let both = async { Ok::<_, String>((told_load(&site).await?.1, processors(&site).await?)) };
    told(both.await.map(|(averages, processors)| load_rows(averages, processors)))
}

/// Each average, and what that is of all processors: the integer part of the percentage.
pub(super) fn load_rows(averages: [f64; 3], processors: u32) -> [[Value; 2]; 3] {
    averages.map(|load| [number(load), number((load * 100.0 / f64::from(processors.max(1))).trunc())])
}

/// Days, hours and minutes.
pub(super) fn split(uptime_s: u64) -> [u64; 3] {
    let minutes = uptime_s / 60;
    [minutes / 1440, minutes / 60 % 24, minutes % 60]
}

pub(super) fn uptime() -> Response {
    let [days, hours, mins] = split(falcon_sys::since_boot().as_secs());
    data(json!({ "days": days, "hours": hours, "mins": mins }))
}

pub(super) fn uptime_page() -> Response {
    let [days, hours, minutes] = split(falcon_sys::since_boot().as_secs());
    data(format!("{days} days {hours} hours {minutes} minutes"))
}

pub(super) fn date() -> Response {
    data(as_text(&falcon_sys::local_time(clock::unix_s())))
}

pub(super) fn as_text(at: &LocalTime) -> String {
    let LocalTime { year, month, day, hour, minute, second } = at;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}
