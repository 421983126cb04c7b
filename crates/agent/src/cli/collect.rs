//! `collect`: one cycle to standard output.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::Named;
use crate::app::{self, Collecting};
use crate::collect;
use crate::config::Loaded;
use crate::falcon::wire;
use crate::hub::{self, Origin};
use crate::model::{Kind, Sample};
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
        Format::Prometheus => prometheus(&samples),
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

/// Text exposition format. A name's characters other than letters, digits, `_` and `:` become `_`.
fn prometheus(samples: &[Sample]) -> String {
    let help: BTreeMap<&str, &str> =
        collect::ALL.iter().flat_map(|spec| spec.metrics).map(|metric| (metric.name, metric.help)).collect();
    let mut groups: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        groups.entry(&sample.metric).or_default().push(sample);
    }
    let mut text = String::new();
    for (metric, samples) in groups {
        let name: String =
            metric.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == ':' { c } else { '_' }).collect();
        let kind = match samples.first().map(|sample| sample.kind) {
            Some(Kind::Counter | Kind::Derive) => "counter",
            _ => "gauge",
        };
        let help = help.get(metric).copied().unwrap_or_default();
        text.push_str(&format!("# HELP {name} {metric}: {help}\n# TYPE {name} {kind}\n"));
        for sample in samples {
            let mut value = Vec::new();
            wire::number(sample.value.get(), &mut value);
            text.push_str(&format!("{name}{} {}\n", labels(sample), String::from_utf8_lossy(&value)));
        }
    }
    text
}

fn labels(sample: &Sample) -> String {
    let pairs: BTreeMap<String, String> = sample.tags.pairs().collect();
    if pairs.is_empty() {
        return String::new();
    }
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let label =
        |key: &str| -> String { key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect() };
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{}=\"{}\"", label(key), quoted(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finite, Tags};

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
    fn prometheus_gets_one_header_a_name_and_escaped_labels() {
        let samples = [
            sample("net.if.in.bytes", &[("iface", r"a\b")], 1.0, Kind::Counter),
            sample("agent.alive", &[], 1.0, Kind::Gauge),
            sample("net.if.in.bytes", &[("iface", "lo")], 2.5, Kind::Counter),
        ];
        assert_eq!(
            prometheus(&samples),
            "# HELP agent_alive agent.alive: the agent collects\n# TYPE agent_alive gauge\nagent_alive 1\n\
             # HELP net_if_in_bytes net.if.in.bytes: received\n# TYPE net_if_in_bytes counter\n\
             net_if_in_bytes{iface=\"a\\\\b\"} 1\nnet_if_in_bytes{iface=\"lo\"} 2.5\n"
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
