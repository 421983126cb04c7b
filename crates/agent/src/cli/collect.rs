//! `collect`: one cycle to standard output.

use std::time::Duration;

use super::table::Named;
use crate::app::{self, Collecting};
use crate::collect;
use crate::config::Loaded;
use crate::exposition::{self, Exposition};
use crate::falcon::wire;
use crate::hub::{self, Origin};
use crate::model::{Platform, Sample};
use crate::{log, schedule};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Prometheus,
}

impl Format {
    pub const ALL: &[Named<Format>] = &[
        ("table", "For people", Format::Table),
        ("json", "The array that a transfer would get", Format::Json),
        ("prometheus", "Text exposition format", Format::Prometheus),
    ];
}

pub fn run(loaded: Loaded, format: Format, only: Option<&str>) -> anyhow::Result<()> {
    log::init(log::Setup::console(loaded.config.log_level()));
    let runtime = app::runtime()?;
    let collecting = Collecting::new(loaded.config, None);
    let endpoint = collecting.identity.endpoint()?;
    let samples = runtime.block_on(cycle(&collecting, only));
    runtime.shutdown_background();
    log::drain();
    let samples = collecting.hub.prepare(samples, Origin::Collected);
    super::show(&match format {
        Format::Table => hub::table(&samples),
        Format::Json => json(&samples, &endpoint) + "\n",
        Format::Prometheus => prometheus(&samples, &endpoint),
    })
}

async fn cycle(collecting: &Collecting, only: Option<&str>) -> Vec<Sample> {
    // One that is asked for by name is asked, whether or not the configuration leaves it on.
    let specs: Vec<&collect::Spec> = match only {
        Some(only) => collect::ALL.iter().filter(|spec| spec.name == only).collect(),
        None => collect::active(&collecting.config).collect(),
    };
    let mut lanes = schedule::lanes(specs, &collecting.shared);
    let mut rates = false;
    for lane in &mut lanes {
        rates |= lane.prime().await;
    }
    if rates {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut all = Vec::new();
    for lane in &mut lanes {
        let mut sink = |mut samples: Vec<Sample>| all.append(&mut samples);
        lane.run_once(&mut sink).await;
        lane.let_go(&mut sink);
    }
    all
}

/// The array that a transfer would get.
pub(super) fn json(samples: &[Sample], endpoint: &str) -> String {
    let frames = wire::encode(samples, endpoint, 0);
    let bodies: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(frame.body())).collect();
    format!("[{}]", bodies.join(","))
}

/// What `/metrics` would say of them.
fn prometheus(samples: &[Sample], endpoint: &str) -> String {
    let mut text = Exposition::new(Platform::CURRENT, endpoint, exposition::Format::Text);
    samples.iter().for_each(|sample| text.add(sample));
    text.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finite, Kind, Tags};

    fn sample(metric: &'static str, tags: &[(&str, &str)], value: f64, kind: Kind) -> Sample {
        Sample {
            metric: metric.into(),
            tags: Tags::of(tags),
            value: Finite::new(value).expect("finite"),
            kind,
            at: 60,
            step: 60,
            endpoint: None,
        }
    }

    #[test]
    fn prometheus_gets_what_it_would_scrape() {
        let samples = [
            sample("net.if.in.bytes", &[("iface", r"a\b")], 1.0, Kind::Counter),
            sample("agent.alive", &[], 1.0, Kind::Gauge),
            sample("net.if.in.bytes", &[("iface", "lo")], 2.5, Kind::Counter),
        ];
        let text = prometheus(&samples, "h");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE falcon_agent_alive gauge",
                "falcon_agent_alive 1",
                "# TYPE falcon_agent_metrics_left_out gauge",
                "falcon_agent_metrics_left_out 0",
                "# TYPE falcon_net_if_in_bytes_total counter",
                r#"falcon_net_if_in_bytes_total{iface="a\\b"} 1"#,
                r#"falcon_net_if_in_bytes_total{iface="lo"} 2.5"#,
            ]
        );
    }

    #[test]
    fn json_is_the_array_of_the_wire() {
        let text = json(&[sample("a", &[], 1.0, Kind::Gauge), sample("b", &[], 2.0, Kind::Derive)], "h");
        let array: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(array[1]["counterType"], "DERIVE");
        assert_eq!(array[0]["endpoint"], "h");
    }
}
