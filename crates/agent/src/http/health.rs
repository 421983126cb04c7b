//! `/health`: `ok` for the Go agent's scripts, and a JSON object for those who ask for one.
//!
//! The status is 200 as long as the agent answers: what is wrong behind it stands in the object.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Serialize;

use super::Site;
use super::answer::{Response, json, plain, wants_json};
use super::routes::Asked;
use crate::clock;
use crate::falcon::connection::AddrState;
use crate::stats::{Configuration, Lost};

/// What the agent says of itself.
#[derive(Debug, Default, Serialize)]
pub struct Health {
    pub status: &'static str,
    /// Only for those who bear the token, where there is one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

#[derive(Debug, Default, Serialize)]
pub struct Details {
    pub version: String,
    /// `null`: the host has no name, and nothing is sent.
    pub endpoint: Option<String>,
    /// Seconds since the server was started.
    pub uptime: u64,
    pub transfer: Transfer,
    pub queue: Queue,
    /// `null`: nothing is replayed.
    pub replay: Option<Replay>,
    pub clock: Clock,
    pub config: Configuration,
}

/// The way to the servers.
#[derive(Debug, Default, Serialize)]
pub struct Transfer {
    /// `transfer.enabled`; without it, only what is pushed is sent.
    pub enabled: bool,
    /// Empty: points are only shown here. The first is the one that is returned to.
    pub addrs: Vec<Address>,
    /// How long the last call that was answered took, in milliseconds.
    pub call_ms: Option<i64>,
    /// Points that a transfer acknowledged, and those it refused.
    pub sent: u64,
    pub invalid: u64,
}

#[derive(Debug, Default, Serialize)]
pub struct Address {
    pub addr: String,
    /// `up`, `not tried`, `slow` or `down`, and for how many seconds.
    pub state: &'static str,
    pub since: u64,
    /// It answered the last call that was answered.
    pub used: bool,
    /// Of the last call that failed.
    pub error: Option<String>,
}

/// Points that wait for a transfer.
#[derive(Debug, Default, Serialize)]
pub struct Queue {
    pub points: u64,
    /// Seconds for which the oldest of them has waited.
    pub oldest: u64,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    /// Why nothing can be put on disk.
    pub trouble: Option<String>,
    /// Points that were taken in and never reached a transfer, by reason.
    pub lost: BTreeMap<&'static str, u64>,
}

/// A backlog on its way.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// Points, with those that came meanwhile.
    pub left: u64,
    /// Seconds; `null`: not known yet, or without end at this speed.
    pub to_go: Option<i64>,
}

/// The agent's clock.
#[derive(Debug, Default, Serialize)]
pub struct Clock {
    /// It jumped forward, and points are held until that is confirmed.
    pub in_doubt: bool,
    /// Seconds that it is ahead of hbs's; `null`: hbs does not tell.
    pub skew: Option<i64>,
}

impl Health {
    /// The only place that knows where each part comes from.
    fn of(site: &Site, trusted: bool) -> Health {
        Health { status: "ok", details: trusted.then(|| Details::of(site)) }
    }
}

impl Details {
    pub(super) fn of(site: &Site) -> Details {
        let stats = &site.stats;
        Details {
            version: site.identity.version.clone(),
            endpoint: site.identity.endpoint().ok(),
            uptime: site.started.elapsed().as_secs(),
            transfer: Transfer {
                enabled: site.sends,
                addrs: site.transfers.states().into_iter().map(Address::from).collect(),
                call_ms: stats.transfer_call_ms.get(),
                sent: stats.sent.get(),
                invalid: stats.invalid.get(),
            },
            queue: Queue::of(site),
            replay: Some(stats.replay_left.get())
                .filter(|left| *left > 0)
                .map(|left| Replay { left, to_go: stats.replay_to_go_s.get() }),
            clock: Clock { in_doubt: clock::agent().look().in_doubt, skew: stats.clock_skew_s.get() },
            config: stats.configured.get(),
        }
    }
}

impl Queue {
    fn of(site: &Site) -> Queue {
        let waiting = site.hub.queue().map(|queue| queue.waiting()).unwrap_or_default();
        Queue {
            points: waiting.points() as u64,
            oldest: waiting.age_s,
            memory_bytes: waiting.memory_bytes as u64,
            disk_bytes: waiting.disk.bytes,
            trouble: waiting.disk.trouble,
            lost: Lost::ALL.iter().map(|why| (why.as_str(), site.stats.lost(*why))).collect(),
        }
    }
}

impl From<AddrState> for Address {
    fn from(AddrState { addr, state, error, since, used }: AddrState) -> Address {
        Address { addr, state: state.as_str(), since: since.as_secs(), used, error }
    }
}

pub(super) fn handle(site: &Site, asked: &Asked) -> Response {
    let as_json = wants_json(asked.request.headers());
    if as_json { json(StatusCode::OK, &Health::of(site, asked.trusted)) } else { plain("ok") }
}
