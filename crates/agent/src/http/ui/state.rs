//! `/ui/state`: who the agent is, how it does, what each unit did last, what plugins run, and the last lines of the log that
//! tell of something wrong. Those lines, and what plugins have said, are for the few whom [`access`] lets in; why a unit or hbs
//! fails is told to everybody, for operators look from their desks.

use serde::Serialize;
use serde_json::Value;

use super::super::answer::Response;
use super::super::health::Details;
use super::super::routes::Asked;
use super::super::{Site, access};
use super::{json, object};
use crate::clock;
use crate::config::Level;
use crate::log;
use crate::plugin::engine::Shown;
use crate::schedule::{Notes, Report};

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
    /// See [`Stats::snapshot_full`](crate::stats::Stats::snapshot_full).
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
            hbs: object(vec![
                ("state", hbs.reach.as_str().into()),
                ("addr", hbs.addr.into()),
                ("since", hbs.since_s.into()),
                ("error", hbs.error.into()),
            ]),
            sources: site.stats.units.all().into_iter().map(source).collect(),
            plugins: site.plugins.as_ref().map(|engine| Plugins {
                version: hbs.plugins,
                list: engine.shown(whole).into_iter().map(list).collect(),
            }),
            log: whole.then(|| log::recent().into_iter().map(line).collect()),
            history: history(site),
            live: object(vec![("watching", live.watching().into()), ("readings", live.readings().into())]),
            left_out: site.stats.snapshot_full.get(),
        }
    }
}

fn source(of: Report) -> Value {
    object(vec![
        ("name", of.name.into()),
        ("lane", of.lane.name().into()),
        ("state", of.doing.as_str().into()),
        ("last", of.last_s.into()),
        ("ms", of.ms.into()),
        ("points", of.points.into()),
        ("problems", notes(of.problems)),
        ("remarks", notes(of.remarks)),
        ("more", of.more.into()),
        ("again", of.again_s.into()),
    ])
}

fn notes(of: Notes) -> Value {
    of.into_iter().map(|(what, why)| Value::from([what, why])).collect()
}

fn line(of: log::Line) -> Value {
    let level = if of.level == Level::Error { "error" } else { "warn" };
    object(vec![("at", of.at_s.into()), ("level", level.into()), ("code", of.code.into()), ("text", of.text.into())])
}

fn history(site: &Site) -> Value {
    let of = site.hub.history_facts();
    object(vec![
        ("max_bytes", of.max_bytes.into()),
        ("bytes", of.bytes.into()),
        ("from", of.from.into()),
        ("series", of.series.into()),
        ("points", of.points.into()),
    ])
}
