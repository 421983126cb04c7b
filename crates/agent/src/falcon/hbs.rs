//! The heartbeat: `Agent.ReportStatus` at start and at every interval; and hbs's clock, the `Timestamp` that
//! `Agent.BuiltinMetrics` answers with (hbs/rpc/agent.go of falcon-plus). It is asked for after each report that was taken, and
//! at once when somebody set this host's clock. Reports go on without it: what is wrong with hbs is told of them alone.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Health, Named, Servers};
use super::rpc::{Error, builtin_response, simple_response};
use crate::app::Identity;
use crate::clock::AgentClock;
use crate::config::Heartbeat;
use crate::stats::Stats;

/// hbs keeps versions in 16 bytes; a longer one makes its INSERT fail, and the host never registers.
const MAX_VERSION: usize = 16;
/// hbs's checksums have 32 bytes; what is much longer is not sent back.
const MAX_CHECKSUM: usize = 128;
/// What the Go agent sends before it has a checksum.
const NO_CHECKSUM: &str = "nil";

pub struct Reporter {
    identity: Arc<Identity>,
    interval: Duration,
    servers: Servers,
    health: Health,
    /// Why nothing could be reported, as it was told.
    told: Option<String>,
    clock: Arc<AgentClock>,
    stats: Arc<Stats>,
    /// Of the last answer: with it the next one is short.
    checksum: String,
    /// hbs does not know the call that tells its time.
    timeless: bool,
}

impl Reporter {
    pub fn new(config: &Heartbeat, identity: Arc<Identity>, clock: Arc<AgentClock>, stats: Arc<Stats>) -> Reporter {
        Reporter {
            identity,
            interval: Duration::from_secs(u64::from(config.interval)),
            servers: Servers::new_with(config.addrs.clone(), config.timeout, Box::new(Named("hbs"))),
            health: Health::default(),
            told: None,
            clock,
            stats,
            checksum: NO_CHECKSUM.to_owned(),
            timeless: false,
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
            if !reports || self.report().await {
                self.ask_time().await;
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
                if self.told.as_ref() != Some(&why) {
                    tracing::error!(code = "R001", "hbs: no report: {why}");
                    self.told = Some(why);
                }
                return false;
            }
        };
        self.told = None;
        let identity = self.identity.clone();
        let result = self
            .servers
            .call(|mut client| {
                // The address is that of the connection in use, so that a host that moved is seen to have moved.
                let local = client.stream().ends().ok().map(|(local, _)| local.ip().to_canonical());
                let report = report_status(&hostname, &identity.ip(local), &identity.version);
                async move {
                    let result = client.call("Agent.ReportStatus", &[&report], simple_response).await;
                    (client, result)
                }
            })
            .await;
        let taken = matches!(result, Ok(0));
        match result {
            Ok(0) => {
                if self.health.up() {
                    tracing::info!(
                        code = "R002",
                        "hbs: {} answers; this host is reported as {hostname}",
                        self.servers.addr()
                    );
                }
            }
            Ok(code) => {
                if self.health.down() {
                    tracing::warn!(
                        code = "R003",
                        "hbs: {} did not accept the report of {hostname} (code {code})",
                        self.servers.addr()
                    );
                }
            }
            Err((addr, error)) => {
                if self.health.down() {
                    let hint = match error {
                        Error::NoMethod(_) => "; is this the port of hbs (6030)?",
                        _ => "",
                    };
                    tracing::warn!(code = "R004", "hbs: {addr}: {error}{hint}");
                }
            }
        }
        taken
    }

    async fn ask_time(&mut self) {
        if self.timeless {
            return;
        }
        let Ok(hostname) = self.hostname() else { return };
        let request = serde_json::json!({ "Hostname": hostname, "Checksum": self.checksum }).to_string();
        let clock = self.clock.clone();
        let result = self
            .servers
            .call(|mut client| {
                let (request, sent_boot_ms) = (request.clone(), clock.look().boot_ms);
                async move {
                    let result =
                        match client.call("Agent.BuiltinMetrics", &[request.as_bytes()], builtin_response).await {
                            Ok(answer) => Ok(Some((answer, sent_boot_ms))),
                            // It takes reports, so it is not passed over for this.
                            Err(Error::NoMethod(_)) => Ok(None),
                            Err(error) => Err(error),
                        };
                    (client, result)
                }
            })
            .await;
        let ahead_s = match result {
            Ok(Some((answer, sent_boot_ms))) => {
                let checksum = Some(answer.checksum).filter(|checksum| checksum.len() <= MAX_CHECKSUM);
                self.checksum = checksum.unwrap_or_else(|| NO_CHECKSUM.to_owned());
                // 0 where its database failed.
                Some(answer.timestamp_s).filter(|time| *time > 0).and_then(|time| clock.server_said(time, sent_boot_ms))
            }
            Ok(None) => {
                self.timeless = true;
                None
            }
            Err((addr, error)) => {
                tracing::debug!(code = "R005", "hbs: {addr} does not tell its time: {error}");
                None
            }
        };
        self.stats.clock_skew_s.tell(ahead_s);
    }
}

fn report_status(hostname: &str, ip: &str, version: &str) -> Vec<u8> {
    serde_json::json!({
        "Hostname": hostname,
        "IP": ip,
        "AgentVersion": short(version),
        "PluginVersion": "plugin not enabled",
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
