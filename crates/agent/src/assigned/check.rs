//! The grammar of the checks that hbs assigns, as the Go agent reads it (falcon-plus, modules/agent/cron/builtin.go), oddities
//! included: what it emits is matched by judge with the strategy's own tags, so tags go out as they came.
//!
//! * `net.port.listen`: `ANY=PORT`, a decimal integer without blanks; said with `port=N`. A port that cannot be is closed.
//! * `proc.num`: parts between commas; those that begin with `name=` or `cmdline=` count, the last of each, and all others do
//!   not. With neither, every process fits. Said with the strategy's tags as they are.
//! * `du.bs`: `ANY=PATH`; said with `path=PATH`, without blanks around it.
//! * `url.check.health`: `ANY=URL,ANY=SECONDS`, so that a URL has neither `=` nor `,`; said with `url=URL,timeout=SECONDS,src=ENDPOINT`.
//!   Of one URL the last time limit counts.
//!
//! What the configuration asks for besides has the same series: a check that both ask for is made once.

use super::BuiltinMetric;
use crate::config::checks::{self as configured, Protocol};
use crate::model::Tags;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortCheck {
    /// `None`: beyond 65,535 or below 0.
    pub port: Option<u16>,
    pub protocol: Protocol,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessCheck {
    pub name: Option<String>,
    pub cmdline: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryCheck {
    pub path: String,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlCheck {
    pub url: String,
    /// As it is written: what is not above 0 leaves no time at all.
    pub timeout_s: i64,
    pub tags: Tags,
}

/// All that is to be checked, each series once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    pub ports: Vec<PortCheck>,
    pub processes: Vec<ProcessCheck>,
    pub directories: Vec<DirectoryCheck>,
    pub urls: Vec<UrlCheck>,
}

/// Why a check is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Malformed(&'static str),
    /// A metric that hbs has in addition to those of the Go agent.
    Unknown,
}

impl Checks {
    /// What can be run, and `metric/tags` of what cannot. `endpoint`: to whom it is assigned.
    pub fn read(metrics: &[BuiltinMetric], endpoint: &str) -> (Checks, Vec<(String, Refusal)>) {
        let (mut checks, mut refused) = (Checks::default(), Vec::new());
        for BuiltinMetric { metric, tags } in metrics {
            let read = match metric.as_str() {
                "net.port.listen" => port(tags).map(|check| once(&mut checks.ports, check)),
                "proc.num" => {
                    once(&mut checks.processes, process(tags));
                    Ok(())
                }
                "du.bs" => directory(tags).map(|check| once(&mut checks.directories, check)),
                "url.check.health" => url(tags, endpoint).map(|check| {
                    checks.urls.retain(|earlier| earlier.url != check.url);
                    checks.urls.push(check);
                }),
                _ => Err(Refusal::Unknown),
            };
            if let Err(refusal) = read {
                refused.push((format!("{metric}/{tags}"), refusal));
            }
        }
        (checks, refused)
    }

    /// What the configuration asks for, but for what hbs cannot: that has collectors of its own.
    pub fn configured(config: &configured::Checks) -> Checks {
        let mut checks = Checks::default();
        for configured::Port { port, protocol } in &config.ports {
            let tags = Tags::raw(format!("port={port}"));
            once(&mut checks.ports, PortCheck { port: Some(*port), protocol: *protocol, tags });
        }
        for configured::Process { name, cmdline } in &config.processes {
            let given = |text: &String| (!text.is_empty()).then(|| text.clone());
            let pairs = [("name", name.as_str()), ("cmdline", cmdline.as_str())];
            let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let check = ProcessCheck { name: given(name), cmdline: given(cmdline), tags: Tags::of(&pairs) };
            once(&mut checks.processes, check);
        }
        for path in &config.directories {
            let check = DirectoryCheck { path: path.clone(), tags: Tags::of(&[("path", path)]) };
            once(&mut checks.directories, check);
        }
        checks
    }

    /// Adds what others ask for: of what would be one series, what is here counts.
    pub fn extend(&mut self, others: &Checks) {
        // As the servers see them: in any order, without blanks.
        fn add<T: Clone>(own: &mut Vec<T>, others: &[T], series: impl Fn(&T) -> (&Tags, Protocol)) {
            let canonical = |check: &T| {
                let (tags, protocol) = series(check);
                (tags.canonical(), protocol)
            };
            for other in others {
                if !own.iter().any(|check| canonical(check) == canonical(other)) {
                    own.push(other.clone());
                }
            }
        }
        add(&mut self.ports, &others.ports, |check| (&check.tags, check.protocol));
        add(&mut self.processes, &others.processes, |check| (&check.tags, Protocol::Any));
        add(&mut self.directories, &others.directories, |check| (&check.tags, Protocol::Any));
        add(&mut self.urls, &others.urls, |check| (&check.tags, Protocol::Any));
    }
}

fn once<T: PartialEq>(checks: &mut Vec<T>, check: T) {
    if !checks.contains(&check) {
        checks.push(check);
    }
}

/// What follows the only `=`.
fn value(tags: &str) -> Result<&str, Refusal> {
    let only = tags.split_once('=').map(|(_, value)| value).filter(|value| !value.contains('='));
    only.ok_or(Refusal::Malformed("its tags are not one `key=value`"))
}

fn port(tags: &str) -> Result<PortCheck, Refusal> {
    let port: i64 = value(tags)?.parse().map_err(|_| Refusal::Malformed("its port is not a plain number"))?;
    let tags = Tags::raw(format!("port={port}"));
    Ok(PortCheck { port: u16::try_from(port).ok(), protocol: Protocol::Any, tags })
}

fn process(tags: &str) -> ProcessCheck {
    let last = |key: &str| tags.split(',').rev().find_map(|part| part.strip_prefix(key));
    let trimmed = |key: &str| last(key).map(|value| value.trim().to_owned());
    ProcessCheck { name: trimmed("name="), cmdline: trimmed("cmdline="), tags: Tags::raw(tags) }
}

fn directory(tags: &str) -> Result<DirectoryCheck, Refusal> {
    let path = value(tags)?.trim();
    Ok(DirectoryCheck { path: path.to_owned(), tags: Tags::raw(format!("path={path}")) })
}

fn url(tags: &str, endpoint: &str) -> Result<UrlCheck, Refusal> {
    let two = tags.split_once(',').filter(|(_, second)| !second.contains(','));
    let (first, second) = two.ok_or(Refusal::Malformed("its tags are not `url=...,timeout=...`"))?;
    let (url, written) = (value(first)?, value(second)?);
    let timeout_s: i64 = written.parse().map_err(|_| Refusal::Malformed("its time limit is not a plain number"))?;
    let tags = Tags::raw(format!("url={url},timeout={timeout_s},src={endpoint}"));
    Ok(UrlCheck { url: url.to_owned(), timeout_s, tags })
}

#[cfg(test)]
mod tests;
