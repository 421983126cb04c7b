//! The heartbeat: `Agent.ReportStatus` at start and at every interval.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Health, Named, Servers};
use super::rpc::{Error, simple_response};
use crate::app::Identity;
use crate::config::Heartbeat;

/// hbs keeps versions in 16 bytes; a longer one makes its INSERT fail, and the host never registers.
const MAX_VERSION: usize = 16;

pub struct Reporter {
    identity: Arc<Identity>,
    interval: Duration,
    servers: Servers,
    health: Health,
    /// Why nothing could be reported, as it was told.
    told: Option<String>,
}

impl Reporter {
    pub fn new(config: &Heartbeat, identity: Arc<Identity>) -> Reporter {
        Reporter {
            identity,
            interval: Duration::from_secs(u64::from(config.interval)),
            servers: Servers::new_with(config.addrs.clone(), config.timeout, Box::new(Named("hbs"))),
            health: Health::default(),
            told: None,
        }
    }

    /// For ever.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.report().await;
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

    async fn report(&mut self) {
        let hostname = match self.hostname() {
            Ok(name) => name,
            Err(why) => {
                let why = format!("{why:#}");
                if self.told.as_ref() != Some(&why) {
                    tracing::error!("hbs: no report: {why}");
                    self.told = Some(why);
                }
                return;
            }
        };
        self.told = None;
        let identity = self.identity.clone();
        let result = self
            .servers
            .call(|mut client| {
                // The address is that of the connection in use, so that a host that moved is seen to have moved.
                let local = client.stream().local_addr().ok().map(|addr| addr.ip().to_canonical());
                let report = report_status(&hostname, &identity.ip(local), &identity.version);
                async move {
                    let result = client.call("Agent.ReportStatus", &[&report], simple_response).await;
                    (client, result)
                }
            })
            .await;
        match result {
            Ok(0) => {
                if self.health.up() {
                    tracing::info!("hbs: {} answers; this host is reported as {hostname}", self.servers.addr());
                }
            }
            Ok(code) => {
                if self.health.down() {
                    tracing::warn!(
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
                    tracing::warn!("hbs: {addr}: {error}{hint}");
                }
            }
        }
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
mod tests {
    use super::*;

    #[test]
    fn the_version_fits_the_column_of_hbs() {
        assert_eq!(short("0.1.0@1234567"), "0.1.0@1234567");
        assert_eq!(short("10.20.30@1234567").len(), 16);
        assert_eq!(short("100.200.300@1234567"), "100.200.300@1234");
        assert_eq!(short("0.1.0@版本版本版本"), "0.1.0@版本版");
    }

    #[test]
    fn the_report_has_the_members_of_the_go_agent() {
        let report: serde_json::Value =
            serde_json::from_slice(&report_status("主机", "10.0.0.9", "1@2")).expect("JSON");
        let expected = serde_json::json!({
            "Hostname": "主机", "IP": "10.0.0.9", "AgentVersion": "1@2", "PluginVersion": "plugin not enabled"
        });
        assert_eq!(report, expected);
    }

    #[test]
    fn the_address_is_ipv4_and_the_configured_one_wins() {
        let v4 = Some(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(local_ipv4("10.1.1.1", v4), "10.1.1.1");
        assert_eq!(local_ipv4("", v4), "127.0.0.1");
        let v6 = local_ipv4("", Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        assert!(v6.is_empty() || v6.parse::<Ipv4Addr>().is_ok(), "{v6}");
    }
}
