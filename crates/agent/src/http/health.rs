//! `/health`: `ok` for the Go agent's scripts, and a JSON object for those who ask for one.
//!
//! The status is 200 as long as the agent answers: what is wrong behind it stands in the object.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::Site;
use super::access::Trusted;
use super::answer::{json, plain, wants_json};

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
}

/// The way to the servers.
#[derive(Debug, Default, Serialize)]
pub struct Transfer {
    /// As configured; empty: points are only shown here.
    pub addrs: Vec<String>,
    /// Points that a transfer acknowledged, and those it refused.
    pub sent: u64,
    pub invalid: u64,
}

/// Points that wait for a transfer.
#[derive(Debug, Default, Serialize)]
pub struct Queue {
    pub points: u64,
    /// Points that were taken in and never reached a transfer.
    pub lost: u64,
}

impl Health {
    /// The only place that knows where each part comes from.
    fn of(site: &Site, trusted: bool) -> Health {
        let stats = &site.stats;
        let details = || Details {
            version: site.identity.version.clone(),
            endpoint: site.identity.endpoint().ok(),
            uptime: site.started.elapsed().as_secs(),
            transfer: Transfer { addrs: site.transfers.clone(), sent: stats.sent.get(), invalid: stats.invalid.get() },
            queue: Queue { points: stats.queued.get(), lost: stats.lost_in_all() },
        };
        Health { status: "ok", details: trusted.then(details) }
    }
}

pub(super) async fn handle(
    State(site): State<Arc<Site>>,
    Extension(Trusted(trusted)): Extension<Trusted>,
    headers: HeaderMap,
) -> Response {
    if wants_json(&headers) { json(StatusCode::OK, &Health::of(&site, trusted)) } else { plain("ok") }
}
