//! `/ui/state`: who the agent is, how it does, what each unit did last, what plugins run, and the last lines of the log that
//! tell of something wrong. Those lines, and what plugins have said, are for the few whom [`access`] lets in; why a unit or hbs
//! fails is told to everybody, for operators look from their desks.

use serde::Serialize;
use serde_json::{Value, json as value};

use super::super::answer::Response;
use super::super::health::Details;
use super::super::routes::Asked;
use super::super::{Site, access};
use super::json;
use crate::clock;
use crate::log;
use crate::plugin::engine::Shown;
use crate::schedule::Report;

#[derive(Serialize)]
struct State {
    now: i64,
    endpoint: Option<String>,
    version: String,
    uptime: u64,
    os: &'static str,
    /// Of the transfer, in seconds.
    step: u32,
    health: Details,
    hbs: Value,
    sources: Vec<Value>,
    /// `null`: plugins are off.
    plugins: Option<Plugins>,
    /// `null`: not for who asks.
    log: Option<Vec<Value>>,
    history: Value,
    live: Value,
    /// Points of series that the snapshot had no room for.
    left_out: u64,
}

#[derive(Serialize)]
struct Plugins {
    /// As reported to hbs last.
    version: Option<String>,
    list: Vec<Shown>,
}

pub(super) fn shown(site: &Site, asked: &Asked) -> Response {
    let whole = access::privilege(site, asked).is_ok();
    // Plain data with text keys and finite numbers: there is nothing in it that serde_json can refuse.
    json(serde_json::to_vec(&State::of(site, whole)).unwrap_or_default())
}

impl State {
    fn of(site: &Site, whole: bool) -> State {
        let (health, hbs, live) = (Details::of(site), site.stats.hbs.get(), &site.facts.live);
        let list = |(name, mut shown): (String, Shown)| {
            shown.name = Some(name);
            shown
        };
        State {
            now: clock::unix_s(),
            endpoint: health.endpoint.clone(),
            version: health.version.clone(),
            uptime: health.uptime,
            os: std::env::consts::OS,
            step: site.step,
            health,
            hbs: value!({ "state": hbs.reach.as_str(), "addr": hbs.addr, "since": hbs.since_s, "error": hbs.error }),
            sources: site.stats.units.all().into_iter().map(source).collect(),
            plugins: site.plugins.as_ref().map(|engine| Plugins {
                version: hbs.plugins,
                list: engine.shown(whole).into_iter().map(list).collect(),
            }),
            log: whole.then(|| log::recent().into_iter().map(line).collect()),
            history: history(site),
            live: value!({ "watching": live.watching(), "readings": live.readings() }),
            left_out: site.stats.snapshot_full.get(),
        }
    }
}

fn source(of: Report) -> Value {
    value!({
        "name": of.name,
        "lane": of.lane.name(),
        "state": of.doing.as_str(),
        "last": of.last_s,
        "ms": of.ms,
        "points": of.points,
        "problems": of.problems,
        "remarks": of.remarks,
        "more": of.more,
        "again": of.again_s,
    })
}

fn line(of: log::Recent) -> Value {
    let level = if of.is_error { "error" } else { "warn" };
    value!({ "at": of.at_s, "level": level, "code": of.code, "text": of.text })
}

fn history(site: &Site) -> Value {
    let of = site.hub.history_facts();
    value!({ "max_bytes": of.max_bytes, "bytes": of.bytes, "from": of.from, "series": of.series, "points": of.points })
}
