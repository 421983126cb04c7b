//! The HTTP server on :1988: an accept loop and a table of paths around hyper's http1.
//!
//! Every request costs what `http.limits` allows and no more: so many connections (`slots`), so long for a request's head and
//! body and for taking the answer (`impatient`), so many bytes of bodies (`budget`) and items of a push, so many pushes of a
//! client (`rate`). Who may ask is `access`; what is answered under which path is `routes`, what is said `ui`, `push`, `health`,
//! `queue`, `api`, `metrics`, `plugins` and `admin`. A port that is taken is tried again; it never ends the agent.

mod access;
mod admin;
mod answer;
mod api;
mod budget;
pub(crate) mod client;
mod content;
pub mod health;
mod impatient;
mod listen;
mod metrics;
mod plugins;
pub mod push;
pub mod queue;
mod rate;
mod routes;
mod serve;
mod slots;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod ui;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;

pub use self::admin::{COMMANDS, Command, Commands, Reloaded};
pub use self::api::Facts;
pub use self::listen::{Port, try_bind};
pub use self::serve::{Entrance, serve};
use crate::app::Identity;
use crate::config::{Config, Http};
use crate::falcon::transfer::Transfers;
use crate::hub::Hub;
use crate::plugin::engine::Engine;
use crate::stats::Stats;
use crate::trusted::Trusted;

const HEALTH: &str = "/health";

/// What handlers see.
pub struct Site {
    pub hub: Arc<Hub>,
    pub stats: Arc<Stats>,
    pub identity: Arc<Identity>,
    /// Where points go.
    pub transfers: Arc<Transfers>,
    facts: Arc<Facts>,
    trusted: Arc<Trusted>,
    plugins: Option<Arc<Engine>>,
    commands: Commands,
    http: Http,
    /// As it may be seen.
    config: Value,
    tls: Option<tls::Files>,
    pushes: push::Pushes,
    series: ui::series::Cache,
    /// Of the history: one at a time.
    reading: Arc<tokio::sync::Mutex<()>>,
    metrics: metrics::Cache,
    /// A verification reads everything on disk, and points wait for its end: there is one at a time.
    verifying: Arc<Semaphore>,
    started: Instant,
    /// Of the transfer, in seconds.
    step: u32,
    /// What is collected goes to the transfers, and not what is pushed alone.
    sends: bool,
}

/// What a server has behind it.
pub struct Behind {
    pub hub: Arc<Hub>,
    pub stats: Arc<Stats>,
    pub identity: Arc<Identity>,
    pub transfers: Arc<Transfers>,
    pub facts: Arc<Facts>,
    /// Whom hbs trusts.
    pub trusted: Arc<Trusted>,
    /// `None`: plugins are off.
    pub plugins: Option<Arc<Engine>>,
    /// To whoever runs the agent.
    pub commands: Commands,
}

impl Site {
    /// `dir` is where relative names of files count from, `started` when the agent began.
    pub fn new(config: &Config, dir: &Path, behind: Behind, started: Instant) -> Site {
        let Behind { hub, stats, identity, transfers, facts, trusted, plugins, commands } = behind;
        Site {
            hub,
            stats,
            identity,
            transfers,
            facts,
            trusted,
            plugins,
            commands,
            config: admin::dump(config),
            http: config.http.clone(),
            tls: tls::Files::of(&config.http.tls, dir),
            pushes: push::Pushes::new(config),
            series: ui::series::Cache::default(),
            reading: Arc::default(),
            metrics: metrics::Cache::default(),
            verifying: Arc::new(Semaphore::new(1)),
            started,
            step: config.transfer.interval,
            sends: config.transfer.enabled,
        }
    }

    /// Whether TLS, if it is meant, can be had with the files as they are.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_tls(config: &Config, dir: &Path) -> anyhow::Result<()> {
        tls::Files::of(&config.http.tls, dir).map_or(Ok(()), |files| files.load().map(drop))
    }

    /// The way to it.
    pub fn entrance(&self) -> Entrance {
        Entrance { http: self.http.clone(), tls: self.tls.clone(), stats: self.stats.clone() }
    }

    fn body_timeout(&self) -> Duration {
        self.http.body_timeout()
    }

    /// Whether who asks from this address may change the agent.
    fn trusts(&self, client: IpAddr) -> bool {
        client.is_loopback()
            || self.trusted.contains(client)
            || self.http.admin_allow.iter().any(|network| network.contains(client))
    }

    /// Whether a name, without port, is one of this host. An address is: nobody can make it another site's.
    fn is_named(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is = |own: &str| own.eq_ignore_ascii_case(name);
        name.parse::<IpAddr>().is_ok()
            || is("localhost")
            || self.http.hosts.iter().any(|host| is(host))
            || self.identity.endpoint().is_ok_and(|own| is(&own))
            || [falcon_sys::hostname(), falcon_sys::full_hostname()].into_iter().flatten().any(|own| {
                // `web1.corp.example` is asked for as `web1` within its domain; no other domain is taken, for anybody can have
                // a `web1` in his.
                is(&own) || own.split_once('.').is_some_and(|(short, _)| is(short))
            })
    }
}

impl Http {
    fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.header_timeout)
    }

    fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.body_timeout)
    }

    /// Whether a client of this address may connect: this host may in any case, for its scripts push here.
    fn lets_in(&self, client: IpAddr) -> bool {
        self.allow.is_empty() || client.is_loopback() || self.allow.iter().any(|network| network.contains(client))
    }
}
