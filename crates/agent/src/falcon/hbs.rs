//! The heartbeat: `Agent.ReportStatus` at start and at every interval. After each report that was taken hbs is asked what it
//! assigned to this host ([`assigned`](crate::assigned)): `Agent.BuiltinMetrics`, `Agent.TrustableIps` and, where plugins are
//! run, `Agent.MinePlugins` (hbs/rpc/agent.go of falcon-plus).
//!
//! The `Timestamp` of `Agent.BuiltinMetrics` is hbs's clock: that call is also made at once when somebody set this host's. Which
//! answers count is said by [`order`]. Reports go on without answers: what is wrong with hbs is told of them alone.

mod order;
mod plugins;
mod way;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Health, Named, Servers};
use super::rpc::{Error, builtin_response, plugins_response, simple_response, trustable_response};
use crate::app::Identity;
use crate::assigned::Assigned;
use crate::clock::AgentClock;
use crate::config::{Config, Heartbeat};
use crate::gojson::{self, Parser};
use crate::stats::Stats;
use order::{Builtin, Newest};
pub use plugins::{Plugins, Versions};
pub use way::{Reach, Way};

/// hbs keeps versions in 16 bytes; a longer one makes its INSERT fail, and the host never registers.
const MAX_VERSION: usize = 16;
const BUILTIN: &str = "Agent.BuiltinMetrics";
const TRUSTABLE: &str = "Agent.TrustableIps";
const PLUGINS: &str = "Agent.MinePlugins";

pub struct Reporter {
    identity: Arc<Identity>,
    interval: Duration,
    servers: Servers,
    health: Health,
    /// Why nothing could be reported, as it was told.
    told: Option<String>,
    clock: Arc<AgentClock>,
    stats: Arc<Stats>,
    assigned: Arc<Assigned>,
    /// `None`: plugins are not run.
    plugins: Option<Plugins>,
    builtin: Builtin,
    mined: Newest,
    /// Calls that hbs does not know.
    unknown: BTreeSet<&'static str>,
}

impl Reporter {
    pub fn new(
        config: &Config,
        identity: Arc<Identity>,
        clock: Arc<AgentClock>,
        stats: Arc<Stats>,
        assigned: Arc<Assigned>,
        plugins: Option<Plugins>,
    ) -> Reporter {
        let config: &Heartbeat = &config.heartbeat;
        stats.hbs.set(Reach::Untried, None, None);
        Reporter {
            identity,
            interval: Duration::from_secs(u64::from(config.interval)),
            servers: Servers::new_with(config.addrs.clone(), config.timeout, Box::new(Named("hbs"))),
            health: Health::default(),
            told: None,
            clock,
            stats,
            assigned,
            plugins,
            builtin: Builtin::default(),
            mined: Newest::default(),
            unknown: BTreeSet::new(),
        }
    }

    /// For ever.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let clock = self.clock.clone();
        loop {
            let reports = tokio::select! {
                _ = ticks.tick() => true,
                () = clock.asks() => false,
            };
            if !reports {
                self.ask_checks().await;
            } else if self.report().await {
                self.ask_checks().await;
                self.ask_trustable().await;
                if self.plugins.is_some() {
                    self.ask_plugins().await;
                }
            }
        }
    }

    /// The endpoint, as hbs can take it.
    fn hostname(&self) -> anyhow::Result<String> {
        let name = self.identity.endpoint()?;
        // hbs pastes the report into SQL as it is.
        anyhow::ensure!(
            !name.contains(['\'', '\\', '"']),
            "the endpoint {name} has a quote or a backslash; set `hostname` in cfg.json"
        );
        Ok(name)
    }

    /// Whether the report was taken.
    async fn report(&mut self) -> bool {
        let hostname = match self.hostname() {
            Ok(name) => name,
            Err(why) => {
                let why = format!("{why:#}");
                self.stats.hbs.cannot(format!("no report: {why}"));
                if self.told.as_ref() != Some(&why) {
                    crate::log::say!(Error, "R001", "hbs: no report: {why}");
                    self.told = Some(why);
                }
                return false;
            }
        };
        self.told = None;
        let plugins = match &self.plugins {
            Some(plugins) => plugins.version().await,
            None => "plugin not enabled".to_owned(),
        };
        self.stats.hbs.told_plugins(&plugins);
        let identity = self.identity.clone();
        let result = self
            .servers
            .call(|mut client| {
                // The address is that of the connection in use, so that a host that moved is seen to have moved.
                let local = client.stream().ends().ok().map(|(local, _)| local.ip().to_canonical());
                let report = report_status(&hostname, &identity.ip(local), &identity.version, &plugins);
                async move {
                    let result = client.call("Agent.ReportStatus", &[&report], simple_response).await;
                    (client, result)
                }
            })
            .await;
        let taken = matches!(result, Ok(0));
        match result {
            Ok(0) => {
                self.stats.hbs.set(Reach::Up, Some(self.servers.addr()), None);
                if self.health.up() {
                    crate::log::say!(
                        Info,
                        "R002",
                        "hbs: {} answers; this host is reported as {hostname}",
                        self.servers.addr()
                    );
                }
            }
            Ok(code) => {
                let addr = self.servers.addr();
                let why = format!("{addr} did not accept the report of {hostname} (code {code})");
                self.stats.hbs.set(Reach::Refused, Some(addr), Some(why));
                if self.health.down() {
                    crate::log::say!(
                        Warn,
                        "R003",
                        "hbs: {} did not accept the report of {hostname} (code {code})",
                        self.servers.addr()
                    );
                }
            }
            Err((addr, error)) => {
                let hint = match error {
                    Error::NoMethod(_) => "; is this the port of hbs (6030)?",
                    _ => "",
                };
                self.stats.hbs.set(Reach::Down, Some(&addr), Some(format!("{addr}: {error}{hint}")));
                if self.health.down() {
                    crate::log::say!(Warn, "R004", "hbs: {addr}: {error}{hint}");
                }
            }
        }
        taken
    }

    /// What is assigned, and hbs's time.
    async fn ask_checks(&mut self) {
        let Ok(hostname) = self.hostname() else { return };
        if self.unknown.contains(BUILTIN) {
            return;
        }
        self.assigned.belongs_to(&hostname);
        let request = serde_json::json!({ "Hostname": hostname, "Checksum": self.builtin.checksum() }).to_string();
        let clock = self.clock.clone();
        let ahead_s = match self.ask(BUILTIN, &request, builtin_response).await {
            Some((answer, sent_boot_ms)) => {
                if self.builtin.takes(&answer) {
                    self.assigned.set_metrics(answer.metrics);
                }
                // 0 where its database failed.
                Some(answer.timestamp_s).filter(|time| *time > 0).and_then(|time| clock.server_said(time, sent_boot_ms))
            }
            None => None,
        };
        self.stats.clock_skew_s.tell(ahead_s);
    }

    async fn ask_trustable(&mut self) {
        if let Some((Some(text), _)) = self.ask(TRUSTABLE, "{}", trustable_response).await {
            self.assigned.set_trustable(text);
        }
    }

    async fn ask_plugins(&mut self) {
        let Ok(hostname) = self.hostname() else { return };
        let request = serde_json::json!({ "Hostname": hostname, "Checksum": "" }).to_string();
        if let Some((answer, _)) = self.ask(PLUGINS, &request, plugins_response).await
            && self.mined.takes(answer.timestamp_s)
        {
            self.assigned.set_plugins(answer.plugins);
        }
    }

    /// The answer to a call, and when it was sent, in milliseconds since boot. `None`: hbs does not know the call, which it is
    /// not asked again, or does not answer.
    async fn ask<T>(
        &mut self,
        method: &'static str,
        request: &str,
        decode: impl Fn(&mut Parser<'_>) -> Result<T, gojson::Error>,
    ) -> Option<(T, i64)> {
        if self.unknown.contains(method) {
            return None;
        }
        let (clock, decode) = (self.clock.clone(), &decode);
        let result = self
            .servers
            .call(|mut client| {
                let sent_boot_ms = clock.look().boot_ms;
                async move {
                    let result = match client.call(method, &[request.as_bytes()], decode).await {
                        Ok(answer) => Ok(Some((answer, sent_boot_ms))),
                        // It takes reports, so it is not passed over for this.
                        Err(Error::NoMethod(_)) => Ok(None),
                        Err(error) => Err(error),
                    };
                    (client, result)
                }
            })
            .await;
        match result {
            Ok(Some(answer)) => Some(answer),
            Ok(None) => {
                self.unknown.insert(method);
                None
            }
            Err((addr, error)) => {
                crate::log::say!(Debug, "R005", "hbs: {addr} does not answer {method}: {error}");
                None
            }
        }
    }
}

fn report_status(hostname: &str, ip: &str, version: &str, plugins: &str) -> Vec<u8> {
    serde_json::json!({
        "Hostname": hostname,
        "IP": ip,
        "AgentVersion": short(version),
        "PluginVersion": plugins,
    })
    .to_string()
    .into_bytes()
}

/// At most [`MAX_VERSION`] bytes.
fn short(version: &str) -> &str {
    let end = (0..=MAX_VERSION.min(version.len())).rev().find(|end| version.is_char_boundary(*end));
    version.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// The IPv4 address to report: the configured one, else that of the connection to hbs, else that of the default route.
/// hbs has room for nothing longer; empty when there is none.
pub fn local_ipv4(configured: &str, connection: Option<IpAddr>) -> String {
    if !configured.is_empty() {
        return configured.to_owned();
    }
    match connection {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        // Connecting a UDP socket sends nothing; it only asks the routing table. 192.0.2.1 is kept for examples.
        _ => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
            .and_then(|socket| socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()))
            .ok()
            .filter(|addr| !addr.ip().is_unspecified())
            .map_or_else(String::new, |addr| addr.ip().to_string()),
    }
}

#[cfg(test)]
mod tests;
